"""What is said of a run that is its predictions alone: it answers for no new picture, and which runs do."""

from typing import Any

from dash import Dash, Input, Output, html

from dashboard.components import button
from dashboard.data.run import RunData
from dashboard.services.container import Services
from dashboard.state.selection import Selection
from ml.artifacts.kinds import NETWORK, has
from ml.artifacts.reader import Broken, Missing

NOTICE = "prediction-network"
OFFERED = 4  # other runs


def layout(services: Services, selection: Selection) -> html.Div:
    """Empty where the run can be asked."""
    return html.Div(id=NOTICE, role="status")


def register(app: Dash, services: Services) -> None:
    """Above the studio, for the run of the address."""

    @app.callback(Output(NOTICE, "children"), Input("app-view-state", "data"))
    def show_no_network(search: str | None):
        selection = Selection.parse(search)
        try:
            run = services.store.shown(selection.run)
        except (Missing, Broken):
            return None
        return None if run.can(NETWORK) else notice(services, run, selection)


def notice(services: Services, run: RunData, selection: Selection) -> html.Div:
    """Why it cannot answer, and the runs that can, those of the same data set."""
    able = others(services, run)
    words: list[Any] = [
        html.B(run.title),
        " is its predictions alone: there is no network here that could be asked about a ",
    ]
    words += ["picture of yours. "]
    if not able:
        words.append("No other run of this data set can be asked either: train one on the Training page.")
        return html.Div(words, className="notice")
    marks = services.store.marks()
    words.append("Ask another run: " if len(able) > 1 else "Ask the other run: ")
    for name in able[:OFFERED]:
        words += [button(marks.title(name), small=True, search=selection.with_(run=name).query()), " "]
    return html.Div(words, className="notice")


def others(services: Services, run: RunData) -> list[str]:
    """Ids of runs with a network for the same classes, the best on validation first; none that is archived."""
    marks = services.store.marks()
    entries = [
        entry
        for entry in services.store.runs()
        if entry.ok
        and has(entry.manifest, NETWORK)
        and entry.manifest["dataset"]["classes"] == run.classes
        and not marks.of(entry.run_id).archived
    ]

    def share(entry: Any) -> float:
        result = entry.manifest["results"].get("validation", {"correct": 0, "n": 0})
        return result["correct"] / max(result["n"], 1)

    return [entry.run_id for entry in sorted(entries, key=share, reverse=True)]
