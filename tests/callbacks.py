"""The body a browser would send for a callback, made from the app's own list of callbacks."""

import json
from collections.abc import Callable, Mapping
from typing import Any

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
