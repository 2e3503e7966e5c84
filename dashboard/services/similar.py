"""More like this: the pictures of a split that a network finds most like one, nearest first."""

import numpy as np

from dashboard.data.cache import Cache
from dashboard.services.networks import Network, Networks
from ml.artifacts.reader import Missing
from ml.stats.ood import Reference

COUNT = 48  # pictures that are named, a page of the gallery
MOST = 20_000  # pictures of a split that a network is asked about for one question
AT_ONCE = 64  # asked about before others have their turn
KEPT = 4  # splits whose features are held, 5 MB for 10,000 pictures


class Similar:
    """The features of whole splits, computed when first asked for; those of reference are an artifact."""

    def __init__(self, networks: Networks) -> None:
        self._networks, self._features = networks, Cache(KEPT)

    def nearest(
        self, run_id: str | None, image: np.ndarray, split: str, *, itself: int | None = None, count: int = COUNT
    ) -> tuple[np.ndarray, np.ndarray]:
        """ids int [k ≤ count] of a split and their distances float32 [k], nearest first.

        image: uint8 [h, w, c] of the network's form; itself: its id where it is one of that split; distances as the
        noun neighbours has them, over the first 256 features at half precision. Raises Missing or Broken.
        """
        network = self._networks.open(run_id)
        network.run.need("features")
        features = self._networks.output(network, image).features
        assert features is not None
        found = self._reference(network, split).look_up(features, count, itself=itself)
        return found.neighbour_ids[:count], found.distances[:count]

    def _reference(self, network: Network, split: str) -> Reference:
        if split == "reference":
            return network.reference
        return self._features.get((*network.key, split), lambda: self._compute(network, split))

    def _compute(self, network: Network, split: str) -> Reference:
        pictures = self._networks.store.open(network.run_id).pictures(split)
        n = len(pictures.ids)
        if not n:
            raise Missing(f"There is no picture in {split}.")
        if n > MOST:
            raise Missing(f"{n:,} pictures of {split} are too many to look at one by one; the limit is {MOST:,}.")
        width, parts = network.reference.width, []
        for start in range(0, n, AT_ONCE):
            with self._networks.lock:  # between two of them, others have their turn
                every = network.described.features(np.asarray(pictures.images[start : start + AT_ONCE]))
            parts.append(every[:, :width].astype(np.float16))
        return Reference(np.concatenate(parts), pictures.ids, np.zeros(0))
