"""What a print or a screen shows, taken off what it lies on; and what looks like one and is a thing of its own."""

from dataclasses import replace

import numpy as np

from ml.images.background import find_background
from ml.images.form import Work
from ml.images.sheets import find_sheets, laid_flat, reaches

SCRAP = 0.06  # of a print: what it shows covers more
DARK, LIGHT = 76, 140  # levels up to and from which the ground of a print is: between them it is a thing that looks so
WHOLE = 0.8  # of what lies on a plain ground, and of a sheet on it, both hold at least


def of_print(work: Work) -> Work | None:
    """What a print or a screen shows. Laid flat where that fills it as pictures of the form do, or nothing else lies on
    the ground; else with its own ground in place of what it lies on. None where there is no print."""
    found = find_sheets(work.image)
    whole = found.sure is not None and _whole(found.sure.within, work.thing)
    if found.corners is not None:
        form = work.form
        image, place = laid_flat(work.image, found.corners, form.width / form.height)
        place = work.place @ np.vstack([place, [0.0, 0.0, 1.0]])
        flat = find_background(replace(work, image=image, place=place, ground=None, thing=None))
        if flat.thing is not None and _shows(flat):
            lies = reaches(_main(flat.thing), 2.5 / form.height)
            if lies or whole:
                return replace(flat, lies=lies, straight=True)
    if found.sure is None or not whole:
        return None
    on_it = np.where(found.sure.within[:, :, None], work.image, np.rint(found.sure.ground).astype(np.uint8))
    around = find_background(replace(work, image=on_it, ground=None, thing=None))
    return around if _shows(around, found.sure.within) else None


def _shows(work: Work, within: np.ndarray | None = None) -> bool:
    """Whether what was found lies on a print's ground and is more than the seam, or a fold, of a thing that looks like
    a sheet. within: bool [h, w], where the sheet is, None for everywhere."""
    if work.ground is None or work.thing is None:
        return False
    ground = work.ground if within is None else work.ground[within]
    share = work.thing.mean() if within is None else (work.thing & within).sum() / max(within.sum(), 1)
    return bool(share >= SCRAP and not DARK < ground.mean() < LIGHT)


def _main(thing: np.ndarray) -> np.ndarray:
    """The largest part of a shape, bool [h, w], where it is more than a scrap; else nothing."""
    import cv2

    count, labels, stats, _ = cv2.connectedComponentsWithStats(thing.astype(np.uint8), connectivity=8)
    if count < 2:
        return np.zeros_like(thing)
    label = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    return (labels == label) & (stats[label, cv2.CC_STAT_AREA] >= 0.08 * thing.size)


def _whole(within: np.ndarray, thing: np.ndarray | None) -> bool:
    """Whether a sheet is all that lies on a plain ground, where there is one: a part of a garment may look like one."""
    return thing is None or bool((within & thing).sum() >= WHOLE * (within | thing).sum())
