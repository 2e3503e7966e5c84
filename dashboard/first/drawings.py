"""A confusion matrix as a grid of coloured cells, where the chart library will draw the same."""

import re
from bisect import bisect_right
from collections.abc import Iterator
from html import escape
from typing import Any

MOST = 40  # classes; of more, cells are too small to read before the chart is there
Colour = tuple[float, float, float, float]


def cells(figure: Any, dark: Any = None) -> str:
    """HTML of a figure of heatmap traces over the same classes and one of their numbers, '' for any other figure.

    dark: the same figure as it is where the reader's colours turn out to be dark, None where they are known.
    """
    data = (figure or {}).get("data") or []
    maps = [one for one in data if one.get("type") == "heatmap"]
    if not maps or any(one.get("type") not in ("heatmap", "scatter") for one in data):
        return ""
    across, down = maps[0]["x"], maps[0]["y"]
    if max(len(across), len(down)) > MOST or any(not isinstance(one["z"], list) for one in maps):
        return ""
    texts = {place: text for one in data if one["type"] == "scatter" for place, (text, _) in numbers(one)}
    looks = painted(figure)
    others = painted(dark) if dark else looks
    parts = []
    for (i, j), look in looks.items():
        truth, guess = down[i], across[j]
        text, rules = texts.get((truth, guess), ""), ";".join(either(look, others.get((i, j), look)))
        place = f'data-x="{escape(str(guess))}" data-y="{escape(str(truth))}"'
        said = f"true {truth}, predicted {guess}: {text or 'none'}"
        parts.append(
            f'<button type="button" tabindex="-1" {place} style="{rules}" aria-label="{escape(said)}">'
            f"{escape(str(text))}</button>"
        )
    size = next((one["textfont"]["size"] for one in data if one["type"] == "scatter" and "textfont" in one), 0)
    grid = f"--n:{len(across)};--m:{len(down)};font-size:{size or 12}px"
    return f'<div class="first-cells" style="{grid}">{"".join(parts)}</div>'


def painted(figure: dict[str, Any]) -> dict[tuple[int, int], dict[str, tuple[str, str]]]:
    """(row, column) → CSS name → what comes before its colour, and the colour, of each cell."""
    data = figure["data"]
    maps = [one for one in data if one["type"] == "heatmap"]
    inks = {place: ink for one in data if one["type"] == "scatter" for place, (_, ink) in numbers(one)}
    rings = {place: line for shape in figure["layout"].get("shapes", []) for place, line in ring(shape)}
    found = {}
    for i, truth in enumerate(maps[0]["y"]):
        for j, guess in enumerate(maps[0]["x"]):
            one = next((one for one in maps if one["z"][i][j] is not None), None)
            ground = colour(one["colorscale"], one["z"][i][j], one.get("opacity", 1)) if one else "transparent"
            look = {"background": ("", ground)}
            if ink := inks.get((truth, guess)):
                look["color"] = ("", ink)
            if (i, j) in rings:
                look["outline"] = rings[i, j]
            found[i, j] = look
    return found


def either(light: dict[str, tuple[str, str]], dark: dict[str, tuple[str, str]]) -> Iterator[str]:
    """CSS of a cell in both: as it is in light for browsers that do not know of two."""
    for name, (before, shown) in light.items():
        other = dark.get(name, (before, shown))[1]
        yield f"{name}:{before}{shown}"
        if other != shown:
            yield f"{name}:{before}light-dark({shown},{other})"


def numbers(trace: dict[str, Any]) -> Iterator[tuple[tuple[Any, Any], tuple[str, str]]]:
    """((row, column), (text, colour)) of a trace of texts."""
    inks = trace.get("textfont", {}).get("color", "")
    for place, (x, y, text) in enumerate(
        zip(trace.get("x", []), trace.get("y", []), trace.get("text", []), strict=False)
    ):
        yield (y, x), (text, inks[place] if isinstance(inks, list) else inks)


def ring(shape: dict[str, Any]) -> Iterator[tuple[tuple[int, int], tuple[str, str]]]:
    """((row, column), (width and kind, colour)) of a frame around one cell."""
    if shape.get("type") == "rect" and shape["x1"] - shape["x0"] == 1 == shape["y1"] - shape["y0"]:
        line = shape["line"]
        kind = "dotted" if line.get("dash") == "dot" else "solid"
        yield (round(shape["y0"] + 0.5), round(shape["x0"] + 0.5)), (f"{line['width']}px {kind} ", line["color"])


def colour(scale: list, value: float, opacity: float) -> str:
    """The colour that a scale of (0..1, colour) gives a value in 0..1, as CSS."""
    stops = [stop for stop, _ in scale]
    at = min(max(bisect_right(stops, value) - 1, 0), len(scale) - 2)
    (low, first), (high, second) = scale[at], scale[at + 1]
    share = min(max((value - low) / (high - low), 0), 1) if high > low else 0.0
    red, green, blue, alpha = (a + share * (b - a) for a, b in zip(parsed(first), parsed(second), strict=True))
    return f"rgba({red:.0f},{green:.0f},{blue:.0f},{alpha * opacity:.3g})"


def parsed(text: str) -> Colour:
    """(0..255, 0..255, 0..255, 0..1) of '#rrggbb', 'rgb(…)' or 'rgba(…)'. Raises ValueError for any other."""
    if re.fullmatch(r"#[0-9a-fA-F]{6}", text):
        return int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16), 1.0
    if found := re.fullmatch(r"rgba?\(([^)]+)\)", text):
        values = [float(one) for one in found[1].split(",")]
        if len(values) in (3, 4):
            return values[0], values[1], values[2], values[3] if len(values) == 4 else 1.0
    raise ValueError(f"{text!r} is no colour that charts are drawn in")
