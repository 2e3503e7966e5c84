"""Paint on the picture, move it, blur it, and watch the answer follow."""

from enum import StrEnum
from typing import Any

from dash import ClientsideFunction, Dash, Input, Output, State, dcc, html

from dashboard.components import card, column_head, plain
from dashboard.components.icons import icon
from dashboard.pages.prediction import answer_state, picture
from dashboard.services.container import Services
from dashboard.state.selection import Selection

NEEDS = ("network",)


class Ids(StrEnum):
    """What begins with the card's id is assets/whatif.js's, but for HELD: it fills and reads it."""

    CARD = "prediction-whatif"
    HELD = "prediction-whatif-state"
    BODY = "prediction-whatif-body"


HELP = (
    "It works on the picture as the network sees it, after preparation, and with probabilities as trained. Changes are "
    "made in the order in which you first used them; each is a step that can be undone."
)
# kind and place of its value in ml.images.edits, words, least, most, step, where it does nothing, unit
SLIDERS = (
    ("rot", 0, "Turn", -180, 180, 1, 0, "°"),
    ("zoom", 0, "Zoom", 0.5, 2, 0.05, 1, "×"),
    ("shift", 0, "Right", -14, 14, 1, 0, "px"),
    ("shift", 1, "Down", -14, 14, 1, 0, "px"),
    ("bright", 0, "Brightness", -1, 1, 0.05, 0, "%"),
    ("contrast", 0, "Contrast", 0, 3, 0.1, 1, "×"),
    ("blur", 0, "Blur", 0, 5, 0.1, 0, "px"),
    ("noise", 0, "Noise", 0, 0.5, 0.01, 0, "%"),
)
HINT = "Draw with the pointer. By keyboard: arrow keys move the mark (Shift: five pixels), Space held paints."
LINK = (
    ("sample", "The link of this page holds the picture and all changes."),
    ("own", "The link of this page holds the changes only, not your picture: it stays in this tab."),
)


def layout(services: Services, selection: Selection) -> html.Article:
    """The card; its content is filled by assets/whatif.js, without a callback."""
    body = [dcc.Store(id=Ids.HELD), plain.Plain(Ids.BODY, "div", {"className": "wi"}, content())]
    return card("What if …", f"{(__doc__ or '').splitlines()[0]} {HELP}", body, id=Ids.CARD)


def register(app: Dash, _: Services) -> None:
    """Which picture the card works on, and what the address says of changes."""
    app.clientside_callback(
        ClientsideFunction("whatif", "hold"),
        Output(Ids.HELD, "data"),
        Input(answer_state.Ids.STATE, "data"),
        Input("url", "search"),
        State(picture.Ids.STATE, "data"),
    )


def named(part: str) -> str:
    """The id of a part of the card."""
    return f"{Ids.CARD}-{part}"


def content() -> list[Any]:
    """Picture and brush, sliders, both answers; the steps below."""
    return [
        html.Div(stage(), className="wi-stage"),
        html.Div([*map(slider, SLIDERS), *switches()], className="wi-tools"),
        html.Div(both(), className="wi-both"),
        html.Div(steps(), className="wi-steps"),
    ]


def stage() -> list[Any]:
    """The picture, pixel by pixel, and the brush."""
    canvas = html.Canvas(
        id=named("canvas"),
        tabIndex=0,
        role="application",
        width=28,
        height=28,
        **{"aria-label": "The picture, to draw on", "aria-describedby": named("hint")},
    )
    modes = [
        _press("Draw", "mode", "draw", on=True),
        _press("Erase", "mode", "erase", on=False),
    ]
    return [
        html.Div(
            [canvas, html.Img(id=named("look"), alt="", hidden=True), html.Span(id=named("mark"))],
            id=named("frame"),
            className="wi-frame",
        ),
        html.Div(html.Div(modes, className="seg", role="group", **{"aria-label": "Brush"}), className="row-ff"),
        _ranged("size", "Brush, pixels", 1, 12, 1, 2, "2"),
        _ranged("level", "Level drawn", 0, 255, 5, 255, "255"),
        html.P([HINT, " ", html.Span(id=named("where"), role="status")], id=named("hint"), className="faint small"),
    ]


