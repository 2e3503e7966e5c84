"""Several trainings of one job: what is trained, in which order, what their manifests say; really trained, on toys."""

import json

import pytest

from dashboard.services import twins as planning
from ml.artifacts.reader import Library
from ml.artifacts.schema import RUN_ID
from ml.data import corrections
from ml.data.corrections import Corrections
from ml.jobs import trainer, twins
from ml.training.config import TrainConfig
from tests.conftest import TOY

CONFIG = TrainConfig(model="compact_cnn", dataset=TOY, epochs=1, batch_size=64, augment=(), threads=1, seed=7)


def test_a_plan_is_made_of_seeds_and_sides():
    config = CONFIG.model_dump(mode="json") | {"labels": "0" * 16}
    plan = planning.plan(config, "toy-reviewed", "labels", None, [7, 8])
    assert [(one["run"], one["side"], one["seed"]) for one in plan["runs"]] == [
        ("toy-reviewed-twin-s7", "twin", 7), ("toy-reviewed-s8", "new", 8), ("toy-reviewed-twin-s8", "twin", 8),
    ]  # fmt: skip
    for one in plan["runs"]:
        apart = {name for name in config if one["config"][name] != config[name]}
        assert apart <= {"seed", "labels"}, "the recipe is the same"
        assert one["config"]["labels"] == (None if one["side"] == "twin" else config["labels"])
    assert planning.seeds(7, 100.0) == [7, 8, 9]
    assert planning.seeds(7, 151.0) == [7], "six of them would take longer than a quarter of an hour"
    assert planning.seeds(7, None) == [7]


def test_the_jobs_own_run_is_trained_last(table):
    spec = CONFIG.model_dump(mode="json")
    spec["twins"] = planning.plan(spec, "a", "labels", None, [7, 8])
    job = table.submit(spec, "a", epochs=1)
    plan = twins.trainings(job)
    assert [one.run_id for one in plan] == ["a-twin-s7", "a-s8", "a-twin-s8", "a"]
    assert [twins.stage(plan, place) for place in (0, 1)] == [
        "training 1 of 4, without the corrections, seed 7", "training 2 of 4, as asked for, seed 8",
    ]  # fmt: skip
    assert table.names() == {"a", "a-twin-s7", "a-s8", "a-twin-s8"}, "nobody else takes these names"
    alone = table.submit(CONFIG.model_dump(mode="json"), "b", epochs=1)
    assert [(one.run_id, dict(one.twin)) for one in twins.trainings(alone)] == [("b", {})]
    assert twins.stage(twins.trainings(alone), 0) == "training"


@pytest.fixture
def trained(table, monkeypatch):
    """A job with a twin, done by a trainer in this process; the job."""
    relabelled = Corrections(TOY, {int(i): 0 for i in range(5)}, frozenset({6}), "toy")
    name = corrections.freeze(table.home, relabelled)
    usual = corrections.freeze(table.home, Corrections(TOY, {}, frozenset({9}), "toy"))
    spec = CONFIG.model_dump(mode="json") | {"labels": name}
    spec["twins"] = planning.plan(spec, "fixed", "labels", usual, [7])
    table.submit(spec, "fixed", epochs=1)
    job = table.claim()
    monkeypatch.setenv("FASHION_HOME", str(table.home))
    monkeypatch.setenv("FASHION_LEASE", job.lease)
    monkeypatch.setattr(trainer.os, "nice", lambda _: 0)
    assert trainer.run_job(job.id, home=table.home) == 0
    return table.get(job.id)


def test_one_job_trains_the_run_and_its_twin(table, trained):
    assert (trained.state, trained.epoch) == ("done", 1)
    library = Library(table.home, table.home)
    new, twin = (library.open(name).manifest for name in ("fixed", "fixed-twin-s7"))
    assert new["twin"] == {"of": "fixed", "job": trained.id, "what": "labels", "side": "new", "seed": 7}
    assert twin["twin"] == {"of": "fixed", "job": trained.id, "what": "labels", "side": "twin", "seed": 7}
    assert {name for name in new["config"] if new["config"][name] != twin["config"][name]} == {"labels"}
    assert new["train_images"] == twin["train_images"], "as many pictures, so as many steps"
    assert len(table.history(trained.id)) == 1, "the epochs of the job are those of its own run"
    assert trained.batches in (0, 2 * 10), "steps of both, once a beat has told of one"


def test_what_was_trained_before_is_not_trained_again(table, monkeypatch):
    spec = CONFIG.model_dump(mode="json")
    spec["twins"] = planning.plan(spec, "a", "labels", None, [7])
    table.submit(spec, "a", epochs=1)
    job = table.claim()
    done = table.home / "runs" / "a-twin-s7"
    done.mkdir(parents=True)
    first = twins.trainings(job)[0]
    manifest = {"config": first.config.model_dump(mode="json"), "twin": dict(first.twin)}
    made = []
    monkeypatch.setattr("ml.pipeline.train", lambda config, **options: made.append(options["run_id"]))
    monkeypatch.setenv("FASHION_LEASE", job.lease)
    monkeypatch.setattr(trainer.os, "nice", lambda _: 0)
    for other in ({}, manifest | {"twin": {**manifest["twin"], "job": "of another"}}, {"config": 7}):
        (done / "manifest.json").write_text(json.dumps(other))
        assert not twins.is_there(table.home, first), "it is another training under its name"
    (done / "manifest.json").write_text(json.dumps(manifest))
    assert table.finished(job) == ["a-twin-s7"]
    trainer.run_job(job.id, home=table.home)
    assert made == ["a"]


def test_names_of_twins_are_free_ones():
    config = CONFIG.model_dump(mode="json")
    taken = {"a-twin-s7", "a-s8", "a-s8-2"}
    plan = planning.plan(config, "a", "labels", None, [7, 8], taken)
    assert [one["run"] for one in plan["runs"]] == ["a-twin-s7-2", "a-s8-3", "a-twin-s8"]
    long = ["a" * 60 + letter for letter in "xy"]
    first, second = (
        {one["run"] for one in planning.plan(config, name, "labels", None, [7, 8, 9])["runs"]} for name in long
    )
    assert first == second, "cut to the same"
    others = planning.plan(config, long[1], "labels", None, [7, 8, 9], first)["runs"]
    assert not first & {one["run"] for one in others}
    assert all(RUN_ID.fullmatch(one["run"]) for one in others)
