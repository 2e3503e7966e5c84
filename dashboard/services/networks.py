"""Networks ready to be asked: which are open, what computes their answers, one forward pass at a time.

torch is imported when the first question comes, never before.
"""

import contextlib
import hashlib
import threading
import time
from collections.abc import Hashable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from dashboard.data.cache import Cache
from dashboard.data.run import RunData
from dashboard.data.store import Store
from dashboard.services.gathering import AT_ONCE, Gatherer
from ml.artifacts.kinds import NETWORK, in_torch
from ml.artifacts.reader import Broken, Missing, Run
from ml.explanation.scale import large
from ml.images.form import Form
from ml.inference import batch, routing
from ml.inference.engines import ENGINES, open_run
from ml.inference.onnx import need
from ml.stats.likeness import Likeness
from ml.stats.ood import OodModel, Reference, usual
from ml.system import memory, torch_once

if TYPE_CHECKING:
    from ml.inference.classifier import Classifier
    from ml.inference.contract import Differentiable, Engine, Timed

OPEN = 6  # networks held at once, 4 MB each and their reference features
OUTPUTS = 512  # kept answers, a few kB each


@dataclass(frozen=True)
class Output:
    """What a network makes of one picture. Do not write to the arrays: they are kept.

    probabilities: float32 [classes]; features: float32 [d], the input of the last layer, None where another engine than
    the run's own computed it, or a network that gives none; seconds: the forward pass, of many together its share;
    score: how unlike the training pictures it is, as the run's model has it, where its familiarity is of all layers.
    """

    probabilities: np.ndarray
    features: np.ndarray | None
    seconds: float
    score: float | None = None


class Network:
    """One run ready to answer; whatever it needs is loaded when it is first asked for, by one thread at a time."""

    def __init__(self, data: RunData, store: Store, lock: threading.RLock) -> None:
        self.run: Run = data.run
        self.classes: tuple[str, ...] = tuple(data.classes)
        self._store, self._lock = store, lock
        self._engines: dict[str, Timed] = {}
        self._gatherers: dict[str, Gatherer[Output]] = {}

    @property
    def run_id(self) -> str:
        return self.run.run_id

    @property
    def key(self) -> tuple[str, str]:
        """What stands for this network among kept answers: its name and its weights."""
        return self.run_id, self.run.manifest["weights"]["sha256"]

    @cached_property
    def _classifier(self) -> "Classifier":
        torch_once.load()
        with memory.gc_paused():
            from ml.inference.classifier import Classifier

        opened = Classifier.open(self.run)
        memory.trim()  # what was read and has been taken over
        return opened

    @property
    def classifier(self) -> "Classifier":
        """The network in torch, which explains too. Raises Broken, Incapable for an imported one."""
        self.run.need("layers")
        found: Classifier = self._once("_classifier")
        return found

    def _once(self, name: str) -> Any:
        """A cached property, made by one thread at a time. What is there is given without the lock: who is about to
        ask is to wait among those who are asked for together."""
        if name in self.__dict__:
            return self.__dict__[name]
        with self._lock:
            return getattr(self, name)

    @property
    def asked(self) -> "Timed":
        """What answers where no engine is named: torch, or of an imported network its own. Raises Missing, Broken."""
        return self.engine("torch")

    @property
    def differentiable(self) -> "Differentiable":
        """What has gradients: the network in torch, or one rebuilt there from an imported file when it is first asked
        for. Raises Missing (Incapable without them), Broken."""
        self.run.need("gradients")
        if in_torch(self.run.manifest):
            return self.classifier
        torch_once.load()
        with self._lock, memory.gc_paused():
            made: Differentiable = cast(Any, self.asked).differentiable
        return made

    @property
    def described(self) -> "Engine":
        """The same, of a run with features. Raises Missing (Incapable without them), Broken."""
        self.run.need("features")
        return cast("Engine", self.asked)

    def engine(self, name: str) -> "Timed":
        """What computes the answers. Raises Missing with its command, Broken, ValueError for an unknown name."""
        if name == "torch" and in_torch(self.run.manifest):
            return self.classifier
        if name not in ENGINES:
            raise ValueError(f"unknown engine {name!r}")
        if name == "onnx" and not in_torch(self.run.manifest):
            name = "torch"
        if name in self._engines:
            return self._engines[name]
        with self._lock:
            if name not in self._engines:
                need("onnxruntime")
                self._engines[name] = open_run(self.run, name)
                memory.trim()  # of 94 MB of weights, onnxruntime leaves 147 MB free in between
            return self._engines[name]

    def output(self, image: np.ndarray, engine: str = "torch") -> Output:
        """One forward pass, together with those of others who ask just now. image: uint8 [h, w, c] of the form.

        Raises what `engine` raises, ValueError for another form.
        """
        gatherer = self._gatherers.get(engine)
        if gatherer is None:
            self.engine(engine)  # one that cannot answer says so here
            with self._lock:
                size = self.run.manifest["dataset"]
                most = 1 if large(size["height"], size["width"]) else AT_ONCE  # photographs gain nothing together
                made = Gatherer(partial(self._pass, engine), self._lock, most)
                gatherer = self._gatherers.setdefault(engine, made)
        return gatherer.one(image)

    def _pass(self, engine: str, images: np.ndarray) -> list[Output]:
        """images: uint8 [n, h, w, c] → n outputs."""
        began = time.perf_counter()
        backend: Any = self.engine(engine)
        nothing = [None] * len(images)
        every: Any = nothing
        scores: Any = nothing
        if engine == "torch" and self._layered:
            said, every, statistics = self.classifier.everything(images)
            with contextlib.suppress(ValueError):  # learned of another network: whoever wants the score says so
                scores = cast(OodModel, self._ood_model).scores(statistics).tolist()
        elif engine == "torch" and "features" in backend.capabilities:
            said, every = self.described.probabilities_and_features(images)
        else:
            said = backend.probabilities(images)
        each = (time.perf_counter() - began) / len(images)
        return [Output(*one[:2], each, one[2]) for one in zip(said, every, scores, strict=True)]

    @cached_property
    def _layered(self) -> bool:
        """Whether its familiarity is told by all layers of a network in torch."""
        try:
            model = self._ood_model
        except Broken:
            return False
        return model is not None and not model.last and in_torch(self.run.manifest)

    @cached_property
    def _form(self) -> Form:
        return batch.form_of(self._store.library, self.run)

    @property
    def form(self) -> Form:
        """Read from 1,000 of the run's reference pictures; without them, no background is taken for granted."""
        found: Form = self._once("_form")
        return found

    @cached_property
    def _reference(self) -> Reference:
        arrays = self.run.arrays("features")
        ids = arrays["reference_id"]
        try:
            learned = self.run.manifest["dataset"]
            pictures = self._store.pictures(learned["name"], "reference", learned)
            labels = pictures.labels[[pictures.row(int(i)) for i in ids]]
        except (Missing, Broken):
            labels = None
        return Reference(arrays["reference"], ids, usual(self.run.table("neighbours")), labels)

    @property
    def reference(self) -> Reference:
        """Raises Missing or Broken where `features` or `neighbours` is."""
        found: Reference = self._once("_reference")
        return found

    @cached_property
    def _ood_model(self) -> OodModel | None:
        if "familiarity" not in self.run.nouns:
            return None
        try:
            return OodModel(self.run.arrays("familiarity"))
        except ValueError as error:
            raise Broken(f"familiarity of run {self.run_id}: {error}") from error

    @cached_property
    def _likeness(self) -> Likeness | None:
        try:
            return routing.likeness_of(self.run)
        except ValueError as error:
            raise Broken(f"looks of run {self.run_id}: {error}") from error

    @property
    def likeness(self) -> Likeness | None:
        """What is known of its pictures' colours, ground and detail, None for a run without the noun looks. Raises
        Broken."""
        found: Likeness | None = self._once("_likeness")
        return found

    @property
    def ood_model(self) -> OodModel | None:
        """What tells strange pictures from others, None for a run without the noun familiarity. Raises Broken."""
        found: OodModel | None = self._once("_ood_model")
        return found


