"""Redrawn scores: the same as of whole matrices, without making them."""

import tracemalloc

import numpy as np
import pytest

from ml.stats import calibration, metrics


@pytest.mark.parametrize(("classes", "n"), [(2, 30), (10, 4_000), (50, 7)])
@pytest.mark.parametrize("at_once", [2_000_000, 100])
def test_f1_is_redrawn_as_if_every_cell_were(classes, n, at_once, monkeypatch):
    rng = np.random.default_rng(classes)
    labels = rng.integers(0, classes, n)
    counts = metrics.confusion_matrix(labels, np.where(rng.random(n) < 0.8, labels, 0), classes)
    drawn = np.random.default_rng(1).multinomial(n, counts.reshape(-1) / n, metrics.REDRAWS)
    monkeypatch.setattr(metrics, "CELLS_AT_ONCE", at_once)
    again = metrics._redrawn_f1(counts, np.random.default_rng(1))
    assert np.array_equal(again, metrics.f1(drawn.reshape(metrics.REDRAWS, classes, classes)))


def test_scores_of_many_classes_take_no_matrix_a_redraw():
    rng, classes = np.random.default_rng(0), 300
    labels = rng.integers(0, classes, 1_500)
    probabilities = rng.dirichlet(np.ones(classes), len(labels)).astype(np.float32)
    tracemalloc.start()
    metrics.split_metrics("test", labels, probabilities)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < metrics.REDRAWS * classes**2 * 8 / 6  # 720 MB in one piece


def test_a_temperature_of_many_answers_is_fitted_again_to_fewer(monkeypatch):
    rng = np.random.default_rng(2)
    logits = rng.normal(0, 2, (4_000, 5))
    probabilities = calibration.softmax(logits)
    labels = np.array([rng.choice(5, p=row / row.sum()) for row in probabilities.astype(np.float64)])
    fitted = calibration.fit_temperature(probabilities, labels)

    def spread():
        refits = calibration.redrawn_temperatures(probabilities, labels, fitted, 60, np.random.default_rng(0))
        return np.log(refits / fitted).std()

    whole = spread()
    monkeypatch.setattr(calibration, "REFIT_CELLS", 5_000)
    assert 0.6 * whole < spread() < 1.6 * whole
