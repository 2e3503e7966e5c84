"""Hold something in front of the camera: label and explanation follow it, and a frozen frame goes to the studio.

assets/camera.js asks for the camera, sends the newest frame to /api/v1/frame as soon as the last one is answered, and
writes the words of every face; a frozen frame takes the way of an upload. No callback reads any of it.
"""

from typing import Any

from dash import html

from dashboard.components import button, icon

ID = "prediction-camera"
QUICK = "Frames are prepared quickly, with a coarser look for the garment; a frozen one takes every step. None is kept."


def layout() -> html.Div:
    """The button that opens it, the live picture with what is said of it, and the face where there is none."""
    stage = html.Div(
        [
            html.Video(muted=True, autoPlay=True, **{"aria-label": "What the camera sees"}),
            html.Canvas(width=320, height=320, **{"aria-hidden": "true"}),
            html.P([html.B(), html.Span()], className="said", hidden=True),
        ],
        className="stage",
    )
    guess = html.Li([html.Span(), html.Span(html.I(), className="track"), html.Span()], className="pbar")
    live = [
        stage,
        html.P(className="refusal", role="status"),
        html.Ol([guess] * 3, className="pbars", **{"aria-label": "The likeliest classes"}),
        html.P(className="faint small pace"),
        html.Div(
            [
                button("Freeze and use", kind="primary", **{"data-camera": "freeze"}),
                button("Stop", title="Escape", **{"data-camera": "close"}),
                *(button(words, **{"data-camera": name, "aria-pressed": "true"}) for name, words in TOGGLES),
            ],
            className="row-ff",
        ),
        html.Label([html.Span("Camera"), html.Select(className="form-select")], className="pair small", hidden=True),
        html.P(QUICK, className="quiet small"),
    ]
    return html.Div(
        [
            button([icon("camera"), "Use the camera"], **{"data-camera": "open"}),
            html.Div(live, className="live"),
            html.Div([icon("camera"), html.P(role="status"), html.Div(className="row-ff")], className="face"),
            html.P(className="visually-hidden", role="status"),
        ],
        id=ID,
        className="camera",
        **{"data-state": "off"},
    )


TOGGLES: tuple[tuple[str, Any], ...] = (("overlay", "Saliency"), ("mirror", "Mirror"))
