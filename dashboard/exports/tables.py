"""Every panel's data as a table, by the noun of its address: /export/<noun>.csv with the page's own query."""

import base64
import contextlib
import csv
import io

import numpy as np
import pandas as pd

from dashboard.analysis import attention, confidence, robustness
from dashboard.analysis.comparison import changes, gaps
from dashboard.analysis.comparison import verdict as judged
from dashboard.components import explanations
from dashboard.components.matrix import Shown
from dashboard.data.pair import RunPair
from dashboard.data.run import RunData
from dashboard.figures.confusion import values as shown_values
from dashboard.services.container import Services
from dashboard.services.explainer import NoExplanation
from dashboard.state.selection import Selection
from dashboard.state.vocabulary import BUCKETS
from ml.artifacts.reader import Broken, Missing
from ml.stats.failure_modes import TAGS
from ml.stats.intervals import wilson


def url(noun: str, selection: Selection) -> str:
    """The address of a table as the selection narrows it."""
    return f"/export/{noun}.csv{selection.query()}"


def safe(value: object) -> object:
    """A text cell that a spreadsheet will not run as a formula (OWASP ASVS 5.0, 1.2.10)."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value


def written(head: list[str], rows: list[list]) -> str:
    """The file."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([safe(cell) for cell in head])
    writer.writerows([safe(cell) for cell in row] for row in rows)
    return text.getvalue()


def carried(head: list[str], rows: list[list]) -> str:
    """The file as an address that holds it: for what the server forgets once it has answered."""
    return f"data:text/csv;base64,{base64.b64encode(written(head, rows).encode()).decode()}"


def guard(value: object) -> object:
    """As `safe`, and so that it can be taken back: what begins with the sign for that gets one more."""
    return f"'{value}" if isinstance(value, str) and value.startswith("'") else safe(value)


def bare(cell: str) -> str:
    """What `guard` made of a text, taken back."""
    return cell[1:] if cell[:1] == "'" and cell[1:2] in ("=", "+", "-", "@", "\t", "\r", "'") else cell


def selected(run: RunData, selection: Selection) -> tuple[list[str], list[list]]:
    """The gallery's rows, in its order: id, truth, guess, confidence, one probability a class."""
    predictions = run.predictions(selection.split)
    rows = run.ordered(selection)
    head = ["split", "example_id", "true", "predicted", "confidence", *(f"p {name}" for name in run.classes)]
    body = [
        [
            selection.split,
            int(predictions.ids[i]),
            run.classes[predictions.labels[i]],
            run.classes[predictions.predicted[i]],
            f"{predictions.confidence[i]:.6f}",
            *(f"{p:.6f}" for p in predictions.probabilities[i]),
        ]
        for i in rows
    ]
    return head, body


def confusion(run: RunData, selection: Selection) -> tuple[list[str], list[list]]:
    """The matrix as it is shown: its order, its groups, counts or shares."""
    shown, view = Shown.of(run, selection), selection.matrix
    values = shown_values(shown.counts, view.normalise)
    rows = values.round(6).tolist() if view.normalise != "count" else shown.counts.tolist()
    return ["true \\ predicted", *shown.names], [[name, *row] for name, row in zip(shown.names, rows, strict=True)]


def distribution(run: RunData, selection: Selection) -> tuple[list[str], list[list]]:
    """How often each class was guessed and was the truth, under every chip but predicted."""
    guesses, truths = run.distribution(selection)
    return ["class", "guessed", "true"], [
        [name, int(g), int(t)] for name, g, t in zip(run.classes, guesses, truths, strict=True)
    ]


def scores(run: RunData, selection: Selection) -> tuple[list[str], list[list]]:
    """Scores of the split, with class names."""
    frame = run.scores(selection.split)
    names = [
        ("all" if value is None else run.classes[value])
        for value in frame["class"].astype(object).where(frame["class"].notna(), None)
    ]
    rows = [
        [
            name,
            row.metric,
            row.value,
            "" if row.low != row.low else row.low,
            "" if row.high != row.high else row.high,
            row.n,
        ]
        for name, row in zip(names, frame.itertuples(), strict=True)
    ]
    return ["class", "metric", "value", "low", "high", "n"], rows


