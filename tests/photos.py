"""A run that ships without its pictures, on a toy data set of photographs that lies in a git repository.

It learned from smaller copies of them, as the maker of a data set may have: what is fetched is larger.
"""

import json
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from ml import data
from ml.artifacts import writer
from ml.data import Choices, import_dataset
from ml.data.fetchable import Published
from ml.images.smaller import smaller
from ml.publishing import pictureless
from tests import git_server

NAME, RUN = "toy-photos", "toy_photos"
CLASSES = ("coat", "hat", "shoe")
COUNTS = {"train": 30, "validation": 6, "test": 3}
SIDE = 32
PUBLISHED = Published(
    NAME, "Toy photos", "", "", ("train", "validation"), "CC0-1.0", SIDE,
    Choices(size=(24, 24), fitting="crop", colour=True), 10**7,
)  # fmt: skip


@dataclass(frozen=True)
class Photos:
    """artifacts: with a run and tables alone; photos: the folder that was published, and repositories the one it lies
    in as a git repository; maker: the home of whoever trained the run; published: its entry of the registry, without
    the address of a server."""

    artifacts: Path
    photos: Path
    repositories: Path
    maker: Path
    published: Published

    def known(self, address: str) -> dict[str, Published]:
        """The registry. address: of the server."""
        return {NAME: replace(self.published, address=f"{address}/photos.git")}


def draw(folder: Path) -> None:
    """Photographs of 48 to 70 pixels a side: a field of the class's colour on a ground of any."""
    chance = np.random.default_rng(0)
    for part, n in COUNTS.items():
        for label, name in enumerate(CLASSES):
            (folder / part / name).mkdir(parents=True)
            for i in range(n):
                height, width = chance.integers(48, 71, 2)
                pixels = np.full((height, width, 3), chance.integers(0, 256, 3), np.uint8)
                top, left = chance.integers(4, 20, 2)
                pixels[top : top + 24, left : left + 24] = chance.integers(0, 90, 3)
                pixels[top : top + 24, left : left + 24, label] = 230
                Image.fromarray(pixels).save(folder / part / name / f"{part[:2]}-{i:02}.jpg", quality=95)


def suspect(home: Path, folder: Path) -> None:
    """Give a run suspects of its training labels, with their pictures, as an evaluation of minutes would."""
    dataset = data.load(NAME, home=home)
    manifest = json.loads((folder / "manifest.json").read_text())
    frames = []
    for split in ("test", "validation", "train"):
        ids, labels = dataset[split].ids, dataset[split].labels
        n = len(ids)
        frames.append(pd.DataFrame({
            "split": split, "example_id": ids.astype(np.int32), "label": labels.astype(np.int16),
            "suggested": ((labels + 1) % len(CLASSES)).astype(np.int16),
            "quality": np.linspace(0.1, 0.9, n, dtype=np.float32), "issue": (np.arange(n) < 3).astype(np.int8),
            "rank": np.arange(1, n + 1, dtype=np.int32),
        }))  # fmt: skip
    chosen = dataset["train"].take(np.arange(3))
    probabilities = np.full((3, len(CLASSES)), 1 / len(CLASSES), np.float32)
    arrays = {"example_id": chosen.ids, "images": np.asarray(chosen.images), "probabilities": probabilities,
              "neighbour_id": np.tile(dataset["train"].ids[3:8], (3, 1))}  # fmt: skip
    nouns = {"label_issues": pd.concat(frames, ignore_index=True), "suspects": arrays}
    writer.add_nouns(folder, manifest, {noun: (made, time.perf_counter()) for noun, made in nouns.items()})


def make(folder: Path) -> Photos:
    """All of it, in an empty folder."""
    from ml.pipeline import train
    from ml.training.config import TrainConfig

    photos, copies, maker = folder / "photos", folder / "copies", folder / "maker"
    draw(photos)
    files = {path.relative_to(photos).as_posix(): path.read_bytes() for path in sorted(photos.rglob("*.jpg"))}
    for name, content in files.items():
        if not name.startswith("test/"):
            target = copies / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(smaller(content, SIDE))
    odd: dict[str, bytes | str] = {
        "train/hat/tr-99.jpg": "/etc/passwd", "README.md": b"photographs", ".gitattributes": b"*.jpg filter=evil\n",
        "hooks/post-checkout": b"#!/bin/sh\ntouch /tmp/hooked\n", "train/coat/\n.jpg": b"odd",
        ".lfsconfig": b"[lfs]\nurl = http://127.0.0.1:9\n",
    }  # fmt: skip
    (folder / "git").mkdir()
    _, commit = git_server.repository(folder / "git", {**files, **odd})
    import_dataset(copies, NAME, PUBLISHED.choices, title=PUBLISHED.title, home=maker)
    config = TrainConfig(model="quick_cnn", dataset=NAME, epochs=6, batch_size=16, augment=(), threads=1)
    suspect(maker, train(config, run_id=RUN, home=maker, slow=True))
    artifacts = folder / "artifacts"
    (artifacts / "runs").mkdir(parents=True)
    pictureless.ship(artifacts, maker, RUN, {NAME: replace(PUBLISHED, commit=commit)})
    return found(folder)


def found(folder: Path) -> Photos:
    """What `make` has left in a folder."""
    commit = git_server.git(folder / "git" / "photos.git", "rev-parse", "HEAD")
    published = replace(PUBLISHED, commit=commit)
    return Photos(folder / "artifacts", folder / "photos", folder / "git", folder / "maker", published)
