"""The Comparison page callback by callback: two runs on the same pictures, one alone, one on other pictures."""

import json
import re
import shutil
from html import unescape

import numpy as np
import pytest

from dashboard.analysis.comparison import Verdict, changes, gaps, verdict
from dashboard.data.store import Store
from dashboard.format.numbers import chance
from dashboard.shell import create_app
from dashboard.state.selection import Selection
from dashboard.state.vocabulary import BUCKETS
from ml.stats.paired import bootstrap, mcnemar, newcombe
from tests.callbacks import Client, dependency
from tests.conftest import TOY

PAGE = "/comparison"
FIGURES = ("delta-graph", "gaps-graph", "pace-loss-graph", "pace-accuracy-graph")


@pytest.fixture(scope="module")
def runs_home(toy_home, tmp_path_factory):
    """The toy run, `twin` on the same pictures, and `stranger` on others."""
    from ml.pipeline import train
    from ml.training.config import TrainConfig

    home = tmp_path_factory.mktemp("comparison") / "home"
    shutil.copytree(toy_home, home)
    quick = {"model": "compact_cnn", "epochs": 1, "batch_size": 64, "augment": (), "threads": 1}
    for run_id, dataset in (("twin", TOY), ("stranger", "synthetic-13-40x32x3")):
        train(TrainConfig(dataset=dataset, seed=1, **quick), run_id=run_id, home=home, slow=False)
    return home


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """An artifacts folder that ships nothing."""
    folder = tmp_path_factory.mktemp("nothing")
    (folder / "runs").mkdir()
    (folder / "index.json").write_text('{"default": null, "runs": []}')
    return folder


@pytest.fixture(scope="module")
def web(runs_home, bare):
    return create_app(bare, home=runs_home).server.test_client()


@pytest.fixture(scope="module")
def store(runs_home, bare):
    return Store(bare, runs_home)


def client_of(web):
    def send(path, body):
        answer = web.post(path, data=body, content_type="application/json")
        return answer.status_code, answer.get_data(as_text=True)

    return Client(send, lambda path: web.get(path).get_data(as_text=True))


@pytest.fixture(scope="module")
def client(web):
    return client_of(web)


def fire(client, output, search="?run=toy", **values):
    """id → property → value of what a callback changed on the page, at the address."""
    given = {"url__search": search, "app_view_state__data": search, "url__pathname": PAGE, **values}
    inputs = [f"{part['id']}.{part['property']}" for part in dependency(client.dependencies, output)["inputs"]]
    known = {name.replace("__", ".").replace("_", "-") for name in given}
    status, answer = client.fire(output, next(name for name in inputs if name in known), **given)
    assert status == 200
    return answer


def shown(client, part, search="?run=toy", **values):
    """The html that a panel put on the page; it has no face."""
    answer = fire(client, f"comparison-{part}.tree", search, **values)
    assert [answer[place]["children"] for place in answer if place.endswith("-face")] == [None]
    return answer[f"comparison-{part}"]["tree"]


def buttons(tree):
    """The attributes of every button in html as it comes from the server."""
    if isinstance(tree, list):
        return [button for part in tree for button in buttons(part)]
    if not isinstance(tree, dict):
        return []
    below = buttons(tree["props"].get("children"))
    return [tree["props"], *below] if tree["type"] == "Button" else below


def text(tree):
    return json.dumps(tree, ensure_ascii=False)


def test_the_head_names_both_and_offers_the_other_side(client):
    answer = fire(client, "comparison-face.children")
    assert answer["comparison-face"]["children"] is None
    words = text(answer["comparison-about"]["children"])
    assert "toy against" in words
    assert "twin, test split" in words
    assert "400 images neither saw in training" in words
    assert "run=twin&against=toy" in text(answer["comparison-swap"]["children"])
    assert all(split in text(answer["comparison-split"]) for split in ("Test", "Validation", "Train"))
    offered = fire(client, "comparison-against.options")["comparison-against"]
    assert offered["value"] == "twin"
    choices = {choice["value"]: choice for choice in offered["options"]}
    assert set(choices) == {"twin", "stranger"}
    assert choices["stranger"]["disabled"]
    assert "other images" in choices["stranger"]["label"]


