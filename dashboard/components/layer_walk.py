"""Step by step through the network: choose a layer and a map, then point at a pixel to see how it was computed.

The pixel under the pointer is found by assets/walk.js, which writes it to the store `<id>-at`; arrow keys move it too.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import dash_bootstrap_components as dbc
import numpy as np
from dash import Dash, Input, Output, State, dcc, html
from dash.exceptions import PreventUpdate

from dashboard import theme
from dashboard.components import button, plain
from dashboard.components.icons import icon
from dashboard.components.layer_sums import Spot, explained, pair, size
from dashboard.components.panel import panel_callback, slot
from dashboard.data.run import RunData
from dashboard.figures import activations as figures
from dashboard.format.images import inline_url
from dashboard.services.container import Services
from ml.artifacts.reader import Missing
from ml.system.wording import quantity

ACROSS = 8  # maps a row
KINDS = {
    "Conv2d": "Convolution",
    "Conv2dSame": "Convolution",
    "BatchNorm2d": "Batch normalisation",
    "MaxPool2d": "Max pooling",
    "AvgPool2d": "Mean pooling",
    "LayerNorm": "Normalisation",
    "EncoderBlock": "Attention block",
    "Residual": "Residual block",
    "BasicBlock": "Residual block",
    "InvertedResidual": "Inverted residual block",
    "InputAdapter": "Enlarging",
    "Lens": "Enlarging",  # what it is called in runs of before 1.3
    "ZeroPad2d": "Padding",
    "Tokens": "Patches in a row",
}
MEANING = {
    "Conv2d": "Small windows of weights slide over the maps; each place is a sum of products.",
    "BatchNorm2d": "Each map is shifted and stretched to the range that training saw.",
    "ReLU": "What is below zero becomes zero.",
    "ReLU6": "What is below zero becomes zero, what is above six becomes six.",
    "MaxPool2d": "Of each small square only the largest number stays.",
    "EncoderBlock": "Every patch looks at every other; the words are laid back where their patches lie.",
    "Residual": "What came in is added to what the layers inside made of it.",
}
MEANING["Conv2dSame"], MEANING["BasicBlock"] = MEANING["Conv2d"], MEANING["Residual"]


@dataclass(frozen=True)
class Subject:
    """Whose walk it is. image: uint8 [h, w, c] of the network's form."""

    run: RunData
    image: np.ndarray


def layout(id: str) -> html.Div:
    """A button; what it opens costs nothing before."""
    choice = html.Div(
        [
            button(icon("previous"), id=f"{id}-back", kind="icon", small=True, **{"aria-label": "Layer before"}),
            html.Label("Layer", htmlFor=f"{id}-stop", className="sr"),
            dbc.Select(id=f"{id}-stop", options=[]),
            button(icon("next"), id=f"{id}-on", kind="icon", small=True, **{"aria-label": "Next layer"}),
        ],
        className="walk-layers",
    )
    channel = html.Div(
        [
            html.Label("Map", htmlFor=f"{id}-channel"),
            dbc.Input(id=f"{id}-channel", type="number", min=1, step=1, value=None),
            html.Span(id=f"{id}-of", className="faint small"),
        ],
        className="row-ff walk-channel",
    )
    inside = [
        choice,
        html.P(id=f"{id}-words", className="quiet small"),
        plain.place(f"{id}-sheet", className="walk-sheet"),
        channel,
        slot(f"{id}-sum-face"),
        plain.place(f"{id}-pair", className="duo walk-pair"),
        plain.place(f"{id}-sum", "div", className="walk-sum", **{"aria-live": "polite"}),
    ]
    return html.Div(
        [
            button(
                ["Walk through the network", icon("next")],
                id=f"{id}-open",
                small=True,
                **{"aria-expanded": "false", "aria-controls": f"{id}-body"},
            ),
            html.Div([slot(f"{id}-face"), html.Div(inside)], id=f"{id}-body", className="walk-body", hidden=True),
            dcc.Store(id=f"{id}-opened", data=0),
            dcc.Store(id=f"{id}-asked"),  # what says which picture, once the walk is open: before, nobody is asked
            dcc.Store(id=f"{id}-drawn"),  # which map is on screen: {"of", "stop", "channel", "row", "column"}
            dcc.Store(id=f"{id}-at"),  # the pixel pointed at: {"of", "row", "column"}
        ],
        className="walk",
    )


