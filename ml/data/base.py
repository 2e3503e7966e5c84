"""What a data set is: labelled pictures of one size in named splits."""

import hashlib
import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import InitVar, dataclass, field
from typing import Any

import numpy as np
from natsort import natsorted, ns

from ml.data import images as pictures
from ml.images.file_names import CLASS_LETTERS
from ml.images.fitting import NATIVE, USUAL, manner
from ml.system.wording import JOINED, hidden

SPLITS = ("train", "validation", "test")
UNLABELLED = "unlabelled"  # pictures without a label, -1: a split of their own that some data sets have, never scored
CLASSES = 1_000  # the most of a data set
BLOCK = 2**20  # pixels counted at a time: counting makes eight bytes of each

Statistics = tuple[list[float], list[float]]


@dataclass(frozen=True)
class Split:
    """Labelled pictures.

    images: uint8 [n, h, w, c], an array or rows of a mapped file (ml.data.images); labels: int64 [n], class ids;
    ids: int32 [n], positions in the original file.
    """

    images: pictures.AnyImages
    labels: np.ndarray
    ids: np.ndarray

    def __post_init__(self) -> None:
        if self.images.dtype != np.uint8 or self.images.ndim != 4:
            raise ValueError(f"images must be uint8 [n, h, w, c], got {self.images.dtype} {self.images.shape}")
        if not len(self.images) == len(self.labels) == len(self.ids):
            raise ValueError("images, labels and ids must have one length")

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: np.ndarray) -> "Split":
        """The rows of a mask or of positions, in that order."""
        return Split(pictures.take(self.images, rows), self.labels[rows], self.ids[rows])


