"""The door to ask: a picture in, an answer out. torch is imported when the first question comes, never before."""

import hashlib
import threading
import time
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from dashboard.data.cache import Cache
from ml.artifacts.reader import Broken, Library, Missing, Run
from ml.data.duplicates import LIMIT as TWIN
from ml.data.duplicates import units
from ml.images import edits
from ml.images.decoding import FILE_BYTES, GATE, LOSSLESS, ORIENTATION, Gate, Picture, Refusal, allowed, decode
from ml.images.form import Box, Form, Prepared, Step
from ml.images.preparation import MODES, STEPS, Mode, prepare
from ml.images.preparation_variants import USUAL, Agreement, Variant, compare, prepared
from ml.images.upload_archives import FILES, UNPACKED, items
from ml.inference import batch
from ml.inference.batch import BatchAnswer
from ml.inference.engines import ENGINES, open_run
from ml.inference.onnx import need
from ml.robustness.catalogue import ATTACKS, CORRUPTIONS, LADDER
from ml.stats.ood import LIMIT, Familiarity, OodModel, Reference, Rival, usual

if TYPE_CHECKING:
    from ml.explanation.walk import Arithmetic, Stop
    from ml.inference.classifier import Classifier
    from ml.inference.contract import Engine
    from ml.robustness.attacks import Attacked

__all__ = [
    "ENGINES",
    "EXPLAIN",
    "FILES",
    "FILE_BYTES",
    "GATE",
    "LIMIT",
    "LOSSLESS",
    "MEANS",
    "MODES",
    "ORIENTATION",
    "STEPS",
    "UNPACKED",
    "USUAL",
    "Agreement",
    "Answer",
    "Attempt",
    "BatchAnswer",
    "Box",
    "Broken",
    "Edited",
    "Familiarity",
    "Gate",
    "Missing",
    "Mode",
    "NoExplanation",
    "Picture",
    "Predictor",
    "Prepared",
    "Refusal",
    "Rival",
    "Step",
    "Typical",
    "Variant",
    "allowed",
    "decode",
    "need",
]  # fmt: skip

OPEN = 6  # classifiers held at once, 4 MB each and their reference features
PREPARED = 2  # pictures whose steps are held, some MB each: several runs are asked about one
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
ATTEMPTS = 48  # attacks held, 10 kB a picture and at most a page of them
AT_ONCE = 4  # pictures attacked before others may ask


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


@dataclass(frozen=True)
class Attempt:
    """What became of n attacked pictures.

    images, change: float32 [n, h, w, c], the attacked pictures in 0..1 and what was added; before, after, saved:
    float32 [n, classes], the answer to each as it was, as it is now, and once rounded to the 256 levels of a file.
    epsilon: float64 [n] of 0..1, how far each pixel might move, NaN where nothing flipped; rungs: of 0..1, what a
    smallest one was looked for on, and how often the gap below was halved.
    """

    images: np.ndarray
    change: np.ndarray
    before: np.ndarray
    after: np.ndarray
    saved: np.ndarray
    epsilon: np.ndarray
    rungs: tuple[float, ...] = ()
    halvings: int = 0


@dataclass(frozen=True)
class Edited:
    """What becomes of an answer when its picture is changed by hand.

    image, changed: uint8 [h, w, c] of the network's form, before and after; before, after: float32 [classes];
    ground: the level of the network's background, which comes in from outside; said: the changes as text.
    """

    run: str
    classes: tuple[str, ...]
    image: np.ndarray
    changed: np.ndarray
    before: np.ndarray
    after: np.ndarray
    ground: int
    said: str


