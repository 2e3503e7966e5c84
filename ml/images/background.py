"""Where the background ends: a plane of colour through the frame where it is plain, GrabCut where it is busy."""

from dataclasses import replace

import numpy as np
from PIL import Image, ImageFilter

from ml.images.form import Work, frame_pixels, pil


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
    if min(size) < 3:
        return work
    y, x = np.mgrid[0 : size[1], 0 : size[0]].astype(np.float32)
    terms = np.stack([np.ones_like(x), x / size[0] - 0.5, y / size[1] - 0.5], axis=-1)
    ring = max(1, round(min(size) * 0.04))
    frame, where = frame_pixels(small, ring), frame_pixels(terms, ring)
    near = np.abs(frame - np.median(frame, axis=0)).max(axis=1) <= 40
    plane = np.zeros((3, channels), np.float32)
    for _ in range(4):
        if near.mean() < 0.5:
            return work
        plane = np.linalg.lstsq(where[near], frame[near], rcond=None)[0].astype(np.float32)
        rest = np.abs(frame - where @ plane).max(axis=1)
        near = rest <= max(12.0, 4 * float(np.median(rest[near])))
    if near.mean() < 0.5:
        return work
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
        return work
    thing = np.asarray(Image.fromarray(differs).resize((width, height), Image.Resampling.NEAREST))
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    terms = np.stack([np.ones_like(x), (x + 0.5) / width - 0.5, (y + 0.5) / height - 0.5], axis=-1)
    return replace(work, ground=np.clip(terms @ plane, 0, 255), thing=thing)


def cut_out(image: np.ndarray, most: int) -> np.ndarray | None:
    """bool [h, w]: what GrabCut takes for the thing in a copy of at most so many pixels, None where it is none."""
    import cv2  # not at the top: reading runs needs no OpenCV

    height, width, _ = image.shape
    scale = min(1.0, most / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    if min(size) < 16:
        return None
    small = np.array(pil(image).convert("RGB").resize(size, Image.Resampling.BOX))
    ring = max(1, round(0.04 * min(size)))
    mask = np.zeros(small.shape[:2], np.uint8)
    cv2.setRNGSeed(0)  # its mixtures begin at random: the same picture is to give the same answer
    box = (ring, ring, size[0] - 2 * ring, size[1] - 2 * ring)
    try:
        cv2.grabCut(small, mask, box, np.zeros((1, 65)), np.zeros((1, 65)), 4, cv2.GC_INIT_WITH_RECT)
    except cv2.error:  # too few colours for a mixture
        return None
    foreground = _smooth((mask == cv2.GC_FGD) | (mask == cv2.GC_PR_FGD))
    core = np.zeros_like(foreground)
    core[size[1] // 4 : size[1] - size[1] // 4, size[0] // 4 : size[0] - size[0] // 4] = True
    foreground = _flood(core, foreground)  # what hangs together with the middle
    if not 0.03 < foreground.mean() < 0.8:
        return None
    return np.asarray(Image.fromarray(foreground).resize((width, height), Image.Resampling.NEAREST))


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