def slider(tool: tuple[str, int, str, float, float, float, float, str]) -> html.Div:
    """One number of one kind of change."""
    kind, place, words, low, high, step, none, unit = tool
    more = {"data-edit": kind, "data-place": str(place), "data-none": f"{none:g}", "data-unit": unit}
    return _ranged(f"{kind}-{place}", words, low, high, step, none, "", **more)


def switches() -> list[Any]:
    """What is no number."""
    return [
        html.Div(
            [
                html.Label(
                    [_check("invert", **{"data-edit": "invert"}), "Invert"],
                    htmlFor=named("invert"),
                    className="wi-check",
                ),
                html.Label([_check("looks"), "Where it looks"], htmlFor=named("looks"), className="wi-check"),
                _press("Other noise", "act", "seed", disabled=True),
            ],
            className="wi-switches",
        )
    ]


def both() -> list[Any]:
    """The answer before and after, in words and for every class."""
    sides = [
        html.Div([html.Span(words, className="label"), html.B(id=named(f"{side}-label")), html.Span(id=named(side))])
        for side, words in (("before", "Before"), ("after", "After"))
    ]
    names = [column_head(words) for words in ("Class", "Before", "After")]
    head = [names[0], html.Td("bar: after, mark: before"), *names[1:]]
    table = html.Table(
        [
            html.Caption("Probability of every class before and after the changes", className="visually-hidden"),
            html.Thead(html.Tr(head)),
            html.Tbody(id=named("bars")),
        ],
        className="wi-bars",
    )
    return [
        html.Div(sides, className="wi-sides"),
        html.P(id=named("said"), className="small", role="status"),
        table,
        html.P(id=named("error"), className="bad small", role="alert"),
    ]


def steps() -> list[Any]:
    """Undo, the strip, and what can be done with the picture."""
    acts = [
        _press("Undo", "act", "undo", disabled=True, title="Ctrl+Z"),
        _press("Redo", "act", "redo", disabled=True, title="Ctrl+Shift+Z"),
        _press("Start over", "act", "reset", disabled=True),
    ]
    out = [
        _press("Use this picture", "act", "use", disabled=True, title="Ask the whole studio about it, as your own"),
        html.A(
            [icon("download"), "PNG"], id=named("png"), className="btn-ff sm", download="what-if.png", target="_self"
        ),
        html.A(
            [icon("download"), "CSV"], id=named("csv"), className="btn-ff sm", download="what-if.csv", target="_self"
        ),
        html.Button([icon("link"), html.Span("Copy link")], type="button", className="btn-ff sm", **{"data-copy": ""}),
    ]
    links = [html.P(words, hidden=True, className="faint small", **{"data-link": kind}) for kind, words in LINK]
    return [
        html.Div([html.Div(acts, className="row-ff"), html.Div(out, className="row-ff")], className="wi-acts"),
        html.Ol(id=named("strip"), className="wi-strip", **{"aria-label": "Steps"}),
        *links,
    ]


def _ranged(
    part: str, words: str, low: float, high: float, step: float, value: float, reading: str, **more: Any
) -> html.Div:
    """A slider with its label and its value in words."""
    id = named(part)
    bar = plain.element(
        "Input", id=id, type="range", min=f"{low:g}", max=f"{high:g}", step=f"{step:g}", value=f"{value:g}", **more
    )
    return html.Div([html.Label(words, htmlFor=id), bar, html.Span(reading, id=f"{id}-said")], className="wi-range")


def _check(part: str, **more: Any) -> dict:
    return plain.element("Input", id=named(part), type="checkbox", className="form-check-input", **more)


def _press(words: str, name: str, value: str, *, on: bool | None = None, **more: Any) -> html.Button:
    """A button for assets/whatif.js. on: whether it is the chosen one of a few."""
    pressed = {} if on is None else {"aria-pressed": str(on).lower()}
    return html.Button(
        words,
        type="button",
        className="btn-ff sm" if on is None else "",
        **{f"data-whatif-{name}": value},
        **pressed,
        **more,
    )
