"""Where it looks (attribution) in the selected images, against others: their mean, what spoke, the difference."""

from typing import Any

import dash_bootstrap_components as dbc
import numpy as np
from dash import Dash, Input, Output, State, dcc, html, no_update

from dashboard import theme
from dashboard.analysis.attention import DOUBT, Compared, Looked, compare, summary
from dashboard.components import button, card, csv_link, panel_states, plain
from dashboard.components.explanations import SENTENCES, TITLES, kept
from dashboard.components.panel import panel_callback, slot
from dashboard.exports.tables import Table, of_services
from dashboard.figures import attention as figures
from dashboard.format.csv import table_url
from dashboard.format.images import inline_url
from dashboard.services.container import Services
from dashboard.services.explainer import MEANS
from dashboard.state.selection import Selection
from ml.artifacts.reader import Broken, Missing

NEEDS = ("network",)
ID = "dashboard-attention"
FACE, BODY, CSV, KEEP = f"{ID}-face", f"{ID}-body", f"{ID}-csv", f"{ID}-keep"
VEIL = f"{ID}-veil"  # what is dimmed while it is worked on
OPEN, CONTROLS, ADDRESS_STORE = f"{ID}-open", f"{ID}-controls", f"{ID}-asked"
VERSUS, METHOD, TARGET = f"{ID}-versus", f"{ID}-method", f"{ID}-target"
MAX_LABEL_LENGTH = 60  # letters of a choice


def layout(services: Services, selection: Selection) -> html.Article:
    """Closed, it costs nothing; the address says whether it is open, and against what."""

    def field(words: str, id: str, options: list) -> html.Div:
        return html.Div([html.Label(words, htmlFor=id), dbc.Select(id=id, options=options)], className="field")

    controls = html.Div(
        [
            field("Against", VERSUS, []),
            field(
                "Asked by", METHOD, [{"value": way, "label": f"{TITLES[way]}, {n} a side"} for way, n in MEANS.items()]
            ),
            field(
                "About",
                TARGET,
                [{"value": "", "label": "each image's prediction"}, {"value": "label", "label": "each image's label"}],
            ),
        ],
        id=CONTROLS,
        className="att-controls",
        hidden=True,
    )
    tools = [
        html.Span(id=KEEP),
        html.Span(id=CSV),
        button("Compare", id=OPEN, small=True, **{"aria-expanded": "false"}),
    ]
    body = [
        controls,
        html.Div([slot(FACE), html.Div(plain.place(BODY), id=VEIL, className="att")]),
        dcc.Store(id=ADDRESS_STORE, data=""),
    ]
    made = card("Where it looks", __doc__, body, tools=tools, id=f"{ID}-card")
    made.className += " apart"
    return made