@pytest.mark.parametrize("split", ["test", "validation", "reference"])
def test_the_verdict_says_what_was_computed(client, store, split):
    pair = store.compare(Selection(run="toy", split=split))
    comparison = verdict(pair)
    words = text(shown(client, "verdict-body", f"?run=toy&split={split}"))
    assert comparison.sentence() in words
    assert "10,000 paired bootstrap redraws, seed 0" in words
    a, b = (run.predictions(split).right for run in (pair.a, pair.b))
    assert comparison.gap == pytest.approx(a.mean() - b.mean())
    assert (comparison.low, comparison.high) == bootstrap(pair.buckets())
    assert comparison.p == mcnemar((a & ~b).sum(), (b & ~a).sum())
    assert comparison.n == len(a)
    assert sum(comparison.buckets) == comparison.n


def test_every_number_of_images_in_the_verdict_leads_to_as_many(client, store):
    ways = [one for one in buttons(shown(client, "verdict-body")) if "data-gallery" in one]
    words = [one["children"].split(" ", 1) for one in ways]
    assert [said for _, said in words] == ["wrong", "wrong", "only A", "only B", "differ", "neither"]
    for way, (n, said) in zip(ways, words, strict=True):
        there = Selection.parse(way["data-search"])
        pair = store.compare(there)
        assert int(pair.mask(there.differing()).sum()) == int(n.replace(",", "")), said


def test_the_verdict_does_not_follow_the_filters(client):
    narrowed = shown(client, "verdict-body", "?run=toy", url__search="?run=toy&true=Bar%200")
    assert narrowed == shown(client, "verdict-body")
    assert "-body" not in str(dependency(client.dependencies, "comparison-verdict-body.tree")["inputs"])


def sentence(buckets, p, low=0.01, high=0.03, same=50, split="test"):
    gap = (buckets[1] - buckets[2]) / sum(buckets)
    return Verdict("old", "new", split, buckets, gap, low, high, p, (0, 0, 0), same).sentence()


def test_sentences():
    assert sentence((900, 60, 20, 20), 0.0001, 0.022, 0.058) == (
        "old is better: 40 more of 1,000 test images right (4.0 points, 95 % 2.2 – 5.8), p < 0.001."
    )
    assert sentence((900, 20, 60, 20), 0.0001, -0.058, -0.022, split="reference") == (
        "new is better: 40 more of 1,000 training images right (4.0 points, 95 % 2.2 – 5.8), p < 0.001."
    )
    assert sentence((900, 31, 29, 40), 0.9, -0.013, 0.017) == (
        "No difference can be told at n = 1,000: old has 2 more test images right "
        "(0.2 points, 95 % −1.3 to 1.7), p = 0.900."
    )
    assert sentence((900, 30, 30, 40), 1.0, -0.015, 0.015, split="validation") == (
        "No difference can be told at n = 1,000: both have as many validation images right "
        "(0.00 points, 95 % −1.50 to 1.50), p = 1.000."
    )
    assert sentence((28, 0, 1, 1), 1.0, -0.1, 0.0) == (
        "No difference can be told at n = 30: new has 1 more test image right (3.3 points, 95 % 0.0 – 10.0), p = 1.000."
    )
    assert sentence((900, 0, 0, 100), 1.0, 0, 0, same=1000) == "The two say the same on all 1,000 test images."
    assert [chance(p) for p in (0.0004, 0.0123, 0.04999, 0.05, 0.5)] == [
        "p < 0.001",
        "p = 0.012",
        "p < 0.05",
        "p = 0.050",
        "p = 0.500",
    ]


