"""What spoke for which class: three ways of asking for two classes, in one grid over the picture."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import dash_bootstrap_components as dbc
import numpy as np
from dash import Dash, Input, Output, html

from dashboard.components import dot
from dashboard.data.run import RunData
from dashboard.exports.tables import Table, of_services
from dashboard.format.numbers import percent
from dashboard.services.container import Services
from dashboard.services.explainer import SHARED, NoExplanation, ways
from dashboard.state.selection import Selection
from ml.artifacts import kinds
from ml.artifacts.reader import Missing

METHODS = ("grad-cam", "integrated", "occlusion")
TITLES = {
    "grad-cam": "Grad-CAM",
    "integrated": "Integrated gradients",
    "gradients": "Gradients",
    "occlusion": "Occlusion",
}
SENTENCES = {
    "grad-cam": "Where a layer's maps rise with the class's score, enlarged from the layer's own size",
    "integrated": "Pixels that made the class's score grow while the picture faded in from dark",
    "gradients": "Pixels whose change would change the class's score most",
    "occlusion": "Patches whose covering lowers the class's probability",
}
HELP = "The brighter, the more a place spoke for that class. Nothing lit: nothing there did."
QUICK = ("grad-cam", "gradients")  # of a few passes through the network; others take some fifty
ROWS = (0, 1)
STRENGTH = 72
SMOOTH = 64  # pixels a side above which a picture is shown as it is, not in squares
AUTO = "auto"  # the deepest that answers
PLAIN = (
    "Dropout",
    "InputAdapter",
    "Lens",
    "ZeroPad2d",
    "Tokens",
    "LayerNorm",
)  # hand on what they were given, or no maps


@dataclass(frozen=True)
class Target:
    """A class that is asked about. role: what it is to this picture, in words; share: its probability."""

    id: int
    name: str
    role: str
    share: float


def targets(probabilities: np.ndarray, classes: Sequence[str], label: int | None) -> list[Target]:
    """The guess, and the label where it is another class, else the runner-up. probabilities: float [C]."""
    order = np.argsort(-probabilities, kind="stable")
    guess = int(order[0])
    known = label is not None and 0 <= label < len(classes)  # an answer's state comes back from the browser
    second = label if label is not None and known and label != guess else int(order[1])
    first = "prediction and label" if label == guess else "the prediction"
    roles = (first, "the label" if second == label else "the runner-up")
    return [
        Target(i, classes[i], role, float(probabilities[i])) for i, role in zip((guess, second), roles, strict=True)
    ]


def places(layers: Sequence[dict[str, Any]]) -> list[dict[str, str]]:
    """Options of the layer picker, deepest first. layers: of the manifest; maps of one place are no place to look."""
    options, size, number = [{"value": AUTO, "label": "Deepest that answers"}], 0, 0
    for layer in layers:
        shape = layer["shape"]
        number += 1
        if len(shape) == 3:
            size = shape[1] * shape[2]
            where = f"{shape[1]} × {shape[2]}"
            across = where
        elif len(shape) == 2 and shape[0] == size + 1 > 2:  # attention: a word for each patch, and one for the answer
            across = where
        else:
            continue
        if size > 1 and not layer["kind"].startswith(PLAIN):
            options.insert(1, {"value": layer["name"], "label": f"{number} {layer['kind']}, {across}"})
    return options


def layout(id: str) -> html.Div:
    """Layer, strength, and two rows of three pictures."""
    layer = html.Div(
        [
            html.Label("Grad-CAM layer", htmlFor=f"{id}-layer"),
            dbc.Select(id=f"{id}-layer", options=[{"value": AUTO, "label": "Deepest that answers"}], value=AUTO),
        ],
        className="field",
    )
    strength = html.Div(
        [
            html.Label("Opacity", htmlFor=f"{id}-strength"),
            dbc.Input(id=f"{id}-strength", type="range", min=0, max=100, step=1, value=STRENGTH),
        ],
        className="field",
    )
    heads = [
        html.Span(TITLES[way], id=f"{id}-head-{way}", title=SENTENCES[way], className=f"xp-head {way}")
        for way in METHODS
    ]
    rows: list[Any] = []
    for row in ROWS:
        rows.append(html.P(id=f"{id}-class-{row}", className="xp-class"))
        rows += [
            html.Div(html.Img(id=cell(id, row, way), src="", alt="", className="over"), className=f"shot {way}")
            for way in METHODS
        ]
    grid = html.Div([*heads, *rows], id=f"{id}-grid", className="xp-grid")
    return html.Div(
        [
            html.Div([layer, strength], className="xp-tools"),
            html.Div(grid, id=f"{id}-veil", style={"--strength": STRENGTH / 100}),
            html.P(id=f"{id}-note", className="faint small"),
        ],
        className="xp",
    )


def cell(id: str, row: int, way: str) -> str:
    """Where one map goes."""
    return f"{id}-map-{row}-{way}"


def register(app: Dash, id: str) -> None:
    """The strength, in the browser alone."""
    app.clientside_callback(
        "(value) => ({'--strength': Number(value) / 100})",
        Output(f"{id}-veil", "style"),
        Input(f"{id}-strength", "value"),
    )


def offered(run: RunData) -> tuple[str, ...]:
    """Those of METHODS that its network can be explained by, none of predictions alone."""
    able = ways(run.manifest)
    return tuple(way for way in METHODS if way in able)


def convolved(run: RunData) -> bool:
    """Whether its network has layers for Grad-CAM to look at, as far as its manifest tells."""
    interface = run.manifest.get("interface")
    return (
        bool(interface["maps"])
        if isinstance(interface, dict) and "maps" in interface
        else len(places(run.manifest.get("layers", []))) > 1
    )


def over(url: str, height: int, width: int, shown: Sequence[str] = METHODS, *, layers: bool = True) -> dict[str, str]:
    """The picture under every map, as the grid's style, where CSS hides what belongs to methods not shown."""
    if not shown:
        return {"display": "none"}
    alone = {} if layers else {"--flat": "1"}
    alone |= {} if "grad-cam" in shown else {"--alone": "1"}
    smooth = {"--rendering": "auto"} if max(height, width) > SMOOTH else {}
    return {"--picture": f"url({url})", "--ratio": f"{width} / {height}", **smooth, **alone}


