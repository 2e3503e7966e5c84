"""A picture within the picture: a print on a table, or a screen, whose own plain ground ends before the frame does."""

import hashlib
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image

from ml.images.form import pil
from ml.images.remembered import searched

SIDE = 224  # pixels of the copy in which sheets are looked for
LEVELS = (24, 40, 56, 72, 90, 110, 130, 150, 170, 190, 208, 224, 238)  # a dark sheet is under one, a light one over it
SHARE = (0.1, 0.96)  # of the frame that a sheet takes
NEAR, OTHER = 26, 16  # levels: within which a sheet is of one colour, and from which what lies around it is another
GAP = 3  # pixels of the copy from a side to what is within and without
SHORT = 0.12  # of the longer side of the frame: a sheet's side that is no longer may be a corner that was cut
SLANT = 0.5  # cosine of the angle between neighbouring sides, which perspective bends
EACH = 0.15
INSIDE, OUTSIDE = 0.5, 0.85  # of a sheet's sides: how much has its colour just within, and another one just without
SHOWN = (0.02, 0.9)  # of a sheet that is not its ground, without a rim: the edges of a plain bag show nothing
RIM = 0.08  # of the root of its area

Found = tuple[np.ndarray, np.ndarray]  # corners, float32 [k, 2] in the copy; plane of colour, float32 [3, c]
_LATEST: deque[tuple[bytes, Found | None]] = deque(maxlen=4)
"""One search for both: which run is asked is told from a sheet, and the preparation takes it off what it lies on."""


@dataclass(frozen=True)
class Sheet:
    """within: bool [h, w], where it lies; ground: float32 [h, w, c], its own, as a plane of colour over the picture."""

    within: np.ndarray
    ground: np.ndarray


def on_sheet(image: np.ndarray) -> np.ndarray:
    """The box around a picture's sheet, its corners filled with the sheet's own ground; the same picture where it has
    none. uint8 [h, w, c]."""
    sheet = find_sheet(image)
    if sheet is None:
        return image
    rows, columns = (np.flatnonzero(sheet.within.any(axis=axis)) for axis in (1, 0))
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    return np.where(sheet.within[box][:, :, None], image[box], np.rint(sheet.ground[box]).astype(np.uint8))


def find_sheet(image: np.ndarray) -> Sheet | None:
    """The largest sheet in a picture, uint8 [h, w, c], that shows something; None where there is none."""
    key = hashlib.sha256(repr(image.shape).encode() + np.ascontiguousarray(image).tobytes()).digest()
    for other, before in list(_LATEST):
        if other == key:
            return _sheet(image, before)
    found = _find(image)
    _LATEST.append((key, found))
    return _sheet(image, found)


def _scaled(image: np.ndarray) -> float:
    """How much smaller the copy is in which sheets are looked for."""
    return min(1.0, SIDE / max(image.shape[:2]))


def _sheet(image: np.ndarray, found: Found | None) -> Sheet | None:
    if found is None:
        return None
    import cv2

    (height, width), (corners, plane) = image.shape[:2], found
    within = np.zeros((height, width), np.uint8)
    middle = corners.mean(axis=0)
    inner = middle + (corners - middle) * (1 - 2.5 / np.maximum(np.abs(corners - middle).max(axis=0), 3))
    cv2.fillConvexPoly(within, np.rint((inner + 0.5) / _scaled(image) - 0.5).astype(np.int32), 1)
    ground = np.clip(_terms(height, width) @ plane, 0, 255).astype(np.float32)
    return Sheet(within > 0, ground)


def _find(image: np.ndarray) -> Found | None:
    height, width, channels = image.shape
    scale = _scaled(image)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    if min(size) < 48:
        return None
    return _found(np.asarray(pil(image).resize(size, Image.Resampling.BOX)).reshape(size[1], size[0], channels))


@searched
def _found(small: np.ndarray) -> Found | None:
    import cv2  # not before it is needed: 15 MB that reading runs and small pictures go without

    terms = _terms(*small.shape[:2])
    best: tuple[float, Found] | None = None
    for mask in _masks(small):
        for part in _parts(mask):
            outline = cv2.convexHull(part)
            area = cv2.contourArea(outline) / mask.size
            if not SHARE[0] <= area <= SHARE[1] or (best is not None and area <= best[0]):
                continue
            corners = _corners(outline)
            if corners is None:
                continue
            plane = _plane(small, mask, corners, terms)
            if plane is not None:
                best = area, (corners, plane)
    return None if best is None else best[1]


def _masks(small: np.ndarray) -> Iterator[np.ndarray]:
    """bool [h, w]: what may be a dark sheet's ground, or a light one's, by one level each."""
    channels = [small[:, :, place] for place in range(small.shape[2])]
    high, low = channels[0], channels[0]
    for one in channels[1:]:
        high, low = np.maximum(high, one), np.minimum(low, one)
    for level in LEVELS:
        yield high < level
        yield low > level


def _parts(mask: np.ndarray) -> Iterator[np.ndarray]:
    """Points of each large part of a mask, and of all of them together: a thing may part its ground in two."""
    import cv2

    each = 0.006 * mask.size
    if np.count_nonzero(mask) < each:
        return
    # what else it can count of each part takes four times as long; a copy has no more parts than 16 bits can name
    _, labels = cv2.connectedComponents(mask.view(np.uint8), connectivity=4, ltype=cv2.CV_16U)
    large = 1 + np.flatnonzero(np.bincount(labels.ravel())[1:] >= each)
    if len(large) > 8:
        return
    points = [_ends(labels == label) for label in large]
    yield from points
    if len(points) > 1:
        yield np.concatenate(points)


