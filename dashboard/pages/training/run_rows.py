"""The rows of the table of runs: what is known of each, in which order, and which of them are asked for."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dashboard.analysis.run_table import Row
from dashboard.records.runs import RunMetadata
from dashboard.services.job_views import View
from ml.artifacts.reader import RunEntry

DASH = "–"
MAX_NOTE_LENGTH = 120  # characters of a note in the table, which shows what fits into one line


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
    texts = [[mark.note, list(mark.tags), mark.deleted] for _, mark in sorted(marks.runs.items())]
    nouns = [len(entry.manifest.get("nouns", ())) for entry in entries]
    return [[*named, marks.default], texts, nouns]


def matches(row: Row, words: str) -> bool:
    """Whether every word stands somewhere in what the table says of the run."""
    text = " ".join(
        (row.run_id, row.title, row.mark.note, row.manifest.get("model", ""), *row.mark.tags, row.entry.reason)
    ).casefold()
    return all(word in text for word in words.casefold().split())


def chosen(rows: list[Row], words: object, tags: object, archived: object, used: str | None = None) -> list[Row]:
    """The rows that the filters let through; whatever the browser sends. used: never hidden for being archived."""
    tag_names = [tag for tag in tags if isinstance(tag, str)] if isinstance(tags, list) else []
    return [
        row
        for row in rows
        if (not row.mark.archived or archived or row.run_id == used)
        and all(tag in row.mark.tags for tag in tag_names)
        and matches(row, words if isinstance(words, str) else "")
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


def mass(count: object) -> str:
    """Bytes as '3.6 MB', '152 kB'; a dash where they are not known."""
    if not isinstance(count, int | float):
        return DASH
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.0f} kB"


def day(then: datetime) -> str:
    """'21 Nov', with the year where it is another one than this."""
    return f"{then.day} {then:%b}" if then.year == datetime.now().year else f"{then.day} {then:%b %Y}"
