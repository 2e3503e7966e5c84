"""What spoke for an answer, on a toy run that was really trained."""

import threading
from types import SimpleNamespace

import numpy as np
import pytest

from dashboard.data.cache import Cache
from dashboard.services import explainer
from dashboard.services.explainer import EXPLAIN, MEANS
from ml.artifacts.reader import Missing


@pytest.mark.parametrize("way", EXPLAIN)
def test_explanations_are_kept_and_belong_to_their_class(asking, toy, way):
    image = toy.pictures("test").images[0]
    first = asking.explainer.explain("toy", image, 0, way)
    assert first.shape == (28, 28)
    assert asking.explainer.explain("toy", image, 0, way) is first
    assert not np.array_equal(asking.explainer.explain("toy", image, 1, way), first)


def test_a_layer_can_be_chosen_for_grad_cam_alone(asking, toy):
    image = toy.pictures("test").images[0]
    own = asking.explainer.explain("toy", image, 0)
    early = asking.explainer.explain("toy", image, 0, layer="body.0")
    assert not np.array_equal(own, early)
    assert asking.explainer.explain("toy", image, 0, "occlusion", layer="body.0") is asking.explainer.explain(
        "toy", image, 0, "occlusion"
    )
    with pytest.raises(ValueError, match="no layer"):
        asking.explainer.explain("toy", image, 0, layer="body.99")
    with pytest.raises(ValueError, match="makes no maps"):
        asking.explainer.explain("toy", image, 0, layer="head")
    raw = asking.explainer.attribution("toy", image, 0)
    np.testing.assert_allclose(np.maximum(raw, 0) / raw.max(), own, atol=1e-6)


@pytest.mark.parametrize("way", MEANS)
def test_a_mean_explanation_is_the_mean_of_single_ones(asking, toy, way):
    images, targets = toy.pictures("test").images[:6], np.array([0, 1, 2, 3, 0, 1])
    typical = asking.explainer.typical("toy", images, targets, way)
    alone = [
        np.maximum(asking.explainer.attribution("toy", i, int(t), way), 0) for i, t in zip(images, targets, strict=True)
    ]
    shares = np.array([a / a.sum() for a in alone if a.sum() > 0], np.float64)
    assert (typical.n, typical.silent) == (len(shares), 6 - len(shares))
    close = {"rtol": 1e-2, "atol": 2e-5}  # differences of probabilities in single precision
    np.testing.assert_allclose(typical.mean, shares.mean(0), **close)
    np.testing.assert_allclose(typical.error, shares.std(0, ddof=1) / len(shares) ** 0.5, **close)
    assert asking.explainer.typical("toy", images, targets, way) is typical


def test_a_walk_begins_with_the_picture_and_adds_up(asking, toy):
    image = toy.pictures("test").images[3]
    walked = asking.explainer.walk("toy", image)
    assert asking.explainer.walk("toy", image) is walked
    maps = asking.explainer.feature_maps("toy", image)
    for stop in walked:
        np.testing.assert_array_equal(stop.maps, maps[stop.name])
    arithmetic = asking.explainer.arithmetic("toy", image, 0, 5, 3, 4)
    assert arithmetic.parts.sum() + arithmetic.bias == pytest.approx(arithmetic.value, abs=1e-4)
    assert arithmetic.value == maps["body.0"][5, 3, 4]
    with pytest.raises(IndexError):
        asking.explainer.arithmetic("toy", image, 0, 99, 0, 0)
    with pytest.raises(IndexError):
        asking.explainer.arithmetic("toy", image, 99, 0, 0, 0)


def test_explanations_refuse_what_is_not_there(asking, toy):
    image = toy.pictures("test").images[0]
    with pytest.raises(ValueError, match="unknown explanation"):
        asking.explainer.explain("toy", image, 0, "tea-leaves")
    with pytest.raises(ValueError, match="no class 99"):
        asking.explainer.explain("toy", image, 99)
    with pytest.raises(ValueError, match="pictures must be"):
        asking.explainer.explain("toy", image[:5], 0)


