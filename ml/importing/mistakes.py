"""What is commonly mistaken about how a network wants its pictures: other readings of an interface, by factors.

Changes of one factor exclude each other; those of different factors go together.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ml.images.framing import FRAMES
from ml.inference.imported import RANGES, Interface

SHARES = (0.875, 0.95)
"""Of the shorter side that is left of a picture: torchvision's 224 of 256, and timm's of later years."""
RESAMPLINGS = ("bilinear", "bicubic", "nearest")
ALIKE = 1e-4  # relative, of means and deviations that are the same
Numbers = tuple[float, ...]


@dataclass(frozen=True)
class Change:
    """One thing that is taken otherwise than stated. factor: of FACTORS; fields: of Interface; words: what is done
    instead, behind 'with'; flags: of `runs add` that say it."""

    factor: str
    words: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    flags: tuple[str, ...] = ()


FACTORS = {
    "channels": "order of colours",
    "pixels": "range, mean and deviation of pixels",
    "layout": "order of channels, height and width",
    "axes": "rows and columns",
    "frame": "resizing and cropping",
    "polarity": "black and white",
    "numbers": "what its numbers are",
    "classes": "order of the classes",
}


@dataclass(frozen=True)
class Mistakes:
    """changes: of the pictures, by factor, none of what cannot be; left: sentences on what is not tried, and why."""

    changes: dict[str, list[Change]]
    left: list[str]

    def singles(self) -> list[Change]:
        return [one for changes in self.changes.values() for one in changes]

    def pairs(self) -> Iterator[tuple[Change, Change]]:
        """Two of different factors."""
        singles = self.singles()
        for i, first in enumerate(singles):
            yield from ((first, second) for second in singles[i + 1 :] if second.factor != first.factor)


def possible(
    stated: Interface, shape: tuple[int, int, int], statistics: tuple[Sequence[float], Sequence[float]],
    layouts: Sequence[Mapping[str, Any]] = (),
) -> Mistakes:  # fmt: skip
    """Everything that may be mistaken of the pictures. shape: of the data set's; statistics: mean and deviation of its
    training pixels from 0 to 1; layouts: fields of Interface of the other layouts that the network's shape admits."""
    left, changes = [], {}
    if stated.channels == 3 and shape[2] == 3:
        changes["channels"] = [_channels(not stated.bgr)]
    else:
        left.append("order of colours: the pictures are gray" if shape[2] == 1 else "order of colours: it takes gray")
    if stated.type == "tensor(uint8)":
        left.append("range, mean and deviation: the network takes pixels as they are")
    else:
        changes["pixels"] = _pixels(stated, statistics)
    others = [one for one in layouts if one["layout"] != stated.layout]
    if others:
        changes["layout"] = [
            Change("layout", f"the layout {one['layout']}", dict(one), ("--layout", one["layout"])) for one in others
        ]
    else:
        left.append(f"layout: the network's shape admits {stated.layout} alone")
    if stated.transposed:
        changes["axes"] = [Change("axes", "rows as rows", {"transposed": False})]
    else:
        changes["axes"] = [Change("axes", "rows as columns", {"transposed": True}, ("--transposed",))]
    changes["frame"] = _frames(stated, shape)
    if stated.inverted:
        changes["polarity"] = [Change("polarity", "black as black", {"inverted": False})]
    else:
        changes["polarity"] = [Change("polarity", "black as white", {"inverted": True}, ("--inverted",))]
    return Mistakes(changes, left)


def _channels(bgr: bool) -> Change:
    words = "BGR" if bgr else "RGB"
    return Change("channels", words, {"bgr": bgr}, ("--channels", "bgr" if bgr else "rgb"))


