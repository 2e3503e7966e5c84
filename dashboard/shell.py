"""The frame every page stands in: the Dash object, navigation, run picker, theme, sample drawer."""

import functools
from pathlib import Path

from dash import Dash, Input, Output, State, dcc, html
from dash.exceptions import PreventUpdate
from flask import request

from dashboard import theme
from dashboard.analysis import permalinks
from dashboard.analysis.address_notes import notes
from dashboard.api import routes, statuses
from dashboard.components import (
    button,
    explanations,
    making,
    more_like,
    panel_states,
    plain,
    sample_drawer,
    selection_bar,
    to_add,
)
from dashboard.components.icons import icon
from dashboard.components.page import Page, merged
from dashboard.components.picker import Picker, group, together
from dashboard.data.cache import Cache
from dashboard.data.store import Store
from dashboard.first import keeping
from dashboard.first.document import App
from dashboard.pages import PAGES, TABLES, VIEWS
from dashboard.records.decisions import Decisions
from dashboard.records.feedback import Feedback
from dashboard.records.happenings import Happenings
from dashboard.records.prediction_log import Monitor
from dashboard.records.runs import Records, RunMetadata
from dashboard.records.slices import Slices
from dashboard.records.views import Views
from dashboard.services.container import Services
from dashboard.services.jobs import Jobs
from dashboard.state.selection import Selection
from dashboard.web import bundles, compression, errors, proxy, rate_limits, security, sooner
from dashboard.web import server as serve
from ml.artifacts import kinds
from ml.artifacts.reader import RunEntry
from ml.people import acting
from ml.people.accounts import Accounts
from ml.settings import Limits, People
from ml.system import atomic, database
from ml.system.paths import ASSETS
from ml.system.wording import quantity

URL = "url"  # dcc.Location; its search is the selection
KEYS = "app-keys-state"  # {"ctrl": bool}: which key is held, written by assets/clientside.js
VIEW = "app-view-state"  # which runs, split, labels and epoch the address names, changed only when they do
ARRIVED = "app-arrived-state"  # the address that the reader came with
NAMED = "app-named-state"  # what the page shows beyond what its address says: run, data, against, split
CLUSTER = "app-cluster-notice"
CLUSTER_MS = 2000
RUNS = "app-runs-state"  # changes when a run came or went
PICKER = "run-picker"
REVIEWED = ("/", "/comparison", "/insights", "/review")  # pages that count by people's labels where the address says so
CONTENT = "app-page"


def create_app(artifacts: Path | None = None, home: Path | None = None, *, read_only: bool = False) -> App:
    """The app over a folder of artifacts (the shipped one when None) and a home for this user's runs."""
    try:
        jobs = Jobs(home, artifacts=artifacts, read_only=read_only)
        pace = Limits.read().rate
        People.read()
    except ValueError as wrong:
        serve.stop(str(wrong))
    rows = database.opener(jobs.home)
    records = Records(rows, read_only=read_only)
    decisions = Decisions(rows, read_only=read_only)
    slices = Slices(rows, read_only=read_only)
    store = Store(jobs.artifacts, jobs.home, records, slices, decisions)
    feedback = Feedback(rows, jobs.home / "feedback", atomic.write, read_only=read_only)
    services = Services(store, jobs, read_only, records, decisions, feedback)
    services.monitor = Monitor(rows, services.ood.unlike, chores=(feedback.sweep,), read_only=read_only)
    services.happenings = Happenings(rows, read_only=read_only)
    services.views = Views(rows, read_only=read_only)
    services.registry.purge()
    services.staging.sweep(services.datasets.known())
    feedback.sweep()
    sooner.hooks()
    sooner.answers()
    app = App(
        "fashion_forward",
        server=sooner.Server("fashion_forward"),  # type: ignore[arg-type]  # an instance is taken too
        title="Fashion Forward",
        update_title="",
        assets_folder=str(ASSETS),
        assets_ignore=r".*\.(css|js)",  # they come as two files, see bundles
        on_error=functools.partial(errors.on_error, known=statuses.known),
        add_log_handler=False,
        background_callback_manager=jobs.manager,
        # or every page load would carry all pages, 330 KB, for the browser to hold callbacks against; a test does
        suppress_callback_exceptions=True,
    )
    app.store, app.launcher = store, jobs.manager
    app.early = lambda path: next((page.early for page in PAGES if page.path == path), ())
    still = {page.path for page in PAGES if page.still} if not jobs.clustered else set()  # trouble is in no database
    app.drawn = keeping.Drawn(store, still.__contains__, database.Changes(jobs.home), Cache(keeping.KEPT))
    app.layout = lambda: frame(services)
    app.whole = lambda: html.Div([frame(services), *(page.layout(services, Selection()) for page in PAGES)])
    # the browser asks in this order: first what every click waits for
    selection_bar.register(app, services)
    for page in PAGES:
        page.register(app, services)
    register(app, services)
    sample_drawer.register(app, services)
    making.register(app, services)
    more_like.register_tiles(app, services, lambda search: sample_drawer.example(services, search))
    server = app.server
    pages = [(page.path, page.title) for page in PAGES]
    routes.register(server, services, merged([TABLES, explanations.TABLES]), VIEWS, pages)
    app.bundles = bundles.install(server, ASSETS)
    bundles.serve(server, "callbacks.js", lambda: app.callbacks, "text/javascript")
    compression.install(server)
    security.install(
        app,
        pages=[path for path, _ in pages],
        read_only=read_only,
        known=statuses.known,
        accounts=Accounts(jobs.home),
    )
    rate_limits.install(server, pace)
    try:
        proxy.install(server, prefix=serve.prefix(), proxies=serve.trusted_proxies(), pages=[path for path, _ in pages])
    except ValueError as wrong:
        serve.stop(str(wrong))
    return app


