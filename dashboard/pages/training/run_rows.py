"""The rows of the table of runs: what is known of each, in which order, and which of them are asked for."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from dashboard.records.runs import Mark, RunMetadata
from dashboard.services.container import Services
from dashboard.services.jobs import View
from ml.artifacts.reader import RunEntry
from ml.stats.intervals import wilson

DASH = "–"
LONGEST = 120  # characters of a note in the table, which shows what fits into one line


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
    """One run. scores: by metric, of test; default: what opens when an address names no run."""

    entry: RunEntry
    mark: Mark = field(default_factory=Mark)
    scores: dict[str, Score] = field(default_factory=dict)
    default: bool = False
    pictures: bool = True

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
        return self.manifest["results"]["test"]["correct"] if self.entry.ok else 0

    @property
    def n(self) -> int:
        return self.manifest["results"]["test"]["n"] if self.entry.ok else 0

    @property
    def made(self) -> datetime | None:
        """In the server's time zone; None where the manifest does not say."""
        try:
            return datetime.fromisoformat(self.manifest.get("created", "")).astimezone()
        except ValueError:
            return None

    def metric(self, name: str) -> float | None:
        return self.scores[name].value if name in self.scores else None


@dataclass(frozen=True)
class Column:
    """A column that can be sorted by. value: None sorts last; falling: the largest first at the first click."""

    key: str
    words: str
    value: Callable[[Row], Any]
    falling: bool = False
    right: bool = True
    title: str = ""


COLUMNS = (
    Column("run", "Run", lambda row: row.title.casefold(), right=False),
    Column("accuracy", "Accuracy", lambda row: row.metric("accuracy"), falling=True),
    Column("f1", "Macro-F1", lambda row: row.metric("macro_f1"), falling=True, title="Mean F1 of the classes"),
    Column("ece", "ECE", lambda row: row.metric("calibration_error"), title="Expected calibration error, 15 bins"),
    Column("parameters", "Parameters", lambda row: row.manifest.get("parameters")),
    Column("bytes", "Size", lambda row: row.manifest.get("bytes"), title="Weights on disk"),
    Column("latency", "Latency", lambda row: row.manifest.get("latency_ms"), title="One image, one thread, median"),
    Column("seconds", "Trained in", lambda row: row.manifest.get("training_seconds")),
    Column("model", "Model", lambda row: row.manifest.get("model"), right=False),
    Column("made", "Made", lambda row: row.made, falling=True, right=False),
)
BY_KEY = {column.key: column for column in COLUMNS}


def state(view: View, entries: list[RunEntry], marks: RunMetadata | None = None) -> list[Any]:
    """What, when it changes, makes the table look different; first what the run picker shows too."""
    marks = marks or RunMetadata()
    named = [[entry.run_id, entry.ok, marks.title(entry.run_id), marks.of(entry.run_id).archived] for entry in entries]
    said = [[mark.note, list(mark.tags), mark.deleted] for _, mark in sorted(marks.runs.items())]
    nouns = [len(entry.manifest.get("nouns", ())) for entry in entries]
    return [[*named, marks.default], said, nouns]


def rows(services: Services) -> list[Row]:
    """Every run in the listing's order, broken and archived ones too."""
    marks, default = services.store.marks(), services.store.default_run()
    return [row(services, entry, marks, default) for entry in services.store.runs()]


def row(services: Services, entry: RunEntry, marks: RunMetadata, default: str | None) -> Row:
    """One run of the listing."""
    mark = marks.of(entry.run_id)
    if not entry.ok:
        return Row(entry, mark)
    result = entry.manifest["results"]["test"]
    low, high = (float(end) for end in wilson(result["correct"], result["n"]))
    scores = {"accuracy": Score(result["correct"] / result["n"], low, high)}
    for metric, (value, low, high) in services.store.headline(entry).items():
        ends = (low, high) if math.isfinite(low) and math.isfinite(high) else (None, None)
        scores.setdefault(metric, Score(value, *ends))
    return Row(
        entry, mark, scores, entry.run_id == default, services.store.has_pictures(entry.manifest["dataset"]["name"])
    )


def found_in(row: Row, words: str) -> bool:
    """Whether every word stands somewhere in what the table says of the run."""
    text = " ".join(
        (row.run_id, row.title, row.mark.note, row.manifest.get("model", ""), *row.mark.tags, row.entry.reason)
    ).casefold()
    return all(word in text for word in words.casefold().split())


def chosen(rows: list[Row], words: object, tags: object, archived: object, used: str | None = None) -> list[Row]:
    """The rows that the filters let through; whatever the browser sends. used: never hidden for being archived."""
    asked = [tag for tag in tags if isinstance(tag, str)] if isinstance(tags, list) else []
    return [
        row
        for row in rows
        if (not row.mark.archived or archived or row.run_id == used)
        and all(tag in row.mark.tags for tag in asked)
        and found_in(row, words if isinstance(words, str) else "")
    ]


def ordered(rows: list[Row], sort: object) -> list[Row]:
    """By a column, rows without a value last; in the listing's order where `sort` names none."""
    by = sort.get("by") if isinstance(sort, dict) else None
    column = BY_KEY.get(by) if isinstance(by, str) else None
    if column is None:
        return rows
    known = [row for row in rows if column.value(row) is not None]
    down = bool(sort.get("down")) if isinstance(sort, dict) else False
    return [*sorted(known, key=column.value, reverse=down), *(row for row in rows if column.value(row) is None)]


HEAD = [
    "run", "title", "state", "default", "archived", "tags", "note", "model", "dataset", "correct", "n", "accuracy",
    "low", "high", "macro_f1", "macro_f1_low", "macro_f1_high", "ece", "ece_low", "ece_high", "parameters", "bytes",
    "latency_ms", "training_seconds", "created", "seed", "epochs", "learning_rate", "batch_size", "optimiser",
    "schedule", "augment", "train_images", "reason",
]  # fmt: skip


def record(row: Row) -> list[Any]:
    """One line of the CSV."""
    manifest = row.manifest
    config = manifest.get("config", {})

    def score(name: str) -> list[str]:
        found = row.scores.get(name)
        values = (found.value, found.low, found.high) if found else (None, None, None)
        return ["" if value is None else f"{value:.6f}" for value in values]

    return [
        row.run_id, row.mark.title, "usable" if row.entry.ok else "broken", "yes" if row.default else "",
        "yes" if row.mark.archived else "", ", ".join(row.mark.tags), row.mark.note, manifest.get("model", ""),
        config.get("dataset", ""), row.right if row.entry.ok else "", row.n or "", *score("accuracy"),
        *score("macro_f1"), *score("calibration_error"), manifest.get("parameters", ""), manifest.get("bytes", ""),
        manifest.get("latency_ms", ""), manifest.get("training_seconds", ""), manifest.get("created", ""),
        config.get("seed", ""), config.get("epochs", ""), config.get("learning_rate", ""), config.get("batch_size", ""),
        config.get("optimiser", ""), config.get("schedule", ""), " ".join(config.get("augment") or ()),
        manifest.get("train_images", ""), row.entry.reason,
    ]  # fmt: skip


def mass(count: object) -> str:
    """Bytes as '3.6 MB', '152 kB'; a dash where they are not known."""
    if not isinstance(count, int | float):
        return DASH
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.0f} kB"


def day(then: datetime) -> str:
    """'21 Nov', with the year where it is another one than this."""
    return f"{then.day} {then:%b}" if then.year == datetime.now().year else f"{then.day} {then:%b %Y}"