@dataclass(frozen=True)
class Dataset:
    """Named splits of labelled pictures; class names, size, channels, mean and std are data, never constants.

    complete: False when `train` is only the part that ships with the app.
    hashes: file name → sha256 of the files it was read from.
    fitting: how its files became pictures of one size, one of ml.images.fitting.FITTINGS, or NATIVE where they have it
    already; resampling: by which of its RESAMPLING; background: the colour that was chosen to lay them on, '' for none;
    levels: which two of those with more than eight bits are black and white, None for the ends of their range.
    files: example id → bytes of some validation pictures as they came, None where nobody kept them.
    recorded: mean and standard deviation as `statistics` gave them when the same training pictures were written; None
    for not known. Pictures never change, so what is counted once is kept; another `train` needs another Dataset.
    """

    name: str
    title: str
    classes: tuple[str, ...]
    splits: dict[str, Split]
    seed: int = 0
    complete: bool = True
    hashes: dict[str, str] = field(default_factory=dict)
    fitting: str = NATIVE
    resampling: str = USUAL
    background: str = ""
    levels: tuple[float, float] | None = None
    files: Callable[[], Mapping[int, bytes]] | None = field(default=None, repr=False, compare=False)
    recorded: InitVar[Statistics | None] = None
    _statistics: Statistics | None = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self, recorded: Statistics | None) -> None:
        object.__setattr__(self, "_statistics", recorded)
        shapes = {split.images.shape[1:] for split in self.splits.values()}
        if len(shapes) != 1:
            raise ValueError(f"all splits must share one picture size, got {sorted(shapes)}")
        top = max((int(split.labels.max()) for split in self.splits.values() if len(split)), default=0)
        if top >= len(self.classes):
            raise ValueError(f"label {top} has no class name")

    def __getitem__(self, split: str) -> Split:
        return self.splits[split]

    @property
    def shape(self) -> tuple[int, int, int]:
        """(height, width, channels)"""
        height, width, channels = self.splits["train"].images.shape[1:]
        return int(height), int(width), int(channels)

    @property
    def digest(self) -> str:
        """16 digits that stand for its pictures and splits, see `digest`."""
        height, width, channels = self.shape
        form = {"height": height, "width": width, "channels": channels, "classes": self.classes}
        counts = {name: len(split) for name, split in self.splits.items()}
        return digest({**form, "hashes": self.hashes, "seed": self.seed, "counts": counts})

    def statistics(self) -> Statistics:
        """Mean and standard deviation of each channel over the training pictures, pixels in 0..1."""
        if self._statistics is None:
            object.__setattr__(self, "_statistics", self._counted())
        assert self._statistics is not None
        mean, std = self._statistics
        return [*mean], [*std]

    def _counted(self) -> Statistics:
        images = self.splits["train"].images
        counts = np.zeros((images.shape[-1], 256), np.int64)
        for batch in pictures.batches(images, max(1, BLOCK // max(1, int(np.prod(images.shape[1:]))))):
            for channel, count in enumerate(counts):
                count += np.bincount(batch[..., channel].ravel(), minlength=256)
        levels = np.arange(256) / 255
        weights = counts / counts.sum(axis=1, keepdims=True)
        mean = weights @ levels
        std = np.sqrt(np.maximum(weights @ levels**2 - mean**2, 1e-12))
        return mean.round(6).tolist(), std.round(6).tolist()

    def reference(self, size: int = 10_000) -> Split:
        """A stratified part of train: what ships, and where nearest training images are looked for."""
        train = self.splits["train"]
        if len(train) <= size:
            return train
        return train.take(np.sort(stratified(train.labels, size, np.random.default_rng(self.seed + 1))))

    def manner(self) -> dict[str, Any]:
        """How its files became pictures, as ml.images.form.Form has it."""
        return manner({name: getattr(self, name) for name in ("fitting", "resampling", "background", "levels")})

    def judged(self) -> dict[str, Split]:
        """test, validation and reference: what every run is judged on."""
        return {"test": self.splits["test"], "validation": self.splits["validation"], "reference": self.reference()}

    def subset(self, size: int | None, seed: int) -> Split:
        """`size` stratified training pictures (all when None or more than there are)."""
        train = self.splits["train"]
        if size is None or size >= len(train):
            return train
        return train.take(np.sort(stratified(train.labels, size, np.random.default_rng(seed))))


def statistics_of(total: np.ndarray, pixels: int) -> Statistics:
    """As `Dataset.statistics` has it. total: `sums` of all pictures; pixels: of a channel."""
    mean = total[0] / (255 * pixels)
    std = np.sqrt(np.maximum(total[1] / (255**2 * pixels) - mean**2, 1e-12))
    return mean.round(6).tolist(), std.round(6).tolist()


def stratified(labels: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """Positions of `size` rows that keep each class's share, by largest remainder."""
    classes, counts = np.unique(labels, return_counts=True)
    quota = counts * size / len(labels)
    take = np.floor(quota).astype(int)
    for row in np.argsort(take - quota, kind="stable")[: size - take.sum()]:
        take[row] += 1
    picks = [rng.permutation(np.flatnonzero(labels == c))[:n] for c, n in zip(classes, take, strict=True)]
    return np.concatenate(picks)


def hold_out(labels: np.ndarray, size: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions (kept, held out): a stratified hold-out of `size`, both in original order."""
    held = np.sort(stratified(labels, size, np.random.default_rng(seed)))
    return np.setdiff1d(np.arange(len(labels)), held), held


NUMBER = re.compile(r"[+\-−]?\d+([.,]\d+)?", re.ASCII)


def natural(names: Iterable[str]) -> list[str]:
    """Names in the order in which people count and spell: 1, 2, 10; apple, Banana; v1.9, v1.10. Where all are numbers,
    by their value: -10, -5, 0.25, 0.5. What is alike (1, 01) stands in order of its text."""
    known = sorted(names)
    if all(NUMBER.fullmatch(name) for name in known):
        return natsorted(known, key=lambda name: name.replace(",", ".").replace("−", "-"), alg=ns.REAL)
    return natsorted(known, alg=ns.IGNORECASE)


def unprintable(name: str) -> str:
    """The first letter of a name that cannot be seen or shown, '' where there is none."""
    return hidden(name)


# shown as nothing: fillers of Hangul, the blank of Braille; and what only tells how a letter is drawn
BLANK = re.compile("[\u115f\u1160\u3164\uffa0\u2800\u034f\ufe00-\ufe0f\U000e0100-\U000e01ef]")


def visible(name: str) -> str:
    """What is to be seen of a name: in one form of accents, without what is blank, spaces as one."""
    return " ".join(BLANK.sub("", unicodedata.normalize("NFC", name)).split())


def same_when_folded(names: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Pairs of names that differ in the case or the form of their letters alone: Apple and apple, ﬁg and fig."""
    first: dict[str, str] = {}
    pairs = [(name, first.setdefault(_folded(name), name)) for name in names]
    return tuple((other, name) for name, other in pairs if other != name)


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", JOINED.sub("", name)).casefold()


def class_names(names: Iterable[str]) -> tuple[str, ...]:
    """Class names as a tuple; refuses, in words, empty, repeated, over-long and unprintable ones, and too many.

    What this lets pass, a manifest may say and a page can show.
    """
    names = tuple(names)
    for name in names:
        if letter := unprintable(name):
            shown = "".join(one if one.isprintable() else "?" for one in name)
            raise ValueError(
                f"class name {shown!r} holds a letter that cannot be shown, U+{ord(letter):04X}: rename its folder"
            )
        if not visible(name):
            raise ValueError(f"a class name, {name!r}, holds nothing that can be seen: rename its folder")
        if not 0 < len(name) <= CLASS_LETTERS:
            raise ValueError(f"class name {name!r} must have 1 to {CLASS_LETTERS} letters: rename its folder")
    if len(set(names)) != len(names):
        raise ValueError("class names must differ")
    if len(names) > CLASSES:
        raise ValueError(f"there are {len(names):,} classes; {CLASSES:,} are the most")
    return names


def digest(description: Mapping[str, Any]) -> str:
    """16 digits that stand for the pictures and splits of a data set, as dataset.json or a manifest describes it.

    Of the hashes of what it was made from and the seed of its splits; where there are none, of what else is known: the
    names of classes, form, and how many pictures each of the judged splits has. Its name is no part of it.
    """
    hashes = description.get("hashes")
    made_from = [dict(hashes), description.get("seed", 0)] if hashes else _outline(description)
    return hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()[:16]


def same_pictures(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    """Whether two descriptions are of the same pictures in the same splits, as far as both of them say."""
    if first.get("hashes") and second.get("hashes"):
        return digest(first) == digest(second)
    return _outline(first)[1:] == _outline(second)[1:]  # without hashes a class that is renamed is not another picture


def _outline(description: Mapping[str, Any]) -> list[Any]:
    counts = description.get("counts") or {}
    form = [description.get(side) for side in ("height", "width", "channels")]
    return [list(description.get("classes", ())), form, counts.get("validation"), counts.get("test")]
