"""Several trainings of one job: the run that was asked for, and twins that differ from it in one thing alone.

A job's `spec` is the config of its own run; under `twins` it names the others: {"what": "labels", "runs": [{"run",
"side", "seed", "config"}, …]}. A run of side `new` has what is tried (corrected labels, accepted feedback), its twin
of the same seed has not; all else is the same. Each manifest says so under `twin`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ml.jobs.tables import Job
from ml.system import small_files
from ml.training.config import TrainConfig

KEY = "twins"
SIDES = ("new", "twin")
WITHOUT = {"labels": "without the corrections", "feedback": "without the feedback"}


@dataclass(frozen=True)
class Training:
    """One of a job's trainings. twin: what its manifest says of it, empty for a training of its own."""

    run_id: str
    config: TrainConfig
    twin: Mapping[str, Any]


def trainings(job: Job) -> list[Training]:
    """All of them, the job's own last: once its run is there, everything is. Raises pydantic.ValidationError."""
    own, plan = {name: value for name, value in job.spec.items() if name != KEY}, job.spec.get(KEY)
    config = TrainConfig(**own)
    if not plan:
        return [Training(job.run_id, config, {})]
    others = [
        Training(one["run"], TrainConfig(**one["config"]), _twin(job, plan["what"], one["side"], one["seed"]))
        for one in plan["runs"]
    ]
    return [*others, Training(job.run_id, config, _twin(job, plan["what"], "new", config.seed))]


def _twin(job: Job, what: str, side: str, seed: int) -> dict[str, Any]:
    return {"of": job.run_id, "job": job.id, "what": what, "side": side, "seed": seed}


def stage(plan: list[Training], place: int) -> str:
    """What is trained just now, in words: 'training 2 of 6, without the corrections, seed 8'."""
    one = plan[place]
    if not one.twin:
        return "training"
    side = WITHOUT[one.twin["what"]] if one.twin["side"] == "twin" else "as asked for"
    return f"training {place + 1} of {len(plan)}, {side}, seed {one.config.seed}"


def is_there(home: Path, one: Training) -> bool:
    """Whether this very training was done before, by an earlier attempt at the job: a manifest is written last."""
    try:
        manifest = small_files.document(home / "runs" / one.run_id / "manifest.json")
        config, wanted = manifest["config"], one.config.model_dump(mode="json")
        same = all(config[name] == wanted[name] for name in config.keys() & wanted.keys())
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return False
    return same and manifest.get("twin") == dict(one.twin)


def names(spec: Mapping[str, Any]) -> list[str]:
    """Ids of the runs beside a job's own."""
    return [one["run"] for one in (spec.get(KEY) or {}).get("runs", ())]
