"""Two alike long things side by side, as pairs of shoes are photographed from above: one of them, as from the side."""

from dataclasses import replace
from itertools import combinations

import numpy as np
from PIL import Image

from ml.images.form import Work
from ml.images.geometry import evenness, rotated

SIDE = 128  # pixels of the copy in which outlines are followed
ALIKE = 0.65  # of the larger one's size is the smaller one's
LONG = 1.7  # times as long as wide
FULL = 0.9  # of its convex hull
EVEN = 0.78  # alike left and right of its long axis
NOTCH = 0.04  # of its length: how deep the outline goes in where two things touch


def one_of_a_pair(work: Work) -> Work | None:
    """The larger of two alike things, laid along the picture, and of it the upper half; None where there is no pair.

    A shoe from above is about as even as its sole: cut along its length it is flat below and curved above, as it is
    from the side.
    """
    if work.thing is None or work.ground is None:
        return None
    one = parted(work.thing)
    if one is None:
        return None
    turned = rotated(replace(work, thing=one, image=_on_ground(work.image, one, work.ground)), _upright(one) - 90)
    assert turned.thing is not None
    assert turned.ground is not None
    rows = np.flatnonzero(turned.thing.any(axis=1))
    half = turned.thing.copy()
    half[(rows[0] + rows[-1] + 1) // 2 :] = False
    return replace(turned, thing=half, image=_on_ground(turned.image, half, turned.ground))


def parted(thing: np.ndarray) -> np.ndarray | None:
    """The larger of the two alike long things that a shape shows, beside one another or touching; both bool [h, w].
    None where it shows no two."""
    import cv2  # not at the top: reading runs needs no OpenCV

    height, width = thing.shape
    scale = min(1.0, SIDE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = np.asarray(Image.fromarray(thing).resize(size, Image.Resampling.NEAREST)).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(small, connectivity=8)
    if count < 2:
        return None
    largest = 1 + np.argsort(-stats[1:, cv2.CC_STAT_AREA], kind="stable")
    two = [labels == label for label in largest[:2]]
    apart = len(two) == 2 and sum(part.sum() for part in two) > 0.85 * small.sum()
    choices: list[list[np.ndarray]] = [two] if apart and _likeness(two) >= ALIKE else _cuts(two[0])
    choices = [parts for parts in choices if _likeness(parts) >= ALIKE and all(map(_like_a_sole, parts))]
    if not choices:
        return None
    best = max(choices, key=_likeness)
    larger = best[int(best[1].sum() > best[0].sum())]
    return thing & np.asarray(Image.fromarray(larger).resize((width, height), Image.Resampling.NEAREST))


def _cuts(shape: np.ndarray) -> list[list[np.ndarray]]:
    """Every way to cut a shape, bool [h, w], in two between two of the deepest notches of its outline."""
    import cv2

    outline = _outline(shape)
    try:
        notches = cv2.convexityDefects(outline, cv2.convexHull(outline, returnPoints=False))
    except cv2.error:  # an outline that touches itself
        return []
    rows = np.reshape([] if notches is None else notches, (-1, 4))
    deep = [row for row in rows if row[3] / 256 > NOTCH * max(cv2.minAreaRect(outline)[1])]
    deep.sort(key=lambda row: -int(row[3]))
    points = outline.reshape(-1, 2).astype(float)
    y, x = np.nonzero(shape)
    found = []
    for one, other in combinations((points[row[2]] for row in deep[:4]), 2):
        along = other - one
        length = float(np.hypot(*along))
        if length < 4:
            continue
        aside, ahead = (
            (x - one[0]) * along[1] - (y - one[1]) * along[0],
            (x - one[0]) * along[0] + (y - one[1]) * along[1],
        )
        if np.ptp(ahead) < 0.9 * np.ptp(aside):  # alike things that touch lie along their cut
            continue
        part = np.zeros_like(shape)
        part[y[aside > 0], x[aside > 0]] = True
        found.append([part, shape & ~part])
    return found


def _likeness(parts: list[np.ndarray]) -> float:
    sizes = [int(part.sum()) for part in parts]
    return min(sizes) / max(*sizes, 1)


def _like_a_sole(part: np.ndarray) -> bool:
    """Whether a part, bool [h, w], is long, full and even about its long axis: no sleeve, no half of a shirt."""
    import cv2

    outline = _outline(part)
    _, sides, _ = cv2.minAreaRect(outline)
    if min(sides) < 2 or max(sides) < LONG * min(sides):
        return False
    if cv2.contourArea(outline) < FULL * cv2.contourArea(cv2.convexHull(outline)):
        return False
    stood = Image.fromarray(part).convert("L").rotate(_upright(part), expand=True)
    stood = stood.crop(stood.getbbox())
    stood.thumbnail((48, 48))
    room = Image.new("L", (80, 80))
    room.paste(stood, ((80 - stood.width) // 2, (80 - stood.height) // 2))
    return evenness(np.asarray(room, np.float32)) >= EVEN


def _outline(shape: np.ndarray) -> np.ndarray:
    import cv2

    outlines, _ = cv2.findContours(shape.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return max(outlines, key=cv2.contourArea)


def _upright(shape: np.ndarray) -> float:
    """By how many degrees counter-clockwise a shape, bool [h, w], is to be turned for its long axis to stand."""
    y, x = np.nonzero(shape)
    _, axes = np.linalg.eigh(np.cov(np.stack([x, y])))
    right, down = axes[:, 1]
    return float(np.degrees(np.arctan2(down, right)) + 90) % 180


def _on_ground(image: np.ndarray, thing: np.ndarray, ground: np.ndarray) -> np.ndarray:
    return np.where(thing[:, :, None], image, np.clip(np.rint(ground), 0, 255).astype(np.uint8))
