"""What spoke for an answer, on a toy run that was really trained."""

import numpy as np
import pytest

from dashboard.services.explainer import EXPLAIN, MEANS


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
