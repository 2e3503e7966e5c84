"""Counters of what is answered: by hand, over a restart, without a database; drift by hand; Prometheus' text."""

import base64
import csv
import io
import math
import re
import time

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families as families

from dashboard.analysis import drift
from dashboard.analysis.drift import Baseline
from dashboard.figures import drift as figure
from dashboard.format.proportion import Proportion
from dashboard.pages.monitoring import counted
from dashboard.records import prediction_log
from dashboard.records.prediction_log import BINS, DRAWN, FOLD_MINUTES, KEPT, Monitor, Tally
from dashboard.services.jobs import Jobs
from dashboard.state.selection import Selection
from ml.system import database
from tests.callbacks import fired_in_process
from tests.feedback import answered, data_url, picture

LOOKED = np.zeros((28, 28, 1), np.uint8)


@pytest.fixture
def jobs(tmp_path, no_artifacts):
    return Jobs(tmp_path / "own", artifacts=no_artifacts)


@pytest.fixture
def still(monkeypatch):
    """No thread: what is written is written by the test. still(seconds) moves the clock that minutes are taken from."""
    now = [1_700_000_000.0]
    monkeypatch.setattr(Monitor, "_work", lambda self: None)
    monkeypatch.setattr(prediction_log.time, "time", lambda: now[0])
    return lambda seconds: now.__setitem__(0, now[0] + seconds)


def test_a_tally_counts_by_hand():
    tally = Tally()
    for label, confidence, seconds in (
        ("Coat", 0.97, 0.002),
        ("Coat", 0.49, 0.002),
        ("Bag", 1.0, 0.1),
        ("Bag", 0.5, 9),
    ):
        tally.add(label, confidence, seconds)
    assert (tally.n, tally.abstained, tally.classes) == (4, 1, {"Coat": 2, "Bag": 2})
    assert [i for i, n in enumerate(tally.bins) if n] == [9, 10, 19]
    assert tally.bins[19] == 2
    assert tally.confidence == pytest.approx(2.96)
    assert 0.002 <= tally.percentile(0.5) <= 0.0025
    assert 0.1 <= tally.percentile(0.75) <= 0.125
    assert 9 <= tally.percentile(0.99) <= 11.25
    assert Tally().percentile(0.5) == 0
    tally.look(True)
    tally.look(False)
    assert (tally.checked, tally.unlike) == (2, 1)
    assert Tally.read(tally.row()) == tally
    for broken in (None, [], {}, {**tally.row(), "bins": [1]}):
        assert Tally.read(broken) == Tally()


def test_the_kept_confidences_are_a_fair_sample():
    tally = Tally()
    for i in range(20 * KEPT):
        tally.add("Coat", i / (20 * KEPT), 0.001)
    assert len(tally.sample) == KEPT
    assert 0.4 < np.mean(tally.sample) < 0.6
    quiet = Tally()
    quiet.add("Coat", 0.12337, 0.001)  # which none of the others has
    both = Tally.of([tally, quiet])
    assert both.n == 20 * KEPT + 1
    assert len(both.sample) <= DRAWN
    assert both.sample.count(0.12337) <= 1  # one of 4,001 answers: it must not stand for a whole minute
    small = Tally.of([quiet, quiet])
    assert small.sample == [0.12337, 0.12337]


def test_counts_survive_a_restart_and_two_processes_add_up(jobs, still):
    one, two = Monitor(database.opener(jobs.home)), Monitor(database.opener(jobs.home))
    for each, n in ((one, 3), (two, 2)):
        for _ in range(n):
            each.saw("toy", "Coat", 0.9, 0.002)
    assert one.seen("hour", "toy").n == 3  # the other has not written yet
    assert one.write()
    assert two.write()
    assert one.seen("hour", "toy").n == two.seen("hour", "toy").n == 5
    one.saw("toy", "Bag", 0.3, 0.002)  # the same minute again: its row is changed, not added to
    assert one.write()
    later = Monitor(database.opener(jobs.home))
    tally = later.seen("hour", "toy")
    assert (tally.n, tally.abstained, tally.classes) == (6, 1, {"Coat": 5, "Bag": 1})
    assert later.totals() == {}
    assert later.runs() == {"toy": 2}
    assert later.seen("all", "other").n == 0


