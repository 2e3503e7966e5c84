"""The preparation doctor's table: what a network is right about when it is asked in other ways. It chooses nothing."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from dash import Dash, Input, Output, State, html
from dash.exceptions import PreventUpdate

from dashboard.components import badge, column_head, plain
from dashboard.components.panel import only
from dashboard.data import datasets
from dashboard.pages.training.add_memory import Ids, Memory, base_of, source_of, wishes_of
from dashboard.pages.training.add_view import sentence
from dashboard.pages.training.add_words import on_screen
from dashboard.services.container import Services
from dashboard.services.looking import Looked
from ml.artifacts.reader import Missing
from ml.people import acting

SHOWN = 10  # rows
HEADS = (("Asked with", ""), ("Right", "r"), ("95 % interval", "r"), ("Log loss", "r"))


def register(app: Dash, services: Services) -> None:
    @app.callback(
        plain.children(Ids.DOCTOR),
        Output(Memory.TABLE, "data"),
        Input(Memory.SOURCE, "data"),
        Input(Ids.DATASET, "value"),
        Input(Memory.WISHES, "data"),
        Input(Memory.TICK, "n_intervals"),
        State(Memory.TABLE, "data"),
    )
    def show_table(source: object, dataset: object, wishes: object, _tick: int | None, shown: object):
        staged = services.adding.brought(source_of(source)) if acting.may("import") else None
        if staged is None or not isinstance(dataset, str) or not known(services, dataset):
            if only(Memory.TICK):
                raise PreventUpdate
            return None, None
        said = wishes_of(staged.id, wishes)
        base = base_of(staged.id, wishes, said)
        key = [staged.id, services.adding.key(dataset, said)]
        if only(Memory.TICK) and shown == key:
            raise PreventUpdate
        found = (services.adding.look(staged, dataset, said).answer or {}).get("found") or {}
        if "doctor" not in found:  # no network, or not looked at yet
            return None, None
        looked = services.adding.diagnose(staged, dataset, base)
        return drawn(looked, base.get("network", {}), said.get("network", {})), key if done(looked) else None


def known(services: Services, dataset: str) -> bool:
    """Whether a data set of this name is here."""
    try:
        return not datasets.one(services.store.library, dataset, services.store.runs()).problem
    except Missing:
        return False


def done(looked: Looked) -> bool:
    """Whether nothing more comes of it."""
    return looked.answer is not None or bool(looked.problem)


def drawn(looked: Looked, base: Mapping[str, Any], now: Mapping[str, Any]) -> html.Div:
    """base: what was said when it was asked; now: what is said by now, which is a row's where one was used."""
    head: list[Any] = [html.H3("Is it asked as it should be?")]
    if not done(looked):
        words = "Asking it about validation images in the ways that are commonly meant"
        late = f" · {looked.seconds:.0f} s" if looked.seconds >= 2 else ""
        bar = html.Progress(**{"aria-label": words})
        return html.Div([*head, html.P(f"{words}{late}. It can be published meanwhile.", role="status"), bar],
                        className="thinking")  # fmt: skip
    table = ((looked.answer or {}).get("found") or {}).get("doctor") or {}
    why = str(table.get("sentence") or looked.problem or (looked.answer or {}).get("refused") or "")
    told = html.P(sentence(on_screen(why)) + ("" if why.endswith(("?", ".")) else "."), className="quiet small")
    if not table.get("rows"):
        return html.Div([*head, told])
    lines = [row(one, table, base, now) for one in listed(table)]
    heads = [column_head(words, className=kind or None) for words, kind in HEADS]
    heads.append(html.Th(html.Span("Use", className="visually-hidden"), scope="col"))
    scrolled = html.Div(
        html.Table([html.Thead(html.Tr(heads)), html.Tbody(lines)]), className="tablewrap", tabIndex="0", role="region",
        **{"aria-label": "Other ways of asking, scrollable"},
    )  # fmt: skip
    n, asked = table["n"], table["asked"]
    about = f"Of {n:,} validation images, asked in {asked:,} ways. Rows that cannot be told from the best say so."
    return html.Div([*head, told, scrolled, html.P(about, className="faint small")])


def listed(table: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """As stated first, then the best; what is advised is among them."""
    rows: Sequence[Mapping[str, Any]] = table["rows"]
    stated, advice = rows[table["stated"]], table.get("advice")
    others = [one for one in rows if one is not stated and not one["more"]][: SHOWN - 1]
    if advice is not None and rows[advice["row"]] not in others:
        others.append(rows[advice["row"]])
    return [stated, *others]


def row(one: Mapping[str, Any], table: Mapping[str, Any], base: Mapping[str, Any], now: Mapping[str, Any]) -> html.Tr:
    """One way of asking."""
    advice = table.get("advice")
    advised = advice is not None and table["rows"][advice["row"]] is one
    wishes = dict(base) if one["stated"] else one.get("wishes")
    marks = [badge("suggested", "info") if advised else None]
    alike = not one["apart"] and not one["first"]
    name = [html.Span([html.B(one["words"]), *filter(None, marks)], className="first")]
    name += [html.Small("not told apart from the best", className="second quiet")] if alike else []
    use: Any = None
    if wishes == dict(now):
        use = html.Span("in use", className="faint inuse")
    elif wishes is not None:
        about = {"data-adding-use": json.dumps(wishes), "aria-label": f"Use this: {one['words']}"}
        use = html.Button("Use this", type="button", className="btn-ff sm", **about)
    low, high = 100 * one["low"], 100 * one["high"]
    return html.Tr(
        [
            html.Th(name, scope="row"),
            html.Td(f"{100 * one['accuracy']:.1f} %", className="r"),
            html.Td(f"{low:.1f} to {high:.1f}", className="r"),
            html.Td(f"{one['loss']:.3g}", className="r"),
            html.Td(use, className="r"),
        ],
        **({"data-stated": ""} if one["stated"] else {}),
    )
