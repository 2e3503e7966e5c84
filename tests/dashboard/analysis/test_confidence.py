"""What is said of confidence, against the same counted another way; and what the panels answer."""

import numpy as np
import pytest
from dash import html

from dashboard.analysis import confidence, matrix_rows
from dashboard.components import bins, reliability
from dashboard.data.store import Store
from dashboard.pages.dashboard import confidence as panel
from dashboard.pages.dashboard import contrast, scores
from dashboard.state.selection import Selection
from ml.stats import intervals
from ml.stats.calibration import expected_calibration_error
from tests.callbacks import fired_in_process

Z = 1.959963984540054


@pytest.fixture(scope="module")
def run(toy_home, tmp_path_factory):
    folder = tmp_path_factory.mktemp("nothing-ships")
    (folder / "runs").mkdir()
    (folder / "index.json").write_text('{"default": null, "runs": []}')
    return Store(folder, toy_home).open("toy")


def wilson(k, n):
    centre, half = k / n + Z**2 / (2 * n), Z * np.sqrt(k / n * (1 - k / n) / n + Z**2 / (4 * n * n))
    return pytest.approx(((centre - half) / (1 + Z**2 / n), (centre + half) / (1 + Z**2 / n)), abs=1e-6)


@pytest.mark.parametrize("search", ["?reject=0.50", "?reject=0.85&outcome=wrong", "?reject=0.30&true=Bar%200"])
def test_coverage_and_selective_accuracy_and_the_gallery_agree(run, search):
    selection, p = Selection.parse(search), run.predictions("test")
    base = np.isin(p.labels, run.class_ids(selection.true)) if selection.true else np.ones(len(p.ids), bool)
    sure = base & (p.probabilities.max(1).astype(float) >= selection.reject)
    answers = confidence.answers(run, selection)
    assert (answers.coverage.count, answers.coverage.n) == (sure.sum(), base.sum())
    assert answers.coverage.value == pytest.approx(sure.sum() / base.sum(), abs=1e-6)
    assert answers.coverage.ends == wilson(sure.sum(), base.sum())
    assert answers.accuracy.value == pytest.approx((sure & p.right).sum() / sure.sum(), abs=1e-6)
    assert answers.accuracy.ends == wilson((sure & p.right).sum(), sure.sum())
    assert answers.left == (sure & ~p.right).sum()
    assert answers.mistakes == (base & ~p.right).sum()
    everything = selection.with_(outcome=("wrong", "right"))
    assert len(run.ordered(everything)) == answers.coverage.count
    assert run.confusion(selection.with_(true=())).sum() == (p.confidence.astype(float) >= selection.reject).sum()


def test_a_curve_is_the_answers_at_every_threshold(run):
    table = confidence.curve(run, Selection())
    assert len(table) == 101
    for row in table.iloc[[0, 37, 50, 99, 100]].itertuples():
        answers = confidence.answers(run, Selection(reject=row.threshold))
        assert (row.answered, row.right) == (answers.coverage.count, answers.accuracy.count)


def test_a_threshold_is_chosen_on_validation(run):
    p = run.predictions("validation")
    for share in (0.5, 0.9, 0.98):
        threshold = confidence.threshold_for(run, share)
        good = [
            t / 100
            for t in range(101)
            if (sure := p.confidence.astype(float) >= t / 100).any() and p.right[sure].mean() >= share
        ]
        assert threshold == (good[0] if good else None)


def test_bins_count_what_is_in_them():
    sure = np.array([0.1, 0.5, 0.55, 0.9, 1.0, 1.0], np.float32)
    right = np.array([False, True, False, True, True, False])
    table = confidence.bins(sure, right, 2)
    assert table["n"].tolist() == [2, 4]  # 0.5 belongs to the first: low < confidence ≤ high
    assert table["right"].tolist() == [1, 2]
    assert table["confidence"].tolist() == pytest.approx([0.3, 0.8625])
    assert table[["low", "high"]].to_numpy().tolist() == [[0, 0.5], [0.5, 1]]