def register(app: Dash, services: Services) -> None:
    """Choices become the address in the browser; the server draws what is open."""
    app.clientside_callback(
        """(search, before) => {
            const query = new URLSearchParams(search || ''), open = query.has('versus'), now = open ? search : '';
            const [method, target] = (query.get('look') || 'grad-cam').split(',');
            const news = now === before ? dash_clientside.no_update : now;
            const words = open ? 'Close' : 'Compare';
            return [!open, String(open), words, news, query.get('versus'), method, target || 'guess'];
        }""",
        Output(CONTROLS, "hidden"),
        Output(OPEN, "aria-expanded"),
        Output(OPEN, "children"),
        Output(ADDRESS_STORE, "data"),
        Output(VERSUS, "value"),
        Output(METHOD, "value"),
        Output(TARGET, "value"),
        Input("url", "search"),
        State(ADDRESS_STORE, "data"),
    )
    app.clientside_callback(
        """(clicks, versus, method, target, search) => {
            const query = new URLSearchParams(search || ''), by = dash_clientside.callback_context.triggered_id;
            if (by === 'OPEN') {
                if (!clicks) return dash_clientside.no_update;  // the button was only put on the page
                if (query.has('versus')) { query.delete('versus'); query.delete('look'); }
                else query.set('versus', query.has('contrast') ? 'contrast' : 'right');
            } else {
                if (!query.has('versus') || !versus || !method) return dash_clientside.no_update;
                const look = method + (target === 'label' ? ',label' : ''), before = query.get('look') || 'grad-cam';
                if (query.get('versus') === versus && before === look) return dash_clientside.no_update;
                if (by === 'VERSUS') query.set('versus', versus);
                if (look === 'grad-cam') query.delete('look'); else query.set('look', look);
            }
            return '?' + query.toString();
        }""".replace("OPEN", OPEN).replace("VERSUS", VERSUS),
        Output("url", "search", allow_duplicate=True),
        Input(OPEN, "n_clicks"),
        Input(VERSUS, "value"),
        Input(METHOD, "value"),
        Input(TARGET, "value"),
        State("url", "search"),
        prevent_initial_call=True,
    )

    @app.callback(
        Output(VERSUS, "options"),
        Output(KEEP, "children"),
        Output(CSV, "children"),
        Output(VERSUS, "value", allow_duplicate=True),
        Input(ADDRESS_STORE, "data"),
        prevent_initial_call=True,
    )
    def list_choices(search: Any):
        selection = Selection.parse(search)
        if not is_open(search):
            return [], None, None, no_update
        keep = selection.with_(versus=narrowing(selection))
        return (
            choices(services, selection),
            button("Hold this selection", small=True, search=keep.query()),
            csv_link(table_url("attention", selection)) if selection.versus else None,
            no_update if selection.versus else "",  # or the browser shows the first choice as chosen
        )

    @panel_callback(
        app,
        FACE,
        plain.children(BODY),
        Input(ADDRESS_STORE, "data"),
        Input(theme.STATE, "data"),
        prevent_initial_call=True,
        running=[(Output(VEIL, "className"), "att busy", "att")],
    )
    def draw_attention(search: Any, mode: Any):
        selection = Selection.parse(search)
        if not is_open(search):
            return []
        if selection.versus is None:
            raise Missing("The address names nothing that the selection can be held against: choose it above.")
        which = kept(services.store.shown(selection.run).during(selection.epoch))
        return drawn(compare(services, selection), theme.mode_of(mode), which)


def is_open(search: Any) -> bool:
    """Whether the panel is open, be it against what cannot be read."""
    return isinstance(search, str) and search != ""


def narrowing(selection: Selection) -> str:
    """The address of what narrows the images, to be held against another selection; '?' and something in any case."""
    kept = selection.explicit().here(versus=None, look=None, run=None, against=None, split="test", contrast=None)
    return kept.query()


def choices(services: Services, selection: Selection) -> list[dict[str, str]]:
    """What the selection can be held against."""
    run = services.store.shown(selection.run)
    options = [
        {"value": "right", "label": "the right ones of its classes"},
        {"value": "rest", "label": "all other images"},
    ]
    cell = selection.other_cell(run.classes)
    if cell or selection.versus == "contrast":
        words = f"{cell[0]} predicted {cell[1]}" if cell else "a second cell of the matrix"
        options.append({"value": "contrast", "label": words})
    try:
        other = services.store.other(run, selection.against).title
        options.append({"value": "run", "label": f"the same images in {other}"})
    except (Missing, Broken):
        pass
    if (selection.versus or "").startswith("?"):
        words = summary(Selection.parse(selection.versus))
        options.append({"value": str(selection.versus), "label": f"held: {words}"[:MAX_LABEL_LENGTH]})
    return options


