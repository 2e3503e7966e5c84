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
from ml.data.importing.records import Found, Record
from ml.images.decoding import DEEP, decode, formats, is_grey
from ml.images.fitted import GATE
from ml.images.form import Form
from ml.system.wording import quantity

HEADS, RUNS, DECODED = 2_000, 40, 200  # records looked at, in how many runs of neighbours, and how many of them decoded
SIDE = 64  # the longest side where pictures differ in size
TURNED = (5, 6, 7, 8)  # values of EXIF's orientation that exchange the sides
ORIENTATION = 0x0112
GREY = ("1", "L", "I", "F", "I;16", "I;16B", "I;16L", "LA", "La")
BITS = (8, 10, 12, 14, 16)  # that scanners and cameras have
PAGED = ("TIFF", "GIF", "WEBP", "PNG", "AVIF")  # MPO is not among them: its others are the same view, for depth
ALIKE = 0.02  # by how much sides may differ that have one proportion


@dataclass
class Look:
    """Of the pictures looked at: sizes, (height, width) as seen upright; how many have colour; of how many; paged: how
    many have several pages or frames; levels: of those with more than eight bits, F for floating-point numbers and I
    for whole ones → the least and the greatest; broken: how many cannot be read, and why the first of them is not;
    banded: how many have a fourth channel that is no transparency."""

    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    coloured: int = 0
    n: int = 0
    paged: int = 0
    levels: dict[str, tuple[float, float]] = field(default_factory=dict)
    broken: int = 0
    why: str = ""
    banded: int = 0

    def deep(self, mode: str, low: float, high: float) -> None:
        """A picture of more than eight bits was looked at."""
        if math.isfinite(low) and math.isfinite(high):
            before = self.levels.get(mode, (low, high))
            self.levels[mode] = min(low, before[0]), max(high, before[1])


@dataclass(frozen=True)
class Taken:
    """What pictures become, and why, in words. levels: see Form; paged: how many have several pages, of how many;
    broken: how many cannot be read, of how many, and why; banded: how many have a fourth channel that is
    left out; apart: what there is to say of floating-point levels among
    whole ones, '' where there are none."""

    height: int
    width: int
    channels: int
    why_size: str
    why_colour: str
    levels: tuple[float, float] | None = None
    paged: tuple[int, int] = (0, 0)
    broken: tuple[int, int, str] = (0, 0, "")
    apart: str = ""
    banded: int = 0

    def notes(self) -> list[str]:
        """What is to be said of it."""
        told = []
        if self.broken[0]:
            broken, n, why = self.broken
            told.append(f"{broken:,} of {quantity(n, 'picture')} looked at cannot be read: {why}")
        if self.paged[0]:
            told.append(
                f"{self.paged[0]:,} of {quantity(self.paged[1], 'picture')} looked at have several pages or frames, "
                "of which the first is taken"
            )
        if self.banded:
            told.append(
                f"{quantity(self.banded, 'picture')} looked at have a fourth channel that is no transparency, as near "
                "infrared: it is left out"
            )
        if self.apart:
            told.append(self.apart)
        if self.levels is None:
            return told
        black, white = self.levels
        return [
            *told,
            f"pictures of more than eight bits have levels from {black:,g} to {white:,g}: these are black and white, "
            "and so they are in later pictures",
        ]

    def form(self, choices: Choices) -> Form:
        return Form(
            self.height, self.width, self.channels, fitting=choices.fitting, resampling=choices.resampling,
            laid_on=choices.background, levels=self.levels,
        )  # fmt: skip


def look(found: Found, enough: bool = False) -> Look:
    """The heads of many pictures, and the pixels of some. enough: whether pixels need no look, as colour is chosen."""
    seen = Look()
    rows = _spread(len(found.records))
    step = max(1, len(rows) // DECODED)
    for place, row in enumerate(rows):
        try:
            size, coloured = _seen(found.records[row], found.root, place % step == 0, enough, seen)
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning):
            seen.why = seen.why if seen.broken else _why(found.records[row])
            seen.broken += 1
            continue
        seen.n += 1
        seen.sizes[size] += 1
        seen.coloured += coloured
    return seen


