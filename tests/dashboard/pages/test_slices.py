"""The Slices page callback by callback, and in a browser: a weak slice is renamed, saved and there again."""

import csv
import io
import re
import shutil

import pandas as pd
import pytest
from playwright.sync_api import expect

from dashboard.pages.slices import failure_modes, weak_slices
from dashboard.state.selection import Selection
from tests.callbacks import fired_in_process


@pytest.fixture
def client(app):
    return fired_in_process(app)


def text(tree):
    """All words of a tree of components."""
    if isinstance(tree, list):
        return " ".join(map(text, tree))
    if isinstance(tree, dict):
        return text(tree.get("props", {}).get("children"))
    return "" if tree is None else str(tree)


def listed(client, **values):
    return client.fire("slices-found-body.tree", "url.search", **values)


def test_the_list_says_what_was_computed(client, app):
    status, answer = listed(client, url__search="", slices_found_select__value="p")
    assert status == 200
    words = text(answer["slices-found-body"]["tree"])
    frame = weak_slices.ranked(app.store.open("toy").slices("test"), "p")
    first = frame.iloc[0]
    assert first["name"] in words
    assert f"{first['wrong']:,} of {first['n']:,}" in words
    assert f"{100 * first['low']:.1f} – {100 * first['high']:.1f}" in words
    rows = list(
        csv.DictReader(io.StringIO(app.server.test_client().get("/export/slices.csv").get_data().decode("utf-8-sig")))
    )
    assert {row["slice"] for row in rows} == set(app.store.open("toy").slices("test")["slice"])


def test_orders():
    frame = pd.DataFrame(
        {
            "slice": list("abcd"), "n": [100, 50, 1000, 40], "wrong": [20, 20, 100, 2], "rest_n": [100] * 4,
            "rest_wrong": [10, 10, 7, 10], "lift": [2, 4, 1.43, 0.5], "lift_low": [1.1, 2.5, 1.2, 0.1],
            "p": [1e-3, 1e-9, 1e-4, 1], "p_adjusted": [0.2, 1e-8, 1e-3, 1],
        }
    )  # fmt: skip
    assert weak_slices.ranked(frame, "more")["slice"].tolist() == [
        "c",
        "b",
        "a",
    ]  # 30, 15 and, maybe by chance, 10 more
    assert weak_slices.ranked(frame, "lift")["slice"].tolist() == ["b", "c", "a"]
    assert weak_slices.ranked(frame, "p")["slice"].tolist() == ["b", "c", "a"]


def test_what_was_asked_of_a_part_says_so(app, monkeypatch):
    run = app.store.open("toy")
    monkeypatch.setitem(run.manifest, "moved", {"test": 50})
    selection = Selection(split="test")
    n, _, total = failure_modes.counted(run, selection, "flips")
    assert n <= total == 50
    assert failure_modes.counted(run, selection, "unsure")[2] == len(run.predictions("test").ids) > 50
    words = text(failure_modes.line(run, selection, "flips").to_plotly_json())
    assert "Asked of 50 images" in words
    assert "python -m ml evaluate toy --only tags" in words
    assert "Asked of" not in text(failure_modes.line(run, selection, "unsure").to_plotly_json())
    rows = {row[0]: row for row in failure_modes.csv_rows(run, selection)[1]}
    assert rows["flips"][2] == 50


def test_failure_modes_add_up_and_say_what_is_missing(client, app):
    status, answer = client.fire("slices-modes-body.tree", "url.search", url__search="?tag=unsure")
    assert status == 200
    words = text(answer["slices-modes-body"]["tree"])
    run = app.store.open("toy")
    n = len(run.tagged("test", "unsure"))
    assert f"{n:,} of 400" in words
    assert "python -m ml evaluate toy --only label_issues" in words
    table = csv.DictReader(io.StringIO(app.server.test_client().get("/export/modes.csv").get_data(as_text=True)))
    counted = {row["tag"]: int(row["images"]) for row in table}
    assert counted["unsure"] == n
    assert "suspected-label" not in counted


def test_a_run_without_tables_says_which_command_makes_them(client, home, app):
    shutil.copytree(home / "runs" / "toy", home / "runs" / "bare")
    manifest = home / "runs" / "bare" / "manifest.json"
    words = manifest.read_text().replace('"run_id": "toy"', '"run_id": "bare"')
    for noun in ("slices", "slice_members", "tags", "epochs"):
        words = words.replace(f'"{noun}": {{', f'"no_{noun}": {{')
    manifest.write_text(words)
    _, answer = listed(client, url__search="?run=bare")
    assert "python -m ml evaluate bare --only slices" in text(answer["slices-found-face"]["children"])
    for search in ("?run=bare&slice=group-01", "?run=bare&tag=flips", "?run=bare&epoch=3"):
        for output in ("slices-modes-body.tree", "slices-saved-body.tree", "slices-strip-row.tree"):
            status, _ = client.fire(output, "url.search", url__search=search)
            assert status == 200


def test_filters_that_hold_are_not_said_to_be_left_out(client):
    address = "?colour=red&true=Hat&slice=none&tag=none&ids=1"
    _, made = client.fire("app-dropped.children", "url.search", url__search=address)
    left, empty = made["app-dropped"]["children"].split(" No image can match: ")
    assert left == "This address was read without: colour, which is no filter here."
    assert empty == "Hat, which is no class of toy; tag=none, which is none here; slice=none, which is none here."
    _, made = client.fire("selection-count.children", "url.search", url__search=address.replace("colour=red&", ""))
    assert made["selection-count"]["children"] == "0"
    assert "Remove ids 1 image" in str(made["selection-chips"]["tree"])
    assert "Remove ids 1 images" not in str(made["selection-chips"]["tree"])


