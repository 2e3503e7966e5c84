"""Where the network puts each image: its last features in three dimensions, or spread on a flat map."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from dashboard.figures.labels import escaped
from dashboard.figures.traces import packed, trace
from dashboard.theme import class_colours, colorscale, palette, ramp, template

COLOUR_BY = ("true", "predicted", "outcome")
OUTCOMES = ("right", "wrong")
DIM = {True: 0.07, False: 0.7}  # opacity of all points: whether others are highlighted
SMALL_POINTS_FROM = 3_000  # more points than these are drawn small; a few hundred would be lost as such
BENEATH = 0.22  # opacity of what lies under the points
SELECTED, SAMPLE = 1, 2  # which trace; 0 holds every point


def groups(colour_by: str, classes: Sequence[str], mode: str) -> list[tuple[str, str]]:
    """(name, colour) of each colour group, in the order of `indices`."""
    if colour_by not in COLOUR_BY:
        raise ValueError(f"{colour_by!r} is not one of {', '.join(COLOUR_BY)}")
    if colour_by == "outcome":
        p = palette(mode)
        return list(zip(OUTCOMES, (p.line_2, p.heat), strict=True))
    return list(zip(classes, class_colours(mode, len(classes)), strict=True))


def indices(colour_by: str, labels: np.ndarray | None, predicted: np.ndarray) -> np.ndarray:
    """uint16 [n]: each point's colour group. labels, predicted: int [n]; without labels, predicted is all there is."""
    if labels is None or colour_by == "predicted":
        return predicted.astype(np.uint16)
    return (labels if colour_by == "true" else labels != predicted).astype(np.uint16)


def scatter(
    points: np.ndarray,
    group: np.ndarray,
    colours: Sequence[str],
    *,
    variance: Sequence[float] = (),
    selected: np.ndarray | None = None,
    sample: int | None = None,
    mode: str = "light",
    keep: str = "",
) -> dict[str, Any]:
    """points: float32 [n, 3]; group: int [n] into colours; variance: share (0..1) that each axis explains.

    selected: bool [n], lit while the others fade; None lights all. sample: row of the open example. keep: while it
    stays the same, so does the camera. Hovering draws nothing: the page shows the picture.
    """
    lit = np.zeros(0, int) if selected is None else np.flatnonzero(selected)
    at = [] if sample is None else [sample]
    p = palette(mode)
    opacity = DIM[selected is not None]
    still = {"mode": "markers", "hoverinfo": "none"}
    many = len(points) > SMALL_POINTS_FROM
    size = 2 if many else 5
    # a circle is dozens of triangles, a square two: ten thousand circles take a second a frame where there is no GPU
    shape = {"symbol": "square" if many else "circle"}
    traces = [
        trace("scatter3d", **_xyz(points), **still, marker=_marker(group, colours, size, opacity) | shape),
        trace("scatter3d", **_xyz(points[lit]), **still, marker=_marker(group[lit], colours, size + 1, 1) | shape),
        trace("scatter3d", **_xyz(points[at]), **still, marker=_ring(11, p.ink)),
    ]
    layout = {
        "template": template(mode), "scene": _scene(variance, mode), "uirevision": keep,
        "margin": dict.fromkeys("lrtb", 0),
    }  # fmt: skip
    return {"data": traces, "layout": layout}


def plane(
    points: np.ndarray,
    group: np.ndarray,
    colours: Sequence[str],
    *,
    selected: np.ndarray | None = None,
    sample: int | None = None,
    outline: Sequence[tuple[float, float]] = (),
    beneath: tuple[np.ndarray, np.ndarray] | None = None,
    mode: str = "light",
    keep: str = "",
) -> dict[str, Any]:
    """points: float32 [n, 2]; outline: vertices of the lasso that is in force; beneath: other points, float32 [m, 2],
    and their groups, int [m], which lie faint under them; the rest as in `scatter`.

    The points have no marker of plotly's: assets/dots.js draws them as their `meta` says.
    """
    lit = np.zeros(0, int) if selected is None else np.flatnonzero(selected)
    at = [] if sample is None else [sample]
    p = palette(mode)
    opacity = DIM[selected is not None]
    size = 3 if len(points) > SMALL_POINTS_FROM else 5
    still = {"mode": "none", "hoverinfo": "none"}
    traces = [
        trace("scatter", **_xyz(points), **still, **_dots(group, colours, size, opacity)),
        trace("scatter", **_xyz(points[lit]), **still, **_dots(group[lit], colours, size + 1, 1)),
        trace("scatter", **_xyz(points[at]), mode="markers", hoverinfo="none", marker=_ring(14, p.ink)),
    ]
    if beneath is not None:
        under = {"meta": {"dots": {"colours": list(colours), "size": size, "opacity": BENEATH, "under": True}}}
        faint = {**_dots(beneath[1], colours, size, BENEATH), **under}
        traces.append(trace("scatter", **_xyz(beneath[0]), mode="none", hoverinfo="skip", **faint))
    (x, y), half = _middle(points if beneath is None else np.concatenate([points, beneath[0]]))
    layout = {
        "template": template(mode), "margin": dict.fromkeys("lrtb", 0), "uirevision": keep, **lasso(outline, p.accent),
        "xaxis": {"range": [x - half, x + half], "visible": False},
        "yaxis": {"range": [y - half, y + half], "visible": False, "scaleanchor": "x", "constrain": "domain"},
    }  # fmt: skip
    return {"data": traces, "layout": layout}


