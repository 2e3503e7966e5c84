"""A network that answers is in memory once, and whole when somebody looks into its layers."""

import numpy as np
import torch

from ml.artifacts.reader import Library
from ml.explanation import gradients
from ml.inference.classifier import Classifier
from tests.conftest import TOY_RUN


def test_layers_are_loaded_when_they_are_looked_at_and_say_the_same(toy_home):
    library = Library(toy_home / "none", toy_home)
    run = library.open(TOY_RUN)
    opened = Classifier.open(run)
    assert opened._whole is None
    images = library.pictures(run.manifest["dataset"]["name"], "test").images[:8]
    said = opened.probabilities(images)
    assert opened._whole is None, "an answer looks into nothing"
    assert opened.layers() == run.manifest["layers"]
    assert opened.module is opened.module
    assert not opened.module.training
    with torch.inference_mode():
        whole = opened.module(opened.inputs(images)).softmax(dim=1).numpy()
    np.testing.assert_allclose(said, whole, atol=1e-5)
    kept = Classifier(opened.module, run.manifest["dataset"])
    assert kept.module is opened.module
    np.testing.assert_array_equal(kept.probabilities(images), said)


def test_who_looks_first_without_gradients_leaves_them_to_the_next(toy_home):
    library = Library(toy_home / "none", toy_home)
    run = library.open(TOY_RUN)
    opened = Classifier.open(run)
    images = library.pictures(run.manifest["dataset"]["name"], "test").images[:2]
    assert opened.activations(images[0])
    slopes = gradients.slopes(opened.module, opened.inputs(images), torch.tensor([0, 1]))
    assert slopes.abs().sum() > 0
