"""The body a browser would send for a callback, made from the app's own list of callbacks."""

import json
import logging
from collections.abc import Callable, Mapping
from typing import Any

from dash.development.base_component import Component

ADDRESS, VIEW = "url.search", "app-view-state.data"  # VIEW: the part of it that says which runs, split and epoch
Send = Callable[[str, bytes], tuple[int, str]]


def dependency(dependencies: list[dict[str, Any]], output: str) -> dict[str, Any]:
    """The callback one of whose outputs is `output` ("id.property")."""
    found = [d for d in dependencies if output in d["output"].strip(".").split("...")]
    assert len(found) == 1, f"{output} belongs to {len(found)} callbacks"
    return found[0]


def body(dependency: Mapping[str, Any], values: Mapping[str, Any], changed: list[str]) -> bytes:
    """values: "id.property" → value, None for the rest; inputs with ALL get no elements. changed: what was touched."""

    def fill(parts: list[dict[str, str]]) -> list[Any]:
        return [
            [] if part["id"].startswith("{") else {**part, "value": values.get(f"{part['id']}.{part['property']}")}
            for part in parts
        ]

    names = dependency["output"]
    outputs = [
        dict(zip(("id", "property"), name.rsplit(".", 1), strict=True)) for name in names.strip(".").split("...")
    ]
    several = names.startswith("..")
    return json.dumps(
        {
            "output": names,
            "outputs": outputs if several else outputs[0],
            "inputs": fill(dependency["inputs"]),
            "state": fill(dependency["state"]),
            "changedPropIds": changed,
        }
    ).encode()


class Client:
    """Fires callbacks of an app without a browser. send(path, body) → status and text; get(path) → text."""

    def __init__(self, send: Send, get: Callable[[str], str]) -> None:
        self.send = send
        self.dependencies = json.loads(get("/_dash-dependencies"))

    def fire(self, output: str, changed: str, **values: Any) -> tuple[int, dict[str, dict[str, Any]]]:
        """Status, and id → property → value of what changed. values: id__property=value, with - written as _."""
        named = {name.replace("__", ".").replace("_", "-"): value for name, value in values.items()}
        return self.fire_with(output, changed, named)

    def fire_with(self, output: str, changed: str, values: Mapping[str, Any]) -> tuple[int, dict[str, dict[str, Any]]]:
        """The same with values by "id.property"; a page whose address changes says so by both of its names."""
        found = dependency(self.dependencies, output)
        if changed == ADDRESS and not any(f"{one['id']}.{one['property']}" == ADDRESS for one in found["inputs"]):
            changed = VIEW
        both = {VIEW: values.get(ADDRESS), **values}
        status, text = self.send("/_dash-update-component", body(found, both, [changed]))
        return status, json.loads(text)["response"] if status == 200 and "response" in text else {}


def fired_in_process(app: Any) -> Client:
    """A client of an app without a server."""
    browser = app.server.test_client()

    def send(path: str, data: bytes) -> tuple[int, str]:
        answer = browser.post(path, data=data, content_type="application/json")
        return answer.status_code, answer.get_data(as_text=True)

    return Client(send, lambda path: browser.get(path).get_data(as_text=True))


def parts(component: Any) -> list[Component]:
    """A component and all within it."""
    if isinstance(component, list | tuple):
        return [part for one in component for part in parts(one)]
    if not isinstance(component, Component):
        return []
    return [component, *(part for name in component._prop_names for part in parts(getattr(component, name, None)))]


def defaults_of(app: Any) -> dict[str, Any]:
    """ "id.property" → what stands there when a page opens."""
    found = {}
    for part in parts(app.whole()):
        if isinstance(getattr(part, "id", None), str):
            found |= {f"{part.id}.{name}": getattr(part, name) for name in part._prop_names if hasattr(part, name)}
    return found


def values_of(dependency: dict, defaults: dict[str, Any], search: str) -> tuple[dict[str, Any], list[str]]:
    """What the browser would send once the address is `search`, and what of it changed."""
    asked = [f"{one['id']}.{one['property']}" for one in (*dependency["inputs"], *dependency["state"])]
    address = [name for name in asked if name in (ADDRESS, VIEW) or name.endswith(("-state.data", "-near.data"))]
    stores = {name for name in address if name in (ADDRESS, VIEW) or defaults.get(name) in ("", None)}
    inputs = {f"{one['id']}.{one['property']}" for one in dependency["inputs"]}
    return {**{name: defaults.get(name) for name in asked}, **dict.fromkeys(stores, search)}, sorted(stores & inputs)


def answers(client, defaults, search: str, caplog) -> tuple[dict[str, str], list[str]]:
    """Output → text of every callback that the address drives, and those that failed."""
    texts, failed = {}, []
    for dependency in client.dependencies:
        if dependency.get("clientside_function") or "{" in dependency["output"]:
            continue
        values, changed = values_of(dependency, defaults, search)
        if not changed:
            continue
        caplog.clear()
        status, text = client.send("/_dash-update-component", body(dependency, values, changed))
        errors = [one.getMessage() for one in caplog.records if one.levelno >= logging.ERROR]
        if status not in (200, 204) or errors or "could not be drawn" in text:
            failed.append(f"{dependency['output'][:60]}: {status} {errors[:1]} {caplog.text[-1200:]}")
        texts[dependency["output"]] = text
    return texts, failed


def faces(texts: dict[str, str]) -> dict[str, str]:
    """Panel's face → its words, "" where the panel is drawn."""
    found = {}
    for text in texts.values():
        for id, properties in (json.loads(text).get("response", {}) if text else {}).items():
            if id.endswith("-face") and "children" in properties:
                found[id] = json.dumps(properties["children"]) if properties["children"] else ""
    return found
