"""Accepted feedback as lessons, frozen in a file named by its own content, and mixed with the training pictures.

Nothing is forgotten: all training pictures stay, and the lessons are a small part beside them, however many there are
(rehearsal; Robins 1995, "Catastrophic forgetting, rehearsal and pseudorehearsal"). One client's part is capped, so that
nobody can turn a class around alone.
"""

import io
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ml.data.base import Dataset, Split
from ml.data.images import joined
from ml.system import content_addressed

CLIENT = 50  # pictures of one client, its newest
REPEAT = 10  # times that a picture is shown in an epoch, at most
SHARE = 0.1  # of the training pictures: the most that all lessons with their repeats may be
EPOCHS, SLOWER = 3, 20  # of a fine-tuning: passes, and by how much its learning rate is below the run's own


@dataclass(frozen=True)
class Feedback:
    """images: uint8 [n, h, w, c], oldest first; labels, clients: int64 [n], a client being a number from 0 on.

    against: the run whose weights a training starts from.
    """

    dataset: str
    against: str
    images: np.ndarray
    labels: np.ndarray
    clients: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def capped(self, most: int = CLIENT) -> "Feedback":
        """The newest `most` of each client, order kept."""
        kept = np.zeros(len(self), bool)
        for client in np.unique(self.clients):
            kept[np.flatnonzero(self.clients == client)[-most:]] = True
        return replace(self, images=self.images[kept], labels=self.labels[kept], clients=self.clients[kept])

    def repeats(self, train: int) -> int:
        """How often each is shown beside so many training pictures."""
        return int(min(REPEAT, max(1, SHARE * train // max(len(self), 1))))

    def mix(self, dataset: Dataset) -> Dataset:
        """The data set with these pictures, capped and repeated, behind its training pictures (their ids below 0).

        Raises ValueError for another data set, another form of picture or a class it has not.
        """
        if dataset.name != self.dataset:
            raise ValueError(f"this feedback is of {self.dataset}, not of {dataset.name}")
        if self.images.shape[1:] != dataset.shape:
            raise ValueError("this feedback has pictures of another form")
        if len(self) and not 0 <= self.labels.min() <= self.labels.max() < len(dataset.classes):
            raise ValueError(f"this feedback names a class that {dataset.title} has not")
        train, capped = dataset["train"], self.capped()
        rows = np.arange(len(capped))[-max(int(SHARE * len(train)), 1) :]  # of far too many, the newest
        rows = np.tile(rows, capped.repeats(len(train)))
        more = Split(
            joined(train.images, capped.images[rows]),
            np.concatenate([train.labels, capped.labels[rows].astype(train.labels.dtype)]),
            np.concatenate([train.ids, -1 - np.arange(len(rows), dtype=train.ids.dtype)]),
        )
        return replace(dataset, splits={**dataset.splits, "train": more})


def freeze(home: Path, feedback: Feedback) -> str:
    """Write it into home/lessons, synced to the disk; the name. The same feedback has the same name."""
    parts: dict[str, Any] = {
        "dataset": np.array(feedback.dataset),
        "against": np.array(feedback.against),
        "images": feedback.images.astype(np.uint8),
        "labels": feedback.labels.astype(np.int64),
        "clients": feedback.clients.astype(np.int64),
    }
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **parts)  # zip entries of numpy carry no time: the same arrays are the same bytes
    return content_addressed.freeze(home / "lessons", ".npz", buffer.getvalue())


def read(home: Path, name: str) -> Feedback:
    """Raises named.Gone."""
    content = content_addressed.read(home / "lessons", name, ".npz", "accepted feedback")
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return Feedback(
            str(arrays["dataset"]), str(arrays["against"]), arrays["images"], arrays["labels"], arrays["clients"]
        )
