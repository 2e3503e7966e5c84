"""Which reference pictures does the network find most like each example?"""

import numpy as np
import pandas as pd

from ml.evaluation.context import EvaluationContext

RANKS = 10


def table(context: EvaluationContext) -> pd.DataFrame:
    """The ten nearest reference examples of each example by Euclidean distance; an example is not its own.

    Empty without features of reference.
    """
    # here, not above: whoever only trains need not load it, which takes as long as all else but torch
    from sklearn.neighbors import NearestNeighbors

    if "reference" not in context.described or len(context.splits["reference"]) < 2:
        return pd.DataFrame()
    ids = context.splits["reference"].ids
    ranks = min(RANKS, len(ids) - 1)
    search = NearestNeighbors(n_neighbors=ranks, algorithm="brute").fit(context.features("reference"))
    frames = []
    for split in context.described:
        if split == "reference":
            distances, rows = search.kneighbors()  # without X, a point is not its own neighbour
        else:
            distances, rows = search.kneighbors(context.features(split))
        frames.append(
            pd.DataFrame(
                {
                    "split": split,
                    "example_id": np.repeat(context.splits[split].ids, ranks).astype(np.int32),
                    "rank": np.tile(np.arange(1, ranks + 1, dtype=np.int16), len(rows)),
                    "neighbour_id": ids[rows].reshape(-1).astype(np.int32),
                    "distance": distances.reshape(-1).astype(np.float32),
                }
            )
        )
    return pd.concat(frames, ignore_index=True)
