"""The whole walk with published weights: fetched once, gone on without them, opened without them."""

import pytest

from ml import pipeline
from ml.artifacts.reader import Library
from ml.data import synthetic
from ml.evaluation import rescoring
from ml.inference import contract
from ml.models import WeightsMissing
from ml.training import published
from ml.training.config import TrainConfig
from ml.training.loop import Cancelled

CONFIG = TrainConfig(
    model="mobilenet_v3_small", dataset="synthetic-4-16x16x1", pretrained=True, epochs=2, frozen_epochs=1,
    batch_size=32, augment=(), threads=1,
)  # fmt: skip


@pytest.fixture
def few(monkeypatch):
    """A handful of pictures, and published weights that are only counted."""
    asked = []
    few = synthetic.load(CONFIG.dataset, train=64, validation=24, test=24)
    monkeypatch.setattr(pipeline, "load", lambda *_, **__: few)
    monkeypatch.setattr(contract, "LATENCY_TIMES", 3)

    def load(model, name, mean, std, *, on_chunk):
        asked.append(name)
        model.body.lens.focus(mean, std)

    monkeypatch.setattr(published, "load", load)
    return asked


def test_a_resumed_training_asks_for_no_weights_and_its_run_for_none_either(few, tmp_path, monkeypatch):
    def stop(done, total):
        if done == 3:  # in the second of two epochs of two steps
            raise Cancelled

    with pytest.raises(Cancelled):
        pipeline.train(CONFIG, run_id="moved", home=tmp_path, callbacks=pipeline.Callbacks(on_batch=stop), slow=False)
    assert few == ["mobilenet_v3_small"]
    monkeypatch.setattr(published, "load", lambda *_, **__: pytest.fail("asked again"))
    pipeline.train(CONFIG, run_id="moved", home=tmp_path, slow=False)
    library = Library(tmp_path, tmp_path)
    manifest = library.open("moved").manifest
    assert manifest["model_config"]["pretrained"] is True
    recorded = manifest["results"]["test"]
    assert rescoring.rescore(library, "moved", "test") == (recorded["correct"], recorded["n"], 0, 0)


def test_missing_weights_end_it_before_anything_is_trained(few, tmp_path, monkeypatch):
    def missing(*_, **__):
        raise WeightsMissing("They cannot be downloaded here.")

    monkeypatch.setattr(published, "load", missing)
    with pytest.raises(WeightsMissing):
        pipeline.train(
            CONFIG,
            run_id="moved",
            home=tmp_path,
            callbacks=pipeline.Callbacks(lambda *_: pytest.fail("trained")),
            slow=False,
        )
    assert not Library(tmp_path, tmp_path).runs()


def test_in_words_on_the_command_line_and_in_the_job(monkeypatch, capsys):
    from ml import __main__ as cli
    from ml.commands import train
    from ml.jobs.causes import of_error

    words = "They cannot be downloaded here."

    def missing(*_, **__):
        raise WeightsMissing(words)

    monkeypatch.setattr(train, "train", missing)
    assert cli.main(["train", "--preset", "transfer", "--model", "resnet18", "--run", "x"]) == 1
    assert capsys.readouterr().err.strip() == words
    assert of_error(WeightsMissing(words)) == words
