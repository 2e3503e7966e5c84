"""Many pictures past one network: read, prepared, asked about in small batches; one answer or one sentence a file."""

import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ml.artifacts.reader import Broken, Library, Missing, Run
from ml.images.decoding import FILE_BYTES, Picture, Refusal, decode
from ml.images.file_names import truth
from ml.images.fitting import manner
from ml.images.form import Form
from ml.images.preparation import PHOTOGRAPH_STEPS, Mode, prepare
from ml.images.upload_archives import Item
from ml.inference.prediction_sets import PredictionSets
from ml.stats.ood import LIMIT

IMAGES_PER_CALL = 16  # others who ask meanwhile wait less than for 32, and 16 cost half as much each
FORM_PICTURES = 1_000
BUSY_TIMES, BUSY_SECONDS = 6, 0.5
TOP_CLASSES = 3


@dataclass(frozen=True)
class BatchAnswer:
    """What became of one file. truth: class id of its folder's name; image: uint8 [h, w, c] as the network saw it.

    probabilities: float32 [classes]. Both are None where `problem` says why there is no answer. percentile: 0 to 100,
    how unlike the training pictures it is (ml.stats.ood), None where nobody can tell.
    """

    name: str
    truth: int | None = None
    image: np.ndarray | None = None
    probabilities: np.ndarray | None = None
    problem: str = ""
    percentile: float | None = None
    seconds: float = 0.0  # preparation, and the picture's part of the forward pass

    def line(
        self, classes: Sequence[str], top: int = TOP_CLASSES, sets: PredictionSets | None = None
    ) -> dict[str, Any]:
        """The same for JSON: file, true (where the folder names a class), label, confidence, top, calibrated and set
        (where the run has such), familiarity (where it is known); or file and error."""
        record: dict[str, Any] = {"file": self.name}
        if self.truth is not None:
            record["true"] = classes[self.truth]
        if self.probabilities is None:
            return {**record, "error": self.problem}
        order = np.argsort(-self.probabilities, kind="stable")[:top]
        best = [{"label": classes[i], "probability": float(self.probabilities[i])} for i in order]
        record |= {"label": best[0]["label"], "confidence": best[0]["probability"], "top": best}
        record |= sets.json_value(self.probabilities, classes) if sets else {}
        return record if self.percentile is None else {**record, "familiarity": familiarity(self.percentile)}


def familiarity(percentile: float) -> dict[str, Any]:
    """What is said of it beside an answer, as JSON."""
    return {"percentile": round(percentile, 1), "unlike": percentile > LIMIT}


def form_of(library: Library, run: Run) -> Form:
    """What a run's pictures look like, read from its reference pictures; without them no background is assumed.

    How others are made to fit and which steps photographs take, the run itself says: none where it was never measured.
    """
    dataset = run.manifest["dataset"]
    steps = frozenset(PHOTOGRAPH_STEPS).intersection(run.manifest.get("preparation", ()))
    try:
        form = Form.of(library.learned_pictures(run, "reference").images[:FORM_PICTURES])
    except (Missing, Broken):
        form = Form(dataset["height"], dataset["width"], dataset["channels"])
    return replace(form, **manner(dataset), steps=steps)


def answers(
    items: Iterable[Item],
    form: Form,
    classes: Sequence[str],
    ask: Callable[[np.ndarray], np.ndarray],
    *,
    mode: Mode = "auto",
    unlike: Callable[[np.ndarray], np.ndarray | None] | None = None,
    limit: int = FILE_BYTES,
    at_once: int = IMAGES_PER_CALL,
) -> Iterator[BatchAnswer]:
    """One answer a file, in their order. One file is in memory as it came, and at_once of them in the network's form.

    ask: uint8 [n, h, w, c] → float32 [n, classes]; unlike: the same → percentiles, see BatchAnswer, None where they
    cannot be told; limit: bytes of one file.
    """
    waiting: list[BatchAnswer] = []
    held = 0
    for item in items:
        waiting.append(_read(item, form, classes, mode, limit))
        held += waiting[-1].image is not None
        if not held or held == at_once:  # with nothing to ask, a sentence need not wait
            yield from _classify(waiting, ask, unlike)
            waiting, held = [], 0
    yield from _classify(waiting, ask, unlike)


def _read(item: Item, form: Form, classes: Sequence[str], mode: Mode, limit: int) -> BatchAnswer:
    answer = BatchAnswer(item.name, truth(item.name, classes))
    picture = read(item, form, limit)
    if isinstance(picture, str):
        return replace(answer, problem=picture)
    start = time.perf_counter()
    try:
        seen = prepare(picture.pixels, form, orientation=picture.orientation, mode=mode).image
    except Refusal as refusal:
        return replace(answer, problem=str(refusal))
    return replace(answer, image=seen, seconds=time.perf_counter() - start)


def read(item: Item, form: Form, limit: int = FILE_BYTES) -> Picture | str:
    """A file as the form reads it, or why it is none that can be read; waits where too many are being read."""
    problem = item.problem
    for attempt in range(0 if problem else BUSY_TIMES):
        try:
            return decode(item.content, limit=limit, laid_on=form.laid_on, levels=form.levels)
        except Refusal as refusal:
            problem = str(refusal)
            if refusal.status != 503 or attempt == BUSY_TIMES - 1:
                break
            time.sleep(BUSY_SECONDS)
    return problem


def _classify(
    waiting: list[BatchAnswer],
    ask: Callable[[np.ndarray], np.ndarray],
    unlike: Callable[[np.ndarray], np.ndarray | None] | None,
) -> Iterator[BatchAnswer]:
    images = [one.image for one in waiting if one.image is not None]
    start = time.perf_counter()
    probabilities = iter(ask(np.stack(images))) if images else iter(())
    told = unlike(np.stack(images)) if images and unlike else None
    strange: Iterator[float | None] = itertools.repeat(None) if told is None else iter(told.tolist())
    each = (time.perf_counter() - start) / max(len(images), 1)
    for one in waiting:
        if one.image is not None:
            one = replace(
                one, probabilities=next(probabilities), percentile=next(strange), problem="", seconds=one.seconds + each
            )
        yield one
