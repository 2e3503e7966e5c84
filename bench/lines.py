"""What was measured side by side: a line for each thing, a column for each product, and the turns they take."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

OURS, GRADIO, SPOTLIGHT, STATIC = "Fashion Forward", "Gradio", "Spotlight", "static page"
COLUMNS = (OURS, GRADIO, SPOTLIGHT, STATIC)


@dataclass
class Line:
    """One thing measured: of each column that can do it all values, in order. unit: ms, MB or nothing."""

    what: str
    unit: str
    values: dict[str, list[float]] = field(default_factory=dict)

    def add(self, column: str, value: float, *, kept: bool = True) -> None:
        """One more value of a column, unless it only warmed up."""
        if kept:
            self.values.setdefault(column, []).append(round(value, 2))

    def median(self, column: str) -> float:
        """The middle one of a column's values; not a number where it has none."""
        found = self.values.get(column)
        return statistics.median(found) if found else float("nan")

    def cell(self, column: str) -> str:
        """Median, and least and most where they differ; a dash where a column cannot do it."""
        found = self.values.get(column)
        if not found:
            return "–"
        low, high = written(min(found), self.unit), written(max(found), self.unit)
        return written(self.median(column), self.unit) + (f" ({low}–{high})" if low != high else "")


def written(value: float, unit: str) -> str:
    """A number as the table has it: milliseconds whole, megabytes with two digits below ten."""
    return f"{value:.2f}" if unit == "MB" and value < 10 else f"{value:,.0f}"


def table(lines: Sequence[Line], versions: dict[str, str]) -> str:
    """Every line in Markdown, a column for each that was measured."""
    heads = [f"{column} {versions.get(column, '')}".strip() for column in COLUMNS]
    rows = [[f"{one.what}{f', {one.unit}' if one.unit else ''}", *map(one.cell, COLUMNS)] for one in lines]
    return "\n".join([f"| | {' | '.join(heads)} |", "|---" * (1 + len(heads)) + "|", *map(_row, rows)])


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def turns(columns: Sequence[str], times: int) -> list[list[str]]:
    """Who measures after whom: each turn has all of them, and begins with the one after the last turn's first."""
    return [[*columns[turn % len(columns) :], *columns[: turn % len(columns)]] for turn in range(times)]
