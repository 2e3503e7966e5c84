"""What is evaluated: a network and the pictures of each split, with one forward pass shared by every evaluation."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from ml.artifacts.writer import Payload
from ml.data import properties
from ml.data.base import UNLABELLED, Dataset, Split
from ml.data.images import AnyImages, asked_at_once, batches
from ml.inference.classifier import Classifier
from ml.system.damage import DAMAGED

SPLITS = ("test", "validation", "reference")
WIDTH = 256  # features kept, at most
PART = 10  # batches whose answers are cut and rounded together
Outputs: TypeAlias = tuple[np.ndarray, np.ndarray]  # probabilities float32 [n, classes], features float32 [n, ≤ WIDTH]


class EvaluationContext:
    """splits: test, validation and reference.

    dataset: loads all pictures it learned from, which few evaluations need; recorded: loads its recorded predictions,
    None while there are none. Both may be dear, so they are called when needed.
    brief: whether somebody waits, so that what takes long is measured on fewer pictures; learned: how often a picture
    was learned from, all epochs together.
    unlabelled: pictures without a label, None where the data set has none: no split, so that what counts over splits
    never counts them; placed: loads the recorded noun projection, None where there is none.
    judged: splits with answers; described: those with features; known: how much of each answer is known, as
    ml.artifacts.kinds.known says it; asks: whether there is a network, which can be asked about other pictures.
    notes: what an evaluation adds to the manifest; also: nouns that came of making another one; tell: is told, in
    words, how far an evaluation is; shared: asks about a split, or about the pictures without a label, in place of
    `ask`, with the same answers.
    """

    judged: tuple[str, ...] = SPLITS
    described: tuple[str, ...] = SPLITS
    known = "probabilities"
    asks = True

    def __init__(
        self,
        classifier: Classifier,
        splits: dict[str, Split],
        seed: int = 0,
        *,
        dataset: Callable[[], Dataset] | None = None,
        recorded: Callable[[], pd.DataFrame] | None = None,
        brief: bool = False,
        learned: int = 0,
        unlabelled: Split | None = None,
        placed: Callable[[], pd.DataFrame | None] | None = None,
    ) -> None:
        self.classifier, self.splits, self.seed = classifier, splits, seed
        if "features" not in classifier.capabilities:
            self.described = ()
        self.dataset, self._recorded, self.brief, self.learned = dataset, recorded, brief, learned
        self.unlabelled, self.placed = unlabelled, placed
        self.notes: dict[str, Any] = {}
        self.also: dict[str, Payload] = {}
        self.tell: Callable[[str], None] = lambda words: None
        self.shared: Callable[[EvaluationContext, str], Outputs] | None = None
        self._outputs: dict[str, Outputs] = {}
        self._properties: dict[str, pd.DataFrame] = {}

    def fitting(self) -> str:
        """How the files of its data set became pictures of one size; '' where nobody knows."""
        return self.dataset().fitting if self.dataset is not None else ""

    def manner(self) -> dict[str, Any]:
        """The same, as ml.images.form.Form has it."""
        return self.dataset().manner() if self.dataset is not None else {}

    def files(self) -> Mapping[int, bytes]:
        """Example id → bytes of validation pictures as they came, none where nobody kept them."""
        files = self.dataset().files if self.dataset is not None else None
        try:
            return files() if files is not None else {}
        except DAMAGED:
            return {}

    def probabilities(self, split: str) -> np.ndarray:
        """float32 [n, classes]"""
        return self._outputs_of(split)[0]

    def features(self, split: str) -> np.ndarray:
        """float32 [n, ≤ 256], rounded to float16"""
        return self._outputs_of(split)[1]

    def of_unlabelled(self) -> Outputs:
        """What `probabilities` and `features` are of a split's pictures, of those without a label."""
        return self._asked(UNLABELLED)

    def pictures(self, split: str) -> AnyImages:
        """Those of a split, or those without a label."""
        if split == UNLABELLED:
            assert self.unlabelled is not None
            return self.unlabelled.images
        return self.splits[split].images

    def recorded(self, split: str) -> np.ndarray:
        """float32 [n, classes] as they were recorded when the run was made, where they are of the pictures here."""
        if self._recorded is not None:
            frame = self._recorded()
            rows = frame[frame["split"] == split].sort_values("example_id")
            if np.array_equal(rows["example_id"].to_numpy(), self.splits[split].ids):
                columns = sorted((name for name in rows if name.startswith("p_")), key=lambda name: int(name[2:]))
                return rows[columns].to_numpy(np.float32)
        return self.probabilities(split)

    def properties(self, split: str) -> pd.DataFrame:
        """What ml.data.properties measures of each picture, in order."""
        if split not in self._properties:
            self._properties[split] = properties.measure(self.splits[split].images)
        return self._properties[split]

    def _outputs_of(self, split: str) -> Outputs:
        if split not in self._outputs:
            self._outputs[split] = self._asked(split)
        return self._outputs[split]

    def _asked(self, split: str) -> Outputs:
        return self.shared(self, split) if self.shared is not None else self.ask(self.pictures(split))

    def ask(self, images: AnyImages) -> Outputs:
        """Of any pictures, uint8 [n, h, w, c], what `probabilities` and `features` are of a split's."""
        probabilities, kept = [], []
        for batch in batches(images, PART * asked_at_once(self.classifier.shape)) if len(images) else [images]:
            if "features" in self.classifier.capabilities:
                said, features = self.classifier.probabilities_and_features(batch)
                probabilities.append(said)
            else:
                probabilities.append(self.classifier.probabilities(batch))
                features = np.zeros((len(batch), 0), np.float32)
            kept.append(features[:, :WIDTH].astype(np.float16).astype(np.float32))
            if (done := sum(map(len, kept))) < len(images):
                self.tell(f"asking the network, {done}/{len(images)}")
        return np.concatenate(probabilities), np.concatenate(kept)
