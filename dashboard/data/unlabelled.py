"""Of the images that nobody has labelled: what a run says of them, where they lie, what they are nearest to."""

import numpy as np
import pandas as pd

from dashboard.data.arrays import WithoutLabels
from dashboard.state.vocabulary import UNLABELLED
from ml.artifacts.reader import Broken, Missing, Run

NEIGHBOURS = f"{UNLABELLED}_neighbours"
MORE = ("unlike", "percentile", "diverse")
PLACES = ("pca_x", "pca_y", "pca_z", "map_x", "map_y")


def predictions(run: Run) -> WithoutLabels:
    """By ascending id. Raises Missing, Broken."""
    frame, classes = table(run), len(run.manifest["dataset"]["classes"])
    columns = [f"p_{i}" for i in range(classes)]
    fits = all(name in frame for name in columns) and f"p_{classes}" not in frame
    if not fits or not frame["predicted"].between(0, classes - 1).all():
        raise Broken(f"unlabelled.parquet of run {run.run_id} names classes that its data set has not")
    ids, predicted = frame["example_id"].to_numpy(np.int32), frame["predicted"].to_numpy(np.int64)
    more = {name: frame[name].to_numpy() for name in MORE}
    return WithoutLabels(ids, predicted, frame[columns].to_numpy(np.float32), more)


def places(run: Run) -> pd.DataFrame:
    """split, example_id, pca_x … map_y, as of `projection`, in the order of the predictions. Raises Missing, Broken."""
    return table(run)[["example_id", *PLACES]].assign(split=UNLABELLED)[["split", "example_id", *PLACES]]


def table(run: Run) -> pd.DataFrame:
    """The noun, by ascending id. Raises Missing, Broken."""
    return run.table(UNLABELLED).sort_values("example_id", kind="stable").reset_index(drop=True)


def check_measured(properties: pd.DataFrame, dataset: str) -> None:
    """Raise Missing where a data set is from before near-duplicates of such images were looked for: it has none in
    its table, and that is no answer. properties: of the data set."""
    if not (properties["split"] == UNLABELLED).any():
        words = f"Nobody has looked for near-duplicates of the images of {dataset} without a label yet."
        raise Missing(words, f"python -m ml data measure {dataset}")
