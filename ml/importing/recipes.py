"""How timm and torchvision say that pictures of an architecture are made ready: read, and followed where possible."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ml import models
from ml.images.framing import LEAST_SHARE, RESAMPLING
from ml.importing.understanding import Wishes
from ml.inference.imported_torch import TORCHVISION
from ml.system.torchvision_ops import declare


@dataclass(frozen=True)
class Recipe:
    """whose: in a sentence; mean, deviation: of pixels from 0 to 1; size: height and width, () where it is not said;
    share: of the shorter side that is left; resampling: '' for one that is not known here."""

    whose: str
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    size: tuple[int, ...] = ()
    share: float = 1.0
    resampling: str = ""

    @property
    def words(self) -> str:
        middle = f", the middle {self.share:g} of the shorter side" if self.share < 1 else ""
        return f"{' × '.join(map(str, self.size))}{middle}{f', {self.resampling}' if self.resampling else ''}"

    def framing(self, shape: tuple[int, int], wishes: Wishes) -> tuple[dict[str, Any], list[str]]:
        """Fields of Wishes for pictures of (height, width), none where they are smaller than it begins with or where a
        person says one of them, and a sentence."""
        if not self.size or wishes.size or wishes.frame or wishes.share or wishes.resampling:
            return {}, []
        flags = f"--input-size {'x'.join(map(str, self.size))} --frame crop --share {self.share:.4g}"
        flags += f" --resampling {self.resampling}" if self.resampling else ""
        if any(side * self.share + 0.5 < wanted for side, wanted in zip(shape, self.size, strict=True)):
            height, width = shape
            return {}, [
                f"{self.whose} recipe ({self.words}) is not followed: pictures of the data set are {height} × {width}, "
                f"less than it begins with ({flags} follows it all the same)"
            ]
        fields: dict[str, Any] = {"frame": "crop", "share": self.share, "size": self.size}
        fields |= {"resampling": self.resampling} if self.resampling else {}
        return fields, [f"pictures are made ready by {self.whose} recipe: {self.words}"]


def of(architecture: str, said: Mapping[str, Any]) -> Recipe | None:
    """said: a configuration of timm's beside the weights. None where nobody says one."""
    if architecture.startswith(models.TIMM):
        return _of_timm(architecture.removeprefix(models.TIMM), said.get("pretrained_cfg") or {})
    if architecture.startswith(TORCHVISION):
        return _of_torchvision(architecture.removeprefix(TORCHVISION))
    return None


def _of_timm(name: str, beside: Mapping[str, Any]) -> Recipe | None:
    declare()
    import timm

    known = timm.get_pretrained_cfg(name, allow_unregistered=True)
    stated = {**(known.to_dict() if known is not None else {}), **beside}
    if not stated.get("mean"):
        return None
    size = stated.get("input_size") or ()
    resampling, share = str(stated.get("interpolation") or ""), float(stated.get("crop_pct") or 1)
    return Recipe(
        "timm's",
        tuple(map(float, stated["mean"])),
        tuple(map(float, stated["std"])),
        tuple(map(int, size[1:])) if len(size) == 3 else (),
        min(1.0, max(share, LEAST_SHARE)),
        resampling if resampling in RESAMPLING else "",
    )


def _of_torchvision(name: str) -> Recipe | None:
    declare()
    import torchvision

    try:
        kind = torchvision.models.get_model_weights(name)
    except ValueError:  # no network of it, which is said where it is built
        return None
    if not len(kind):
        return None
    made = kind.DEFAULT.transforms()
    crop, resize = made.crop_size[0], made.resize_size[0]
    resampling = str(made.interpolation.value)
    share = min(1.0, max(crop / resize, LEAST_SHARE))
    return Recipe(
        "torchvision's", tuple(made.mean), tuple(made.std), (crop, crop), share,
        resampling if resampling in RESAMPLING else "",
    )  # fmt: skip