def test_the_bins_are_those_of_the_calibration_error():
    rng = np.random.default_rng(0)
    sure, right = rng.uniform(0.1, 1, 500), rng.random(500) < 0.7
    table = confidence.bins(sure, right)
    full = table[table["n"] > 0]
    gaps = (full["right"] / full["n"] - full["confidence"]).abs() * full["n"] / 500
    assert gaps.sum() == pytest.approx(expected_calibration_error(sure, right))


def test_every_bin_opens_what_it_counts(run):
    table = confidence.histogram(run, Selection())
    assert table[["right", "wrong"]].to_numpy().sum() == 400
    for k, row in enumerate(table.itertuples()):
        for outcome, n in (("", row.right + row.wrong), ("right", row.right), ("wrong", row.wrong)):
            there = Selection.parse(panel.opened(Selection(), k, outcome).query())
            assert run.mask(there).sum() == n, (k, outcome)
    figure, _, _ = reliability.draw(run, Selection(), "light")
    assert len(figure["data"]) == 5
    for field, values in (("conf", run.predictions("test").confidence), ("tempered", run.tempered("test"))):
        which = np.clip(np.ceil(values.astype(float) * 15).astype(int) - 1, 0, 14)
        for k in range(15):
            there = Selection.parse(reliability.opened(Selection(reject=0.9), field, k).query())
            assert run.mask(there).sum() == (which == k).sum(), (field, k)


@pytest.mark.parametrize("search", ["?reject=0.52", "?tempered=0.20-0.60", "?conf=0.25-0.30&reject=0.97"])
def test_a_bin_opens_what_it_counts_under_chips_of_its_own_kind(run, search):
    selection = Selection.parse(search)
    for k, n in enumerate(confidence.histogram(run, selection)["n"]):
        if not bins.is_bin(selection.conf, k, 20):
            assert run.mask(panel.opened(selection, k)).sum() == n, k
    for field in ("conf", "tempered"):
        for k, n in enumerate(reliability.counts(run, selection, field)["n"]):
            assert run.mask(reliability.opened(selection, field, k)).sum() == n, (field, k)


def test_a_second_click_on_a_bin_lets_go_of_it():
    once = panel.opened(Selection(true=("Bar 0",)), 12)
    assert once.query() == "?true=Bar%200&conf=0.60-0.65"
    assert panel.opened(once, 12).query() == "?true=Bar%200"
    assert panel.opened(once, 12, "wrong").query() == "?true=Bar%200&outcome=wrong&conf=0.60-0.65"
    assert panel.opened(Selection(reject=0.9), 2).reject is None
    assert panel.opened(Selection(reject=0.9), 19).reject == 0.9
    fifteenth = reliability.opened(Selection(), "conf", 13)
    assert fifteenth.query() == "?conf=0.866667-0.933333"
    assert reliability.opened(Selection.parse(fifteenth.query()), "conf", 13).conf is None


def test_clicks_that_are_none_are_no_bins():
    def at(curve, x):
        return {"points": [{"curveNumber": curve, "x": x}]}

    assert panel.clicked(at(0, 97.5)) == (19, "right")
    assert panel.clicked(at(1, 2.5)) == (0, "wrong")
    assert reliability.clicked(at(0, 850 / 15)) == ("conf", 8)
    assert reliability.clicked(at(3, 100)) == ("conf", 14)
    assert reliability.clicked(at(4, 0.5)) == ("tempered", 0)
    for click in (None, {}, [], at(2, 50), at(0, "x"), at(0, None), at("0", 5), at(0, 900), at(0, True)):
        assert panel.clicked(click) is None
    for click in (None, {}, [], at(1, 50), at(0, "x"), at(0, None), at("0", 5), at(0, 900), at(0, -1)):
        assert reliability.clicked(click) is None


