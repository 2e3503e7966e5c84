"""Easy at the top left, hard at the bottom, undecided (ambiguous) at the right. Draw around a group to select it."""

from typing import Any

from dash import Dash, Input, Output, dcc, html

from dashboard import theme
from dashboard.components import button, card, csv_link, lasso, lazy_panel, plain, tiles
from dashboard.components.panel import panel_callback, slot
from dashboard.data.arrays import Recording
from dashboard.data.run import RunData
from dashboard.exports.tables import Table, of_run
from dashboard.figures import datamap as figure
from dashboard.figures.labels import escaped
from dashboard.format.csv import table_url
from dashboard.format.proportion import Proportion
from dashboard.services.container import Services
from dashboard.state.selection import Selection
from ml.system.wording import quantity

ID = "insights-datamap"
FACE, GRAPH, NEAR, NOTE, STRIP = f"{ID}-face", f"{ID}-graph", f"{ID}-near", f"{ID}-note", f"{ID}-strip"
DRAWN = f"{ID}-outline"  # dcc.Store: what was just drawn around, [[x, y], …]
PLOT = "data-map"  # the plot's name in the address
MAX_POINTS_DRAWN = 3_000  # points drawn; the lasso asks all
TILES_SHOWN = 12


def layout(services: Services, selection: Selection) -> html.Article:
    """The map, what was forgotten, the first images of the selection."""
    chart = lasso.chart(GRAPH)
    body = [
        slot(FACE, "Spreading the images"),
        *lazy_panel.layout(NEAR),
        html.Div(
            [
                html.Div(
                    [
                        plain.place(f"{ID}-legend", className="legend-ff still"),
                        html.Div(chart, className="chart datamap", role="group", **{"aria-label": "Data map"}),
                    ]
                ),
                html.Div(
                    [
                        plain.place(NOTE, className="forgotten"),
                        html.H3("Selected", className="small"),
                        plain.place(STRIP, className="tiles of-four"),
                        html.Div(id=f"{ID}-open", className="row-ff"),
                    ],
                    className="beside",
                ),
            ],
            className="map-two",
        ),
        dcc.Store(id=DRAWN),
    ]
    return card("Data map", __doc__, body, tools=html.Span(id=f"{ID}-csv"), id=f"{ID}-card")


def register(app: Dash, services: Services) -> None:
    """Drawn when it comes near the window."""
    lazy_panel.register(app, NEAR, f"{ID}-card")

    @panel_callback(
        app,
        FACE,
        Output(GRAPH, "figure"),
        plain.children(f"{ID}-legend"),
        plain.children(NOTE),
        plain.children(STRIP),
        Output(f"{ID}-open", "children"),
        Output(f"{ID}-csv", "children"),
        Input(NEAR, "data"),
        Input(theme.STATE, "data"),
        prevent_initial_call=True,
    )
    def draw_map(search: Any, mode: Any):
        selection, mode = lazy_panel.read(search), theme.mode_of(mode)
        run = services.store.shown(selection.run).for_selection(selection)
        recording = run.epochs(selection.split)
        rows = run.ordered(selection)
        to = button(f"Open {len(rows):,} in the gallery", small=True, search=selection.query(), path="/")
        drawn = draw(run, recording, selection, mode)
        drawn["layout"]["meta"] = lasso.around(search, selection, PLOT)
        return (
            drawn,
            legend(mode),
            forgotten(run, recording, selection),
            tiles.answers(run, selection, rows[:TILES_SHOWN]),
            to,
            csv_link(table_url("data-map", selection)),
        )

    lasso.register(app, GRAPH, DRAWN, PLOT)


def draw(run: RunData, recording: Recording, selection: Selection, mode: str) -> dict[str, Any]:
    """The points that are drawn, lit where they are selected."""
    predictions = run.predictions(selection.split)
    rows = figure.drawn_rows(recording.mean, MAX_POINTS_DRAWN)
    hits, epochs = recording.right.sum(0), len(recording.right)
    words = [
        f"<b>{escaped(run.classes[predictions.labels[i]])}</b>, right after {hits[i]} of {epochs} epochs<br>"
        f"mean {100 * recording.mean[i]:.0f} %, forgotten {recording.forgotten[i]}×<br>#{predictions.ids[i]}"
        for i in rows.tolist()
    ]
    drawn = selection.lasso
    return figure.scatter(
        run.plane(selection.split, PLOT)[rows],
        figure.level(recording.forgotten[rows]),
        words,
        lit=run.holds(selection, rows) if selection.narrowed else None,
        outline=drawn.vertices if drawn and drawn.plot == PLOT else (),
        mode=mode,
        keep=f"{run.run_id}/{selection.split}",
    )


def legend(mode: str) -> list:
    """What the colours mean."""
    named = zip(figure.LEVELS, figure.colours(mode), strict=True)
    return [
        html.Span("forgotten", className="faint small"),
        *(html.Span([html.I(className="dot", style={"--c": colour}), words]) for words, colour in named),
    ]


def forgotten(run: RunData, recording: Recording, selection: Selection) -> list:
    """How many were never forgotten, often forgotten, never learned: each opens."""
    n = len(recording.mean)
    epochs = len(recording.right)

    def line(words: str, count: int, there: Selection | None) -> html.Li:
        share = Proportion(count, n)
        doubt = html.Span(f" {share.percent} % ({share.span})", className="faint")
        inside = [html.B(f"{count:,}"), html.Span([words, doubt])]
        if there is None:
            return html.Li(html.Span(inside, className="fact"))
        on = any(tag in selection.tag for tag in there.tag)
        chosen = {"data-search": there.query(), "aria-pressed": str(on).lower()}
        return html.Li(html.Button(inside, type="button", className="fact", **chosen))

    learned = int((~recording.never & (recording.forgotten == 0)).sum())
    some = f" Of {n:,} images, {MAX_POINTS_DRAWN:,} are drawn: mostly hard ones. The lasso selects among all."
    return [
        html.Ul(
            [
                line("learned and never forgotten,", learned, None),
                line(
                    "forgotten 3 times or more,",
                    len(run.tagged(selection.split, "often-forgotten")),
                    selection.toggle("tag", "often-forgotten"),
                ),
                line("never learned,", int(recording.never.sum()), selection.toggle("tag", "never-learned")),
            ]
        ),
        html.P(
            f"Counted over {quantity(epochs, 'epoch')}. Forgotten: right after one, wrong after the next."
            f"{some if n > MAX_POINTS_DRAWN else ''}",
            className="faint small",
        ),
    ]


def csv_rows(run: RunData, selection: Selection) -> Table:
    """What was recorded of each example while the run learned."""
    recording, ids = run.epochs(selection.split), run.predictions(selection.split).ids
    head = ["split", "example_id", "mean confidence", "variability", "times forgotten", "epochs right", "epochs"]
    hits, epochs = recording.right.sum(0), len(recording.right)
    rows = zip(ids, recording.mean, recording.spread, recording.forgotten, hits, strict=True)
    return head, [[selection.split, int(i), f"{m:.6f}", f"{s:.6f}", int(f), int(h), epochs] for i, m, s, f, h in rows]


TABLES = {"data-map": of_run(csv_rows)}