def _why(record: Record) -> str:
    """Why a picture cannot be read, in words."""
    try:
        raw = record.raw()
        if isinstance(raw, bytes):
            decode(raw, gate=GATE)
    except (OSError, ValueError) as error:
        return " ".join(str(error).split())
    return "it is damaged"


def taken(seen: Look, choices: Choices) -> Taken:
    """As was chosen, else as was seen."""
    channels, why_colour, paged = 3, "as was chosen", (seen.paged, seen.n)
    broken = seen.broken, seen.n + seen.broken, seen.why
    if choices.colour is None and not seen.coloured:
        channels, why_colour = 1, f"no picture of {seen.n:,} looked at has colour"
    elif choices.colour is None:
        why_colour = "there are pictures with colour"
    elif not choices.colour:
        channels = 1
    levels, apart = _levels(seen.levels), _apart(seen.levels)
    if choices.size is not None:
        return Taken(*choices.size, channels, "as was chosen", why_colour, levels, paged, broken, apart, seen.banded)
    size, why_size = _size(seen.sizes)
    return Taken(*size, channels, why_size, why_colour, levels, paged, broken, apart, seen.banded)


def _levels(met: dict[str, tuple[float, float]]) -> tuple[float, float] | None:
    """Which are black and white, None where the ends of their own range are: what so many bits can say, or what is
    met."""
    if not met:
        return None
    if len(met) > 1:
        return None  # no two levels are black and white of both kinds: a file's own are, and what has others is refused
    low, high = min(one for one, _ in met.values()), max(one for _, one in met.values())
    if "F" in met:
        usual = [ends for ends in ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0)) if ends[0] <= low and high <= ends[1]]
        return (usual[0] if usual[0] != (0.0, 1.0) else None) if usual else (low, high)
    if low >= 0:
        top = next((2.0**bits - 1 for bits in BITS if high < 2**bits), None)
        if top is not None:
            return (0.0, top) if top < 2**16 - 1 else None
    return (low, high) if low < high else None


def _apart(met: dict[str, tuple[float, float]]) -> str:
    """See Taken."""
    if len(met) < 2:
        return ""
    numbers, whole = (f"{low:,g} to {high:,g}" for low, high in (met["F"], met["I"]))
    return (
        f"floating-point levels ({numbers}) lie among whole ones of more than eight bits ({whole}): of the former 0 "
        "and 1 are black and white, of the latter 0 and 65,535; pictures with other levels are left out or dark"
    )


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


def _seen(record: Record, root: Path | None, decoded: bool, enough: bool, look: Look) -> tuple[tuple[int, int], bool]:
    """Its size upright, and whether it is known to have colour. decoded: whether its pixels are looked at; enough: see
    `look`. Raises OSError, ValueError."""
    if record.pixels is not None:
        pixels = record.pixels()
        return (int(pixels.shape[0]), int(pixels.shape[1])), _has_colour(pixels)
    on_disk = root is not None and record.path and (root / record.path).is_file()
    file = root / record.path if on_disk and root is not None else io.BytesIO(record.content())
    with Image.open(file, formats=formats(_start(file))) as image:
        width, height = image.size
        look.paged += image.format in PAGED and getattr(image, "is_animated", False)
        turned = image.getexif().get(ORIENTATION, 1) in TURNED
        size = (width, height) if turned else (height, width)
        if decoded and image.mode in DEEP:
            levels = np.asarray(image)
            look.deep(image.mode[:1], float(levels.min()), float(levels.max()))
        if enough or not decoded or image.mode in GREY:
            return size, False
        if image.format in ("JPEG", "MPO"):  # a fraction of its size is quick, and says as much
            image.draft("RGB", (SIDE, SIDE))
            return size, _has_colour(np.asarray(image.convert("RGB")))
    picture = decode(record.content(), gate=GATE)
    look.banded += picture.banded
    return size, picture.pixels.shape[2] == 3


def _start(file: Path | io.BytesIO) -> bytes:
    """Its first bytes, as far as they tell of its kind. Raises OSError."""
    if isinstance(file, io.BytesIO):
        return file.getvalue()[:16]
    with file.open("rb") as opened:
        return opened.read(16)


def _has_colour(pixels: np.ndarray) -> bool:
    return pixels.shape[2] == 3 and not is_grey(pixels)
