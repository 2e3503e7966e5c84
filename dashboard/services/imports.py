"""Data sets made of what people bring: what was understood of it, asked of a process of its own, and the job."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dashboard.services.jobs import Jobs
from dashboard.services.looking import SAID, TOO_MUCH, Looking
from dashboard.services.staging import Staged, Staging
from ml.artifacts.identity import run_id_of
from ml.data import DATASETS, synthetic
from ml.data.fetchable import FETCHABLE
from ml.data.importing.records import FLAGS
from ml.jobs.queue import JobTable, Refused
from ml.jobs.tables import Job


@dataclass(frozen=True)
class Preview:
    """What was understood of a source. plan: as ml.data.Plan.to_json, with `samples`; refused: why it is no data set;
    tables: of one that may be when somebody says what their columns are for, as in a plan.

    Neither: it is being looked at. seconds: since when.
    """

    plan: Mapping[str, Any] | None = None
    refused: str = ""
    tables: Sequence[Mapping[str, Any]] = ()
    seconds: float = 0.0

    @property
    def thinking(self) -> bool:
        return self.plan is None and not self.refused


def on_screen(words: str) -> str:
    """A sentence of ml.data without what is for the command line: pages have fields for it."""
    return words.partition(FLAGS)[0]


class Imports:
    """Of one home folder. Thread-safe."""

    def __init__(self, staging: Staging, jobs: Jobs) -> None:
        self._staging, self._jobs = staging, jobs
        self._looking = Looking(jobs.home, "python -m ml data import")

    def preview(self, staged: Staged, choices: Mapping[str, Any]) -> Preview:
        """What is understood under these choices (ml.data.importing.Choices as JSON); asked for again while thinking.

        What was understood before is known at once, also after a restart.
        """
        text = json.dumps(choices, sort_keys=True)
        name = f"plan-{hashlib.sha256(text.encode()).hexdigest()[:16]}.json"
        target = self._staging.folder / staged.id / name
        asked = ["data", "plan", "--choices=-", "--to", str(target), "--", str(staged.place)]
        looked = self._looking.ask(target, asked, choices)
        if looked.answer is None:
            return Preview(refused=looked.problem, seconds=looked.seconds)
        found = looked.answer
        return Preview(found.get("plan"), str(found.get("refused") or ""), found.get("tables") or ())

    def begin(
        self,
        staged: Staged,
        name: str,
        choices: Mapping[str, Any],
        *,
        title: str = "",
        description: str = "",
        new_version: bool = False,
        add: bool = False,
        intent: str | None = None,
    ) -> Job:
        """Queue the import. The same intent again gives the job of the first time. Raises Refused, in words.

        new_version: of the data set of this name, where there is one; add: with its pictures before these.
        """
        self._jobs.permit("dataset")
        if not staged.whole:
            raise Refused("Not all of it is here yet.")
        if len(json.dumps(choices)) > SAID:
            raise Refused(TOO_MUCH)
        name = self.named(name, new_version=new_version)
        spec = {
            "source": str(staged.place), "upload": staged.id, "shown": staged.name[:80], "choices": dict(choices),
            "title": " ".join(title.split())[:60], "description": description.strip()[:2_000],
            "new_version": new_version, "add": add,
        }  # fmt: skip
        if add and not (self._jobs.home / "datasets" / name).is_dir():
            raise Refused(f"There is no data set {name} to add to.", "name")
        job = self._jobs.begin(spec, name, kind="import", intent=intent)
        self._staging.imported(staged.id, name)
        return job

    def fetch(self, name: object, intent: str | None = None) -> Job:
        """Queue the fetching of a published data set; the same intent again gives the job of the first time. Raises
        Refused."""
        self._jobs.permit("dataset")
        if not isinstance(name, str) or name not in FETCHABLE:
            raise Refused("There is no such data set to fetch.")
        if (self._jobs.home / "datasets" / name / "train.npz").is_file():
            raise Refused(f"{FETCHABLE[name].title} are here already.")
        active = [one for one in self.listing() if one.active and one.run_id == name]
        if active:
            return active[0]
        return self._jobs.begin({"fetch": True, "shown": FETCHABLE[name].shown}, name, kind="import", intent=intent)

    def named(self, name: str, *, new_version: bool = False) -> str:
        """What a data set is called in addresses when people call it `name`. Raises Refused."""
        called = run_id_of(name)
        if not called:
            raise Refused("A name needs a letter of a to z or a digit.", "name")
        if called in DATASETS or synthetic.PATTERN.fullmatch(called):
            raise Refused(f"{called} comes with the app: choose another name.", "name")
        here = (self._jobs.home / "datasets" / called).exists()
        if here and not new_version:
            raise Refused(f"There is a data set {called} already: choose another name, or make a new version.", "name")
        table = self._jobs.table()
        if table is not None and called in {job.run_id for job in (*table.running(), *table.queued())
                                            if job.kind == "import"}:  # fmt: skip
            raise Refused(f"An import of the name {called} is under way.", "name")
        return called

    def listing(self) -> list[Job]:
        """Imports, newest first; none where the database cannot be read."""
        return self._jobs.listing("import")

    def receipt(self, job: Job) -> dict[str, Any] | None:
        """What a finished import said of what it made."""
        table: JobTable | None = self._jobs.table()
        return table.receipt(job) if table is not None and job.state == "done" else None
