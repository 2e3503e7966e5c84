"""What people said of answers: look through it, take it or leave it, and let a network learn from what was taken."""

from dash import dcc

from dashboard.components.page import Page, Part, Row
from dashboard.pages.feedback import finetune, inbox

DONE = "feedback-done-state"  # changes when something was decided; assets/feedback.js sets it

PAGE = Page(
    path="/feedback",
    title="Feedback",
    about="What people said of answers on the Prediction page. Nothing is learned from before you accept it.",
    closed="A read-only server takes no feedback and shows none.",
    kind="feedback",
    rows=(Part(lambda services, selection: dcc.Store(id=DONE)), Row(inbox, finetune)),
)
