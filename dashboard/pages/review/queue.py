"""Label issues (confident learning), or what to label next. Click to look, Ctrl or Shift to choose several."""

from dash import Dash, Input, Output, html

from dashboard.analysis import to_label
from dashboard.analysis.label_review import Queue, queue, split_of, sprites_url
from dashboard.components import button, csv_link, dot, help_line, panel_states, plain
from dashboard.components.panel import panel_callback, slot
from dashboard.components.selection_bar import chip
from dashboard.data.run import RunData
from dashboard.format.images import tile_style
from dashboard.records.decisions import CurrentLabels, Decision
from dashboard.services.container import Services
from dashboard.state.selection import Selection
from dashboard.state.vocabulary import MAX_IDS, PAGE_SIZE, UNLABELLED, label_name
from ml.system.wording import quantity

NEEDS = ("probabilities",)
FACE, GRID, FOOT, TITLE = "review-queue-face", "review-queue-grid", "review-queue-foot", "review-queue-title"
TOOLS = "review-queue-tools"
NAMED = 5  # classes that nothing is labelled as


def layout(services: Services, selection: Selection) -> html.Article:
    """A page of the queue."""
    head = html.Div([html.Div([html.H2(id=TITLE, className="card-title"), help_line(__doc__)])], className="card-h")
    body = html.Div(
        [
            plain.place(TOOLS, className="tools-row"),
            plain.place(GRID, className="tiles"),
            plain.place(FOOT),
        ]
    )
    return html.Article([head, slot(FACE, "Reading the queue"), body], className="ff-card")


def register(app: Dash, services: Services) -> None:
    """Redraw when the page, the filters or a decision change; going from image to image leaves it as it is."""

    @panel_callback(
        app,
        FACE,
        Output(TITLE, "children"),
        plain.children(TOOLS),
        plain.children(GRID),
        plain.children(FOOT),
        Input("review-view-state", "data"),
        Input("review-done-state", "data"),
    )
    def list_queue(search: str | None, _: object):
        selection = Selection.parse(search)
        run = services.store.shown(selection.run)
        issues, current_labels = queue(run, selection), services.decisions.current_labels(run.data_version)
        title = f"{issues.suspected:,} suspected of {issues.examined:,}"
        if issues.split == UNLABELLED:
            title = f"What to label next: {issues.suspected:,} without a label"
        if not len(issues.ids):
            return (
                title,
                tools(run, selection, issues, current_labels),
                nothing(selection, issues),
                context(run, selection, 0),
            )
        page = here(selection, len(issues.ids))
        return (
            title,
            tools(run, selection, issues, current_labels),
            tiles(run, selection, issues, current_labels, page),
            [context(run, selection, len(issues.ids)), pager(selection, page, len(issues.ids))],
        )


