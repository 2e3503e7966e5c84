"""Where the background ends: a plane of colour through the frame where it is plain, GrabCut from the colours of the
frame in any photograph."""

from dataclasses import replace

import numpy as np
from PIL import Image, ImageFilter

from ml.images.form import Work, frame_pixels, pil
from ml.images.remembered import searched

FLAT, STILL = 0.995, 1.5  # of the frame in one plane of colour, and half of it within so many levels


def enlarged(work: Work) -> Work | None:
    """A larger copy of a picture that lies as training pictures do, or its negative; None where it is none.

    Grey, of the network's proportions, on ground of the training level, and reaching from edge to edge one way.
    """
    form, image = work.form, work.image
    height, width = image.shape[:2]
    if form.background is None or height < form.height or width < form.width:
        return None
    if abs(height * form.width - width * form.height) > 0.01 * height * form.width or _colourful(image):
        return None
    grey = image.mean(axis=2)
    frame = frame_pixels(grey[:, :, None], max(1, round(height / form.height)))
    same = (np.median(frame) < 128) == (form.background < 128)
    level = form.background if same else 255 - form.background
    if (np.abs(frame - level) <= 16).mean() < 0.5:
        return None
    thing = np.abs(grey - level) > 16
    down, right = thing.any(axis=1).nonzero()[0], thing.any(axis=0).nonzero()[0]
    if not len(down) or max((np.ptp(down) + 1) / height, (np.ptp(right) + 1) / width) < 1 - 2.5 / form.height:
        return None
    return replace(work, ground=np.full(image.shape, level, np.float32), thing=thing, flat=True, lies=True)


def _colourful(image: np.ndarray) -> bool:
    """Whether any pixel's channels, of uint8 [h, w, c], differ by more than what a camera or a JPEG makes of grey."""
    high = low = image[:, :, 0]
    for channel in range(1, image.shape[2]):
        high, low = np.maximum(high, image[:, :, channel]), np.minimum(low, image[:, :, channel])
    return bool((high - low).max() > 8)


