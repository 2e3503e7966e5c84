"""A data set of pictures and labels that a notebook holds: written once, known again by its digest.

All of its pictures are test pictures, since nothing shall learn from them here: train and validation are empty.
"""

import hashlib
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ml.artifacts import writer
from ml.artifacts.manifest import check_dataset
from ml.data.base import Dataset, Split, class_names, statistics_of
from ml.data.intake.measures import measure
from ml.images.decoding import Refusal, decode
from ml.images.form import Form
from ml.images.levels import sums
from ml.images.preparation import prepare
from ml.system import atomic, scratch
from ml.telling.border import Wrong, array

LEAST, MOST = 4, 512  # pixels a side
KIND = "shown"  # what its name begins with
GRAY, COLOUR = (1,), (3, 4)


def dataset(images: Any, labels: Any, names: Sequence[str] | None = None, *, title: str = "") -> Dataset:
    """images: an array or a tensor [n, h, w], [n, h, w, c] or [n, c, h, w], or a list of such pictures, of PIL's, or of
    paths of files, in any sizes; bytes 0 to 255, floats 0 to 1, or truth values; gray, colour or with transparency.
    labels: n class names, or numbers of `names`. Raises Wrong.

    Pictures of one size stay as they are; of several, all are fitted into the commonest, padded.
    """
    pictures = _pictures(images)
    ids, classes = _classes(labels, names)
    if len(ids) != len(pictures):
        raise Wrong(f"there are {len(pictures):,} images and {len(ids):,} labels: one label each is needed")
    if len(classes) < 2:
        raise Wrong(f"there is one class alone, {classes[0]!r}: names=[…] may name those that no image is of")
    pixels = _alike(pictures)
    none = np.zeros((0, *pixels.shape[1:]), np.uint8)
    empty = Split(none, np.zeros(0, np.int64), np.zeros(0, np.int32))
    total = np.sum([sums(one) for one in pixels], axis=0)
    statistics = statistics_of(total, pixels.shape[0] * pixels.shape[1] * pixels.shape[2])
    splits = {
        "train": empty, "validation": empty, "test": Split(pixels, ids, np.arange(len(ids), dtype=np.int32))
    }  # fmt: skip
    digest = hashlib.sha256(repr([classes, pixels.shape]).encode() + ids.tobytes() + pixels.tobytes()).hexdigest()
    name = f"{KIND}-{digest[:12]}"
    made = Dataset(
        name, title or f"{len(ids):,} images from a notebook", classes, splits, hashes={"pictures": digest},
        recorded=(statistics[0], [max(one, 1e-6) for one in statistics[1]]),
    )  # fmt: skip
    check_dataset(writer.describe(made))
    return made


def keep(made: Dataset, home: Path) -> bool:
    """Write it among the data sets of a home, whole or not at all; whether it was not there. Raises OSError."""
    target = home / "datasets" / made.name
    if (target / "dataset.json").is_file():
        return False
    with scratch.folder(home, KIND) as aside:
        about = {"digest": made.digest, "version": 1, "imported": writer.now(), "source": {"kind": "a notebook"}}
        written = writer.write_pictures(aside, made, complete=True, about=about)
        measure(aside, made)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(target, ignore_errors=True)  # a folder without dataset.json is none
        atomic.rename(written, target)
    return True


# ---- pictures


def _pictures(images: Any) -> list[np.ndarray]:
    """uint8 [h, w, 1 or 3] each."""
    if isinstance(images, str | Path) or not hasattr(images, "__len__"):
        raise Wrong("images must be an array [n, h, w] or [n, h, w, c], or a list of images or paths")
    if not len(images):
        raise Wrong("there are no images")
    if isinstance(images, Sequence) and not hasattr(images, "dtype"):
        found = [_picture(one, i) for i, one in enumerate(images)]
        return _bytes(found)
    values = array(images, "images")
    if values.ndim not in (3, 4):
        raise Wrong(f"images have the shape {values.shape}; needed are [n, h, w], [n, h, w, c] or [n, c, h, w]")
    return _bytes([*(values if values.ndim == 3 else _channels_last(values))])


def _picture(one: Any, i: int) -> np.ndarray:
    """As it is given: uint8 [h, w, c] of files and of PIL's, other types of arrays."""
    if isinstance(one, str | Path):
        try:
            return decode(Path(one).read_bytes()).pixels
        except OSError as error:
            raise Wrong(f"image {i}: {error.filename}: {error.strerror or error}") from None
        except Refusal as refusal:
            raise Wrong(f"image {i}, {Path(one).name}: {refusal}") from None
    if isinstance(one, Image.Image):
        gray = one.mode in ("1", "L", "LA", "I;16", "I", "F")
        if one.mode in ("I;16", "I", "F"):
            return np.asarray(one)
        return np.asarray(_flat(one).convert("L" if gray else "RGB"))
    values = array(one, f"image {i}")
    if values.ndim == 3:
        return _channels_last(values[None])[0]
    if values.ndim != 2:
        raise Wrong(f"image {i} has the shape {values.shape}; needed are [h, w], [h, w, c] or [c, h, w]")
    return values


