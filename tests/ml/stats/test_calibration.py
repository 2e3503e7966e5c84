"""Against formulas written out, scipy's minimiser, torch's cross-entropy and scikit-learn's Brier score."""

import numpy as np
import pytest

from ml.stats import calibration


@pytest.fixture(scope="module")
def drawn():
    """Probabilities of a network twice as sure as it may be, float32 [2000, 5], and labels."""
    rng = np.random.default_rng(3)
    logits = rng.normal(0, 1.5, (2_000, 5))
    true = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    labels = np.array([rng.choice(5, p=p) for p in true])
    said = np.exp(2 * logits)
    return (said / said.sum(1, keepdims=True)).astype(np.float32), labels


def test_the_temperature_is_the_one_other_minimisers_find(drawn):
    import torch
    from scipy.optimize import minimize_scalar

    probabilities, labels = drawn
    logits = torch.log(torch.from_numpy(probabilities).double())
    truth = torch.from_numpy(labels)
    found = minimize_scalar(
        lambda t: float(torch.nn.functional.cross_entropy(logits / t, truth)),
        bounds=(0.1, 10),
        method="bounded",
        options={"xatol": 1e-12},
    )
    assert calibration.fit_temperature(probabilities, labels) == pytest.approx(found.x, abs=1e-6)
    assert calibration.fit_temperature(probabilities, labels, start=7) == pytest.approx(found.x, abs=1e-6)
    assert found.x == pytest.approx(2, abs=0.1)


def test_tempered_probabilities_are_those_of_divided_logits(drawn):
    import torch

    probabilities, _ = drawn
    expected = torch.softmax(torch.log(torch.from_numpy(probabilities).double()) / 1.7, 1).numpy()
    assert np.abs(calibration.scale_by_temperature(probabilities, 1.7) - expected).max() < 1e-12
    assert np.abs(calibration.scale_by_temperature(probabilities, 1.0) - probabilities).max() < 1e-6
    assert np.array_equal(calibration.scale_by_temperature(probabilities, 3.0).argmax(1), probabilities.argmax(1))


def test_the_brier_score_is_sklearns(drawn):
    from sklearn.metrics import brier_score_loss

    probabilities, labels = drawn
    wide = probabilities.astype(float)
    wide /= wide.sum(1, keepdims=True)
    expected = brier_score_loss(labels, wide, labels=np.arange(5), scale_by_half=False)
    assert calibration.brier(wide, labels).mean() == pytest.approx(expected, abs=1e-9)
    assert calibration.brier(np.array([[0.7, 0.3], [0.0, 1.0]]), np.array([0, 0])).tolist() == pytest.approx([0.18, 2])


def test_the_calibration_error_is_the_sum_over_bins_written_out(drawn):
    probabilities, labels = drawn
    confidence, right = probabilities.max(1), probabilities.argmax(1) == labels
    total = 0.0
    for k in range(15):
        inside = (confidence > k / 15) & (confidence <= (k + 1) / 15)
        if inside.any():
            total += inside.mean() * abs(right[inside].mean() - confidence[inside].astype(float).mean())
    assert calibration.expected_calibration_error(confidence, right) == pytest.approx(total, abs=1e-6)


def test_the_interval_of_the_calibration_error_holds_it():
    """The answers of a calibrated classifier: redraws, which add noise, have a larger error than it in 39 of 40."""
    rng = np.random.default_rng(5)
    rng.uniform(size=3_000)
    confidence = rng.uniform(0.1, 1, 1_500)
    right = rng.uniform(size=1_500) < confidence
    error = calibration.expected_calibration_error(confidence, right)
    low, high = calibration.ece_interval(confidence, right, seed=1)
    assert low == error < high


def test_redraws_by_bin_have_the_interval_of_redraws_one_by_one(monkeypatch):
    rng = np.random.default_rng(3)
    confidence = rng.beta(5, 1, 20_000).astype(np.float32)
    right = rng.uniform(size=20_000) < confidence**1.3
    each = calibration.ece_interval(confidence, right, seed=1)
    monkeypatch.setattr(calibration, "MOST_REDRAWN", 10_000)
    assert calibration.ece_interval(confidence, right, seed=1) == pytest.approx(each, rel=0.03)


def test_a_likelihood_without_a_maximum_ends_at_the_bounds():
    sure = np.array([[0.9, 0.1], [0.2, 0.8]])
    assert (
        calibration.COLDEST <= calibration.fit_temperature(sure, np.array([0, 1])) < 0.05
    )  # the slope is lost to rounding
    assert calibration.fit_temperature(sure, np.array([1, 0])) == pytest.approx(calibration.WARMEST, rel=1e-6)
    assert np.isfinite(calibration.scale_by_temperature(np.array([[1.0, 0.0]]), 0.01)).all()
