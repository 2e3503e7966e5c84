"""The classes that one picture may show, by a run's table `conformal`, and the answer's confidence after scaling."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ml.artifacts.reader import Missing, Run
from ml.stats.calibration import scale_by_temperature
from ml.stats.conformal import LEVELS, sets

CHOICES = tuple(round(100 * level) for level in LEVELS)  # per cent of the sets that hold the truth
USUAL = CHOICES[0]


@dataclass(frozen=True)
class PredictionSets:
    """Of one run at one level of CHOICES. most: the largest 1 − p of a member after scaling by the temperature."""

    level: int
    most: float
    temperature: float

    @classmethod
    def of(cls, frame: pd.DataFrame, level: int = USUAL) -> "PredictionSets | None":
        """By the rows of the table `conformal`; None where they have no such level."""
        rows = frame[np.isclose(frame["level"], level / 100)] if len(frame) else frame
        return cls(level, float(rows["most"].iloc[0]), float(rows["temperature"].iloc[0])) if len(rows) else None

    def members(self, probabilities: np.ndarray) -> np.ndarray:
        """bool [n, C]: which classes belong to the sets of probabilities [n, C] as trained."""
        return sets(scale_by_temperature(probabilities, self.temperature), self.most)

    def json_value(self, probabilities: np.ndarray, classes: Sequence[str]) -> dict[str, Any]:
        """What is said of an answer, float [C] as trained, beside it: `calibrated`, its confidence after scaling, and
        `set`, whose classes are named likeliest first."""
        scaled = scale_by_temperature(probabilities[None], self.temperature)
        chosen = sets(scaled, self.most)[0]
        order = np.argsort(-probabilities, kind="stable")
        names = [classes[i] for i in order if chosen[i]]
        return {"calibrated": float(scaled[0].max()), "set": {"level": self.level, "labels": names}}


def of_run(run: Run, level: int = USUAL) -> PredictionSets | None:
    """Of a run's own table; None where it has none. Raises Broken."""
    try:
        return PredictionSets.of(run.table("conformal"), level)
    except Missing:
        return None