def register_steps(app: Dash, id: str, given: Input) -> None:
    """Open and close, a layer back and on, and whose walk it is once it is open: all in the browser."""
    app.clientside_callback(
        """(clicks) => { const open = Boolean(clicks % 2); return [!open, String(open), open ? 1 : 0]; }""",
        Output(f"{id}-body", "hidden"),
        Output(f"{id}-open", "aria-expanded"),
        Output(f"{id}-opened", "data"),
        Input(f"{id}-open", "n_clicks"),
        prevent_initial_call=True,
    )
    app.clientside_callback(
        """(back, on, options, value) => {
            const by = (dash_clientside.callback_context.triggered_id || '').endsWith('-back') ? -1 : 1;
            const all = (options || []).map((one) => one.value);
            const next = all[all.indexOf(value) + by];
            return next === undefined ? dash_clientside.no_update : next;
        }""",
        Output(f"{id}-stop", "value", allow_duplicate=True),
        Input(f"{id}-back", "n_clicks"),
        Input(f"{id}-on", "n_clicks"),
        State(f"{id}-stop", "options"),
        State(f"{id}-stop", "value"),
        prevent_initial_call=True,
    )

    app.clientside_callback(
        "(opened, said) => (opened ? said : dash_clientside.no_update)",
        Output(f"{id}-asked", "data"),
        Input(f"{id}-opened", "data"),
        given,
        prevent_initial_call=True,
    )


def number(value: Any, most: int, least: int) -> int:
    """A whole number from the browser, within its limits; the smallest for anything else."""
    text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    return min(max(int(text), least), most) if text.isascii() and text.isdigit() and len(text) < 9 else least


def title(stop: Any) -> str:
    """'4 Residual block, 16 of 28 × 28'; a part of it: '4 · Convolution, 16 of 28 × 28'."""
    own = stop.block.rpartition(".")[2]
    number = f"{int(own) + 1}" if own.isdigit() else own
    name = KINDS.get(stop.kind, stop.kind)
    return f"{number}{' · ' if stop.inside else ' '}{name}, {len(stop.maps)} of {size(stop.maps)}"


def words(stop: Any) -> str:
    """What this layer does to what it was given."""
    makes = f"{len(stop.maps)} maps of {size(stop.maps)}"
    if stop.before is None:
        return f"{MEANING.get(stop.kind, '')} It makes {makes}.".strip()
    given = f"{quantity(len(stop.before), 'map')} of {size(stop.before)}"
    return f"{MEANING.get(stop.kind, '')} It is given {given} and makes {makes}.".strip()


