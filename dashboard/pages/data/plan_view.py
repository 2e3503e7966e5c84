"""A plan on the screen: what a source is, its splits, columns and classes, and what can be changed of them."""

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

from dash import html

from dashboard.components import badge, column_head, plain
from dashboard.services.imports import on_screen
from dashboard.services.staging import Staged

TARGETS = {"train": "train", "validation": "validation", "test": "test", "unlabelled": "without labels", "": "left out"}
ROLES = {"image": "Picture", "label": "Label", "split": "Split", "group": "Group"}
HEADS = (("Found", ""), ("Pictures", "r"), ("Becomes", ""))
ORDERED = 60  # classes up to which their order can be changed by hand
FINDABLE = 12  # classes beyond which they are looked for
ORDER = ("train", "validation", "test")
SENTENCES = 20  # notes, and reasons of what is left out


def drawn(staged: Staged, plan: Mapping[str, Any], chosen: Mapping[str, Any], named: Mapping[str, Any]) -> html.Div:
    """All of it. plan: as ml.data.Plan.to_json, with `samples`: class → data URLs of its first pictures as fitted.

    chosen: what was, of splits and columns; assets/data.js adds to it. named: what was of classes, which stand so.
    """
    parts = [facts(plan), notes(plan), splits(plan), columns(plan["tables"]), classes(plan, named)]
    return html.Div([part for part in parts if part is not None], **_about(staged, chosen))


def facts(plan: Mapping[str, Any]) -> html.Ul:
    """What it is and what it becomes, each with why."""
    height, width = plan["size"]
    sizes = [f"{h} × {w}" for h, w, _ in plan["sizes"][:3]]
    more = plan["other_sizes"] + max(0, len(plan["sizes"]) - 3)
    met = f"they are {', '.join(sizes)}{f' and {more:,} other sizes' if more else ''}; {plan['why_size']}"
    colour = "colour" if plan["colour"] else "gray"
    lines = [
        ("It is", str(plan["kind"]), ""),
        ("Pictures", f"{plan['n']:,}", ""),
        ("Classes", f"{len(plan['classes']):,}", ""),
        ("Becomes", f"{height} × {width}, {colour}", f"{met}; {plan['why_colour']}"),
    ]
    return html.Ul(
        [
            html.Li([html.Span(name, className="label"), html.B(value), html.Small(why, className="quiet")])
            for name, value, why in lines
        ],
        className="set-facts",
    )


def notes(plan: Mapping[str, Any]) -> html.Div | None:
    """Sentences on what was understood, then what is left out and why."""
    said, left = plan["notes"], plan["left_out"]
    parts: list[Any] = []
    if said:
        told = [on_screen(words) for words in said[:SENTENCES]]
        parts.append(html.Ul([html.Li(words) for words in told], className="set-notes"))
    if left:
        parts.append(left_out(left))
    return html.Div(parts) if parts else None


def asked(staged: Staged, tables: Sequence[Mapping[str, Any]], chosen: Mapping[str, Any]) -> html.Div:
    """The columns of tables of which nobody knows yet what they hold. chosen: as in `drawn`."""
    return html.Div([columns(tables)], **_about(staged, chosen))


def _about(staged: Staged, chosen: Mapping[str, Any]) -> dict[str, str]:
    """What assets/data.js reads. chosen: as in `drawn`."""
    kept = {key: value for key, value in chosen.items() if key in ("splits", "columns", "turned")}
    return {"data-plan": staged.id, "data-chosen": json.dumps(kept), "data-drawn": str(time.time())}


def left_out(reasons: Sequence[Mapping[str, Any]]) -> html.Details:
    """How many files for which reason, with the names of some. reasons: as ml.data.importing has them."""
    total = sum(one["n"] for one in reasons)
    lines = []
    for one in reasons[:SENTENCES]:
        more = one["n"] - len(one["names"])
        names = ", ".join(one["names"]) + (f" and {more:,} more" if more > 0 else "")
        reason = on_screen(one["reason"]).rstrip(".")
        lines.append(html.Li([html.B(f"{one['n']:,}"), f" {reason}: ", html.Span(names)]))
    return html.Details(
        [html.Summary(f"Left out: {total:,}"), html.Ul(lines, className="set-notes")], className="more left-out"
    )


