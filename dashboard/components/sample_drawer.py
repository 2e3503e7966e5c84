"""One image, up close: what was said of it, why, and what it resembles. Opened by `sample` in the URL."""

import numpy as np
from dash import ClientsideFunction, Dash, Input, Output, State, dcc, html
from dash.exceptions import PreventUpdate

from dashboard.components import badge, button, evidence, explanations, known_answer, more_like, plain
from dashboard.components import layer_walk as walk
from dashboard.components.icons import icon
from dashboard.components.panel import panel_callback, slot
from dashboard.components.tiles import neighbour_list
from dashboard.data.pair import RunPair
from dashboard.data.run import RunData
from dashboard.format.csv import table_url
from dashboard.format.images import single_url
from dashboard.services.container import Services
from dashboard.state.selection import Selection
from dashboard.state.vocabulary import NO_LABEL, PAGE_SIZE, PAIRED
from ml.artifacts import kinds
from ml.artifacts.reader import Broken, Missing
from ml.stats.failure_modes import TAGS

DRAWER = "sample-drawer"
FACE = "sample-drawer-face"
BODY = "sample-drawer-body"
WHY = "sample-drawer-why"
WALK = "sample-drawer-layers"
EVIDENCE = "sample-drawer-evidence"
EVIDENCE_FACE = "sample-drawer-evidence-face"
ALIKE = "sample-drawer-alike"
ALREADY_SHOWN = ("/prediction", "/review", "/robustness")  # pages that show the sample themselves
SAMPLE_SEARCH = "sample-drawer-asked"  # dcc.Store: the address whose sample is shown, "" while the drawer is closed
ELSEWHERE = "sample-drawer-elsewhere"  # dcc.Store: pages that show the sample themselves
MAP_ADDRESSES = "sample-drawer-shown"  # dcc.Store: the maps' addresses and places, those first that are quick


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
            dcc.Store(id=MAP_ADDRESSES),
            dcc.Store(id=SAMPLE_SEARCH, data=""),
            dcc.Store(id=ELSEWHERE, data=list(ALREADY_SHOWN)),
        ],
        id=DRAWER,
        className="drawer",
        **{"aria-label": "Sample", "data-elsewhere": " ".join(ALREADY_SHOWN)},
    )


def body() -> list:
    """The parts that stay; their content comes with each sample."""
    return [
        html.Div(id="sample-drawer-verdict", className="verdict"),
        html.Div(id="sample-drawer-tags"),
        html.Div(
            [
                html.H3("What spoke for which class (attribution)"),
                html.P(explanations.HELP, className="quiet small"),
                explanations.layout(WHY),
            ],
            className="why",
        ),
        html.Div([html.H3("Through its layers"), walk.layout(WALK)], className="inside"),
        html.Div([html.H3("Probability of each class"), html.Div(id="sample-drawer-bars")]),
        html.Div(
            [
                html.H3("Ten nearest training images"),
                html.P(id="sample-drawer-nearest", className="quiet small"),
                html.Div(id="sample-drawer-neighbours"),
                slot(EVIDENCE_FACE),
                plain.place(EVIDENCE),
            ]
        ),
        more_like.layout(ALIKE),
    ]


