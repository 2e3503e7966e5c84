"""A picture enters at the left; each step hands on a block of numbers, drawn with its height, width and depth."""

import math
import re
from dataclasses import dataclass, field
from typing import Any

from dash import Dash, Input, Output, html

from dashboard.components import card, csv_link, panel_states
from dashboard.components.panel import panel_callback, slot
from dashboard.data.run import RunData
from dashboard.exports.tables import Table, of_run
from dashboard.format.csv import table_url
from dashboard.format.images import single_url
from dashboard.pages.insights.stages import ARCHITECTURE, ARCHITECTURE_FACE
from dashboard.services.container import Services
from dashboard.state.selection import Selection
from ml.artifacts.reader import Missing

NEEDS = ("layers",)

CSV = "insights-architecture-csv"
MAX_BLOCK_SIDE = 62  # pixels of the largest picture's longer side
NAMES = {
    "Conv2d": "Convolution",
    "Conv2dSame": "Convolution",
    "MaxPool2d": "Max pooling",
    "AvgPool2d": "Mean pooling",
    "AdaptiveAvgPool2d": "Mean over the picture",
    "AdaptiveMaxPool2d": "Max over the picture",
    "Residual": "Residual block",
    "BasicBlock": "Residual block",
    "InvertedResidual": "Inverted residual block",
    "EncoderBlock": "Attention block",
    "InputAdapter": "Input adapter",
    "Lens": "Input adapter",  # what it is called in runs of before 1.3
    "LayerNorm": "Layer normalisation",
    "Linear": "Dense",
    "Flatten": "Flatten",
}


@dataclass
class Block:
    """One step that changes the shape or learns something. shape: [ch, h, w] or [units]; quiet: what rides along."""

    title: str
    shape: list[int]
    parameters: int = 0
    quiet: list[str] = field(default_factory=list)


def setting(layer: dict[str, Any], name: str, default: str = "") -> str:
    """A number, or the first of a pair, out of a layer's settings: 'kernel_size=(3, 3)' → '3'."""
    match = re.search(rf"\b{name}=\(?([\d.]+)", layer["settings"])
    return match.group(1) if match else default


def title(layer: dict[str, Any]) -> str:
    """What a layer is called: 'Convolution 3 × 3'."""
    name = NAMES.get(layer["kind"], re.sub(r"(?<=[a-z])(?=[A-Z][a-z])", " ", layer["kind"]))
    size = setting(layer, "kernel_size")
    return f"{name} {size}\u00a0×\u00a0{size}" if size else name


def quiet(layer: dict[str, Any]) -> str:
    """What a step that rides along with the one before it adds: 'ReLU', 'dropout 25 %'."""
    if layer["kind"].startswith("Dropout"):
        return f"dropout {100 * float(setting(layer, 'p', '0')):g} %"
    return "batch norm" if layer["kind"].startswith("BatchNorm") else layer["kind"]


def layers_of(run: RunData) -> list[dict[str, Any]]:
    """As the manifest describes them. Raises Missing: of a run that does not, nobody may say that it has none."""
    run.need(*NEEDS)
    layers: list[dict[str, Any]] = run.manifest.get("layers") or []
    if not layers:
        raise Missing("This run's manifest does not describe its layers.")
    return layers


def blocks(layers: list[dict[str, Any]], shape: list[int]) -> list[Block]:
    """layers: of the manifest; shape: [ch, h, w] of the picture. The first block is the picture."""
    steps = [Block("Picture", shape)]
    for layer in layers:
        rides = layer["parameters"] == 0 or layer["kind"].startswith("BatchNorm")
        if rides and layer["shape"] == steps[-1].shape:
            steps[-1].quiet.append(quiet(layer))
            steps[-1].parameters += layer["parameters"]
        else:
            steps.append(Block(title(layer), layer["shape"], layer["parameters"]))
    steps[-1].quiet.insert(0, steps[-1].title.lower())
    steps[-1].title = "Answer"
    return steps


def words(shape: list[int]) -> str:
    """'26 × 26 × 32' (height, width, depth), '50 × 128' (words of 128 numbers) or '128'."""
    return " × ".join(f"{size:,}" for size in ([*shape[1:], shape[0]] if len(shape) == 3 else shape))


def share(part: int, total: int) -> str:
    """'12 %', '<0.1 %' or ''."""
    if not part or not total:
        return ""
    percent = 100 * part / total
    return "<0.1 %" if percent < 0.1 else f"{percent:.1f} %" if percent < 10 else f"{percent:.0f} %"


