"""A page's first callbacks, answered before the browser asks: the same functions, in the request that opens the page.

What is answered here is what the browser would ask first, in the order it would ask. Whatever it asks otherwise
(another value of an input, a second time) goes to the server as ever, so that nothing here can be out of date for
longer than the page takes to load.
"""

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import Any

import orjson
from dash import Dash
from dash.exceptions import PreventUpdate
from plotly.io.json import to_json_plotly

log = logging.getLogger(__name__)
Given = Mapping[tuple[str, str], Any]  # (id, property) → its value, of what the browser itself fills in


@dataclass(frozen=True)
class Answer:
    """output: the callback's name; values: of its inputs and then of its states; body: the JSON, '' for no change."""

    output: str
    values: list[Any]
    body: str


@dataclass
class Played:
    """layout: the JSON of the page before any callback; tree: the same after those that have an answer; failed: whether
    one of them has none because it failed."""

    layout: str
    tree: dict[str, Any]
    answers: list[Answer] = field(default_factory=list)
    failed: bool = False


def play(app: Dash, given: Given, wanted: Callable[[str], bool]) -> Played:
    """The page of the current request.

    wanted: whether a callback of this name is to be answered. Callbacks that wait for a wildcard, for a job or for
    something that is not on the page are left to the browser, and so is one that fails.
    """
    layout = to_json_plotly(app.get_layout())
    played = Played(layout, orjson.loads(layout))
    known = index(played.tree)
    put_in(known, given)
    left = [one for one in app._callback_list if one["clientside_function"] is None and wanted(one["output"])]
    while True:
        ready = [one for one in left if all(present(part, known) for part in (*one["inputs"], *one["state"]))]
        ready = [one for one in ready if placed(app, one["output"], known)]
        if not ready:
            return played
        left = [one for one in left if one not in ready]
        for one in ready:
            try:
                made = answer(app, one, known)
            except Exception:
                log.warning("the first answer of %s is left to the browser", one["output"], exc_info=True)
                played.failed = True
                continue
            if made is not None:
                played.answers.append(made)
                if made.body:
                    put(orjson.loads(made.body)["response"], known)
        known = index(played.tree)


def again(app: Dash, made: Played, given: Given) -> list[Answer]:
    """The answers to what was played where the browser fills in other values: of those callbacks alone that hear of
    them, and as they would be with nothing else changed. One that fails is left to the browser."""
    known = index(made.tree)
    before = {(id, name): known[id].get(name) for id, name in given if id in known}
    answered = {one.output for one in made.answers}
    found = []
    put_in(known, given)
    for one in app._callback_list:
        heard = {(part["id"], part["property"]) for part in (*one["inputs"], *one["state"])}
        if one["output"] not in answered or not heard & before.keys():
            continue
        try:
            other = answer(app, one, known)
        except Exception:
            log.warning("another first answer of %s is left to the browser", one["output"], exc_info=True)
            continue
        if other is not None:
            found.append(other)
    put_in(known, before)
    return found


def figures(made: Played, answers: Iterable[Answer]) -> Iterator[tuple[dict[str, Any], Any]]:
    """(properties of a chart of what was played, its figure by other answers)."""
    known = index(made.tree)
    for one in answers:
        for id, properties in orjson.loads(one.body)["response"].items() if one.body else ():
            if id in known and "figure" in properties:
                yield known[id], properties["figure"]


def put_in(known: Mapping[str, dict], given: Given) -> None:
    """Write values into the page."""
    for (id, name), value in given.items():
        if id in known:
            known[id][name] = value


def present(part: Mapping[str, Any], known: Collection[str]) -> bool:
    """Whether an input or state is on the page."""
    return part["id"] in known


def placed(app: Dash, output: str, known: Collection[str]) -> bool:
    """Whether everything that a callback changes is on the page."""
    return all(one.component_id in known for one in outputs(app, output))


def outputs(app: Dash, output: str) -> list[Any]:
    """The outputs of a callback, by its name."""
    declared = app.callback_map[output]["output"]
    return list(declared) if isinstance(declared, list | tuple) else [declared]


def answer(app: Dash, one: Mapping[str, Any], known: Mapping[str, dict]) -> Answer | None:
    """What the server says to the first question of this callback; None where the browser had better ask itself. Raises
    what the callback raises."""
    sent = [
        [
            {"id": part["id"], "property": part["property"], "value": known[part["id"]].get(part["property"])}
            for part in parts
        ]
        for parts in (one["inputs"], one["state"])
    ]
    places = [{"id": each.component_id, "property": each.component_property} for each in outputs(app, one["output"])]
    body: Any = {
        "output": one["output"],
        "outputs": places if one["output"].startswith("..") else places[0],
        "inputs": sent[0],
        "state": sent[1],
        "changedPropIds": [],
    }
    values = [part["value"] for parts in sent for part in parts]
    try:
        context = app._initialize_context(body)
        function = app._prepare_callback(context, body)
        if context.ignore_register_page:  # a job's
            return None
        values_given = app._inputs_to_vals(context.inputs_list + context.states_list)
        said = copy_context().run(app._execute_callback(function, values_given, context.outputs_list, context))
    except PreventUpdate:
        return Answer(one["output"], values, "")
    if not isinstance(said, str) or "response" not in (read := orjson.loads(said)) or "sideUpdate" in read:
        return None
    return Answer(one["output"], values, said)


def put(response: Mapping[str, Mapping[str, Any]], known: Mapping[str, dict]) -> None:
    """Write an answer into the page."""
    for id, properties in response.items():
        if id in known:
            known[id].update(properties)


def index(tree: Any) -> dict[str, dict[str, Any]]:
    """id → properties of every component of a page that a callback can name."""
    return {props["id"]: props for props in components(tree) if isinstance(props.get("id"), str)}


def components(node: Any) -> Iterator[dict[str, Any]]:
    """The properties of every component in a part of a page."""
    if isinstance(node, list):
        for one in node:
            yield from components(one)
    elif isinstance(node, dict) and isinstance(node.get("props"), dict):
        yield node["props"]
        yield from components(node["props"].get("children"))
