"""What changed between two confusion matrices: A minus B, in blue what speaks for A, in orange what speaks for B."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from dashboard.figures.confusion import DIM, layout, masked, numbers, rings
from dashboard.figures.labels import escaped
from dashboard.theme import Palette, colorscale, ink_on, palette, ramp


def words(change: int, moved: int) -> str:
    """'+12', '−9', '±0' where as many came as went, '' where nothing moved."""
    if not change:
        return "±0" if moved else ""
    return f"{'+' if change > 0 else '−'}{abs(change):,}"


def speaks(change: np.ndarray) -> np.ndarray:
    """change: int [C, C], rows truths → the same with the sign of what is better for A: fewer mistakes count for it."""
    return np.where(np.eye(len(change), dtype=bool), change, -change)


def heatmap(
    first: np.ndarray,
    second: np.ndarray,
    classes: Sequence[str],
    *,
    chosen: np.ndarray | None = None,
    size: int = 13,
    mode: str = "light",
) -> dict[str, Any]:
    """first, second: int [C, C], rows truths: the matrices of A and B where the two say different things.

    chosen: bool [C, C], the cells of the selection; None when it leaves the matrix alone. size: of the numbers, pixels.
    The scale is a square root on both sides of zero, as long to the one side as to the other.
    """
    p, n = palette(mode), len(classes)
    change, moved = first - second, first + second
    better = speaks(change)
    shade = np.sign(better) * np.sqrt(np.abs(better) / (np.abs(better).max() or 1))
    within = np.ones((n, n), bool) if chosen is None else chosen
    hover = _hover(first, second, classes)
    traces: list[dict[str, Any]] = []
    for lit in (True, False):
        for cells, scale in (
            ((moved > 0) & (within == lit), colorscale(p.div)),
            ((moved == 0) & (within == lit), [[0, p.cell_0], [1, p.cell_0]]),
        ):
            if cells.any():
                traces.append(
                    {
                        "type": "heatmap",
                        "x": list(classes),
                        "y": list(classes),
                        "z": masked(shade, cells),
                        "zmin": -1,
                        "zmax": 1,
                        "colorscale": scale,
                        "opacity": 1 if lit else DIM,
                        "showscale": False,
                        "xgap": 2,
                        "ygap": 2,
                        "hoverongaps": False,
                        "text": hover,
                        "hovertemplate": "%{text}<extra></extra>",
                    }
                )
    places = list(zip(*(axis.tolist() for axis in np.nonzero(moved)), strict=True))
    texts = [words(int(change[cell]), int(moved[cell])) for cell in places]
    inks = [_ink(shade[cell], bool(within[cell]), p) for cell in places]
    traces.append(numbers(classes, places, texts, inks, size))
    return {"data": traces, "layout": layout(classes, rings(chosen, p), mode)}


def _ink(shade: float, lit: bool, p: Palette) -> str:
    return ink_on(ramp(p.div, (float(shade) + 1) / 2)) if lit else p.ink_2


def _hover(first: np.ndarray, second: np.ndarray, classes: Sequence[str]) -> list[list[str]]:
    classes = [escaped(name) for name in classes]
    return [
        [
            f"<b>{words(int(first[i, j] - second[i, j]), int(first[i, j] + second[i, j])) or 'no change'}</b> {truth} "
            + ("named right (correct)" if i == j else f"predicted {guess}")
            + f"<br>{first[i, j]:,} by A alone, {second[i, j]:,} by B alone"
            for j, guess in enumerate(classes)
        ]
        for i, truth in enumerate(classes)
    ]
