"""Import a folder with one sub-folder of pictures per class, and open what was imported."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from ml.data.base import Dataset, Split, class_names, hold_out, natural

FORMATS = ("PNG", "JPEG", "WEBP", "GIF")
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".gif")


def read(
    folder: Path, name: str, *, height: int, width: int, channels: int, seed: int = 0, order: Sequence[str] = ()
) -> tuple[Dataset, list[str]]:
    """A Dataset from FOLDER/<class>/<picture>, split 80/10/10 by class and seed; and a line for each file left out.

    Classes stand in natural order, 2 before 10; where `order` names exactly the same ones, in that: a data set that is
    imported again keeps its class ids. Its title is its name.

    Pictures are rotated upright, scaled to fit and padded with black to height × width, grey or RGB.
    Raises ValueError when a class has fewer than ten readable pictures or there are fewer than two classes.
    """
    images: list[np.ndarray] = []
    labels: list[int] = []
    refused: list[str] = []
    names = class_names(
        natural(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    )
    if sorted(order) == sorted(names):
        names = tuple(order)
    if len(names) < 2:
        raise ValueError(f"{folder} needs at least two folders of pictures, one per class; it has {len(names)}")
    for label, path in enumerate(folder / one for one in names):
        before = len(images)
        for file in sorted(path.iterdir()):
            if file.suffix.lower() not in SUFFIXES:
                continue
            try:
                with Image.open(file, formats=FORMATS) as picture:
                    mode = "L" if channels == 1 else "RGB"
                    upright = ImageOps.exif_transpose(picture).convert(mode)
                    fitted = ImageOps.pad(upright, (width, height), Image.Resampling.LANCZOS)
            except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
                refused.append(f"{file.name}: {type(error).__name__}")
                continue
            images.append(np.asarray(fitted).reshape(height, width, channels))
            labels.append(label)
        if len(images) - before < 10:
            raise ValueError(f"class {path.name!r} has {len(images) - before} readable pictures; ten are the least")
    everything = Split(np.stack(images), np.array(labels, np.int64), np.arange(len(labels), dtype=np.int32))
    tenth = max(len(names), len(labels) // 10)
    rest, test = hold_out(everything.labels, tenth, seed)
    kept, held = hold_out(everything.labels[rest], tenth, seed + 1)
    splits = {"train": everything.take(rest[kept]), "validation": everything.take(rest[held])}
    splits["test"] = everything.take(test)
    whole = hashlib.sha256(json.dumps([names, everything.images.shape]).encode())
    whole.update(everything.labels.tobytes() + everything.images.tobytes())
    return Dataset(name, name, names, splits, seed, hashes={"pictures": whole.hexdigest()}), refused


def stored_classes(folder: Path) -> tuple[str, ...]:
    """Class names of an imported data set by class id; empty where there is none."""
    description = folder / "dataset.json"
    return class_names(json.loads(description.read_text())["classes"]) if description.is_file() else ()


def load(folder: Path) -> Dataset:
    """A data set as `ml.artifacts.writer.write_pictures` left it; `complete` tells whether train is whole.

    Without train.npz the shipped reference pictures stand in for it.
    """
    description = json.loads((folder / "dataset.json").read_text())
    complete = (folder / "train.npz").is_file()
    files = {"train": "train" if complete else "reference", "validation": "validation", "test": "test"}
    splits = {}
    for split, file in files.items():
        with np.load(folder / f"{file}.npz", allow_pickle=False) as archive:
            splits[split] = Split(archive["images"], archive["labels"].astype(np.int64), archive["ids"])
    return Dataset(
        description["name"],
        description["title"],
        class_names(description["classes"]),
        splits,
        description["seed"],
        complete=complete,
        hashes=description["hashes"],
        recorded=(description["mean"], description["std"]) if complete else None,
    )
