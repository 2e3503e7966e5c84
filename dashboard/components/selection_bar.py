"""How many images are selected, by what, and the way back; the same bar on every page that has a selection."""

from collections.abc import Sequence
from dataclasses import dataclass

from dash import Dash, Input, Output, State, html

from dashboard.components import button, class_choices, csv_link, dot, plain, report_link
from dashboard.components.icons import icon
from dashboard.components.panel import panel_callback, slot
from dashboard.components.plain import element
from dashboard.data.run import RunData
from dashboard.format.proportion import Proportion
from dashboard.services.container import Services
from dashboard.state.selection import Selection
from dashboard.state.vocabulary import BUCKETS, OUTCOMES, PAIRED, SCORED, SPLITS, UNLABELLED, split_name
from ml.stats.failure_modes import TAGS
from ml.system.wording import quantity

COUNT = "selection-count"
GALLERY = "/"  # the page that shows the images of a selection
FACE = "selection-face"


@dataclass(frozen=True)
class Terms:
    """What chips are called. buckets: who is right, in the order of BUCKETS; paired: on a page about two runs."""

    buckets: tuple[str, ...] = ("both", "only A", "only B", "neither")
    pred: str = "predicted"
    outcome: str = "outcome"
    conf: str = "confidence"
    paired: bool = False


def terms(a: str, b: str, *, paired: bool) -> Terms:
    """a, b: titles of the two runs."""
    buckets = ("both", f"only {a}", f"only {b}", "neither")
    return Terms(buckets, "one alone says", a, f"{a} confidence", True) if paired else Terms(buckets)


def layout(services: Services, selection: Selection) -> html.Div:
    """Place it under the scores; it sticks below the navigation."""
    return html.Div(
        [
            slot(FACE),
            html.Span([html.B(id=COUNT), " ", html.Span(id="selection-words", className="quiet")], className="count"),
            plain.place("selection-chips", className="chips"),
            html.Div(id="selection-clear", className="row-ff"),
        ],
        className="ff-card selbar",
        role="region",
        **{"aria-label": "Selection"},
    )


def register(app: Dash, services: Services) -> None:
    """Recount and redraw the chips whenever the address changes."""

    @panel_callback(
        app,
        FACE,
        Output(COUNT, "children"),
        Output("selection-words", "children"),
        plain.children("selection-chips"),
        Output("selection-clear", "children"),
        Input("url", "search"),
        State("url", "pathname"),
    )
    def draw_selection(search: str | None, path: str | None):
        selection = Selection.parse(search)
        if path in PAIRED:
            pair = services.store.compare(selection)
            run, say = pair.a, terms(pair.a.title, pair.b.title, paired=True)
            n, total = int(pair.mask(selection.differing()).sum()), pair.n
        else:
            run = services.store.shown(selection.run).for_selection(selection)
            n, total, say = run.count(selection), run.counted(selection.split), Terms()
            if selection.bucket:
                say = terms(run.title, services.store.other(run, selection.against).title, paired=False)
        ways: list = []
        if path not in (GALLERY, *PAIRED):
            ways.append(button("Show them", small=True, search=selection.here().query(), path=GALLERY))
        ways += files(selection, paired=path in PAIRED)
        if selection.narrowed:
            ways.append(button("Clear", kind="ghost", small=True, search=selection.clear().query()))
        first = words(n, total)
        sentence = [first] if isinstance(first, str) else [*first]
        if selection.split == UNLABELLED:
            sentence.append(html.Span("; no labels: not scored", className="quiet"))
        elif path not in PAIRED and n and not selection.settled():
            sentence.append(right(run.count(selection.with_(outcome=("right",))), n))
        return f"{n:,}", sentence, [*chips(run, selection, say), add_filter(run, selection, say)], ways