@pytest.mark.parametrize(
    ("graph", "right", "wrong"),
    [("dashboard-confidence-graph", 0, 1), ("dashboard-calibration-graph", 0, 3), ("insights-calibration-graph", 0, 4)],
)
def test_a_click_on_a_bin_without_images_opens_nothing(app, run, graph, right, wrong):
    """right, wrong: traces that can be clicked."""
    client, click = fired_in_process(app), f"{graph}.clickData"
    output = next(d["output"] for d in client.dependencies if d["inputs"] == [{"id": graph, "property": "clickData"}])
    number = 20 if right + wrong == 1 else 15
    sure, statuses = run.predictions("test"), {}
    for curve in (right, wrong):
        values = run.tempered("test") if curve == 4 else sure.confidence
        which = np.clip(np.ceil(values.astype(float) * number).astype(int) - 1, 0, number - 1)
        inside = sure.right if number == 20 and curve == right else ~sure.right if number == 20 else sure.ids >= 0
        for k in range(number):
            event = {"points": [{"curveNumber": curve, "x": 100 * (k + 0.5) / number}]}
            status, _ = client.fire_with(output, click, {click: event})
            statuses[curve, k] = (status, bool((which[inside] == k).any()))
    assert {status for status, full in statuses.values() if full} == {200}
    assert {status for status, full in statuses.values() if not full} == {204}
    chosen = {
        click: {"points": [{"curveNumber": right, "x": 0.5}]},
        "url.search": Selection(conf=(0.0, 1 / number)).query(),
    }
    assert client.fire_with(output, click, chosen)[0] == 200  # an address chose it: it can be let go of


def test_errors_of_a_part_are_those_of_its_images(run):
    rows = np.flatnonzero(run.predictions("test").labels == 1)
    errors, p = confidence.miscalibration(run, "test", rows), run.predictions("test")
    probabilities = p.probabilities[rows].astype(float)
    one = np.eye(4)[p.labels[rows]]
    assert errors["none"]["brier"] == pytest.approx(((probabilities - one) ** 2).sum(1).mean(), abs=1e-6)
    powers = probabilities ** (1 / run.temperature())
    scaled = powers / powers.sum(1, keepdims=True)
    assert errors["temperature"]["brier"] == pytest.approx(((scaled - one) ** 2).sum(1).mean(), abs=1e-6)
    assert errors["temperature"]["loss"] == pytest.approx(-np.log(scaled[one == 1]).mean(), abs=1e-6)
    whole = run.calibration().set_index(["split", "scaling", "metric"])["value"]
    every = confidence.miscalibration(run, "test", np.arange(400))
    for scaling, values in every.items():
        for metric, value in values.items():
            assert whole["test", scaling, metric] == pytest.approx(value, abs=1e-6)


def test_numbers_fit_under_their_bins():
    assert [bins.compact(n) for n in (0, 7, 999, 1_000, 9_123, 12_345, 3_400_000)] == [
        "·", "7", "999", "1.0k", "9.1k", "12k", "3.4M",
    ]  # fmt: skip


def test_panels_answer_and_take_no_nonsense(app):
    client = fired_in_process(app)
    figure = "dashboard-confidence-graph.figure"
    store = "dashboard-sure-state.data"
    status, answer = client.fire_with(figure, store, {store: "?reject=0.50&tempered=0.20-0.60"})
    assert status == 200
    assert answer["dashboard-confidence-face"]["children"] is None
    status, answer = client.fire_with("dashboard-calibration-graph.figure", store, {store: ""})
    assert answer["dashboard-calibration-face"]["children"] is None
    for value in (None, 7, [], {"a": 1}):
        assert client.fire_with(figure, store, {store: value})[0] == 204
    url, click = "url.search", "dashboard-confusion-graph.clickData"
    matrix_click = {"points": [{"x": "Bar 1", "y": "Bar 0"}]}

    def clicked(search, keys):
        output = next(
            d["output"] for d in client.dependencies if d["inputs"] == [{"id": click[:-10], "property": "clickData"}]
        )
        state = {click: matrix_click, url: search, "app-keys-state.data": keys}
        return client.fire_with(output, click, state)[1]["url"]["search"]

    assert clicked("", {"shift": True}) == "?true=Bar%200&pred=Bar%201"
    assert (
        clicked("?true=Bar%201&pred=Bar%200", {"shift": True}) == "?true=Bar%201&pred=Bar%200&contrast=Bar%200~Bar%201"
    )
    assert clicked("?true=Bar%201", "ctrl") == "?true=Bar%200&pred=Bar%201"