def splits(plan: Mapping[str, Any]) -> html.Div:
    """What the source calls splits, what each becomes, and what is drawn from train."""
    rows = []
    for part in plan["parts"]:
        found = part["name"] or part["split"]
        if not found:
            continue
        choice = select({"data-split-of": found}, TARGETS, part["split"], f"What {found} becomes")
        cells = [html.Th(found, scope="row"), html.Td(f"{part['n']:,}", className="r"), html.Td(choice)]
        rows.append(html.Tr(cells))
    told = [f"{split} {n:,}" for split in ORDER if (n := plan["splits"].get(split))]
    told += [f"without labels {plan['unlabelled']:,}"] if plan["unlabelled"] else []
    words = f"{', '.join(told)}."
    for split, share in plan["drawn"].items():
        words += f" {100 * share:.0f} % of train will be drawn for {split}."
    table = None
    if rows:
        heads = [column_head(word, className=kind or None) for word, kind in HEADS]
        table = html.Div(html.Table([html.Thead(html.Tr(heads)), html.Tbody(rows)]), className="tablewrap")
    return html.Div([html.H3("Splits"), html.P(words, className="quiet small"), table])


def columns(tables: Sequence[Mapping[str, Any]]) -> html.Div | None:
    """What columns of a table are for, and what else they could be."""
    if not tables:
        return None
    table = tables[0]
    known = [*table["columns"].values(), *table["others"]]
    fields = []
    for role, words in ROLES.items():
        offered = {"": "none", **{one: one for one in known}}
        now = table["columns"].get(role, "")
        box = select({"data-column-of": role}, offered, now, f"Column of {words.lower()}")
        fields.append(html.Label([html.Span(words, className="label"), box]))
    many = f"{len(tables)} tables; the first is {table['name']}." if len(tables) > 1 else f"Of {table['name']}."
    return html.Div([html.H3("Columns"), html.P(many, className="quiet small"), html.Div(fields, className="fits")])


def classes(plan: Mapping[str, Any], named: Mapping[str, Any]) -> html.Div:
    """Each class: whether it is taken, its name, how many pictures, the first of them as they will be."""
    samples: Mapping[str, Sequence[str]] = plan.get("samples", {})
    names: Mapping[str, str] = named.get("names", {})
    places = {name: place for place, name in enumerate(named.get("order", ()))}
    found = sorted(plan["classes"], key=lambda one: places.get(names.get(one["name"]) or one["name"], len(places)))
    ordered = len(found) <= ORDERED
    rows = [line(one["name"], names.get(one["name"]), one["n"], samples.get(one["name"], ()), ordered) for one in found]
    find = None
    if len(found) > FINDABLE:
        find = plain.element(
            "Input", None, type="search", className="form-control", placeholder="Find a class",
            **{"data-class-find": "", "aria-label": "Find a class"},
        )  # fmt: skip
    words = "Untick a class to leave it out, write over a name to change it; two classes of one name become one."
    listed = html.Ul(rows, className="plan-classes", tabIndex="0", **{"aria-label": "Classes"})
    return html.Div([html.H3("Classes"), html.P(words, className="quiet small"), find, listed])


def line(name: str, wanted: str | None, counts: Mapping[str, int], samples: Sequence[str], ordered: bool) -> html.Li:
    """One class. wanted: another name that it was given, '' where it was left out."""
    total = sum(counts.values())
    said = ", ".join(f"{split or 'no split said'} {n:,}" for split, n in counts.items())
    used = plain.element(
        "Input", None, type="checkbox", className="form-check-input", checked=wanted != "",
        **{"data-class-used": "", "aria-label": f"Take {name}"},
    )  # fmt: skip
    field = plain.element(
        "Input", None, type="text", className="form-control", value=wanted or name, maxLength=60, title=wanted or name,
        **{"data-class-name": "", "aria-label": f"Name of {name}"},
    )  # fmt: skip
    pictures = [html.Img(src=url, alt="", className="crisp") for url in samples]
    lacks = [badge(f"none in {split}", "warn") for split, n in counts.items() if split and not n]
    number = html.Span(f"{total:,}", className="n", title=said)
    about = html.Span([number, *lacks, html.Span(pictures, className="firsts")], **{"data-class-facts": ""})
    move = [
        html.Button(
            mark, type="button", className="btn-ff sm ghost icon",
            **{"data-move": way, "aria-label": f"Move {name} {way}"},
        )
        for way, mark in (("up", "↑"), ("down", "↓"))
    ]  # fmt: skip
    cells = [used, field, about, html.Span(move, className="row-ff") if ordered else None]
    return html.Li(cells, **{"data-class-of": name})


def select(more: Mapping[str, str], options: Mapping[str, str], value: str, label: str) -> dict:
    """A select of html, which assets/data.js reads."""
    offered = [plain.element("Option", words, value=one, selected=one == value) for one, words in options.items()]
    attributes = {**more, "data-was": value, "aria-label": label}
    return plain.element("Select", offered, className="form-select sm", **attributes)
