"""The Robustness page: what was measured, what flips, one image under attack, the job that measures."""

import csv
import io
import re

import numpy as np
import pandas as pd
import pytest
from playwright.sync_api import expect

from dashboard.analysis import robustness
from dashboard.analysis.robustness import EPSILON_STEPS
from dashboard.data.store import Store
from dashboard.format.proportion import Proportion
from dashboard.pages.robustness import attack_lab, cells, curves, flipped, grid, measure
from dashboard.services import uploads
from dashboard.services.container import Services
from dashboard.services.jobs import Jobs
from dashboard.shell import create_app
from dashboard.state.selection import Selection
from dashboard.state.vocabulary import MAX_EPSILON
from ml.artifacts.writer import add_nouns
from ml.robustness.catalogue import ATTACKS, CORRUPTIONS, EPSILONS, LADDER
from ml.stats.intervals import wilson
from ml.stats.paired import newcombe
from tests.accessibility import SERIOUS, violations
from tests.callbacks import fired_in_process
from tests.dashboard.pages.test_slices import text

SEED = 3
CELLS = [
    ("none", 0, 0.0),
    *(("noise", s, 0.1 * s) for s in range(1, 6)),
    *(("jpeg", s, 30 - 5 * s) for s in range(1, 6)),
]
REACH = [("fgsm", 0), ("fgsm", 0.5), ("fgsm", 8), ("pgd", 0), ("pgd", 0.5), ("pgd", 8)]


def made_up(home, run_id="toy", *, worse=1):
    """Tables with answers by hand: of every ten pictures, a cell of severity s turns s times `worse`."""
    view = Store(home / "none", home).open(run_id)
    whole = view.predictions("test")
    labels, place = whole.labels, np.arange(len(whole.ids)) % 10
    other = (labels + 1) % len(view.classes)

    def predictions(turned, rows):
        return np.where((place >= 10 - turned) | (place == 0), other, labels)[rows].astype(np.int16)

    few = np.arange(100)
    predicted = np.stack([predictions(worse * severity, slice(None)) for _, severity, _ in CELLS])
    attacked = np.stack([predictions({0: 0, 0.5: 2, 8: 9}[epsilon], few) for _, epsilon in REACH])
    frame = pd.DataFrame(CELLS, columns=["corruption", "severity", "level"])
    frame = frame.assign(split="test", n=len(labels), correct=(predicted == labels).sum(1))
    curve = pd.DataFrame([(name, e / 255) for name, e in REACH], columns=["attack", "epsilon"])
    curve = curve.assign(split="test", n=100, correct=(attacked == labels[few]).sum(1))
    answers = {
        "example_id": whole.ids, "predicted": predicted, "attacked_id": whole.ids[few], "attacked": attacked,
    }  # fmt: skip
    tables = {"robustness": frame, "attacks": curve, "robustness_answers": answers}
    add_nouns(home / "runs" / run_id, view.manifest, {noun: (data, 0.0) for noun, data in tables.items()})


@pytest.fixture
def client(app):
    return fired_in_process(app)


@pytest.fixture
def measured(home, app):
    made_up(home)
    return fired_in_process(app)


def state(search=""):
    return {"robustness_cells_state__data": {"search": search, "measured": ""}}


def table(app, noun, search=""):
    answer = app.server.test_client().get(f"/export/{noun}.csv{search}")
    return list(csv.DictReader(io.StringIO(answer.get_data(as_text=True)))) if answer.status_code == 200 else None


def test_what_is_said_here_is_what_is_made():
    from ml.robustness.attacks import MOVES
    from ml.robustness.corruptions import APPLY

    assert [*CORRUPTIONS] == [*APPLY]
    assert [*ATTACKS] == [*MOVES]
    assert EPSILON_STEPS[-1] == MAX_EPSILON == LADDER[-1]
    assert set(EPSILONS) <= set(EPSILON_STEPS)
    assert robustness.EPSILON in EPSILON_STEPS


