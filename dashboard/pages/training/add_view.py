"""What was understood of a network or of predictions, on the screen, and what of it can be said otherwise.

Controls have data-wish, the place of what they say in ml.importing.adding.Choices; assets/adding.js gathers them.
"""

import json
import re
import time
from collections.abc import Mapping, Sequence
from typing import Any

from dash import html

from dashboard.components import badge, column_head, csv_link, plain
from dashboard.pages.training.add_words import on_screen
from dashboard.services.adding import ARCHITECTURES
from dashboard.services.looking import Looked
from dashboard.services.staging import Staged
from ml.artifacts import kinds

SENTENCES, NAMES, ORDERED = 20, 20, 60  # of lines; of names in one reason; classes whose order is changed by hand
AUTO = "as found"
RUN = "python -m ml "  # what begins a command in a sentence
ASSUMED = re.compile(r"(.*) \(assumed: (.*)\)")  # as ml.importing.understanding says it
Options = Sequence[tuple[str, str]]
OFFERED = "runs-add-architectures"  # a list that a text field offers
AXES: Options = (
    ("nchw", "channels first"), ("nhwc", "channels last"), ("nhw", "no channels"), ("flat", "rows of numbers"),
    ("flat-chw", "rows, channels first"),
)  # fmt: skip
RANGES: Options = (
    ("0-1", "0 to 1"), ("0-255", "0 to 255"), ("-1-1", "−1 to 1"), ("imagenet", "ImageNet's mean and deviation"),
)  # fmt: skip
FRAMES: Options = (("stretch", "stretched"), ("letterbox", "letterbox"), ("crop", "centre crop"))
RESAMPLINGS: Options = tuple((one, one) for one in ("bilinear", "bicubic", "nearest", "lanczos"))
COLOURS: Options = (("rgb", "red"), ("bgr", "blue"))
NUMBERS: Options = (
    ("probabilities", "probabilities"), ("percent", "per cent"), ("logits", "logits"),
    ("log-probabilities", "log-probabilities"), ("scores", "scores, divided by their sum"),
)  # fmt: skip
SPLITS: Options = (("test", "test"), ("validation", "validation"), ("train", "train"))
REPEATED: Options = (("first", "the first counts"), ("last", "the last counts"))
ROLES = {
    "path": "File or path", "id": "Number", "digest": "Digest", "split": "Split", "epoch": "Epoch",
    "predicted": "Predicted label", "label": "True label", "confidence": "Confidence", "values": "All numbers",
    "top": "Likeliest classes", "features": "Features",
}  # fmt: skip
CAN = {
    "probabilities": "probabilities of all classes", "top-k": "the likeliest classes", "features": "feature vectors",
    "gradients": "gradients", "layers": "layers",
}  # fmt: skip


def drawn(
    staged: Staged, looked: Looked, classes: Sequence[str], channels: int, wishes: Mapping[str, Any], left: str = ""
) -> Any:
    """What a look at it said. classes: of the data set; channels: of its pictures; wishes: what was said of it; left:
    the address of a file of all rows that are left out."""
    if looked.answer is None and not looked.problem:
        late = f" · {looked.seconds:.0f} s" if looked.seconds >= 2 else ""
        words = f"Looking at {staged.name}{late}"
        return html.Div([html.P(words, role="status"), html.Progress(**{"aria-label": words})], className="thinking")
    answer = looked.answer or {"refused": looked.problem, "kind": ""}
    found = answer.get("found")
    if found is not None:
        parts = [facts(found), lines(found), left_out(found, left)]
    else:
        words, run, command = str(answer.get("refused")).replace(str(staged.place), staged.name).partition(RUN)
        told = sentence(on_screen(words.rstrip())) + ("" if run or words.endswith((".", "?")) else ".")
        said: list[Any] = [html.H3("This cannot be added as it is"), html.P(told)]
        said += [html.Pre(html.Code(f"{RUN}{command}"), tabIndex="0")] if run else []
        parts = [html.Div(said, className="face bad", role="alert")]
    parts += [names(answer, classes, wishes), fields(answer, classes, channels, wishes)]
    about = {"data-adding": staged.id, "data-chosen": json.dumps(wishes), "data-drawn": str(time.time())}
    return html.Div([part for part in parts if part is not None], **about)


def facts(found: Mapping[str, Any]) -> html.Ul:
    """What it becomes and what it can do."""
    network = found["kind"] == kinds.IMPORTED
    able = ", ".join(CAN.get(one, one) for one in found["capabilities"]) or "labels alone"
    told = [
        ("Becomes", "a network that can be asked" if network else "a run of predictions alone", ""),
        ("Gives", able, ""),
    ]
    if network and found.get("parameters"):
        told.append(("Parameters", f"{found['parameters']:,}", ""))
    if not network:
        rows = found["matched"] + found["unmatched"]
        counts = ", ".join(f"{split} {n:,}" for split, n in found["splits"].items())
        told.append(("Rows with a picture", f"{found['matched']:,} of {rows:,}", counts))
    return html.Ul(
        [
            html.Li([html.Span(name, className="label"), html.B(value), html.Small(more, className="quiet")])
            for name, value, more in told
        ],
        className="set-facts",
    )


