"""A published run asked again: whether its weights still give the answers that were recorded."""

import numpy as np

from ml.artifacts.kinds import NETWORK
from ml.artifacts.reader import Library, Missing
from ml.inference.engines import open_run

TIE = 1e-3  # by which two classes may be apart in probability and still be turned by another processor's rounding


def rescore(library: Library, run_id: str, split: str) -> tuple[int, int, int, int]:
    """One fp32 forward pass over a split: (right, n, changed, clear).

    changed: examples whose guess is not the recorded one; clear: those of them whose recorded guess was more than TIE
    ahead of the new one, which no rounding of another processor turns. Raises Missing for other pictures, and
    Incapable for a run without a network.
    """
    run = library.open(run_id)
    run.need(NETWORK)
    examples = library.learned_pictures(run, split)
    predicted = open_run(run).probabilities(examples.images).argmax(1)
    recorded = run.table("predictions").query("split == @split").sort_values("example_id")
    if not np.array_equal(recorded["example_id"], examples.ids):
        raise Missing(f"the recorded predictions are of other {split} pictures than those here")
    if not np.array_equal(recorded["label"], examples.labels):
        raise Missing(f"the recorded predictions are of other labels of {split} than those here")
    rows = np.flatnonzero(recorded["predicted"].to_numpy() != predicted)
    said = recorded[[f"p_{i}" for i in range(len(run.manifest["dataset"]["classes"]))]].to_numpy()[rows]
    ahead = said.max(1, initial=0) - said[np.arange(len(rows)), predicted[rows]]
    return int((predicted == examples.labels).sum()), len(predicted), len(rows), int((ahead > TIE).sum())