@pytest.mark.parametrize("search", ["?run=toy", "?run=toy&true=Bar%200&split=reference", "?run=toy&pred=Bar%201"])
def test_four_buckets_are_counted_and_lead_to_their_images(client, store, search):
    bucket_buttons = buttons(shown(client, "buckets-body", search))
    assert [button["data-bucket"] for button in bucket_buttons] == list(BUCKETS)
    numbers = [int(button["aria-label"].split()[0]) for button in bucket_buttons]
    pair = store.compare(Selection.parse(search))
    assert numbers == pair.buckets(Selection.parse(search)).tolist()
    for button, n in zip(bucket_buttons, numbers, strict=True):
        there = button["data-search"]
        assert fire(client, "selection-count.children", there)["selection-count"]["children"] == str(n)
        title = fire(client, "comparison-gallery-title.children", there)["comparison-gallery-title"]["children"]
        assert title == f"{n:,} image{'' if n == 1 else 's'}"


def test_a_cell_leads_to_the_images_that_moved(client, store):
    cells = buttons(shown(client, "delta-table"))
    assert len(cells) == 16
    pair = store.compare(Selection(run="toy"))
    whole = pair.a.confusion(Selection()) - pair.b.confusion(Selection())
    for cell in cells:
        change, i, j, a, b = map(int, re.findall(r"[+-]?\d+", cell["aria-label"]))
        assert change == whole[i, j] == a - b
        count = fire(client, "selection-count.children", cell["data-search"])["selection-count"]["children"]
        assert int(count) == a + b


@pytest.mark.parametrize(
    ("graph", "point", "there"),
    [
        ("delta", {"x": "Bar 1", "y": "Bar 0"}, "?run=toy&true=Bar%200&pred=Bar%201&bucket=only-a"),
        ("gaps", {"x": 3.5, "y": "Bar 2"}, "?run=toy&true=Bar%202&bucket=only-a"),
    ],
)
def test_a_click_on_a_chart_becomes_the_address(client, graph, point, there):
    click = f"comparison-{graph}-graph.clickData"
    output = next(d["output"] for d in client.dependencies if f"comparison-{graph}-graph" in text(d["inputs"]))
    values = {click: {"points": [point]}, "url.search": "?run=toy&bucket=only-a"}
    _, answer = client.fire_with(output, click, values)
    assert answer["url"]["search"] == there
    status, answer = client.fire_with(output, click, {**values, click: {"points": [{"x": [], "y": {}}]}})
    assert (status, answer) == (204, {})


def test_gaps_per_class(client, store):
    answer = fire(client, "comparison-gaps-graph.figure")
    bars = answer["comparison-gaps-graph"]["figure"]["data"][0]
    pair = store.compare(Selection(run="toy"))
    a, b = pair.a.predictions("test"), pair.b.predictions("test")
    for i, (name, value) in enumerate(zip(bars["y"], bars["x"], strict=True)):
        of = a.labels == i
        assert name == f"Bar {i}"
        assert value == pytest.approx(100 * (a.right[of].mean() - b.right[of].mean()), abs=1e-3)
    recall_gaps = gaps(pair.by_class(Selection()))
    assert np.allclose([recall_gaps.low, recall_gaps.high], newcombe(recall_gaps.buckets))
    assert (recall_gaps.adjusted >= recall_gaps.p).all()
    assert recall_gaps.n.sum() == 400


def test_curves_by_epoch_and_by_time(client, store):
    for by in ("epoch", "seconds", "nonsense"):
        answer = fire(client, "comparison-pace-loss-graph.figure", comparison_pace_select__value=by)
        lines = {t["name"]: t for t in answer["comparison-pace-loss-graph"]["figure"]["data"] if "name" in t}
        assert set(lines) == {"A train", "A validation", "B train", "B validation"}
        seconds = store.open("toy").history()["seconds"]
        end = lines["A train"]["x"][-1]
        assert end == pytest.approx(seconds.sum() if by == "seconds" else 2)
    assert "2 epochs over" in answer["comparison-pace-note"]["children"]