def here(selection: Selection, n: int) -> int:
    """The page shown, the last where the address is past that."""
    return min(selection.page, max(-(-n // PAGE_SIZE), 1))


def rows(selection: Selection, n: int) -> range:
    """Places of the queue on the page shown."""
    page = here(selection, n)
    return range((page - 1) * PAGE_SIZE, min(page * PAGE_SIZE, n))


def current(issues: Queue, current_labels: CurrentLabels, selection: Selection) -> int | None:
    """The place in front: the one of the address, else the first on the page that nothing was decided of."""
    if selection.sample is not None and (row := issues.row(selection.sample)) is not None:
        return row
    places = rows(selection, len(issues.ids))
    still = (row for row in places if current_labels.of(issues.split, int(issues.ids[row])) is None)
    return next(still, places[0] if places else None)


def tools(run: RunData, selection: Selection, issues: Queue, current_labels: CurrentLabels) -> list:
    """How far one is, what narrows the queue, and ways on."""
    decided = sum(current_labels.of(issues.split, example) is not None for example in issues.ids.tolist())
    n = len(issues.ids)
    words = [html.B(f"{decided:,}", id="review-decided"), f" of {n:,} decided"]
    if issues.split == "train" and n < issues.suspected and not selection.narrowed:
        words.append(f"; pictures of the first {n:,} come with the run")
    if issues.nobody:
        some = ", ".join(run.classes[one] for one in issues.nobody[:NAMED])
        more = f" or {len(issues.nobody) - NAMED:,} more" if len(issues.nobody) > NAMED else ""
        words.append(f"; no image here is labelled {some}{more}, and none that should be is suspected")
    chips = [html.Span(words, className="quiet small")]
    for name, title in (("true", "labelled"), ("pred", "suggested")):
        for value in getattr(selection, name):
            rest = tuple(v for v in getattr(selection, name) if v != value)
            mark = dot(run.classes.index(value)) if value in run.classes else None
            chips.append(chip(title, value, selection.with_(**{name: rest}), mark))
    if selection.narrowed:
        chips.append(
            button(
                "All images" if issues.split == UNLABELLED else "All suspects",
                kind="ghost",
                small=True,
                search=selection.clear().query(),
            )
        )
    several = button("Choose several", small=True, **{"data-several": "", "aria-pressed": "false"})
    gallery = None
    if split_of(selection) != "train" and n:
        ids = tuple(issues.ids[:MAX_IDS].tolist())
        there = selection.clear().with_(ids=ids, sort="given" if issues.split == UNLABELLED else selection.sort)
        gallery = button("Gallery", small=True, search=there.query(), path="/")
    csv = csv_link(f"/export/queue.csv{selection.with_(sample=None, page=1).query()}")
    ways = [html.Div(chips, className="chips"), html.Div([several, gallery, csv], className="row-ff")]
    return [*ways, orders(selection)] if issues.split == UNLABELLED else ways


def orders(selection: Selection) -> html.Div:
    """What comes first of the images without a label."""
    now = to_label.order_of(selection)
    buttons = [
        html.Button(
            words, type="button", title=to_label.MEANS[order],
            **{"data-search": selection.with_(sort=order).query(), "aria-pressed": str(order == now).lower()},
        )
        for order, words in to_label.ORDERS.items()
    ]  # fmt: skip
    return html.Div(buttons, className="seg orders", role="group", **{"aria-label": "Order"})


def nothing(selection: Selection, issues: Queue) -> html.Div:
    """Instead of pictures."""
    if issues.split == UNLABELLED:
        none = "No image without a label matches these filters." if issues.suspected else "Every image has a label."
        return html.Div(panel_states.empty(none), className="c12")
    if selection.narrowed and issues.suspected:
        return html.Div(panel_states.empty("No suspected label matches these filters."), className="c12")
    return html.Div(
        panel_states.empty(f"cleanlab suspects no label of these {quantity(issues.examined, 'image')}."),
        className="c12",
    )


def tiles(run: RunData, selection: Selection, issues: Queue, current_labels: CurrentLabels, page: int) -> list:
    """One button a picture: what is suggested, what it is labelled, and what was decided. Where the pictures are not
    here, how they come."""
    kept = issues.split == "train" and "images" in run.suspects()
    if not kept and (problem := run.without(issues.split)):
        return [html.Div(panel_states.missing(problem), className="c12")]
    places = rows(selection, len(issues.ids))
    ids = [int(issues.ids[row]) for row in places]
    url = sprites_url(run, issues.split, ids)
    height, width = run.dataset["height"], run.dataset["width"]
    front = current(issues, current_labels, selection)
    buttons = []
    for place, row in enumerate(places):
        label, suggested = label_name(run.classes, int(issues.labels[row])), int(issues.suggested[row])
        scored = issues.split != UNLABELLED
        decision = current_labels.of(issues.split, ids[place])
        done = outcome(decision)
        buttons.append(
            html.Button(
                [
                    html.Span(
                        html.Span(done, className="mark") if done else None,
                        className="px",
                        style=tile_style(url, place, len(ids), height, width),
                    ),
                    html.Span([dot(suggested), html.Span(run.classes[suggested])], className="l1"),
                    html.Span(f"is {label}" if scored else f"{100 * issues.quality[row]:.0f} %", className="l2"),
                ],
                type="button",
                className="tile",
                **{
                    "data-sample": str(ids[place]),
                    "data-search": selection.with_(sample=ids[place], page=page).query(),
                    "data-decided": decision.action if decision else "",
                    "data-front": str(row == front).lower(),
                    "aria-label": (
                        f"Image {ids[place]}: labelled {label}, suggested {run.classes[suggested]}, "
                        f"{done or 'not decided'}"
                        if scored
                        else f"Image {ids[place]}: {label}, predicted {run.classes[suggested]}, {done or 'not decided'}"
                    ),
                },
            )
        )
    return buttons


def outcome(decision: Decision | None) -> str:
    """In a word or two; '' for none."""
    if decision is None:
        return ""
    kept = decision.after if decision.split == UNLABELLED else "kept"
    return {"keep": kept, "exclude": "left out"}.get(decision.action, decision.after)


def context(run: RunData, selection: Selection, n: int) -> html.Div:
    """What assets/review.js has to know of the page that is shown."""
    page = here(selection, n)
    bare = selection.with_(sample=None)
    more, before = page * PAGE_SIZE < n, page > 1
    return html.Div(
        id="review-context",
        hidden=True,
        **{
            "data-run": run.run_id,
            "data-split": split_of(selection),
            "data-after": bare.with_(page=page + 1).query() if more else "",
            "data-before": bare.with_(page=page - 1).query() if before else "",
        },
    )


def pager(selection: Selection, page: int, n: int) -> html.Div:
    """Where we are, and the pages before and after."""
    bare = selection.with_(sample=None)
    first, last = (page - 1) * PAGE_SIZE, min(page * PAGE_SIZE, n)
    more = last < n
    steps = [
        button(
            "Previous", small=True, search=bare.with_(page=page - 1).query() if page > 1 else None, disabled=page == 1
        ),
        button("Next", small=True, search=bare.with_(page=page + 1).query() if more else None, disabled=not more),
    ]
    words = html.Span(f"{first + 1:,} – {last:,} of {n:,}", className="quiet small")
    return html.Div([words, html.Div(steps, className="row-ff")], className="pager")