def test_an_hour_a_day_and_all_look_back_so_far(jobs, still):
    seen = Monitor(database.opener(jobs.home))
    for wait in (0, 2 * 3600, 30 * 3600):
        still(wait)
        seen.saw("toy", "Coat", 0.9, 0.002)
        seen.write()
    assert [seen.seen(span, "toy").n for span in ("hour", "day", "all")] == [1, 1, 3]


def test_a_clock_that_was_set_loses_nothing_and_leaves_no_mark(jobs, still):
    """Set back by hours, what was just answered is still of the last hour; set back by years, it is not for years."""
    seen = Monitor(database.opener(jobs.home))
    for wait in (0, 3 * 3600, 10 * 365 * 86_400, -10 * 365 * 86_400 - 2 * 3600, -1_699_999_000):
        still(wait)
        seen.saw("toy", "Coat", 0.9, 0.002)
        seen.write()
    still(1_699_999_000)
    seen = Monitor(database.opener(jobs.home))
    assert [seen.seen(span, "toy").n for span in ("hour", "day", "all")] == [2, 3, 5]
    minutes = seen.minutes("all", "toy")
    assert counted.undated(minutes) == 2
    starts, counts, step = counted.stretches(minutes, Selection(since="all"))
    assert (sum(counts), step, starts[-1] - starts[0]) == (3, 2, 60)


def test_old_minutes_become_hours_and_nothing_is_lost(jobs, still):
    seen = Monitor(database.opener(jobs.home))
    for _ in range(90):
        seen.saw("toy", "Coat", 0.9, 0.002)
        seen.write()
        still(60)
    before = seen.seen("all", "toy")
    assert len(seen.minutes("all", "toy")) == 90
    still(FOLD_MINUTES * 60 + 3600)
    assert seen.fold() == 90
    after = seen.seen("all", "toy")
    assert (after.n, after.bins, after.classes, after.latency) == (90, before.bins, before.classes, before.latency)
    assert len(Monitor(database.opener(jobs.home)).minutes("all", "toy")) <= 3
    assert len(after.sample) == 90
    assert seen.fold() == 0


def test_without_a_database_counting_goes_on_and_is_written_later(jobs, still):
    broken = [True]

    def opener(owner, steps):
        if broken[0]:
            raise OSError("away")
        return database.opener(jobs.home)(owner, steps)

    seen = Monitor(opener)
    seen.saw("toy", "Coat", 0.9, 0.002)
    assert not seen.write()
    assert seen.seen("hour", "toy").n == 1
    broken[0] = False
    seen._tried = -1e9
    assert seen.write()
    assert Monitor(database.opener(jobs.home)).seen("hour", "toy").n == 1


def test_a_read_only_server_counts_in_memory_alone(jobs, still, monkeypatch):
    monkeypatch.setattr(prediction_log, "MINUTES", 5)
    seen = Monitor(database.opener(jobs.home), read_only=True)
    for _ in range(12):
        seen.saw("toy", "Coat", 0.9, 0.002)
        still(60)
    assert not seen.write()
    assert seen.seen("all", "toy").n == 12  # the oldest as a sum
    assert len(seen.minutes("all", "toy")) <= 6
    assert Monitor(database.opener(jobs.home)).seen("all", "toy").n == 0


def test_a_thread_writes_and_compares_never_the_request(jobs, monkeypatch):
    monkeypatch.setattr(prediction_log, "WRITE_SECONDS", 0.05)
    monkeypatch.setattr(prediction_log, "LOOK_SECONDS", 0.01)
    compared, chores = [], []
    monkeypatch.setattr(prediction_log, "CHORE_SECONDS", 0.05)

    def unlike(run, image):
        compared.append(run)
        return None if len(compared) == 1 else True

    seen = Monitor(database.opener(jobs.home), unlike, chores=[lambda: chores.append(1)])
    for _ in range(3):
        seen.saw("toy", "Coat", 0.9, 0.002, LOOKED)
        time.sleep(0.1)
    limit = time.monotonic() + 20
    while time.monotonic() < limit and not (
        chores and Monitor(database.opener(jobs.home)).seen("hour", "toy").unlike == 2
    ):
        time.sleep(0.05)
    tally = Monitor(database.opener(jobs.home)).seen("hour", "toy")
    assert (tally.n, tally.checked, tally.unlike) == (3, 2, 2)  # what cannot be told counts for nothing
    assert chores


