"""What can be said of a data set's pictures without a network, written beside them."""

from pathlib import Path

import numpy as np
import pandas as pd

from ml.artifacts import writer
from ml.data import duplicates, properties
from ml.data.base import UNLABELLED, Dataset


def measure(root: Path, dataset: Dataset) -> Path:
    """Write what can be said of the pictures without a network into root/datasets/<name>; that folder.

    root: FASHION_HOME or the artifacts folder. Near-duplicates are looked for in all training pictures that are here.
    """
    folder = root / "datasets" / dataset.name
    folder.mkdir(parents=True, exist_ok=True)
    splits, rest = dataset.judged(), dataset.splits.get(UNLABELLED)
    frames = []
    for name, split in {**splits, **({UNLABELLED: rest} if rest else {})}.items():
        frame = properties.measure(split.images)
        frame.insert(0, "split", name)
        frame.insert(1, "example_id", split.ids.astype(np.int32))
        frames.append(frame)
    writer.write_about(folder, "properties", pd.concat(frames, ignore_index=True))
    pools = {**splits, "train": dataset["train"]}
    pairs = duplicates.table(pools)
    if rest:  # looked for by themselves, so that they take no place from pairs of the splits that scores are counted on
        own = duplicates.table({**pools, UNLABELLED: rest}, among=(UNLABELLED,))
        pairs = pd.concat([pairs, own], ignore_index=True)
    writer.write_about(folder, "duplicates", pairs)
    # the other half of a pair is of train, most of which does not ship
    twins = np.isin(dataset["train"].ids, pairs.loc[pairs["other_split"] == "train", "other_id"])
    writer.write_part(folder, "twins", dataset["train"].take(np.flatnonzero(twins)), dataset["train"])
    return folder
