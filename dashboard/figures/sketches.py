"""Small drawings beside words of the glossary: what a word means, at a glance. SVG, coloured by assets/46-help.css.

Each is drawn from a handful of numbers that could be anybody's; its words say the same to who does not see it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 140, 100
CONFUSED = ((9, 1, 0), (2, 7, 3), (0, 1, 8))  # rows are labels
BINS = ((0.35, 0.30), (0.50, 0.40), (0.65, 0.52), (0.80, 0.62), (0.95, 0.80))  # mean confidence, accuracy
SHARP, SOFT = (0.84, 0.10, 0.04, 0.02), (0.55, 0.23, 0.13, 0.09)


@dataclass(frozen=True)
class Sketch:
    """svg: a whole element; words: what it shows."""

    svg: str
    words: str


def drawn(words: str, *parts: str) -> Sketch:
    """An SVG of these parts."""
    head = f'<svg class="sketch" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img" '
    return Sketch(f'{head}aria-label="{words}">{"".join(parts)}</svg>', words)


def rect(x: float, y: float, width: float, height: float, kind: str) -> str:
    """kind: the class that colours it."""
    return f'<rect class="{kind}" x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="2"/>'


def line(*points: tuple[float, float], kind: str) -> str:
    """Through these points."""
    return f'<polyline class="{kind}" points="{" ".join(f"{x:g},{y:g}" for x, y in points)}"/>'


def circle(x: float, y: float, kind: str = "mark", r: float = 3) -> str:
    """A dot."""
    return f'<circle class="{kind}" cx="{x:g}" cy="{y:g}" r="{r:g}"/>'


def text(x: float, y: float, words: str, kind: str = "") -> str:
    """Middle of its line at x."""
    return f'<text class="{kind}" x="{x:g}" y="{y:g}">{words}</text>'


def matrix(words: str, *, row: int | None = None, column: int | None = None) -> Sketch:
    """A confusion matrix; a row or a column of it stands out."""
    side, left, top = 24, 44, 18
    parts = [text(left + 1.5 * side, 11, "predicted"), text(21, top + 1.5 * side + 4, "label")]
    for i, counts in enumerate(CONFUSED):
        for j, n in enumerate(counts):
            out = (row is not None and i != row) or (column is not None and j != column)
            kind = ("calm" if i == j else "heat" if n else "well") + (" off" if out else "")
            x, y = left + side * j, top + side * i
            parts += [rect(x + 1, y + 1, side - 2, side - 2, kind)]
            parts += [text(x + side / 2, y + side / 2 + 4, str(n), "off" if out else "ink")] if n else []
    if row is not None:
        parts.append(rect(left, top + side * row, 3 * side, side, "ring"))
    if column is not None:
        parts.append(rect(left + side * column, top, side, 3 * side, "ring"))
    return drawn(words, *parts)


def diagram(words: str, *, gaps: bool) -> Sketch:
    """Accuracy against confidence; gaps: how far each bin lies from the diagonal."""
    left, bottom, side = 34, 84, 76

    def at(x: float, y: float) -> tuple[float, float]:
        return left + side * x, bottom - side * y

    parts = [line(at(0, 1), at(0, 0), at(1, 0), kind="axis"), line(at(0, 0), at(1, 1), kind="dashed")]
    for sure, right in BINS:
        if gaps:
            x, y = at(sure, sure)
            parts.append(rect(x - 4, y, 8, side * (sure - right), "heat"))
        parts.append(circle(*at(sure, right)))
    parts += [text(left + side / 2, 97, "confidence"), text(17, 50, "right")]
    return drawn(words, *parts)


def bars(values: Sequence[float], kinds: Sequence[str], *, left: float = 10, wide: float = 200) -> list[str]:
    """Probabilities as bars, longest first, from the left."""
    return [rect(left, 14 + 19 * i, max(wide * value, 2), 12, kinds[i]) for i, value in enumerate(values)]


def scatter() -> list[str]:
    """A cloud that is longer than it is wide."""
    places = ((-3, -1.6), (-2.4, -0.6), (-2, -1.7), (-1.2, -0.2), (-1, -1.1), (-0.3, 0.5), (0, -0.6), (0.5, 0.2),
              (1, 1.1), (1.3, 0.1), (1.9, 1.5), (2.3, 0.6), (3, 1.7))  # fmt: skip
    return [circle(70 + 16 * x, 50 - 16 * y, "dim", 2.5) for x, y in places]


def pixels(lit: Mapping[tuple[int, int], str], *, left: float = 30, side: float = 16, n: int = 5) -> list[str]:
    """A small picture, rows by columns; lit: the kind of some of its pixels."""
    return [
        rect(left + side * j, 10 + side * i, side - 1, side - 1, lit.get((i, j), "well"))
        for i in range(n)
        for j in range(n)
    ]


CROSS = dict.fromkeys(((0, 2), (1, 1), (1, 2), (1, 3), (2, 2), (3, 2), (4, 1), (4, 3)), "shape")
SKETCHES: Mapping[str, Sketch] = {
    "confusion-matrix": matrix(
        "Three classes: 9 of 10, 7 of 12 and 8 of 9 on the diagonal, the mistakes beside it, row by label."
    ),
    "recall": matrix("The row of a label: 7 of its 12 images lie on the diagonal.", row=1),
    "precision": matrix("The column of a predicted class: 7 of its 9 images lie on the diagonal.", column=1),
    "reliability-diagram": diagram(
        "Five bins of confidence, each less often right than it says: they lie below the diagonal.", gaps=False
    ),
    "ece": diagram("The gaps between five bins and the diagonal; the ECE is their mean, by images.", gaps=True),
    "temperature-scaling": drawn(
        "The same four probabilities before, 84 % for the first, and after, 55 %: the order stays.",
        *bars(SHARP, ["accent", "dim", "dim", "dim"], left=6, wide=66),
        *bars(SOFT, ["accent", "dim", "dim", "dim"], left=76, wide=66),
        text(32, 98, "before"), text(104, 98, "after"),
    ),
    "confidence-interval": drawn(
        "A value as a tick within the bar of its interval, on an axis.",
        line((10, 50), (130, 50), kind="axis"), rect(52, 46, 46, 8, "accent"), rect(72, 38, 3, 24, "ink"),
        text(52, 78, "low"), text(98, 78, "high"),
    ),
    "margin": drawn(
        "Four probabilities as bars; the margin is how much longer the first is than the second.",
        *bars((0.48, 0.34, 0.12, 0.06), ["accent", "dim", "dim", "dim"]),
        line((78, 44), (106, 44), kind="strong"), line((78, 38), (78, 50), kind="strong"),
        line((106, 14), (106, 50), kind="strong"), text(112, 66, "margin"),
    ),
    "prediction-set": drawn(
        "Four probabilities as bars: the two that pass a line are the set, the other two are not in it.",
        *bars((0.48, 0.34, 0.12, 0.06), ["accent", "accent", "dim", "dim"]),
        line((56, 6), (56, 90), kind="dashed"), text(56, 99, "threshold"),
    ),
    "pca": drawn(
        "A cloud of points with two arrows: along its length, and across it.",
        *scatter(), line((28, 74), (112, 26), kind="strong"), line((60, 33), (80, 67), kind="strong"),
        circle(112, 26, "mark"), circle(80, 67, "mark"),
    ),
    "attribution": drawn(
        "A small picture whose pixels are tinted by how much they spoke for the class.",
        *pixels({**CROSS, (1, 1): "hot", (1, 2): "hot", (1, 3): "hot", (0, 2): "warm", (2, 2): "warm"}),
    ),
    "occlusion": drawn(
        "The same small picture with a square of it covered.",
        *pixels(CROSS), rect(45, 9, 33, 33, "cover"),
    ),
    "convolution-filter": drawn(
        "A window of three by three pixels on a picture, and the one pixel of the feature map that comes of it.",
        *pixels(CROSS, left=4, side=15), rect(3, 9, 46, 46, "ring"), line((52, 32), (94, 32), kind="strong"),
        *(rect(98 + 13 * j, 12 + 13 * i, 12, 12, "accent" if (i, j) == (1, 1) else "well")
          for i in range(3) for j in range(3)),
    ),
    "data-map": drawn(
        "Mean probability of the label against its deviation: easy above, ambiguous at the right, hard below.",
        line((22, 8), (22, 84), (134, 84), kind="axis"), rect(27, 11, 30, 22, "calm"), rect(76, 32, 50, 28, "dim"),
        rect(27, 60, 30, 20, "heat"), text(42, 26, "easy", "ink"), text(101, 50, "unsure", "ink"),
        text(42, 74, "hard", "ink"), text(78, 97, "deviation"), text(11, 50, "p"),
    ),
}  # fmt: skip