def lines(found: Mapping[str, Any]) -> html.Ul:
    """Sentences, those on what is only assumed marked."""
    said = [on_screen(words) for words in found["understood"][:SENTENCES] if not words.startswith("left out, ")]
    return html.Ul([_line(words) for words in said], className="set-notes")


def sentence(words: str) -> str:
    """With a capital, unless it begins with the name of a file."""
    return words if "." in words.partition(" ")[0] else words[:1].upper() + words[1:]


def _line(words: str) -> html.Li:
    words = sentence(words)
    if not (assumed := ASSUMED.fullmatch(words)):
        return html.Li(words)
    return html.Li([badge("assumed", "warn"), f" {assumed[1]}. ", html.Small(f"{assumed[2]}.", className="quiet")])


def left_out(found: Mapping[str, Any], address: str) -> html.Details | None:
    """How many rows for which reason, the first names, and all of them as a file."""
    counts, names_of = found.get("left_out") or {}, found.get("listed") or {}
    if not counts:
        return None
    told = []
    for reason, n in counts.items():
        shown = names_of.get(reason, [])[:NAMES]
        more = f" and {n - len(shown):,} more" if n > len(shown) else ""
        told.append(html.Li([html.B(f"{n:,}"), f" {on_screen(reason)}: ", html.Span(", ".join(shown) + more)]))
    download = csv_link(address, "All of them as CSV") if address else None
    total = sum(counts.values())
    return html.Details(
        [html.Summary(html.Span(f"Left out: {total:,}")), html.Ul(told, className="set-notes"), download],
        className="more left-out",
    )


def names(answer: Mapping[str, Any], classes: Sequence[str], wishes: Mapping[str, Any]) -> html.Div | None:
    """What the file calls classes that the data set has under no such name, each with the one it may mean."""
    kind = str(answer.get("kind") or "")
    chosen = dict(wishes.get(kind, {}).get("names") or {})
    strange = {**dict(answer.get("classes") or {}), **chosen}
    if not strange or kind not in ("network", "predictions"):
        return None
    nothing = "choose" if kind == "network" else "left out"
    rows = []
    for theirs, ours in strange.items():
        offered = [("", nothing), *((name, name) for name in classes)]
        box = _select(f"{kind}.names", offered, ours, f"What {theirs} is here", key=theirs)
        rows.append(html.Tr([html.Th(theirs, scope="row"), html.Td(box)]))
    head = html.Tr([column_head("In the file"), column_head("In the data set")])
    take = html.Button("Take these names", type="button", className="btn-ff sm", **{"data-adding-names": kind})
    table = html.Div(html.Table([html.Thead(head), html.Tbody(rows)]), className="tablewrap")
    return html.Div([html.H3("Names of classes"), table, html.Div(take, className="row-ff")], className="renamed")


def fields(
    answer: Mapping[str, Any], classes: Sequence[str], channels: int, wishes: Mapping[str, Any]
) -> html.Details | None:
    """What can be said otherwise. Open where nothing can be made of it as it is."""
    kind, found = answer.get("kind"), answer.get("found") or {}
    if kind == "network":
        said = wishes.get("network", {})
        told = [str(answer.get("refused") or ""), *(found.get("understood") or [])]
        shown = [html.Div([*_weights(told, said), *_network(found, channels, said)], className="fits")]
        shown += [
            _flag("Names alike", "network.match", said.get("match")),
            _flag("Inverted", "network.inverted", said.get("inverted"), "Light and dark the other way round"),
            _flag("Turned", "network.transposed", said.get("transposed"), "Rows and columns the other way round"),
            *_order(found, classes),
        ]
    elif kind == "predictions":
        shown = _predictions(answer, wishes.get("predictions", {}))
    else:
        return None
    return html.Details(
        [html.Summary(html.Span("Say it otherwise")), html.Div(shown)], className="more", open=not found or bool(wishes)
    )


def _weights(told: Sequence[str], said: Mapping[str, Any]) -> list[Any]:
    """What network weights are of, where it is weights that were brought, and the size of pictures where the file does
    not say it. told: sentences about them, with flags."""
    boxes = []
    known = next((one.removeprefix("architecture: ") for one in told if one.startswith("architecture: ")), "")
    if known or said.get("architecture") or any("--architecture" in one for one in told):
        wish, now = "network.architecture", str(said.get("architecture") or "")
        hint = known.partition(" (")[0] or "timm:resnet18"
        offered = plain.element("Datalist", [plain.element("Option", value=one) for one in ARCHITECTURES], id=OFFERED)
        box = plain.element(
            "Input", None, type="text", className="form-control", value=now, maxLength=120, placeholder=hint,
            list=OFFERED, autoComplete="off", spellCheck=False,
            **{"data-wish": wish, "data-was": now, "aria-label": "Architecture of the weights"},
        )  # fmt: skip
        boxes += [_labelled("Architecture", box), offered]
    if said.get("size") or any("--input-size" in one or "pictures are given at" in one for one in told):
        boxes.append(_text("Size", "network.size", said.get("size"), "224, 224", "Height and width of pictures"))
    return boxes


