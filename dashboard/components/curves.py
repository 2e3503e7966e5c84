"""How a network learned, as two charts side by side: its loss and its accuracy."""

from dash import html

from dashboard.components import graph

WHAT = ("lower is better", "in percent, higher is better; {}: 95 % interval")


def two_charts(loss: str, accuracy: str, bands: str) -> html.Div:
    """Empty; callbacks draw them. loss, accuracy: their ids; bands: what intervals are called, band or bands."""
    return html.Div(
        [
            html.Div(
                [html.H3(title), html.P(sense.format(bands), className="faint small"), graph(id)], className="curve"
            )
            for title, sense, id in zip(("Loss", "Accuracy"), WHAT, (loss, accuracy), strict=True)
        ],
        className="curves",
    )