def _ends(part: np.ndarray) -> np.ndarray:
    """int32 [k, 2]: the first and the last point of each row, which have the hull of them all."""
    rows = np.flatnonzero(part.any(axis=1))
    first, last = part[rows].argmax(axis=1), part.shape[1] - 1 - part[rows, ::-1].argmax(axis=1)
    return np.stack([np.concatenate([first, last]), np.concatenate([rows, rows])], axis=1).astype(np.int32)


def _corners(outline: np.ndarray) -> np.ndarray | None:
    """float32 [k, 2] of a convex outline that has few straight sides; None for another."""
    import cv2

    length = cv2.arcLength(outline, True)
    for share in (0.015, 0.025, 0.035):
        found = cv2.approxPolyDP(outline, share * length, True)
        if len(found) <= 7:
            break
    else:
        return None
    if len(found) < 4 or cv2.contourArea(found) < 0.92 * cv2.contourArea(outline):
        return None
    return found.reshape(-1, 2).astype(np.float32)


def _terms(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    return np.stack([np.ones_like(x), (x + 0.5) / width - 0.5, (y + 0.5) / height - 0.5], axis=-1)


@dataclass(frozen=True)
class _Side:
    """Of a sheet. long: no cut corner; leads: which way; inner, outer: int [k, 2], points of the picture just within it
    and just without, None along the frame."""

    long: bool
    leads: np.ndarray
    inner: np.ndarray | None = None
    outer: np.ndarray | None = None


def _sides(corners: np.ndarray, height: int, width: int) -> list[_Side] | None:
    """None where they do not lie to each other as a sheet's do."""
    middle, sides = corners.mean(axis=0), []
    for one, other in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        along = other - one
        length = float(np.hypot(*along))
        normal = np.array([along[1], -along[0]], np.float32) / max(length, 1e-6)
        if (one + other) @ normal / 2 < middle @ normal:
            normal = -normal
        points = one + along * np.linspace(0.04, 0.96, max(8, round(length / 2)))[:, None]
        outer = np.rint(points + GAP * normal).astype(int)
        seen = (outer >= 0).all(axis=1) & (outer[:, 0] < width) & (outer[:, 1] < height)
        side = _Side(length > SHORT * max(height, width), along / max(length, 1e-6))
        if seen.mean() >= 0.5:
            inner = np.rint(points - GAP * normal).astype(int).clip(0, [width - 1, height - 1])
            side = _Side(side.long, side.leads, inner[seen], outer[seen])
        sides.append(side)
    free = [None if side.inner is None else side.leads for side in sides if side.long]
    bends = [
        abs(float(one @ other))
        for one, other in zip(free, free[1:] + free[:1], strict=True)
        if one is not None and other is not None
    ]
    if not 2 <= sum(side is not None for side in free) <= 4 or len(bends) < 1 or max(bends) > SLANT:
        return None
    return sides


def _plane(small: np.ndarray, mask: np.ndarray, corners: np.ndarray, terms: np.ndarray) -> np.ndarray | None:
    """float32 [3, c]: the plane of colour of a sheet's ground; None where this is no sheet.

    Every side that is not the frame must have the ground within and something else without.
    """
    import cv2

    height, width, _ = small.shape
    sides = _sides(corners, height, width)
    if sides is None:
        return None
    shape = np.zeros(mask.shape, np.uint8)
    cv2.fillConvexPoly(shape, np.rint(corners).astype(np.int32), 1)
    of_ground = np.flatnonzero(mask & (shape > 0))
    some = of_ground[:: max(1, len(of_ground) // 2_000)]
    flat, levels = terms.reshape(-1, 3), small.reshape(-1, small.shape[2])
    plane = np.linalg.lstsq(flat[some], levels[some].astype(np.float32), rcond=None)[0].astype(np.float32)
    apart = np.zeros(mask.shape, np.float32)
    for channel in range(small.shape[2]):
        apart = np.maximum(apart, np.abs(small[:, :, channel] - terms @ plane[:, channel]))
    rim = 2 * round(RIM * float(shape.sum()) ** 0.5) + 1
    inside = cv2.erode(shape, np.ones((rim, rim), np.uint8), borderValue=1) > 0
    shown = float((apart[inside] > NEAR).mean()) if inside.any() else 0.0
    if not SHOWN[0] <= shown <= SHOWN[1]:
        return None
    within, without = [], []
    for side in sides:
        inner, outer = side.inner, side.outer
        if inner is None or outer is None:
            continue
        is_near = apart[inner[:, 1], inner[:, 0]] <= NEAR
        change = np.abs(small[outer[:, 1], outer[:, 0]].astype(np.float32) - small[inner[:, 1], inner[:, 0]]).max(
            axis=1
        )
        is_other = ((apart[outer[:, 1], outer[:, 0]] > OTHER) & (change > OTHER))[is_near]
        if side.long and (is_near.mean() < EACH or is_other.mean() < 0.6):
            return None
        within.append(is_near)
        without.append(is_other)
    if np.concatenate(within).mean() < INSIDE or np.concatenate(without).mean() < OUTSIDE:
        return None
    return plane
