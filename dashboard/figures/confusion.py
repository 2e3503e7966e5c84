"""The confusion matrix as a heatmap: mistakes loud, right answers quiet."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from dashboard.figures.labels import escaped
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


def cluster_order(counts: np.ndarray) -> np.ndarray:
    """int [C]: the classes in an order that puts those mistaken for each other side by side.

    counts: int [C, C]. By the second smallest eigenvector of the Laplacian of their similarity, the root of the mean of
    the two shares mistaken for each other (spectral seriation: Atkins, Boman, Hendrickson 1998, SIAM J. Comput. 28:1).
    """
    n = len(counts)
    if n < 3:
        return np.arange(n)
    share = values(counts, "row")
    alike = np.sqrt((share + share.T) / 2) * ~np.eye(n, dtype=bool)
    alike += alike.mean() * 1e-3 + 1e-12  # so that no class stands apart from all others
    _, vectors = np.linalg.eigh(np.diag(alike.sum(1)) - alike)
    order = np.argsort(vectors[:, 1].round(12), kind="stable")
    return order if order[0] < order[-1] else order[::-1]


def groups(counts: np.ndarray, order: np.ndarray, shown: int) -> list[list[int]]:
    """The rows of a matrix of `shown` classes: those with the most mistakes, in this order, then all others in one.

    counts: int [C, C]; order: int [C]; shown: at most C.
    """
    if shown >= len(counts):
        return [[int(i)] for i in order]
    mistakes = counts * ~np.eye(len(counts), dtype=bool)
    kept = set(np.argsort(-(mistakes.sum(0) + mistakes.sum(1)), kind="stable")[:shown].tolist())
    return [*([int(i)] for i in order if i in kept), [int(i) for i in order if i not in kept]]


def grouped(counts: np.ndarray, rows: Sequence[Sequence[int]]) -> np.ndarray:
    """int [C, C] (or bool: any of them) → [G, G], the sums over the classes of each group."""
    join = np.zeros((len(counts), len(rows)), int)
    for place, members in enumerate(rows):
        join[list(members), place] = 1
    return join.T @ counts.astype(int) @ join


def loudness(mistakes: np.ndarray, *, log: bool = False) -> np.ndarray:
    """Counts or shares [...] of mistakes → 0..1, 0 for none; on a square-root scale, or a logarithmic one."""
    most = mistakes.max(initial=0)
    if most <= 0:
        return np.zeros(mistakes.shape)
    if not log:
        return np.sqrt(mistakes / most)
    least = mistakes[mistakes > 0].min()
    span = np.log(most / least) or 1.0
    scaled = np.log(np.maximum(mistakes, least) / least) / span if most > least else np.ones(mistakes.shape)
    return np.where(mistakes > 0, 0.06 + 0.94 * scaled, 0.0)


def heatmap(
    counts: np.ndarray,
    classes: Sequence[str],
    *,
    right: np.ndarray | None = None,
    ends: tuple[np.ndarray, np.ndarray] | None = None,
    normalise: str = "count",
    log: bool = False,
    diagonal: bool = True,
    chosen: np.ndarray | None = None,
    held: tuple[int, int] | None = None,
    size: int = 13,
    mode: str = "light",
) -> dict[str, Any]:
    """counts: int [C, C], rows truths, columns guesses.

    right: int [C], how many of each row were named right, the diagonal unless a row stands for several classes. ends:
    of the 95 % interval of each cell's share of its row, or of its column where that is shown, [C, C] each, 0..1.
    normalise: count, row or column. log: colour by a logarithm. diagonal: draw the right answers. chosen: bool [C, C],
    the cells of the selection; None when it leaves the matrix alone. held: the cell held against the chosen one.
    size: of the numbers, in pixels; 0 for none.
    """
    p, n = palette(mode), len(classes)
    shown, hits = values(counts, normalise), np.eye(n, dtype=bool)
    loud = loudness(np.where(hits, 0.0, shown), log=log)
    correct = counts.diagonal() if right is None else right
    recall = np.divide(correct, counts.sum(1), out=np.zeros(n), where=counts.sum(1) > 0)
    quiet = np.diag(np.clip((recall - 0.8) / 0.2, 0, 1))
    within = np.ones((n, n), bool) if chosen is None else chosen
    marks = {"wrong": ~hits, "right": hits & diagonal, "off": hits & (not diagonal)}
    hover = _hover(counts, classes, correct, ends, normalise)
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
                    "text": [
                        [words if on else "" for words, on in zip(*row, strict=True)]
                        for row in zip(hover, cells.tolist(), strict=True)
                    ],
                    "hovertemplate": "%{text}<extra></extra>",
                    **blank,
                }
            )
    labels = np.array([[words(v, normalise) for v in row] for row in shown], object)
    labels[marks["off"] | (size == 0)] = ""
    cells = list(zip(*(axis.tolist() for axis in np.nonzero(labels != "")), strict=True))
    inks = [_ink(i == j, loud[i, j], quiet[i, j], bool(within[i, j]), p) for i, j in cells]
    traces.append(numbers(classes, cells, [labels[cell] for cell in cells], inks, size))
    shapes = [*rings(chosen, p), *([_ring(*held, p.warn, "dot")] if held else [])]
    return {"data": traces, "layout": layout(classes, shapes, mode)}


def numbers(
    classes: Sequence[str], cells: Sequence[tuple[int, int]], texts: Sequence[str], inks: Sequence[str], size: int
) -> dict[str, Any]:
    """The trace of what stands in the cells. cells: (row, column) of each text; inks: its colour; size: pixels."""
    return {
        "type": "scatter",
        "mode": "text",
        "x": [classes[j] for _, j in cells],
        "y": [classes[i] for i, _ in cells],
        "text": list(texts),
        "textfont": {"size": size, "color": list(inks)},
        "hoverinfo": "skip",
    }


def layout(classes: Sequence[str], shapes: Sequence[dict[str, Any]], mode: str) -> dict[str, Any]:
    """Of a matrix of classes by classes: rows truths from above, no axes to be seen, which the page draws around it."""
    n = len(classes)
    edge = {
        "type": "category",
        "visible": False,
        "fixedrange": True,
        "categoryorder": "array",
        "categoryarray": list(classes),
    }
    return {
        "template": template(mode),
        "margin": {"l": 0, "r": 0, "t": 0, "b": 0},
        "xaxis": {**edge, "range": [-0.5, n - 0.5], "title": {"text": "predicted"}},
        "yaxis": {**edge, "range": [n - 0.5, -0.5], "title": {"text": "true"}},
        "shapes": list(shapes),
        "dragmode": False,
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


def _hover(
    counts: np.ndarray,
    classes: Sequence[str],
    right: np.ndarray,
    ends: tuple[np.ndarray, np.ndarray] | None,
    normalise: str,
) -> list[list[str]]:
    columns = normalise == "column"
    classes = [escaped(name) for name in classes]
    totals = counts.sum(0 if columns else 1)

    def words(i: int, j: int) -> str:
        count, total = counts[i, j], totals[j if columns else i]
        outcome = "named right (correct)" if i == j else f"predicted {classes[j]}"
        if i == j and right[i] != count:
            outcome = f"predicted {classes[j]}, {right[i]:,} of them right"
        doubt = f" ({100 * ends[0][i, j]:.1f} – {100 * ends[1][i, j]:.1f})" if ends and total else ""
        of = f"{total:,} predicted {classes[j]}" if columns else f"{total:,}"
        return f"<b>{count:,}</b> {classes[i]} {outcome}<br>{100 * count / max(total, 1):.1f} %{doubt} of {of}"

    return [[words(i, j) for j in range(len(classes))] for i in range(len(classes))]


def rings(chosen: np.ndarray | None, p: Palette) -> list[dict[str, Any]]:
    """An accent ring around the chosen cells when they are few."""
    if chosen is None or chosen.sum() > 4:
        return []
    return [_ring(i, j, p.accent) for i, j in zip(*np.nonzero(chosen), strict=True)]


def _ring(i: int, j: int, colour: str, dash: str = "solid") -> dict[str, Any]:
    return {
        "type": "rect",
        "x0": j - 0.5,
        "x1": j + 0.5,
        "y0": i - 0.5,
        "y1": i + 0.5,
        "xref": "x",
        "yref": "y",
        "line": {"color": colour, "width": 2.5, "dash": dash},
        "fillcolor": "rgba(0,0,0,0)",
    }
