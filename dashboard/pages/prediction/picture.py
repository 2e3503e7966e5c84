"""Drop a picture, paste one or browse for one; it stays in this tab and is forgotten when you leave."""

from enum import StrEnum
from typing import Any

from dash import Dash, Input, Output, State, dcc, html, no_update
from dash.exceptions import PreventUpdate

from dashboard import uploads
from dashboard.components import icon
from dashboard.doors import Doors
from dashboard.pages.prediction import samples
from dashboard.selection import Selection


class Ids(StrEnum):
    STATE = "prediction-picture-state"  # what was uploaded, made small, or why it was refused
    UPLOAD = "prediction-upload"
    PREVIEW = "prediction-picture-preview"
    CAPTION = "prediction-picture-caption"
    ERROR = "prediction-error"


LIMIT = f"PNG, JPEG, WebP, GIF up to {uploads.PAGE_BYTES // 1_000_000} MB"


def layout() -> html.Article:
    """The drop zone. assets/upload.js adds pasting, the input's name and the words for a file that is too large."""
    zone = dcc.Upload(
        html.Div(
            [
                html.Div(preview(None), id=Ids.PREVIEW),
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
            html.Div(id=Ids.ERROR, className="refusal", role="alert"),
            html.P(
                "An uploaded picture is read in memory and kept by this browser tab alone. "
                "Leaving the page forgets it.",
                className="quiet small note",
            ),
        ],
        className="ff-card c4",
    )


def preview(source: str | None, alt: str = "", *, crisp: bool = False) -> html.Div | html.Img:
    """The picture as it came. crisp: show its pixels as squares."""
    if source is None:
        return html.Div("No picture yet", className="blank faint")
    return html.Img(src=source, alt=alt, className="crisp" if crisp else "")


def caption(kept: dict[str, Any]) -> str:
    """'boots.jpg · 640 × 480' of what `keep` left in the browser."""
    width, height = kept.get("width"), kept.get("height")
    size = f"{width} × {height}" if isinstance(width, int) and isinstance(height, int) else ""
    return " · ".join(part for part in (str(kept.get("name", ""))[:40], size) if part)


def register(app: Dash, _: Doors) -> None:
    """The callback that takes a file in."""

    @app.callback(
        Output(Ids.STATE, "data"),
        Output(Ids.UPLOAD, "contents"),
        Output("url", "search", allow_duplicate=True),
        Output(samples.Ids.PANEL, "hidden", allow_duplicate=True),
        Output(samples.Ids.TOGGLE, "aria-expanded", allow_duplicate=True),
        Input(Ids.UPLOAD, "contents"),
        State(Ids.UPLOAD, "filename"),
        State("url", "search"),
        prevent_initial_call=True,
    )
    def keep_picture(contents: Any, filename: Any, search: str) -> tuple[Any, None, Any, Any, Any]:
        if contents is None:  # the echo of our own reset, which lets the same file be chosen again
            raise PreventUpdate
        selection = Selection.parse(search)
        there = selection.with_(sample=None).query() if selection.sample is not None else no_update
        kept = keep(contents, filename)
        shelf = (no_update, no_update) if "error" in kept else (True, "false")  # make room for the steps
        return kept, None, there, *shelf


def keep(contents: Any, filename: Any) -> dict[str, Any]:
    """What an upload leaves in the browser: a picture (name, src, width, height) or a refusal (name, error)."""
    name = filename if isinstance(filename, str) else ""
    name = name if len(name) <= 40 else f"{name[:24]}…{name[-12:]}"
    try:
        picture = uploads.decode(uploads.from_data_url(contents))
    except uploads.Refusal as refusal:
        return {"name": name, "error": str(refusal)}
    return {"name": name, "src": uploads.data_url(picture), "width": picture.width, "height": picture.height}
