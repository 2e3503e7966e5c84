"""Own data sets: described, put away and brought back; the folders, and a line of each change in the records."""

import contextlib
import json
import logging
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dashboard.records.decisions import EXCLUDED, CurrentLabels
from dashboard.records.rows import Declined
from dashboard.records.runs import Records
from dashboard.services.jobs import Jobs
from dashboard.services.runs import unkept
from ml import data
from ml.artifacts.reader import Library, Missing
from ml.artifacts.schema import RUN_ID
from ml.data import originals
from ml.images.decoding import Picture, decode
from ml.people import happenings
from ml.publishing import dataset_export
from ml.system import atomic, small_files, trash
from ml.system.content_addressed import Gone
from ml.system.trash import KEPT_DAYS, Deleted
from ml.system.wording import shows

__all__ = ["KEPT_DAYS", "DatasetRegistry", "Deleted"]

log = logging.getLogger(__name__)

TITLE, DESCRIPTION = 60, 2_000  # characters
HERE_NO_MORE = "This data set is not here any more."


class DatasetRegistry:
    """The data sets of one library; only own ones change, and those that ship stay as they are."""

    def __init__(self, library: Library, jobs: Jobs, records: Records) -> None:
        self.library, self._jobs, self._records = library, jobs, records

    @property
    def names(self) -> frozenset[str]:
        """Of own data sets that are here."""
        try:
            inside = [one.name for one in (self.library.home / "datasets").iterdir() if one.is_dir()]
        except OSError:
            return frozenset()
        return frozenset(name for name in inside if RUN_ID.fullmatch(name))

    def known(self) -> frozenset[str]:
        """Those that are here, and those in the trash."""
        return self.names | {one.run_id for one in self.deleted()}

    def describe(self, name: object, *, title: object, description: object) -> str:
        """Give it another title and description; its name, which runs know it by, stays. Raises Declined."""
        self._records.permit("dataset")
        folder = self._own(name)
        words, text = _line(title), _text(description)
        if not words:
            raise Declined(f"A title has 1 to {TITLE} characters in one line.", "title")
        file = folder / "dataset.json"
        with self._noted("dataset", folder.name, f"described as {words}"):
            described = small_files.document(file)
            described = {**described, "title": words, "description": text}
            atomic.write(file, json.dumps(described, indent=1, ensure_ascii=False) + "\n")
        return folder.name

    def busy(self, name: str) -> list[str]:
        """Trainings that are still to learn from it."""
        table = self._jobs.table()
        if table is None:
            return []
        return [job.run_id for job in (*table.running(), *table.queued()) if job.spec.get("dataset") == name]

    def delete(self, name: object) -> str:
        """Move it to the trash, where it stays for KEPT_DAYS; the folder there. Raises Declined."""
        self._records.permit("delete")
        folder = self._own(name)
        if busy := self.busy(folder.name):
            raise Declined(f"{', '.join(busy)} is still to learn from it: end that training first.")
        put = trash.name(folder.name, datetime.now(UTC))
        with self._noted("delete", folder.name, "data set deleted"):
            trash.put(self.library.home, folder.name, put, trash.DATASETS)
        return put

    def restore(self, put: object) -> str:
        """Bring one back from the trash by its folder there; its name. Raises Declined."""
        self._records.permit("delete")
        name = next((one.run_id for one in self.deleted() if one.folder == put), None)
        if name is None:
            raise Declined("This data set is not in the trash any more.")
        with self._noted("delete", name, "data set brought back"):
            trash.restore(self.library.home, str(put), trash.DATASETS)
        return name

    def original(self, learned: Mapping[str, Any], example_id: int) -> originals.Original | None:
        """Where a picture of what a run learned from came from; None where nobody knows: of a data set that comes with
        the app, of an earlier version, of an import of an older version of the app."""
        try:
            if learned["name"] not in self.names or self.library.version_of(learned):
                return None
            return originals.of(learned["name"], example_id, self.library.home)
        except (Missing, originals.Moved):
            return None

    def as_it_came(self, name: str, example_id: int) -> Picture:
        """The picture of an original, decoded anew. Raises Missing where it is not where it was, in words; Refusal."""
        if name not in self.names:
            raise Missing("Nothing is kept of how this picture came.")
        try:
            return decode(originals.read(name, example_id, self.library.home))
        except originals.Moved as moved:
            raise Missing(str(moved)) from None

    def packed(self, name: str, kind: str, labels: CurrentLabels | None = None) -> Iterator[bytes]:
        """A data set as a zip, made while it is sent. kind: folder or parquet; labels: as people decided.

        Raises Missing.
        """
        try:
            dataset = data.load(name, home=self.library.home)
        except KeyError:
            raise Missing("This data set is not on this machine (any more).") from None
        except data.DataMissing as error:
            raise Missing(str(error)) from None
        ids = {name: i for i, name in enumerate(dataset.classes)}
        corrections: dict[tuple[str, int], int | None] = {}
        for key, one in labels.by.items() if labels else ():
            if one.after == EXCLUDED:
                corrections[key] = None
            elif one.after in ids:
                corrections[key] = ids[one.after]
        return dataset_export.KINDS[kind](dataset, corrections)

    def deleted(self) -> list[Deleted]:
        """What can be brought back, the last deleted first."""
        return trash.listing(self.library.home, trash.DATASETS)

    def _own(self, name: object) -> Path:
        if not isinstance(name, str) or name not in self.names:
            shipped = isinstance(name, str) and (self.library.artifacts / "datasets" / name).is_dir()
            raise Declined("What comes with the app stays as it is." if shipped else HERE_NO_MORE)
        return self.library.home / "datasets" / name

    @contextlib.contextmanager
    def _noted(self, act: str, name: str, words: str) -> Iterator[None]:
        """What is done in here is written down with it, and neither happens without the other. Raises Declined."""
        try:
            with self._records.writing(act) as connection:
                happenings.note(connection, act, name, words)
                yield
        except (Gone, FileExistsError) as error:
            raise Declined(str(error)) from None
        except (OSError, ValueError) as error:
            log.warning("data set %s cannot be changed: %s", name, error)
            raise unkept(error) if isinstance(error, OSError) else Declined(HERE_NO_MORE) from error


def _line(text: object) -> str:
    words = " ".join(text.split()) if isinstance(text, str) else ""
    return words if len(words) <= TITLE and shows(words) else ""


def _text(text: object) -> str:
    return text.strip()[:DESCRIPTION] if isinstance(text, str) else ""
