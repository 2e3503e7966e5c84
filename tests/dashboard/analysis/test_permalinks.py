"""Links that last: they name what their page takes for granted, and say what they showed once it is gone."""

import csv
import io
import json
import shutil

import pytest

from dashboard.analysis import permalinks
from dashboard.data.store import Store
from dashboard.records.runs import Records
from dashboard.shell import create_app
from dashboard.state.query import READERS
from dashboard.state.selection import Selection
from ml.system import database
from tests.callbacks import fired_in_process

# one value a key that an address may hold
VALUES = {
    "run": "toy", "data": "0123456789abcdef", "against": "second", "split": "validation", "true": "Bar%200",
    "pred": "Bar%201", "outcome": "right", "bucket": "only-a", "conf": "0.25-0.50", "tempered": "0.50-0.80",
    "reject": "0.30", "lasso": "map:0,0;1,0;1,1", "ids": "1,2,3", "tag": "unsure", "slice": "group-01", "epoch": "1",
    "labels": "reviewed", "contrast": "Bar%200~Bar%201", "versus": "right", "look": "grad-cam,label",
    "scaling": "temperature", "level": "90", "abstain": "0.4", "way": "quick", "edits": "rot:15", "under": "noise:3",
    "attack": "pgd", "epsilon": "2", "target": "Bar%202", "state": "new", "text": "hem", "since": "day",
    "matrix": "row", "sort": "id", "page": "2", "sample": "7", "dataset": "toy", "ask": "second",
}  # fmt: skip


@pytest.fixture
def two(home, no_artifacts):
    """A home with a second run, a copy of the first that answers otherwise; (artifacts, home)."""
    folder = shutil.copytree(home / "runs" / "toy", home / "runs" / "second")
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(
        json.dumps({**manifest, "run_id": "second", "created": "2020-01-01T00:00:00Z"})
    )
    return no_artifacts, home


def store_of(two) -> Store:
    return Store(*two, Records(database.opener(two[1])))


def promote(two, run_id: str) -> None:
    store = store_of(two)
    Records(database.opener(two[1])).promote(run_id, "better", store.default_run())
    assert store_of(two).default_run() == run_id


def test_every_key_is_walked():
    assert VALUES.keys() == READERS.keys(), "a key that is new here is to be walked too"


@pytest.mark.parametrize("key", VALUES)
def test_a_copied_link_shows_the_same_after_another_run_is_promoted(two, key):
    promote(two, "toy")
    store, selection = store_of(two), Selection.parse(f"?{key}={VALUES[key]}")
    assert not selection.dropped
    link = permalinks.named(store, selection, "/comparison").permalink()
    assert "split=" in link
    promote(two, "second")
    later = Selection.parse(link)
    assert (later.run, later.against, later.split) == ("toy", "second", selection.split)
    assert later.data == store.open("toy").picture_set[1]
    apart = {name for name in vars(later) if getattr(later, name) != getattr(selection, name)} - {"dropped"}
    assert apart <= {"run", "data", "against"}, "nothing else is another one"
    assert store_of(two).shown(later.run).run_id == "toy"
    assert permalinks.offers(store_of(two), later, store_of(two).shown(later.run)) == []
    assert permalinks.lost(store_of(two), later, store_of(two).shown(later.run)) == []


def shown(client, search, *, arrived=None, path="/"):
    values = {"url.search": search, "url.pathname": path, "app-arrived-state.data": arrived}
    _, made = client.fire_with("app-dropped.children", "url.search", values)
    places = [tuple(part["props"].get(f"data-{name}") for name in ("search", "path")) for part in buttons(made)]
    return made.get("app-dropped", {}).get("children") or "", places, made["app-named-state"]["data"]


def buttons(made):
    drawn = made["app-offers"].get("children") or []
    return drawn if isinstance(drawn, list) else [drawn]