def addresses(run: RunData, id: str, url: str, targets: Sequence[Target]) -> list[dict[str, Any]]:
    """Where each map goes, by which address it comes and what it shows; those first that are quick.

    url: of the picture's maps, with a query. Both classes are named to a
    method that answers for several at once, so that it is asked once.
    """
    first, second = targets
    rows = {0: (first, second), 1: (second, first)}
    offer = offered(run)
    maps = [(row, way) for row in rows for way in offer]
    made = []
    for row, way in sorted(maps, key=lambda one: one[1] not in QUICK):
        target, other = rows[row]
        beside = f"&beside={other.id}" if way in SHARED else ""
        there = way != "grad-cam" or convolved(run)
        made.append(
            {
                "id": cell(id, row, way),
                "src": f"{url}&target={target.id}&method={way}{beside}" if there else "",
                "alt": alt(way, target),
                "quick": way in QUICK,
                "way": way,
            }
        )
    return made


def without(run: RunData) -> str:
    """Why some of METHODS are not there, and that another is; '' where all are."""
    if run.can("gradients"):
        return ""
    kind = kinds.kind_of(run.manifest)
    lacks, gives = kinds.lacks("gradients", kind), kinds.gives("gradients", kind)
    if not offered(run):
        return f"{lacks} "
    return f"No Grad-CAM, no integrated gradients: {lacks[:1].lower()}{lacks[1:]} {gives} "


def line(target: Target) -> list:
    """Above a row: which class, what it is to the picture, how likely."""
    return [
        dot(target.id),
        html.B(target.name),
        html.Span(f"{target.role}, {percent(target.share)} %", className="quiet"),
    ]


def kept(run: RunData) -> str:
    """Which network is asked, where the address shows another epoch's answers, else ''. Other weights are not kept."""
    if run.epoch is None:
        return ""
    best = run.manifest.get("best_epoch")
    return f"Asked is the network that was kept, that of epoch {best}, not the one after epoch {run.epoch}. "


def alt(way: str, target: Target) -> str:
    """What a map shows, for those who do not see it."""
    return f"{TITLES[way]} for {target.name}"


def csv_rows(services: Services, selection: Selection) -> Table:
    """One row a pixel, method and class of the grid in the drawer, before it is scaled: Grad-CAM as it is, integrated
    gradients in logits, occlusion as the mean fall of the probability."""
    if selection.sample is None:
        raise Missing("There is no sample in this address.")
    run = services.store.shown(selection.run).for_selection(selection)
    run.need(kinds.NETWORK)
    predictions = run.predictions(selection.split)
    row = predictions.row(selection.sample)
    image = run.picture(selection.split, selection.sample)
    body = []
    for target in targets(predictions.probabilities[row], run.classes, predictions.label(row)):
        for way in offered(run):
            try:
                values = services.explainer.attribution(run.run_id, image, target.id, way)
            except NoExplanation:
                continue
            body += [
                [way, target.name, i + 1, j + 1, float(f"{value:.9g}")] for (i, j), value in np.ndenumerate(values)
            ]
    return ["method", "class", "row", "column", "value"], body


TABLES = {"explanation": of_services(csv_rows)}