def ask(client, data, search=""):
    return client.fire(
        "slices-notice.children", "slices-asked-state.data", slices_asked_state__data=data, url__search=search
    )


def test_saving_adds_the_chip_and_the_row(client, app):
    run = app.store.open("toy")
    key = run.slices("test").iloc[0]["slice"]
    status, answer = ask(client, {"act": "save", "slice": key, "name": "Odd ones", "at": 1}, f"?slice={key}")
    assert status == 200
    (saved,) = app.store.slices.all(run.dataset["name"])
    after = Selection.parse(next(value["search"] for name, value in answer.items() if name.startswith("url")))
    assert after.slice == (saved.key,)
    assert run.mask(after).sum() == run.mask(Selection(slice=(key,))).sum()
    assert app.store.slices.get(saved.key).members["validation"] == run.sliced("validation", key).tolist()
    sizes = [f"{len(run.sliced(split, key)):,} {split} images" for split in ("test", "validation")]
    assert answer["slices-notice"]["children"] == f"Saved Odd ones: {' and '.join(sizes)}."
    ask(client, {"act": "rename", "slice": saved.key, "name": "Very odd", "at": 2})
    assert "Very odd" in text(client.fire("slices-saved-body.tree", "url.search")[1]["slices-saved-body"]["tree"])
    _, answer = ask(client, {"act": "remove", "slice": saved.key, "at": 3}, f"?slice={saved.key}")
    assert app.store.slices.all(run.dataset["name"]) == []
    _, answer = ask(client, {"act": "save", "slice": "", "name": "All wrong", "at": 4}, "")
    (saved,) = app.store.slices.all(run.dataset["name"])
    assert len(app.store.slices.get(saved.key).members["test"]) == (~run.predictions("test").right).sum()


@pytest.mark.parametrize(
    "data",
    [
        None, 3, [], {}, {"act": "drop"}, {"act": "save"}, {"act": "save", "slice": 7}, {"act": "rename", "slice": "x"},
        {"act": "save", "slice": "nothing", "name": "x"}, {"act": "save", "slice": "", "name": ["x"]},
        {"act": "remove", "slice": "saved-1"},
    ],
)  # fmt: skip
def test_nothing_else_can_be_asked(client, app, data):
    status, _ = ask(client, data)
    assert status in (200, 204)
    assert app.store.slices.all("synthetic-4-28x28x1") == []


def test_pairs_say_how_alike_they_are(client, app):
    status, answer = client.fire("slices-twins-body.tree", "slices-twins-near.data", slices_twins_near__data="")
    assert status == 200
    words = text(answer["slices-twins-body"]["tree"])
    leaks = app.store.open("toy").duplicates("test").query("other_split == 'train'")["example_id"].nunique()
    assert f"{leaks:,} of 400" in words


def test_a_slice_is_renamed_saved_and_there_again(page, live_server, idle):
    page.goto(f"{live_server}/slices")
    page.wait_for_function(idle)
    line = page.locator(".weak > li").first
    line.locator("[data-slice]").click()
    expect(page.locator("#selection-chips .chip", has_text="slice")).to_have_count(1)
    page.wait_for_function(idle)  # the list is drawn anew with its mark
    n = page.locator("#selection-count").inner_text()
    name = line.get_by_role("textbox", name="Name of the slice")
    first, second = name.inner_text(), page.locator(".weak > li").nth(1)
    name.fill("Bars I")
    moved = page.locator(".weak .slice-name").filter(has_text="Bars I")
    for order in ("lift", "p", "more"):  # the list is drawn anew, in other orders too, while a name is being typed
        page.evaluate("(value) => dash_clientside.set_props('slices-found-select', {value})", order)
        page.wait_for_function(idle)
        expect(moved).to_have_count(1)
        expect(moved).to_be_focused()
        expect(moved).to_have_attribute("data-name", first)
        page.keyboard.type("-")
        expect(moved).to_have_text(re.compile("^Bars I-+$"))
    second.locator("[data-slice]").click()
    expect(second).to_have_class("chosen-row")
    page.wait_for_function(idle)
    expect(name).to_have_text("Bars I---")  # nor is it lost by a click elsewhere
    second.locator("[data-slice]").click()  # chosen in place of the first, and now let go of
    expect(page.locator("#selection-chips .chip", has_text="slice")).to_have_count(0)
    page.wait_for_function(idle)
    name.fill("Bars I know")
    name.press("Enter")
    expect(page.locator("#selection-chips")).to_contain_text("Bars I know")
    expect(page.locator("#selection-count")).to_have_text(n)
    page.wait_for_function(idle)
    expect(name).to_have_text(first)  # what was found keeps its name, what was saved has the new one
    page.goto(page.url)
    expect(page.locator(".saved .slice-name")).to_have_text("Bars I know")
    expect(page.locator("#selection-count")).to_have_text(n)
    page.locator("#slices-strip-open button").click()
    expect(page.locator("#dashboard-gallery-title")).to_contain_text(f"{int(n):,} image")
    page.wait_for_function(idle)  # nothing is asked of a server that is gone