def test_a_run_without_the_noun_keeps_its_diagram_and_names_the_command(run, monkeypatch):
    nouns = {name: entry for name, entry in run.manifest["nouns"].items() if name != "calibration"}
    monkeypatch.setattr(run, "manifest", {**run.manifest, "nouns": nouns})
    from ml.artifacts.reader import Missing

    def missing(split):
        raise Missing("This run has no calibration yet.", "python -m ml evaluate toy --only calibration")

    monkeypatch.setattr(run, "tempered", missing)
    figure, strips, errors = reliability.draw(run, Selection(), "dark")
    assert len(figure["data"]) == 4
    assert len(strips) == 2
    assert errors[-1].children == "python -m ml evaluate toy --only calibration"


def test_classes_that_share_a_row_open_what_it_counts(run):
    selection = Selection().view(top=2, cluster=True)
    shown = matrix_rows.Shown.of(run, selection)
    assert shown.names[-1] == "2 others"
    assert shown.counts.sum() == 400
    members = {name: (name,) for name in run.classes} | shown.members
    for i, truth in enumerate(shown.names):
        for j, guess in enumerate(shown.names):
            there = selection.cell(members[truth], members[guess])
            assert run.mask(Selection.parse(there.query())).sum() == shown.counts[i, j]


def test_both_sides_of_a_contrast_are_their_cells(run):
    p = run.predictions("test")
    selection = Selection.parse("?true=Bar%200&pred=Bar%200&contrast=Bar%201~Bar%201")
    parts = contrast.drawn(run, selection, "light")
    for offset, k in ((1, 0), (5, 1)):
        inside = (p.labels == k) & (p.predicted == k)
        head, _, figure, tiles = parts[offset : offset + 4]
        assert head[1].children[0].children == f"{inside.sum():,} "
        heights = np.histogram(p.confidence[inside], np.arange(21) / 20)[0] / inside.sum() * 100
        assert np.abs(np.array(figure["data"][0]["y"]) - heights).max() < 1e-3
        assert set(p.ids[inside]) >= {int(tile["props"]["data-sample"]) for tile in tiles}
        assert len(tiles) == min(12, inside.sum())
    assert parts[-3:] == (parts[-4], "Bar 1", parts[-4], "Bar 1")[1:]
    there = contrast.swapped(selection, selection.contrasted(run.classes))
    assert there.query() == "?true=Bar%201&pred=Bar%201&contrast=Bar%200~Bar%200"


def test_a_contrast_with_no_cell_of_the_run_says_so(app):
    client = fired_in_process(app)
    store = "dashboard-contrast-state.data"
    _, answer = client.fire_with(
        "dashboard-contrast-a-graph.figure", store, {store: "?true=Bar%200&contrast=Hat~Bar%200"}
    )
    assert "none of" in str(answer["dashboard-contrast-face"])


@pytest.mark.parametrize(
    ("search", "settled"),
    [
        ("", "wrong"),
        ("?outcome=right", "right"),
        ("?outcome=right&outcome=wrong", ""),
        ("?true=A", ""),
        ("?pred=A", ""),
        ("?true=A&pred=B", "wrong"),
        ("?true=A&pred=A", "right"),
        ("?true=A&true=B&pred=A&pred=B", ""),
        ("?true=A&true=B&pred=C", "wrong"),
        ("?bucket=both&bucket=only-a", "right"),
        ("?bucket=neither", "wrong"),
        ("?bucket=only-a&bucket=only-b", ""),
        ("?tag=top-2", "wrong"),
        ("?tag=top-2&tag=unsure", ""),
        ("?tag=top-2&labels=reviewed", ""),
        ("?tag=top-2&epoch=1", ""),
        ("?conf=0.50-0.80", ""),
    ],
)
def test_what_a_selection_settles(search, settled):
    assert Selection.parse(search).settled() == settled


