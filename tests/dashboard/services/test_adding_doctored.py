"""The doctor's table that was looked at goes with the job, and the network is not asked a second time."""

import json

import pytest

from dashboard.services.adding import Adding
from dashboard.services.staging import Staging
from ml.artifacts.reader import Library
from ml.data import load
from ml.importing import adding as importing
from ml.importing import doctor, publish, trial
from ml.inference import onnx_export
from ml.inference.classifier import Classifier
from ml.jobs import worker
from tests.conftest import TOY, TOY_RUN


class Kept:
    """Of services.jobs, what queues."""

    def __init__(self, home):
        self.home, self.spec = home, None

    def permit(self, act): ...

    def listing(self, kind):
        return []

    def names(self):
        return set()

    def begin(self, spec, called, **more):
        self.spec = spec
        return type("Job", (), {"spec": spec, "kind": "add", "run_id": called, "id": "1"})


def test_the_table_goes_with_the_job_where_it_is_of_what_is_published(tmp_path, monkeypatch):
    jobs = Kept(tmp_path)
    adding = Adding(Staging(tmp_path / "brought"), jobs)
    staged = type("Staged", (), {"id": "a" * 32, "whole": True, "place": tmp_path / "net.onnx", "name": "net.onnx"})
    base, used = {"network": {"range": "0-1"}}, {"layout": "nchw", "range": "0-255"}
    target = adding._target(staged, "doctor", TOY, base)

    def given(now):
        job = adding.begin(staged, "net", TOY, now, taken=(), datasets=(TOY,), base=base)
        return [one for one in worker.arguments(job) if one.startswith(("--doctored", "--taken"))]

    assert given(base) == [], "it was not asked yet"
    target.parent.mkdir(parents=True)
    row = {"words": "pixels 0 to 255", "wishes": used}
    target.write_text(json.dumps({"found": {"doctor": {"rows": [row]}}}))
    assert given(base) == [f"--doctored={target}", "--taken="]
    assert given({"network": used}) == [f"--doctored={target}", "--taken=pixels 0 to 255"]
    assert given({"network": {"range": "-1-1"}}) == [], "of something else than was looked at"


def test_a_run_keeps_that_table_and_what_was_taken(toy_home, tmp_path, monkeypatch):
    dataset = load(TOY, home=toy_home)
    network = tmp_path / "toy.onnx"
    network.write_bytes(onnx_export.graph(Classifier.open(Library(toy_home / "none", toy_home).open(TOY_RUN))))
    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr(doctor, "examined", lambda *_, **__: pytest.fail("it was asked again"))
    tried = {}
    monkeypatch.setattr(
        importing.conversion, "taken", lambda *a, **k: tried.setdefault("one", trial_of(network, dataset, tmp_path))
    )
    made = {}
    monkeypatch.setattr(publish, "publish", lambda tried, dataset, run_id, home, **more: made.update(more) or home)
    table = {**doctor.none("said before"), "n": 200}
    found = importing.understood(
        [network], importing.NETWORK, dataset, toy_home, importing.Choices(), tmp_path / "scratch",
        trusted=True, asked=(table, "pixels 0 to 255"),
    )  # fmt: skip
    found.make("x", tmp_path, "", importing.silently)
    kept = made["notes"]["doctor"]
    assert (kept["sentence"], kept["n"], kept["taken"]) == ("said before", 200, "pixels 0 to 255")


def trial_of(network, dataset, tmp_path):
    (tmp_path / "trial").mkdir()
    pictures = publish.samples(dataset)
    said = trial.examined(network, dataset.classes, pictures, importing.understanding.Wishes(), tmp_path / "out.onnx")
    interface = trial.Interface.model_validate(said["interface"])
    return trial.Tried(interface, said["lines"], said["parameters"], [], tmp_path / "out.onnx")