def history(run: RunData, selection: Selection) -> tuple[list[str], list[list]]:
    """One row an epoch."""
    frame = run.history()
    return list(frame.columns), frame.to_numpy().tolist()


def projection(run: RunData, selection: Selection) -> tuple[list[str], list[list]]:
    """Coordinates of the split."""
    frame = run.projection(selection.split)
    return list(frame.columns), frame.to_numpy(dtype=object).tolist()


def layers(run: RunData, selection: Selection) -> tuple[list[str], list[list]]:
    """One row a layer; shape is what it hands on, channels first."""
    found = run.manifest.get("layers", [])
    return ["layer", "kind", "settings", "shape", "parameters"], [
        [x["name"], x["kind"], x["settings"], " x ".join(map(str, x["shape"])), x["parameters"]] for x in found
    ]


def filters(run: RunData, selection: Selection) -> tuple[list[str], list[list]]:
    """One row a weight; filter, input, row and column count from 1."""
    head = ["layer", "filter", "input", "row", "column", "weight"]
    return head, [
        [layer, *(i + 1 for i in place), f"{value:.6g}"]
        for layer, weights in run.filters().items()
        for place, value in np.ndenumerate(weights)
    ]


def calibration(run: RunData, selection: Selection) -> tuple[list[str], list[list]]:
    """One row a bin of the confidence, and of the scaled one where there is a temperature; as the panel counts them."""
    predictions, at = run.predictions(selection.split), confidence.counted(run, selection)
    said = {"none": predictions.confidence}
    if "calibration" in run.manifest["nouns"]:
        said["temperature"] = run.tempered(selection.split)
    rows = []
    for scaling, values in said.items():
        table = confidence.bins(values[at], predictions.right[at])
        low, high = wilson(table["right"].to_numpy(), table["n"].to_numpy())
        for (a, b, n, right, c), x, y in zip(table.itertuples(index=False), low, high, strict=True):
            doubt = (f"{c:.6f}", f"{x:.6f}", f"{y:.6f}") if n else ("", "", "")
            rows.append([scaling, f"{a:.6f}", f"{b:.6f}", n, right, *doubt])
    return ["scaling", "from", "to", "n", "right", "mean confidence", "low", "high"], rows


def abstention(run: RunData, selection: Selection) -> tuple[list[str], list[list]]:
    """One row a threshold: how many are answered, how many of those right, each share with its 95 % interval."""
    table, n = confidence.curve(run, selection), len(confidence.counted(run, selection))
    answered, right = table["answered"].to_numpy(), table["right"].to_numpy()
    covered, sure = wilson(answered, n), wilson(right, answered)
    head = ["threshold", "n", "answered", "coverage", "low", "high", "right", "accuracy", "low", "high"]
    return head, [
        [
            f"{t:.2f}", n, int(k), f"{k / max(n, 1):.6f}", f"{covered[0][i]:.6f}", f"{covered[1][i]:.6f}", int(r),
            *((f"{r / k:.6f}", f"{sure[0][i]:.6f}", f"{sure[1][i]:.6f}") if k else ("", "", "")),
        ]
        for i, (t, k, r) in enumerate(zip(table["threshold"], answered, right, strict=True))
    ]  # fmt: skip


def verdict(pair: RunPair, selection: Selection) -> tuple[list[str], list[list]]:
    """The numbers of the verdict on the whole split, and its sentence."""
    found = judged(pair)
    both, only_a, only_b, _ = found.buckets
    rows: list[list] = [
        ["A", pair.a.run_id, "", "", found.n],
        ["B", pair.b.run_id, "", "", found.n],
        *(
            [f"accuracy {name}", right / found.n, *map(float, wilson(right, found.n)), found.n]
            for name, right in (("A", both + only_a), ("B", both + only_b))
        ),
        ["gap, paired bootstrap", found.gap, found.low, found.high, found.n],
        ["loss A minus B", *found.loss, found.n],
        ["same answer", found.same / found.n, *map(float, wilson(found.same, found.n)), found.n],
        ["exact McNemar p", found.p, "", "", only_a + only_b],
        *([name, count, "", "", found.n] for name, count in zip(BUCKETS, found.buckets, strict=True)),
        ["verdict", found.sentence(), "", "", found.n],
    ]
    return ["what", "value", "low", "high", "n"], rows


