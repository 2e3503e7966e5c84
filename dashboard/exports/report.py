"""What a view says as one file: /export/report.html with the page's own query. It opens with the network off."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from dashboard.analysis.claims import sentences
from dashboard.analysis.class_parts import END, by_interval
from dashboard.analysis.comparison import verdict
from dashboard.analysis.matrix_rows import Shown
from dashboard.analysis.permalinks import lost
from dashboard.data.arrays import NOT_SCORED
from dashboard.data.run import RunData
from dashboard.exports.report_views import View, selected, strip
from dashboard.figures.confusion import values
from dashboard.format.numbers import chance
from dashboard.format.proportion import Proportion
from dashboard.services.container import Services
from dashboard.state.selection import Selection
from dashboard.state.values import MANY_CLASSES
from dashboard.theme import LIGHT, ink_on, ramp
from ml.artifacts.reader import Broken, Missing
from ml.stats.failure_modes import TAGS
from ml.stats.intervals import wilson

PAIRS = 10  # confusions that are listed
SLICES = 10
STRIP = 10  # pictures of each slice
SCORES = {
    "accuracy": "accuracy", "macro_f1": "macro-F1", "loss": "loss, nats", "calibration_error": "calibration error",
}  # fmt: skip
Show = Callable[[Services, Selection], View]
TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def html(services: Services, selection: Selection, address: str, show: Show = selected) -> str:
    """The report of a view as one page without scripts, fonts or links to files. address: of the view itself.

    show: what the page with that address shows. Raises Missing, Broken.
    """
    view, asked = show(services, selection), selection
    run, selection = view.run, view.selection
    predictions = run.predictions(selection.split)
    kept, scored = predictions.kept, predictions.labelled
    return TEMPLATES.get_template("report.html").render(
        run=run,
        view=view,
        manifest=run.manifest,
        mark=services.store.marks().of(run.run_id),
        split=selection.split,
        address=address,
        data=run.picture_set[1],
        lost=lost(services.store, asked, run),
        made=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        scored=scored,
        not_scored=NOT_SCORED,
        guessed=[] if scored else guessed(run, selection),
        everything=Proportion(int((predictions.right & kept).sum()), int(kept.sum())) if scored else None,
        scores=scores(run, selection.split),
        matrix=matrix(run, selection) if scored else [],
        classes=classes(run, selection.split) if scored else [],
        confused=confused(run, selection) if scored else [],
        slices=slices(run, selection.split),
        tags=tags(run, selection, view.ids),
        against=against(services, selection) if show is selected else "",
        files=files(run),
    )


def guessed(run: RunData, selection: Selection) -> list[tuple[str, Proportion, int]]:
    """(class, how often it is predicted of all, how often it would be by its share of train), most predicted first."""
    guesses, expected = run.distribution(selection)
    total = int(guesses.sum())
    order = np.argsort(-guesses, kind="stable").tolist()[: max(MANY_CLASSES, 2 * END)]
    return [(run.classes[i], Proportion(int(guesses[i]), total), int(expected[i])) for i in order]


def scores(run: RunData, split: str) -> list[tuple[str, str]]:
    """Of the whole split, with the 95 % interval where there is one."""
    try:
        table = run.scores(split)
    except (Missing, Broken):
        return []
    lines = []
    for row in table[table["class"].isna()].itertuples():
        if row.metric in SCORES:
            ends = f" ({row.low:.4f} – {row.high:.4f})" if row.low == row.low else ""
            lines.append((SCORES[row.metric], f"{row.value:.4f}{ends}, n {row.n:,}"))
    return lines


def matrix(run: RunData, selection: Selection) -> list[dict[str, Any]]:
    """Rows of cells as they are shown on the page, each with its colours."""
    drawn = Shown.of(run, selection)
    counts = drawn.counts
    shown = values(counts, "row")
    mistakes = np.sqrt(np.where(np.eye(len(counts), dtype=bool), 0, counts))
    loud = mistakes / max(mistakes.max(), 1)
    rows = []
    for i, name in enumerate(drawn.names):
        cells = []
        for j in range(len(drawn.names)):
            if i == j:
                paint = ramp(LIGHT.calm, float(np.clip((shown[i, i] - 0.8) / 0.2, 0, 1)))
            else:
                paint = ramp(LIGHT.seq, 0.08 + 0.92 * float(loud[i, j])) if counts[i, j] else LIGHT.solid
            cells.append({"n": int(counts[i, j]), "paint": paint, "ink": ink_on(paint)})
        rows.append({"name": name, "cells": cells, "recall": Proportion(int(drawn.right[i]), int(counts[i].sum()))})
    return rows


def classes(run: RunData, split: str) -> list[tuple[str, Proportion, Proportion]]:
    """(class, recall, precision) over the whole split, first who is surely the worst: one image makes no class that.

    Of many classes the END that are surely the worst, and the END that are surely the best.
    """
    predictions, count = run.predictions(split), len(run.classes)
    kept = predictions.kept
    hits = np.bincount(predictions.labels[predictions.right & kept], minlength=count)
    truths = np.bincount(predictions.labels[kept], minlength=count)
    guesses = np.bincount(predictions.predicted[kept], minlength=count)
    low, high = wilson(hits, truths)
    order = np.argsort(high, kind="stable").tolist()
    if count > MANY_CLASSES:
        ranked, known = by_interval(low, high, truths)
        order = ([*ranked[:END], *ranked[known - END : known]] if known > 2 * END else ranked[:known])[::-1]
    return [
        (run.classes[i], Proportion(int(hits[i]), int(truths[i])), Proportion(int(hits[i]), int(guesses[i])))
        for i in order
    ]


def confused(run: RunData, selection: Selection) -> list[tuple[str, str, Proportion]]:
    """(true, predicted, share of that label), most mistakes first, counted as the matrix is."""
    counts = run.confusion(selection)
    wrong = counts * ~np.eye(len(counts), dtype=bool)
    places = np.argsort(-wrong, axis=None, kind="stable")[:PAIRS]
    pairs = [divmod(int(place), len(counts)) for place in places]
    return [
        (run.classes[i], run.classes[j], Proportion(int(wrong[i, j]), int(counts[i].sum())))
        for i, j in pairs
        if wrong[i, j]
    ]


def slices(run: RunData, split: str) -> list[dict[str, Any]]:
    """The weakest, as ranked, with a strip of their mistakes; nothing where the run has no such table."""
    try:
        table = run.slices(split).sort_values(["p_adjusted", "p"]).head(SLICES)
        predictions = run.predictions(split)
        weakest = []
        for row in table.itertuples():
            members = np.flatnonzero(np.isin(predictions.ids, run.sliced(split, row.slice)) & ~predictions.right)
            weakest.append(
                {
                    "name": run.slice_name(row.slice),
                    "rule": row.rule,
                    "wrong": Proportion(int(row.wrong), int(row.n)),
                    "lift": f"{row.lift:.1f}× ({row.lift_low:.1f} – {row.lift_high:.1f})",
                    "p": chance(row.p_adjusted).removeprefix("p ").removeprefix("= "),
                    "pictures": strip(run, split, predictions.ids[members[:STRIP]]),
                }
            )
    except (Missing, Broken):
        return []
    return weakest


def tags(run: RunData, selection: Selection, ids: np.ndarray) -> list[tuple[str, str, Proportion]]:
    """(failure mode, its definition, share of these images that have it); those that can be told. ids: int [n]"""
    modes = []
    for key, tag in TAGS.items():
        try:
            having = int(np.isin(ids, run.tagged(selection.split, key, selection.against)).sum())
        except (Missing, Broken):
            continue
        if having:
            modes.append((tag.title, tag.means, Proportion(having, len(ids))))
    return sorted(modes, key=lambda row: -row[2].count)


def against(services: Services, selection: Selection) -> str:
    """The verdict on the two runs where the address names another one, '' otherwise."""
    if not selection.against:
        return ""
    try:
        pair = services.store.compare(selection)
        return " ".join([verdict(pair).sentence(), *sentences(services.store, pair)])
    except (Missing, Broken):
        return ""


def files(run: RunData) -> list[tuple[str, str]]:
    """(file, sha256) of weights, tables and the data set's own files."""
    manifest = run.manifest
    weights = manifest.get("weights")
    digests = [(weights["file"], weights["sha256"])] if weights else []
    digests += [(noun["file"], noun["sha256"]) for _, noun in sorted(manifest["nouns"].items())]
    return digests + [(f"data: {name}", digest) for name, digest in sorted(run.dataset.get("hashes", {}).items())]
