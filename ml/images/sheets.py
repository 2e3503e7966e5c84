"""A picture within the picture: a print on a table, or a screen, whose own plain ground ends before the frame does."""

import hashlib
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image

from ml.images.background import find_background
from ml.images.form import Form, Work, pil
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
COLOURS, STEP = 6, 37  # that sheets of four sides are looked for by too, of one pixel in so many
FAINT = 0.75  # OUTSIDE of four sides of which one is faint, as a table may have the paper's colour there
FULL = 0.94  # SHOWN of four sides
KEYSTONE = 0.65  # of the longer of two opposite sides is the shorter, at least
SHRUNK = 2.5  # pixels of the copy by which a sheet is taken smaller than it was found: its edges are mixed
MARGIN, WHOLE = 0.3, 0.8  # of a print's paper, and of what is on it, that what is printed covers at least

_Outline = tuple[np.ndarray, np.ndarray]  # corners, float32 [k, 2] in the copy; plane of colour, float32 [3, c]
Found = tuple[_Outline | None, np.ndarray | None]  # the surest; and see Sheets.corners
_LATEST: deque[tuple[bytes, Found]] = deque(maxlen=4)
"""One search for both: which run is asked is told from a sheet, and the preparation takes it off what it lies on."""


@dataclass(frozen=True)
class Sheet:
    """within: bool [h, w], where it lies; ground: float32 [h, w, c], its own, as a plane of colour over the picture."""

    within: np.ndarray
    ground: np.ndarray


@dataclass(frozen=True)
class Sheets:
    """What was found in a picture. sure: the largest whose every side is clear; corners: float32 [4, 2], x and y of the
    corners of what is printed on the largest that has all four sides in the picture, without the paper's margin,
    clockwise from the upper left. A garment may look like the latter: whoever takes it looks at what it shows."""

    sure: Sheet | None
    corners: np.ndarray | None


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
    return find_sheets(image).sure


def find_sheets(image: np.ndarray) -> Sheets:
    """Every way to see a sheet in a picture, uint8 [h, w, c]."""
    key = hashlib.sha256(repr(image.shape).encode() + np.ascontiguousarray(image).tobytes()).digest()
    for other, before in list(_LATEST):
        if other == key:
            return _sheets(image, before)
    found = _find(image)
    _LATEST.append((key, found))
    return _sheets(image, found)


def _scaled(image: np.ndarray) -> float:
    """How much smaller the copy is in which sheets are looked for."""
    return min(1.0, SIDE / max(image.shape[:2]))


def _sheets(image: np.ndarray, found: Found) -> Sheets:
    outline, four = found
    if outline is None:
        return Sheets(None, four)
    import cv2

    (height, width), (corners, plane) = image.shape[:2], outline
    within = np.zeros((height, width), np.uint8)
    cv2.fillConvexPoly(within, np.rint((_shrunk(corners) + 0.5) / _scaled(image) - 0.5).astype(np.int32), 1)
    ground = np.clip(_terms(height, width) @ plane, 0, 255).astype(np.float32)
    return Sheets(Sheet(within > 0, ground), four)


def _shrunk(corners: np.ndarray) -> np.ndarray:
    middle = corners.mean(axis=0)
    inner: np.ndarray = middle + (corners - middle) * (1 - SHRUNK / np.maximum(np.abs(corners - middle).max(axis=0), 3))
    return inner


def laid_flat(image: np.ndarray, corners: np.ndarray, ratio: float | None = None) -> tuple[np.ndarray, np.ndarray]:
    """What lies between four corners, float32 [4, 2], seen from above: uint8 [h, w, c], and float [2, 3], about where
    its points lie in the picture (Prepared.place). ratio: of width to height, for what is nearly so."""
    import cv2

    sides = np.linalg.norm(np.roll(corners, -1, axis=0) - corners, axis=1)
    wide, tall = float(sides[::2].mean()), float(sides[1::2].mean())
    if ratio is not None and 0.75 < wide / tall / ratio < 1 / 0.75:
        wide, tall = (wide * tall * ratio) ** 0.5, (wide * tall / ratio) ** 0.5
    width, height = max(2, round(wide)), max(2, round(tall))
    ends = _ends_of(height, width)
    turn = cv2.getPerspectiveTransform(corners, ends)
    flat = cv2.warpPerspective(image, turn, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    from_corner = np.concatenate([ends + 0.5, np.ones((4, 1), np.float32)], axis=1)
    place = np.linalg.lstsq(from_corner, corners + 0.5, rcond=None)[0].T
    return flat.reshape(height, width, -1), place


def _ends_of(height: int, width: int) -> np.ndarray:
    return np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32) - 0.5