class Networks:
    """The networks of a store's runs.

    One lock guards torch: its threads would fight over two cores, and explanations hang hooks on the network.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self.lock = threading.RLock()
        self._opened, self._outputs = Cache(OPEN), Cache(OUTPUTS)

    def open(self, run_id: str | None) -> Network:
        """The network of a run, of the store's default when None. Raises Missing (Incapable without one) or Broken."""
        data, key = self.store.moment.kept(("network", run_id), lambda: self._found(run_id))
        return self._opened.get(key, lambda: Network(data, self.store, self.lock))

    def _found(self, run_id: str | None) -> tuple[RunData, Hashable]:
        """A run with a network, and what says that it is still the same. Raises what `open` does."""
        data = self.store.open(run_id)
        data.need(NETWORK)
        # a run's weights never change, but another of its name may come, and it may get another noun
        digests = tuple(sorted((noun, entry["sha256"]) for noun, entry in data.manifest["nouns"].items()))
        return data, (data.run_id, data.manifest["weights"]["sha256"], digests, data.picture_set)

    def output(self, network: Network, image: np.ndarray, engine: str = "torch") -> Output:
        """One forward pass for whoever asks the same, at the same time or later; of several who ask about different
        pictures at the same time, one for all of them.

        image: uint8 [h, w, c] of the network's form. Raises what `Network.engine` raises, ValueError for another form.
        """

        return self._outputs.get((*network.key, engine, digest(image)), lambda: network.output(image, engine))


def digest(images: np.ndarray) -> Hashable:
    """What stands for pictures among kept answers; nothing of the pictures can be told from it."""
    return hashlib.sha256(np.ascontiguousarray(images).data).digest(), images.shape
