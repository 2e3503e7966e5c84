"""Hold something in front of the camera: label and explanation follow it, and a frozen frame goes to the studio.

assets/camera.js asks for the camera, sends the newest frame to /api/v1/frame as soon as the last one is answered, and
writes the words of every face; a frozen frame takes the way of an upload. No callback reads any of it.
"""

from typing import Any

from dash import html

from dashboard.components import button
from dashboard.components.icons import icon

ID = "prediction-camera"
QUICK = "Frames are prepared quickly, with a coarser look for the thing; a frozen one takes every step. None is kept."


def layout() -> html.Div:
    """The button that opens it, the live picture with what is said of it, and the face where there is none."""
    view = html.Div(
        [
            html.Video(muted=True, autoPlay=True, **{"aria-label": "What the camera sees"}),
            html.Canvas(width=320, height=320, **{"aria-hidden": "true"}),
            html.P([html.B(), html.Span()], className="said", hidden=True),
        ],
        className="view",
    )
    guess = html.Li([html.Span(), html.Span(html.I(), className="track"), html.Span()], className="pbar")
    live = [
        view,
        html.P(className="refusal", role="status"),
        html.Ol([guess] * 3, className="pbars", **{"aria-label": "The likeliest classes"}),
        html.P(className="faint small pace"),
        html.Div(
            [
                _press("Freeze and use", "freeze", kind="primary"),
                _press("Stop", "close", title="Escape"),
                _press("Saliency", "overlay", **{"aria-pressed": "true"}),
                _press("Mirror", "mirror", **{"aria-pressed": "true"}),
            ],
            className="row-ff",
        ),
        html.Label([html.Span("Camera"), html.Select(className="form-select")], className="pair small", hidden=True),
        html.P(QUICK, className="quiet small"),
    ]
    return html.Div(
        [
            _press([icon("camera"), "Use the camera"], "open"),
            html.Div(live, className="live"),
            html.Div([icon("camera"), html.P(role="status"), html.Div(className="row-ff")], className="face"),
            html.P(className="visually-hidden", role="status"),
        ],
        id=ID,
        className="camera",
        **{"data-state": "off"},
    )


def _press(words: Any, what: str, **more: Any) -> html.Button:
    """A button that assets/camera.js hears."""
    return button(words, **{"data-camera": what, **more})
