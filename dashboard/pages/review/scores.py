"""The same accuracy counted twice: by the labels as they came, and by what was decided here. They are never mixed."""

from dash import Dash, Input, html

from dashboard.analysis import label_review
from dashboard.analysis.label_review import Counted, counted, split_of
from dashboard.components import button, column_head, csv_link, dot, help_line, plain, whisker
from dashboard.components.panel import panel_callback, slot
from dashboard.data.run import RunData
from dashboard.format.proportion import Proportion
from dashboard.services.container import Services
from dashboard.state.selection import Selection
from dashboard.state.vocabulary import UNLABELLED
from ml.system.wording import quantity

FACE, BODY = "review-scores-face", "review-scores-body"


def layout(services: Services, selection: Selection) -> html.Article:
    """As labelled and as reviewed, side by side."""
    head = html.Div(
        [html.Div([html.H2("As labelled, as reviewed", className="card-title"), help_line(__doc__)])],
        className="card-h",
    )
    return html.Article([head, slot(FACE, "Counting"), plain.place(BODY)], className="ff-card", id="review-scores-card")


def register(app: Dash, services: Services) -> None:
    """Recount after each decision."""

    @panel_callback(
        app,
        FACE,
        plain.children(BODY),
        Input("review-view-state", "data"),
        Input("review-done-state", "data"),
    )
    def draw_scores(search: str | None, _: object):
        selection = Selection.parse(search)
        run = services.store.shown(selection.run)
        if split_of(selection) == UNLABELLED:
            return unlabelled(run, services)
        if split_of(selection) == "train":
            current_labels = services.decisions.current_labels(run.data_version)
            relabelled, excluded = label_review.corrections(run, current_labels)
            kept = sum(d.action == "keep" for d in current_labels.within("train").values())
            phrases = [
                f"{quantity(n, noun)} {done}"
                for n, noun, done in (
                    (len(relabelled), "label", "changed"),
                    (len(excluded), "image", "left out"),
                    (kept, "label", "confirmed"),
                )
            ]
            words = (
                f"Of train: {', '.join(phrases)}. The run learned from these, so no score is told by them: train again "
                "below, and compare."
            )
            return html.P(words, className="quiet")
        labelled, reviewed = counted(run, selection.split)
        return [
            html.Div([line("As labelled", labelled), line("As reviewed", reviewed)], className="twice"),
            changes(run.classes, labelled, reviewed),
            html.P(label_review.CAUTION, className="quiet small"),
            html.Div([*ways(selection), csv_link(label_review.scores_url(selection))], className="row-ff tail"),
        ]


def unlabelled(run: RunData, services: Services) -> html.P:
    """What people said of images without a label, none of which any score counts."""
    made = services.decisions.current_labels(run.data_version).within(UNLABELLED).values()
    given, predicted = sum(bool(one.after) for one in made), sum(one.action == "keep" for one in made)
    left = sum(not one.after for one in made)
    words = (
        f"No labels: not scored. {given:,} of these images {'has' if given == 1 else 'have'} a label from here, "
        f"{predicted:,} of them the one that was predicted; {left:,} skipped. What has a label becomes a training "
        "image of the next training, and of the data set as it is exported with labels as reviewed."
    )
    return html.P(words, className="quiet")


def line(words: str, counts: Counted) -> html.Div:
    """Accuracy with its interval and n."""
    share = Proportion(int(counts.right.sum()), int(counts.n.sum()))
    low, high = share.ends
    return html.Div(
        [
            html.Span(words, className="label"),
            html.B([f"{100 * share.value:.2f}", html.Small(" %")], className="value"),
            whisker(share.value, low, high, (max(low - 0.02, 0), min(high + 0.02, 1))),
            html.Span(f"{share.span}, {share.count:,} of {share.n:,}", className="faint small"),
        ]
    )


def changes(classes: list[str], labelled: Counted, reviewed: Counted) -> html.Div | html.P:
    """The classes that the decisions touch."""
    touched = [
        i for i in range(len(classes)) if (labelled.right[i], labelled.n[i]) != (reviewed.right[i], reviewed.n[i])
    ]
    if not touched:
        return html.P("No decision of this split changes a score yet.", className="quiet small")

    def cell(counts: Counted, i: int) -> html.Td:
        share = Proportion(int(counts.right[i]), int(counts.n[i]))
        return html.Td(
            [html.B(f"{share.percent} %"), html.Span(f" {share.span}, n {share.n:,}", className="faint small")]
        )

    lines = [
        html.Tr([html.Th([dot(i), " ", classes[i]], scope="row"), cell(labelled, i), cell(reviewed, i)])
        for i in touched
    ]
    head = html.Thead(html.Tr([column_head(words) for words in ("Class", "As labelled", "As reviewed")]))
    table = html.Table([head, html.Tbody(lines)])
    return html.Div(table, className="tablewrap", tabIndex="0", role="region", **{"aria-label": "Scores by class"})


def ways(selection: Selection) -> list[html.Button]:
    """The Dashboard by either labels."""
    whole = Selection(run=selection.run, split=selection.split)
    return [
        button(f"Dashboard {words}", small=True, search=whole.with_(labels=labels).query(), path="/")
        for words, labels in (("as labelled", None), ("as reviewed", "reviewed"))
    ]
