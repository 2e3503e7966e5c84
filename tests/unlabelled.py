"""A home with a data set of labelled and unlabelled pictures, and a run that was really trained on it."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from ml.data import synthetic
from ml.data.base import UNLABELLED, Dataset, Split
from ml.training.config import TrainConfig

NAME, RUN, FIRST = "bars", "toy", 9_000
CONFIG = TrainConfig(model="compact_cnn", dataset=NAME, epochs=1, batch_size=64, threads=1)


def given() -> tuple[Dataset, Dataset]:
    """Bars of four classes, and the same with 45 that nobody has labelled: among them copies of two test pictures."""
    many = synthetic.load("synthetic-4-28x28x1", train=240, validation=60, test=80)
    few = many["train"].take(np.arange(200))
    known = replace(many, name=NAME, title="Bars", splits={**many.splits, "train": few})
    noise = np.random.default_rng(0).integers(0, 256, (3, *known.shape), dtype=np.uint8)
    rest = np.asarray(many["train"].images[200:240])
    images = np.concatenate([rest, np.asarray(known["test"].images[:2]), noise])
    ids = np.arange(FIRST, FIRST + len(images), dtype=np.int32)
    return known, replace(known, splits={**known.splits, UNLABELLED: Split(images, np.full(len(ids), -1), ids)})


def made(home: Path, dataset: Dataset) -> Path:
    """The data set, measured, and the run."""
    from ml import pipeline
    from ml.artifacts import writer
    from ml.data.intake.measures import measure

    writer.write_pictures(home, dataset, complete=True)
    measure(home, dataset)
    pipeline.train(CONFIG, run_id=RUN, home=home)
    return home