def find_background(work: Work) -> Work:
    """Find the background: a plane of colour through the frame, robust to a thing that touches it in places.

    Looked for in a copy of at most 160 pixels; a lit wall or a vignette is a slope, which a single colour would miss.
    """
    height, width, channels = work.image.shape
    scale = min(1.0, 160 / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = np.asarray(pil(work.image).resize(size, Image.Resampling.BOX), np.float32).reshape(
        size[1], size[0], channels
    )
    found = _ground(small) if min(size) >= 3 else None
    if found is None:
        return work
    plane, differs, flat = found
    thing = np.asarray(Image.fromarray(differs).resize((width, height), Image.Resampling.NEAREST))
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    terms = np.stack([np.ones_like(x), (x + 0.5) / width - 0.5, (y + 0.5) / height - 0.5], axis=-1)
    ground = np.clip(terms @ plane, 0, 255)
    return replace(work, ground=ground, thing=thing, flat=flat)


@searched
def _ground(small: np.ndarray) -> tuple[np.ndarray, np.ndarray, bool] | None:
    """The plane of colour of the background, float32 [3, c]; what differs from it, bool [h, w]; and whether all of the
    frame is in it and still. None where there is none. small: float32 [h, w, c]."""
    height, width, channels = small.shape
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    terms = np.stack([np.ones_like(x), x / width - 0.5, y / height - 0.5], axis=-1)
    ring = max(1, round(min(width, height) * 0.04))
    frame, where = frame_pixels(small, ring), frame_pixels(terms, ring)
    near = np.abs(frame - np.median(frame, axis=0)).max(axis=1) <= 40
    plane = np.zeros((3, channels), np.float32)
    for _ in range(4):
        if near.mean() < 0.5:
            return None
        plane = np.linalg.lstsq(where[near], frame[near], rcond=None)[0].astype(np.float32)
        rest = np.abs(frame - where @ plane).max(axis=1)
        near = rest <= max(12.0, 4 * float(np.median(rest[near])))
    if near.mean() < 0.5:
        return None
    apart = np.abs(small - terms @ plane).max(axis=2)
    noise = 4 * float(np.median(np.abs(frame - where @ plane).max(axis=1)[near]))
    most = float(np.percentile(apart, 99))
    level = max(13.0, noise, min(40.0, 0.12 * most))  # 13: the authors' 5 % of full scale
    differs = _smooth(apart > level)
    strong = apart > 0.4 * most
    # a floor or a dark corner differs too, but faintly, and reaches into a corner of the frame
    corners = np.zeros_like(differs)
    corners[[0, 0, -1, -1], [0, -1, 0, -1]] = True
    differs &= ~_flood(corners, differs & ~strong)
    differs = _flood(strong, differs)  # specks and shadows apart from the thing hang together with nothing strong
    frame_only = np.ones_like(differs)
    frame_only[1:-1, 1:-1] = False
    differs = ~_flood(frame_only, ~differs)  # holes belong to the thing
    if not 0.002 < differs.mean() < 0.98:
        return None
    return plane, differs, bool(near.mean() >= FLAT and noise <= 4 * STILL)


def cut_out(image: np.ndarray, most: int) -> np.ndarray | None:
    """bool [h, w]: what GrabCut takes for the thing in a copy of at most so many pixels, None where it is none.

    It begins with what is unlike every colour that the frame has much of, and ends with the largest part near the
    middle and those of at least a quarter of its size.
    """
    height, width, _ = image.shape
    scale = min(1.0, most / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    if min(size) < 16:
        return None
    thing = _cut_out(np.array(pil(image).convert("RGB").resize(size, Image.Resampling.BOX)))
    if thing is None:
        return None
    return np.asarray(Image.fromarray(thing).resize((width, height), Image.Resampling.NEAREST))


@searched
def _cut_out(small: np.ndarray) -> np.ndarray | None:
    """bool [h, w], of the copy itself, uint8 [h, w, 3]."""
    import cv2  # not at the top: reading runs needs no OpenCV

    height, width, _ = small.shape
    unlike = _unlike_frame(small)
    if unlike is None:
        return None
    level, _ = cv2.threshold(unlike, 0, 255, cv2.THRESH_OTSU)
    stands_out = unlike > level
    mask = np.where(stands_out, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    ring = max(1, round(0.04 * min(height, width)))
    frame = np.ones_like(stands_out)
    frame[ring:-ring, ring:-ring] = False
    mask[frame & ~stands_out] = cv2.GC_BGD  # a thing may reach over the frame
    cv2.setRNGSeed(0)  # its mixtures begin at random: the same picture is to give the same answer
    try:
        cv2.grabCut(small, mask, (0, 0, width, height), np.zeros((1, 65)), np.zeros((1, 65)), 3, cv2.GC_INIT_WITH_MASK)
    except cv2.error:  # too few colours for a mixture
        return None
    thing = _parts(np.isin(mask, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8))
    return thing if thing is not None and 0.02 < thing.mean() < 0.9 else None


def _unlike_frame(small: np.ndarray) -> np.ndarray | None:
    """uint8 [h, w]: how far each pixel's colour is from the nearest that the frame has much of, less towards the
    corners; None where all is of one colour. small: uint8 [h, w, 3]."""
    import cv2

    height, width, _ = small.shape
    lab = cv2.GaussianBlur(cv2.cvtColor((small / 255).astype(np.float32), cv2.COLOR_RGB2LAB), (0, 0), 1)
    # shadows change how light a floor is, and hardly its colour
    lab = lab * np.array([0.7, 1, 1], np.float32)
    frame = np.ascontiguousarray(frame_pixels(lab, max(1, round(0.04 * min(height, width)))))
    cv2.setRNGSeed(0)
    stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 10, 1.0)
    _, labels, colours = cv2.kmeans(frame, 4, np.zeros((len(frame), 1), np.int32), stop, 1, cv2.KMEANS_PP_CENTERS)
    # a corner of the thing, or a wire, is no colour of the ground
    colours = colours[np.bincount(labels.ravel(), minlength=4) >= 0.1 * len(frame)]
    apart = np.linalg.norm(lab[:, :, None] - colours, axis=3).min(axis=2)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    apart *= 1 - 0.15 * (((2 * x + 1) / width - 1) ** 2 + ((2 * y + 1) / height - 1) ** 2)
    most = float(np.percentile(apart, 99))
    return np.clip(apart * (255 / most), 0, 255).astype(np.uint8) if most > 1 else None


def _parts(mask: np.ndarray) -> np.ndarray | None:
    """bool [h, w]: the parts of a mask, uint8 [h, w] of 0 and 1, that make up the thing, without holes."""
    import cv2

    mask = cv2.medianBlur(mask, 5)
    count, labels, stats, middles = cv2.connectedComponentsWithStats(mask, connectivity=8)
    if count < 2:
        return None
    away = ((middles[1:] / (mask.shape[1], mask.shape[0]) - 0.5) ** 2).sum(axis=1)
    weights = stats[1:, cv2.CC_STAT_AREA] * np.exp(-4 * away)
    kept = np.isin(labels, 1 + np.flatnonzero(weights >= weights.max() / 4)).astype(np.uint8)
    outlines, _ = cv2.findContours(kept, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return cv2.drawContours(np.zeros_like(kept), outlines, -1, 1, cv2.FILLED) > 0


def _smooth(mask: np.ndarray) -> np.ndarray:
    """bool [h, w] without single pixels, where there are enough to tell."""
    if min(mask.shape) < 64:
        return mask
    return np.asarray(Image.fromarray((mask * 255).astype(np.uint8)).filter(ImageFilter.MedianFilter(3))) > 0


def _flood(start: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The part of a mask that hangs together with a start; all bool [h, w]."""
    reached = start & mask
    while True:
        wider = reached.copy()
        wider[1:] |= reached[:-1]
        wider[:-1] |= reached[1:]
        wider[:, 1:] |= reached[:, :-1]
        wider[:, :-1] |= reached[:, 1:]
        wider &= mask
        if (wider == reached).all():
            return reached
        reached = wider