def scalings(channels: int, statistics: tuple[Sequence[float], Sequence[float]]) -> list[tuple[str, Numbers, Numbers]]:
    """Words, and mean and deviation of pixels from 0 to 1, of every usual way to scale: a range, and what is taken off
    and divided by in it."""
    imagenet: tuple[Numbers, Numbers] = RANGES["imagenet"] if channels == 3 else ((0.449,), (0.226,))
    own = tuple(map(float, statistics[0])), tuple(map(float, statistics[1]))
    half: tuple[Numbers, Numbers] = ((0.5,), (0.5,))
    ranges = {"0 to 1": RANGES["0-1"], "0 to 255": RANGES["0-255"], "-1 to 1": RANGES["-1-1"]}
    found = [(f"pixels {name}", *one) for name, one in ranges.items()]
    means = (("ImageNet's mean and std", imagenet), ("own mean and std", own), ("mean and std 0.5", half))
    for name, (low, unit) in ranges.items():
        for words, (mean, deviation) in means:
            within = "" if name == "0 to 1" else f" of {name}"
            found.append((f"{words}{within}", *_composed(low[0], unit[0], mean, deviation)))
    found.append(("pixels 0 to 255 less ImageNet's mean", imagenet[0], (1 / 255,)))
    found.append(("own mean taken off alone", own[0], (1.0,)))
    return found


def _composed(low: float, unit: float, mean: Numbers, deviation: Numbers) -> tuple[Numbers, Numbers]:
    """Of pixels from 0 to 1, where first (x - low) / unit is made, and of that (y - mean) / deviation."""
    return tuple(low + unit * one for one in mean), tuple(unit * one for one in deviation)


def _pixels(stated: Interface, statistics: tuple[Sequence[float], Sequence[float]]) -> list[Change]:
    kept = [(stated.mean, stated.deviation)]
    found = []
    for words, mean, deviation in scalings(stated.channels, statistics):
        if any(_same(mean, one[0]) and _same(deviation, one[1]) for one in kept):
            continue
        kept.append((mean, deviation))
        name = next((name for name, one in RANGES.items() if one == (mean, deviation)), "")
        numbers = [",".join(f"{x:.6g}" for x in one) for one in (mean, deviation)]
        flags = (f"--range={name}",) if name else (f"--mean={numbers[0]}", f"--std={numbers[1]}")
        found.append(Change("pixels", words, {"mean": mean, "deviation": deviation}, flags))
    return found


def _same(first: Numbers, second: Numbers) -> bool:
    size = max(len(first), len(second))
    a, b = (np.broadcast_to(np.array(one), size) for one in (first, second))
    return bool(np.allclose(a, b, rtol=ALIKE, atol=ALIKE * 1e-2))


def _frames(stated: Interface, shape: tuple[int, int, int]) -> list[Change]:
    """Ways to the network's size that differ for pictures of this shape."""
    height, width = shape[1::-1] if stated.transposed else shape[:2]
    resized = (height, width) != (stated.height, stated.width)
    out_of_proportion = height * stated.width != width * stated.height

    def meant(frame: str, share: float, resampling: str) -> tuple[str, float, str]:
        """What stands for all that come to the same."""
        if not out_of_proportion and (frame == "letterbox" or (frame == "crop" and share == 1)):
            frame = "stretch"
        share = share if frame == "crop" else 1.0
        return frame, share, resampling if resized or share < 1 else "bilinear"

    kept = {meant(stated.frame, stated.share, stated.resampling)}
    found = []
    for frame in FRAMES:
        for share in (1.0, *SHARES) if frame == "crop" else (1.0,):
            for resampling in RESAMPLINGS:
                one = meant(frame, share, resampling)
                if one in kept:
                    continue
                kept.add(one)
                words = {"stretch": "resized", "letterbox": "letterbox"}.get(one[0], f"crop {one[1]:g}")
                words = f"{words}, {one[2]}" if resized or one[1] < 1 else "the whole picture"
                flags = ("--frame", one[0], *(("--share", f"{one[1]:g}") if one[0] == "crop" else ()))
                fields = {"frame": one[0], "share": one[1], "resampling": one[2]}
                found.append(Change("frame", words, fields, (*flags, "--resampling", one[2])))
    return found