def test_no_calibration_error_of_images_chosen_by_their_outcome(run):
    predictions, classes = run.predictions("test"), run.classes
    i, j = next((i, j) for i in range(4) for j in range(4)
                if i != j and ((predictions.labels == i) & (predictions.predicted == j)).any())  # fmt: skip
    for chosen in (
        Selection(true=(classes[i],), pred=(classes[j],)),
        Selection(true=(classes[i],), pred=(classes[i],)),
    ):
        _, _, errors = reliability.draw(run, chosen, "light")
        said = str(errors)
        assert "says nothing" in said, chosen
        assert "brier score, loss" in said
        assert "%" not in said, "no number of what the choice has made"
    for honest in (Selection(), Selection(outcome=("wrong",)), Selection(true=(classes[i],))):
        assert "Calibration error" in str(reliability.draw(run, honest, "light")[2]), "its own chips do not count"
    assert "says nothing" in str(panel.answers(run, Selection(true=(classes[i],), pred=(classes[j],))))


def test_bars_of_classes_chosen_by_their_outcome_are_not_drawn(app):
    page = fired_in_process(app)
    for search, there in (("", True), ("?outcome=wrong", True), ("?tag=confidently-wrong", False)):
        _, made = page.fire_with("dashboard-accuracy-graph.figure", "url.search", {"url.search": search})
        assert ("figure" in made.get("dashboard-accuracy-graph", {})) == there, search
        assert ("says nothing" in str(made["dashboard-accuracy-face"])) != there


def test_one_image_makes_no_class_the_best_nor_the_worst():
    hits, n = np.array([1, 90, 60, 0, 0]), np.array([1, 100, 100, 1, 0])
    best, worst = scores.extremes(*intervals.wilson(hits, n), n)
    assert (best, worst) == (1, 2)
    equal = np.array([90, 95, 80]), np.array([100, 100, 100])
    assert scores.extremes(*intervals.wilson(*equal), equal[1]) == (1, 2), "the same order where all have as many"


def test_best_and_worst_lead_to_their_images(run):
    tiles = [part for part in scores.body(run, Selection())[1].children if part.__class__.__name__ == "Button"]
    best, worst = (Selection.parse(getattr(tile, "data-search")) for tile in tiles)
    assert len(best.true) == len(worst.true) == 1
    assert (best.outcome, worst.outcome) == ((), ("wrong",))


def ways(part):
    """Every button below that leads to a gallery."""
    below = [one for one in part._traverse() if one.__class__.__name__ == "Button"]
    return [one for one in below if "data-gallery" in one.to_plotly_json()["props"]]


def test_every_number_of_images_in_a_tile_leads_to_as_many(run):
    hero, tiles = scores.body(run, Selection())
    (wrong,) = ways(hero)
    there = Selection.parse(getattr(wrong, "data-search"))
    assert int(run.mask(there).sum()) == int((~run.predictions("test").right).sum())
    assert wrong.children == f"{int(run.mask(there).sum()):,} wrong"
    linked = [tile for tile in tiles.children if tile in ways(tiles) or ways(tile)]
    assert len(linked) == 2, "best and worst class; the other four count no images"
    chosen = Selection(reject=0.5, outcome=("wrong", "right"))
    shown = html.Div(panel.answers(run, chosen))
    answered = confidence.answers(run, chosen)
    found = {one.children: Selection.parse(getattr(one, "data-search")) for one in ways(shown)}
    assert int(run.mask(found.pop("see them")).sum()) == answered.left
    out = answered.coverage.n - answered.coverage.count
    if out:
        assert int(run.mask(found.pop(f"the {out:,} left out")).sum()) == out
    assert not found
