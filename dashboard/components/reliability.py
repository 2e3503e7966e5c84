"""Is it right as often as it says? The diagram, its bins as buttons, and the errors before and after scaling.

A panel named `<id>` has the parts `<id>-graph`, `<id>-bins` and `<id>-errors`.
"""

from typing import Any

import numpy as np
import pandas as pd
from dash import Dash, html

from dashboard.analysis import confidence
from dashboard.components import bins, clicks, graph, plain
from dashboard.data.run import RunData
from dashboard.exports.tables import Table, of_run
from dashboard.figures import calibration as figures
from dashboard.services.container import Services
from dashboard.state.selection import Selection
from ml.artifacts.reader import Broken, Missing
from ml.stats.calibration import BINS
from ml.stats.intervals import wilson
from ml.system.wording import quantity

METRICS = (
    ("calibration_error", "Calibration error (ECE)", 100, " %"),
    ("brier", "Brier score", 1, ""),
    ("loss", "Loss", 1, ""),
)


NEEDS = ("probabilities",)


def layout(id: str) -> list:
    """Chart, two rows of bins under it, a small table."""
    return [
        html.Div(graph(f"{id}-graph"), className="chart reliability"),
        plain.place(f"{id}-bins", className="binrows"),
        plain.place(f"{id}-errors", className="errors"),
    ]


def draw(run: RunData, selection: Selection, mode: str) -> tuple[dict[str, Any], list, list]:
    """Figure, bins and errors, under every chip but confidence, threshold and outcome. Raises Missing, Broken."""
    rows, table = confidence.counted(run, selection), counts(run, selection, "conf")
    try:
        after = counts(run, selection, "tempered")
    except (Missing, Broken) as missing:
        after, why = None, missing
    low, high = wilson(table["right"].to_numpy(), table["n"].to_numpy())
    figure = figures.reliability(table, low, high, after=after, chosen=selection.conf, mode=mode)
    strips = [
        html.Div([html.I(className="mk"), "images, as it says (uncalibrated)"], className="cap"),
        row(table, selection, "conf", "Images by confidence", "sure"),
    ]
    if after is not None:
        strips += [
            html.Div([html.I(className="mk open"), "images, calibrated (temperature scaling)"], className="cap"),
            row(after, selection, "tempered", "Images by scaled confidence", "sure after scaling"),
        ]
        return figure, strips, errors(run, selection, rows)
    words = [html.P(f"{why} Temperature scaling needs it:", className="faint small")]
    return figure, strips, [*errors(run, selection, rows), *words, html.Code(getattr(why, "command", ""))]


def counts(run: RunData, selection: Selection, field: str) -> pd.DataFrame:
    """The bins of confidence.bins. field: conf or tempered. Raises Missing, Broken."""
    predictions, rows = run.predictions(selection.split), confidence.counted(run, selection)
    confidences = predictions.confidence if field == "conf" else run.tempered(selection.split)
    return confidence.bins(confidences[rows], predictions.right[rows])


def row(table: pd.DataFrame, selection: Selection, field: str, label: str, words: str) -> html.Div:
    """The bins as buttons. field: conf or tempered."""
    return bins.row(table, label, words, lambda k: opened(selection, field, k), getattr(selection, field))


def opened(selection: Selection, field: str, k: int) -> Selection:
    """Exactly the images of a bin, right or wrong, answered or not; where it is chosen already, let go of it."""
    ends = None if bins.is_bin(getattr(selection, field), k, BINS) else bins.ends(k, BINS)
    return selection.with_(**{"conf": None, "tempered": None, field: ends, "outcome": (), "reject": None})


