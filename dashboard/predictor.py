"""The door to ask: a picture in, an answer out. torch is imported when the first question comes, never before."""

import threading
import time
from collections.abc import Callable, Collection, Hashable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dashboard.recent import Recent
from ml.artifacts.reader import Broken, Library, Missing, Run
from ml.data.duplicates import LIMIT as TWIN
from ml.data.duplicates import units
from ml.familiarity import LIMIT, Familiarity, Reference, Rival, usual
from ml.preparation import MODES, STEPS, Form, Mode, Prepared, Step, prepare

if TYPE_CHECKING:
    from ml.explanation.walk import Arithmetic, Stop
    from ml.inference import Classifier

__all__ = [
    "EXPLAIN",
    "LIMIT",
    "MEANS",
    "MODES",
    "STEPS",
    "Answer",
    "Broken",
    "Familiarity",
    "Missing",
    "Mode",
    "NoExplanation",
    "Predictor",
    "Prepared",
    "Rival",
    "Step",
    "Typical",
]  # fmt: skip

OPEN = 3  # classifiers held at once, 4 MB each and their reference features
EXPLANATIONS = 512  # maps held, a few kB each
ACTIVATIONS = 12  # pictures whose feature maps are held, half a MB each
WALKS = 2  # pictures whose way through every layer is held, 2 MB each with small_resnet, 40 with the largest
EXPLAIN = ("grad-cam", "integrated", "gradients", "occlusion")
MEANS = {
    "grad-cam": 240,
    "gradients": 240,
    "integrated": 24,
    "occlusion": 24,
}  # pictures of a mean: seconds, not minutes
MEANS_KEPT = 64


class NoExplanation(LookupError):
    """This network cannot be explained this way; the message says why."""


@dataclass(frozen=True)
class Answer:
    """probabilities: float32 [classes]; seconds: preparation and forward pass."""

    run: str
    classes: tuple[str, ...]
    probabilities: np.ndarray
    prepared: Prepared
    seconds: float

    @property
    def order(self) -> np.ndarray:
        """Class ids, most likely first; equals in class order."""
        return np.argsort(-self.probabilities, kind="stable")

    @property
    def predicted(self) -> int:
        return int(self.order[0])

    @property
    def label(self) -> str:
        return self.classes[self.predicted]

    @property
    def confidence(self) -> float:
        return float(self.probabilities[self.predicted])

    def top(self, n: int) -> list[tuple[str, float]]:
        """(label, probability) of the n most likely classes."""
        return [(self.classes[i], float(self.probabilities[i])) for i in self.order[:n]]


@dataclass(frozen=True)
class Typical:
    """What spoke for their classes in n pictures on average; silent more had nothing that did and are left out.

    mean: float64 [h, w], each picture's map above zero and scaled so that it adds up to one; error: float64 [h, w], the
    standard error of that mean.
    """

    n: int
    silent: int
    mean: np.ndarray
    error: np.ndarray


class Opened:
    """One run ready to answer."""

    def __init__(self, run: Run, library: Library, classifier: "Classifier") -> None:
        self.run, self.classifier, self._library = run, classifier, library

    @cached_property
    def form(self) -> Form:
        """Read from 1,000 of the run's reference pictures; without them, no background is taken for granted."""
        dataset = self.run.manifest["dataset"]
        try:
            return Form.of(self._library.pictures(dataset["name"], "reference").images[:1_000])
        except (Missing, Broken):
            return Form(dataset["height"], dataset["width"], dataset["channels"])

    @cached_property
    def reference(self) -> Reference:
        """Raises Missing or Broken where `features` or `neighbours` is."""
        arrays = self.run.arrays("features")
        ids = arrays["reference_id"]
        try:
            pictures = self._library.pictures(self.run.manifest["dataset"]["name"], "reference")
            labels = pictures.labels[[pictures.row(int(i)) for i in ids]]
        except (Missing, Broken):
            labels = None
        return Reference(arrays["reference"], ids, usual(self.run.table("neighbours")), labels)