def frame(services: Services) -> html.Div:
    """What stays while pages come and go."""
    try:
        mode = theme.mode_of(request.cookies.get(theme.COOKIE))
    except RuntimeError:  # at start-up there is no request
        mode = "light"
    brand = html.A(
        [html.Span(className="mark"), html.Span("Fashion Forward", className="word")],
        className="brand",
        href="/",
        **{"data-page": "/", "aria-label": "Fashion Forward, home"},
    )
    picker = html.Div(
        [html.Label("Run", htmlFor=PICKER, className="label quiet"), Picker(PICKER)],
        className="runpick",
    )
    words = "Add a network or predictions that were made elsewhere"
    takes = not services.read_only and acting.may("import")
    adding = [to_add("+", "icon ghost", title=words, **{"aria-label": words})] if takes else []
    toggle = html.Button(
        icon("theme"),
        id="app-theme-button",
        type="button",
        className="btn-ff icon ghost",
        **{"aria-label": "Switch between light and dark"},
    )
    search = button(
        icon("search"),
        kind="icon ghost",
        small=False,
        title="Search: classes, failure modes, slices, images, runs, notes, words (/)",
        **{"aria-label": "Search", "aria-keyshortcuts": "/", "data-find": ""},
    )
    asked = html.Button(
        "?",
        type="button",
        className="btn-ff icon ghost",
        title="Keys and words of this page",
        **{"aria-label": "Help: keys and words of this page", "aria-keyshortcuts": "?", "data-help": ""},
    )
    return html.Div(
        plain.settled(
            [
                html.A("Skip to content", href="#main", className="skip"),
                html.Div(className="aurora", **{"aria-hidden": "true"}),
                dcc.Location(id=URL, refresh=False),
                dcc.Store(id=theme.STATE, data=mode),
                dcc.Store(id=KEYS, data={"ctrl": False}),
                dcc.Store(id=RUNS),
                dcc.Store(id=VIEW),
                dcc.Store(id=ARRIVED),
                dcc.Store(id=NAMED),
                html.Header(
                    html.Div(
                        [
                            brand,
                            html.Nav(html.Ul(id="app-links", className="links"), **{"aria-label": "Pages"}),
                            html.Div([picker, *adding, search, asked, toggle], className="nav-tools"),
                        ],
                        className="wrap",
                    ),
                    className="ff-nav",
                ),
                html.Main(
                    [
                        html.Div(id=errors.NOTICE, className="notice", role="alert"),
                        *(cluster_notice() if services.jobs.clustered else ()),
                        html.Div(id="app-dropped", className="notice", role="status"),
                        html.Div(id="app-offers", className="row-ff offers"),
                        html.Div(id=CONTENT),
                    ],
                    id="main",
                    className="wrap page",
                    tabIndex="-1",
                ),
                html.Footer(id="app-foot", className="wrap foot"),
                sample_drawer.layout(),
                more_like.tile_layout(),
                *making.layout(services),
            ]
        )
    )


