"""The confusion matrix as a heatmap: mistakes loud, right answers quiet."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from dashboard.theme import Palette, colorscale, ink_on, palette, ramp, template

DIM = 0.22  # fill left to cells outside the selection


def values(counts: np.ndarray, normalise: str) -> np.ndarray:
    """counts: int [C, C], rows truths → the shown numbers: counts, or shares of the row or column (0 where empty)."""
    if normalise == "count":
        return counts.astype(float)
    total = counts.sum(axis=1 if normalise == "row" else 0, keepdims=True)
    return np.divide(counts, total, out=np.zeros(counts.shape), where=total > 0)


def words(value: float, normalise: str) -> str:
    """'' for nothing, '73' for a count, '7' or '0.4' for a percentage."""
    if value == 0:
        return ""
    if normalise == "count":
        return f"{value:,.0f}"
    return f"{100 * value:.1f}" if value < 0.01 else f"{100 * value:.0f}"


def heatmap(
    counts: np.ndarray,
    classes: Sequence[str],
    *,
    normalise: str = "count",
    diagonal: bool = True,
    chosen: np.ndarray | None = None,
    size: int = 13,
    mode: str = "light",
) -> dict[str, Any]:
    """counts: int [C, C], rows truths, columns guesses.

    normalise: count, row or column. diagonal: draw the right answers. chosen: bool [C, C], the cells of the selection;
    None when it leaves the matrix alone. size: of the numbers, in pixels.
    """
    p, n = palette(mode), len(classes)
    shown, hits = values(counts, normalise), np.eye(n, dtype=bool)
    mistakes = np.where(hits, 0.0, shown)
    most = mistakes.max() or 1.0
    loud = np.sqrt(mistakes / most)
    recall = np.divide(counts.diagonal(), counts.sum(1), out=np.zeros(n), where=counts.sum(1) > 0)
    quiet = np.diag(np.clip((recall - 0.8) / 0.2, 0, 1))
    within = np.ones((n, n), bool) if chosen is None else chosen
    marks = {"wrong": ~hits, "right": hits & diagonal, "off": hits & (not diagonal)}
    hover = _hover(counts, classes)
    blank = {"showscale": False, "xgap": 2, "ygap": 2, "zmin": 0, "zmax": 1, "hoverongaps": False}
    traces: list[dict[str, Any]] = []
    for lit in (True, False):
        for kind, scale, z in (
            ("wrong", [[0, p.cell_0], [0.001, ramp(p.seq, 0.08)], *_tail(p)], loud),
            ("right", colorscale(p.calm), quiet),
            ("off", [[0, p.cell_0], [1, p.cell_0]], np.zeros((n, n))),
        ):
            cells = marks[kind] & (within == lit)
            if not cells.any():
                continue
            traces.append(
                {
                    "type": "heatmap",
                    "x": list(classes),
                    "y": list(classes),
                    "z": masked(z, cells),
                    "colorscale": scale,
                    "opacity": 1 if lit else DIM,
                    "text": hover,
                    "hovertemplate": "%{text}<extra></extra>",
                    **blank,
                }
            )
    labels = np.array([[words(v, normalise) for v in row] for row in shown], object)
    labels[marks["off"]] = ""
    cells = list(zip(*(axis.tolist() for axis in np.nonzero(labels != "")), strict=True))
    inks = [_ink(i == j, loud[i, j], quiet[i, j], bool(within[i, j]), p) for i, j in cells]
    traces.append(
        {
            "type": "scatter",
            "mode": "text",
            "x": [classes[j] for _, j in cells],
            "y": [classes[i] for i, _ in cells],
            "text": [labels[cell] for cell in cells],
            "textfont": {"size": size, "color": inks},
            "hoverinfo": "skip",
        }
    )
    edge = {
        "type": "category",
        "visible": False,
        "fixedrange": True,
        "categoryorder": "array",
        "categoryarray": list(classes),
    }
    return {
        "data": traces,
        "layout": {
            "template": template(mode),
            "margin": {"l": 0, "r": 0, "t": 0, "b": 0},
            "xaxis": {**edge, "range": [-0.5, n - 0.5]},
            "yaxis": {**edge, "range": [n - 0.5, -0.5]},
            "shapes": rings(chosen, p),
            "dragmode": False,
        },
    }


def _tail(p: Palette) -> list[list[Any]]:
    return [[round(i / 20, 2), ramp(p.seq, 0.08 + 0.92 * i / 20)] for i in range(1, 21)]


def masked(z: np.ndarray, cells: np.ndarray) -> list[list[float | None]]:
    return [
        [round(float(v), 4) if on else None for v, on in zip(*row, strict=True)] for row in zip(z, cells, strict=True)
    ]


def _ink(hit: bool, loud: float, quiet: float, lit: bool, p: Palette) -> str:
    if not lit:
        return p.ink_2
    return ink_on(ramp(p.calm, quiet) if hit else ramp(p.seq, 0.08 + 0.92 * loud))


def _hover(counts: np.ndarray, classes: Sequence[str]) -> list[list[str]]:
    totals = counts.sum(1)
    return [
        [
            f"<b>{counts[i, j]:,}</b> {truth} "
            + ("named right" if i == j else f"guessed {guess}")
            + f"<br>{100 * counts[i, j] / max(totals[i], 1):.1f} % of {totals[i]:,}"
            for j, guess in enumerate(classes)
        ]
        for i, truth in enumerate(classes)
    ]


def rings(chosen: np.ndarray | None, p: Palette) -> list[dict[str, Any]]:
    """An accent ring around the chosen cells when they are few."""
    if chosen is None or chosen.sum() > 4:
        return []
    return [
        {
            "type": "rect",
            "x0": j - 0.5,
            "x1": j + 0.5,
            "y0": i - 0.5,
            "y1": i + 0.5,
            "xref": "x",
            "yref": "y",
            "line": {"color": p.accent, "width": 2.5},
            "fillcolor": "rgba(0,0,0,0)",
        }
        for i, j in zip(*np.nonzero(chosen), strict=True)
    ]
