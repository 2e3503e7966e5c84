"""Components as HTML, as the browser will draw them: what stands in sight until Dash has drawn the page itself.

A component here is what Dash sends of it: {"type", "namespace", "props"}. Ids are left out, since the page that takes
over has them, but for those of fields, which labels name, with a word before each; what a callback fills later is drawn
with what it holds so far.
"""

import re
from collections.abc import Callable, Iterator
from html import escape
from typing import Any

from dashboard.first import drawings

HTML = "dash_html_components"
EMPTY = frozenset({"br", "hr", "img", "input", "source", "wbr"})
NAMES = {"className": "class"}
FIELDS = frozenset({"input", "select", "textarea"})
FIRST = "first-"  # before the id of a field, so that the page that takes over has its own for itself
# a control's name would reach into the page that takes over
LEFT = frozenset(
    {
        "children",
        "id",
        "key",
        "name",
        "n_clicks",
        "n_clicks_timestamp",
        "disable_n_clicks",
        "autoFocus",
    }
)
LINKS, SCRIPT = ("href", "src"), re.compile(r"\s*javascript:", re.IGNORECASE)  # dash.html draws no such link either
DARK = "dark"  # of a chart here: its figure where the reader's colours turn out to be dark
PLAIN_NUMBERS = frozenset({"opacity", "zIndex", "flex", "flexGrow", "order", "lineHeight", "fontWeight"})


def markup(node: Any) -> str:
    """HTML of a component, of text, or of a list of them; nothing for what shows nothing."""
    return "".join(pieces(node, []))


def pieces(node: Any, slots: list) -> Iterator[str]:
    """The HTML bit by bit. slots: what {"slot": i} stands for."""
    if node is None or isinstance(node, bool):
        return
    if isinstance(node, list):
        for one in node:
            yield from pieces(one, slots)
    elif not isinstance(node, dict):
        yield escape(str(node), quote=False)
    elif "slot" in node:
        yield from pieces(slots[node["slot"]], [])
    elif node.get("namespace", HTML) == HTML:
        yield from element(node["type"].lower(), node["props"], node["props"].get("children"), slots)
    else:
        draw = DRAWN.get(node["type"])
        if draw is not None:
            yield from draw(node["props"])


def element(tag: str, props: dict[str, Any], children: Any, slots: list) -> Iterator[str]:
    """One element and what is in it."""
    known = named(props) if tag in FIELDS else ""
    yield f"<{tag}{known}{''.join(attributes(props))}>"
    if tag not in EMPTY:
        yield from pieces(children, slots)
        yield f"</{tag}>"


def named(props: dict[str, Any]) -> str:
    """The id of a field as an attribute, '' without one."""
    known = props.get("id")
    return f' id="{FIRST}{escape(known)}"' if isinstance(known, str) else ""


def attributes(props: dict[str, Any]) -> Iterator[str]:
    """Its attributes, each with a space before it; assets/plain.js writes the same."""
    for name, value in props.items():
        if name in LEFT or value is None or value is False or (name in LINKS and SCRIPT.match(str(value))):
            continue
        text = style(value) if name == "style" else "" if value is True else str(value)
        if name == "htmlFor":
            name, text = "for", FIRST + text
        yield f' {NAMES.get(name, name.lower())}="{escape(text)}"'


def style(rules: dict[str, Any]) -> str:
    """A style as CSS; numbers are pixels, but for what has no unit."""
    return ";".join(f"{css(name)}:{length(name, value)}" for name, value in rules.items() if value is not None)


def css(name: str) -> str:
    return name if name.startswith("--") else re.sub(r"[A-Z]", lambda found: f"-{found[0].lower()}", name)


def length(name: str, value: Any) -> str:
    unit = isinstance(value, int | float) and value != 0 and not name.startswith("--") and name not in PLAIN_NUMBERS
    return f"{value}px" if unit else str(value)


def shape(props: dict[str, Any]) -> Iterator[str]:
    """dashboard/components/plain.py's Shape."""
    slots = props.get("children")
    yield from pieces(props.get("shape"), slots if isinstance(slots, list) else [slots])


def place(props: dict[str, Any]) -> Iterator[str]:
    """Its Plain."""
    yield from element(props.get("tag", "div"), props.get("attributes") or {}, props.get("tree"), [])


def options(props: dict[str, Any]) -> Iterator[str]:
    """The options of a select, under headings where there is more than one."""
    groups: dict[str, list] = {}
    for one in props.get("options") or []:
        one = one if isinstance(one, dict) else {"value": one, "label": one}
        groups.setdefault(one.get("group") or "", []).append(one)
    for group, listed in groups.items():
        headed = group and len(groups) > 1
        yield f'<optgroup label="{escape(group)}">' if headed else ""
        for one in listed:
            chosen = " selected" if one["value"] == props.get("value") else ""
            off = " disabled" if one.get("disabled") else ""
            yield f'<option value="{escape(str(one["value"]))}"{chosen}{off}>{escape(str(one["label"]))}</option>'
        yield "</optgroup>" if headed else ""


def select(props: dict[str, Any]) -> Iterator[str]:
    """dbc.Select, and the picker of runs."""
    classes = " ".join(filter(None, (props.get("className"), "form-select")))
    said = "".join(attributes({name: value for name, value in props.items() if name.startswith("aria-")}))
    yield f'<select{named(props)} class="{escape(classes)}"{said}{" disabled" if props.get("disabled") else ""}>'
    yield from options(props)
    yield "</select>"


def choices(kind: str) -> Callable[[dict[str, Any]], Iterator[str]]:
    """dbc.RadioItems and dbc.Checklist. kind: radio or checkbox."""

    def draw(props: dict[str, Any]) -> Iterator[str]:
        yield f'<div class="{escape(props.get("className") or "")}">'
        line = "form-check form-check-inline" if props.get("inline") else "form-check"
        value = props.get("value")
        for one in props.get("options") or []:
            on = one["value"] in value if isinstance(value, list) else one["value"] == value
            off = " disabled" if one.get("disabled") else ""
            label, state = escape(str(one["label"])), f"{' checked' if on else ''}{off}"
            yield f'<div class="{line}"><input class="form-check-input" type="{kind}" aria-label="{label}"{state}>'
            yield f'<label class="form-check-label">{label}</label></div>'
        yield "</div>"

    return draw


def graph(props: dict[str, Any]) -> Iterator[str]:
    """The box of a chart, with the chart in it where it can be drawn without a library."""
    more = f' style="{escape(style(props["style"]))}"' if props.get("style") else ""
    yield f'<div class="dash-graph"{more}><div></div>'
    if drawn := drawings.cells(props.get("figure"), props.get(DARK)):
        name = escape(str(props.get("id", "")))
        yield f'<div class="js-plotly-plot" data-chart="{name}" style="height:100%;width:100%">{drawn}</div>'
    yield "</div>"


DRAWN: dict[str, Callable[[dict[str, Any]], Iterator[str]]] = {
    "Shape": shape,
    "Plain": place,
    "Picker": select,
    "Select": select,
    "RadioItems": choices("radio"),
    "Checklist": choices("checkbox"),
    "Graph": graph,
}
"""What is drawn besides html; all else, as what keeps data and says nothing, is not."""
