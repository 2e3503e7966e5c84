"""Every image is in one of four, as McNemar's test counts them. Click one to see its images."""

from dash import Dash, Input, Output, html

from dashboard.components import card, csv_link, plain
from dashboard.components.panel import panel_callback, slot
from dashboard.data.pair import RunPair
from dashboard.exports.tables import Table, of_pair
from dashboard.format.csv import table_url
from dashboard.format.proportion import Proportion
from dashboard.pages.comparison.letters import letter
from dashboard.services.container import Services
from dashboard.state.selection import Selection
from dashboard.state.vocabulary import BUCKETS
from ml.stats.intervals import wilson
from ml.system.wording import quantity

FACE, BODY, CSV = "comparison-buckets-face", "comparison-buckets-body", "comparison-buckets-csv"


def layout(services: Services, selection: Selection) -> html.Article:
    """A bar true to scale, and four buttons with numbers."""
    body = [slot(FACE, "Counting"), plain.place(BODY, className="four")]
    return card("Who is right", __doc__, body, tools=html.Span(id=CSV))


def register(app: Dash, services: Services) -> None:
    """Counted under every chip but the bucket, which is this panel's own."""

    @panel_callback(app, FACE, plain.children(BODY), Output(CSV, "children"), Input("url", "search"))
    def draw_buckets(search: str | None):
        selection = Selection.parse(search)
        pair = services.store.compare(selection)
        return four(pair, selection), csv_link(table_url("buckets", selection))


def names(pair: RunPair) -> list[list]:
    """What the four are called."""
    return [
        [html.I(className="sw both"), "Both right"],
        ["Only ", letter("a"), pair.a.title],
        ["Only ", letter("b"), pair.b.title],
        [html.I(className="sw neither"), "Neither"],
    ]


def four(pair: RunPair, selection: Selection) -> list:
    """The bar, then the buttons."""
    counts = pair.buckets(selection).tolist()
    n = sum(counts)
    links = [selection.toggle("bucket", bucket) for bucket in BUCKETS]
    bar = html.Div(
        [
            html.I(
                className=f"part {bucket}",
                style={"flexGrow": count},
                title=f"{count:,}",
                **{"data-search": there.query()},
            )
            for bucket, count, there in zip(BUCKETS, counts, links, strict=True)
            if count
        ],
        className="stack-bar",
        **{"aria-hidden": "true"},
    )
    shares = [Proportion(count, max(n, 1)) for count in counts]
    titles = ("both right", f"only {pair.a.title} right", f"only {pair.b.title} right", "neither right")
    buttons = [
        html.Button(
            [
                html.Span(name, className="label"),
                html.B(f"{share.count:,}"),
                html.Span([f"{share.percent} % ", html.Span(f"({share.span})", className="faint")], className="ci"),
            ],
            type="button",
            **{
                "data-bucket": bucket,
                "data-search": there.query(),
                "data-add": selection.toggle("bucket", bucket, add=True).query(),
                "aria-label": f"{share.count} {title}",
                "aria-pressed": str(bucket in selection.bucket).lower(),
            },
        )
        for bucket, name, title, share, there in zip(BUCKETS, names(pair), titles, shares, links, strict=True)
    ]
    others = any(getattr(selection, name) for name in ("true", "pred", "outcome", "conf", "lasso", "ids"))
    total = f"{quantity(n, 'image')}{' under the other filters' if others else ''}, 95 % intervals"
    return [bar, html.Div(buttons, className="four-buttons"), html.P(total, className="faint small")]


def csv_rows(pair: RunPair, selection: Selection) -> Table:
    """The four as they are shown, with the 95 % interval of each share."""
    counts = pair.buckets(selection)
    n = int(counts.sum())
    low, high = wilson(counts, n)
    return ["who is right", "images", "n", "low", "high"], [
        [name, int(count), n, f"{a:.6f}" if n else "", f"{b:.6f}" if n else ""]
        for name, count, a, b in zip(BUCKETS, counts, low, high, strict=True)
    ]


TABLES = {"buckets": of_pair(csv_rows)}
