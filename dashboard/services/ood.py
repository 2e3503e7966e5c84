"""Asks how unlike the training pictures one is (out of distribution, OOD), and which of them is nearly the same."""

from dataclasses import replace
from typing import Any

import numpy as np

from dashboard.data.cache import Cache
from dashboard.services.networks import Network, Networks, Output
from ml.artifacts.reader import Broken, Missing
from ml.data.duplicates import LIMIT, Index
from ml.inference import familiarity
from ml.inference.familiarity import Told
from ml.stats.likeness import rarity
from ml.stats.ood import Familiarity, OodModel, directions

INDICES = 2  # data sets whose lengths of vectors are kept; the pictures themselves are the store's


class OodDetector:
    """Holds pictures against the training pictures of every run of a store."""

    def __init__(self, networks: Networks) -> None:
        self._networks = networks
        self._indices = Cache(INDICES)

    def familiarity(
        self, run_id: str | None, image: np.ndarray, *, itself: int | None = None, rival: int | None = None
    ) -> Familiarity:
        """How unlike the training pictures one is. image: uint8 [h, w, c] of the network's form.

        itself: its id where it is a reference picture; rival: a class whose nearest picture is wanted. Raises Missing
        (with the command that helps) or Broken.
        """
        network = self._networks.open(run_id)
        network.run.need("features")
        reference, model = network.reference, network.ood_model
        features = self._networks.output(network, image).features
        assert features is not None
        looked_up = reference.look_up(features, itself=itself, rival=rival)
        if model is None:
            return looked_up
        # the neighbours stay the evidence; how unusual it is, the model says
        score = self._score(network, model, image)
        return replace(looked_up, percentile=model.percentile(score), n=model.n, layers=not model.last, model=True)

    def _score(self, network: Network, model: OodModel, image: np.ndarray) -> float:
        return scored(network, model, self._networks.output(network, image))

    def percentile(self, run_id: str | None, output: Output) -> float | None:
        """How unlike the training pictures one is that the run's own engine was asked about, 0 to 100; None where that
        cannot be told."""
        network = self._networks.open(run_id)
        try:
            model = network.ood_model
            if model is not None:
                return model.percentile(scored(network, model, output))
            return None if output.features is None else network.reference.look_up(output.features).percentile
        except (Missing, Broken, ValueError):
            return None

    def told(self, run_id: str | None, images: np.ndarray) -> Told | None:
        """float [n] each: how unlike the training pictures each is, 0 to 100, and how rare that is among validation
        pictures (ml.stats.likeness.rarity); None where that cannot be told. Kept, as the answer is.

        images: uint8 [n, h, w, c] of the network's form.
        """
        network = self._networks.open(run_id)
        try:
            model = network.ood_model
            if model is not None:
                found = np.array([self._score(network, model, image) for image in images])
                return np.array([model.percentile(float(one)) for one in found]), rarity(found, model.usual)
            features = [self._networks.output(network, image).features for image in images]
            near = [network.reference.look_up(one) for one in features if one is not None]
            found = np.array([one.score for one in near])
            return np.array([one.percentile for one in near]), rarity(found, network.reference.usual)
        except (Missing, Broken, ValueError):
            return None

    def percentiles(self, run_id: str | None, images: np.ndarray) -> np.ndarray | None:
        """float [n]: how unlike the training pictures each is, 0 to 100; None where that cannot be told.

        images: uint8 [n, h, w, c] of the network's form; nothing of them is kept.
        """
        network = self._networks.open(run_id)
        try:
            model = network.ood_model
            reference = network.reference if model is None else None
            with self._networks.lock:
                looks: Any = network.described if model is None or model.last else network.classifier
                return familiarity.percentiles(looks, images, model, reference)
        except (Missing, Broken, ValueError):
            return None

    def unlike(self, run_id: str, image: np.ndarray) -> bool | None:
        """Whether the picture is called unlike the training data; None where that cannot be told."""
        try:
            return self.familiarity(run_id, image).unlike
        except (Missing, Broken):
            return None

    def near_duplicate(self, run_id: str | None, image: np.ndarray) -> tuple[int, float] | None:
        """Id and distance of the reference picture that is nearly the same, None where there is none.

        image: uint8 [h, w, c] of the network's form; distances are those of ml.data.duplicates. Raises Missing, Broken.
        """
        network = self._networks.open(run_id)
        store, learned = self._networks.store, network.run.manifest["dataset"]
        pictures = store.pictures(learned["name"], "reference", learned)
        index = self._indices.get(store.picture_set(learned["name"], learned), lambda: Index(pictures.images))
        row, distance = index.nearest(image)
        return (int(pictures.ids[row]), distance) if distance <= LIMIT else None


def scored(network: Network, model: OodModel, output: Output) -> float:
    """How unlike the training pictures one is, as its run's model has it. Raises Broken."""
    if not model.last and output.score is not None:
        return output.score
    if not model.last or output.features is None:
        raise Broken(f"familiarity of run {network.run_id}: its engine does not say what it is told by")
    try:
        return float(model.scores(directions(output.features[None]))[0])
    except ValueError as error:
        raise Broken(f"familiarity of run {network.run_id}: {error}") from error