def test_the_address_keeps_what_is_asked():
    search = "?under=pgd:0.5&attack=fgsm&epsilon=0.00390625&target=T-shirt%2Ftop"
    selection = Selection.parse(search)
    assert (selection.under, selection.attack, selection.epsilon) == ("pgd:0.5", "fgsm", 0.00390625)
    assert selection.target == "T-shirt/top"
    assert Selection.parse(selection.query()) == selection
    assert not selection.narrowed
    assert Selection.parse("?epsilon=0").query() == "?epsilon=0"
    for wrong in (
        "under=noise",
        "under=noise:x",
        "under=N:1",
        "under=noise:99",
        "attack=magic",
        "epsilon=33",
        "epsilon=-1",
    ):
        selection = Selection.parse(f"?{wrong}")
        assert selection.query() == ""
        assert len(selection.dropped) == 1


def test_cells_are_shares_with_their_doubt(measured, app):
    status, answer = measured.fire(
        "robustness-grid-table.tree", "robustness-cells-state.data", **state("?under=noise:3")
    )
    assert status == 200
    words = text(answer["robustness-grid-table"]["tree"])
    assert words.split()[:6] == ["severity", "→", "1", "2", "3", "4"]
    n = len(app.store.open("toy").predictions("test").ids)
    drawn = answer["robustness-grid-graph"]["figure"]
    assert drawn["data"][0]["y"] == ["Noise", "JPEG"]
    assert len(drawn["layout"]["shapes"]) == 1
    rows = table(app, "robustness")
    assert [row["corruption"] for row in rows[:2]] == ["none", "noise"]
    assert rows[-1]["corruption"] == "mean"  # of ten pictures, 0 never, 1 to 4 always, 5 up to severity 4, ..., 9 never
    shares = np.array([0, 5, 5, 5, 5, 4, 3, 2, 1, 0] * (n // 10)) / 5
    half = 1.959964 * shares.std(ddof=1) / n**0.5
    assert [float(rows[-1][name]) for name in ("accuracy", "low", "high")] == pytest.approx(
        [0.6, 0.6 - half, 0.6 + half], abs=1e-5
    )
    assert "On average over the 10 cells, 60.0 % are" in answer["robustness-grid-note"]["children"]
    third = rows[3]
    assert (third["severity"], int(third["right"]), int(third["n"])) == ("3", n * 6 // 10, n)
    low, high = wilson(n * 6 // 10, n)
    assert (float(third["low"]), float(third["high"])) == pytest.approx((float(low), float(high)), abs=1e-6)
    assert f"{100 * float(low):.1f} – {100 * float(high):.1f}" in drawn["data"][0]["text"][0][2]
    assert "standard deviation 0.3" in drawn["data"][0]["text"][0][2]
    assert f"{n:,}" in answer["robustness-grid-note"]["children"]


def test_the_report_has_both_tables_and_what_flips(measured, app):
    web = app.server.test_client()
    evaluation = robustness.corruptions(app.store, Selection())
    text_ = web.get("/export/robustness-report.html?under=noise:3&true=Bar%201").text
    for one in (*evaluation.cells, *robustness.attacks(app.store, Selection()).cells):
        assert f"<td>{one.share}</td>" in text_
    flips = robustness.flips(app.store.open("toy"), "noise:3")
    assert (
        f"Under noise, severity 3, {Proportion(len(flips.rows), flips.right)} of those right as they are flip." in text_
    )
    tiles = text_.partition('class="tiles"')[2]
    ids = [int(one) for one in re.findall(r'<small class="quiet">(\d+)</small>', tiles)]
    assert ids == flips.predictions.ids[flips.rows[:24]].tolist()
    assert tiles.count("<img") == 2 * len(ids)
    assert "No corruption or attack is chosen" in web.get("/export/robustness-report.html").text
    assert web.get("/export/robustness-report.html?under=noise:9").status_code == 404


def test_a_report_of_what_was_not_measured_names_the_command(app):
    text_ = app.server.test_client().get("/export/robustness-report.html").text
    assert "python -m ml evaluate toy --only robustness" in text_
    assert "<h2>Confusion</h2>" in text_


def test_two_runs_differ_on_the_pictures_both_were_asked_about(home, no_artifacts):
    import shutil

    shutil.copytree(home / "runs" / "toy", home / "runs" / "worse")
    manifest = home / "runs" / "worse" / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"run_id": "toy"', '"run_id": "worse"'))
    made_up(home)
    store = Store(no_artifacts, home)
    with_other = Selection(run="toy", against="worse")
    with pytest.raises(robustness.Missing) as caught:
        robustness.corruptions(store, with_other)
    assert caught.value.command == "python -m ml evaluate worse --only robustness"
    made_up(home, "worse", worse=1.5)
    evaluation = robustness.corruptions(Store(no_artifacts, home), with_other)
    cell = evaluation.of("noise")[1]  # severity 2: of ten, 1 is wrong anyway; A loses 2, B 3
    n = len(store.open("toy").predictions("test").ids)
    buckets = np.array([n * 6 // 10, n // 10, 0, n * 3 // 10])
    assert cell.shared == n
    assert cell.gap[0] == pytest.approx(0.1)
    assert cell.gap[1:] == pytest.approx(tuple(float(end) for end in newcombe(buckets)))
    assert cell.sure
    drawn = grid.drawn(evaluation, with_other, "light")
    assert drawn["data"][0]["z"][0][1] == pytest.approx(0.1)
    assert [line.name for line in curves.lines(robustness.attacks(Store(no_artifacts, home), with_other))] == [
        "A FGSM", "A PGD", "B FGSM", "B PGD",
    ]  # fmt: skip
    assert evaluation.mean[3] == n
    assert evaluation.mean[0] == pytest.approx(0.12)  # of ten pictures, B loses 1, 3, 4, 6 and 7, A 1 to 5
    app = create_app(no_artifacts, home=home)
    row = table(app, "robustness", "?run=toy&against=worse")[2]
    assert (row["severity"], float(row["A minus B"]), int(row["n both"])) == ("2", 0.1, n)


@pytest.mark.parametrize(
    ("click", "under"),
    [({"y": "Noise", "x": "3"}, "noise:3"), ({"y": "JPEG", "x": "1"}, "jpeg:1"), ({"y": "Fog", "x": "1"}, None),
     ({"y": "Noise", "x": "6"}, None), ({"y": ["Noise"], "x": {}}, None), ("nonsense", None)],
)  # fmt: skip
def test_a_click_on_a_cell_is_an_address(measured, click, under):
    event = {"points": [click]} if isinstance(click, dict) else {"points": click}
    status, answer = measured.fire_with(
        search_of(measured, "robustness-grid-graph"),
        "robustness-grid-graph.clickData",
        {"robustness-grid-graph.clickData": event, "url.search": "?attack=fgsm&sample=4"},
    )
    if under is None:
        assert status == 204
        return
    (search,) = [value["search"] for value in answer.values()]
    assert Selection.parse(search) == Selection(under=under, attack="fgsm", sample=4)


def search_of(client, graph):
    """The output of the callback that a click on this chart starts; there are many that change the address."""
    one = next(
        d for d in client.dependencies if [(i["id"], i["property"]) for i in d["inputs"]] == [(graph, "clickData")]
    )
    return one["output"].strip(".").split("...")[0]


def test_a_click_on_a_curve_opens_its_point(home, no_artifacts):
    made_up(home)
    evaluation = robustness.attacks(Store(no_artifacts, home), Selection())
    assert curves.clicked(evaluation, 2, 1).address == "fgsm:0.5"  # after two bands
    assert curves.clicked(evaluation, 3, 2).address == "pgd:8"
    for curve, step in ((0, 1), (4, 1), (3, 0), (3, 3), (3, -1)):
        assert curves.clicked(evaluation, curve, step) is None


def test_the_flipped_images_and_the_pictures_that_were_asked_about(measured, app):
    status, answer = measured.fire(
        "robustness-flipped-grid.tree", "robustness-cells-state.data", **state("?under=noise:2")
    )
    assert status == 200
    run = app.store.open("toy")
    whole = run.predictions("test")
    ids = whole.ids[np.isin(np.arange(len(whole.ids)) % 10, (8, 9))]
    tiles = answer["robustness-flipped-grid"]["tree"]
    assert [int(tile["props"]["data-sample"]) for tile in tiles] == ids[: flipped.EACH].tolist()
    assert f"{len(ids):,} of {len(whole.ids) * 9 // 10:,}" in answer["robustness-flipped-note"]["children"]
    assert {int(row["example_id"]) for row in table(app, "flipped", "?under=noise:2")} == set(ids.tolist())
    way = flipped.gallery(Selection(under="noise:2"), robustness.flips(run, "noise:2"))
    assert run.mask(Selection.parse(getattr(way, "data-search"))).sum() == len(ids)
    many = flipped.gallery(Selection(), robustness.flips(run, "noise:5"))
    assert len(Selection.parse(getattr(many, "data-search")).ids) == min(200, len(whole.ids) // 2)
    assert table(app, "flipped") is None

    from ml.robustness.corruptions import corrupt

    doors_of = robustness.flips(run, "noise:2")
    rows = doors_of.rows[:3]
    services = Services(app.store, Jobs(app.store.library.home))
    images = run.pictures("test").images[[run.pictures("test").row(int(i)) for i in ids[:3]]]
    seed = run.manifest["config"]["seed"]
    wanted = corrupt(images, "noise", 2, ids=ids[:3], seed=seed)
    np.testing.assert_array_equal(robustness.worsened(services, run, doors_of, rows), wanted)
    attacks = robustness.flips(run, "pgd:8")
    changed = robustness.worsened(services, run, attacks, attacks.rows[:2]).astype(int)
    before = run.pictures("test").images[
        [run.pictures("test").row(int(i)) for i in attacks.predictions.ids[attacks.rows[:2]]]
    ]
    assert 1 <= np.abs(changed - before).max() <= 8


def test_pages_of_flipped_images():
    assert flipped.page_of(Selection(page=9), 50) == 3
    assert flipped.shown(Selection(page=2), 30) == slice(24, 48)
    words = flipped.pager(Selection(under="noise:1", page=3), 50)
    assert words[0].children == "49 – 50 of 50"
    previous, following = words[1].children
    assert Selection.parse(getattr(previous, "data-search")).page == 2
    assert following.disabled


@pytest.mark.parametrize("search", ["?under=fog:1", "?under=noise:9", "?under=pgd:3"])
def test_what_was_not_tried_says_so(measured, search):
    for output in ("robustness-flipped-grid.tree", "robustness-flipped-body.style"):
        status, answer = measured.fire(output, "robustness-cells-state.data", **state(search))
        assert status == 200
        (face,) = [value["children"] for name, value in answer.items() if name.endswith("face")]
        assert "not tried" in text(face)


@pytest.mark.parametrize("value", [None, 3, [], {}, {"search": 4}, {"search": "?under=" + "x" * 9000}])
def test_nothing_else_can_be_asked_of_the_tables(measured, value):
    for output in ("robustness-grid-table.tree", "robustness-curves-table.tree", "robustness-flipped-grid.tree"):
        status, _ = measured.fire(output, "robustness-cells-state.data", robustness_cells_state__data=value)
        assert status in (200, 204)


def attacked(client, search):
    status, answer = client.fire(
        "robustness-lab-body.tree", "robustness-lab-asked.data", robustness_lab_asked__data=search
    )
    assert status == 200
    return answer


def test_one_image_under_attack(client, app):
    """What is on the page is what the attack itself gives."""
    from ml.inference.classifier import Classifier
    from ml.robustness import attacks

    run = app.store.open("toy")
    sample = int(run.pictures("test").ids[5])
    image = run.picture("test", sample)
    classifier = Classifier.open(run.run)
    guess = int(classifier.probabilities(image[None])[0].argmax())
    answer = attacked(client, f"?sample={sample}&attack=fgsm&epsilon=16")
    words = text(answer["robustness-lab-body"]["tree"])
    attempt = attacks.attacked(classifier, image[None], np.array([guess]), 16 / 255, "fgsm")
    after = run.classes[int(attempt.predicted[0])]
    assert f"{run.classes[guess]}  →  {after}" in re.sub(r"\s{3,}", "  ", words)
    assert ("not flipped" in words) == (attempt.predicted[0] == guess)
    assert f"no pixel moved by more than {255 * np.abs(attempt.change).max():.3g} of 255" in words
    assert answer["robustness-lab-number"]["value"] == sample
    target = (guess + 1) % 4
    words = text(attacked(client, f"?sample={sample}&target={run.classes[target]}")["robustness-lab-body"]["tree"])
    assert f"PGD towards {run.classes[target]}" in words
    rows = table(app, "attack", f"?sample={sample}&attack=fgsm&epsilon=16")
    assert len(rows) == image.size
    assert max(abs(float(row["change"])) for row in rows) == pytest.approx(255 * np.abs(attempt.change).max(), rel=1e-4)
    _, answer = client.fire(
        "robustness-smallest-body.tree",
        "robustness-smallest-asked.data",
        robustness_smallest_asked__data=f"?sample={sample}",
    )
    words = text(answer["robustness-smallest-body"]["tree"])
    least = attacks.smallest(classifier, image[None], np.array([guess]), "pgd").epsilon[0]
    assert (f"{255 * least:.3g}" if least == least else "Nothing up to 32") in words
    assert "0.25, 0.5, 1, 2, 4, 8, 16, 32 of 255" in words


def test_an_attack_is_kept_and_refuses_what_is_none(app, home):
    services, run = Services(app.store, Jobs(home)), app.store.open("toy")
    images, classes = run.pictures("test").images[:6], run.pictures("test").labels[:6]
    attempt = services.attacker.attack("toy", images, classes, "fgsm", 4 / 255)
    assert services.attacker.attack("toy", images, classes, "fgsm", 4 / 255) is attempt
    assert services.attacker.attack("toy", images, classes, "fgsm", 2 / 255) is not attempt
    assert attempt.images.shape == attempt.change.shape == images.shape
    assert attempt.before.shape == attempt.after.shape == attempt.saved.shape == (6, 4)
    assert np.abs(attempt.change).max() <= 4 / 255 + 1e-6
    alone = services.attacker.attack("toy", images[5:], classes[5:], "fgsm", 4 / 255)  # nothing depends on the others
    np.testing.assert_allclose(alone.images[0], attempt.images[5], atol=1e-6)
    kept = np.rint(attempt.images * 255).astype(np.uint8)
    for i in range(6):
        np.testing.assert_allclose(
            attempt.before[i], services.predictor.predict("toy", images[i]).probabilities, atol=1e-5
        )
        np.testing.assert_allclose(
            attempt.saved[i], services.predictor.predict("toy", kept[i]).probabilities, atol=1e-5
        )
    for method, epsilon in (("magic", 0.1), ("fgsm", 2), ("pgd", -0.1)):
        with pytest.raises(ValueError, match=r"unknown attack|from 0 to 1"):
            services.attacker.attack("toy", images, classes, method, epsilon)
    with pytest.raises(ValueError, match="pictures must be"):
        services.attacker.attack("toy", images[:, :5], classes, "fgsm", 0.1)
    with pytest.raises(ValueError, match="no picture"):
        services.attacker.attack("toy", images[:0], classes[:0], "fgsm", 0.1)
    with pytest.raises(robustness.Missing):
        services.attacker.corrupted(images, np.arange(6), "fog", 1, seed=0)


def test_no_run_at_all_breaks_nothing(no_artifacts, tmp_path):
    client = fired_in_process(create_app(no_artifacts, home=tmp_path / "empty"))
    assert "There is no run yet" in text(watched(client)["robustness-measure-words"]["tree"])
    _, answer = client.fire("robustness-about.children", "app-view-state.data", app_view_state__data="")
    assert answer["robustness-about"]["children"] == "No run to show."
    lab_says = attacked(client, "")
    assert "There is no run yet" in text(lab_says["robustness-lab-face"]["children"])
    for chart, prop, value in (
        ("robustness-lab-number", "value", 3),
        ("robustness-curves-graph", "clickData", {"points": [{"curveNumber": 3, "x": 1}]}),
    ):
        output = next(d["output"] for d in client.dependencies if d["inputs"][0] == {"id": chart, "property": prop})
        first = output.strip(".").split("...")[0]
        assert client.fire_with(first, f"{chart}.{prop}", {f"{chart}.{prop}": value})[0] == 204


def test_an_image_is_chosen_by_its_number(client, app):
    ids = app.store.open("toy").pictures("test").ids
    for number, wanted in ((int(ids[7]), f"?sample={ids[7]}"), (10**6, None), (True, None), (["x"], None)):
        values = {"robustness-lab-number.value": number, "url.search": ""}
        status, answer = client.fire_with("robustness-lab-wrong.children", "robustness-lab-number.value", values)
        if wanted:
            assert next(one["search"] for name, one in answer.items() if name.startswith("url")) == wanted
        elif status == 200:
            assert answer["robustness-lab-wrong"]["children"] == "There is no image 1000000 in test."
        else:
            assert status == 204


def test_the_perturbation_is_grey_where_nothing_changed():
    change = np.array([0.0, 0.01, -0.02, 0.5], np.float32).reshape(2, 2, 1)
    assert attack_lab.louder(change).ravel().tolist() == [128, 153, 76, 255]


@pytest.mark.parametrize("search", ["?sample=999999", "?run=nowhere&sample=1", "?epsilon=banana", "?target=Nobody"])
def test_the_lab_takes_any_address(client, search):
    attacked(client, search)


def watched(client, search=""):
    status, answer = client.fire("robustness-measure-card.hidden", "app-view-state.data", app_view_state__data=search)
    assert status == 200
    return answer


def pressed(client, button):
    """Press one of the card's buttons; the note beside it."""
    output = next(d["output"] for d in client.dependencies if d["inputs"][0]["id"] == button)
    values = {f"{button}.n_clicks": 1, "app-view-state.data": ""}
    status, answer = client.fire_with(output.strip(".").split("...")[0], f"{button}.n_clicks", values)
    assert status == 200
    return next(value["children"] for name, value in answer.items() if name.startswith(measure.Ids.NOTE))


def test_what_is_missing_says_what_it_would_show_and_starts_its_job(client, app, no_worker, home):
    answer = watched(client)
    words = text(answer["robustness-measure-words"]["tree"])
    assert "eight corruptions in five severities" in words
    assert "python -m ml evaluate toy --only robustness" in words
    assert (answer["robustness-measure-card"]["hidden"], answer["robustness-measured"]["hidden"]) == (False, True)
    assert not answer["robustness-measure-start"]["disabled"]
    assert pressed(client, measure.Ids.START) is None
    answer = watched(client)
    assert "Next in the queue" in text(answer["robustness-measure-live"]["tree"])
    assert answer["robustness-measure-start"]["disabled"]
    assert not answer["robustness-measure-cancel"]["hidden"]
    assert answer["robustness-measure-interval"] == {"disabled": False, "interval": measure.ACTIVE_MS}
    pressed(client, measure.Ids.CANCEL)
    answer = watched(client)
    assert "cancelled" in text(answer["robustness-measure-live"]["tree"])
    assert not answer["robustness-measure-start"]["disabled"]
    assert answer["robustness-measure-interval"] == {"disabled": False, "interval": measure.IDLE_MS}
    made_up(home)
    answer = watched(client)
    assert (answer["robustness-measure-card"]["hidden"], answer["robustness-measured"]["hidden"]) == (True, False)
    assert answer["robustness-measure-interval"]["disabled"]
    assert answer["robustness-measure-done"]["data"]


def test_a_waiting_measurement_says_what_it_waits_for(client, no_worker, home):
    from ml.jobs.queue import JobTable

    table = JobTable(home)

    def progress():
        return text(watched(client)["robustness-measure-live"]["tree"])

    table.submit({"nouns": ["projection"]}, "other", epochs=0, kind="evaluate")
    pressed(client, measure.Ids.START)
    assert "Waits for the evaluation of other: number 2 in the queue." in progress()
    first = table.claim("evaluate")
    assert "Waits for the evaluation of other: number 1 in the queue." in progress()
    table.submit({}, "late", epochs=3)  # asked for later, and yet before it
    assert "Waits for the evaluation of other: number 2 in the queue. Trainings go first." in progress()
    training = table.claim("train")
    assert "Waits for training late and the evaluation of other: number 1 in the queue. Trainings" in progress()
    table.finish(first, "done")
    table.beat(training, left=130.0)
    assert "Waits for training late (2 min left): number 1 in the queue. Trainings go first." in progress()
    table.finish(training, "done")
    assert "Next in the queue; it begins by itself." in progress()


def test_a_full_queue_answers_in_words(client, no_worker, home):
    from ml.jobs.queue import QUEUE, JobTable

    jobs = JobTable(home)
    for i in range(QUEUE + 1):  # the first of them would run at once
        jobs.submit({"nouns": ["projection"]}, f"run-{i}", epochs=0, kind="evaluate")
    assert "queue" in pressed(client, measure.Ids.START).lower()


def test_read_only_says_why_nothing_can_be_measured(home, no_artifacts):
    client = fired_in_process(create_app(no_artifacts, home=home, read_only=True))
    answer = watched(client)
    assert "--read-only" in text(answer["robustness-measure-live"]["tree"])
    assert answer["robustness-measure-start"]["disabled"]
    assert not [d for d in client.dependencies if d["inputs"][0]["id"] == measure.Ids.START]


def test_tables_say_their_missing_command(client):
    for output in ("robustness-grid-table.tree", "robustness-curves-table.tree"):
        _, answer = client.fire(output, "robustness-cells-state.data", **state())
        (face,) = [value["children"] for name, value in answer.items() if name.endswith("face")]
        assert "python -m ml evaluate toy --only robustness" in text(face)


def test_cells_speak():
    cell = robustness.Cell("jpeg", 2.0, 18.0, robustness.Proportion(90, 100), gap=(-0.05, -0.1, 0.01), shared=80)
    assert cells.hover(cell, paired=False).startswith(
        "<b>90.0 %</b> right under JPEG, severity 2<br>82.6 – 94.5, 90 of 100"
    )
    assert "n 80" in cells.hover(cell, paired=True)
    assert cells.number(cell, paired=True) == "−5.0"
    assert not cell.sure
    assert robustness.words("pgd", 0.5) == "PGD within 0.5/255"


def test_from_a_cell_to_an_image_under_attack(home, app, serving, page, idle):
    made_up(home)
    page.goto(f"{serving(app)}/robustness")
    page.wait_for_function(idle)
    expect(page.locator("#robustness-measure-card")).to_be_hidden()
    page.locator("#robustness-grid-view").get_by_text("Table").click()
    page.locator("#robustness-grid-table button").nth(1).click()
    expect(page).to_have_url(re.compile("under=noise:2|under=noise%3A2"))
    tile = page.locator("#robustness-flipped-grid [data-sample]").first
    expect(page.locator("#robustness-flipped-body")).to_have_attribute("style", re.compile("--worse-"))
    tile.click()
    sample = tile.get_attribute("data-sample")
    expect(page.locator("#robustness-lab-number")).to_have_value(sample)
    expect(page.locator("#robustness-lab-body .shot")).to_have_count(3)
    expect(page.locator("#robustness-smallest-body")).to_contain_text("of 255")
    page.wait_for_function(idle)
    steps = page.evaluate("() => history.length")
    slider = page.locator("#robustness-epsilon-slider")
    slider.focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    wanted = EPSILON_STEPS[EPSILON_STEPS.index(robustness.EPSILON) + 3]
    expect(page).to_have_url(re.compile(rf"epsilon={wanted:g}(&|$)"))
    expect(page.locator("#robustness-epsilon-said")).to_have_text(f"{wanted:g} of 255")
    page.wait_for_function(idle)
    assert page.evaluate("() => history.length") == steps + 1
    assert "under=noise" in page.url  # the slider changes its own key alone
    assert f"sample={sample}" in page.url
    page.locator("#robustness-lab-method").get_by_text("FGSM").click()
    expect(page.locator("#robustness-lab-body")).to_contain_text("FGSM away from")
    page.locator("#robustness-grid-table button").nth(7).click()
    expect(page).to_have_url(re.compile("under=jpeg.*"))
    page.wait_for_function(idle)
    assert f"sample={sample}" in page.url
    assert "attack=fgsm" in page.url
    address = page.url
    page.goto(address)
    page.wait_for_function(idle)
    expect(page.locator("#robustness-flipped-note")).to_contain_text("JPEG, severity 3")
    page.locator("#robustness-lab-card").scroll_into_view_if_needed()  # below the fold it asks nobody
    expect(page.locator("#robustness-lab-body")).to_contain_text("FGSM away from")
    for mode in ("light", "dark"):
        page.set_viewport_size({"width": 1440 if mode == "light" else 390, "height": 900})
        if mode == "dark":
            page.evaluate("() => document.getElementById('app-theme-button').click()")
        page.wait_for_function(idle)
        assert violations(page, SERIOUS) == [], mode
        assert page.evaluate("() => document.documentElement.scrollWidth <= document.documentElement.clientWidth"), mode


ASKED = re.compile("_dash-update-component")


def test_a_slider_is_not_set_back_by_an_address_that_is_answered_late(home, app, serving, page, idle):
    """By keyboard it is at the next place before what the last one meant has come: each press counts."""
    made_up(home)
    page.goto(f"{serving(app)}/robustness")
    page.wait_for_function(idle)
    page.locator("#robustness-lab-card").scroll_into_view_if_needed()
    expect(page.locator("#robustness-lab-body .shot")).to_have_count(3)
    page.wait_for_function(idle)
    page.route(ASKED, lambda route: None)  # held until further notice
    place = EPSILON_STEPS.index(robustness.EPSILON)
    slider = page.locator("#robustness-epsilon-slider")
    with page.expect_request(ASKED):
        slider.evaluate(
            """(one, late) => {
                one.stepUp(3);
                one.dispatchEvent(new Event('input', {bubbles: true}));
                dash_clientside.set_props('url', {search: late});
            }""",
            f"?epsilon={EPSILON_STEPS[place + 1]:g}",
        )
    assert slider.input_value() == str(place + 3)
    page.unroute(ASKED)  # what was held goes on
    expect(page).to_have_url(re.compile(rf"epsilon={EPSILON_STEPS[place + 3]:g}(&|$)"))
    page.wait_for_function(idle)
    expect(slider).to_have_value(str(place + 3))
    page.go_back()  # it follows the address again
    expect(page).to_have_url(re.compile(rf"epsilon={EPSILON_STEPS[place + 1]:g}(&|$)"))
    expect(slider).to_have_value(str(place + 1))


def test_photographs_made_worse_are_shown_small_and_a_few_a_page(home, no_artifacts, monkeypatch):
    run = Store(no_artifacts, home).open("toy")
    assert flipped.each(run, Selection.parse("?under=pgd:8")) == flipped.EACH
    assert flipped.inline_sheet(np.zeros((3, 28, 28, 1), np.uint8)).startswith("data:image/png")
    photos = np.random.default_rng(0).integers(0, 256, (3, 224, 168, 3)).astype(np.uint8)
    made = uploads.decode(uploads.from_data_url(flipped.inline_sheet(photos))).pixels
    assert made.shape == (112 + 2, 3 * (84 + 2), 3)
    monkeypatch.setattr(flipped, "form", lambda run: (224, 168))
    assert flipped.each(run, Selection.parse("?under=noise:3")) == flipped.EACH
    attacked = Selection.parse("?under=pgd:8&page=2")
    assert flipped.each(run, attacked) == flipped.EACH_ATTACKED == 6
    assert flipped.shown(attacked, 9, 6) == slice(6, 12)
    assert flipped.page_of(attacked, 6, 6) == 1


def test_photographs_that_were_measured_by_other_levels_are_not_measured(home, no_artifacts, monkeypatch):
    made_up(home)
    store = Store(no_artifacts, home)
    run = store.open("toy")
    assert robustness.measured(run), "the levels of small pictures are as they were"
    units = {cell.address: cell.unit for cell in robustness.corruptions(store, Selection()).cells}
    assert units["jpeg:1"] == CORRUPTIONS["jpeg"].unit
    assert units["noise:1"] == "", "0.1 is none of the levels"
    monkeypatch.setattr(robustness, "PHOTO_SIDE", 20)
    assert not robustness.measured(run)