class Opened:
    """One run ready to answer; a network is loaded when it is first asked for."""

    def __init__(self, run: Run, library: Library) -> None:
        self.run, self._library = run, library
        self.classes: tuple[str, ...] = tuple(run.manifest["dataset"]["classes"])
        self._engines: dict[str, Engine] = {}

    @cached_property
    def classifier(self) -> "Classifier":
        """The network in torch, which explains too. Raises Broken."""
        return _classifier(self.run)

    def engine(self, name: str) -> "Engine":
        """What computes the answers. Raises Missing with its command, Broken, ValueError for an unknown name."""
        if name == "torch":
            return self.classifier
        if name not in ENGINES:
            raise ValueError(f"unknown engine {name!r}")
        if name not in self._engines:
            need("onnxruntime")
            self._engines[name] = open_run(self.run, name)
        return self._engines[name]

    @cached_property
    def form(self) -> Form:
        """Read from 1,000 of the run's reference pictures; without them, no background is taken for granted."""
        return batch.form_of(self._library, self.run)

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

    @cached_property
    def known(self) -> OodModel | None:
        """What tells strange pictures from others, None for a run without the noun familiarity. Raises Broken."""
        if "familiarity" not in self.run.nouns:
            return None
        try:
            return OodModel(self.run.arrays("familiarity"))
        except ValueError as error:
            raise Broken(f"familiarity of run {self.run.run_id}: {error}") from error


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
        self._opened, self._maps, self._means = Cache(OPEN), Cache(EXPLANATIONS), Cache(MEANS_KEPT)
        self._prepared = Cache(PREPARED)
        self._walks, self._activations = Cache(WALKS), Cache(ACTIVATIONS)
        self._attempts = Cache(ATTEMPTS)

    def predict(
        self,
        run_id: str | None,
        image: np.ndarray,
        *,
        orientation: int = 1,
        mode: Mode = "auto",
        off: Collection[str] = (),
        turn: float = 0.0,
        box: Box | None = None,
        way: str = USUAL,
        engine: str = "torch",
    ) -> Answer:
        """image: uint8 [h, w, 1 or 3] of any size; orientation: EXIF; mode, off, turn, box: see prepare.

        way: one of ml.images.preparation_variants, the usual one where there is none of that name; engine: one of
        ENGINES. Raises Missing for an unknown run, or an engine that is not there (with the command that makes it),
        Broken for one that does not check out, ValueError for a bad mode, step, turn, box or engine.
        """
        opened = self._open(run_id)
        form, network = opened.form, self._network(opened, engine)
        start = time.perf_counter()
        options = {"orientation": orientation, "mode": mode, "off": frozenset(off), "turn": turn, "box": box}
        place = (hashlib.sha256(image.tobytes()).digest(), image.shape, form, form.peak, way, *options.values())
        made = self._prepared.get(place, lambda: prepared(image, form, way, **options))
        with self._lock:
            probabilities = network.probabilities(made.image[None])[0]
        seconds = time.perf_counter() - start
        return Answer(opened.run.run_id, opened.classes, probabilities, made, seconds)

    def edited(
        self, run_id: str | None, image: np.ndarray, said: str, *, orientation: int = 1, engine: str = "torch"
    ) -> Edited:
        """image: uint8 [h, w, 1 or 3], prepared first where it has not the network's form; said: see ml.images.edits.

        Raises what `predict` raises, and ValueError with a sentence for changes that cannot be made.
        """
        opened, changes = self._open(run_id), edits.parse(said)
        form, network = opened.form, self._network(opened, engine)
        base = prepared(image, form, USUAL, orientation=orientation).image
        ground = form.background or 0
        changed = edits.apply(base, changes, ground=ground)
        with self._lock:
            before, after = network.probabilities(np.stack([base, changed]))
        return Edited(opened.run.run_id, opened.classes, base, changed, before, after, ground, edits.text(changes))

    def glance(
        self, run_id: str | None, image: np.ndarray, *, orientation: int = 1, explain: bool = False
    ) -> tuple[Answer, np.ndarray | None]:
        """One frame of a camera: prepared the quick way (ml.images.preparation.WAYS), and nothing of it is held here.

        image: uint8 [h, w, 1 or 3]; explain: with Grad-CAM of the answer, float32 [h, w] from 0 to 1 in the network's
        form, None for a network that has none. Raises Missing or Broken.
        """
        opened = self._open(run_id)
        form, network = opened.form, self._network(opened, "torch")
        start = time.perf_counter()
        made = prepare(image, form, orientation=orientation, ways=("quick",))
        with self._lock:
            probabilities = network.probabilities(made.image[None])[0]
        seconds = time.perf_counter() - start
        answer = Answer(opened.run.run_id, opened.classes, probabilities, made, seconds)
        if not explain:
            return answer, None
        from ml.explanation import EXPLANATIONS as WAYS
        from ml.explanation import to_unit

        try:
            raw = self._raw(opened, made.image[None], np.array([answer.predicted]), "grad-cam")[0]
        except NoExplanation:
            return answer, None
        return answer, to_unit(raw, WAYS["grad-cam"].full)

    def agreement(self, run_id: str | None, image: np.ndarray, **options: Any) -> Agreement:
        """What the run says of every plausible preparation of a picture, asked in one batch.

        options: orientation, mode, off, turn and box of `predict`, which raises the same.
        """
        opened = self._open(run_id)

        def classify(images: np.ndarray) -> np.ndarray:
            with self._lock:
                return opened.classifier.probabilities(images)

        return compare(image, opened.form, classify, **options)

    def answers(
        self,
        run_id: str | None,
        sources: Iterable[tuple[str, IO[bytes]]],
        *,
        mode: Mode = "auto",
        engine: str = "torch",
    ) -> tuple[str, tuple[str, ...], Iterator[BatchAnswer]]:
        """Many pictures: the run that answers, its classes, and one answer a file, made as they are taken.

        sources: (name, opened file), zips among them; see ml.images.upload_archives for what is read of them. Raises
        what predict raises before the first answer is made; others may ask between any few pictures.
        """
        opened = self._open(run_id)
        if mode not in MODES:
            raise ValueError(f"prepare must be {', '.join(MODES)}")
        form, network = opened.form, self._network(opened, engine)

        def ask(images: np.ndarray) -> np.ndarray:
            with self._lock:
                return network.probabilities(images)

        return opened.run.run_id, opened.classes, batch.answers(items(sources), form, opened.classes, ask, mode=mode)

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
        if not 0 <= target < len(opened.classes):
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

    def corrupted(self, images: np.ndarray, ids: np.ndarray, name: str, severity: int, *, seed: int) -> np.ndarray:
        """images: uint8 [n, h, w, c]; ids: int [n] → uint8 [n, h, w, c], as the noun robustness had them.

        Raises Missing for a corruption that is not known (any more), ValueError for another severity than 1 to 5.
        """
        import torch

        from ml.robustness.corruptions import corrupt

        if name not in CORRUPTIONS:
            raise Missing(f"There is no corruption {name!r} here.")
        torch.set_num_threads(1)
        return corrupt(images, name, severity, ids=ids, seed=seed)

    def attack(
        self,
        run_id: str | None,
        images: np.ndarray,
        classes: np.ndarray,
        method: str,
        epsilon: float,
        *,
        targeted: bool = False,
        seed: int = 0,
    ) -> Attempt:
        """images: uint8 [n, h, w, c] of the network's form; classes: int [n], away from which, or, targeted, towards
        which they are changed; epsilon: 0 to 1; method: fgsm or pgd.

        Others may ask between any few pictures. Raises Missing, Broken, ValueError for another method, epsilon, class
        or form of pictures.
        """
        opened = self._open(run_id)
        place = ("attack", epsilon, *self._attempt(opened, images, classes, method, targeted, seed))

        def ask() -> Attempt:
            from ml.robustness.attacks import attacked

            parts = []
            for start in range(0, len(images), AT_ONCE):
                some = slice(start, start + AT_ONCE)
                with self._lock:
                    found = attacked(
                        opened.classifier, images[some], classes[some], epsilon, method, targeted=targeted, seed=seed
                    )
                    parts.append(self._asked(opened, images[some], found))
            names = ("images", "change", "before", "after", "saved", "epsilon")
            joined: dict[str, Any] = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
            return replace(parts[0], **joined)

        return self._attempts.get(place, ask)

    def smallest(
        self,
        run_id: str | None,
        image: np.ndarray,
        klass: int,
        method: str,
        *,
        targeted: bool = False,
        seed: int = 0,
    ) -> Attempt:
        """The smallest epsilon that leads one picture, uint8 [h, w, c], away from a class or, targeted, to it.

        Where none up to the last rung does, epsilon is NaN and the picture that of the last rung. Raises what attack
        does.
        """
        opened = self._open(run_id)
        images, classes = image[None], np.array([klass])
        place = ("smallest", *self._attempt(opened, images, classes, method, targeted, seed))

        def ask() -> Attempt:
            from ml.robustness import attacks

            with self._lock:
                found = attacks.smallest(opened.classifier, images, classes, method, targeted=targeted, seed=seed)
                made = self._asked(opened, images, found)
            return replace(made, rungs=tuple(step / 255 for step in LADDER), halvings=attacks.HALVINGS)

        return self._attempts.get(place, ask)

    def _attempt(
        self, opened: Opened, images: np.ndarray, classes: np.ndarray, method: str, targeted: bool, seed: int
    ) -> tuple[Hashable, ...]:
        """What stands for an attack among kept ones. Raises ValueError."""
        if method not in ATTACKS:
            raise ValueError(f"unknown attack {method!r}")
        if not len(images):
            raise ValueError("there is no picture to attack")
        return (*self._stands(opened), images.tobytes(), tuple(map(int, classes)), method, targeted, seed)

    @staticmethod
    def _asked(opened: Opened, images: np.ndarray, found: "Attacked") -> Attempt:
        """With the answers before, and to the picture as a file would keep it."""
        kept = np.rint(found.images * 255).astype(np.uint8)
        said = opened.classifier.probabilities(np.concatenate([images, kept]))
        return Attempt(
            found.images, found.change, said[: len(images)], found.probabilities, said[len(images) :], found.epsilon
        )

    def familiarity(
        self, run_id: str | None, image: np.ndarray, *, itself: int | None = None, rival: int | None = None
    ) -> Familiarity:
        """How unlike the training pictures one is. image: uint8 [h, w, c] of the network's form.

        itself: its id where it is a reference picture; rival: a class whose nearest picture is wanted. Raises Missing
        (with the command that helps) or Broken.
        """
        opened = self._open(run_id)
        with self._lock:
            reference, known = opened.reference, opened.known
            features = opened.classifier.features(image[None])[0]
            statistics = None if known is None else opened.classifier.statistics(image[None])
        found = reference.look_up(features, itself=itself, rival=rival)
        if known is None or statistics is None:
            return found
        # the neighbours stay the evidence; how unusual it is, all layers say
        try:
            score = float(known.scores(statistics)[0])
        except ValueError as error:
            raise Broken(f"familiarity of run {opened.run.run_id}: {error}") from error
        return replace(found, percentile=known.percentile(score), n=known.n, layers=True)

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
                self._opened = Cache(OPEN)
                self._default = None
                self._stamp = stamp
            name = run_id or self._preferred()
            return self._opened.get(name, lambda: self._load(name))

    def _load(self, name: str) -> Opened:
        return Opened(self._library.open(name), self._library)

    def _network(self, opened: Opened, engine: str) -> "Engine":
        with self._lock:  # a network is loaded once
            return opened.engine(engine)

    @staticmethod
    def _stands(opened: Opened) -> tuple[str, str]:
        """What stands for a network among kept answers."""
        return opened.run.run_id, opened.run.manifest["weights"]["sha256"]


def _classifier(run: Run) -> "Classifier":
    import torch

    from ml.inference.classifier import Classifier

    torch.set_num_threads(1)  # one picture gains nothing from two, and a fork after OpenMP has run would hang
    return Classifier.open(run)
