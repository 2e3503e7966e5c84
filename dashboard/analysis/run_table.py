"""Every run as a row: how good, how sure, and what people say of it."""

import math
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from dashboard.records.runs import Mark, RunMetadata
from dashboard.services.container import Services
from ml.artifacts import kinds
from ml.artifacts.reader import RunEntry
from ml.stats.intervals import wilson
from ml.system import trash


@dataclass(frozen=True)
class Score:
    """A number with its 95 % interval; the ends are None where there is none."""

    value: float
    low: float | None = None
    high: float | None = None

    @property
    def half(self) -> float | None:
        """Half the interval's width."""
        return None if self.low is None or self.high is None else (self.high - self.low) / 2


@dataclass(frozen=True)
class Row:
    """One run. scores: by metric, of test; default: what opens when an address names no run; data: the
    digest of its images; back: the command that brings its pictures back, where they were put away."""

    entry: RunEntry
    mark: Mark = field(default_factory=Mark)
    scores: dict[str, Score] = field(default_factory=dict)
    default: bool = False
    pictures: bool = True
    data: str = ""
    back: str = ""

    @property
    def run_id(self) -> str:
        return self.entry.run_id

    @property
    def title(self) -> str:
        return self.mark.title or self.run_id

    @property
    def manifest(self) -> dict[str, Any]:
        return self.entry.manifest

    @property
    def right(self) -> int:
        return kinds.headline(self.manifest)[1]["correct"] if self.entry.ok else 0

    @property
    def n(self) -> int:
        return kinds.headline(self.manifest)[1]["n"] if self.entry.ok else 0

    @property
    def made(self) -> datetime | None:
        """In the server's time zone; None where the manifest does not say."""
        try:
            return datetime.fromisoformat(self.manifest.get("created", "")).astimezone()
        except ValueError:
            return None

    def metric(self, name: str) -> float | None:
        return self.scores[name].value if name in self.scores else None


def rows(services: Services) -> list[Row]:
    """Every run in the listing's order, broken and archived ones too."""
    marks, default = services.store.marks(), services.store.default_run()
    return [row(services, entry, marks, default) for entry in services.store.runs()]


def row(services: Services, entry: RunEntry, marks: RunMetadata, default: str | None) -> Row:
    """One run of the listing."""
    mark = marks.of(entry.run_id)
    if not entry.ok:
        return Row(entry, mark)
    _, result = kinds.headline(entry.manifest)
    low, high = (float(end) for end in wilson(result["correct"], result["n"]))
    scores = {"accuracy": Score(result["correct"] / result["n"], low, high)}
    for metric, (value, low, high) in services.store.headline(entry).items():
        ends = (low, high) if math.isfinite(low) and math.isfinite(high) else (None, None)
        scores.setdefault(metric, Score(value, *ends))
    learned = entry.manifest["dataset"]
    here = services.store.has_pictures(learned["name"])
    back = "" if here else trash.way_back(services.store.library.home, learned["name"])
    return Row(entry, mark, scores, entry.run_id == default, here, services.store.digest_of(learned), back)