def buckets(pair: RunPair, selection: Selection) -> tuple[list[str], list[list]]:
    """The four as they are shown, with the 95 % interval of each share."""
    counts = pair.buckets(selection)
    n = int(counts.sum())
    low, high = wilson(counts, n)
    return ["who is right", "images", "n", "low", "high"], [
        [name, int(count), n, f"{a:.6f}" if n else "", f"{b:.6f}" if n else ""]
        for name, count, a, b in zip(BUCKETS, counts, low, high, strict=True)
    ]


def delta(pair: RunPair, selection: Selection) -> tuple[list[str], list[list]]:
    """The matrix of differences as it is shown: A minus B."""
    first, second = pair.confusions(selection)
    return ["true \\ predicted", *pair.a.classes], [
        [name, *map(int, row)] for name, row in zip(pair.a.classes, first - second, strict=True)
    ]


def class_gaps(pair: RunPair, selection: Selection) -> tuple[list[str], list[list]]:
    """One row a class: its buckets, the gap with its interval, and both p values."""
    found = gaps(pair.by_class(selection))
    head = ["class", "n", *BUCKETS, "gap", "low", "high", "p", "p adjusted"]
    numbers = zip(found.gap, found.low, found.high, found.p, found.adjusted, strict=True)
    return head, [
        [name, int(row.sum()), *map(int, row), *(f"{x:.6g}" for x in more)]
        for name, row, more in zip(pair.a.classes, found.buckets, numbers, strict=True)
    ]


def pace(pair: RunPair, selection: Selection) -> tuple[list[str], list[list]]:
    """One row a run and epoch."""
    frames = [(name, view.run_id, view.history()) for name, view in (("A", pair.a), ("B", pair.b))]
    rows = [[name, run_id, *row] for name, run_id, frame in frames for row in frame.itertuples(index=False)]
    return ["run", "run_id", *frames[0][2].columns], rows


def changed(pair: RunPair, selection: Selection) -> tuple[list[str], list[list]]:
    """Settings and facts that differ."""
    return ["what", pair.a.run_id, pair.b.run_id], [list(line) for line in changes(pair)[0]]


def pairs(pair: RunPair, selection: Selection) -> tuple[list[str], list[list]]:
    """The gallery's rows on a page about two runs, in its order."""
    rows, said, names = pair.ordered(selection), pair.answers, pair.a.classes
    first, second = (p.max(1) for p in pair.probabilities())
    ids = pair.ids
    head = ["split", "example_id", "true", "A", "A confidence", "B", "B confidence", "who is right"]
    return head, [
        [
            selection.split, int(ids[i]), names[said.labels[i]], names[said.a[i]], f"{first[i]:.6f}", names[said.b[i]],
            f"{second[i]:.6f}", BUCKETS[said.bucket[i]],
        ]
        for i in rows
    ]  # fmt: skip


def explanation(services: Services, selection: Selection) -> tuple[list[str], list[list]]:
    """One row a pixel, method and class of the grid in the drawer, before it is scaled: Grad-CAM as it is, integrated
    gradients in logits, occlusion as the mean fall of the probability."""
    if selection.sample is None:
        raise Missing("There is no sample in this address.")
    run = services.store.shown(selection.run).asked(selection)
    predictions = run.predictions(selection.split)
    row = predictions.row(selection.sample)
    image = run.picture(selection.split, selection.sample)
    body = []
    for target in explanations.targets(predictions.probabilities[row], run.classes, int(predictions.labels[row])):
        for way in explanations.METHODS:
            try:
                values = services.explainer.attribution(run.run_id, image, target.id, way)
            except NoExplanation:
                continue
            body += [
                [way, target.name, i + 1, j + 1, float(f"{value:.9g}")] for (i, j), value in np.ndenumerate(values)
            ]
    return ["method", "class", "row", "column", "value"], body


