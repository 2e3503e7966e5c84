"""The size and the channels that a data set gets: as was chosen, else by what its pictures are."""

import io
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from ml.data.importing.choices import LEAST_SIDE, MOST_SIDE, Choices
from ml.data.importing.records import GATE, Found, Record
from ml.images.decoding import FORMATS, decode
from ml.images.form import Form

HEADS, RUNS, DECODED = 2_000, 40, 200  # records looked at, in how many runs of neighbours, and how many of them decoded
SIDE = 64  # the longest side where pictures differ in size
TURNED = (5, 6, 7, 8)  # values of EXIF's orientation that exchange the sides
ORIENTATION = 0x0112
GREY = ("1", "L", "I", "F", "I;16", "I;16B", "I;16L", "LA", "La")
ALIKE = 0.02  # by how much sides may differ that have one proportion


@dataclass
class Look:
    """Of the pictures looked at: sizes, (height, width) as seen upright; how many have colour; of how many."""

    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    coloured: int = 0
    n: int = 0


@dataclass(frozen=True)
class Taken:
    """What pictures become, and why, in words."""

    height: int
    width: int
    channels: int
    why_size: str
    why_colour: str

    def form(self, choices: Choices) -> Form:
        return Form(
            self.height, self.width, self.channels, fitting=choices.fitting, resampling=choices.resampling,
            laid_on=choices.background,
        )  # fmt: skip


def look(found: Found, enough: bool = False) -> Look:
    """The heads of many pictures, and the pixels of some. enough: whether pixels need no look, as colour is chosen."""
    seen = Look()
    rows = _spread(len(found.records))
    step = max(1, len(rows) // DECODED)
    for place, row in enumerate(rows):
        try:
            size, coloured = _seen(found.records[row], found.root, not enough and place % step == 0)
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning):
            continue
        seen.n += 1
        seen.sizes[size] += 1
        seen.coloured += coloured
    return seen


def taken(seen: Look, choices: Choices) -> Taken:
    """As was chosen, else as was seen."""
    channels, why_colour = 3, "as was chosen"
    if choices.colour is None and not seen.coloured:
        channels, why_colour = 1, f"no picture of {seen.n:,} looked at has colour"
    elif choices.colour is None:
        why_colour = "there are pictures with colour"
    elif not choices.colour:
        channels = 1
    if choices.size is not None:
        return Taken(*choices.size, channels, "as was chosen", why_colour)
    size, why_size = _size(seen.sizes)
    return Taken(*size, channels, why_size, why_colour)


def _size(sizes: Counter[tuple[int, int]]) -> tuple[tuple[int, int], str]:
    if not sizes:
        return (SIDE, SIDE), "no picture could be looked at"
    (height, width), _ = sizes.most_common(1)[0]
    if len(sizes) == 1 and min(height, width) >= LEAST_SIDE and max(height, width) <= MOST_SIDE:
        return (height, width), "all pictures looked at have it"
    longest = max(max(size) for size in sizes)
    side = max(LEAST_SIDE, min(SIDE, longest))
    why = f"the longest side is {side}, since " + (
        "pictures differ in size" if len(sizes) > 1 else f"{height} x {width} is beyond {MOST_SIDE} pixels a side"
    )
    ratios = [math.log(high / wide) for high, wide in sizes]
    if max(ratios) - min(ratios) > ALIKE:
        return (side, side), why
    ratio = height / width
    scaled = (side, side / ratio) if ratio >= 1 else (side * ratio, side)
    return (max(LEAST_SIDE, round(scaled[0])), max(LEAST_SIDE, round(scaled[1]))), f"{why}; all have these proportions"


def _spread(n: int) -> Sequence[int]:
    """Rows to look at: all, or runs of neighbours all over, as reading neighbours costs least."""
    if n <= HEADS:
        return range(n)
    length = HEADS // RUNS
    return [start + i for start in np.linspace(0, n - length, RUNS).astype(int).tolist() for i in range(length)]


def _seen(record: Record, root: Path | None, decoded: bool) -> tuple[tuple[int, int], bool]:
    """Its size upright, and whether it is known to have colour. Raises OSError, ValueError."""
    if record.pixels is not None:
        pixels = record.pixels()
        return (int(pixels.shape[0]), int(pixels.shape[1])), _has_colour(pixels)
    on_disk = root is not None and record.path and (root / record.path).is_file()
    file = root / record.path if on_disk and root is not None else io.BytesIO(record.content())
    with Image.open(file, formats=FORMATS) as image:
        width, height = image.size
        turned = image.getexif().get(ORIENTATION, 1) in TURNED
        size = (width, height) if turned else (height, width)
        if not decoded or image.mode in GREY:
            return size, False
        if image.format in ("JPEG", "MPO"):  # a fraction of its size is quick, and says as much
            image.draft("RGB", (SIDE, SIDE))
            return size, _has_colour(np.asarray(image.convert("RGB")))
    return size, decode(record.content(), gate=GATE).pixels.shape[2] == 3


def _has_colour(pixels: np.ndarray) -> bool:
    return pixels.shape[2] == 3 and bool((pixels != pixels[:, :, :1]).any())
