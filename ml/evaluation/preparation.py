"""Which steps for photographs does a run take? Those that were measured to help it, and harm none of its own files.

Validation pictures are given back to the network in two ways: as the files they came as, and as photographs of them
(ml.evaluation.photographs). A run answers its own files as recorded, so steps that change more than one answer in 200
are not taken. Of all steps together, which must help on photographs by McNemar's test, each is dropped that is worth
nothing beside the others. Right after a training a few photographs must do; `python -m ml evaluate RUN --only
preparation` takes more.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial

import numpy as np
import pandas as pd

from ml.data.base import stratified
from ml.data.images import some
from ml.evaluation.context import EvaluationContext
from ml.evaluation.kept import kept
from ml.evaluation.photographs import rendered
from ml.images.decoding import Refusal, decode
from ml.images.fitting import NATIVE
from ml.images.form import Form
from ml.images.preparation import PHOTOGRAPH_STEPS, prepare
from ml.images.remembered import once
from ml.stats.paired import mcnemar

PHOTOGRAPHS, BRIEFLY = 120, 40  # of them are made, and when somebody waits for the run
SIDE, BUSY, DULL = 224, 0.25, 0.5
FILES = 200
AGREE = 0.995  # of the run's own files, answered as recorded
P = 0.05
NOTHING: frozenset[str] = frozenset()
EVERYTHING = frozenset(PHOTOGRAPH_STEPS)


@dataclass(frozen=True)
class Given:
    """What is given: upright or not, pixels uint8 [h, w, 1 or 3] with their EXIF orientation, made when they are asked
    for; rows: of validation; known: what the pictures follow from."""

    name: str
    pictures: Callable[[], Sequence[tuple[np.ndarray, int]]]
    rows: np.ndarray
    known: Sequence[object] = ()


class Measured:
    """Answers of a run, by what is given and the steps that are taken; each is asked for once."""

    def __init__(self, context: EvaluationContext, form: Form) -> None:
        self._context, self._form = context, form
        self._labels = context.splits["validation"].labels
        self._recorded = context.recorded("validation").argmax(axis=1)
        self._rows: list[dict[str, object]] = []
        self._right: dict[tuple[str, frozenset[str]], np.ndarray] = {}
        self._agreeing: dict[tuple[str, frozenset[str]], np.ndarray] = {}

    def right(self, given: Given, steps: frozenset[str]) -> np.ndarray:
        """bool [n]: whether the label is said."""
        self._ask(given, steps)
        return self._right[given.name, steps]

    def agreeing(self, given: Given, steps: frozenset[str]) -> np.ndarray:
        """bool [n]: whether that is said which is recorded of the picture."""
        self._ask(given, steps)
        return self._agreeing[given.name, steps]

    def _ask(self, given: Given, steps: frozenset[str]) -> None:
        key = given.name, steps
        if key in self._right:
            return
        named = " ".join(name for name in PHOTOGRAPH_STEPS if name in steps)
        self._context.tell(f"computing preparation: {len(given.rows)} {given.name}, {named or 'only fitted'}")
        form = replace(self._form, steps=steps)
        ways = ("quick",) if self._context.brief else ()

        def seen() -> np.ndarray:
            return np.stack([prepare(one, form, orientation=turn, ways=ways).image for one, turn in given.pictures()])

        prepared = kept("prepared", (form, form.peak, ways, given.name, *given.known), seen)
        said = self._context.ask(prepared)[0].argmax(axis=1)
        self._right[key] = said == self._labels[given.rows]
        self._agreeing[key] = said == self._recorded[given.rows]
        counts = {"correct": int(self._right[key].sum()), "agreeing": int(self._agreeing[key].sum())}
        self._rows.append({"given": given.name, "steps": named, "n": len(said), **counts})

    def table(self) -> pd.DataFrame:
        """One row for each that was asked for."""
        return pd.DataFrame(self._rows, columns=["given", "steps", "n", "correct", "agreeing"])


@once()
def table(context: EvaluationContext) -> pd.DataFrame:
    """Rows (given, steps, n, correct, agreeing); notes `preparation`, the steps that the run takes."""
    form = replace(Form.of(some(context.splits["reference"].images)), **context.manner())
    measured = Measured(context, form)
    files, photographs = as_files(context, form), as_photographs(context, form)
    steps = NOTHING
    if len(photographs.rows):
        plain, every = (measured.right(photographs, these) for these in (NOTHING, EVERYTHING))
        helps = every.sum() > plain.sum() and mcnemar(int((every & ~plain).sum()), int((plain & ~every).sum())) < P
        if len(files.rows):
            harmless = all(measured.agreeing(files, these).mean() >= AGREE for these in (NOTHING, EVERYTHING))
            if helps and harmless:
                steps = needed(measured, photographs)
                if measured.agreeing(files, steps).mean() < AGREE:
                    steps = NOTHING
    elif len(files.rows):
        measured.right(files, NOTHING)
    context.notes["preparation"] = [name for name in PHOTOGRAPH_STEPS if name in steps]
    return measured.table()


def needed(measured: Measured, photographs: Given) -> frozenset[str]:
    """All steps without those that are worth nothing beside the others, the last one first. Of each that stays it was
    measured what is right without it."""
    steps = EVERYTHING

    def worthless() -> str | None:
        right = measured.right(photographs, steps).sum()
        last_first = [name for name in reversed(PHOTOGRAPH_STEPS) if name in steps]
        return next((name for name in last_first if measured.right(photographs, steps - {name}).sum() >= right), None)

    while name := worthless():  # what another one hid may be worth nothing without it
        steps -= {name}
    return steps


def as_files(context: EvaluationContext, form: Form) -> Given:
    """Validation pictures as they came; none where nobody knows how they did."""
    validation = context.splits["validation"]
    if context.fitting() == NATIVE:
        rows = np.arange(min(FILES, len(validation)))
        images = [validation.images[row] for row in rows]
        return Given("files", lambda: [(image, 1) for image in images], rows, images)
    place = {int(example_id): row for row, example_id in enumerate(validation.ids)}
    pictures, found, came = [], [], []
    for example_id, content in context.files().items():
        try:
            picture = decode(content, laid_on=form.laid_on, levels=form.levels)
        except Refusal:
            continue
        if example_id in place:
            pictures.append((picture.pixels, picture.orientation))
            found.append(place[example_id])
            came.append(content)
    return Given("files", lambda: pictures, np.array(found, int), came)


def as_photographs(context: EvaluationContext, form: Form) -> Given:
    """Photographs of validation pictures; none where these have no plain background."""
    validation = context.splits["validation"]
    if form.background is None or not len(validation):
        return Given("photographs", list, np.zeros(0, int))
    rng = np.random.default_rng(context.seed)
    rows = np.arange(len(validation))
    most = BRIEFLY if context.brief else PHOTOGRAPHS
    if len(rows) > most:
        rows = stratified(validation.labels, most, rng)
    images, state = np.stack([validation.images[row] for row in rows]), rng.bit_generator.state
    render = partial(rendered, rng=rng, side=SIDE, background=form.background, busy=BUSY, dull=DULL)

    @cache
    def made() -> list[tuple[np.ndarray, int]]:
        return [(render(image), 1) for image in images]

    return Given("photographs", made, rows, (images, repr(state), form.background, SIDE, BUSY, DULL))
