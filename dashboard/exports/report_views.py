"""What a page shows, for its report: which images, why those, and what the page says that the others do not."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl

import numpy as np

from dashboard.analysis import comparison, label_review, robustness, to_label
from dashboard.analysis.claims import sentences
from dashboard.data.arrays import NOT_SCORED
from dashboard.data.run import RunData
from dashboard.figures.gaps import points
from dashboard.format import images as pictures
from dashboard.format.numbers import chance
from dashboard.format.proportion import Proportion
from dashboard.records.decisions import Decision
from dashboard.services.container import Services
from dashboard.state.selection import Selection
from dashboard.state.vocabulary import BUCKETS, NO_LABEL, UNLABELLED
from ml.artifacts import kinds
from ml.artifacts.reader import Broken, Missing
from ml.robustness.catalogue import SEVERITIES
from ml.stats.failure_modes import TAGS
from ml.system.wording import quantity

IMAGES_SHOWN = 48  # pictures of a view
PAIRS_SHOWN = 24  # of pictures before and after
# how an address's parts are called; what is not here is not about which images are meant
FIELDS = {
    "split": "split", "true": "true class", "pred": "predicted class", "outcome": "outcome", "bucket": "who is right",
    "conf": "confidence", "tempered": "scaled confidence", "reject": "answered from confidence", "lasso": "lasso",
    "ids": "image ids", "tag": "tag", "slice": "slice", "epoch": "as answered after epoch", "against": "against",
    "labels": "labels",
}  # fmt: skip
ORDERS = {"confident": "most confident first", "unsure": "least confident first", "id": "by id", "given": "as listed",
          "unlike": "most unlike training first", "diverse": "a diverse sample first"}  # fmt: skip
REVIEWED = (
    "Labels are as people decided on the Review page, and what they left out is not counted; weak slices alone are as "
    "labelled."
)
WHO = {"both": "both right", "only-a": "A alone right", "only-b": "B alone right", "neither": "neither right"}


@dataclass(frozen=True)
class Image:
    """A picture with what is said of it. pictures: data URLs, before and after where it was changed.

    title: what was said, aside: how surely; words: what it is; good: whether that is right, None where nobody says.
    """

    id: int
    pictures: Sequence[str]
    title: str
    aside: str
    words: str
    good: bool | None
    more: str = ""


@dataclass(frozen=True)
class Table:
    """A part of the page: its rows begin with a name each."""

    title: str
    help: str
    head: Sequence[str]
    rows: Sequence[Sequence[Any]]


@dataclass(frozen=True)
class View:
    """run, selection: whose matrix is counted, and under which filters; chosen: (what, value) of what narrows the view.

    sentence: how many images it holds; ids: theirs, int [n], of the selection's split; legend: what stands under an
    image, and in which order they come; notes: what has to be known of the numbers.
    """

    run: RunData
    selection: Selection
    chosen: Sequence[tuple[str, str]]
    sentence: str
    ids: np.ndarray
    images: Sequence[Image]
    legend: str
    notes: Sequence[str] = ()
    tables: Sequence[Table] = field(default_factory=list)


def selected(services: Services, selection: Selection) -> View:
    """The images of a selection. Raises Missing, Broken."""
    run = services.store.shown(selection.run).for_selection(selection)
    predictions, rows = run.predictions(selection.split), run.ordered(selection)
    share = Proportion(len(rows), int(predictions.kept.sum()))
    notes = [REVIEWED] if selection.labels else []
    images = answered(run, selection, rows[:IMAGES_SHOWN])
    legend = f"{first(images, rows)}, {ORDERS[selection.sort]}: prediction and confidence, label, image id."
    sentence = f"{share} of the split's images are in this view."
    return View(run, selection, chosen(run, selection), sentence, predictions.ids[rows], images, legend, notes)


def compared(services: Services, selection: Selection) -> View:
    """The images of a selection of two runs: without any filter, those that one alone has right."""
    pair, scope = services.store.compare(selection), selection.differing().with_(epoch=None)
    rows, run = pair.ordered(scope), pair.a
    other, names = pair.b.predictions(pair.split), pair.a.classes
    mine = pair.rows_a[rows]
    images = []
    for image, row in zip(answered(run, scope, mine[:IMAGES_SHOWN]), pair.rows_b[rows].tolist(), strict=False):
        words = f"B: {names[other.predicted[row]]} {sure(pair.b, other.confidence[row])}".strip()
        images.append(replace(image, more=words))
    sort = {"confident": "furthest apart first", "unsure": "least confident first", "id": "by id"}[selection.sort]
    legend = f"{first(images, rows)}, {sort}: what A predicts and how surely, label, what B predicts, image id."
    buckets = pair.buckets()
    who = [(WHO[name], Proportion(int(n), pair.n)) for name, n in zip(BUCKETS, buckets, strict=True)]
    gaps = comparison.gaps(pair.by_class(Selection(split=pair.split)))
    lines = [
        (
            name,
            f"{int(n):,}",
            f"{points(gap)} ({points(low)} to {points(high)})",
            chance(float(p)),
        )
        for name, n, gap, low, high, p in zip(names, gaps.n, gaps.gap, gaps.low, gaps.high, gaps.adjusted, strict=True)
    ]
    about = f"A is {pair.a.title}, B {pair.b.title}; over all {quantity(pair.n, f'{pair.split} image')} that both know."
    tables = [
        Table("Who is right", about, ("", "images"), who),
        Table(
            "Gap of each class",
            "A's share right minus B's, in points, with Newcombe's paired 95 % interval; p by McNemar's exact test, "
            "corrected by Holm for all classes.",
            ("class", "n", "A minus B", "p"),
            lines,
        ),
    ]
    claimed = sentences(services.store, pair)
    notes = [
        comparison.verdict(pair).sentence(),
        *claimed,
        f"Scores, matrix, classes and slices are those of {pair.a.title}.",
    ]
    notes += [REVIEWED] if selection.labels else []
    share = Proportion(len(rows), pair.n)
    sentence = f"{share} of the images that both know are in this view."
    ids, scope = pair.ids[rows], scope.with_(against=pair.b.run_id)
    return View(run, scope, chosen(run, scope), sentence, ids, images, legend, notes, tables)


def suspected(services: Services, selection: Selection) -> View:
    """The queue of suspected labels. All that is counted is as labelled; beside it stands what people decided."""
    selection = selection.with_(labels=None, epoch=None)
    run = services.store.shown(selection.run)
    try:
        queue = label_review.queue(run, selection)
    except Missing as missing:
        return lacking(run, selection, missing)
    current_labels = services.decisions.current_labels(run.data_version)
    train, names, scored = queue.split == "train", run.classes, queue.split != UNLABELLED
    ids = queue.ids[:IMAGES_SHOWN]
    drawn = strip(run, queue.split, ids)
    images = []
    for row, example in enumerate(ids.tolist()):
        decision = current_labels.of(queue.split, example)
        images.append(
            Image(
                example, drawn[row : row + 1], names[queue.suggested[row]], "",
                f"is labelled {names[queue.labels[row]]}" if scored else NO_LABEL, None, decided(decision),
            )
        )  # fmt: skip
    done = sum(current_labels.of(queue.split, int(example)) is not None for example in queue.ids)
    sentence = (
        f"{queue.suspected:,} labels of {queue.examined:,} {queue.split} images are suspected; {len(queue.ids):,} of "
        f"them are in this view, and of these {done:,} have been decided."
    )
    if not scored:
        sentence = f"{len(queue.ids):,} images without a label are in this view; {done:,} have been decided."
    chips = [(what, value) for what, value in chosen(run, selection) if what != FIELDS["split"]]
    if not selection.narrowed:
        chips = [one for one in chips if one[0] != FIELDS["outcome"]]
    legend = f"{first(images, queue.ids)}, most suspect first: what a held-out network suggests, label, decision, id."
    notes = ["All that is counted below is as labelled, unless it says “as reviewed”."]
    if not scored:
        order = to_label.ORDERS[to_label.order_of(selection)].lower()
        legend, notes = f"{first(images, queue.ids)}, {order} first: what is predicted, decision, id.", []
    if current_labels.problem:
        notes.append(current_labels.problem)
    tables = [Table("As labelled, as reviewed", *reviewed(run, selection, queue.split, services))]
    inside = np.empty(0, np.int32) if train else queue.ids
    return View(
        run, selection, [(FIELDS["split"], queue.split), *chips], sentence, inside, images, legend, notes, tables
    )  # fmt: skip


def decided(decision: Decision | None) -> str:
    """What people said of a label."""
    if decision is None:
        return "undecided"
    return {"keep": "kept", "exclude": "left out"}.get(decision.action, f"now {decision.after}")


def reviewed(run: RunData, selection: Selection, split: str, services: Services) -> tuple[str, Sequence[str], list]:
    """Help, head and rows: both counts side by side, of everything and of the classes that decisions touch."""
    if split == "train":
        current_labels = services.decisions.current_labels(run.data_version)
        relabelled, excluded = label_review.corrections(run, current_labels)
        kept = sum(one.action == "keep" for one in current_labels.within("train").values())
        rows = [("labels changed", len(relabelled)), ("images left out", len(excluded)), ("labels confirmed", kept)]
        return "The run learned from these, so no score is told by them.", ("decisions of train", "images"), rows
    if split == UNLABELLED:
        made = list(services.decisions.current_labels(run.data_version).within(UNLABELLED).values())
        given, predicted = sum(bool(one.after) for one in made), sum(one.action == "keep" for one in made)
        rows = [("labels given", given), ("of these as predicted", predicted), ("skipped", len(made) - given)]
        return NOT_SCORED, ("decisions", "images"), rows
    labelled, now = label_review.counted(run, selection.split)
    both = list(zip(labelled.right.tolist(), labelled.n.tolist(), now.right.tolist(), now.n.tolist(), strict=True))
    lines = [("all", Proportion(*map(sum, zip(*(one[:2] for one in both), strict=True))),
              Proportion(*map(sum, zip(*(one[2:] for one in both), strict=True))))]  # fmt: skip
    lines += [
        (name, Proportion(*one[:2]), Proportion(*one[2:]))
        for name, one in zip(run.classes, both, strict=True)
        if one[:2] != one[2:]
    ]
    return label_review.CAUTION, ("named right", "as labelled", "as reviewed"), lines


def withstood(services: Services, selection: Selection) -> View:
    """What a run withstands, and the images that flip in the open cell. All of test, whatever is selected elsewhere."""
    scope = Selection(run=selection.run, against=selection.against, split=robustness.SPLIT, under=selection.under)
    run = services.store.shown(scope.run)
    chips = [(FIELDS["split"], robustness.SPLIT)]
    try:
        worse = robustness.corruptions(services.store, scope)
        attacked = robustness.attacks(services.store, scope) if run.can("gradients") else None
    except Missing as missing:
        return lacking(run, scope, missing)
    notes = [f"As they are, {run.title} has {worse.clean.share} right."]
    if worse.mean:
        middle, low, high, n = worse.mean
        if worse.other is None:
            words = f"{100 * middle:.1f} % are ({100 * low:.1f} – {100 * high:.1f}, n {n:,})."
        else:
            words = f"{run.title} minus {worse.other.title} is {points(middle)} points "
            words += f"({points(low)} to {points(high)}, n {n:,})."
        notes.append(f"Over all corruptions and severities {words}")
    rows = [(robustness.title(name), *map(cell, worse.of(name))) for name in worse.names]
    head = ["", *(f"severity {severity}" for severity in SEVERITIES)]
    tables = [Table("Under corruptions", f"{shares(worse)}, with its 95 % interval and n.", head, rows)]
    if attacked is None:
        notes.append(f"Not attacked: {kinds.lacks('gradients', kinds.kind_of(run.manifest))}")
    else:
        tables.append(under_attack(attacked))
    if scope.under is None:
        sentence = "No corruption or attack is chosen, so no image is shown."
        return View(run, scope, chips, sentence, none(), [], "", notes, tables)
    flips = robustness.flips(run, scope.under)
    words = robustness.words(flips.name, flips.degree)
    share = Proportion(len(flips.rows), flips.right)
    few = flips.rows[:PAIRS_SHOWN]
    ids, names = flips.predictions.ids[few], run.classes
    before = strip(run, robustness.SPLIT, ids)
    after = list(map(pictures.inline_url, robustness.worsened(services, run, flips, few))) if len(few) else []
    images = [
        Image(
            int(ids[i]), [*before[i : i + 1], after[i]], names[flips.predictions.worse[row]], "",
            f"is {names[flips.predictions.labels[row]]}", False,
        )
        for i, row in enumerate(few.tolist())
    ]  # fmt: skip
    sentence = f"Under {words}, {share} of those right as they are flip."
    legend = f"{first(images, flips.rows)}, by id: as it came and {words}, what is said then, label, image id."
    chips.append(("under", words))
    return View(run, scope, chips, sentence, flips.predictions.ids[flips.rows], images, legend, notes, tables)


def shares(table: robustness.Table) -> str:
    """What stands in its cells."""
    if table.other is None:
        return "Share of test images named right"
    return f"{table.run.title} minus {table.other.title}, in points, on the images both were asked about"


def under_attack(attacked: robustness.Table) -> Table:
    """A row an attack, a column a reach."""
    steps = sorted({one.degree for one in attacked.cells})
    reached = {(one.name, one.degree): cell(one) for one in attacked.cells}
    lines = [(robustness.title(name), *(reached.get((name, step), "") for step in steps)) for name in attacked.names]
    sentence = f"{shares(attacked)}. Every pixel may move by ε of 255."
    return Table("Under attack", sentence, ["ε", *(f"{step:g}" for step in steps)], lines)


def lacking(run: RunData, selection: Selection, missing: Missing) -> View:
    """The run's report where what the page is about was not made yet, and the command that makes it."""
    words, whole = f"{missing} {missing.command}".strip(), selection.clear()
    return View(run, whole, [(FIELDS["split"], whole.split)], "No image is shown.", none(), [], "", [words])


