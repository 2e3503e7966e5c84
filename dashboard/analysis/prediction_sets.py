"""What is said of one answer: how sure it is, whether it is given at all, and which classes it may be instead."""

from dataclasses import dataclass

import numpy as np

from dashboard.data.run import RunData
from dashboard.format.proportion import Proportion
from dashboard.state.selection import Selection
from dashboard.state.vocabulary import LEVELS
from ml.artifacts.reader import Broken, Missing
from ml.inference.prediction_sets import PredictionSets
from ml.stats.calibration import scale_by_temperature

NAMED = 12  # classes of a set that are all named
EMPTY_SET = "none of the classes"


@dataclass(frozen=True)
class Verdict:
    """probabilities: float [C], scaled or as trained; threshold: the confidence from which on there is an answer, 0..1,
    0 where nobody set one."""

    classes: tuple[str, ...]
    probabilities: np.ndarray
    threshold: float

    @property
    def predicted(self) -> int:
        """The id of the likeliest class."""
        return int(self.probabilities.argmax())

    @property
    def label(self) -> str:
        """The likeliest class."""
        return self.classes[self.predicted]

    @property
    def confidence(self) -> float:
        """0..1, of the likeliest class."""
        return float(self.probabilities[self.predicted])

    @property
    def abstains(self) -> bool:
        """Whether it is less sure than was asked for."""
        return self.confidence < self.threshold


@dataclass(frozen=True)
class Sets:
    """Conformal sets of one level, as measured on test. covered: that held the truth; size: mean classes of one;
    empty: how many were empty."""

    level: float
    covered: Proportion
    size: float
    empty: int


def scaled(run: RunData, probabilities: np.ndarray) -> np.ndarray:
    """float64 [n, C]: probabilities [n, C] of this run after temperature scaling. Raises Missing or Broken."""
    return scale_by_temperature(probabilities, run.temperature())


def of(run: RunData, level: int) -> PredictionSets | None:
    """Of its table `conformal`, which is looked through once; None where that has no such level. level: in percent.
    Raises Missing or Broken."""
    digest = run.manifest["nouns"].get("conformal", {}).get("sha256")
    key = ("prediction sets", run.run_id, digest, level)
    found: PredictionSets | None = run.store.keep(key, lambda: PredictionSets.of(run.conformal(), level))
    return found


def sets(run: RunData, probabilities: np.ndarray, level: float) -> np.ndarray:
    """bool [n, C]: which classes belong to the conformal sets of probabilities [n, C] as trained.

    level: 0..1, one of those in the table. Raises Missing, also where the table has no such level, or Broken.
    """
    found = of(run, round(100 * level))
    if found is None:
        raise Missing(f"{run.title} has no sets at {100 * level:g} %.", run.command("conformal"))
    return found.members(probabilities)


def told(run: RunData, level: int) -> PredictionSets | None:
    """What the API says of answers besides; None where the run has no such sets. level: one of LEVELS."""
    try:
        return of(run, level)
    except (Missing, Broken):
        return None


def judged(run: RunData, probabilities: np.ndarray, selection: Selection) -> Verdict:
    """probabilities: float [C] of the run as trained. Raises Missing where they are to be scaled and cannot be."""
    if selection.scaling:
        probabilities = scaled(run, probabilities[None])[0]
    return Verdict(tuple(run.classes), probabilities, selection.abstain or 0.0)


def members(run: RunData, probabilities: np.ndarray, level: int) -> list[int]:
    """Class ids of the conformal set, likeliest first. probabilities: float [C] as trained; level: one of LEVELS.

    Raises Missing or Broken where the noun `conformal` is.
    """
    chosen = sets(run, probabilities[None], level / 100)[0]
    return [int(i) for i in np.argsort(-probabilities, kind="stable") if chosen[i]]


def measured(run: RunData) -> dict[int, Sets]:
    """level → what its sets were worth on test. Raises Missing or Broken."""
    frame = run.conformal()
    sets = {}
    for row in frame[frame["split"] == "test"].itertuples():
        level = round(100 * row.level)
        if level in LEVELS:
            sets[level] = Sets(row.level, Proportion(int(row.covered), int(row.n)), float(row.size), int(row.size_0))
    return sets


def worded(names: list[str]) -> str:
    """'Shirt alone', 'Shirt or Coat', 'Shirt, Coat or Dress', 'none of the classes'; of many the first and how many."""
    if not names:
        return EMPTY_SET
    if len(names) == 1:
        return f"{names[0]} alone"
    if len(names) > NAMED:
        return f"{', '.join(names[: NAMED - 2])} or one of {len(names) - NAMED + 2:,} others"
    return f"{', '.join(names[:-1])} or {names[-1]}"