def reaches(thing: np.ndarray, slack: float) -> bool:
    """Whether a shape, bool [h, w], goes from edge to edge one way, but for that share of the picture's length."""
    down, right = np.flatnonzero(thing.any(axis=1)), np.flatnonzero(thing.any(axis=0))
    if not len(down):
        return False
    return bool(max((np.ptp(down) + 1) / len(thing), (np.ptp(right) + 1) / thing.shape[1]) >= 1 - slack)


def _find(image: np.ndarray) -> Found:
    sure, four = _largest(image)
    if four is None:
        return sure, None
    inner = _printed(image, four)
    return sure, four if inner is None else inner


def _printed(image: np.ndarray, four: np.ndarray) -> np.ndarray | None:
    """float32 [4, 2]: the corners of what is printed on a paper with these corners, where it has a margin, and a ground
    of its own."""
    import cv2

    flat, _ = laid_flat(image, four)
    paper = find_background(Work(flat, Form(*flat.shape)))
    if paper.thing is None or reaches(paper.thing, 0.02):
        return None
    _, corners = _largest(flat)
    if corners is None:
        return None
    shape = np.zeros(flat.shape[:2], np.uint8)
    cv2.fillConvexPoly(shape, np.rint(corners).astype(np.int32), 1)
    both = float(((shape > 0) & paper.thing).sum() / ((shape > 0) | paper.thing).sum())
    if both < WHOLE or shape.mean() < MARGIN:
        return None
    back = cv2.getPerspectiveTransform(_ends_of(*flat.shape[:2]), four)
    return cv2.perspectiveTransform(corners[None], back)[0].astype(np.float32)


def _largest(image: np.ndarray) -> tuple[_Outline | None, np.ndarray | None]:
    """The largest sheet whose every side is clear; and, float32 [4, 2] in the picture, the corners of the largest that
    has four sides in it, of which one may be faint."""
    height, width, channels = image.shape
    scale = _scaled(image)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    if min(size) < 48:
        return None, None
    sure, four = _outlines(
        np.asarray(pil(image).resize(size, Image.Resampling.BOX)).reshape(size[1], size[0], channels)
    )
    return sure, None if four is None else ((four + 0.5) / scale - 0.5).astype(np.float32)


@searched
def _outlines(small: np.ndarray) -> tuple[_Outline | None, np.ndarray | None]:
    """Both of the copy itself, uint8 [h, w, c]."""
    import cv2  # not before it is needed: 15 MB that reading runs and small pictures go without

    height, width, _ = small.shape
    terms = _terms(height, width)
    sure: tuple[float, _Outline] | None = None
    four: tuple[float, np.ndarray] | None = None
    for mask, by_level in _masks(small):
        for part, of_many in _parts(mask):
            outline = cv2.convexHull(part)
            area = cv2.contourArea(outline) / mask.size
            for_sure = by_level and not of_many and (sure is None or area > sure[0])
            if not SHARE[0] <= area <= SHARE[1] or not (for_sure or four is None or area > four[0]):
                continue
            corners = _corners(outline)
            sides = None if corners is None else _sides(corners, height, width)
            if corners is None or sides is None:
                continue
            found = _plane(small, mask, corners, sides, terms)
            if found is None:
                continue
            plane, clear = found
            if clear and for_sure:
                sure = area, (corners, plane)
            if four is None or area > four[0]:
                seen = _four(corners, sides)
                if seen is not None:
                    four = area, _shrunk(seen)
    return None if sure is None else sure[1], None if four is None else four[1]