def files(selection: Selection, *, paired: bool) -> list:
    """The selected rows as CSV, and the view as one page that needs no network."""
    query = selection.query()
    table = csv_link(f"/export/{'pairs' if paired else 'selection'}.csv{query}")
    table.title = "Exactly the selected images, a row each"
    return [table, report_link("comparison" if paired else "", query)]


def words(n: int, total: int) -> list | str:
    """What the number is of."""
    if n == total:
        return "images, all there are"
    share = Proportion(n, total)
    return [f"of {quantity(total, 'image')}, {share.percent} % ", html.Span(f"({share.span})", className="faint")]


def right(hits: int, n: int) -> html.Span:
    """The share named right, with its interval."""
    share = Proportion(hits, n)
    return html.Span([f"; {share.percent} % right ", html.Span(f"({share.span})", className="faint")])


def chips(run: RunData, selection: Selection, say: Terms) -> list:
    """One chip a value; clicking it takes the value away."""
    items = []
    for name, title in (("true", "true"), ("pred", say.pred)):
        for value in getattr(selection, name):
            mark = dot(run.classes.index(value)) if value in run.classes else None
            rest = tuple(v for v in getattr(selection, name) if v != value)
            items.append(chip(title, value, selection.with_(**{name: rest}), mark))
    if not selection.narrowed and say.paired:
        items.append(chip("right", "one alone", selection.with_(bucket=BUCKETS)))
    elif selection.split == UNLABELLED and not selection.outcome:
        pass  # nothing is right or wrong
    elif not selection.narrowed:
        items.append(chip("outcome", "wrong", selection.with_(outcome=OUTCOMES)))
    elif len(selection.outcome) == len(OUTCOMES):
        items.append(chip(say.outcome, "wrong or right", selection.with_(outcome=())))
    else:
        items += [chip(say.outcome, value, without_outcome(selection)) for value in selection.outcome]
    if len(selection.bucket) == len(BUCKETS):
        items.append(chip("right", "any or none", selection.with_(bucket=())))
    else:
        for value in selection.bucket:
            rest = tuple(v for v in selection.bucket if v != value)
            items.append(chip("right", say.buckets[BUCKETS.index(value)], selection.with_(bucket=rest)))
    if selection.conf:
        low, high = selection.conf
        items.append(chip(say.conf, f"{short(low)} – {short(high)}", selection.with_(conf=None)))
    if selection.tempered:
        low, high = selection.tempered
        items.append(chip(f"scaled {say.conf}", f"{short(low)} – {short(high)}", selection.with_(tempered=None)))
    if selection.reject:
        items.append(chip("answered from", f"{100 * selection.reject:g} %", selection.with_(reject=None)))
    for name in ("tag", "slice"):
        for value in getattr(selection, name):
            rest = tuple(v for v in getattr(selection, name) if v != value)
            known = TAGS.get(value) if name == "tag" else None
            words = run.slice_name(value) if name == "slice" else known.title if known else value
            items.append(chip(name, words, selection.with_(**{name: rest}), means=known.means if known else ""))
    if selection.lasso:
        plot = selection.lasso.plot.replace("-", " ")
        items.append(chip("lasso", f"on the {plot}", selection.with_(lasso=None)))
    if selection.ids:
        n = len(selection.ids)
        items.append(chip("ids", quantity(n, "image"), selection.with_(ids=())))
    if run.epoch is not None:
        items.append(chip("as answered after epoch", str(run.epoch), selection.with_(epoch=None)))
    if selection.labels:
        items.append(chip("labels", f"as {selection.labels}", selection.with_(labels=None)))
    return items


def short(share: float) -> str:
    """'0.50', '0.933' for an end that two digits do not say."""
    return f"{share:.2f}" if abs(share - round(share, 2)) < 1e-6 else f"{share:.3f}"


def without_outcome(selection: Selection) -> Selection:
    """Let go of the outcome: alone, that means all images, which has to be said since nothing means the mistakes."""
    rest = selection.with_(outcome=())
    return rest if rest.narrowed else selection.with_(outcome=OUTCOMES)


