"""What people said of answers: look through it, take it or leave it, and let a network learn from what was taken."""

from dash import Dash, dcc, html

from dashboard.components import icon, page_head
from dashboard.pages.feedback import finetune, inbox
from dashboard.services.container import Services
from dashboard.state.selection import Selection

PATH, TITLE = "/feedback", "Feedback"
PANELS = (inbox, finetune)
DONE = "feedback-done-state"  # changes when something was decided; assets/feedback.js sets it
READ = "A read-only server takes no feedback and shows none."


def layout(services: Services, selection: Selection) -> html.Div:
    """The inbox, and the training below it."""
    copy = html.Button([icon("link"), html.Span("Copy link")], type="button", className="btn-ff", **{"data-copy": ""})
    sentence = "What people said of answers on the Prediction page. Nothing is learned from before you accept it."
    head = page_head("Feedback", sentence, [copy])
    if services.read_only:
        return html.Div([head, html.Div(READ, className="notice", id="feedback-read-only")], className="feedback")
    return html.Div(
        [
            head,
            dcc.Store(id=DONE),
            html.Div([inbox.layout(services, selection), finetune.layout()], className="ff-grid"),
        ],
        className="feedback",
    )


def register(app: Dash, services: Services) -> None:
    """All callbacks of the page; a read-only server has none."""
    if services.read_only:
        return
    for panel in PANELS:
        panel.register(app, services)