def lasso(outline: Sequence[tuple[float, float]], ink: str) -> dict[str, Any]:
    """What lets people draw around points, of a layout. outline: vertices of the lasso in force; ink: its colour.

    A lasso becomes a shape of the URL, and plotly forgets its own.
    """
    path = "M" + "L".join(f"{x:g},{y:g}" for x, y in outline) + "Z"
    shape = {"type": "path", "path": path, "line": {"color": ink, "width": 2}, "fillcolor": "rgba(0,0,0,0)"}
    return {
        "dragmode": "lasso",
        "shapes": [shape] if len(outline) else [],
        "selections": [],
        "selectionrevision": str(outline),
        "newselection": {"line": {"color": ink, "width": 2, "dash": "solid"}},
    }


def standalone(
    points: np.ndarray,
    group: np.ndarray,
    named: Sequence[tuple[str, str]],
    words: Sequence[str],
    *,
    title: str,
    variance: Sequence[float] = (),
    mode: str = "light",
) -> dict[str, Any]:
    """The 3D chart as a document of its own: a legend, and in place of the page's pictures a text for each point.

    named: (name, colour) of each group; words: one text a point; title: what this is of.
    """
    p = palette(mode)
    traces = []
    for number, (name, colour) in enumerate(named):
        rows = np.flatnonzero(group == number)
        traces.append(trace(
            "scatter3d", **_xyz(points[rows]), mode="markers", name=escaped(name), text=[words[int(i)] for i in rows],
            hovertemplate="%{text}<extra></extra>",
            marker={"size": 3, "opacity": 0.7, "color": colour, "line": {"width": 0}},
        ))  # fmt: skip
    layout = {
        "template": template(mode), "scene": _scene(variance, mode), "paper_bgcolor": p.ground, "showlegend": True,
        "legend": {"itemsizing": "constant", "font": {"color": p.ink_2}}, "margin": {"l": 0, "r": 0, "t": 48, "b": 0},
        "title": {"text": escaped(title), "font": {"size": 15, "color": p.ink}, "x": 0.02},
    }  # fmt: skip
    return {"data": traces, "layout": layout}


def _xyz(points: np.ndarray) -> dict[str, Any]:
    """Columns of points."""
    return {axis: packed(points[:, i].astype(np.float32)) for i, axis in enumerate("xyz"[: points.shape[1]])}


def _marker(group: np.ndarray, colours: Sequence[str], size: float, opacity: float) -> dict[str, Any]:
    """A number a point and one scale: a tenth of the bytes of a colour a point."""
    stops = tuple(colours) if len(colours) > 1 else (*colours, *colours)
    return {
        "size": size, "opacity": opacity, "color": packed(group.astype(np.uint16)), "colorscale": colorscale(stops),
        "cmin": 0, "cmax": len(stops) - 1, "line": {"width": 0},
    }  # fmt: skip


def _dots(group: np.ndarray, colours: Sequence[str], size: float, opacity: float) -> dict[str, Any]:
    """The same for the canvas."""
    return {
        "customdata": packed(group.astype(np.uint16)),
        "meta": {"dots": {"colours": list(colours), "size": size, "opacity": opacity}},
    }


def _ring(size: float, ink: str) -> dict[str, Any]:
    """Around the open example."""
    return {"size": size, "symbol": "circle-open", "color": ink, "line": {"width": 3, "color": ink}}


def _scene(variance: Sequence[float], mode: str) -> dict[str, Any]:
    """The three axes, named by what they explain; their numbers mean nothing to anybody."""
    names = [f"PC {i + 1}" + (f" · {100 * variance[i]:.1f} %" if i < len(variance) else "") for i in range(3)]
    p = palette(mode)
    line = ramp((p.card_flat, p.ink), 0.13)  # WebGL draws a transparent line far too bright
    axes = {
        f"{a}axis": {"title": {"text": name}, "showticklabels": False, "gridcolor": line}
        for a, name in zip("xyz", names, strict=True)
    }
    return {
        **axes,
        "aspectmode": "data",
        "dragmode": "turntable",
        "camera": {"eye": {"x": 1.3, "y": 1.17, "z": 0.67}, "center": {"x": 0, "y": 0, "z": -0.1}},
    }


def _middle(points: np.ndarray) -> tuple[np.ndarray, float]:
    """Centre of the points and half the side of the square that holds them, with some air."""
    if not len(points):
        return np.zeros(2), 1.0
    low, high = points.min(0).astype(float), points.max(0).astype(float)
    return (low + high) / 2, float((high - low).max()) * 0.53 or 1.0
