"""The bins of a histogram as buttons under it: how many each holds, for eyes, keyboard and fingers."""

from collections.abc import Sequence
from dataclasses import dataclass

from dash import html

from dashboard.selection import Selection


@dataclass(frozen=True)
class Bin:
    """n images; there: the selection of them; said: what a screen reader says; chosen: whether it is the selection."""

    n: int
    there: Selection
    said: str
    chosen: bool


def compact(n: int) -> str:
    """'·' for none, '213', '9.1k', '12k', '3.4M'."""
    for size, unit in ((10**6, "M"), (10**3, "k")):
        if n >= size:
            return f"{n / size:.1f}{unit}" if n < 9.95 * size else f"{n / size:.0f}{unit}"
    return str(n) if n else "·"


def row(bins: Sequence[Bin], label: str) -> html.Div:
    """One button a bin, of equal width; arrow keys move."""
    return html.Div(
        [
            html.Button(
                compact(one.n),
                type="button",
                disabled=not one.n,
                title=one.said,
                **{
                    "data-search": one.there.query(),
                    "aria-label": one.said,
                    "aria-pressed": str(one.chosen).lower(),
                },
            )
            for one in bins
        ],
        className="bins",
        role="group",
        style={"--n": len(bins)},
        **{"aria-label": label, "data-arrows": str(len(bins))},
    )