def _flat(one: Image.Image) -> Image.Image:
    """Without transparency: laid on white, as files are."""
    if "A" not in one.getbands() and "transparency" not in one.info:
        return one
    clear = one.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", clear.size, "white"), clear)


def _channels_last(values: np.ndarray) -> np.ndarray:
    """[n, h, w, c], of [n, c, h, w] too, which three or one planes and no such last side tell."""
    channels = (*GRAY, *COLOUR)
    if values.shape[-1] in channels:
        return values
    if values.shape[1] in channels:
        return np.moveaxis(values, 1, -1)
    raise Wrong(f"images have the shape {values.shape}, of which no side is 1, 3 or 4 channels")


def _bytes(found: list[np.ndarray]) -> list[np.ndarray]:
    """uint8 [h, w, 1 or 3] each; floats of all of them are of one range."""
    kinds = {one.dtype.kind for one in found}
    low = min(float(one.min()) for one in found if one.size) if any(one.size for one in found) else 0.0
    high = max(float(one.max()) for one in found if one.size) if any(one.size for one in found) else 0.0
    if not all(one.size for one in found):
        raise Wrong("an image has no pixels")
    if not np.isfinite([low, high]).all():
        raise Wrong("images hold numbers that are none")
    if "f" in kinds and kinds <= {"f", "b"}:
        if low < -1e-6 or high > 1 + 1e-6:
            if low >= 0 and high <= 255 and high > 2:
                return [_three(np.rint(one).astype(np.uint8)) for one in found]
            raise Wrong(
                f"images are floats from {low:.3g} to {high:.3g}; needed are 0 to 1, or bytes: give them as they were "
                "before mean and deviation were taken out"
            )
        return [_three(np.rint(np.clip(one, 0, 1) * 255).astype(np.uint8)) for one in found]
    if low < 0 or high > 255:
        raise Wrong(f"images are whole numbers from {low:.0f} to {high:.0f}; needed are 0 to 255")
    return [
        _three((one.astype(np.uint8) * 255) if one.dtype.kind == "b" else np.rint(one).astype(np.uint8))
        for one in found
    ]


def _three(pixels: np.ndarray) -> np.ndarray:
    """[h, w, 1 or 3]: transparency laid on white."""
    if pixels.ndim == 2:
        return pixels[:, :, None]
    if pixels.shape[2] == 4:
        return np.asarray(_flat(Image.fromarray(pixels)).convert("RGB"))
    return pixels


def _alike(pictures: list[np.ndarray]) -> np.ndarray:
    """uint8 [n, h, w, c], all of one form."""
    channels = max(one.shape[2] for one in pictures)
    (height, width), _ = Counter(one.shape[:2] for one in pictures).most_common(1)[0]
    scale = min(1.0, MOST / max(height, width))
    height, width = (max(LEAST, round(side * scale)) for side in (height, width))
    form = Form(height, width, channels)
    made = [
        one if one.shape == (height, width, channels) else prepare(one, form, mode="none").image for one in pictures
    ]
    return np.stack(made)


# ---- classes


def _classes(labels: Any, names: Sequence[str] | None) -> tuple[np.ndarray, tuple[str, ...]]:
    given = array(labels, "labels")
    if given.ndim != 1:
        raise Wrong(f"labels have the shape {given.shape}; one class name or number an image is needed")
    try:
        if given.dtype.kind == "U":
            classes = class_names(names if names is not None else sorted(set(given.tolist())))
            unknown = [one for one in given.tolist() if one not in classes]
            if unknown:
                raise Wrong(f"the label {unknown[0]!r} is none of names ({', '.join(map(repr, classes[:8]))})")
            return np.array([classes.index(one) for one in given.tolist()], np.int64), classes
        ids = np.rint(given.astype(np.float64)).astype(np.int64)
        if (ids != given).any() or (ids < 0).any():
            raise Wrong("labels that are numbers must be whole ones from 0: places in names")
        classes = class_names(names if names is not None else [str(i) for i in range(int(ids.max()) + 1)])
        if ids.max() >= len(classes):
            raise Wrong(f"there is a label {ids.max()}, and names has {len(classes)} classes, 0 to {len(classes) - 1}")
        return ids, classes
    except ValueError as error:
        raise Wrong(str(error)) from None
