"""Html that no callback reads, drawn by few components: Dash's renderer asks every component on every change.

Its store changes some hundred times for one click (each request, output and new component), and each time it runs
through all components on the page: a click costs components times changes. With 48 tiles of seven components each it
took more than two seconds.
"""

from collections.abc import Iterator
from typing import Any

from dash import Output
from dash.development.base_component import Component

HTML = "dash_html_components"


class Drawn(Component):
    """A component of assets/plain.js, with these properties."""

    _namespace = "fashion_forward"

    def __init__(self, **properties: Any):
        self._prop_names = self.available_properties = list(properties)
        self._valid_wildcard_attributes = self.available_wildcard_properties = []
        self._children_props = self._base_nodes = []
        super().__init__(**{name: value for name, value in properties.items() if value is not None})


class Plain(Drawn):
    """An html element whose content changes as a whole.

    tag: the element's name; attributes: its attributes, named as in `dash.html`; tree: what is in it, html components
    and text, nested as they may be. Inside it ids are no callback's.
    """

    _type = "Plain"

    def __init__(self, id: str, tag: str = "div", attributes: dict | None = None, tree: Any = None):
        super().__init__(id=id, tag=tag, attributes=attributes, tree=tree)


class Shape(Drawn):
    """Html around components.

    shape: text, {"type", "props"} of an element, or a list of such; {"slot": i} in it stands for child i.
    """

    _type = "Shape"

    def __init__(self, shape: Any, children: list | None = None):
        super().__init__(shape=shape, children=children)


def element(type: str, children: Any = None, /, **props: Any) -> dict:
    """What `dash.html`'s component of this type becomes for the browser, without its checks: 20 times as fast.

    For what comes by the hundred; the rest is written with dash.html.
    """
    return {"type": type, "namespace": HTML, "props": {"children": children, **props}}


def place(id: str, tag: str = "div", **attributes: Any) -> Plain:
    """Where a callback puts html, see `children`."""
    return Plain(id, tag, attributes)


def children(id: str) -> Output:
    """The output of a callback that returns html components for `place(id)`."""
    return Output(id, "tree")


def settled(content: Any) -> Any:
    """The same page with the html that no callback can name, as it has no id, in as few components as can be."""
    if isinstance(content, list | tuple):
        if not any(nameless(one) for one in flat(content)):
            return [settled(one) for one in content]
    elif not nameless(content):
        if isinstance(content, Component) and getattr(content, "children", None) is not None:
            content.children = settled(content.children)
        return content
    slots: list = []
    return Shape(shape(content, slots), slots or None)


def flat(content: Any) -> Iterator[Any]:
    """Everything in a list of lists."""
    for one in content:
        yield from flat(one) if isinstance(one, list | tuple) else (one,)


def shape(content: Any, slots: list) -> Any:
    """Html as `Shape` draws it; what has an id or is no html becomes the next of the slots."""
    if isinstance(content, list | tuple):
        return [shape(one, slots) for one in content]
    if not isinstance(content, Component | dict):
        return content
    if not nameless(content):
        slots.append(settled(content))
        return {"slot": len(slots) - 1}
    node = content if isinstance(content, dict) else content.to_plotly_json()
    props = node["props"]
    return {"type": node["type"].lower(), "props": {**props, "children": shape(props.get("children"), slots)}}


def nameless(content: Any) -> bool:
    """Whether it is html without an id, a component or what `element` makes."""
    if isinstance(content, dict):
        return content.get("namespace") == HTML and "id" not in content["props"]
    return isinstance(content, Component) and content._namespace == HTML and not hasattr(content, "id")