def chip(field: str, value: str, without: Selection, mark: html.I | None = None, *, means: str = "") -> html.Button:
    """The whole chip removes it. means: shown on hover."""
    return html.Button(
        [mark, html.Span([html.Em(field), " ", value]), icon("close")],
        type="button",
        className="chip",
        title=means or value,
        **{"data-search": without.query(), "aria-label": f"Remove {field} {value}"},
    )


def add_filter(run: RunData, selection: Selection, say: Terms) -> html.Details:
    """Every class and outcome as a button, for those who do not click charts."""

    def choices(name: str, title: str) -> list:
        chosen = getattr(selection, name)

        def add(i: int | str, value: str) -> dict:
            return element(
                "Button",
                [dot(i), element("Span", value)],
                type="button",
                className="chip add",
                title=value,
                **{
                    "data-search": selection.with_(**{name: (*chosen, value)}).query(),
                    "aria-label": f"Add {title} {value}",
                },
            )

        return class_choices.choices(run.classes, add, label=f"Add {title}", without=chosen)

    def plain(words: str, there: Selection) -> dict:
        return element("Button", words, type="button", className="chip add", **{"data-search": there.query()})

    bands = [(0.0, 0.5), (0.5, 0.8), (0.8, 0.95), (0.95, 1.0)]
    if say.paired:
        start = selection.differing()
        who = [
            plain(words, selection.with_(bucket=(*selection.bucket, bucket)))
            for bucket, words in zip(BUCKETS, say.buckets, strict=True)
            if bucket not in selection.bucket
        ]
        right: list = [html.H3("Who is right"), html.Div(who, className="chips")]
    else:
        start = selection.explicit()
        who = [plain(o, selection.with_(outcome=(o,))) for o in OUTCOMES]
        right = [html.H3("Outcome"), html.Div(who, className="chips")]
    scored = selection.split != UNLABELLED
    menu = html.Div(
        [
            *([html.H3("True class"), *choices("true", "true")] if scored else []),
            html.H3("Said by one alone" if say.paired else "Predicted class"),
            *choices("pred", say.pred),
            *(right if scored else []),
            html.H3("Failure mode"),
            html.Div(
                [
                    element(
                        "Button",
                        tag.title,
                        type="button",
                        className="chip add",
                        title=tag.means,
                        **{"data-search": start.with_(tag=(*selection.tag, key)).query()},
                    )
                    for key, tag in TAGS.items()
                    if key not in selection.tag and (scored or key == "near-duplicate")
                ],
                className="chips",
            ),
            html.H3(f"Confidence of {say.outcome}" if say.paired else "Confidence"),
            html.Div([plain(f"{a:.2f} – {b:.2f}", start.with_(conf=(a, b))) for a, b in bands], className="chips"),
        ],
        className="menu",
        **class_choices.named(run.classes),
    )
    return html.Details([html.Summary("Add filter", className="chip add"), menu], className="addfilter")


def has_unlabelled(services: Services, selection: Selection) -> bool:
    """Whether the run shown has images without a label."""
    try:
        return services.store.shown(selection.run).has_unlabelled
    except (LookupError, ValueError):
        return False


def splits(services: Services, selection: Selection, offered: Sequence[str] = SCORED[:2]) -> html.Div:
    """The splits to choose from, and the chosen one where it is not among them; unlabelled where there is any."""
    offered = (*offered, *([UNLABELLED] if has_unlabelled(services, selection) else []))
    shown = [split for split in SPLITS if split in (*offered, selection.split)]
    buttons = [
        html.Button(
            split_name(split).capitalize(),
            type="button",
            **{
                "data-search": selection.of_split(split).query(),
                "aria-pressed": str(split == selection.split).lower(),
            },
        )
        for split in shown
    ]
    return html.Div(buttons, className="seg", role="group", **{"aria-label": "Split"})
