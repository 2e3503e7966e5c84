"""A picture changed by hand, one step after another: what is painted, moved, turned, blurred, and the like.

Every change is a `Change` of one of KINDS, written as text (`rot:15,shift:2:-1,blur:0.8`), so that a list of them fits
into an address. The picture is the one a network reads: lengths are its pixels, levels shares of its whole range, and
between two changes nothing is rounded or cut off but what leaves the range. Nothing here is left to chance: noise has a
seed. numpy and scipy, never torch.

A new kind is one line in KINDS and one function in LEVELS, or in PLACES where it moves pixels.
"""

import base64
import binascii
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

MAX_EDITS = 40  # in a list
CHARACTERS = 4_000  # of its text: strokes are long, and an address should be one that can be sent
MAX_EDITED_SIDE = 256  # pixels: a place on it is one byte
BRUSH = 32  # pixels, the widest brush
KINDS: dict[str, tuple[tuple[float, float], ...]] = {
    "rot": ((-180, 180),),  # degrees counter-clockwise
    "zoom": ((0.5, 2),),  # how many times as large
    "shift": ((-128, 128), (-128, 128)),  # whole pixels to the right, and down
    "invert": (),
    "bright": ((-1, 1),),  # of the whole range, added
    "contrast": ((0, 3),),  # how many times as far from the mean
    "blur": ((0, 40),),  # standard deviation, pixels
    "noise": ((0, 0.5), (0, 9_999)),  # standard deviation, of the whole range; seed
}
WHOLE = {("shift", 0), ("shift", 1), ("noise", 1)}  # numbers without a fraction
BRUSHED = "brush"
NUMBER = re.compile(r"-?(0|[1-9]\d{0,3})(\.\d{1,3})?", re.ASCII)
STROKES = re.compile(r"[A-Za-z0-9_-]{7,}", re.ASCII)


@dataclass(frozen=True)
class Stroke:
    """size: the brush's width in pixels; level: 0 to 255, in every channel; points: (column, row) of pixels."""

    size: int
    level: int
    points: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Change:
    """kind: of KINDS with as many values, or BRUSHED with strokes."""

    kind: str
    values: tuple[float, ...] = ()
    strokes: tuple[Stroke, ...] = ()

    def __str__(self) -> str:
        if self.kind == BRUSHED:
            return f"{BRUSHED}:{packed(self.strokes)}"
        return ":".join([self.kind, *(f"{value:g}" for value in self.values)])


def text(changes: Sequence[Change]) -> str:
    """What `parse` reads."""
    return ",".join(map(str, changes))


def parse(text: str) -> tuple[Change, ...]:
    """The changes that a text names, () of ''. Raises ValueError with a sentence."""
    if not text:
        return ()
    if len(text) > CHARACTERS:
        raise ValueError(f"These changes are too many: at most {CHARACTERS:,} characters of text.")
    parts = text.split(",")
    if len(parts) > MAX_EDITS:
        raise ValueError(f"These are {len(parts):,} changes, and at most {MAX_EDITS} can be made.")
    return tuple(map(_change, parts))


def _change(part: str) -> Change:
    kind, *words = part.split(":")
    if kind == BRUSHED and len(words) == 1:
        return Change(BRUSHED, strokes=unpacked(words[0]))
    limits = KINDS.get(kind)
    if limits is None:
        raise ValueError(f"There is no change {kind[:20]!r}; known are {', '.join((*KINDS, BRUSHED))}.")
    if len(words) != len(limits) or not all(NUMBER.fullmatch(word) for word in words):
        raise ValueError(
            f"{kind} takes {len(limits) or 'no'} number{'' if len(limits) == 1 else 's'}, not {part[:40]!r}."
        )
    values = tuple(map(float, words))
    for place, (value, (low, high)) in enumerate(zip(values, limits, strict=True)):
        if not low <= value <= high or ((kind, place) in WHOLE and value != int(value)):
            whole = "a whole number " if (kind, place) in WHOLE else ""
            raise ValueError(f"{kind} takes {whole}from {low:g} to {high:g}, not {words[place]}.")
    return Change(kind, values)


def packed(strokes: Sequence[Stroke]) -> str:
    """Strokes as text: size, level, number of points, then a column and a row each, one byte apiece, base64url."""
    content = bytearray()
    for stroke in strokes:
        content += bytes([stroke.size, stroke.level, len(stroke.points)])
        content += bytes(place for point in stroke.points for place in point)
    return base64.urlsafe_b64encode(bytes(content)).decode().rstrip("=")


def unpacked(text: str) -> tuple[Stroke, ...]:
    """The strokes that `packed` made a text of. Raises ValueError with a sentence."""
    broken = ValueError("The strokes of the brush cannot be read.")
    if not STROKES.fullmatch(text):
        raise broken
    try:
        content = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise broken from None
    strokes, at = [], 0
    while at < len(content):
        size, level, n = (*content[at : at + 3], 0, 0, 0)[:3]
        places = content[at + 3 : at + 3 + 2 * n]
        if not n or not 1 <= size <= BRUSH or len(places) != 2 * n:
            raise broken
        strokes.append(Stroke(size, level, tuple(zip(places[::2], places[1::2], strict=True))))
        at += 3 + 2 * n
    if packed(strokes) != text:  # two texts of one list would be two addresses of one picture
        raise broken
    return tuple(strokes)


