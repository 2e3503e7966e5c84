"""The bins of a histogram as buttons under it: how many each holds, for eyes, keyboard and fingers."""

from collections.abc import Callable

import pandas as pd
from dash import html

from dashboard.format.proportion import Proportion
from dashboard.state.selection import Selection
from ml.system.wording import quantity


def compact(n: int) -> str:
    """'·' for none, '213', '9.1k', '12k', '3.4M'."""
    for size, unit in ((10**6, "M"), (10**3, "k")):
        if n >= size:
            return f"{n / size:.1f}{unit}" if n < 9.95 * size else f"{n / size:.0f}{unit}"
    return str(n) if n else "·"


def ends(k: int, number: int) -> tuple[float, float]:
    """Of one of so many bins over 0..1."""
    return k / number, (k + 1) / number


def is_bin(chosen: tuple[float, float] | None, k: int, number: int) -> bool:
    """Whether a range of an address, which has six digits, is that of a bin."""
    return chosen is not None and all(abs(a - b) < 1e-6 for a, b in zip(chosen, ends(k, number), strict=True))


def row(
    table: pd.DataFrame,
    label: str,
    words: str,
    opened: Callable[[int], Selection],
    chosen: tuple[float, float] | None,
    scored: bool = True,
) -> html.Div:
    """One button a bin, of equal width; arrow keys move.

    table: of confidence.bins; words: what its percentages are; opened: bin → its images; chosen: the range in force;
    scored: whether it is known how many of them are right.
    """
    buttons = []
    for k, bin_ in enumerate(table.itertuples(index=False)):
        share = Proportion(int(bin_.right) if scored else 0, int(bin_.n))
        description = f"{100 * bin_.low:.0f} to {100 * bin_.high:.0f} percent {words}: {quantity(share.n, 'image')}"
        if share.n and scored:
            description += f", {share.percent} % right ({share.span})"
        buttons.append(
            html.Button(
                compact(share.n),
                type="button",
                disabled=not share.n,
                title=description,
                **{
                    "data-search": opened(k).query(),
                    "aria-label": description,
                    "aria-pressed": str(is_bin(chosen, k, len(table))).lower(),
                },
            )
        )
    return html.Div(
        buttons,
        className="bins",
        role="group",
        style={"--n": len(buttons)},
        **{"aria-label": label, "data-arrows": str(len(buttons))},
    )
