"""A run as somebody whose answers are learned from: what it says, and whom it cannot teach."""

import numpy as np
import pytest
import torch

import ml.__main__ as cli
from ml import pipeline
from ml.artifacts.reader import Library
from ml.inference import teaching
from ml.inference.classifier import Classifier
from ml.stats.calibration import softmax
from ml.training.config import TrainConfig
from tests.conftest import TOY


@pytest.fixture
def library(toy_home):
    return Library(toy_home, toy_home)


def test_it_says_what_it_would_answer(library, monkeypatch):
    run = library.open("toy")
    shown = library.pictures(TOY, "test").images[:7]
    (teacher,) = teaching.teachers(library, "toy", run.manifest["dataset"])
    asked = torch.from_numpy(np.array(shown)).permute(0, 3, 1, 2)
    answers = Classifier.open(run).probabilities(shown)
    assert softmax(teacher(asked).numpy()) == pytest.approx(answers, abs=1e-6)
    assert not teacher(asked).requires_grad

    class Other:
        """What is computed by something else than torch."""

        def probabilities(self, images):
            return Classifier.open(run).probabilities(images)

    monkeypatch.setattr(teaching, "open_run", lambda _: Other())
    (other,) = teaching.teachers(library, "toy", run.manifest["dataset"])
    assert softmax(other(asked).numpy()) == pytest.approx(answers, abs=1e-5)


def test_whom_it_cannot_teach(library):
    about = library.open("toy").manifest["dataset"]
    assert teaching.teachers(library, "", about) == []
    for asked, changed, words in (
        ("gone", {}, "the run gone cannot teach"),
        ("toy", {"classes": [*about["classes"][1:], "x"]}, f"it tells other classes than {about['name']} has"),
        ("toy", {"height": 9}, "it takes pictures of 28 × 28 × 1, those here have 9 × 28 × 1"),
    ):
        with pytest.raises(ValueError, match=words):
            teaching.teachers(library, asked, {**about, **changed})


def test_a_run_that_learns_from_another_says_so(home, no_artifacts, monkeypatch, capsys):
    monkeypatch.setattr(pipeline, "ARTIFACTS", no_artifacts)
    tiny = TrainConfig(model="compact_cnn", dataset=TOY, epochs=1, batch_size=64, threads=1, teacher="toy,toy")
    folder = pipeline.train(tiny, run_id="pupil", home=home, slow=False)
    assert Library(no_artifacts, home).open("pupil").manifest["config"]["teacher"] == "toy,toy"
    assert folder.is_dir()
    monkeypatch.setenv("FASHION_HOME", str(home))
    assert cli.main(["train", "--model", "compact_cnn", "--dataset", TOY, "--teacher", "nobody", "--run", "never"]) == 1
    assert "the run nobody cannot teach" in capsys.readouterr().err
    assert not list((home / "runs").glob("never*"))
    assert cli.main(["train", "--teacher", "No Such, Name", "--run", "never"]) == 1
    assert "teacher" in capsys.readouterr().err
