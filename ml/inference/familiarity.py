"""How unlike the training pictures many are: one number each, as a run measures it."""

from collections.abc import Callable
from typing import Protocol

import numpy as np

from ml.artifacts.reader import Broken, Missing, Run
from ml.stats.ood import OodModel, Reference, usual


class Looks(Protocol):
    """What must be known of pictures: ml.inference.classifier.Classifier."""

    def features(self, images: np.ndarray) -> np.ndarray: ...

    def statistics(self, images: np.ndarray) -> np.ndarray: ...


def percentiles(network: Looks, images: np.ndarray, model: OodModel | None, reference: Reference | None) -> np.ndarray:
    """float [n], 0 to 100: the share of validation pictures that are less unlike. images: uint8 [n, h, w, c].

    model: of all layers; reference: needed where there is none. Raises ValueError without either, or where the model is
    another network's.
    """
    if model is not None:
        return np.array([model.percentile(float(score)) for score in model.scores(network.statistics(images))])
    if reference is None:
        raise ValueError("there is nothing to tell it by")
    return np.array([reference.look_up(feature).percentile for feature in network.features(images)])


def of_run(run: Run, network: Looks) -> Callable[[np.ndarray], np.ndarray] | None:
    """`percentiles` of a run; None where it has nothing to tell them by."""
    try:
        if "familiarity" in run.nouns:
            model = OodModel(run.arrays("familiarity"))
            return lambda images: percentiles(network, images, model, None)
        arrays = run.arrays("features")
        known = Reference(arrays["reference"], arrays["reference_id"], usual(run.table("neighbours")))
        return lambda images: percentiles(network, images, None, known)
    except (Missing, Broken, ValueError):
        return None