def test_what_was_different(client, store):
    pair = store.compare(Selection(run="toy"))
    differences, same = changes(pair)
    lines = {name: (a, b) for name, a, b in differences}
    assert lines["Epochs"] == ("2", "1")
    assert lines["Seed"] == ("7", "1")
    assert "Batch size" not in lines
    assert same == len(pair.a.manifest["config"]) - 2
    assert f"{same} other settings are the same" in text(shown(client, "changed-body"))
    pair.b.manifest["config"].pop("seed")
    assert ("Seed", "7", "not recorded") in changes(pair)[0]
    del pair.b.manifest["machine"]
    assert {name: b for name, _, b in changes(pair)[0]}["Machine"] == "not recorded"


def test_tiles_tell_both_answers(client, store):
    tiles = buttons(shown(client, "gallery-grid", "?run=toy&bucket=only-b"))
    pair = store.compare(Selection(run="toy"))
    assert 0 < len(tiles) <= 48
    for tile in tiles:
        row = int(np.searchsorted(pair.ids, int(tile["data-sample"])))
        truth, a, b = (pair.a.classes[c[row]] for c in (pair.answers.labels, pair.answers.a, pair.answers.b))
        assert b == truth != a
        label = re.sub(r"\d+ percent", "", tile["aria-label"])
        assert label.endswith(f": true {truth}, A predicted {a}, confidence , B predicted {b}, confidence ")


def test_the_drawer_walks_through_the_comparison(client, store):
    search = "?run=toy&bucket=neither&bucket=only-a&sort=id"
    pair = store.compare(Selection.parse(search))
    ids = pair.ids[pair.ordered(Selection.parse(search))].tolist()
    answer = fire(client, "sample-drawer-title.children", sample_drawer_asked__data=f"{search}&sample={ids[1]}")
    assert f"2 of {len(ids):,}" in text(answer["sample-drawer-title"]["children"])
    assert f"sample={ids[0]}" in text(answer["sample-drawer-walk"]["children"])
    assert "twin says" in text(answer["sample-drawer-verdict"]["children"])


@pytest.mark.parametrize(
    ("search", "words"),
    [
        ("?run=toy&against=stranger", "toy and stranger cannot be compared: one learned from"),
        ("?run=stranger", "a comparison needs two"),
    ],
)
def test_what_cannot_be_compared_is_said_once_and_plainly(client, search, words):
    answer = fire(client, "comparison-face.children", search)
    face = text(answer["comparison-face"]["children"])
    assert words in face
    assert ("/training" in face) == ("needs two" in words)
    for figure in FIGURES:
        response = fire(client, f"comparison-{figure}.figure", search)
        assert f"comparison-{figure}" not in response
        assert words in text(response)


def test_one_run_alone_shows_how_to_make_another(toy_home, bare):
    alone = client_of(create_app(bare, home=toy_home).server.test_client())
    face = text(fire(alone, "comparison-face.children", "")["comparison-face"]["children"])
    assert f"python -m ml train --dataset {TOY}" in face
    assert "Train another run" in face
    assert fire(alone, "comparison-against.options", "")["comparison-against"] == {
        "options": [{"value": "none", "label": "no other run", "disabled": True}],
        "value": "none",
    }


def test_a_broken_run_is_said_to_be_broken(toy_home, bare, tmp_path):
    home = shutil.copytree(toy_home, tmp_path / "home")
    (home / "runs" / "torn").mkdir()
    torn = client_of(create_app(bare, home=home).server.test_client())
    face = text(fire(torn, "comparison-face.children", "?run=toy&against=torn")["comparison-face"]["children"])
    assert "Run torn cannot be opened" in face
    [choice] = fire(torn, "comparison-against.options", "?run=toy&against=torn")["comparison-against"]["options"][-1:]
    assert (choice["value"], choice["disabled"]) == ("torn", True)


