"""Two runs on the same images: which is better, on what, and whether that is more than chance."""

from dash import Dash, Input, Output, html

from dashboard.components import button, panel_states, selection_bar
from dashboard.components.page import SELECTION, Group, Page, Part, Row
from dashboard.components.panel import slot
from dashboard.components.picker import Picker, group, heading, together
from dashboard.data.pair import RunPair
from dashboard.exports import report_views
from dashboard.pages.comparison import buckets, changed, delta, gallery, gaps, pace, verdict
from dashboard.pages.comparison.letters import letter
from dashboard.services.container import Services
from dashboard.state.selection import Selection
from dashboard.state.vocabulary import SCORED, split_name
from ml.artifacts import kinds
from ml.artifacts.reader import Broken, Missing, RunEntry
from ml.system.wording import quantity

FACE = "comparison-face"
AGAINST = "comparison-against"  # a choice in it becomes the new address by assets/clientside.js
PAIR_SPLIT_ROLES = {
    "test": "neither saw in training",
    "validation": "that chose each run's best epoch",
    "reference": "of those both were trained on",
}


def actions(services: Services, selection: Selection) -> list:
    """The other run, and the way to see it from the other side."""
    label = html.Label([letter("b"), "against"], htmlFor=AGAINST, className="label quiet")
    picker = html.Div([label, Picker(AGAINST)], className="runpick")
    return [picker, html.Div(id="comparison-swap")]


def register_head(app: Dash, services: Services) -> None:
    """The head, which tells when there is nothing to compare, and the runs to compare with."""

    @app.callback(
        Output(FACE, "children"),
        Output("comparison-about", "children"),
        Output("comparison-swap", "children"),
        Output("comparison-split", "children"),
        Input("app-view-state", "data"),
        Input("url", "search"),
    )
    def draw_head(_: object, search: str | None):
        selection = Selection.parse(search)
        splits = selection_bar.splits(services, selection, SCORED)
        try:
            pair = services.store.compare(selection)
        except Missing as missing:
            return alone(missing, elsewhere(services, selection)), "Two runs, image by image.", None, splits
        except Broken as broken:
            return panel_states.error(str(broken), "Choose another run."), "Two runs, image by image.", None, splits
        there = selection.swapped(pair.a.run_id, pair.b.run_id).query()
        return None, about(pair), button("Swap", search=there, title="See it from the other side"), splits

    @app.callback(
        Output(AGAINST, "options"),
        Output(AGAINST, "value"),
        Input("app-view-state", "data"),
        Input("app-runs-state", "data"),
    )
    def list_against(search: str | None, _: object):
        selection = Selection.parse(search)
        try:
            run = services.store.shown(selection.run)
        except (LookupError, ValueError):
            return [], None
        marks, rivals = services.store.marks(), services.store.rivals(run)
        try:
            chosen = services.store.other(run, selection.against).run_id
        except (LookupError, ValueError):
            chosen = None
        listed = [(e, why) for e, why in rivals if not marks.of(e.run_id).archived or e.run_id == chosen]
        nothing = [] if chosen else [{"value": "none", "label": "no other run", "disabled": True}]
        offered = together(
            (option(entry, why, marks.name(entry.run_id)) for entry, why in listed), first=heading(run.dataset)
        )
        return nothing + offered, chosen or "none"


def option(entry: RunEntry, why: str, name: str) -> dict[str, object]:
    """One line of the picker; what cannot be compared is there and says why."""
    if why:
        kind = "other images" if entry.ok else entry.state
        return {
            "value": entry.run_id,
            "label": f"{name} · {kind}",
            "group": group(entry),
            "disabled": True,
            "title": why,
        }
    _, result = kinds.headline(entry.manifest)
    words = f"{name} · {100 * result['correct'] / result['n']:.1f} %"
    return {"value": entry.run_id, "label": words, "group": group(entry)}


def alone(missing: Missing, others: list) -> html.Div:
    """The face of the whole page: why there is no comparison, the command that makes one and the ways to do it here.

    others: ways to a comparison of other runs."""
    train = [button("Train another run", search="", path="/training")] if " train " in missing.command else []
    title = html.H2("Nothing to compare", className="card-title")
    ways = html.Div([*train, *others], className="row-ff") if train or others else None
    return html.Div([title, panel_states.empty(str(missing), missing.command), ways], className="ff-card")


def elsewhere(services: Services, selection: Selection) -> list:
    """A button to the comparison of the default run and the best beside it, where the shown run has none."""
    default = services.store.default_run()
    if default is None or default == services.store.used(selection.run):
        return []
    try:
        first = services.store.open(default)
        second = services.store.other(first, None)
    except (Missing, Broken):
        return []
    there = Selection(run=first.run_id, against=second.run_id).query()
    marks = services.store.marks()
    names = f"{marks.name(first.run_id)} and {marks.name(second.run_id)}"
    return [button("Compare two other runs", search=there, title=f"{names}, of {first.dataset['title']}")]


def about(pair: RunPair) -> list:
    """Which two, on which images."""
    first, second = (run.predictions(pair.split).ids for run in (pair.a, pair.b))
    trained = pair.a.can(kinds.TRAINING) and pair.b.can(kinds.TRAINING)
    words = [
        *(
            letter("a"),
            f"{pair.a.title} against ",
            letter("b"),
            f"{pair.b.title}, {split_name(pair.split)} split: ",
        ),
        f"{quantity(pair.n, 'image')} {PAIR_SPLIT_ROLES[pair.split]}." if trained else f"{quantity(pair.n, 'image')}.",
    ]
    if pair.n < max(len(first), len(second)):
        words.append(f" Only images both know count; A has {len(first):,}, B {len(second):,}.")
    if pair.relabelled:
        words.append(f" {pair.relabelled:,} are left out, since the two know them by different labels.")
    if pair.recut:
        words.append(" The splits were cut differently: one may have trained on what the other kept aside.")
    return words


PAGE = Page(
    path="/comparison",
    title="Comparison",
    about=None,
    split=selection_bar.splits,
    actions=actions,
    head=register_head,
    report=report_views.compared,
    kind="comparison",
    rows=(
        Part(lambda services, selection: slot(FACE)),
        Group(
            verdict,
            SELECTION,
            Row(buckets),
            Row((delta, 7), (gaps, 5)),
            Row((pace, 8), (changed, 4)),
            gallery,
            id="comparison-body",
        ),
    ),
)