# ---- drift


def base(counts):
    counts = np.asarray(counts)
    return Baseline(np.linspace(0, 1, int(counts.sum())), np.asarray([0] * BINS), counts, Proportion(0, 0))


def test_the_stability_index_by_hand():
    p, q = (np.array([70.5, 30.5]) / 101), (np.array([500.5, 500.5]) / 1001)
    want = sum((a - b) * math.log(a / b) for a, b in zip(p, q, strict=True))
    index = drift.index([70, 30], [500, 500])
    assert index.value == pytest.approx(want)
    assert index.chance == pytest.approx(1 / 100 + 1 / 1000)
    assert (index.n, index.word) == (100, "some")
    assert drift.index([50, 50], [500, 500]).word == "none"
    assert drift.index([95, 5], [500, 500]).word == "much"
    assert drift.index([9, 1], [500, 500]).word == "unknown"
    assert drift.index([], []).value == drift.index([0, 0], [5, 5]).value == 0


def test_chance_alone_is_not_called_a_drift():
    rng = np.random.default_rng(0)
    q = np.full(40, 1 / 40)
    words = [drift.index(rng.multinomial(150, q), np.full(40, 250)).word for _ in range(200)]
    assert words.count("none") >= 195  # the bare limit of 0.1 would call nearly every one of them a drift


def test_thin_bins_are_put_together():
    live, usual = drift.merged([1, 2, 3, 4, 5, 6], [1, 1, 1, 40, 50, 7])
    assert usual.tolist() == [43, 50, 7] or usual.min() >= 5
    assert live.sum() == 21
    assert usual.sum() == 100


def test_ks_says_how_far_apart_two_distributions_are():
    tally, usual = Tally(), Baseline(np.linspace(0.5, 1, 1000), np.zeros(BINS, int), np.array([1000]), Proportion(0, 0))
    assert drift.gap(tally, usual) is None
    for confidence in np.linspace(0, 0.5, 50, endpoint=False):
        tally.add("Coat", float(confidence), 0.001)
    gap = drift.gap(tally, usual)
    assert gap.distance == pytest.approx(1)
    assert gap.p < 1e-6
    assert gap.n == 50


def test_the_baseline_counts_what_the_run_said_of_its_test_set(run):
    base = Baseline.of(run)
    recorded = run.predictions("test")
    assert base.n == base.bins.sum() == base.classes.sum() == 10_000
    assert base.abstained.count == int((recorded.confidence < 0.5).sum())
    arrays = run.run.arrays("familiarity")
    usual, test = arrays["validation"], arrays["test"]
    past = sum(100 * int((usual < score).sum()) > 96 * len(usual) for score in test)
    assert (base.unlike.count, base.unlike.n) == (past, len(test))
    assert base.unlike.value <= 0.05


def test_charts_hold_what_was_counted():
    chart = figure.confidences(np.array([1, 3]), np.array([50, 50]))
    assert chart["data"][0]["y"] == [25, 75]
    assert chart["data"][1]["y"] == [50, 50, 50]
    ends = (np.array([0.1, 0.4]), np.array([0.5, 0.9]))
    mix = figure.mix([1, 3], [30, 70], ["A", "B"], colours=["#111111", "#222222"], ends=ends)
    assert mix["data"][0]["x"] == [25, 75]
    assert mix["data"][0]["error_x"]["array"] == [25, 15]
    assert mix["data"][1]["x"] == [30, 70]
    bars = figure.traffic([0, 5], [2, 3], step=5)
    assert bars["data"][0]["x"] == ["1970-01-01 00:00:00", "1970-01-01 00:05:00"]
    assert bars["data"][0]["y"] == [2, 3]


# ---- the page and the addresses


def csv_in(drawn):
    """Rows of the one table whose address holds it."""
    (held,) = re.findall(r"data:text/csv;base64,([\w+/=]+)", drawn)
    return list(csv.DictReader(io.StringIO(base64.b64decode(held).decode())))