def sheet(maps: np.ndarray, chosen: int, target: str) -> list:
    """The maps as one picture; a click on one chooses it."""
    image = figures.sheet(maps, across=ACROSS)
    shown = min(len(maps), figures.LIMIT)
    columns = min(ACROSS, shown)
    rows = -(-shown // columns)
    across, down = 100 / columns, 100 / rows
    frame = html.I(
        style={
            "left": f"{chosen % columns * across:.3f}%",
            "top": f"{chosen // columns * down:.3f}%",
            "width": f"{across:.3f}%",
            "height": f"{down:.3f}%",
        }
    )
    alt = f"{shown} feature maps, number {chosen + 1} is chosen; the field Map below chooses another"
    picture = html.Img(src=inline_url(image), alt=alt, className="crisp")
    marks = {"data-sheet": target, "data-columns": str(columns), "data-rows": str(rows), "data-count": str(shown)}
    more = html.P(f"The first {shown} of {len(maps)}.", className="faint small") if shown < len(maps) else None
    return [html.Div([picture, frame if chosen < shown else None], className="sheet", **marks), more]


def register(app: Dash, services: Services, id: str, given: Input, subject: Callable[[Any], Subject]) -> None:
    """given: what says which picture; subject: reads it, raises PreventUpdate where there is none."""
    register_steps(app, id, given)

    @panel_callback(
        app,
        f"{id}-face",
        Output(f"{id}-stop", "options"),
        Output(f"{id}-stop", "value"),
        Output(f"{id}-channel", "value"),
        Output(f"{id}-channel", "max"),
        Output(f"{id}-of", "children"),
        Output(f"{id}-words", "children"),
        plain.children(f"{id}-sheet"),
        Output(f"{id}-drawn", "data"),
        Input(f"{id}-asked", "data"),
        Input(f"{id}-stop", "value"),
        Input(f"{id}-channel", "value"),
        State(f"{id}-drawn", "data"),
        prevent_initial_call=True,
    )
    def draw_walk(source: Any, stop: Any, channel: Any, drawn: Any):
        who = subject(source)
        walked = services.explainer.walk(who.run.run_id, who.image)
        if not walked:
            raise Missing(
                "Nothing in this network is a picture: every number goes straight to every unit of the first dense "
                "layer, wherever it lies, so there are no maps to walk along."
            )
        place = number(stop, len(walked) - 1, 0)
        maps = walked[place].maps
        before = drawn if isinstance(drawn, dict) else {}
        moved = before.get("stop") != place or before.get("run") != who.run.run_id
        chosen = figures.liveliest(maps) if moved or not isinstance(channel, int) else number(channel, len(maps), 1) - 1
        row, column = (int(i) for i in np.unravel_index(np.abs(maps[chosen]).argmax(), maps.shape[1:]))
        state = {
            "of": f"{who.run.run_id}/{crc32(who.image.tobytes())}/{place}/{chosen}",
            "run": who.run.run_id,
            "stop": place,
            "channel": chosen,
            "row": row,
            "column": column,
        }
        return (
            [{"value": str(i), "label": title(one)} for i, one in enumerate(walked)],
            str(place),
            chosen + 1,
            len(maps),
            f"of {len(maps)}",
            words(walked[place]),
            sheet(maps, chosen, f"{id}-channel"),
            state,
        )

    @panel_callback(
        app,
        f"{id}-sum-face",
        plain.children(f"{id}-pair"),
        plain.children(f"{id}-sum"),
        Input(f"{id}-drawn", "data"),
        Input(f"{id}-at", "data"),
        Input(theme.STATE, "data"),
        State(f"{id}-asked", "data"),
        prevent_initial_call=True,
    )
    def draw_sum(drawn: Any, at: Any, mode: Any, source: Any):
        if not isinstance(drawn, dict):
            raise PreventUpdate
        who = subject(source)
        walked = services.explainer.walk(who.run.run_id, who.image)
        place = number(drawn.get("stop"), len(walked) - 1, 0)
        maps = walked[place].maps
        channel = number(drawn.get("channel"), len(maps) - 1, 0)
        pointed = at if isinstance(at, dict) and at.get("of") == drawn.get("of") else drawn
        row = number(pointed.get("row"), maps.shape[1] - 1, 0)
        column = number(pointed.get("column"), maps.shape[2] - 1, 0)
        arithmetic = services.explainer.arithmetic(who.run.run_id, who.image, place, channel, row, column)
        spot = Spot(channel, row, column)
        return (
            pair(walked[place], arithmetic, spot, str(drawn.get("of")), f"{id}-at"),
            explained(walked[place], arithmetic, spot, theme.mode_of(mode)),
        )
