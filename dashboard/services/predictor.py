"""Asks a network: a picture in, an answer out."""

import time
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import IO, Any

import numpy as np

from dashboard.data.cache import Cache
from dashboard.services.networks import Networks, Output, digest
from ml.images import edits
from ml.images.form import Box, Prepared
from ml.images.preparation import MODES, Mode, prepare
from ml.images.preparation_variants import USUAL, Agreement, compare, prepared
from ml.images.upload_archives import items
from ml.inference import batch
from ml.inference.batch import BatchAnswer

PREPARED = 4  # pictures whose steps are held, some MB each: several runs are asked about one


@dataclass(frozen=True)
class Answer:
    """probabilities: float32 [classes]; seconds: preparation now, and the forward pass when it was made.

    output: all that the network said.
    """

    run: str
    classes: tuple[str, ...]
    probabilities: np.ndarray
    prepared: Prepared
    seconds: float
    output: Output
    order: np.ndarray = field(init=False)
    """Class ids, most likely first; equals in class order."""

    def __post_init__(self) -> None:
        # no cached_property: up to Python 3.11 all answers would wait for one lock of the class
        object.__setattr__(self, "order", np.argsort(-self.probabilities, kind="stable"))

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
class Edited:
    """What becomes of an answer when its picture is changed by hand.

    image, changed: uint8 [h, w, c] of the network's form, before and after; before, after: float32 [classes];
    ground: the level of the network's background, which comes in from outside; edits: the changes as text.
    """

    run: str
    classes: tuple[str, ...]
    image: np.ndarray
    changed: np.ndarray
    before: np.ndarray
    after: np.ndarray
    ground: int
    edits: str


class Predictor:
    """Answers for every run of a store."""

    def __init__(self, networks: Networks) -> None:
        self._networks = networks
        self._prepared = Cache(PREPARED)

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
        network = self._networks.open(run_id)
        form = network.form
        network.engine(engine)  # one that cannot answer says so before the picture is prepared
        start = time.perf_counter()
        options = {"orientation": orientation, "mode": mode, "off": frozenset(off), "turn": turn, "box": box}
        key = (digest(image), form, form.peak, way, *options.values())
        made = self._prepared.get(key, lambda: prepared(image, form, way, **options))
        preparing = time.perf_counter() - start
        output = self._networks.output(network, made.image, engine)
        seconds = preparing + output.seconds
        return Answer(network.run_id, network.classes, output.probabilities, made, seconds, output)

    def edited(
        self, run_id: str | None, image: np.ndarray, changes: str, *, orientation: int = 1, engine: str = "torch"
    ) -> Edited:
        """image: uint8 [h, w, 1 or 3], prepared first where it has not the network's form; changes: as text, see
        ml.images.edits.

        Raises what `predict` raises, and ValueError with a sentence for changes that cannot be made.
        """
        network, steps = self._networks.open(run_id), edits.parse(changes)
        form = network.form
        base = prepared(image, form, USUAL, orientation=orientation).image
        ground = form.background or 0
        changed = edits.apply(base, steps, ground=ground)
        before, after = (self._networks.output(network, one, engine).probabilities for one in (base, changed))
        return Edited(network.run_id, network.classes, base, changed, before, after, ground, edits.text(steps))

    def glance(self, run_id: str | None, image: np.ndarray, *, orientation: int = 1) -> Answer:
        """One frame of a camera: prepared the quick way (ml.images.preparation.WAYS), and nothing of it is kept.

        image: uint8 [h, w, 1 or 3]. Raises Missing or Broken.
        """
        network = self._networks.open(run_id)
        form = network.form
        start = time.perf_counter()
        made = prepare(image, form, orientation=orientation, ways=("quick",))
        output = network.output(made.image)
        seconds = time.perf_counter() - start
        return Answer(network.run_id, network.classes, output.probabilities, made, seconds, output)

    def agreement(self, run_id: str | None, image: np.ndarray, **options: Any) -> Agreement:
        """What the run says of every plausible preparation of a picture, asked in one batch.

        options: orientation, mode, off, turn and box of `predict`, which raises the same.
        """
        network = self._networks.open(run_id)
        asked = network.asked

        def classify(images: np.ndarray) -> np.ndarray:
            with self._networks.lock:
                return asked.probabilities(images)

        return compare(image, network.form, classify, **options)

    def answers(
        self,
        run_id: str | None,
        sources: Iterable[tuple[str, IO[bytes]]],
        *,
        mode: Mode = "auto",
        engine: str = "torch",
        unlike: Callable[[np.ndarray], np.ndarray | None] | None = None,
    ) -> tuple[str, tuple[str, ...], Iterator[BatchAnswer]]:
        """Many pictures: the run that answers, its classes, and one answer a file, made as they are taken.

        sources: (name, opened file), zips among them; see ml.images.upload_archives for what is read of them. unlike:
        see ml.inference.batch.answers; what it gives is None where that cannot be told. Raises what predict raises
        before the first answer is made; others may ask between any few pictures.
        """
        network = self._networks.open(run_id)
        if mode not in MODES:
            raise ValueError(f"prepare must be {', '.join(MODES)}")
        backend = network.engine(engine)

        def ask(images: np.ndarray) -> np.ndarray:
            with self._networks.lock:
                return backend.probabilities(images)

        answers = batch.answers(
            items(sources, known=network.classes), network.form, network.classes, ask, mode=mode, unlike=unlike
        )
        return network.run_id, network.classes, answers