def _network(found: Mapping[str, Any], channels: int, said: Mapping[str, Any]) -> list[Any]:
    how = found.get("preparation") or {}
    outputs = [(name, name) for name in found.get("outputs") or []]
    boxes = [
        _field("Axes", "network.layout", AXES, said.get("layout"), found=dict(AXES).get(str(how.get("layout")), "")),
        _field("Range", "network.range", RANGES, said.get("range")),
        _text("Mean", "network.mean", said.get("mean"), "0.5, 0.5, 0.5" if channels == 3 else "0.5"),
        _text("Deviation", "network.deviation", said.get("deviation"), "0.25, 0.25, 0.25" if channels == 3 else "0.25"),
    ]
    if channels == 3:
        boxes.append(_field("Colours first", "network.channels", COLOURS, said.get("channels")))
    if len(outputs) > 1 or said.get("output"):
        boxes.append(_field("Output", "network.output", outputs, said.get("output"), found=how.get("output", "")))
    boxes += [
        _field("Frame", "network.frame", FRAMES, said.get("frame")),
        _field("Resampling", "network.resampling", RESAMPLINGS, said.get("resampling")),
    ]
    numbers = dict(NUMBERS).get(str(how.get("numbers")), "")
    boxes.append(_field("Numbers", "network.numbers", NUMBERS, said.get("numbers"), found=numbers))
    return boxes


def _order(found: Mapping[str, Any], classes: Sequence[str]) -> list[Any]:
    """Which class each output is, changed by hand where there are few."""
    order = (found.get("preparation") or {}).get("order") or []
    if not order or len(order) > ORDERED:
        return []
    ours = dict(zip(order, classes, strict=True))
    rows = [
        html.Li([html.Span(f"Output {place}", className="label"),
                 _select("network.classes", [(name, name) for name in classes], ours[place], f"Output {place}")])
        for place in sorted(ours)
    ]  # fmt: skip
    listed = html.Ul(rows, className="order-classes")
    return [html.Details([html.Summary(html.Span("Order of classes")), listed], className="more")]


def _predictions(answer: Mapping[str, Any], said: Mapping[str, Any]) -> list[Any]:
    found = answer.get("found") or {}
    there = found.get("columns") or answer.get("columns") or []
    roles, chosen = found.get("roles") or {}, said.get("columns") or {}
    offered = [(name, name) for name in there]
    boxes = [
        _labelled(words, _select(
            "predictions.columns", [("", "none"), *offered], chosen.get(role, roles.get(role, "")),
            f"Column of {words.lower()}", key=role,
        ))
        for role, words in ROLES.items()
    ] if there else []  # fmt: skip
    more = [
        _field("Numbers", "predictions.values", NUMBERS, said.get("values")),
        _field("Split of rows", "predictions.split", SPLITS, said.get("split")),
        _field("Rows of one picture", "predictions.repeated", REPEATED, said.get("repeated")),
    ]
    if len(found.get("epochs") or []) > 1:
        epochs = [(str(number), str(number)) for number in found["epochs"]]
        now = said.get("epoch")
        more.append(_field("Epoch", "predictions.epoch", epochs, None if now is None else str(now), found="the last"))
    columns = [html.H3("Columns"), html.Div(boxes, className="fits")] if boxes else []
    alike = _flag("Names alike", "predictions.suggested", said.get("suggested"))
    return [*columns, html.Div(more, className="fits"), alike]


def _field(words: str, wish: str, options: Options, value: object, *, found: str = "") -> html.Label:
    first = ("", f"{AUTO}: {found}" if found else AUTO)
    return _labelled(words, _select(wish, [first, *options], value if isinstance(value, str) else "", words))


def _labelled(words: str, control: Any) -> html.Label:
    return html.Label([html.Span(words, className="label"), control])


def _select(wish: str, options: Options, value: str, label: str, *, key: str | None = None) -> dict:
    offered = [plain.element("Option", words, value=one, selected=one == value) for one, words in options]
    about = {
        "data-wish": wish,
        "data-was": value,
        "aria-label": label,
        **({"data-key": key} if key is not None else {}),
    }
    return plain.element("Select", offered, className="form-select sm", **about)


def _text(words: str, wish: str, value: object, hint: str, label: str = "") -> html.Label:
    now = ", ".join(f"{one:g}" for one in value) if isinstance(value, list) else ""
    about = {"data-wish": wish, "data-was": now, "aria-label": label or f"{words} of pixels from 0 to 1"}
    box = plain.element("Input", None, type="text", className="form-control", value=now, maxLength=60, placeholder=hint,
                        **about)  # fmt: skip
    return _labelled(words, box)


def _flag(
    words: str, wish: str, value: object, told: str = "Take names that differ in case and spaces alone"
) -> html.Label:
    about = {"data-wish": wish, "data-was": "on" if value else "", "aria-label": words}
    box = plain.element("Input", None, type="checkbox", className="form-check-input", checked=bool(value), **about)
    return html.Label([box, html.Span(told)], className="check")