def register(app: Dash, services: Services) -> None:
    """Fill the drawer from the URL; explain in the browser's own time."""
    # opened and closed in the browser, so that a click which shows no sample asks the server for none
    app.clientside_callback(
        """(search, pathname, elsewhere, asked) => {
            const path = dash_clientside.address.within(pathname);
            const shown = new URLSearchParams(search || '').has('sample') && !elsewhere.includes(path);
            const now = shown ? search : '';
            const news = now === asked ? window.dash_clientside.no_update : now;
            return [shown ? 'drawer open' : 'drawer', shown ? '0' : '-1', news];
        }""",
        Output(DRAWER, "className"),
        Output(BODY, "tabIndex"),
        Output(SAMPLE_SEARCH, "data"),
        Input("url", "search"),
        Input("url", "pathname"),
        State(ELSEWHERE, "data"),
        State(SAMPLE_SEARCH, "data"),
    )

    @panel_callback(
        app,
        FACE,
        *(
            Output(f"sample-drawer-{part}", "children")
            for part in ("title", "walk", "verdict", "bars", "nearest", "neighbours", "foot", "tags")
        ),
        *(Output(f"{WHY}-class-{row}", "children") for row in explanations.ROWS),
        Output(f"{WHY}-grid", "style"),
        Output(f"{WHY}-note", "children"),
        Output(f"{WHY}-layer", "options"),
        Output(f"{WHY}-layer", "value"),
        Output(MAP_ADDRESSES, "data"),
        Input(SAMPLE_SEARCH, "data"),
        State("url", "pathname"),
        State(f"{WHY}-layer", "value"),
    )
    def draw_sample(search: str | None, path: str | None, layer: object):
        selection = Selection.parse(search)
        if selection.sample is None:
            raise PreventUpdate
        return sample(services, selection, services.store.compare(selection) if path in PAIRED else None, layer)

    register_maps(app)
    more_like.register(app, services, ALIKE, State(SAMPLE_SEARCH, "data"), lambda search: example(services, search))
    explanations.register(app, WHY)
    walk.register(app, services, WALK, Input(SAMPLE_SEARCH, "data"), lambda search: subject(services, search))

    @panel_callback(app, EVIDENCE_FACE, plain.children(EVIDENCE), Input(SAMPLE_SEARCH, "data"))
    def draw_evidence(search: str | None):
        selection = Selection.parse(search)
        if selection.sample is None:
            raise PreventUpdate
        return proof(services, selection)


def register_maps(app: Dash) -> None:
    """The maps of what spoke for which class are asked for by the browser (assets/maps.js)."""
    app.clientside_callback(
        ClientsideFunction("maps", "show"),
        Input(MAP_ADDRESSES, "data"),
        Input(f"{WHY}-layer", "value"),
        prevent_initial_call=True,
    )


def subject(services: Services, search: object) -> walk.Subject:
    """The sample of an address, as the network sees it; PreventUpdate without one."""
    selection = Selection.parse(search)
    if selection.sample is None:
        raise PreventUpdate
    run = services.store.shown(selection.run).reviewed(selection.labels)
    return walk.Subject(run, run.picture(selection.split, selection.sample))


def example(services: Services, search: object) -> more_like.Subject:
    """The sample of an address, to look for its like; PreventUpdate without one."""
    selection = Selection.parse(search)
    seen = subject(services, search)
    return more_like.Subject(seen.run, seen.image, selection, selection.sample)


def proof(services: Services, selection: Selection) -> list:
    """How usual the sample is, the nearest of the class that came second, and pictures that are nearly the same."""
    assert selection.sample is not None
    run = services.store.shown(selection.run).for_selection(selection)
    predictions = run.predictions(selection.split)
    row = predictions.row(selection.sample)
    if not run.can(kinds.NETWORK):  # how unlike a picture is, a network tells
        return evidence.twins(run, selection.split, selection.sample)
    second = explanations.targets(predictions.probabilities[row], run.classes, predictions.label(row))[1]
    familiarity = services.ood.familiarity(
        run.run_id,
        run.picture(selection.split, selection.sample),
        itself=selection.sample if selection.split == "reference" else None,
        rival=second.id,
    )
    return [
        *evidence.rival(run, familiarity, second.id, second.role),
        *evidence.twins(run, selection.split, selection.sample),
        html.Div(evidence.meter(familiarity), className="unusual"),
    ]


