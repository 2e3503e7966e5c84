"""Engines in a run's drawer: the table, where int8 loses, the measurement as a job, the files; and who answers."""

import json
import sys
import time

import numpy as np
import pandas as pd
import pytest

from dashboard.data.store import Store
from dashboard.pages.training import engines
from dashboard.services.container import Services
from dashboard.services.jobs import Jobs
from ml.artifacts import writer
from ml.artifacts.reader import Missing
from ml.jobs.queue import JobTable
from tests.dashboard.pages.test_prediction import words

pytestmark = pytest.mark.usefixtures("no_worker")


def row(engine: str, **more) -> dict:
    base = {
        "engine": engine, "bytes": 1_000_000, "p50_ms": 1.0, "p95_ms": 1.5, "times": 500, "images_per_second": 1000.0,
        "batch": 250, "n": 400, "correct": 380, "accuracy": 0.95, "low": 0.92, "high": 0.97, "agreeing": 400,
        "agreement": 1.0, "agreement_low": 0.99, "agreement_high": 1.0, "difference": 0.0, "processor": "a processor",
    }  # fmt: skip
    return {**base, **more}


SMALL = {
    "bytes": 250_000,
    "p50_ms": 0.25,
    "images_per_second": 4000.0,
    "correct": 379,
    "accuracy": 0.9475,
    "agreeing": 396,
}
MEASURED = pd.DataFrame([row("torch", p50_ms=2.0), row("onnx"), row("int8", **SMALL)])


@pytest.fixture
def services(home, no_artifacts):
    return Services(Store(no_artifacts, home), Jobs(home, artifacts=no_artifacts))


def test_the_table_has_every_share_with_its_interval(services):
    text = words(engines.table(MEASURED))
    assert "250 kB" in text
    assert "0.25 ms" in text
    assert "94.75 %92.1 – 96.5" in text
    assert "99.00 %" in text
    assert "n 400 test pictures" in text
    assert "a processor" in text


def test_an_imported_onnx_is_held_against_its_own_file():
    own = pd.DataFrame([row("onnx"), row("int8", **SMALL)])
    text = words(engines.table(own))
    assert "As ONNX says" in text
    assert "torch" not in text
    assert engines.verdict(own) == [
        "int8 gains: 25 % of ONNX's size, 4.0 times as fast as ONNX for one picture, 4.0 times ONNX's pace in batches.",
        "int8 loses: 0.25 points of accuracy.",
    ]


def test_where_int8_loses_it_is_said():
    assert engines.verdict(MEASURED) == [
        "int8 gains: 25 % of ONNX's size, 8.0 times as fast as torch for one picture, 4.0 times as fast as ONNX, "
        "4.0 times ONNX's pace in batches.",
        "int8 loses: 0.25 points of accuracy.",
    ]
    slow = pd.DataFrame([row("torch"), row("onnx"), row("int8", p50_ms=2.0, images_per_second=500.0, bytes=2_000_000)])
    assert engines.verdict(slow) == [
        "int8 gains: 0.00 points more accuracy.",
        "int8 loses: a file of 200 % of ONNX's, 0.50 of torch's pace, 0.50 of ONNX's pace for one picture, "
        "0.50 of ONNX's pace in batches.",
    ]


def test_a_measurement_is_a_job_that_is_asked_for_once(services, home):
    body, off, status, still = engines.drawn(services, "toy", wanted=False)
    assert "Not measured yet" in words(body)
    assert (off, status, still) == (False, "", True)
    _, off, status, still = engines.drawn(services, "toy", wanted=True)
    assert (off, status, still) == (True, "Next in the queue; it begins by itself.", False)
    engines.drawn(services, "toy", wanted=True)
    jobs = JobTable(home).listing(kind="evaluate")
    assert [(job.run_id, job.spec["nouns"]) for job in jobs] == [("toy", ["engines"])]
    job = JobTable(home).claim("evaluate")
    JobTable(home).beat(job, stage="quantising")
    assert engines.drawn(services, "toy", wanted=False)[2] == "Under way: quantising."
    JobTable(home).finish(job, "failed", "It stopped with an error; the log says more.")
    assert engines.drawn(services, "toy", wanted=False)[1:] == (
        False,
        "The last measurement failed. It stopped with an error; the log says more.",
        True,
    )


