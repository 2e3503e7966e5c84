"""What a difference between two runs can be put down to: what their recipes differ in, and what their twins say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dashboard.data.pair import RunPair
from dashboard.data.run import RunData
from dashboard.data.store import Store
from dashboard.figures.gaps import points
from ml.artifacts import kinds
from ml.artifacts.kinds import TRAINING
from ml.artifacts.reader import Broken, Missing
from ml.stats.paired import effect
from ml.system.wording import quantity
from ml.training import wording

CIRCUMSTANCES = frozenset((
    "threads", "workers", "num_workers", "dataloader_num_workers", "device", "devices", "gpus", "output_dir", "log_dir",
    "logdir", "logging_dir", "save_dir", "run_name", "name", "verbose",
))  # fmt: skip
"""Settings that change how long a training takes or where it writes, not what it learns."""
NUMBERS = ("No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten", "Eleven", "Twelve")
NAMED = 4  # settings that are named; the table of what was different has all
TRIED = {"labels": "the labels", "feedback": "the accepted feedback"}  # what one trains to learn the effect of
PLURAL = ("labels", "epochs", "frozen_epochs", "frozen_layers", "train_images", "pretrained")

UNKNOWN = "How one of the two was trained is not known here: what the gap comes from cannot be told."


@dataclass(frozen=True)
class Claim:
    """differing: names of the settings that differ. fair: whether the gap can be put down to one thing; known: whether
    it is known how both were trained; told: whether their scripts said it, who may have left some out."""

    differing: tuple[str, ...]
    known: bool = True
    told: bool = False

    @property
    def fair(self) -> bool:
        return len(self.differing) == 1

    def sentence(self) -> str:
        """What differs, and whether the claim can be made."""
        names, scope = self.differing, " of what their scripts told" if self.told else ""
        if not self.known:
            return UNKNOWN
        if not names and self.told:
            return "No setting differs of those that their scripts told: what differs is something else."
        if not names:
            return "No setting differs, not even the seed: what differs comes from the machine or the program."
        if names == ("seed",):
            return f"Only the seed differs{scope}: so far does chance alone move a training of this recipe."
        if self.fair:
            what = TRIED.get(names[0], wording.label(names[0]).lower())
            what = what if names[0] in TRIED else f"the {what}"
            verb = "differ" if names[0] in PLURAL else "differs"
            alone = f"{what[:1].upper()}{what[1:]} alone {verb}{scope}"
            return f"{alone}: one training each, and another seed may say otherwise."
        count = NUMBERS[len(names)] if len(names) < len(NUMBERS) else str(len(names))
        some = [wording.label(name).lower() for name in names[:NAMED]]
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        listed = f"{', '.join(some)}{more}" if more else f"{', '.join(some[:-1])} and {some[-1]}"
        told = " or ".join(TRIED[name] for name in names if name in TRIED)
        what = f"what {told} did" if told else "what any one of them did"
        return f"{count} settings differ{scope} ({listed}): this does not tell {what}."


def claim(pair: RunPair) -> Claim:
    """What can be claimed of the two; nothing where it is not known how one of them was trained."""
    first, second = (kinds.settings(run.manifest) for run in (pair.a, pair.b))
    told = not pair.a.can(TRAINING)
    if first is None or second is None or pair.b.can(TRAINING) == told:  # of two kinds, each leaves out other settings
        return Claim((), known=False)
    names = wording.differing(first, second)
    return Claim(tuple(name for name in names if name not in CIRCUMSTANCES), told=told)


@dataclass(frozen=True)
class Effect:
    """Share right with what was tried minus share right without it, with the ends of its 95 % interval.

    seeds: pairs of twins that are here; n: images of the split that all of them were asked about.
    """

    what: str
    split: str
    seeds: int
    n: int
    mean: float
    low: float
    high: float

    def sentence(self) -> str:
        """What it did, how sure that is, and over how much."""
        what = {"labels": "the corrected labels", "feedback": "the accepted feedback"}[self.what]
        mean, low, high = (points(value, 2) for value in (self.mean, self.low, self.high))
        images = quantity(self.n, f"{self.split} image")
        if self.seeds == 1:  # two trainings that differ by their seed alone are often as far apart
            return (
                f"With {what} {mean} points against the twin without (95 % {low} to {high} over {images}). One "
                f"training of each does not tell what {what} did from what another seed would do."
            )
        over = f"over {self.seeds} seeds and {images}"
        if self.low > 0 or self.high < 0:
            verdict = f"{what[:1].upper()}{what[1:]} made it {'better' if self.mean > 0 else 'worse'}"
        else:
            verdict = f"No effect of {what} can be told"
        return f"{verdict}: {mean} points against the twin without (95 % {low} to {high}, {over})."


def family(store: Store, run: RunData) -> dict[int, dict[str, str]]:
    """seed → side (new or twin) → run id of the trainings that belong together; {} for a run without twins."""
    own = run.manifest.get("twin")
    runs: dict[int, dict[str, str]] = {}
    for entry in store.runs() if own else ():
        twin = entry.manifest.get("twin") if entry.ok else None
        if own and twin and _job(twin) == _job(own):
            runs.setdefault(twin["seed"], {})[twin["side"]] = entry.run_id
    return runs


def _job(twin: Mapping[str, Any]) -> tuple[str, str]:
    """What the trainings that belong together have in common."""
    return twin["of"], twin.get("job", "")


def twin_of(store: Store, run: RunData) -> str | None:
    """The run of the same seed on the other side; None where there is none."""
    own = run.manifest.get("twin")
    pair = family(store, run).get(own["seed"], {}) if own else {}
    return next((run_id for run_id in pair.values() if run_id != run.run_id), None)


def measured(store: Store, run: RunData, split: str) -> Effect | None:
    """What was tried did so much, over all twins that are here; None without twins."""
    pairs = [sides for sides in family(store, run).values() if len(sides) == 2]
    try:
        answers = [[store.open(sides[side]).predictions(split) for side in ("new", "twin")] for sides in pairs]
    except (Missing, Broken):
        return None
    if not answers:
        return None
    ids = answers[0][0].ids
    if any(not np.array_equal(one.ids, ids) for pair in answers for one in pair):
        return None
    differences = np.stack([new.right.astype(np.int8) - old.right.astype(np.int8) for new, old in answers])
    mean, low, high = effect(differences)
    return Effect(run.manifest["twin"]["what"], split, len(answers), len(ids), mean, low, high)


def sentences(store: Store, pair: RunPair) -> Sequence[str]:
    """What can be claimed of two runs, and what their family says where they are twins."""
    said = [claim(pair).sentence()]
    twins = [run.manifest.get("twin") for run in (pair.a, pair.b)]
    if twins[0] and twins[1] and _job(twins[0]) == _job(twins[1]) and (found := measured(store, pair.a, pair.split)):
        said.append(found.sentence())
    return said