def sample(
    services: Services, selection: Selection, pair: RunPair | None = None, layer: object = explanations.AUTO
) -> tuple:
    """Every part of the drawer for selection.sample, in the order of the callback's outputs.

    pair: the two runs of a page that is about two; layer: that was chosen for Grad-CAM, kept where this run has it.
    """
    assert selection.sample is not None
    shown_run = services.store.shown(selection.run)
    # two runs have no common epoch
    run = shown_run.reviewed(selection.labels) if pair else shown_run.for_selection(selection)
    predictions = run.predictions(selection.split)
    row = predictions.row(selection.sample)
    guess, label = int(predictions.predicted[row]), predictions.label(row)
    probabilities = predictions.probabilities[row]
    height, width, _ = run.pictures(selection.split).images.shape[1:]
    where = single_url(run.picture_set, selection.split, selection.sample)
    heading = f"Predicted by {run.title}" if pair else "Predicted"
    heading += "" if run.epoch is None or selection.split == "reference" else f" after epoch {run.epoch}"
    heading += ", with its confidence (uncalibrated)" if run.can("top-k") else ": only the label is known"
    verdict = [
        html.Div(
            [
                html.P(heading, className="quiet small"),
                html.H2([run.classes[guess], " ", html.Span(known_answer.percent_of(run, probabilities[guess]))]),
                html.P(evidence.labelled(run, probabilities, guess, label), className="quiet"),
                second(pair, selection) if pair else None,
            ]
        ),
        badge(NO_LABEL) if label is None else badge("right", "good") if label == guess else badge("wrong", "bad"),
    ]
    sentence, neighbours = nearest(run, selection, guess)
    layers = run.manifest.get("layers", [])
    options = explanations.places(layers)
    targets = explanations.targets(probabilities, run.classes, label)
    where_maps = f"/explanations/{run.run_id}/{selection.split}/{selection.sample}.png?v={run.picture_set[1]}"
    shown = {"maps": explanations.addresses(run, WHY, where_maps, targets)}
    note = [
        f"As the network sees it, {width} × {height}. {explanations.kept(run)}",
        known_answer.without_maps(run, explanations.convolved(run)),
        *evidence.came_as(services, run, selection.sample),
        html.A("Values as CSV", href=table_url("explanation", selection.with_(sample=selection.sample)), download="")
        if run.can(kinds.NETWORK)
        else "",
    ]
    ids = pair.ids[pair.ordered(selection)] if pair else predictions.ids[run.ordered(selection)]
    title, walk = place(selection, ids.tolist())
    return (
        title,
        walk,
        verdict,
        known_answer.bars(run, probabilities, guess, label),
        sentence,
        neighbours,
        known_answer.ways(run, selection),
        tags(run, selection),
        *(explanations.line(target) for target in targets),
        explanations.over(where, height, width, explanations.offered(run), layers=run.can("layers")),
        note,
        options,
        layer if any(one["value"] == layer for one in options) else explanations.AUTO,
        shown,
    )


def second(pair: RunPair, selection: Selection) -> html.P:
    """What the other run says, and the way to its side of it."""
    predictions = pair.b.predictions(selection.split)
    try:
        row = predictions.row(selection.sample or 0)
    except LookupError:
        return html.P(f"{pair.b.title} does not know this image.", className="quiet")
    sure = known_answer.percent_of(pair.b, predictions.confidence[row])
    words = f"{pair.b.classes[predictions.predicted[row]]} {sure}".strip()
    there = selection.swapped(pair.a.run_id, pair.b.run_id).with_(sample=selection.sample).query()
    sentence = [f"{pair.b.title} says ", html.B(words), f", {'right' if predictions.right[row] else 'wrong'}. "]
    return html.P([*sentence, button("Its side", kind="ghost", small=True, search=there)], className="quiet")


def tags(run: RunData, selection: Selection) -> html.Ul | html.P:
    """The sample's failure modes, each a chip that selects all of its kind, with what to do next."""
    modes = []
    for key, tag in TAGS.items():
        try:
            ids = run.tagged(selection.split, key, selection.against)
        except (Missing, Broken):
            continue  # the page of slices says what it needs
        at = int(np.searchsorted(ids, selection.sample or 0))
        if at < len(ids) and ids[at] == selection.sample:
            chip = html.Button(
                tag.title,
                type="button",
                className="chip add",
                title=tag.means,
                **{
                    "data-search": selection.clear().with_(tag=(key,)).query(),
                    "aria-label": f"Select all images with the tag {tag.title}: {tag.means}",
                },
            )
            modes.append(html.Li([chip, html.Span(tag.do, className="quiet small")]))
    whose = "" if run.epoch is None else " of the kept network"  # modes are of a run, not of one of its epochs
    if not modes:
        return html.P(f"No failure mode{whose} is known of it.", className="faint small")
    if whose:
        modes.insert(0, html.Li(f"Failure modes{whose}:", className="quiet small"))
    return html.Ul(modes, className="modes-of", **{"aria-label": f"Failure modes{whose}"})


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
