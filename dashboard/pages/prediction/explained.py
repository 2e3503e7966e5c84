"""Three ways of asking (attribution) what in the picture spoke for the answer, and what for the runner-up class."""

import hashlib
from typing import Any

import numpy as np
import orjson
from dash import Dash, Input, Output, State, dcc, html

from dashboard.components import card, explanations, segmented
from dashboard.components.panel import panel_callback, slot
from dashboard.figures.overlay import heatmap_overlay
from dashboard.pages.prediction import answer_state, on_demand
from dashboard.services import uploads
from dashboard.services.container import Services
from dashboard.services.explainer import NoExplanation, photograph
from dashboard.state.selection import Selection
from ml.artifacts.reader import Missing

NEEDS = ("network",)
ID = "prediction-explained"
FACE = "prediction-explained-face"
CARD = "prediction-explained-card"
LAZY_STATE = "prediction-explained-asked"  # dcc.Store: the answer's state from then on; before, nobody is asked
VIEW = "prediction-explained-view"  # over which picture the maps lie
VIEWS = (("sent", "As you sent it"), ("seen", "As the network sees it"))
CELLS = [(row, way) for row in explanations.ROWS for way in explanations.METHODS]
SLOW = tuple(way for way in explanations.METHODS if way not in explanations.QUICK)
QUICK_CELLS = [(row, way) for row, way in CELLS if way not in SLOW]
SLOW_CELLS = [(row, way) for way in SLOW for row in explanations.ROWS]
DRAWN = "prediction-explained-drawn"  # dcc.Store: {of, maps, later}: see `drawn`
REST = "prediction-explained-rest"  # dcc.Store: what the maps are of that are still to be asked for
ASK = """(drawn, ...later) => {
    const asks = drawn && drawn.later.length && !later.every((one) => one && one.of === drawn.of);
    return asks ? drawn.of : dash_clientside.no_update;
}"""
# What came for an earlier picture is not shown over this one.
PUT = """(drawn, ...later) => WAYS.flatMap((way, i) => {
    const there = drawn && drawn.maps[way], came = later[i];
    return there || (drawn && came && came.of === drawn.of ? came.maps : ['', '']);
})"""


def later(way: str) -> str:
    """dcc.Store of the maps of one of SLOW that came by themselves: {of, maps}."""
    return f"{ID}-later-{way}"


def layout(services: Services, selection: Selection) -> html.Article:
    """The grid; it asks the network when it is looked at."""
    view = html.Div(segmented(VIEW, VIEWS, "", "Over which picture"), id=f"{VIEW}-place", hidden=True)
    stores = [dcc.Store(id=one) for one in (DRAWN, REST, *map(later, SLOW))]
    body = [
        slot(FACE),
        html.Div([view, explanations.layout(ID)], className="xp-both"),
        *(html.Div(slot(f"{FACE}-{way}")) for way in SLOW),
        *on_demand.layout(LAZY_STATE),
        *stores,
    ]
    sentence = f"{(__doc__ or '').splitlines()[0]} {explanations.HELP}"
    return card("What spoke for which class", sentence, body, id=CARD)


def register(app: Dash, services: Services) -> None:
    """Six maps for each picture and layer: of a photograph the quick ones first, and the others as they come."""
    on_demand.register(app, LAZY_STATE, CARD, answer_state.Ids.STATE)
    explanations.register(app, ID)

    @panel_callback(
        app,
        FACE,
        *(Output(explanations.cell(ID, *one), "src") for one in QUICK_CELLS),
        *(Output(explanations.cell(ID, *one), "alt") for one in CELLS),
        *(Output(f"{ID}-class-{row}", "children") for row in explanations.ROWS),
        Output(f"{ID}-grid", "style"),
        Output(f"{ID}-note", "children"),
        Output(VIEW, "value"),
        Output(f"{VIEW}-place", "hidden"),
        Output(f"{ID}-layer", "options"),
        Output(f"{ID}-layer", "value"),
        Output(DRAWN, "data"),
        Input(LAZY_STATE, "data"),
        Input(f"{ID}-layer", "value"),
        Input(VIEW, "value"),
        prevent_initial_call=True,
    )
    def draw_explained(state: Any, layer: Any, view: Any):
        return drawn(services, state, layer, view)

    app.clientside_callback(
        ASK,
        Output(REST, "data"),
        Input(DRAWN, "data"),
        *(State(later(way), "data") for way in SLOW),
        prevent_initial_call=True,
    )
    app.clientside_callback(
        PUT.replace("WAYS", str(list(SLOW))),
        *(Output(explanations.cell(ID, *one), "src") for one in SLOW_CELLS),
        Input(DRAWN, "data"),
        *(Input(later(way), "data") for way in SLOW),
        prevent_initial_call=True,
    )
    for way in SLOW:
        register_later(app, services, way)