def drawn(comparison: Compared, mode: str, which: str = "") -> list:
    """Two sides and their difference. which: network was asked, where that needs saying."""
    first, second = comparison.a.typical, comparison.b.typical
    zero = np.zeros(comparison.a.image.shape[:2])
    veils = figures.shares(first.mean if first else zero, second.mean if second else zero)
    about = "label" if comparison.label else "guess"
    parts: list[Any] = [
        side("A", comparison.a, veils[0], about),
        side("B", comparison.b, veils[1], about),
    ]
    if comparison.difference is None or comparison.sure is None:
        empty = comparison.a if not comparison.a.side.n else comparison.b if not comparison.b.side.n else None
        words = (
            f"{empty.side.title.capitalize()} holds no image, so there is nothing to compare."
            if empty
            else f"In one of the two, nothing spoke for any image's {about}."
        )
        parts.append(html.Div(panel_states.empty(words), className="att-side"))
        return [html.Div(parts, className="att-row")]
    image = inline_url(figures.difference(comparison.difference, comparison.sure, mode=mode))
    most = 1000 * float(np.abs(comparison.difference).max())
    unsure = int((~comparison.sure).sum())
    parts.append(
        html.Div(
            [
                html.H3("A minus B"),
                html.Div(html.Img(src=image, alt="Where A and B differ", className="crisp"), className="att-delta"),
                html.P(
                    ["more in B", html.I(className="ramp div", **{"aria-hidden": "true"}), "more in A"],
                    className="att-scale faint small",
                ),
                html.P(
                    f"At most {most:.1f} ‰ of the attribution on one pixel. Pale: {unsure:,} of "
                    f"{comparison.sure.size:,} pixels differ by less than {DOUBT:.0f} standard errors.",
                    className="faint small",
                ),
            ],
            className="att-side",
        )
    )
    words = (
        f"{TITLES[comparison.method]}, each image's map scaled to add up to one. {SENTENCES[comparison.method]}. "
        f"{100 * (comparison.overlap or 0):.0f} % of the attribution lies in the same places. {which}"
    )
    return [html.Div(parts, className="att-row"), html.P(words, className="quiet small")]


def side(letter: str, group: Looked, heatmap_overlay: np.ndarray, about: str) -> html.Div:
    """Mean image, and the same under what spoke for the classes; how many images each is of."""
    picture = inline_url(figures.mean_picture(group.image))
    pictures = [
        html.Figure(
            [
                html.Div(html.Img(src=picture, alt=f"Mean image of {letter}"), className="shot"),
                html.Figcaption(f"mean of n = {group.side.n:,}"),
            ]
        )
    ]
    if group.typical is not None:
        silent = f", {group.typical.silent} without an answer left out" if group.typical.silent else ""
        words = f"what spoke for its {about}, n = {group.typical.n:,}{silent}"
        pictures.append(
            html.Figure(
                [
                    html.Div(
                        [
                            html.Img(src=picture, alt=""),
                            html.Img(
                                src=inline_url(heatmap_overlay), alt=f"Mean attribution of {letter}", className="over"
                            ),
                        ],
                        className="shot",
                    ),
                    html.Figcaption(words),
                ]
            )
        )
    return html.Div(
        [
            html.H3([html.Span(letter, className=f"letter {letter.lower()}"), " ", group.side.title]),
            html.Div(pictures, className="duo"),
        ],
        className="att-side",
    )


def csv_rows(services: Services, selection: Selection) -> Table:
    """One row a pixel: the mean image of both sides (channels averaged), the mean attribution of each with its standard
    error, their difference."""
    comparison = compare(services, selection)
    a, b = comparison.a, comparison.b
    if a.typical is None or b.typical is None or comparison.difference is None:
        raise Missing("One of the two sides holds no image.")
    head = ["row", "column", f"mean image A of {a.side.n}", f"mean image B of {b.side.n}"]
    head += [f"attribution A of {a.typical.n}", "error A", f"attribution B of {b.typical.n}", "error B", "A minus B"]
    columns = (a.image.mean(2), b.image.mean(2), a.typical.mean, a.typical.error, b.typical.mean, b.typical.error)
    return head, [
        [i + 1, j + 1, *(float(f"{column[i, j]:.9g}") for column in (*columns, comparison.difference))]
        for i, j in np.ndindex(comparison.difference.shape)
    ]


TABLES = {"attention": of_services(csv_rows)}
