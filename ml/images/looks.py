"""What kind of picture one is, before any network sees it: a few numbers of its colours, its ground and its detail.

They say nothing of what it shows. Any two pictures can be compared by them, whatever their size, so that the pictures
of several data sets can be: a scan of 28 pixels that was enlarged has its levels but none of a photograph's detail.
"""

import numpy as np
from PIL import Image

from ml.images.form import frame_pixels

SIDE = 224  # pixels that are looked at, along the longer side
SCALES = (16, 32, 64, 128)  # pixels along the longer side, between which detail is told apart
NAMES = (
    "saturation", "saturation_spread", "hues", "light", "contrast", "frame", "frame_light", "flat",
    *(f"detail_{side}" for side in SCALES),
)  # fmt: skip
"""saturation, its deviation over the picture, and how far colours differ from each other; mean and deviation of the
levels; share of the frame within 16 levels of its median, and that median; share of neighbours that are alike to the
level; and of what a copy of each of SCALES lacks, the logarithm of its deviation, in levels."""


def looks(image: np.ndarray) -> np.ndarray:
    """uint8 [h, w, 1 or 3] → float32 [len(NAMES)], shares from 0 to 1 and logarithms."""
    picture = Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image)
    if max(picture.size) > SIDE:
        picture.thumbnail((SIDE, SIDE), Image.Resampling.BOX, reducing_gap=None)
    pixels = np.asarray(picture, np.float32).reshape(picture.height, picture.width, -1)
    spread = pixels.max(axis=2) - pixels.min(axis=2)
    centred = pixels - pixels.mean(axis=2, keepdims=True)
    grey = pixels.mean(axis=2)
    frame = frame_pixels(grey[:, :, None])[:, 0]
    level = float(np.median(frame))
    alike = [np.abs(np.diff(grey, axis=axis)) < 0.5 for axis in (0, 1)]
    flat = sum(float(part.sum()) for part in alike) / max(sum(part.size for part in alike), 1)
    values = [
        spread.mean() / 255, spread.std() / 255, centred.reshape(-1, pixels.shape[2]).std(axis=0).mean() / 255,
        grey.mean() / 255, grey.std() / 255, float((np.abs(frame - level) <= 16).mean()), level / 255, flat,
        *_detail(grey),
    ]  # fmt: skip
    return np.array(values, np.float32)


def _detail(grey: np.ndarray) -> list[float]:
    """Of each of SCALES, how far its copy is from the picture, against the picture's own deviation."""
    whole = Image.fromarray(grey)
    found = []
    for side in SCALES:
        share = side / max(whole.size)
        if share >= 1:
            found.append(np.log(0.25))
            continue
        small = whole.resize([max(1, round(n * share)) for n in whole.size], Image.Resampling.BOX)
        lacking = grey - np.asarray(small.resize(whole.size, Image.Resampling.BICUBIC))
        found.append(float(np.log(0.25 + lacking.std())))
    return found
