"""How a picture of any size becomes one of a network's size: what a data set was made by, and what its runs carry.

`pad` keeps the proportions and lays the picture on a ground, black unless another colour was chosen; `crop` keeps them
and cuts what stands over; `stretch` gives them up. Import and every question go through `fit`, so that a run is asked
about what it learned from.
"""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image

FITTINGS = ("pad", "crop", "stretch")
# a data set whose files have its size already, so that any other size is none of its own
NATIVE = "native"
WORDS = {
    "pad": "its proportions kept, on black",
    "crop": "its proportions kept, what stands over cut",
    "stretch": "as the model sees it",
}
RESAMPLING = {
    "lanczos": Image.Resampling.LANCZOS,
    "bicubic": Image.Resampling.BICUBIC,
    "bilinear": Image.Resampling.BILINEAR,
    "box": Image.Resampling.BOX,
    "nearest": Image.Resampling.NEAREST,
}
USUAL = "lanczos"
COLOUR = re.compile(r"#[0-9a-fA-F]{6}")


def known(fitting: object) -> str:
    """One of FITTINGS: `pad`, by which data sets were made before they said so, for anything else."""
    return fitting if isinstance(fitting, str) and fitting in FITTINGS else "pad"


def manner(description: Mapping[str, Any]) -> dict[str, Any]:
    """What of a Form a data set chose when its files were made to fit, as dataset.json or a manifest has it; what it
    does not say is as it was before data sets could choose."""
    resampling = description.get("resampling")
    return {
        "fitting": known(description.get("fitting")),
        "resampling": resampling if isinstance(resampling, str) and resampling in RESAMPLING else USUAL,
        **reading(description),
    }


def reading(description: Mapping[str, Any]) -> dict[str, Any]:
    """What of it says how files are read, as ml.images.decoding.decode takes it."""
    background = description.get("background")
    return {
        "laid_on": background if isinstance(background, str) and COLOUR.fullmatch(background) else "",
        "levels": _levels(description.get("levels")),
    }


def _levels(said: object) -> tuple[float, float] | None:
    if not isinstance(said, list | tuple) or len(said) != 2 or not all(isinstance(one, int | float) for one in said):
        return None
    return (float(said[0]), float(said[1])) if -1e12 < said[0] < said[1] < 1e12 else None


def rgb(colour: str) -> tuple[int, int, int]:
    """#rrggbb as three levels; black for ''."""
    level = int(colour.removeprefix("#") or "0", 16)
    return level >> 16, level >> 8 & 255, level & 255


def fit(
    image: np.ndarray, height: int, width: int, how: str, resampling: str = USUAL, laid_on: str = ""
) -> tuple[np.ndarray, np.ndarray]:
    """uint8 [h, w, c] → uint8 [height, width, c], and float [2, 3]: from its points (x, y, 1) to those of `image`.

    resampling: one of RESAMPLING; laid_on: the colour around what is padded, black for ''.
    """
    high, wide, channels = image.shape
    box = (0.0, 0.0, float(wide), float(high))
    inner = (width, height)
    if how == "crop":
        scale = min(wide / width, high / height)
        # rounding may pass the edge, which Pillow refuses
        across, down = min(scale * width, wide), min(scale * height, high)
        left, top = (wide - across) / 2, (high - down) / 2
        box = (left, top, left + across, top + down)
    elif how == "pad" and wide * height > high * width:
        inner = (width, max(1, round(high / wide * width)))
    elif how == "pad" and wide * height < high * width:
        inner = (max(1, round(wide / high * height)), height)
    source = Image.fromarray(np.ascontiguousarray(image[:, :, 0] if channels == 1 else image))
    # a photograph that fills its frame may be averaged first: far quicker, and no data set was made that way before
    gap = 3.0 if how == "stretch" else None
    small = np.asarray(source.resize(inner, RESAMPLING[resampling], box, gap)).reshape(inner[1], inner[0], channels)
    left, top = round((width - inner[0]) * 0.5), round((height - inner[1]) * 0.5)
    across, down = (box[2] - box[0]) / inner[0], (box[3] - box[1]) / inner[1]
    place = np.array([[across, 0.0, box[0] - left * across], [0.0, down, box[1] - top * down]])
    if inner == (width, height):
        return small, place
    around = Image.new("RGB", (1, 1), rgb(laid_on)).convert("RGB" if channels == 3 else "L")
    whole = np.broadcast_to(np.asarray(around).reshape(1, 1, -1), (height, width, channels)).copy()
    whole[top : top + inner[1], left : left + inner[0]] = small
    return whole, place