def attended(services: Services, selection: Selection) -> tuple[list[str], list[list]]:
    """One row a pixel: the mean image of both sides (channels averaged), the mean attribution of each with its standard
    error, their difference."""
    found = attention.compare(services, selection)
    a, b = found.a, found.b
    if a.typical is None or b.typical is None or found.difference is None:
        raise Missing("One of the two sides holds no image.")
    head = ["row", "column", f"mean image A of {a.side.n}", f"mean image B of {b.side.n}"]
    head += [f"attribution A of {a.typical.n}", "error A", f"attribution B of {b.typical.n}", "error B", "A minus B"]
    columns = (a.image.mean(2), b.image.mean(2), a.typical.mean, a.typical.error, b.typical.mean, b.typical.error)
    return head, [
        [i + 1, j + 1, *(float(f"{column[i, j]:.9g}") for column in (*columns, found.difference))]
        for i, j in np.ndindex(found.difference.shape)
    ]


EXPLAINED_TABLES = {"explanation": explanation, "attention": attended, **robustness.TABLES}
PAIRED_TABLES = {
    "comparison": verdict,
    "buckets": buckets,
    "delta": delta,
    "gaps": class_gaps,
    "pace": pace,
    "changes": changed,
    "pairs": pairs,
}


def modes(run: RunData, selection: Selection) -> tuple[list[str], list[list]]:
    """One row a failure mode that can be told: its images in the split, and the mistakes among them."""
    predictions = run.predictions(selection.split)
    rows = []
    for key, tag in TAGS.items():
        with contextlib.suppress(Missing, Broken):
            inside = np.isin(predictions.ids, run.tagged(selection.split, key, selection.against))
            wrong = int((inside & ~predictions.right).sum())
            rows.append([key, tag.title, len(inside), int(inside.sum()), wrong, tag.means])
    return ["tag", "failure mode", "n", "images", "wrong", "meaning"], rows


def slices(run: RunData, selection: Selection) -> tuple[list[str], list[list]]:
    """Weak slices of the split as they were computed."""
    frame = run.slices(selection.split)
    among = [None if value != value else run.classes[int(value)] for value in frame["among"].astype(float)]
    frame = frame.assign(among=pd.Series(among, index=frame.index, dtype=object))
    return list(frame.columns), frame.to_numpy(dtype=object).tolist()


def duplicates(run: RunData, selection: Selection) -> tuple[list[str], list[list]]:
    """Every near-duplicate of the split's pictures, nearest first."""
    frame = run.duplicates(selection.split).sort_values(["distance", "example_id"], kind="stable")
    return list(frame.columns), frame.to_numpy(dtype=object).tolist()


def data_map(run: RunData, selection: Selection) -> tuple[list[str], list[list]]:
    """What was recorded of each example while the run learned."""
    recording, ids = run.epochs(selection.split), run.predictions(selection.split).ids
    head = ["split", "example_id", "mean confidence", "variability", "times forgotten", "epochs right", "epochs"]
    hits, epochs = recording.right.sum(0), len(recording.right)
    rows = zip(ids, recording.mean, recording.spread, recording.forgotten, hits, strict=True)
    return head, [[selection.split, int(i), f"{m:.6f}", f"{s:.6f}", int(f), int(h), epochs] for i, m, s, f, h in rows]


def engines(run: RunData, selection: Selection) -> tuple[list[str], list[list]]:
    """One row an engine: file, pace, accuracy and agreement with their intervals."""
    frame = run.engines()
    return list(frame.columns), frame.to_numpy(dtype=object).tolist()


TABLES = {
    "engines": engines,
    "selection": selected,
    "modes": modes,
    "slices": slices,
    "duplicates": duplicates,
    "data-map": data_map,
    "confusion": confusion,
    "distribution": distribution,
    "scores": scores,
    "history": history,
    "projection": projection,
    "layers": layers,
    "filters": filters,
    "calibration": calibration,
    "abstention": abstention,
}


def of(services: Services, noun: str, selection: Selection) -> tuple[str, list[str], list[list]]:
    """What a table is of, for its file's name; its head and its rows. Runs are those that pages show for the selection.

    Raises Missing, also where there is no such table, and Broken.
    """
    if noun in PAIRED_TABLES:
        pair = services.store.compare(selection)
        return f"{pair.a.run_id}-{pair.b.run_id}", *PAIRED_TABLES[noun](pair, selection)
    if noun in EXPLAINED_TABLES:
        return services.store.shown(selection.run).run_id, *EXPLAINED_TABLES[noun](services, selection)
    if noun not in TABLES:
        raise Missing("There is no such table.")
    run = services.store.shown(selection.run).asked(selection)
    return run.run_id, *TABLES[noun](run, selection)