def _four(corners: np.ndarray, sides: "list[_Side]") -> np.ndarray | None:
    """float [4, 2], clockwise from the upper left: where long sides meet, whatever corners were cut. None where one is
    the frame, or the sheet is seen from too far aside."""
    places = [place for place, side in enumerate(sides) if side.long]
    if len(places) != 4 or any(sides[place].inner is None for place in places):
        return None
    points = []
    for one, other in zip(places, places[1:] + places[:1], strict=True):
        along, across = sides[one].leads.astype(np.float64), sides[other].leads.astype(np.float64)
        start, end = corners[one].astype(np.float64), corners[other].astype(np.float64)
        points.append(start + along * np.linalg.solve(np.stack([along, -across], axis=1), end - start)[0])
    four = np.array(points)
    lengths = np.linalg.norm(np.roll(four, -1, axis=0) - four, axis=1)
    if min(lengths[:2] / lengths[2:]) < KEYSTONE or max(lengths[:2] / lengths[2:]) > 1 / KEYSTONE:
        return None
    rest = four - four.mean(axis=0)
    four = four[np.argsort(np.arctan2(rest[:, 1], rest[:, 0]))]  # clockwise, as y leads down
    steps = np.roll(four, -1, axis=0) - four
    return np.roll(four, -int(np.argmin(np.abs(np.arctan2(steps[:, 1], steps[:, 0])))), axis=0)


def _masks(small: np.ndarray) -> Iterator[tuple[np.ndarray, bool]]:
    """bool [h, w]: what may be a dark sheet's ground, or a light one's, by one level each, True; and what has a colour
    that there is much of, False."""
    import cv2

    channels = [small[:, :, place] for place in range(small.shape[2])]
    high, low = channels[0], channels[0]
    for one in channels[1:]:
        high, low = np.maximum(high, one), np.minimum(low, one)
    for level in LEVELS:
        yield high < level, True
        yield low > level, True
    some = np.ascontiguousarray(small.reshape(-1, small.shape[2])[::STEP].astype(np.float32))
    if (some == some[0]).all():
        return
    cv2.setRNGSeed(0)  # the same picture is to have the same sheet
    stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 8, 1.0)
    _, _, colours = cv2.kmeans(some, COLOURS, np.zeros((len(some), 1), np.int32), stop, 1, cv2.KMEANS_PP_CENTERS)
    for colour in colours:
        apart = [np.abs(one - level) <= NEAR for one, level in zip(channels, colour, strict=True)]
        yield np.all(apart, axis=0), False


def _parts(mask: np.ndarray) -> Iterator[tuple[np.ndarray, bool]]:
    """Points of each large part of a mask, and of the largest together: a thing may part its ground in two. True for
    some of several but not all."""
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
    points.sort(key=len, reverse=True)
    for one in points:
        yield one, False
    for count in range(2, len(points) + 1):
        yield np.concatenate(points[:count]), count < len(points)


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


def _plane(
    small: np.ndarray, mask: np.ndarray, corners: np.ndarray, sides: list[_Side], terms: np.ndarray
) -> tuple[np.ndarray, bool] | None:
    """float32 [3, c], the plane of colour of a sheet's ground, and whether every side is clear; None where this is no
    sheet.

    Every side that is not the frame must have the ground within and something else without; of four, one may be faint.
    """
    import cv2

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
    core = cv2.erode(shape, np.ones((rim, rim), np.uint8), borderValue=1) > 0
    shown = float((apart[core] > NEAR).mean()) if core.any() else 0.0
    long = sum(side.long and side.inner is not None for side in sides)
    if not SHOWN[0] <= shown <= (SHOWN[1] if long < 4 else FULL):
        return None
    within, without, faint = [], [], 0
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
            faint += 1
            if long < 4 or faint > 1 or is_near.mean() < INSIDE or is_other.mean() < 0.2:
                return None
        within.append(is_near)
        without.append(is_other)
    inside, outside = float(np.concatenate(within).mean()), float(np.concatenate(without).mean())
    clear = not faint and outside >= OUTSIDE and shown <= SHOWN[1]
    if inside < INSIDE or not (clear or (long == 4 and outside >= FAINT)):
        return None
    return plane, clear