def test_classes_asked_about_together_get_the_maps_they_get_alone(asking, toy):
    image, other = toy.pictures("test").images[:2]
    for way in EXPLAIN:
        both = asking.explainer.together("toy", image, [2, 1], way)
        assert [both[0] is asking.explainer.explain("toy", image, 2, way), len(both)] == [True, 2]
        alone = asking.explainer.explain("toy", other, 2, way)
        np.testing.assert_allclose(asking.explainer.together("toy", other, [2, 0], way)[0], alone, atol=1e-5)
    with pytest.raises(ValueError, match="no class 9"):
        asking.explainer.together("toy", image, [0, 9], "integrated")


def test_while_a_photograph_fades_in_others_may_ask(asking, toy, monkeypatch):
    from ml.explanation import integrated

    image, other = toy.pictures("test").images[2:4]
    whole = asking.explainer.together("toy", image, [2, 1], "integrated")
    alone = asking.explainer.explain("toy", other, 2, "integrated")
    made, lock, free = integrated.several, asking.explainer._networks.lock, []

    def several(*given):
        asker = threading.Thread(target=lambda: free.append(lock.acquire(blocking=False) and not lock.release()))
        asker.start()
        asker.join()
        return made(*given)

    monkeypatch.setattr(explainer, "photograph", lambda image: True)
    monkeypatch.setattr(integrated, "several", several)
    for kept in ("_maps", "_pairs"):
        monkeypatch.setattr(asking.explainer, kept, Cache(8))
    again = asking.explainer.together("toy", image, [2, 1], "integrated")
    np.testing.assert_array_equal(again, whole)
    np.testing.assert_array_equal(asking.explainer.explain("toy", other, 2, "integrated"), alone)
    assert free == [True, True]


class Counted:
    """Says the same of every picture, and counts them."""

    def __init__(self, likely):
        self.likely, self.asked = likely, 0

    def probabilities(self, images):
        self.asked += len(images)
        return np.full((len(images), 4), 0.1, np.float32) + 0.6 * (np.arange(4) == self.likely)


def test_patches_of_a_photograph_are_covered_by_the_quickest_engine_that_agrees(asking, monkeypatch):
    engines = {"torch": Counted(1), "int8": Counted(2), "onnx": Counted(1)}
    network = SimpleNamespace(
        key=("one", "digest"), classes=("a", "b", "c", "d"), asked=engines["torch"], engine=engines.__getitem__,
        run=SimpleNamespace(manifest={"kind": "trained", "nouns": {"int8": {}, "onnx": {}}}),
    )  # fmt: skip

    def output(network, image, name):
        if name == "int8" and engines["int8"].likely == 3:
            raise Missing("onnxruntime is not here")
        return SimpleNamespace(probabilities=engines[name].probabilities(image[None])[0])

    monkeypatch.setattr(asking.explainer._networks, "output", output)
    photo = np.random.default_rng(0).integers(0, 256, (96, 96, 3)).astype(np.uint8)
    for likely, first in ((2, "onnx"), (3, "onnx"), (1, "int8")):
        engines["int8"].likely = likely
        assert asking.explainer._quick(network, photo) is engines[first]
    del network.run.manifest["nouns"]["onnx"]
    engines["int8"].likely = 0
    assert asking.explainer._quick(network, photo) is engines["torch"]
    assert asking.explainer._covered(network, photo).parts.shape == (49, 4)
    assert engines["torch"].asked > 49


def test_a_mean_of_photographs_is_of_as_many_as_there_is_patience_for(asking, toy, monkeypatch):
    assert asking.explainer.pictures("toy", "integrated") == MEANS["integrated"]
    manifest = {**toy.manifest, "latency_ms": 40.0, "dataset": {**toy.manifest["dataset"], "height": 224, "width": 224}}
    network = SimpleNamespace(run=SimpleNamespace(manifest=manifest))
    monkeypatch.setattr(asking.explainer._networks, "open", lambda run: network)
    assert {way: asking.explainer.pictures("toy", way) for way in MEANS} == {
        "grad-cam": 240, "gradients": 240, "integrated": 24, "occlusion": 15,
    }  # fmt: skip


def test_of_photographs_one_walk_is_held(asking, toy, monkeypatch):
    monkeypatch.setattr(explainer, "photograph", lambda image: True)
    first, second = toy.pictures("test").images[:2]
    walked = asking.explainer.walk("toy", first)
    assert asking.explainer.walk("toy", first) is walked
    asking.explainer.walk("toy", second)
    assert asking.explainer.walk("toy", first) is not walked