@pytest.mark.parametrize("search", ["?against=toy&run=toy", "?run=toy&against=gone"])
def test_an_address_against_nothing_is_noted_and_the_best_other_is_shown(client, search):
    note = fire(client, "app-dropped.children", search)["app-dropped"]["children"]
    assert "against" in note
    assert "twin" in text(fire(client, "comparison-about.children", search))


def test_every_table_can_be_taken_along(web, store):
    for noun in ("comparison", "buckets", "delta", "gaps", "pace", "changes", "pairs"):
        answer = web.get(f"/export/{noun}.csv?run=toy&true=Bar%200")
        assert answer.status_code == 200
        assert f'filename="toy-twin-{noun}-test.csv"' in answer.headers["Content-Disposition"]
        assert len(answer.get_data(as_text=True).splitlines()) > 1
    head, *rows = web.get("/export/gaps.csv?run=toy").get_data(as_text=True).splitlines()
    assert head == "class,n,both,only-a,only-b,neither,gap,low,high,p,p adjusted,run,against,data"
    assert len(rows) == 4
    pairs = web.get("/export/pairs.csv?run=toy&bucket=neither").get_data(as_text=True).splitlines()
    assert len(pairs) == 1 + store.compare(Selection(run="toy")).buckets()[3]
    assert web.get("/export/gaps.csv?run=stranger").status_code == 404


def test_the_report_has_the_pages_images_and_both_answers(web, store):
    for search in ("?run=toy", "?run=toy&true=Bar%200&bucket=neither&sort=id"):
        selection = Selection.parse(search)
        pair = store.compare(selection)
        rows = pair.ordered(selection.differing())
        answer = web.get(f"/export/comparison-report.html{search}")
        assert answer.status_code == 200
        assert f"{len(rows):,} of {pair.n:,}) of the images that both know" in answer.text
        assert verdict(pair).sentence() in unescape(answer.text)
        tiles = answer.text.partition('class="tiles"')[2]
        ids = [int(one) for one in re.findall(r'<small class="quiet">(\d+)</small>', tiles)]
        assert ids == pair.ids[rows[:48]].tolist()
        predicted = re.findall(r"<small>B: (Bar \d) ", tiles)
        assert predicted == [pair.a.classes[pair.answers.b[row]] for row in rows[:48]]
        for n in pair.buckets():
            assert f"{n:,} of {pair.n:,})" in answer.text
    assert web.get("/export/comparison-report.html?run=stranger").status_code == 404
    assert web.get("/export/prediction-report.html").status_code == 404


def test_any_value_is_answered_in_words(client):
    for value in (
        "?bucket=x&run=../..",
        "?bucket=both&bucket=both&conf=2-3",
        "?sample=99999999",
        7,
        [],
        {"a": 1},
        None,
    ):
        search = value if isinstance(value, str) else None
        for output in ("face.children", "delta-graph.figure", "pace-loss-graph.figure", "gallery-title.children"):
            more = {"app_theme_state__data": value, "comparison_pace_select__value": value}
            fire(client, f"comparison-{output}", search, **{**more, "app_view_state__data": value})


def test_photographs_have_nothing_to_compare_until_they_are_fetched_and_lead_on_to_runs_that_have(tmp_path):
    shipped = client_of(create_app(home=tmp_path).server.test_client())
    face = text(fire(shipped, "comparison-face.children", "?run=clothing_photos"))
    assert "No other run learned from Clothing photos" in face
    assert "python -m ml data fetch clothing-photos" in face
    assert "/data" in face
    assert "Train another run" not in face, "there is nothing to train it on"
    there = re.search(r"run=small_resnet&against=\w+", face)
    assert there is not None
    assert fire(shipped, "comparison-face.children", f"?{there[0]}")["comparison-face"]["children"] is None


def test_a_run_of_its_own_data_set_leads_on_by_a_training_alone_where_there_is_no_default(client):
    face = text(fire(client, "comparison-face.children", "?run=stranger")["comparison-face"]["children"])
    assert "python -m ml train --dataset synthetic-13-40x32x3" in face
    assert "Train another run" in face
