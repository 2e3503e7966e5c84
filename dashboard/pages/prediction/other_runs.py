"""The same picture, prepared for each run in its own form. Choose a run to see its answer above."""

from collections import Counter
from enum import StrEnum
from typing import Any

from dash import Dash, Input, html

from dashboard.analysis import prediction_sets
from dashboard.components import card, column_head, csv_link, dot, plain
from dashboard.components.panel import panel_callback, slot
from dashboard.data.run import RunData
from dashboard.format.csv import Source, csv_data_url
from dashboard.format.numbers import percent
from dashboard.pages.prediction import address, answer, answer_state, on_demand, request
from dashboard.services.container import Services
from dashboard.state.selection import Selection
from ml.artifacts import kinds
from ml.artifacts.reader import Broken, Missing

MAX_RUNS_COMPARED = 6  # runs asked; as many as the predictor holds open


class Ids(StrEnum):
    CARD = "prediction-others-card"
    FACE = "prediction-others-face"
    LAZY_STATE = "prediction-others-asked"
    SUMMARY = "prediction-others-summary"
    TABLE = "prediction-others-table"
    CSV = "prediction-others-csv"


def layout(services: Services, selection: Selection) -> html.Article:
    """One row a run."""
    body = [
        slot(Ids.FACE, "Asking the other runs"),
        plain.place(Ids.SUMMARY, "p", className="summary", role="status"),
        plain.place(
            Ids.TABLE, className="tablewrap", tabIndex="0", role="region", **{"aria-label": "Answers of several runs"}
        ),
        *on_demand.layout(Ids.LAZY_STATE),
    ]
    return card("What other runs say", __doc__, body, tools=plain.place(Ids.CSV), id=Ids.CARD)


def register(app: Dash, services: Services) -> None:
    """Every run's answer, once the card is near."""
    on_demand.register(app, Ids.LAZY_STATE, Ids.CARD, answer_state.Ids.STATE, address.SCALED)

    @panel_callback(
        app,
        Ids.FACE,
        plain.children(Ids.SUMMARY),
        plain.children(Ids.TABLE),
        plain.children(Ids.CSV),
        Input(Ids.LAZY_STATE, "data"),
        *request.states(),
        prevent_initial_call=True,
    )
    def list_others(_: Any, search: Any, *values: Any) -> tuple[Any, Any, Any]:
        return drawn(services, Selection.parse(search), request.again(services, search, *values))


def chosen(services: Services, selection: Selection, shown: RunData) -> tuple[list[str], int]:
    """Ids of the runs that are asked, the shown one first, then `against`, then the best on validation; and how many
    know the same classes. Archived runs are asked where they are named."""
    marks = services.store.marks()
    fit = [
        entry
        for entry in services.store.runs()
        if entry.ok
        and kinds.has(entry.manifest, kinds.NETWORK)
        and entry.manifest["dataset"]["classes"] == shown.classes
        and (not marks.of(entry.run_id).archived or entry.run_id in (shown.run_id, selection.against))
    ]

    def place(entry: Any) -> tuple[int, float]:
        first = (
            [shown.run_id, selection.against].index(entry.run_id)
            if entry.run_id in (shown.run_id, selection.against)
            else 2
        )
        result = entry.manifest.get("results", {}).get("validation")
        return first, -result["correct"] / max(result["n"], 1) if result else 0.0

    return [entry.run_id for entry in sorted(fit, key=place)][:MAX_RUNS_COMPARED], len(fit)


def drawn(services: Services, selection: Selection, question: request.Question | None) -> tuple[Any, Any, Any]:
    """Summary, table and its CSV; nothing without a picture. A run that cannot answer says so in its row."""
    if question is None:
        return None, None, None
    ids, known = chosen(services, selection, question.run)
    rows, labels, cells = [], [], []
    for run_id in ids:
        try:
            run = services.store.open(run_id)
            prediction = question.ask(services, run_id)
        except (Missing, Broken) as problem:
            rows.append(failed(run_id, str(problem)))
            continue
        rows.append(row(services, run, prediction.probabilities, selection, current=run_id == question.run.run_id))
        labels.append(prediction.label)
        cells.append([run_id, prediction.label, *map(float, prediction.probabilities), Source.of(run).data])
    head = ["Run", "Label", "Confidence", f"{selection.level} % set"]
    table = html.Table(
        [
            html.Thead(html.Tr([column_head(words, className="r" if words == "Confidence" else "") for words in head])),
            html.Tbody(rows),
        ]
    )
    head = ["run", "label", *(f"p_{name}" for name in question.run.classes), "data"]
    return summary(labels, len(ids), known), table, csv_link(csv_data_url(head, cells, None), name="runs.csv")


def summary(labels: list[str], n: int, known: int) -> str:
    """How far the runs agree."""
    if not labels:
        return "No run could be asked."
    label, votes = Counter(labels).most_common(1)[0]
    more = f" {known - n} more runs know the same classes." if known > n else ""
    if votes == len(labels):
        words = f"All {votes} say {label}." if votes > 1 else f"The only run says {label}."
    else:
        words = f"{votes} of {len(labels)} say {label}."
    return words + more


def row(services: Services, run: RunData, probabilities: Any, selection: Selection, *, current: bool) -> html.Tr:
    """probabilities: float [C] as trained."""
    selection = answer.readable(run, selection)
    verdict = prediction_sets.judged(run, probabilities, selection)
    try:
        members = prediction_sets.worded(
            [run.classes[i] for i in prediction_sets.members(run, probabilities, selection.level)]
        )
    except (Missing, Broken) as problem:
        members = html.Span(
            ["not known: ", html.Code(getattr(problem, "command", "") or str(problem))], className="faint"
        )
    name = services.store.marks().name(run.run_id)
    here = html.Button(
        name,
        type="button",
        className="btn-ff sm ghost",
        **{"data-run": run.run_id, "aria-current": str(current).lower()},
    )
    return html.Tr(
        [
            html.Th(here, scope="row"),
            html.Td([dot(verdict.predicted), f" {verdict.label}"]),
            html.Td(f"{percent(verdict.confidence)} %", className="r"),
            html.Td(members),
        ]
    )


def failed(run_id: str, why: str) -> html.Tr:
    """A run that could not be asked."""
    return html.Tr([html.Th(run_id, scope="row"), html.Td(why, colSpan=3, className="faint")])