def register(app: Dash, services: Services) -> None:
    """Navigation, run picker and notes about the address."""

    @app.callback(
        Output(CONTENT, "children"),
        Output("app-links", "children"),
        Input(URL, "pathname"),
        State(URL, "search"),
    )
    def draw_page(pathname: str | None, search: str | None):
        page = next((page for page in PAGES if pathname == page.path), None)
        content = page.layout(services, Selection.parse(search)) if page else nowhere()
        return tuple(map(plain.settled, (content, [link(p, p is page) for p in PAGES])))

    app.clientside_callback(
        """(search, before) => {
            const all = new URLSearchParams(search || ''), kept = new URLSearchParams();
            for (const name of ['run', 'against', 'split', 'labels', 'epoch'])
                if (all.has(name)) kept.set(name, all.get(name));
            const now = '?' + kept.toString();
            return now === before ? window.dash_clientside.no_update : now;
        }""",
        Output(VIEW, "data"),
        Input(URL, "search"),
        State(VIEW, "data"),
    )

    if services.jobs.clustered:

        @app.callback(
            Output(CLUSTER, "children"), Input(f"{CLUSTER}-interval", "n_intervals"), State(CLUSTER, "children")
        )
        def show_trouble(_: int | None, shown: object):
            words = services.jobs.trouble() or None
            if words == shown:
                raise PreventUpdate
            return words

    register_links(app, services)

    @app.callback(
        Output(PICKER, "options"),
        Output(PICKER, "value"),
        Output("app-foot", "children"),
        Input(VIEW, "data"),
        Input(URL, "pathname"),
        Input(RUNS, "data"),
        State(PICKER, "options"),
        State(PICKER, "value"),
    )
    def list_runs(search: str | None, _: str | None, __: object, options: list | None, value: str | None):
        """What can be chosen, and what the numbers are of; assets/clientside.js makes a choice the new address."""
        marks, entries = services.store.marks(), services.store.runs()
        shown = services.store.used(Selection.parse(search).run)
        listed = [entry for entry in entries if not marks.of(entry.run_id).archived or entry.run_id == shown]
        offered = together(option(entry, marks) for entry in listed)
        if offered == options and shown == value:
            raise PreventUpdate
        return offered, shown, plain.settled(foot(services, shown))


def register_links(app: Dash, services: Services) -> None:
    """What an address cannot show and what is nearest to it; what a copied link names besides."""
    app.clientside_callback(
        "(search, before) => typeof before === 'string' ? window.dash_clientside.no_update : search || ''",
        Output(ARRIVED, "data"),
        Input(URL, "search"),
        State(ARRIVED, "data"),
    )
    app.clientside_callback("(named) => { window.dash_clientside.named = named; }", Input(NAMED, "data"))

    @app.callback(
        Output("app-dropped", "children"),
        Output("app-offers", "children"),
        Output(NAMED, "data"),
        Input(URL, "search"),
        Input(URL, "pathname"),
        Input(ARRIVED, "data"),
        Input(RUNS, "data"),
    )
    def show_dropped(search: str | None, path: str | None, arrived: str | None, _: object):
        selection, store = Selection.parse(search), services.store
        words = notes(store, selection, follows_labels=path in REVIEWED)
        try:
            run = store.shown(selection.run)
        except (LookupError, ValueError):
            return words, None, None
        offers = permalinks.offers(store, selection, run)
        whole = permalinks.named(store, selection, path or "/")
        if came := permalinks.unnamed(selection, arrived, run):
            words = f"{words} {came}" if words else came
            offers.append(permalinks.Offer(f"Name {run.title} in the address", whole))
        buttons = [
            button(one.words, small=True, search=one.selection.permalink(), path=one.path or None) for one in offers
        ]
        known = {name: getattr(whole, name) for name in ("run", "data", "against", "split")}
        return words, buttons or None, {name: value for name, value in known.items() if value}


def cluster_notice() -> list:
    """Where every page says that the queue or its workers are away."""
    return [
        html.Div(id=CLUSTER, className="notice", role="status"),
        dcc.Interval(id=f"{CLUSTER}-interval", interval=CLUSTER_MS),
    ]


def option(entry: RunEntry, marks: RunMetadata) -> dict[str, object]:
    """One line of the run picker, title first; a broken run can be seen but not chosen."""
    name = marks.name(entry.run_id)
    if not entry.ok:
        words, under = f"{name} · {entry.state}", group(entry)
        return {"value": entry.run_id, "label": words, "group": under, "disabled": True, "title": entry.reason}
    _, result = kinds.headline(entry.manifest)
    words = f"{name} · {100 * result['correct'] / result['n']:.1f} %"
    return {"value": entry.run_id, "label": words, "group": group(entry)}


def link(page: Page, current: bool) -> html.Li:
    """A page in the navigation."""
    mark = {"aria-current": "page"} if current else {}
    return html.Li(html.A(page.title, href=page.path, **{"data-page": page.path}, **mark))


def foot(services: Services, run_id: str | None) -> list:
    """What the numbers of a run are of, and the way back to the tour."""
    tour = html.Button("Take the tour", type="button", **{"data-tour": ""})
    try:
        run = services.store.open(run_id)
    except (LookupError, ValueError):
        return [tour]
    counts = run.dataset["counts"]
    total = sum(counts.values())
    words = f"{run.dataset['title']}, {quantity(total, 'image')}. Intervals are 95 %. Nothing leaves this machine."
    return [
        html.Span(words),
        html.Span("Read-only: training is switched off.") if services.read_only else None,
        html.Span(who) if (who := signed_in()) else None,
        tour,
    ]


def signed_in() -> str:
    """Who looks at this page, in words; '' where nobody was asked."""
    person = acting.person()
    if person is None or not person.how:
        return ""
    if person.how == "password":
        return "One password for everybody: nobody has a name here."
    return f"{person.name}, role {person.role}."


def nowhere() -> html.Div:
    """The face of an address without a page."""
    return html.Div(
        [panel_states.empty("There is no page at this address."), button("To the dashboard", search="", path="/")]
    )
