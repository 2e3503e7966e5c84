"""One image, up close: what was said of it, why, and what it resembles. Opened by `sample` in the URL."""

from dash import Dash, Input, Output, State, dcc, html
from dash.exceptions import PreventUpdate

from dashboard.components import badge, button, icon, segmented
from dashboard.components.bars import probability_bars
from dashboard.components.panel import panel_callback, slot
from dashboard.components.tiles import neighbour_list
from dashboard.doors import Doors
from dashboard.pictures import single_url
from dashboard.selection import PAGE_SIZE, PAIRED, Selection
from dashboard.store import Comparison

DRAWER = "sample-drawer"
FACE = "sample-drawer-face"
BODY = "sample-drawer-body"
TARGET = "sample-drawer-target"
STRENGTH = "sample-drawer-strength"
OVERLAY = "sample-drawer-overlay"
ALREADY_SHOWN = ("/prediction",)  # pages that show the sample themselves
ASKED = "sample-drawer-asked"  # dcc.Store: the address whose sample is shown, "" while the drawer is closed
ELSEWHERE = "sample-drawer-elsewhere"  # dcc.Store: pages that show the sample themselves
SHOWN = "sample-drawer-shown"  # dcc.Store: the overlay's address without its target


def layout() -> html.Aside:
    """Empty and closed; the callback fills it."""
    head = html.Header(
        [
            html.Div(id="sample-drawer-title"),
            html.Div(id="sample-drawer-walk", className="row-ff"),
        ]
    )
    return html.Aside(
        [
            head,
            slot(FACE),
            html.Div(body(), id=BODY, className="body", tabIndex="0", role="group", **{"aria-label": "Sample details"}),
            html.Footer(id="sample-drawer-foot"),
            dcc.Store(id=SHOWN),
            dcc.Store(id=ASKED, data=""),
            dcc.Store(id=ELSEWHERE, data=list(ALREADY_SHOWN)),
        ],
        id=DRAWER,
        className="drawer",
        **{"aria-label": "Sample"},
    )


def body() -> list:
    """The parts that stay; their content comes with each sample."""
    return [
        html.Div(id="sample-drawer-verdict", className="verdict"),
        html.Div(
            [
                html.Div(
                    [
                        html.Figure(
                            [
                                html.Div(id="sample-drawer-picture", className="shot"),
                                html.Figcaption(id="sample-drawer-size"),
                            ]
                        ),
                        html.Figure(
                            [
                                html.Div(
                                    [
                                        html.Div(id="sample-drawer-under"),
                                        html.Img(id=OVERLAY, alt="", className="over", style={"opacity": 0.72}),
                                    ],
                                    className="shot",
                                ),
                                html.Figcaption(id="sample-drawer-caption"),
                            ]
                        ),
                    ],
                    className="duo",
                ),
                html.Div(
                    [
                        segmented(
                            TARGET,
                            [("guess", "For the guess"), ("label", "For the label")],
                            "guess",
                            "Explain which class",
                        ),
                        html.Label(
                            [
                                "Strength",
                                dcc.Input(id=STRENGTH, type="range", min=0, max=100, step=1, value=72),
                            ],
                            className="row-ff small strength",
                        ),
                    ],
                    className="row-ff between",
                    style={"marginTop": "12px"},
                ),
            ]
        ),
        html.Div([html.H3("Probability of each class"), html.Div(id="sample-drawer-bars")]),
        html.Div(
            [
                html.H3("Ten nearest training images"),
                html.P(id="sample-drawer-nearest", className="quiet small"),
                html.Div(id="sample-drawer-neighbours"),
            ]
        ),
    ]


def register(app: Dash, doors: Doors) -> None:
    """Fill the drawer from the URL; explain in the browser's own time."""

    # opened and closed in the browser, so that a click which shows no sample asks the server for none
    app.clientside_callback(
        """(search, pathname, elsewhere, asked) => {
            const shown = new URLSearchParams(search || '').has('sample') && !elsewhere.includes(pathname);
            const now = shown ? search : '';
            const news = now === asked ? window.dash_clientside.no_update : now;
            return [shown ? 'drawer open' : 'drawer', shown ? '0' : '-1', news];
        }""",
        Output(DRAWER, "className"),
        Output(BODY, "tabIndex"),
        Output(ASKED, "data"),
        Input("url", "search"),
        Input("url", "pathname"),
        State(ELSEWHERE, "data"),
        State(ASKED, "data"),
    )

    @panel_callback(
        app,
        FACE,
        *(
            Output(f"sample-drawer-{part}", "children")
            for part in (
                "title",
                "walk",
                "verdict",
                "picture",
                "size",
                "under",
                "bars",
                "nearest",
                "neighbours",
                "foot",
            )
        ),
        Output(SHOWN, "data"),
        Input(ASKED, "data"),
        State("url", "pathname"),
    )
    def draw_sample(search: str | None, path: str | None):
        selection = Selection.parse(search)
        if selection.sample is None:
            raise PreventUpdate
        return sample(doors, selection, doors.store.compare(selection) if path in PAIRED else None)

    app.clientside_callback(
        """(shown, target) => {
            if (!shown || !shown.url) return ['', ''];
            const id = target === 'label' ? shown.label : shown.guess;
            const name = target === 'label' ? shown.labelName : shown.guessName;
            return [`${shown.url}?target=${id}`, `Grad-CAM for ${name}`];
        }""",
        Output(OVERLAY, "src"),
        Output("sample-drawer-caption", "children"),
        Input(SHOWN, "data"),
        Input(TARGET, "value"),
    )
    app.clientside_callback(
        "(value) => ({opacity: Number(value) / 100})", Output(OVERLAY, "style"), Input(STRENGTH, "value")
    )


