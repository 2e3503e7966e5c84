"""What is suspected and what was decided of it: the queue of a split, its pictures, decisions and their scores."""

from dataclasses import dataclass

import numpy as np

from dashboard.analysis import to_label
from dashboard.data.run import RunData
from dashboard.format.images import single_url, sprite_url
from dashboard.records.decisions import CurrentLabels, Decision
from dashboard.records.rows import Declined
from dashboard.services.container import Services
from dashboard.state.selection import Selection
from dashboard.state.vocabulary import UNLABELLED

NOBODY = "anonymous"
CAUTION = (
    "Only suspected labels were looked at, and those are the ones the model disagrees with: the reviewed score can "
    "hardly fall. It is no estimate of what a review of every label would give."
)


def split_of(selection: Selection) -> str:
    """test, validation, train or unlabelled: the address says reference for what the runs were trained on."""
    return "train" if selection.split == "reference" else selection.split


@dataclass(frozen=True)
class Queue:
    """Suspected labels, most suspect first. ids: int32 [n]; labels, suggested: int [n]; quality: float [n].

    suspected: how many there are in the split before any filter; examined: of how many examples. Of images without a
    label: what to label next first, labels of -1, the class that is predicted, its probability. nobody: classes that no
    label of the split is of, of which confident learning suspects no image: it has no label to compare with.
    """

    split: str
    ids: np.ndarray
    labels: np.ndarray
    suggested: np.ndarray
    quality: np.ndarray
    suspected: int
    examined: int
    nobody: tuple[int, ...] = ()

    def row(self, example_id: int) -> int | None:
        """Place of an example; None where it is not in the queue."""
        rows = np.flatnonzero(self.ids == example_id)
        return int(rows[0]) if len(rows) else None


def queue(run: RunData, selection: Selection) -> Queue:
    """What cleanlab calls an issue, under the filters of the address; of train, what there are pictures of.

    Images that the address names one by one (`ids`) are there whether suspected or not, train's aside. Raises Missing
    or Broken.
    """
    split = split_of(selection)
    if split == UNLABELLED:
        return _to_label(run, selection)
    table = run.label_issues(split)
    issues = table[table["issue"] == 1]
    shown = issues
    if split == "train":
        shown = shown[shown["example_id"].isin(run.suspects()["example_id"])]
        if selection.true:
            shown = shown[shown["label"].isin(run.class_ids(selection.true))]
        if selection.pred:
            shown = shown[shown["suggested"].isin(run.class_ids(selection.pred))]
        if selection.ids:
            shown = shown[shown["example_id"].isin(selection.ids)]
    elif selection.narrowed:
        shown = table if selection.ids else shown
        chosen = run.predictions(selection.split).ids[run.rows(selection)]
        shown = shown[shown["example_id"].isin(chosen)]
    return Queue(
        split,
        shown["example_id"].to_numpy(np.int32),
        shown["label"].to_numpy(np.int64),
        shown["suggested"].to_numpy(np.int64),
        shown["quality"].to_numpy(np.float64),
        len(issues),
        len(table),
        tuple(np.setdiff1d(np.arange(len(run.classes)), table["label"].to_numpy()).tolist()),
    )


def _to_label(run: RunData, selection: Selection) -> Queue:
    known, rows = run.without_labels(), to_label.rows(run, selection)
    confidence, n = known.confidence[rows].astype(np.float64), len(known.ids)
    none = np.full(len(rows), -1, np.int64)
    return Queue(UNLABELLED, known.ids[rows], none, known.predicted[rows], confidence, n, n)


def given(run: RunData, split: str, ids: list[int] | None = None) -> dict[int, str]:
    """example id → the name of the label it came with, of those asked for that are here, all when None.

    run: by the labels that came with it; its predictions hold them, so that no picture is opened. split: test,
    validation or train; of unlabelled, the class that is predicted. Raises Missing or Broken.
    """
    if split == UNLABELLED:
        return to_label.guesses(run, ids)
    if split == "train":
        table = run.label_issues("train")
        known, labels = table["example_id"].to_numpy(), table["label"].to_numpy()
    else:
        predictions = run.predictions(split)
        known, labels = predictions.ids, predictions.labels
    rows = np.arange(len(known)) if ids is None else np.flatnonzero(np.isin(known, ids))
    return {int(known[row]): run.classes[int(labels[row])] for row in rows}


def image_url(run: RunData, split: str, example_id: int) -> str:
    """The address of one picture of a queue."""
    if split == "train":
        return f"/suspects/{run.run_id}/{example_id}.png"
    return single_url(run.picture_set, split, example_id)


def sprites_url(run: RunData, split: str, ids: list[int]) -> str:
    """The address of a sheet of pictures of a queue."""
    if split == "train":
        return f"/suspects/{run.run_id}/sheet/{'-'.join(map(str, ids))}.png"
    return sprite_url(run.picture_set, split, ids)


def corrections(run: RunData, current_labels: CurrentLabels) -> tuple[dict[int, int], frozenset[int]]:
    """What the decisions change of train: example id → class id, and the ids that are left out.

    A class that this run has not changes nothing.
    """
    relabelled, excluded = {}, set()
    for example, decision in current_labels.within("train").items():
        if decision.action == "exclude":
            excluded.add(example)
        elif decision.action == "relabel" and decision.after in run.classes:
            relabelled[example] = run.classes.index(decision.after)
    return relabelled, frozenset(excluded)


@dataclass(frozen=True)
class Counted:
    """By class, int [C] each: examples named right, and all."""

    right: np.ndarray
    n: np.ndarray


def counted(run: RunData, split: str) -> tuple[Counted, Counted]:
    """The recorded answers by the labels as they came, and by what was decided. split: as in the address."""
    return _count(run, split), _count(run.reviewed("reviewed"), split)


def _count(run: RunData, split: str) -> Counted:
    predictions, classes = run.predictions(split), len(run.classes)
    right = predictions.labels[predictions.kept & predictions.right]
    n = np.bincount(predictions.labels[predictions.kept], minlength=classes)
    return Counted(np.bincount(right, minlength=classes), n)


def scores_url(selection: Selection) -> str:
    """The address of the scores as labelled and as reviewed, as CSV."""
    return f"/export/reviewed.csv{Selection(run=selection.run, split=selection.split).query()}"


def decide(
    services: Services, run: RunData, split: str, ids: list[int], action: str, *, label: str, who: str, batch: str
) -> list[Decision]:
    """Write one decision of each example; on the disk when this returns. Raises Declined, Missing, Broken.

    split, action, batch: as records.decisions has them; label: the class of 'relabel', '' otherwise.
    """
    if action == "relabel" and label not in run.classes:
        raise Declined(f"Label: one of {', '.join(run.classes)}.")
    known = given(run, split, ids)
    strange = [one for one in ids if one not in known]
    if strange:
        raise Declined(f"There is no image {strange[0]} in {split}.")
    came = {one: known[one] for one in ids}
    return services.decisions.decide(
        run.data_version, split, came, action, label=label, who=who, run=run.run_id, batch=batch
    )
