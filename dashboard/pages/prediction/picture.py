"""Drop a picture, paste one or browse for one; it stays in this tab and is forgotten when you leave."""

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from dash import Dash, Input, Output, State, dcc, html, no_update
from dash.exceptions import PreventUpdate

from dashboard.components.icons import icon
from dashboard.pages.prediction import camera, samples
from dashboard.services import uploads
from dashboard.services.container import Services
from dashboard.state.selection import Selection
from ml.artifacts.reader import Broken, Missing
from ml.images.decoding import NAMES
from ml.images.fitting import reading


class Ids(StrEnum):
    STATE = "prediction-picture-state"  # what was uploaded, made small, or why it was refused
    SHOWN = "prediction-picture-shown"  # how it is shown, see `show`
    CAME = "prediction-picture-came"  # width and height of what assets/upload.js made small before it travelled
    UPLOAD = "prediction-upload"
    PREVIEW = "prediction-picture-preview"
    CAPTION = "prediction-picture-caption"
    ERROR = "prediction-error"


# Upload's own script comes late on slow devices, and Dash never draws a child that changed before its parent was there
SHOW_PICTURE_JS = """async (shown, kept) => {
    for (let n = 0; n < 400 && !document.getElementById('%s'); n++) await new Promise((done) => setTimeout(done, 50));
    const src = shown ? shown.src || (kept && kept.src) : null;
    if (!src) return %s;
    return {type: 'Img', namespace: 'dash_html_components', props: {
        src: src, alt: shown.alt, className: shown.crisp ? 'crisp' : ''}};
}"""
LIMIT = f"{NAMES}, up to {uploads.PAGE_BYTES // 1_000_000} MB"


def layout(services: Services, selection: Selection) -> html.Article:
    """The drop zone. assets/upload.js adds pasting, the input's name and the words for a file that is too large."""
    zone = dcc.Upload(
        html.Div(
            [
                html.Div(blank(coming=selection.sample is not None), id=Ids.PREVIEW),
                html.Div(
                    [
                        icon("upload"),
                        html.Div([html.B("Drop, paste or browse"), html.Small(LIMIT)]),
                        html.Span("Browse", className="btn-ff sm"),
                    ],
                    className="txt",
                ),
            ],
            className="drop",
        ),
        id=Ids.UPLOAD,
        max_size=uploads.PAGE_BYTES,
        multiple=False,
        className="drop-zone",
        className_active="drop-zone over",
        style={},
        style_active={},
        style_reject={},
    )
    head = html.Div(
        [
            html.Div(html.H2("Picture", className="card-title")),
            html.Div(html.Span(id=Ids.CAPTION), className="tools faint"),
        ],
        className="card-h",
    )
    return html.Article(
        [
            head,
            zone,
            camera.layout(),
            dcc.Store(id=Ids.CAME),
            html.Div(id=Ids.ERROR, className="refusal", role="alert"),
            html.P(
                "A picture is made small here before it travels, read in memory, and kept by this browser tab alone. "
                "Leaving the page forgets it.",
                className="quiet small note",
            ),
        ],
        className="ff-card",
    )


def blank(*, coming: bool = False) -> html.Div:
    """Where no picture is. coming: one is on its way."""
    busy = {"aria-busy": "true"} if coming else {}
    return html.Div("Fetching the picture" if coming else "No picture yet", className="blank faint", **busy)


def show(source: str, alt: str, *, crisp: bool = False) -> dict[str, Any]:
    """The picture as it came. source: its address, '' for the upload, which the browser has already and need not get
    again; crisp: its pixels as squares."""
    return {"src": source, "alt": alt, "crisp": crisp}


def caption(kept: dict[str, Any]) -> str:
    """'boots.jpg · 640 × 480' of what `keep` left in the browser; of a larger one how large it was, too."""
    both = [kept.get("width"), kept.get("height")], kept.get("came")
    size, was = (f"{pair[0]} × {pair[1]}" if pair else "" for pair in map(_pair, both))
    size = f"{was}, sent as {size}" if was and size else size
    return " · ".join(part for part in (str(kept.get("name", ""))[:40], size) if part)


def _pair(value: Any) -> tuple[int, int] | None:
    if not isinstance(value, list) or len(value) != 2 or not all(type(one) is int and 0 < one < 10**6 for one in value):
        return None
    return value[0], value[1]


def register(app: Dash, services: Services) -> None:
    """Taking a file in, and showing it."""
    app.clientside_callback(
        SHOW_PICTURE_JS % (Ids.PREVIEW, json.dumps(blank().to_plotly_json())),
        Output(Ids.PREVIEW, "children"),
        Input(Ids.SHOWN, "data"),
        State(Ids.STATE, "data"),
        prevent_initial_call=True,
    )

    @app.callback(
        Output(Ids.STATE, "data"),
        Output(Ids.UPLOAD, "contents"),
        Output("url", "search", allow_duplicate=True),
        Output(samples.Ids.PANEL, "hidden", allow_duplicate=True),
        Output(samples.Ids.TOGGLE, "aria-expanded", allow_duplicate=True),
        Input(Ids.UPLOAD, "contents"),
        State(Ids.UPLOAD, "filename"),
        State("url", "search"),
        State(Ids.CAME, "data"),
        prevent_initial_call=True,
    )
    def keep_picture(contents: Any, filename: Any, search: str, came: Any) -> tuple[Any, None, Any, Any, Any]:
        if contents is None:  # the echo of our own reset, which lets the same file be chosen again
            raise PreventUpdate
        selection = Selection.parse(search)
        there = selection.with_(sample=None).query() if selection.sample is not None else no_update
        kept = keep(contents, filename, came, _how(services, selection))
        registry = (no_update, no_update) if "error" in kept else (True, "false")  # make room for the steps
        return kept, None, there, *registry


def _how(services: Services, selection: Selection) -> dict[str, Any]:
    """How the data set of the run that is shown reads files."""
    try:
        return reading(services.store.shown(selection.run).manifest["dataset"])
    except (Missing, Broken):
        return {}


def keep(contents: Any, filename: Any, came: Any = None, how: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What an upload leaves in the browser: a picture (name, src, width, height, came) or a refusal (name, error).

    came: [width, height] before the browser made it small; how: files are read, as ml.images.fitting.reading has it.
    """
    name = filename if isinstance(filename, str) else ""
    name = name if len(name) <= 40 else f"{name[:24]}…{name[-12:]}"
    try:
        picture = uploads.decode(uploads.from_data_url(contents), **(how or {}))
    except uploads.Refusal as refusal:
        return {"name": name, "error": str(refusal)}
    size = (picture.width, picture.height)[
        :: -1 if picture.orientation >= 5 else 1
    ]  # upright, as the browser says came
    state = {"name": name, "src": uploads.data_url(picture), "width": size[0], "height": size[1]}
    return state | ({"came": came} if _pair(came) else {})