def apply(image: np.ndarray, changes: Sequence[Change], *, ground: int = 0) -> np.ndarray:
    """image: uint8 [h, w, c] → uint8 [h, w, c] after the changes, in their order.

    ground: the level, 0 to 255, that comes in from outside where the picture is moved. Turns, zooms and shifts that
    follow one another are one resampling. Raises ValueError for a picture of more than MAX_EDITED_SIDE pixels a side.
    """
    if max(image.shape[:2]) > MAX_EDITED_SIDE:
        raise ValueError(f"Pictures of up to {MAX_EDITED_SIDE} pixels a side can be changed by hand.")
    if not changes:
        return image
    made, moves = image.astype(np.float64) / 255, list[Change]()
    for change in (*changes, None):
        if change is not None and change.kind in PLACES:
            moves.append(change)
            continue
        if moves:
            made, moves = moved(made, matrix(moves, made.shape[:2]), ground / 255), []
        if change is not None:
            made = (
                painted(made, change.strokes) if change.kind == BRUSHED else LEVELS[change.kind](made, *change.values)
            )
            made = np.clip(made, 0, 1)
    return np.rint(made * 255).astype(np.uint8)


def rot(degrees: float) -> np.ndarray:
    """About the middle, counter-clockwise."""
    angle = math.radians(degrees)
    cos, sin = math.cos(angle), math.sin(angle)
    return np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]])


def zoom(times: float) -> np.ndarray:
    """About the middle."""
    return np.diag([1 / times, 1 / times, 1])


def shift(right: float, down: float) -> np.ndarray:
    """By whole pixels."""
    return np.array([[1, 0, -down], [0, 1, -right], [0, 0, 1.0]])


def matrix(moves: Sequence[Change], size: tuple[int, int]) -> np.ndarray:
    """float64 [3, 3]: (row, column, 1) of a pixel → where it comes from. size: height and width."""
    transform, middle = np.eye(3), np.eye(3)
    for move in moves:
        transform = transform @ PLACES[move.kind](*move.values)
    middle[:2, 2] = (np.array(size) - 1) / 2
    return middle @ transform @ np.linalg.inv(middle)


def moved(image: np.ndarray, from_where: np.ndarray, outside: float) -> np.ndarray:
    """image: float64 [h, w, c], each pixel bilinear from where the matrix says; outside it is of one level."""
    from scipy.ndimage import affine_transform

    channels = [
        affine_transform(image[..., c], from_where, order=1, mode="grid-constant", cval=outside)
        for c in range(image.shape[2])
    ]
    return np.stack(channels, axis=-1)


def invert(image: np.ndarray) -> np.ndarray:
    """Light and dark exchanged."""
    return 1 - image


def bright(image: np.ndarray, more: float) -> np.ndarray:
    """`more` of the whole range added everywhere."""
    return image + more


def contrast(image: np.ndarray, times: float) -> np.ndarray:
    """`times` as far from each channel's mean (ImageNet-C, contrast)."""
    mean = image.mean(axis=(0, 1))
    return mean + times * (image - mean)


def blur(image: np.ndarray, sigma: float) -> np.ndarray:
    """A Gaussian of deviation `sigma` pixels, edges repeated."""
    from scipy.ndimage import gaussian_filter

    return gaussian_filter(image, (sigma, sigma, 0), mode="nearest")


def noise(image: np.ndarray, sigma: float, seed: float) -> np.ndarray:
    """Gaussian noise of deviation `sigma` of the whole range on every number (ImageNet-C, gaussian_noise).

    With one seed, more noise is more of the same.
    """
    return image + sigma * np.random.default_rng(int(seed)).standard_normal(image.shape)


def painted(image: np.ndarray, strokes: Sequence[Stroke]) -> np.ndarray:
    """Every pixel whose middle is within half the brush's width of a line from point to point takes the level.

    assets/whatif.js paints in the same way while a hand draws; a test compares.
    """
    made = image.copy()
    height, width = image.shape[:2]
    for stroke in strokes:
        reach = stroke.size / 2
        points = stroke.points if len(stroke.points) > 1 else stroke.points * 2
        for (x0, y0), (x1, y1) in pairwise(points):
            y = np.arange(max(math.ceil(min(y0, y1) - reach), 0), min(math.floor(max(y0, y1) + reach) + 1, height))
            x = np.arange(max(math.ceil(min(x0, x1) - reach), 0), min(math.floor(max(x0, x1) + reach) + 1, width))
            if not len(y) or not len(x):  # beyond the edge
                continue
            window = made[y[0] : y[-1] + 1, x[0] : x[-1] + 1]
            y = y[:, None]
            dx, dy = x1 - x0, y1 - y0
            along = np.clip(((x - x0) * dx + (y - y0) * dy) / max(dx * dx + dy * dy, 1), 0, 1)
            gap = (x - x0 - along * dx) ** 2 + (y - y0 - along * dy) ** 2
            window[gap <= reach * reach] = stroke.level / 255
    return made


PLACES: dict[str, Callable[..., np.ndarray]] = {"rot": rot, "zoom": zoom, "shift": shift}
LEVELS: dict[str, Callable[..., np.ndarray]] = {
    "invert": invert,
    "bright": bright,
    "contrast": contrast,
    "blur": blur,
    "noise": noise,
}