def sample(doors: Doors, selection: Selection, pair: Comparison | None = None) -> tuple:
    """Every part of the drawer for selection.sample, in the order of the callback's outputs.

    pair: the two runs of a page that is about two.
    """
    assert selection.sample is not None
    run = doors.store.shown(selection.run)
    predictions = run.predictions(selection.split)
    row = predictions.row(selection.sample)
    guess, label = int(predictions.predicted[row]), int(predictions.labels[row])
    probabilities = predictions.probabilities[row]
    right = guess == label
    height, width, _ = run.pictures(selection.split).images.shape[1:]
    where = single_url(run.dataset["name"], selection.split, selection.sample)
    picture = html.Img(src=where, alt=f"Image {selection.sample}, enlarged: {run.classes[label]}")
    verdict = [
        html.Div(
            [
                html.P(f"Predicted by {run.title}" if pair else "Predicted", className="quiet small"),
                html.H2([run.classes[guess], " ", html.Span(f"{100 * probabilities[guess]:.1f} %")]),
                html.P(
                    [
                        "labelled ",
                        html.B(run.classes[label]),
                        "" if right else f", which got {100 * probabilities[label]:.1f} %",
                    ],
                    className="quiet",
                ),
                second(pair, selection) if pair else None,
            ]
        ),
        badge("right", "good") if right else badge("wrong", "bad"),
    ]
    sentence, neighbours = nearest(run, selection, guess)
    studio = selection.here().with_(sample=selection.sample).query()
    foot = [
        button("Open in the studio", kind="primary", search=studio, path="/prediction"),
        html.Button([icon("link"), html.Span("Copy link")], type="button", className="btn-ff", **{"data-copy": ""}),
    ]
    convolutional = any(layer["kind"] == "Conv2d" for layer in run.manifest.get("layers", []))
    shown = {
        "url": f"/explanations/{run.run_id}/{selection.split}/{selection.sample}.png" if convolutional else "",
        "guess": guess,
        "label": label,
        "guessName": run.classes[guess],
        "labelName": run.classes[label],
    }
    ids = pair.ids[pair.ordered(selection)] if pair else predictions.ids[run.ordered(selection)]
    title, walk = place(selection, ids.tolist())
    return (
        title,
        walk,
        verdict,
        picture,
        f"As the model sees it, {width} × {height}",
        html.Img(src=where, alt=""),
        probability_bars(probabilities, run.classes, guess=guess, label=label),
        sentence,
        neighbours,
        foot,
        shown,
    )


def second(pair: Comparison, selection: Selection) -> html.P:
    """What the other run says, and the way to its side of it."""
    predictions = pair.b.predictions(selection.split)
    try:
        row = predictions.row(selection.sample or 0)
    except LookupError:
        return html.P(f"{pair.b.title} does not know this image.", className="quiet")
    words = f"{pair.b.classes[predictions.predicted[row]]} {100 * predictions.confidence[row]:.1f} %"
    there = selection.swapped(pair.a.run_id, pair.b.run_id).with_(sample=selection.sample).query()
    said = [f"{pair.b.title} says ", html.B(words), f", {'right' if predictions.right[row] else 'wrong'}. "]
    return html.P([*said, button("Its side", kind="ghost", small=True, search=there)], className="quiet")


def place(selection: Selection, ids: list[int]) -> tuple[list, list]:
    """Where the sample stands in the selection, and the buttons that go on from there."""
    at = ids.index(selection.sample) if selection.sample in ids else None
    words = f"{at + 1:,} of {len(ids):,}" if at is not None else "outside the selection"

    def step(by: int, name: str, label: str, mark: str) -> html.Button:
        to = -1 if at is None else at + by
        there = 0 <= to < len(ids)
        search = selection.with_(sample=ids[to], page=to // PAGE_SIZE + 1).query() if there else None
        return button(
            icon(name),
            kind="icon ghost",
            small=True,
            search=search,
            disabled=not there,
            **{"aria-label": label, mark: ""},
        )

    walk = [
        step(-1, "previous", "Previous sample", "data-previous"),
        step(1, "next", "Next sample", "data-next"),
        button(
            icon("close"),
            kind="icon ghost",
            small=True,
            search=selection.with_(sample=None).query(),
            **{"aria-label": "Close", "data-close": ""},
        ),
    ]
    return [html.B(f"#{selection.sample}", className="mono"), html.Span(f" {words}", className="faint")], walk


def nearest(run, selection: Selection, guess: int) -> tuple[str, html.Ul | html.P]:
    """A sentence and the pictures; when the run has no neighbours, the command that makes them."""
    try:
        frame = run.neighbours(selection.split, selection.sample)
    except LookupError as missing:
        return str(missing), html.Code(getattr(missing, "command", ""))
    pictures = run.pictures("reference")
    ids = frame["neighbour_id"].tolist()
    labels = [int(pictures.labels[pictures.row(i)]) for i in ids]
    agree = sum(label == guess for label in labels)
    name = run.classes[guess]
    words = (
        "the picture lies among them"
        if agree >= 0.8 * len(ids)
        else "its surroundings are mixed"
        if agree >= 0.4 * len(ids)
        else "its surroundings say something else"
    )
    return f"{agree} of {len(ids)} are labelled {name}: {words}.", neighbour_list(run, ids, labels)
