"""The twins of a training: the same recipe, seeds and number of steps without the one thing that is tried."""

import itertools
from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np

from dashboard.data.run import RunData
from ml.training.presets import PRESETS

Estimate = Callable[[str, str, int, int], tuple[float, int] | None]
SEEDS = 3  # of each side, where that is soon done
SOON_SECONDS = 15 * 60.0
QUICK = PRESETS["quick"]["model"]  # whose recipe most people ask for before anybody has trained it here
QUICK_PIXELS = 2e6  # a second that it learns from on a busy core; two free ones take seventeen times as many
LARGEST_SEED = 2**31 - 1


def seeds(own: int, seconds: float | None) -> list[int]:
    """The seeds that are trained, the run's own first. seconds: of one training, None where nobody knows."""
    many = seconds is not None and 2 * SEEDS * seconds < SOON_SECONDS
    return [(own + place) % (LARGEST_SEED + 1) for place in range(SEEDS if many else 1)]


def one_training(estimate: Estimate, run: RunData, config: Mapping[str, Any]) -> float | None:
    """Seconds that a training by this config would take, from earlier ones here, from the run, or from what the quick
    recipe takes elsewhere; None unknown.

    estimate: as of `Jobs`.
    """
    images = int(run.manifest["train_images"])
    known = estimate(str(config.get("model")), str(config.get("dataset")), int(config["epochs"]), images)
    if known is not None:
        return known[0]
    if config.get("model") == QUICK != run.manifest["model"]:
        pixels = run.dataset["height"] * run.dataset["width"] * run.dataset["channels"]
        return images * int(config["epochs"]) * pixels / QUICK_PIXELS
    if config.get("model") != run.manifest["model"]:
        return None
    return float(run.manifest["training_seconds"]) * int(config["epochs"]) / int(run.manifest["config"]["epochs"])


def stand_ins(run: RunData, count: int, apart: Collection[int]) -> np.ndarray:
    """Places in the run's reference pictures, int [count] at most, drawn by chance: none with an id of `apart`."""
    ids = run.pictures("reference").ids
    free = np.flatnonzero(~np.isin(ids, list(apart)))
    return np.sort(np.random.default_rng(0).permutation(free)[:count])


def plan(
    config: Mapping[str, Any],
    name: str,
    what: str,
    without: str | None,
    chosen: list[int],
    taken: Collection[str] = (),
) -> dict[str, Any]:
    """What `ml.jobs.twins` reads from the job's spec: every run beside the job's own.

    config: of that run, as JSON; what: the field that differs (labels or feedback); without: its value in the twins;
    chosen: as of `seeds`; taken: names of other runs, those that a cancelled job of this name left among them.
    """
    runs = []
    used = {name, *taken}

    def free(stem: str) -> str:
        found = next(
            one for one in itertools.chain([stem], (f"{stem}-{n}" for n in itertools.count(2))) if one not in used
        )
        used.add(found)
        return found

    for seed in chosen:
        if seed != config["seed"]:
            one = {"run": free(f"{name[:44]}-s{seed}"), "side": "new", "config": {**config, "seed": seed}}
            runs.append({**one, "seed": seed})
        twin = {
            "run": free(f"{name[:40]}-twin-s{seed}"),
            "side": "twin",
            "config": {**config, "seed": seed, what: without},
        }
        runs.append({**twin, "seed": seed})
    return {"what": what, "runs": runs}
