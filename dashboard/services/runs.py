"""Puts runs away and brings them back, packs them up and takes them in; the folders behind the records."""

import contextlib
import io
import itertools
import logging
import shutil
import threading
from datetime import UTC, datetime
from pathlib import Path

from dashboard.records.rows import Declined, Full
from dashboard.records.runs import Change, Records
from dashboard.services.jobs import Jobs
from ml.artifacts.reader import Library, RunEntry
from ml.publishing import model_card as card
from ml.publishing import run_archive
from ml.publishing.run_archive import UPLOAD_BYTES, Taken
from ml.system import disk, trash
from ml.system.content_addressed import Gone
from ml.system.trash import KEPT_DAYS, Deleted

__all__ = ["KEPT_DAYS", "UPLOAD_BYTES", "Busy", "Deleted", "RunRegistry", "Taken"]

log = logging.getLogger(__name__)

WORK = {"train": "Its training", "evaluate": "Its evaluation", "add": "Its addition"}  # of kinds of jobs, as is told
UNWRITABLE = "The app's data folder cannot be written to, so nothing has changed."
FREE_BYTES = 300 * 2**20  # below this nothing is taken in
PATIENCE = 5.0  # seconds one import waits for another
ONE_AT_A_TIME = threading.BoundedSemaphore(1)  # checking a run through takes memory


def unkept(error: OSError) -> Declined:
    """Why a change of files could not be made."""
    return Full() if disk.full(error) else Declined(UNWRITABLE)


class Busy(Declined):
    """Another import is under way."""


class RunRegistry:
    """The run folders of one library. Every change is a row of the records too, and both happen or neither."""

    def __init__(self, library: Library, jobs: Jobs, records: Records) -> None:
        self.library, self._jobs, self._records = library, jobs, records

    @property
    def home(self) -> Path:
        return self.library.home

    def entry(self, run_id: object) -> RunEntry:
        """A run of the listing, broken ones too. Raises Declined."""
        found = self.library.entry(run_id) if isinstance(run_id, str) else None
        if found is None:
            raise Declined("This run is not here any more.")
        return found

    def names(self) -> frozenset[str]:
        """Every id that is a run or was one: none of them can name a new run. Of trainings, the job table knows."""
        here = set(self.library.names())
        gone = self._records.marks().deleted() | {one.run_id for one in self.deleted()}
        return frozenset(here | gone)

    # ---- pack and take in

    def card(self, run_id: str) -> str:
        """The run's model card, Markdown. Raises Missing or Broken."""
        run, mark = self.library.open(run_id), self._records.marks().of(run_id)
        return card.markdown(run, title=mark.title, note=mark.note, tags=mark.tags)

    def pack(self, run_id: str) -> bytes:
        """The run as a zip, its card inside. Raises Missing or Broken."""
        return run_archive.pack(self.library.open(run_id), self.card(run_id))

    def graph(self, run_id: str, noun: str) -> bytes:
        """The run's network as an ONNX file, `onnx` or `int8`. Raises Missing or Broken."""
        return self.library.open(run_id).graph(noun)

    def take(self, content: bytes, name: str | None = None) -> Taken:
        """Check a run's zip through and put it among this user's runs; loads torch. Raises Declined, Busy among them.

        name: what it shall be called here. Where only another name is needed, Declined.field is `name`.
        """
        self._records.permit("import")
        if not ONE_AT_A_TIME.acquire(timeout=PATIENCE):
            raise Busy("Another run is being taken in just now; try again in a moment.")
        try:
            self.home.mkdir(parents=True, exist_ok=True)
            if shutil.disk_usage(self.home).free < FREE_BYTES:
                how = disk.FULL if disk.used_up(self.home) else "The disk is almost full"
                raise Declined(f"{how}: taking a run in needs {FREE_BYTES // 2**20} MB free.")
            run_archive.sweep(self.home)
            taken = self.names() | self._jobs.names()
            here = run_archive.unpack(io.BytesIO(content), self.library, name=name, taken=taken, limit=UPLOAD_BYTES)
        except run_archive.Unfit as unfit:
            free = self.free_name(unfit.taken) if unfit.taken else ""
            raise Declined(str(unfit), "name" if unfit.taken else "", free) from None
        except OSError as error:
            log.warning("a run cannot be taken in: %s", error)
            raise unkept(error) from error
        finally:
            ONE_AT_A_TIME.release()
        with contextlib.suppress(Declined):  # the run is here, whether or not that can be written down
            self._records.note("import", here.run_id, f"taken in as {here.run_id}, was {here.was}")
        return here

    def free_name(self, run_id: str) -> str:
        """A name like this one that no run has or had: 'toy-2'."""
        taken = self.names() | self._jobs.names()
        stem = run_id[:58]
        return next(name for i in itertools.count(2) if (name := f"{stem}-{i}") not in taken)

    # ---- delete

    def deleted(self) -> list[Deleted]:
        """What can be brought back, the last deleted first."""
        return trash.listing(self.home)

    def delete(self, run_id: str) -> str:
        """Move a run of this user's to the trash; the folder there, by which it can be restored. Raises Declined."""
        self._records.permit("delete")
        entry = self.entry(run_id)
        if entry.shipped:
            raise Declined("This run ships with the app: it can be archived, not deleted.")
        if self._records.marks().default == run_id:
            raise Declined("This run is the default: promote another one first.")
        folder = trash.name(run_id, datetime.now(UTC))
        moved = False
        self._idle(run_id)
        try:
            with self._records.deleting(run_id, folder):
                self._idle(run_id)  # once more: now no job can begin
                trash.put(self.home, run_id, folder)
                moved = True
        except FileNotFoundError:
            raise Declined("This run is not here any more.") from None
        except OSError as error:
            log.warning("run %s cannot be moved: %s", run_id, error)
            raise unkept(error) from error
        except Declined:
            if moved:  # the row could not be committed
                with contextlib.suppress(OSError, Gone):
                    trash.restore(self.home, folder)
            raise
        return folder

    def _idle(self, run_id: str) -> None:
        if job := self._jobs.at_work(run_id):
            what, does = (
                WORK.get(job.kind, "A job of this run"),
                "runs" if job.state == "running" else "waits in the queue",
            )
            raise Declined(f"{what} {does} just now: let it end, or cancel it first.")

    def restore(self, folder: str) -> str:
        """Bring a run back from the trash; its id. Raises Declined."""
        run = next((one for one in self.deleted() if one.folder == folder), None)
        if run is None:
            raise Declined("This run is not in the trash any more.")
        if run.run_id in self.library.names():
            raise Declined(f"There is another run named {run.run_id} now, so this one stays in the trash.")
        moved = False
        try:
            with self._records.deleting(run.run_id, ""):
                trash.restore(self.home, folder)
                moved = True
        except (Gone, FileExistsError) as error:
            raise Declined(str(error)) from None
        except OSError as error:
            log.warning("run %s cannot be brought back: %s", run.run_id, error)
            raise unkept(error) from error
        except Declined:
            if moved:
                with contextlib.suppress(OSError):
                    trash.put(self.home, run.run_id, folder)
            raise
        return run.run_id

    def undo(self, change: Change) -> str:
        """Bring back what a change replaced; the run's id. Raises Declined."""
        if change.what == "deleted":
            return self.restore(str(change.after))
        return self._records.undo(change.number).run_id

    def purge(self) -> list[str]:
        """Throw away for good what has been in the trash for KEPT_DAYS, data sets that no run uses too; the ids of
        those runs."""
        if self._records.read_only:
            return []
        self.library.purge_datasets()
        return trash.purge(self.home)
