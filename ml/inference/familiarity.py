"""How unlike the training pictures many are: one number each, as a run measures it."""

from collections.abc import Callable
from typing import Protocol

import numpy as np

from ml.artifacts.reader import Broken, Missing, Run
from ml.stats.likeness import rarity
from ml.stats.ood import OodModel, Reference, directions, usual

Told = tuple[np.ndarray, np.ndarray]  # percentiles and rarities (ml.stats.likeness.rarity), float [n] each


class Looks(Protocol):
    """What must be known of pictures: ml.inference.classifier.Classifier."""

    def features(self, images: np.ndarray) -> np.ndarray: ...

    def statistics(self, images: np.ndarray) -> np.ndarray: ...


def percentiles(network: Looks, images: np.ndarray, model: OodModel | None, reference: Reference | None) -> np.ndarray:
    """float [n], 0 to 100: the share of validation pictures that are less unlike. images: uint8 [n, h, w, c].

    model: of all layers or the last; reference: needed where there is none. Raises ValueError without either, or where
    the model is another network's.
    """
    return told(network, images, model, reference)[0]


def told(network: Looks, images: np.ndarray, model: OodModel | None, reference: Reference | None) -> Told:
    """The same as `percentiles`, and how rare so unlike a picture is. Raises ValueError as that does."""
    if model is not None:
        found = scores(network, images, model)
        return np.array([model.percentile(float(one)) for one in found]), rarity(found, model.usual)
    if reference is None:
        raise ValueError("there is nothing to tell it by")
    near = [reference.look_up(feature) for feature in network.features(images)]
    found = np.array([one.score for one in near])
    return np.array([one.percentile for one in near]), rarity(found, reference.usual)


def scores(network: Looks, images: np.ndarray, model: OodModel) -> np.ndarray:
    """float32 [n], of what the model looks at; only one of all layers needs torch. Raises ValueError for another's."""
    seen = directions(network.features(images)) if model.last else network.statistics(images)
    return model.scores(seen)


def of_run(run: Run, network: Looks) -> Callable[[np.ndarray], np.ndarray] | None:
    """`percentiles` of a run; None where it has nothing to tell them by."""
    tell = told_by(run, network)
    return None if tell is None else lambda images: tell(images)[0]


def told_by(run: Run, network: Looks) -> Callable[[np.ndarray], Told] | None:
    """`told` of a run; None where it has nothing to tell it by."""
    try:
        if "familiarity" in run.nouns:
            model = OodModel(run.arrays("familiarity"))
            return lambda images: told(network, images, model, None)
        arrays = run.arrays("features")
        known = Reference(arrays["reference"], arrays["reference_id"], usual(run.table("neighbours")))
        return lambda images: told(network, images, None, known)
    except (Missing, Broken, ValueError):
        return None