def register_later(app: Dash, services: Services, way: str) -> None:
    """The maps of one of SLOW, in a request of their own."""
    head = f"xp-head {way}"

    @panel_callback(
        app,
        f"{FACE}-{way}",
        Output(later(way), "data"),
        Input(REST, "data"),
        State(LAZY_STATE, "data"),
        State(VIEW, "value"),
        prevent_initial_call=True,
        running=[(Output(f"{ID}-head-{way}", "className"), f"{head} busy", head)],
    )
    def draw_later(_: Any, state: Any, view: Any):
        return drawn_later(services, state, view, way)


class Grid:
    """What the grid is of: run, picture and the two classes of an answer's state, and the picture under the maps.

    view: of VIEWS; '' for the picture as it was sent where that is a photograph to the network, else the network's own.
    Raises what `answer_state.seen` and asking do.
    """

    def __init__(self, services: Services, state: Any, view: Any) -> None:
        self.run_id, image = answer_state.seen(state)
        again = services.predictor.predict(self.run_id, image)
        self.seen = again.prepared.image
        self.run = services.store.open(self.run_id)
        truth = answer_state.truth_of(state)
        self.targets = explanations.targets(again.probabilities, again.classes, truth)
        self.whole = answer_state.whole_of(state)
        if view not in dict(VIEWS):
            view = "sent" if answer_state.over_whole(state, self.seen) else "seen"
        self.view: str = view
        self.under = self.whole if view == "sent" else None
        self._explainer = services.explainer

    @property
    def of(self) -> str:
        """What stands for all of it."""
        under = self.under and (self.under.src, self.under.height, self.under.width, self.under.place.tolist())
        said = orjson.dumps([self.run_id, [one.id for one in self.targets], self.view, under])
        return hashlib.blake2b(said + self.seen.tobytes(), digest_size=12).hexdigest()

    def maps(self, way: str, layer: str = "") -> list[str]:
        """A row each, as pictures to lie over the picture. Raises NoExplanation."""
        classes = [one.id for one in self.targets]
        found = self._explainer.together(self.run_id, self.seen, classes, way, layer=layer)
        veil = self.under.veil if self.under else heatmap_overlay
        return [uploads.thumbnail(veil(one)) for one in found]


def drawn(services: Services, state: Any, layer: Any, view: Any = "") -> tuple:
    """Everything the grid shows at once, in the order of the callback's outputs: of a photograph the maps that are
    quick. The last is `of`, what the maps are of, those maps of SLOW that are there, and which come `later`."""
    grid = Grid(services, state, view)
    both, offered = grid.targets, explanations.offered(grid.run)
    options = explanations.places(grid.run.manifest.get("layers", []))
    chosen = layer if any(one["value"] == layer for one in options) else explanations.AUTO
    rest = [way for way in offered if way in SLOW] if photograph(grid.seen) else []
    maps, why = {}, f" {explanations.without(grid.run)}".rstrip()
    for way in offered:
        if way in rest:
            continue
        try:
            maps[way] = grid.maps(way, "" if chosen == explanations.AUTO else chosen)
        except NoExplanation as none:
            why = f" No {explanations.TITLES[way]}: {none}."
    height, width = grid.seen.shape[:2]
    shown = grid.under or answer_state.Whole(uploads.thumbnail(grid.seen), height, width, np.eye(2, 3))
    words = f"As you sent it; dark: what the network, which reads {width} × {height}, did not see."
    return (
        *(maps.get(way, ["", ""])[row] for row, way in QUICK_CELLS),
        *(explanations.alt(way, both[row]) for row, way in CELLS),
        *(explanations.line(target) for target in both),
        explanations.over(shown.src, shown.height, shown.width, offered),
        f"{words if grid.under else f'As the network sees it, {width} × {height}.'}{why}",
        grid.view,
        grid.whole is None,
        options,
        chosen,
        {"of": grid.of, "maps": {way: maps[way] for way in SLOW if way in maps}, "later": rest},
    )


def drawn_later(services: Services, state: Any, view: Any, way: str) -> dict[str, Any]:
    """The maps of one of SLOW, and what they are of."""
    grid = Grid(services, state, view)
    if way not in explanations.offered(grid.run):
        return {"of": grid.of, "maps": ["", ""]}
    try:
        return {"of": grid.of, "maps": grid.maps(way)}
    except NoExplanation as none:
        raise Missing(f"No {explanations.TITLES[way]}: {none}.") from None
