"""Suspected labels of the toy run, made by hand: which ones they are is known."""

import time

import numpy as np
import pandas as pd

from ml.artifacts.reader import Library
from ml.artifacts.writer import add_nouns, write_pictures
from ml.data import load

TOY = "synthetic-4-28x28x1"
TEST, TRAIN = 20, 12  # suspected labels of each


def suspect(home):
    """Nouns by hand: the first TEST of test and TRAIN of train are suspected to be of the next class.

    The data set can be trained on.
    """
    write_pictures(home, load(TOY), complete=True)
    run = Library(home, home).open("toy")
    frames, began = [], time.perf_counter()
    for split, few in (("test", TEST), ("validation", 0), ("train", TRAIN)):
        examples = load(TOY)[split]
        n = len(examples)
        frames.append(
            pd.DataFrame(
                {
                    "split": split,
                    "example_id": examples.ids,
                    "label": examples.labels.astype(np.int16),
                    "suggested": ((examples.labels + (np.arange(n) < few)) % 4).astype(np.int16),
                    "quality": np.linspace(0.01, 0.99, n, dtype=np.float32),
                    "issue": (np.arange(n) < few).astype(np.int8),
                    "rank": np.arange(1, n + 1, dtype=np.int32),
                }
            )
        )
    train, kept = load(TOY)["train"], slice(0, 40)
    suspects = {
        "example_id": train.ids[kept],
        "images": train.images[kept],
        "probabilities": np.full((40, 4), 0.25, np.float32),
        "neighbour_id": np.tile(train.ids[100:110], (40, 1)),
    }
    issues = pd.concat(frames, ignore_index=True)
    add_nouns(home / "runs" / "toy", run.manifest, {"label_issues": (issues, began), "suspects": (suspects, began)})