class Predictor:
    """Answers for every run of a library, one forward pass at a time.

    One lock guards torch: its threads would fight over two cores, and explanations hang hooks on the network.
    """

    def __init__(self, artifacts: Path, home: Path, default: Callable[[], str | None] | None = None) -> None:
        """default: names the run that answers when none is asked for; the library's own choice when None."""
        self._library = Library(artifacts, home)
        self._choose = default
        self._lock = threading.RLock()
        self._stamp: tuple = ()
        self._default: str | None = None
        self._opened, self._maps, self._means = Recent(OPEN), Recent(EXPLANATIONS), Recent(MEANS_KEPT)
        self._walks, self._activations = Recent(WALKS), Recent(ACTIVATIONS)

    def predict(
        self,
        run_id: str | None,
        image: np.ndarray,
        *,
        orientation: int = 1,
        mode: Mode = "auto",
        off: Collection[str] = (),
    ) -> Answer:
        """image: uint8 [h, w, 1 or 3] of any size; orientation: EXIF; mode and off: see ml.preparation.prepare.

        Raises Missing for an unknown run, Broken for one that does not check out, ValueError for a bad mode or step.
        """
        opened = self._open(run_id)
        form = opened.form
        start = time.perf_counter()
        prepared = prepare(image, form, orientation=orientation, mode=mode, off=off)
        with self._lock:
            probabilities = opened.classifier.probabilities(prepared.image[None])[0]
        seconds = time.perf_counter() - start
        return Answer(opened.run.run_id, opened.classifier.classes, probabilities, prepared, seconds)

    def explain(
        self,
        run_id: str | None,
        image: np.ndarray,
        target: int,
        method: str = "grad-cam",
        *,
        layer: str = "",
        key: Hashable = None,
    ) -> np.ndarray:
        """image: uint8 [h, w, c] of the network's form → float32 [h, w] from 0 to 1, what spoke for class `target`.

        layer: that Grad-CAM looks at, '' for its own choice. key: what stands for the picture among kept maps, its
        bytes by default. Raises Missing, Broken, NoExplanation, ValueError for an unknown method, class or layer or a
        picture of another form.
        """
        return self._explained(run_id, image, target, method, layer, key)[1]

    def attribution(
        self,
        run_id: str | None,
        image: np.ndarray,
        target: int,
        method: str = "grad-cam",
        *,
        layer: str = "",
        key: Hashable = None,
    ) -> np.ndarray:
        """The same before it is scaled: float32 [h, w] in the method's own unit, of either sign."""
        return self._explained(run_id, image, target, method, layer, key)[0]

    def _explained(
        self, run_id: str | None, image: np.ndarray, target: int, method: str, layer: str, key: Hashable
    ) -> tuple[np.ndarray, np.ndarray]:
        opened = self._open(run_id)
        if method not in EXPLAIN:
            raise ValueError(f"unknown explanation {method!r}")
        if not 0 <= target < len(opened.classifier.classes):
            raise ValueError(f"there is no class {target}")
        layer = layer if method == "grad-cam" else ""
        if layer and layer not in {one["name"] for one in opened.run.manifest.get("layers", [])}:
            raise ValueError(f"there is no layer {layer[:60]!r}")
        place = (*self._stands(opened), key or image.tobytes(), target, method, layer)

        def ask() -> tuple[np.ndarray, np.ndarray]:
            from ml.explanation import EXPLANATIONS as WAYS
            from ml.explanation import to_unit

            found = self._raw(opened, image[None], np.array([target]), method, layer)[0]
            return found, to_unit(found, WAYS[method].full)

        return self._maps.get(place, ask)

    def _raw(self, opened: Opened, images: np.ndarray, targets: np.ndarray, method: str, layer: str = "") -> np.ndarray:
        """float32 [n, h, w] in the method's own unit. Raises NoExplanation, ValueError for pictures of another form."""
        import torch

        from ml.explanation import EXPLANATIONS as WAYS
        from ml.explanation import NoConvolution

        with self._lock:
            inputs, classes = opened.classifier.inputs(images), torch.from_numpy(targets.astype(np.int64))
            try:
                return WAYS[method].raw(opened.classifier.module, inputs, classes, layer).numpy()
            except NoConvolution as error:
                raise NoExplanation(f"{error}") from None

    def typical(
        self, run_id: str | None, images: np.ndarray, targets: np.ndarray, method: str, *, key: Hashable
    ) -> Typical:
        """What spoke for the classes of many pictures, on average. images: uint8 [n, h, w, c]; targets: int [n].

        key: what stands for the pictures and targets. Raises Missing, Broken, NoExplanation, ValueError for an unknown
        method or pictures of another form. Others may ask between any few pictures.
        """
        opened = self._open(run_id)
        if method not in MEANS:
            raise ValueError(f"unknown explanation {method!r}")
        place = (*self._stands(opened), key, method)
        return self._means.get(place, lambda: self._mean(opened, images, targets, method))

    def _mean(self, opened: Opened, images: np.ndarray, targets: np.ndarray, method: str) -> Typical:
        height, width, _ = opened.classifier.shape
        n, total, squares = 0, np.zeros((height, width)), np.zeros((height, width))
        at_once = 32 if method in ("grad-cam", "gradients") else 2
        for start in range(0, len(images), at_once):
            some = slice(start, start + at_once)
            maps = np.maximum(self._raw(opened, images[some], targets[some], method).astype(np.float64), 0)
            sums = maps.sum(axis=(1, 2))
            maps = maps[sums > 0] / sums[sums > 0, None, None]
            n += len(maps)
            total += maps.sum(axis=0)
            squares += (maps**2).sum(axis=0)
        mean = total / max(n, 1)
        error = np.sqrt(np.maximum(squares / max(n, 1) - mean**2, 0) / max(n - 1, 1))
        return Typical(n, len(images) - n, mean, error)

    def walk(self, run_id: str | None, image: np.ndarray) -> "list[Stop]":
        """image: uint8 [h, w, c] of the network's form → its way through every layer that makes maps, [] where none
        does. Do not write to the arrays: they are kept. Raises Missing, Broken, ValueError for another form.
        """
        opened = self._open(run_id)

        def walk() -> "list[Stop]":
            from ml.explanation.walk import stops

            with self._lock:
                return stops(opened.classifier.module, opened.classifier.inputs(image[None]))

        return self._walks.get((*self._stands(opened), image.tobytes()), walk)

    def arithmetic(
        self, run_id: str | None, image: np.ndarray, stop: int, channel: int, row: int, column: int
    ) -> "Arithmetic":
        """How one number of that walk came about; see ml.explanation.walk. Raises what walk does, and IndexError."""
        from ml.explanation.walk import arithmetic

        walked = self.walk(run_id, image)
        if not 0 <= stop < len(walked):
            raise IndexError(f"there is no stop {stop}")
        with self._lock:
            return arithmetic(self._open(run_id).classifier.module, walked, stop, channel, row, column)

    def feature_maps(self, run_id: str | None, image: np.ndarray) -> dict[str, np.ndarray]:
        """image: uint8 [h, w, c] of the network's form → layer → float32 [channels, h, w], in the network's order.

        Empty for a network without picture-shaped layers. Do not write to the arrays: they are kept. Raises Missing,
        Broken, ValueError for a picture of another form.
        """
        opened = self._open(run_id)

        def look() -> dict[str, np.ndarray]:
            with self._lock:
                return opened.classifier.activations(image)

        return self._activations.get((*self._stands(opened), image.tobytes()), look)

    def familiarity(
        self, run_id: str | None, image: np.ndarray, *, itself: int | None = None, rival: int | None = None
    ) -> Familiarity:
        """How unlike the training pictures one is. image: uint8 [h, w, c] of the network's form.

        itself: its id where it is a reference picture; rival: a class whose nearest picture is wanted. Raises Missing
        (with the command that helps) or Broken.
        """
        opened = self._open(run_id)
        with self._lock:
            reference = opened.reference
            features = opened.classifier.features(image[None])[0]
        return reference.look_up(features, itself=itself, rival=rival)

    def unlike(self, run_id: str, image: np.ndarray) -> bool | None:
        """Whether the picture is called unlike the training data; None where that cannot be told."""
        try:
            return self.familiarity(run_id, image).unlike
        except (Missing, Broken):
            return None

    def twin(self, run_id: str | None, image: np.ndarray) -> tuple[int, float] | None:
        """Id and distance of the reference picture that is nearly the same, None where there is none.

        image: uint8 [h, w, c] of the network's form; distances are those of ml.data.duplicates. Raises Missing, Broken.
        """
        opened = self._open(run_id)
        pictures = self._library.pictures(opened.run.manifest["dataset"]["name"], "reference")
        point = units(image[None])[0]
        nearest = (2.0, 0)
        for start in range(0, len(pictures.images), 1_000):
            gaps = np.linalg.norm(units(pictures.images[start : start + 1_000]) - point, axis=1)
            nearest = min(nearest, (float(gaps.min()), start + int(gaps.argmin())))
        distance, row = nearest
        return (int(pictures.ids[row]), distance) if distance <= TWIN else None

    def warm(self, run_id: str | None = None) -> threading.Thread:
        """Load torch, the run and the explanations in the background; the thread, so that a caller may wait."""
        thread = threading.Thread(target=self._warm, args=(run_id,), name="predictor-warm", daemon=True)
        thread.start()
        return thread

    def _warm(self, run_id: str | None) -> None:
        try:
            opened = self._open(run_id)
            blank = np.zeros(opened.classifier.shape, np.uint8)
            self.predict(run_id, blank, mode="none")
            self.explain(run_id, blank, 0)
            self.familiarity(run_id, blank)
        except (Missing, Broken, NoExplanation):
            return  # the page says so when it asks

    def _preferred(self) -> str:
        """The run that answers when none is asked for; raises Missing."""
        if self._choose is None:
            self._default = self._default or self._library.default()
        name = self._default if self._choose is None else self._choose()
        if name is None:
            raise Missing("There is no run yet.", "python -m ml train --model fashion_cnn")
        return name

    def _open(self, run_id: str | None) -> Opened:
        with self._lock:
            stamp = self._library.stamp()
            if stamp != self._stamp:  # a run came, went or got another noun
                self._opened = Recent(OPEN)
                self._default = None
                self._stamp = stamp
            name = run_id or self._preferred()
            return self._opened.get(name, lambda: self._load(name))

    def _load(self, name: str) -> Opened:
        run = self._library.open(name)
        return Opened(run, self._library, _classifier(run))

    @staticmethod
    def _stands(opened: Opened) -> tuple[str, str]:
        """What stands for a network among kept answers."""
        return opened.run.run_id, opened.run.manifest["weights"]["sha256"]


def _classifier(run: Run) -> "Classifier":
    import torch

    from ml.inference import Classifier

    torch.set_num_threads(1)  # one picture gains nothing from two, and a fork after OpenMP has run would hang
    return Classifier.open(run)
