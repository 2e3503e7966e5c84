"""A run of other data is never spoken of in the words of the data set that ships."""

import json
import re
import shutil

import pytest

from dashboard.data.store import Store
from dashboard.pages import PAGES
from dashboard.pages.training import form_fields
from dashboard.shell import create_app
from tests.callbacks import fired_in_process
from tests.faults.test_registry import change, copy_run

# What ships is named Fashion-MNIST, and the app Fashion Forward; a training may choose any data set by its name.
FOREIGN = re.compile(
    r"garment|cloth(?:es|ing)|\bworn\b|fashion[- ]mnist|70,000|sneaker|t-shirt|pullover", re.IGNORECASE
)
CHOICE = re.compile(r'"(?:label|title)": "Fashion-MNIST[^"]*"|"value": "fashion-mnist"|fashion-mnist', re.IGNORECASE)


@pytest.fixture
def client(app):
    return fired_in_process(app)


@pytest.mark.parametrize("page", [page.path for page in PAGES])
def test_no_page_speaks_of_other_data(client, page):
    """Every callback that runs when the page is opened, with the address of the page."""
    status, drawn = client.fire("app-page.children", "url.pathname", url__pathname=page, url__search="?run=toy")
    assert status == 200
    text = json.dumps(drawn, ensure_ascii=False)
    here = set(re.findall(r'"id": "([a-z0-9-]+)"', text))
    if page == "/training":  # where a data set is chosen
        text = CHOICE.sub("", text)
    assert not FOREIGN.findall(text)
    values = {"url.pathname": page, "url.search": "?run=toy", "app-view-state.data": "?run=toy"}
    callbacks = 0
    for dependency in client.dependencies:
        outputs = dependency["output"].strip(".").split("...")
        listens = {f"{one['id']}.{one['property']}" for one in dependency["inputs"]} & set(values)
        if dependency.get("clientside_function") or not listens or outputs[0].rsplit(".", 1)[0] not in here:
            continue
        status, answer = client.fire_with(outputs[0], listens.pop(), values)
        assert status in (200, 204), outputs
        answered = json.dumps(answer, ensure_ascii=False)
        assert not FOREIGN.findall(CHOICE.sub("", answered) if page == "/training" else answered), outputs
        callbacks += 1
    assert callbacks, page


def test_the_foot_tells_of_the_run_that_is_shown(home):
    client = fired_in_process(create_app(home=home))  # beside the runs that ship
    foot = {}
    for search in ("", "?run=toy"):
        _, drawn = client.fire_with(
            "run-picker.options", "url.pathname", {"url.pathname": "/", "app-view-state.data": search}
        )
        foot[search] = json.dumps(drawn["app-foot"], ensure_ascii=False)
    assert "Fashion-MNIST, 70,000 images" in foot[""]
    total = sum(Store(home / "none", home).open("toy").dataset["counts"].values())
    assert f"Synthetic bars, {total:,} images" in foot["?run=toy"]


@pytest.mark.parametrize(
    ("search", "dataset"),
    [("", "fashion-mnist"), ("?run=toy&dataset=fashion-mnist", "fashion-mnist"), ("?run=bars-run", "bars")],
)
def test_a_new_run_learns_from_what_the_one_in_use_did_unless_told(home, bars, search, dataset):
    """`bars` is a data set that can be trained on, the synthetic one of toy is not."""
    shutil.copytree(bars / "datasets" / "bars", home / "datasets" / "bars")
    change(copy_run(home, "bars-run"), lambda manifest: manifest["dataset"].update(name="bars"))
    client = fired_in_process(create_app(home=home))  # beside the runs that ship
    _, drawn = client.fire("app-page.children", "url.pathname", url__pathname="/training", url__search=search)
    (chosen,) = (
        part["props"]["value"]
        for part in dicts(drawn)
        if part.get("props", {}).get("id") == form_fields.CONTROLS["dataset"]
    )
    assert chosen == dataset


def dicts(value):
    """Every dictionary in an answer."""
    if isinstance(value, dict):
        yield value
    for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from dicts(one)