def errors(run: RunData, selection: Selection, rows: np.ndarray) -> list:
    """The errors of these images as trained and scaled; with intervals where they are the whole split's."""
    if not len(rows):
        return [html.P("No image to count.", className="faint small")]
    if why := confidence.chosen_by_outcome(selection):
        names = ", ".join(name.split(" (")[0].lower() for _, name, *_ in METRICS)
        words = f"{why} There is no {names} of them, and no point of the diagram is a finding."
        return [html.P(words, className="small", role="note")]
    whole = len(rows) == len(run.predictions(selection.split).ids)
    values = confidence.miscalibration(run, selection.split, rows)
    known: dict[tuple[str, str], tuple[float, float]] = {}
    basis = f"{quantity(len(rows), f'{selection.split} image')}, 15 bins."
    temperature = None
    if "temperature" in values:
        noun = run.calibration()
        if whole and run.epoch is None and selection.labels is None:  # the noun is of the kept weights, as labelled
            mine = noun[noun["split"] == selection.split]
            known = {(r.scaling, r.metric): (r.low, r.high) for r in mine.itertuples()}
        temperature = noun[noun["metric"] == "temperature"].iloc[0]
    scalings = [s for s in ("none", "temperature") if s in values]
    head = {"none": "uncalibrated", "temperature": "calibrated"}
    lines = [html.Tr([html.Td(), *(html.Th(head[s], className="r") for s in scalings)])]
    for metric, name, factor, unit in METRICS:
        cells = []
        for scaling in scalings:
            ends = known.get((scaling, metric))
            digits = 1 if factor == 100 else 3
            doubt = f" ({factor * ends[0]:.{digits}f} – {factor * ends[1]:.{digits}f})" if ends else ""
            value = html.B(f"{factor * values[scaling][metric]:.{digits}f}{unit}")
            cells.append(html.Td([value, html.Span(doubt, className="faint")], className="r"))
        lines.append(html.Tr([html.Td(name), *cells]))
    elements: list = [
        html.Div(
            html.Table(html.Tbody(lines)),
            className="tablewrap",
            tabIndex="0",
            role="group",
            **{"aria-label": "Calibration measures"},
        )
    ]
    if temperature is not None:
        t = float(temperature.value)
        mood = (
            "surer than it should be (overconfident)"
            if t > 1.02
            else "less sure than it could be (underconfident)"
            if t < 0.98
            else "about as sure as it should be (calibrated)"
        )
        elements.append(
            html.P(
                [
                    html.B(f"Temperature {t:.3f}"),
                    f" ({temperature.low:.3f} – {temperature.high:.3f}), fitted on {int(temperature.n):,} validation "
                    f"images: it is {mood}. {basis}",
                ],
                className="faint small",
            )
        )
    else:
        elements.append(html.P(basis, className="faint small"))
    return elements


def register(app: Dash, services: Services, id: str) -> None:
    """A click on a bin or a dot opens its images; on a bin that holds none, nothing."""

    def choose(selection: Selection, click: object, _: clicks.Keys) -> Selection | None:
        target = clicked(click)
        if target is None:
            return None
        field, k = target
        run = services.store.shown(selection.run).for_selection(selection)
        kept = bins.is_bin(getattr(selection, field), k, BINS) or counts(run, selection, field)["n"].iloc[k]
        return opened(selection, field, k) if kept else None

    clicks.lead(app, f"{id}-graph", choose)


def clicked(click: Any) -> tuple[str, int] | None:
    """(conf or tempered, bin) of a click on the diagram, None when it is not one."""
    curve, x = clicks.point(click).get("curveNumber"), clicks.number(click, "x")
    if type(curve) is not int or x is None or not 0 < x <= 100:
        return None
    k = min(max(int(np.ceil(x * BINS / 100 - 1e-9)) - 1, 0), BINS - 1)
    if curve in (figures.BINS_AT, figures.DOTS):
        return "conf", k
    return ("tempered", k) if curve == figures.AFTER else None


def csv_rows(run: RunData, selection: Selection) -> Table:
    """One row a bin of the confidence, and of the scaled one where there is a temperature; as the panel counts them."""
    predictions, at = run.predictions(selection.split), confidence.counted(run, selection)
    confidences = {"none": predictions.confidence}
    if "calibration" in run.manifest["nouns"]:
        confidences["temperature"] = run.tempered(selection.split)
    rows = []
    for scaling, values in confidences.items():
        table = confidence.bins(values[at], predictions.right[at])
        low, high = wilson(table["right"].to_numpy(), table["n"].to_numpy())
        for (a, b, n, right, c), x, y in zip(table.itertuples(index=False), low, high, strict=True):
            doubt = (f"{c:.6f}", f"{x:.6f}", f"{y:.6f}") if n else ("", "", "")
            rows.append([scaling, f"{a:.6f}", f"{b:.6f}", n, right, *doubt])
    return ["scaling", "from", "to", "n", "right", "mean confidence", "low", "high"], rows


TABLES = {"calibration": of_run(csv_rows)}
