"""Networks and predictions that people bring: what was understood, asked of processes of their own, and the job.

This process never opens what was brought: it reads what those processes say of it.
"""

import hashlib
import json
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from dashboard.services.jobs import Jobs
from dashboard.services.looking import SAID, TOO_MUCH, Looked, Looking
from dashboard.services.staging import Staged, Staging
from ml.artifacts.identity import run_id_of
from ml.jobs.queue import Refused
from ml.jobs.tables import Job
from ml.models import MODELS

PURPOSE = "run"
KEY = re.compile(r"[0-9a-f]{16}", re.ASCII)
NAME = 64  # characters of a run's id
ARCHITECTURES = (
    "timm:resnet18", "timm:resnet50", "timm:efficientnet_b0", "timm:mobilenetv3_large_100", "timm:convnext_tiny",
    "timm:vit_small_patch16_224", "timm:vit_base_patch16_224", "torchvision:resnet18", "torchvision:resnet50",
    "torchvision:efficientnet_b0", "torchvision:mobilenet_v3_small", "torchvision:convnext_tiny",
    "torchvision:densenet121", "torchvision:vit_b_16", *MODELS,
)  # fmt: skip
"""Offered where weights do not say what network they are of; any other of timm's or torchvision's may be written."""


class Adding:
    """Of one home folder. Thread-safe."""

    def __init__(self, staging: Staging, jobs: Jobs) -> None:
        self._staging, self._jobs = staging, jobs
        self._looking = Looking(jobs.home, "python -m ml runs add")

    def brought(self, staged_id: object) -> Staged | None:
        """What was brought to be added, by its id."""
        staged = self._staging.get(staged_id)
        return staged if staged is not None and staged.purpose == PURPOSE else None

    def listing(self) -> list[Staged]:
        """All that was brought to be added, newest first."""
        return [one for one in self._staging.listing() if one.purpose == PURPOSE]

    def look(self, staged: Staged, dataset: str, choices: Mapping[str, Any]) -> Looked:
        """What is understood under these choices (ml.importing.adding.Choices as JSON) of these pictures; asked for
        again while it is at work. The answer: {"found"} or {"refused"}, as `python -m ml runs look` says them."""
        target = self._target(staged, "look", dataset, choices)
        left_out = ["--left-out", str(target.with_suffix(".csv"))]
        return self._ask(staged, target, dataset, {**choices, "doctor": "as-stated"}, left_out)

    def diagnose(self, staged: Staged, dataset: str, choices: Mapping[str, Any]) -> Looked:
        """The same, with what other ways of asking a network give: {"found": {"doctor": table}}, which takes longer."""
        return self._ask(staged, self._target(staged, "doctor", dataset, choices), dataset, choices)

    def _ask(
        self, staged: Staged, target: Path, dataset: str, choices: Mapping[str, Any], more: Sequence[str] = ()
    ) -> Looked:
        asked = ["runs", "look", "--data", dataset, "--choices=-", *more, "--to", str(target), "--", str(staged.place)]
        return self._looking.ask(target, asked, choices)

    def key(self, dataset: str, choices: Mapping[str, Any]) -> str:
        """What a look under these choices is filed as."""
        text = json.dumps([dataset, choices], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def left_out(self, staged_id: str, key: str) -> Path | None:
        """The CSV of all rows that this look left out; None where there is none."""
        staged = self.brought(staged_id)
        if staged is None or not KEY.fullmatch(key):
            return None
        target = self._staging.folder / staged.id / f"look-{key}.csv"
        return target if target.is_file() else None

    def _target(self, staged: Staged, kind: str, dataset: str, choices: Mapping[str, Any]) -> Path:
        return self._staging.folder / staged.id / f"{kind}-{self.key(dataset, choices)}.json"

    def begin(
        self,
        staged: Staged,
        name: str,
        dataset: str,
        choices: Mapping[str, Any],
        *,
        taken: Collection[str],
        datasets: Collection[str],
        intent: str | None = None,
        base: Mapping[str, Any] | None = None,
    ) -> Job:
        """Queue it. The same intent again gives the job of the first time. Raises Refused, in words.

        taken: names that a run has or had; datasets: names of those that are here; base: what was said when the doctor
        was asked, whose table the job then keeps in place of asking again.
        """
        self._jobs.permit("import")
        if not staged.whole:
            raise Refused("Not all of it is here yet.")
        if dataset not in datasets:
            raise Refused("Choose the data set whose pictures it is about.", "dataset")
        known = [job for job in self.jobs() if intent and job.spec.get("intent") == intent]
        if len(json.dumps(choices)) > SAID:
            raise Refused(TOO_MUCH)
        called = known[0].run_id if known else self.named(name, taken)
        spec = {
            "source": str(staged.place), "upload": staged.id, "shown": staged.name[:80], "dataset": dataset,
            "choices": dict(choices), "intent": intent,
            "doctored": self.doctored(staged, dataset, choices if base is None else base, choices),
        }  # fmt: skip
        return self._jobs.begin(spec, called, kind="add", intent=intent)

    def doctored(
        self, staged: Staged, dataset: str, base: Mapping[str, Any], now: Mapping[str, Any]
    ) -> tuple[str, str] | None:
        """Where the doctor's table is, and the words of the row that is said now, '' for what was stated; None where it
        was not made, or is of something else than what is said now."""
        target = self._target(staged, "doctor", dataset, base)
        answer = self._looking.known(target)
        table = ((answer or {}).get("found") or {}).get("doctor")
        if not table:
            return None
        if dict(now) == dict(base):
            return str(target), ""
        same = [row["words"] for row in table["rows"] if row.get("wishes") == now.get("network")]
        return (str(target), same[0]) if same else None

    def named(self, name: str, taken: Collection[str]) -> str:
        """What a run is called in addresses when people call it `name`. Raises Refused."""
        called = run_id_of(name)
        if not called:
            raise Refused("A name needs a letter of a to z or a digit.", "name")
        if called in taken or called in self._jobs.names():
            raise Refused(f"There is a run {called} already, or there was: choose another name.", "name")
        return called

    @staticmethod
    def stem(staged: Staged) -> str:
        """A name for the run that becomes of it."""
        name = staged.name.replace("\\", "/").rpartition("/")[2]
        return run_id_of(re.sub(r"\.[A-Za-z0-9]{1,12}$", "", name)) or "network"

    def free(self, name: str, taken: Collection[str]) -> str:
        """A name like this that no run has or had."""
        start = run_id_of(name) or "network"
        known = {*taken, *self._jobs.names()}
        tries = (f"{start[: NAME - len(str(i)) - 1]}-{i}" for i in range(2, len(known) + 3))
        return start if start not in known else next(one for one in tries if one not in known)

    def jobs(self) -> list[Job]:
        """Newest first; none where the database cannot be read."""
        return self._jobs.listing("add")

    def receipt(self, job: Job) -> dict[str, Any] | None:
        """What a finished job said of the run that it made."""
        table = self._jobs.table()
        return table.receipt(job) if table is not None and job.state == "done" else None