def test_the_page_says_what_is_gone_and_offers_the_nearest(two):
    digest = store_of(two).open("toy").picture_set[1]
    client = fired_in_process(create_app(two[0], home=two[1]))
    words, there, named = shown(client, f"?run=toy&data={digest}&true=Bar%200")
    assert (words, there) == ("", [])
    assert named == {"run": "toy", "data": digest, "split": "test"}

    words, there, _ = shown(client, f"?run=gone&data={digest}&split=validation&true=Bar%200&sample=3")
    assert "run gone, which is not here (any more)" in words
    offered = [Selection.parse(search) for search, _ in there]
    assert {one.run for one in offered} == {"toy", "second"}
    assert all((one.data, one.split, one.true, one.sample) == (digest, "validation", ("Bar 0",), 3) for one in offered)

    words, there, _ = shown(client, "?run=toy&data=00000000deadbeef&sample=3")
    assert "data=00000000, another version of the images" in words
    assert f"version {digest[:8]} now" in words
    ((search, _),) = there
    assert Selection.parse(search) == Selection(run="toy", data=digest), "its own images; the sample is another by now"


def test_a_deleted_run_can_be_brought_back(two):
    client = fired_in_process(create_app(two[0], home=two[1]))
    store = store_of(two)
    with Records(database.opener(two[1])).deleting("second", "trashed"):
        shutil.rmtree(two[1] / "runs" / "second")
    assert store.marks().of("second").deleted
    words, there, _ = shown(client, "?run=second")
    assert "was deleted and can be brought back on Training" in words
    assert there[0][1] == "/training"
    words, there, _ = shown(client, "?run=toy&against=second")
    assert "against second, which was deleted and can be brought back on Training" in words, (
        "whichever of the two it is"
    )
    assert [page for _, page in there] == ["/training"]


def test_a_link_without_a_run_says_so_where_it_came_from_elsewhere(two):
    client = fired_in_process(create_app(two[0], home=two[1]))
    old = "?true=Bar%200&pred=Bar%201"
    words, there, named = shown(client, old, arrived=old)
    assert "names no run, so it shows the one in use" in words
    ((search, _),) = there
    assert Selection.parse(search).run == named["run"]
    assert Selection.parse(search).data == named["data"]
    for search, arrived in (("", ""), (old, ""), (f"{old}&run=toy", f"{old}&run=toy")):
        assert shown(client, search, arrived=arrived)[:2] == ("", []), "not at home, nor where one clicked one's way"


def test_files_name_the_run_and_the_images_they_were_drawn_from(two):
    web = create_app(two[0], home=two[1]).server.test_client()
    run = store_of(two).shown(None)
    table = web.get("/export/selection.csv")
    assert f'filename="{run.run_id}-selection-test.csv"' in table.headers["Content-Disposition"]
    digest = run.picture_set[1]
    for noun in ("selection", "confusion", "queue", "reviewed", "monitoring", "comparison", "pairs", "pace"):
        rows = csv.DictReader(io.StringIO(web.get(f"/export/{noun}.csv").text.removeprefix("\ufeff")))
        for row in rows:
            said = row["run drawn from" if noun == "pace" else "run"], row["data"], row.get("against", "")
            pair = noun in ("comparison", "pairs", "pace")
            assert said == (run.run_id, digest, "second" if pair else ""), noun
    for noun, query in (("selection", "bucket=both"), ("modes", ""), ("selection", "tag=runs-disagree")):
        head = web.get(f"/export/{noun}.csv?{query}").text.splitlines()[0]
        assert head.endswith(",run,against,data"), "the second run says which images these are"
    (listed, *_) = csv.DictReader(io.StringIO(web.get("/export/runs.csv").text))
    assert (listed["run"], listed["data"]) == (run.run_id, digest)
    text = web.get("/export/report.html?true=Bar%200").text
    assert f"Run {run.run_id} " in text
    assert f"(images {digest})" in text
    assert f"/?run={run.run_id}&amp;data={digest}&amp;split=test&amp;true=Bar%200" in text
    assert "another version of the images" in web.get("/export/report.html?data=00000000deadbeef").text
    beside = web.get("/export/comparison-report.html").text
    assert "&amp;against=" in beside, "the second run is one by default, too"