def test_the_page_is_empty_at_first_then_counts_what_page_and_api_answer(app):
    page, web = fired_in_process(app), app.server.test_client()

    def drawn(search=""):
        names = ("counted-stats.tree", "mix-graph.figure", "tests.tree", "runs-table.tree")
        outputs = [f"monitoring-{name}" for name in names]
        return [page.fire_with(one, "url.search", {"url.search": search})[1] for one in outputs]

    assert "has answered no picture in the last hour" in str(drawn()[0])
    assert "fashion_predictions_total{" not in web.get("/metrics").text
    answered(page, src=data_url(picture(1)))
    _, image = data_url(picture(2)).split(",")
    sent = {"image": (io.BytesIO(base64.b64decode(image)), "a.png"), "run": "toy"}
    assert web.post("/api/v1/predict", data=sent).status_code == 200
    counts, charts, tests, runs = drawn("?since=day")
    assert "on test" in str(counts)
    assert "'children': '2'" in str(runs)
    table = csv_in(str(runs["monitoring-runs-csv"]))
    assert [(row["run"], row["predictions"]) for row in table] == [("toy", "2")]
    assert float(table[0]["psi classes"]) >= 0
    assert table[0]["ks p"] == "", "too few answers for any test to speak"
    beside = csv_in(str(charts["monitoring-compared-csv"]))
    assert sum(int(row["live"]) for row in beside if row["of"] == "class") == 2
    assert sum(int(row["test"]) for row in beside if row["of"] == "confidence") == int(beside[0]["test n"]) > 0
    assert [row["live n"] for row in csv_in(str(tests["monitoring-tests-csv"]))] == ["2", "2", "2"]
    assert "'children': ['2', None]" in str(counts["monitoring-counted-stats"]["tree"])
    assert sum(charts["monitoring-mix-graph"]["figure"]["data"][0]["x"]) == pytest.approx(100)
    assert str(tests["monitoring-tests"]["tree"]).count("too few (under 100)") == 3
    assert "p\u00a0" not in str(tests["monitoring-tests"]["tree"])
    rows = list(csv.DictReader(io.StringIO(web.get("/export/monitoring.csv?since=all").text)))
    assert sum(int(row["predictions"]) for row in rows) == 2
    assert sum(int(row[f"Bar {i}"]) for row in rows for i in range(4)) == 2
    assert web.get("/export/monitoring.csv?run=nothing").get_data() == web.get("/export/monitoring.csv").get_data()


def test_a_demonstration_is_no_traffic(app):
    page, web = fired_in_process(app), app.server.test_client()
    for _ in range(3):
        answered(page, search="?sample=7")
    upload = data_url(picture(1))
    answered(page, src=upload)
    answered(page, src=upload, touched="prediction-preparation-mode.value")
    answered(page, src=upload, touched="prediction-engine-select.value")
    counted = [line for line in web.get("/metrics").text.splitlines() if line.startswith("fashion_predictions_total{")]
    assert counted == ['fashion_predictions_total{run="toy"} 1.0'], "one picture came, once"


def test_metrics_are_what_prometheus_reads(app):
    web = app.server.test_client()
    page = fired_in_process(app)
    for seed in range(3):
        answered(page, src=data_url(picture(seed)))
    answer = web.get("/metrics")
    assert answer.content_type.startswith("text/plain; version=")
    metrics = {family.name: family for family in families(answer.text)}
    assert [(one.labels, one.value) for one in metrics["fashion_predictions"].samples] == [({"run": "toy"}, 3)]
    assert sum(one.value for one in metrics["fashion_answers"].samples) == 3
    for name in ("fashion_confidence", "fashion_prediction_seconds"):
        buckets = [one for one in metrics[name].samples if one.name.endswith("_bucket")]
        assert [one.value for one in buckets] == sorted(one.value for one in buckets)
        assert buckets[-1].labels["le"] == "+Inf"
        assert buckets[-1].value == 3
        (total,) = [one.value for one in metrics[name].samples if one.name.endswith("_sum")]
        assert total > 0


def test_metrics_are_guarded_as_everything_else(app, monkeypatch):
    web = app.server.test_client()
    assert web.get("/metrics", headers={"Host": "evil.example"}).status_code == 400
    monkeypatch.setenv("FASHION_PASSWORD", "secret")
    assert web.get("/metrics").status_code == 401