def volume(block: Block, longest: int, picture: str = "") -> html.Div:
    """A block of numbers seen from the front left: face height by width, one sheet behind it for each doubling "
    "of depth."""
    if len(block.shape) == 3:
        depth, height, width = block.shape
        sheets = min(round(math.log2(max(depth, 1))), 7)
        size = {
            "width": f"{max(MAX_BLOCK_SIDE * width / longest, 7):.0f}px",
            "height": f"{max(MAX_BLOCK_SIDE * height / longest, 7):.0f}px",
        }
    else:
        sheets = 1
        size = {"width": "9px", "height": f"{min(14 + 7 * math.log2(max(block.shape[0], 1)), 74):.0f}px"}
    shadows = [
        f"{3 * i}px {-3 * i}px 0 {edge}"
        for i in range(1, sheets + 1)
        for edge in ("-1px var(--ff-accent-soft)", "0 var(--ff-accent-line)")
    ]
    image = {"backgroundImage": f"url({picture})"} if picture else {}
    side = {"--over": f"{3 * sheets}px"}
    return html.Div(html.I(style={**size, **image, "boxShadow": ",".join(shadows)}), className="vol", style=side)


def layout(services: Services, selection: Selection) -> html.Article:
    """Title and place; the diagram comes with the run."""
    body = [slot(ARCHITECTURE_FACE), html.Div(panel_states.loading("Reading the run"), id=ARCHITECTURE)]
    return card("Architecture", __doc__, body, tools=html.Span(csv_link(""), id=CSV))


def register(app: Dash, services: Services) -> None:
    """The diagram of the open run."""

    @panel_callback(
        app,
        ARCHITECTURE_FACE,
        Output(ARCHITECTURE, "children"),
        Output(CSV, "children"),
        Input("app-view-state", "data"),
    )
    def draw_architecture(search: str | None):
        selection = Selection.parse(search)
        return diagram(services.store.shown(selection.run), selection), csv_link(table_url("layers", selection))


def diagram(run: RunData, selection: Selection) -> list:
    """Every block in order, and where the numbers are."""
    layers = layers_of(run)
    shape = [run.dataset["channels"], run.dataset["height"], run.dataset["width"]]
    steps = blocks(layers, shape)
    total = run.manifest["parameters"]
    longest = max(side for block in steps if len(block.shape) == 3 for side in block.shape[1:])
    items = [item(block, total, longest, first_picture(run, selection) if block is steps[0] else "") for block in steps]
    most = max(steps, key=lambda block: block.parameters)
    sentence = [html.B(f"{total:,} numbers"), " are learned, "]
    if most.parameters:
        alike = [b for b in steps if b.title == most.title]
        which = most.title.lower() + (
            f", number {next(i for i, b in enumerate(alike, 1) if b is most)}" if len(alike) > 1 else ""
        )
        sentence.append(
            f"the largest part of them, {share(most.parameters, total)}, in one step ({which}). Bars show each "
            "step's share."
        )
    return [
        html.Ol(items, className="arch", tabIndex="0", **{"aria-label": "Steps of the network"}),
        html.P(sentence, className="quiet small"),
    ]


def item(block: Block, total: int, longest: int, picture: str) -> html.Li:
    """Drawing, name, shape, learned numbers, what rides along."""
    part = share(block.parameters, total)
    return html.Li(
        [
            volume(block, longest, picture),
            html.B(block.title),
            html.Span(words(block.shape), className="mono"),
            html.Span(
                html.I(style={"width": f"{100 * block.parameters / max(total, 1):.2f}%"}) if block.parameters else None,
                className="share" if block.parameters else "share none",
            ),
            html.Span(
                [f"{block.parameters:,}", html.Span(f" · {part}", className="faint")]
                if block.parameters
                else "learns nothing"
                if block.title != "Picture"
                else "",
                className="count",
            ),
            html.Span(" · ".join(block.quiet), className="faint with") if block.quiet else None,
        ]
    )


def first_picture(run: RunData, selection: Selection) -> str:
    """The address of a picture of the data set, '' without pictures on this machine."""
    try:
        ids = run.pictures(selection.split).ids
    except (LookupError, ValueError):
        return ""
    return single_url(run.picture_set, selection.split, int(ids[0]))


def csv_rows(run: RunData, selection: Selection) -> Table:
    """One row a layer; shape is what it hands on, channels first."""
    layers = run.manifest.get("layers", [])
    return ["layer", "kind", "settings", "shape", "parameters"], [
        [x["name"], x["kind"], x["settings"], " x ".join(map(str, x["shape"])), x["parameters"]] for x in layers
    ]


TABLES = {"layers": of_run(csv_rows)}