def test_what_is_not_installed_is_named_and_switches_the_button_off(services, monkeypatch):
    monkeypatch.setattr("ml.inference.onnx.find_spec", lambda name: None)
    _, off, status, _ = engines.drawn(services, "toy", wanted=False)
    assert off
    assert status == "onnx and onnxruntime is not installed. Try: pip install -r requirements-onnx.txt"


@pytest.fixture
def made(home, no_artifacts):
    """The toy run with its ONNX files."""
    from ml import pipeline
    from ml.artifacts.reader import Library

    pipeline.evaluate(Library(no_artifacts, home), "toy", ["onnx", "int8"])
    return home


def test_any_engine_answers_and_onnx_is_loaded_when_it_is_asked_for(made, services):
    run = services.store.open("toy")
    recorded, picture = run.predictions("test"), run.pictures("test").images[5]
    for engine in ("torch", "onnx", "int8"):
        answer = services.predictor.predict("toy", picture, engine=engine)
        apart = np.abs(answer.probabilities - recorded.probabilities[5]).max()
        assert apart < (0.2 if engine == "int8" else 1e-4), engine
    with pytest.raises(ValueError, match="unknown engine"):
        services.predictor.predict("toy", picture, engine="abacus")
    assert "onnxruntime" in sys.modules


def test_an_engine_without_its_package_is_named(made, services, monkeypatch):
    monkeypatch.setattr("ml.inference.onnx.find_spec", lambda name: None)
    with pytest.raises(Missing, match="onnxruntime is not installed") as missing:
        services.predictor.predict("toy", np.zeros((28, 28, 1), np.uint8), engine="onnx")
    assert "requirements-onnx.txt" in missing.value.command


def test_the_files_and_the_table_can_be_downloaded(made, no_artifacts):
    from dashboard.shell import create_app
    from ml.artifacts.reader import Library

    run = Library(no_artifacts, made).open("toy")
    client = create_app(no_artifacts, home=made).server.test_client()
    for noun, name in (("onnx", "toy.onnx"), ("int8", "toy-int8.onnx")):
        answer = client.get(f"/export/runs/toy/{noun}.onnx")
        assert answer.data == run.graph(noun)
        assert name in answer.headers["Content-Disposition"]
    for path in ("toy/weights.onnx", "nowhere/onnx.onnx", "..%2ftoy/onnx.onnx"):
        assert client.get(f"/export/runs/{path}").status_code == 404
    assert client.get("/export/engines.csv?run=toy").status_code == 404, "not measured"


def test_the_drawer_shows_what_was_measured(home, no_artifacts):
    from dashboard.shell import create_app
    from tests.callbacks import fired_in_process

    folder = home / "runs" / "toy"
    manifest = json.loads((folder / "manifest.json").read_text())
    writer.add_nouns(folder, manifest, {"engines": (MEASURED, time.perf_counter())})
    client = fired_in_process(create_app(no_artifacts, home=home))
    output = "training-engines-body.tree"
    status, answer = client.fire(output, "training-run-state.data", training_run_state__data="toy")
    assert status == 200, answer
    assert "int8 loses: 0.25 points of accuracy." in json.dumps(answer)
    for hostile in ([], {}, 7, "../../etc", "x" * 5000, True):
        status, _ = client.fire(output, "training-run-state.data", training_run_state__data=hostile)
        assert status in (200, 204)


def test_the_studio_asks_the_chosen_engine_and_names_one_that_is_not_there(services, home, no_artifacts):
    from dashboard.pages.prediction import answer, request
    from dashboard.state.selection import Selection
    from ml import pipeline
    from ml.artifacts.reader import Library

    sample = Selection(run="toy", sample=int(services.store.open("toy").predictions("test").ids[3]))
    shown = answer.ask(services, sample, None, "auto", engine="int8")
    assert "python -m ml evaluate toy --only" in words(shown.face)
    pipeline.evaluate(Library(no_artifacts, home), "toy", ["int8"])
    shown = answer.ask(services, sample, None, "auto", engine="int8")
    assert shown.text.label == answer.ask(services, sample, None, "auto", []).text.label
    assert shown.state["engine"] == "int8"
    assert [request.engine_of(value) for value in ("onnx", "abacus", None, ["int8"], 7)] == ["onnx", *["torch"] * 4]
