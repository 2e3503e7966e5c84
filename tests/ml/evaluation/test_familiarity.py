"""What every layer says of a picture, against its layers one by one; renderings; the noun of a small network."""

import numpy as np
import pytest
import torch
from torch import nn

from ml.data.base import Split
from ml.evaluation import familiarity
from ml.evaluation.context import EvaluationContext
from ml.evaluation.familiarity import retaken
from ml.images.form import Form
from ml.inference.classifier import STATISTICS, Classifier
from ml.stats.ood import OodModel

ABOUT = {"classes": ["tall", "wide"], "height": 28, "width": 28, "channels": 1, "mean": [0.2], "std": [0.3]}


class Small(nn.Module):
    def __init__(self, channels: int = 4) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, channels, 5, stride=2), nn.BatchNorm2d(channels), nn.ReLU(), nn.Dropout(0.5), nn.MaxPool2d(2),
            nn.Conv2d(channels, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(48, 5), nn.ReLU(),
        )  # fmt: skip
        self.head = nn.Linear(5, 2)


@pytest.fixture
def classifier():
    torch.manual_seed(0)
    return Classifier(Small(), ABOUT)


def bars(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Tall and wide rectangles, light on black, uint8 [n, 28, 28, 1], and which."""
    rng = np.random.default_rng(seed)
    images, labels = np.zeros((n, 28, 28, 1), np.uint8), rng.integers(0, 2, n)
    for image, wide in zip(images, labels, strict=True):
        half = rng.integers(4, 7)
        side = slice(14 - half, 14 + half), slice(0, 28)
        image[side if wide else side[::-1]] = rng.integers(200, 256)
    return images, labels


def test_statistics_are_those_of_the_layers(classifier):
    images, _ = bars(3, 0)
    value, wanted = classifier.inputs(images), []
    with torch.inference_mode():
        for place, layer in enumerate(classifier.module.body):
            value = layer(value)
            if place in (2, 6):
                flat = value.flatten(2).numpy()
                wanted += [flat.mean(2), flat.std(2)]
        wanted.append(value.numpy())
    np.testing.assert_allclose(classifier.statistics(images), np.concatenate(wanted, axis=1), atol=1e-5)


@pytest.mark.parametrize("channels", [3, 400])
def test_one_pass_says_what_three_say(channels):
    network, (images, _) = Classifier(Small(channels=channels), ABOUT), bars(5, 0)
    probabilities, features, statistics = network.everything(images)
    np.testing.assert_array_equal(probabilities, network.probabilities(images))
    np.testing.assert_array_equal(features, network.features(images))
    np.testing.assert_array_equal(statistics, network.statistics(images))


def test_wide_networks_are_averaged_down():
    found = Classifier(Small(channels=400), ABOUT).statistics(bars(2, 0)[0])
    assert found.shape == (2, 406)  # 811 numbers, in twos
    assert found.shape[1] <= STATISTICS


def test_renderings_come_out_as_they_went_in():
    images, _ = bars(6, 1)
    form = Form.of(images)
    for image in images:
        again = retaken(image, form, np.random.default_rng(2))
        assert again.shape == image.shape
        assert np.corrcoef(image.ravel(), again.ravel())[0, 1] > 0.8
        np.testing.assert_array_equal(again, retaken(image, form, np.random.default_rng(2)))
        assert not np.array_equal(again, image)


def test_only_a_plain_background_is_rendered():
    with pytest.raises(ValueError, match="plain background"):
        retaken(bars(1, 0)[0][0], Form(28, 28, 1), np.random.default_rng(0))


def test_the_noun_tells_bars_from_noise(classifier, monkeypatch):
    monkeypatch.setattr(familiarity, "AGAIN", 20)
    splits = {}
    for seed, (name, n) in enumerate({"reference": 200, "validation": 100, "test": 50}.items()):
        images, labels = bars(n, seed)
        splits[name] = Split(images, labels, np.arange(n))
    arrays = familiarity.arrays(EvaluationContext(classifier, splits))
    found = OodModel(arrays)
    assert arrays["validation"].shape == (100,)
    np.testing.assert_array_equal(arrays["test"], found.scores(classifier.statistics(splits["test"].images)))
    noise = np.random.default_rng(9).integers(0, 256, (20, 28, 28, 1)).astype(np.uint8)
    assert [found.percentile(score) for score in found.scores(classifier.statistics(noise))] == [100] * 20
    assert np.median([found.percentile(score) for score in arrays["test"]]) < 90