def cell(one: robustness.Cell) -> str:
    """A share with its doubt, or the difference of two."""
    if one.gap is None:
        return str(one.share)
    return f"{points(one.gap[0])} ({points(one.gap[1])} to {points(one.gap[2])}, n {one.shared:,})"


def none() -> np.ndarray:
    """No image."""
    return np.empty(0, np.int32)


def chosen(run: RunData, selection: Selection) -> list[tuple[str, str]]:
    """(what, value) of each part of the address that narrows the images."""
    fields = [(FIELDS[name], value) for name, value in parse_qsl(selection.query()[1:]) if name in FIELDS]
    if selection.outcomes and not selection.narrowed:
        fields.append((FIELDS["outcome"], "wrong"))
    readable = {FIELDS["slice"]: run.slice_name, FIELDS["tag"]: lambda key: TAGS[key].title if key in TAGS else key}
    return [(what, readable[what](value) if what in readable else value) for what, value in fields]


def first(images: Sequence[Image], rows: np.ndarray) -> str:
    """'The first 48 of 494'"""
    return f"The first {len(images)} of {len(rows):,}"


def strip(run: RunData, split: str, ids: np.ndarray) -> list[str]:
    """Data URLs of these pictures, of train the suspected ones; none where they are not here."""
    try:
        if split == "train":
            return [pictures.inline_url(one) for one in run.suspected(ids.tolist())]
        return [pictures.inline_url(run.picture(split, int(example))) for example in ids]
    except (Missing, Broken):
        return []


def sure(run: RunData, confidence: float) -> str:
    """In percent, '' where nobody knows."""
    return f"{100 * float(confidence):.0f} %" if run.can("top-k") else ""


def answered(run: RunData, selection: Selection, rows: np.ndarray) -> list[Image]:
    """The images at these places: guess, confidence in percent, label."""
    predictions = run.predictions(selection.split)
    drawn = strip(run, selection.split, predictions.ids[rows])
    return [
        Image(
            int(predictions.ids[row]),
            drawn[place : place + 1],
            run.classes[predictions.predicted[row]],
            sure(run, predictions.confidence[row]),
            *verdict(run, int(predictions.predicted[row]), predictions.label(row)),
        )
        for place, row in enumerate(rows.tolist())
    ]


def verdict(run: RunData, guess: int, label: int | None) -> tuple[str, bool | None]:
    """What an image is, and whether that was said; None where nobody knows."""
    if label is None:
        return NO_LABEL, None
    return ("right", True) if guess == label else (f"is {run.classes[label]}", False)
