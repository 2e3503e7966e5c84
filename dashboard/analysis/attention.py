"""Where a network looks in one group of images, against another: two selections, or one selection and two runs.

A is the selection of the address, B what `versus` names.
"""

from dataclasses import dataclass

import numpy as np

from dashboard.data.run import RunData
from dashboard.services.container import Services
from dashboard.services.explainer import NoExplanation, Typical
from dashboard.state.selection import Selection
from dashboard.state.vocabulary import UNLABELLED
from ml.artifacts.reader import Missing
from ml.data.images import total

DOUBT = 2.0  # standard errors within which a difference is called none


@dataclass(frozen=True)
class Side:
    """title: in words; rows: int [n], places in the run's predictions of the split, by ascending id."""

    title: str
    run: RunData
    rows: np.ndarray

    @property
    def n(self) -> int:
        return len(self.rows)


@dataclass(frozen=True)
class Looked:
    """A side with its images' mean, float64 [h, w, c] of 0 to 255, and what spoke for their classes; None if empty."""

    side: Side
    image: np.ndarray
    typical: Typical | None


@dataclass(frozen=True)
class Compared:
    """difference: float64 [h, w], A minus B in shares of the attribution; sure: bool [h, w], past DOUBT standard errors
    of it. overlap: 0 to 1, the share of the attribution that both have in the same places; None where a side is empty.
    """

    a: Looked
    b: Looked
    method: str
    label: bool
    difference: np.ndarray | None
    sure: np.ndarray | None
    overlap: float | None


def view(selection: Selection) -> tuple[str, bool]:
    """Method, and whether the label is asked about instead of the guess."""
    way, _, target = (selection.look or "grad-cam").partition(",")
    return way, target == "label"


def sides(services: Services, selection: Selection) -> tuple[Side, Side]:
    """Both groups, of the images that the address means, whatever its epoch; asked about is what the kept network
    says of them. Raises Missing where the second one cannot be had, Broken.
    """
    run = services.store.shown(selection.run).reviewed(selection.labels)
    then = run.during(selection.epoch)
    mask = then.mask(selection)
    a = Side("this selection", run, then.rows(selection))
    versus = selection.versus or ("rest" if selection.split == UNLABELLED else "right")
    if versus == "run":
        pair = services.store.compare(selection)
        both = mask[pair.rows_a]
        return Side(run.title, run, pair.rows_a[both]), Side(pair.b.title, pair.b, pair.rows_b[both])
    if versus == "rest":
        return a, Side("all other images", run, np.flatnonzero(then.predictions(selection.split).kept & ~mask))
    if versus == "contrast":
        other = selection.contrasted(run.classes)
        if other is None:
            raise Missing("No second cell is chosen in the matrix: hold Shift and click one.")
        truth, guess = other.true[0], other.pred[0]
        return a, Side(f"{truth} predicted {guess}", run, then.rows(other))
    if versus.startswith("?"):
        kept = Selection.parse(versus).with_(run=selection.run, against=selection.against, split=selection.split)
        return a, Side(f"kept: {summary(kept)}", run, then.rows(kept))
    right = selection.clear().with_(true=classes(run, selection), outcome=("right",))
    named = f" of {' and '.join(right.true)}" if 0 < len(right.true) <= 2 else ""
    return a, Side(f"the right ones{named}", run, then.rows(right))


def classes(run: RunData, selection: Selection) -> tuple[str, ...]:
    """The true classes that are meant; without any, the guessed ones; () for all."""
    return selection.true or tuple(name for name in selection.pred if name in run.classes)


def summary(selection: Selection) -> str:
    """A selection in a few words."""
    words = [f"true {' or '.join(selection.true)}"] if selection.true else []
    words += [f"predicted {' or '.join(selection.pred)}"] if selection.pred else []
    words += [" or ".join(selection.outcomes)] if selection.outcomes else []
    named = ("bucket", "conf", "tempered", "reject", "lasso", "ids", "tag", "slice")
    more = [name for name, _ in selection.items() if name in named]
    return ", ".join([*words, *more]) or "all images"


def compare(services: Services, selection: Selection) -> Compared:
    """Both sides, looked at. Raises Missing (also where the network cannot be explained this way), Broken."""
    method, label = view(selection)
    try:
        a, b = (look(services, side, selection.split, method, label) for side in sides(services, selection))
    except NoExplanation as none:
        run = services.store.shown(selection.run)
        others = "Gradients and occlusion work" if run.can("gradients") else "Occlusion works"
        raise Missing(f"No answer this way: {none}. {others} for every network.") from None
    if a.typical is None or b.typical is None or not a.typical.n or not b.typical.n:
        return Compared(a, b, method, label, None, None, None)
    difference = a.typical.mean - b.typical.mean
    error = np.hypot(a.typical.error, b.typical.error)
    overlap = float(np.minimum(a.typical.mean, b.typical.mean).sum())
    return Compared(a, b, method, label, difference, np.abs(difference) > DOUBT * error, overlap)


def look(services: Services, side: Side, split: str, method: str, label: bool) -> Looked:
    """The mean of all images, and what spoke for their classes in some of them, evenly spaced by id."""
    pictures, predictions = side.run.pictures(split), side.run.predictions(split)
    places = np.array([pictures.row(int(i)) for i in predictions.ids[side.rows]], int)
    if not len(places):
        return Looked(side, np.zeros(pictures.images.shape[1:]), None)
    image = total(pictures.images, places) / len(places)
    n = services.explainer.pictures(side.run.run_id, method)
    some = np.unique(np.linspace(0, len(places) - 1, n).round().astype(int))
    rows = side.rows[some]
    targets = (predictions.labels if label else predictions.predicted)[rows]
    typical = services.explainer.typical(side.run.run_id, pictures.images[places[some]], targets, method)
    return Looked(side, image, typical)
