"""A split that several processes ask about has the answers of one, bit for bit."""

import functools
from dataclasses import replace

import numpy as np
import pytest

from ml import pipeline
from ml.artifacts import writer
from ml.artifacts.reader import Library
from ml.commands import work
from ml.data import synthetic
from ml.data.base import UNLABELLED, Split
from ml.data.intake.measures import measure
from ml.evaluation import asking
from ml.jobs.queue import JobTable
from ml.jobs.shards import ShardTable, Sharing, help_with
from ml.training.config import TrainConfig

N = 100  # pictures of a shard, in batches of 20


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A home with a run, and 730 pictures without a label."""
    home = tmp_path_factory.mktemp("home")
    known = synthetic.load("synthetic-4-28x28x1", train=200, validation=60, test=830)
    more = known["test"].take(np.arange(730))
    rest = Split(more.images, np.full(730, -1), np.arange(9_000, 9_730, dtype=np.int32))
    dataset = replace(known, name="bars", title="Bars", splits={**known.splits, UNLABELLED: rest})
    writer.write_pictures(home, dataset, complete=True)
    measure(home, dataset)
    config = TrainConfig(model="compact_cnn", dataset="bars", epochs=1, batch_size=64, threads=1)
    pipeline.train(config, run_id="toy", home=home, slow=False)
    return home


@pytest.fixture
def small(monkeypatch):
    for module in ("ml.evaluation.context", "ml.evaluation.asking", "ml.inference.classifier"):
        monkeypatch.setattr(f"{module}.asked_at_once", lambda shape: 2)
    monkeypatch.setattr(asking, "PICTURES", N)


def library(home):
    return Library(home, home)


def context_of(home, run_id):
    run = library(home).open(run_id)
    return pipeline.context_of(library(home), run), run.manifest["weights"]["sha256"]


@pytest.fixture
def job(trained, monkeypatch, tmp_path):
    monkeypatch.delenv("FASHION_DB", raising=False)
    monkeypatch.setenv("FASHION_DB", str(tmp_path / "jobs.db"))
    monkeypatch.setenv("FASHION_HOME", str(trained))
    table = JobTable(trained)
    table.submit({"nouns": ["unlabelled"]}, "toy", epochs=0, kind="evaluate")
    return table, table.claim("evaluate")


class Helped(Sharing):
    """Has somebody else do all shards but the first and the last, who opens the run anew."""

    def __init__(self, table, job, opened):
        super().__init__(table, job)
        self.opened, self.made = opened, []

    def __call__(self, shards):
        theirs = ShardTable(self._table.jobs)
        theirs.lay_out(self._job, shards)
        held = theirs.claim(self._job.id, own=True)
        assert help_with(self._job.id, self.opened, self._table.jobs.home) == 0
        assert [shards.there(number) for number in range(shards.n)] == [False] + [True] * (shards.n - 1)
        (shards.folder / f"{shards.n - 1:06}.npz").unlink()
        theirs.give_up(held)
        super().__call__(shards)
        self.made.append(shards.n)


def test_the_answers_are_those_of_one_process(trained, small, job):
    whole, _ = context_of(trained, "toy")
    parts, weights = context_of(trained, "toy")
    told = []
    parts.tell = told.append
    with Helped(*job, functools.partial(asking.opened, context_of=functools.partial(context_of, trained))) as share:
        parts.shared = asking.Asking(share, "toy", weights)
        for split, n in (("test", 9), (UNLABELLED, 8)):
            answers = (
                parts.of_unlabelled() if split == UNLABELLED else (parts.probabilities(split), parts.features(split))
            )
            alone = (
                whole.of_unlabelled() if split == UNLABELLED else (whole.probabilities(split), whole.features(split))
            )
            for one, other in zip(answers, alone, strict=True):
                assert one.dtype == other.dtype
                np.testing.assert_array_equal(one, other)
            assert share.made[-1] == n
        assert parts.probabilities("validation").shape == (60, 4)
        assert len(share.made) == 2, "a small split is not worth a helper"
    assert "asking the network, 8/8" in told
    assert not share.folder.exists()


def test_the_tables_are_the_same(trained, small, job):
    pipeline.evaluate(library(trained), "toy", ["unlabelled"])
    file = trained / "runs" / "toy" / "unlabelled.parquet"
    before = file.read_bytes()
    file.unlink()
    with Helped(*job, functools.partial(asking.opened, context_of=functools.partial(context_of, trained))) as share:
        pipeline.evaluate(library(trained), "toy", ["unlabelled"], share=share)
        assert share.made
    assert file.read_bytes() == before


def test_who_helps_is_told_the_job_alone(trained, small, job):
    class Left(Sharing):
        """Leaves all of it to `python -m ml work --shards`."""

        def __call__(self, shards):
            ShardTable(table).lay_out(running, shards)
            assert work._help(running.id) == 0
            assert all(map(shards.there, range(shards.n)))

    table, running = job
    parts, weights = context_of(trained, "toy")
    with Left(table, running) as share:
        parts.shared = asking.Asking(share, "toy", weights)
        assert parts.probabilities("test").shape == (830, 4)


def test_another_run_of_that_name_is_not_asked(trained, small, job):
    table, running = job
    parts, _ = context_of(trained, "toy")
    with Sharing(table, running) as share:
        parts.shared = asking.Asking(share, "toy", "0" * 64)
        parts.probabilities("test")
        (folder,) = share.folder.iterdir()
        with (
            pytest.raises(ValueError, match="another one"),
            asking.opened(share.folder, folder.name, functools.partial(context_of, trained)),
        ):
            pass
