import numpy as np
import pytest
from sklearn.metrics import log_loss, precision_recall_fscore_support

from ml.stats import metrics as scores
from ml.stats.metrics import confusion_matrix


@pytest.fixture
def answers():
    rng = np.random.default_rng(2)
    labels = rng.integers(0, 3, 400)
    logits = rng.normal(size=(400, 3)) + 1.5 * np.eye(3)[labels]
    powers = np.exp(logits)
    return labels, (powers / powers.sum(1, keepdims=True)).astype(np.float32)


def test_matrix_by_hand():
    assert confusion_matrix(np.array([0, 0, 1, 2]), np.array([0, 1, 1, 0]), 3).tolist() == [
        [1, 1, 0],
        [0, 1, 0],
        [1, 0, 0],
    ]


def test_scores_agree_with_sklearn(answers):
    labels, probabilities = answers
    frame = scores.split_metrics("test", labels, probabilities)
    guess, wide = probabilities.argmax(1), probabilities.astype(float)
    precision, recall, f1, support = precision_recall_fscore_support(labels, guess)
    per_class = frame[frame["class"].notna()].pivot(index="class", columns="metric", values="value")
    assert per_class["precision"].to_numpy(float) == pytest.approx(precision)
    assert per_class["recall"].to_numpy(float) == pytest.approx(recall)
    assert per_class["accuracy"].to_numpy(float) == pytest.approx(recall)
    assert per_class["f1"].to_numpy(float) == pytest.approx(f1)
    assert per_class["support"].to_numpy(int).tolist() == support.tolist()
    overall = frame[frame["class"].isna()].set_index("metric")
    assert overall.loc["accuracy", "value"] == pytest.approx((guess == labels).mean())
    assert overall.loc["macro_f1", "value"] == pytest.approx(f1.mean())
    assert overall.loc["loss", "value"] == pytest.approx(log_loss(labels, wide / wide.sum(1, keepdims=True)), abs=1e-5)
    bounded = frame.dropna(subset=["low"])
    assert (bounded["low"] <= bounded["value"]).all()
    assert (bounded["value"] <= bounded["high"]).all()


def test_calibration_error_by_hand():
    confidence = np.array([0.95, 0.95, 0.55, 0.55])
    right = np.array([True, True, True, False])
    assert scores.expected_calibration_error(confidence, right) == pytest.approx(0.5 * 0.05 + 0.5 * 0.05)


def test_f1_of_an_unseen_class_is_zero():
    assert scores.f1(np.array([[3, 0], [0, 0]])).tolist() == [1, 0]
