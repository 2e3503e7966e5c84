"""Numbers as other libraries count them on the same arrays: where ours are the same, and where theirs surprise."""

import warnings

import numpy as np
import pytest
import sqlalchemy as sa
from sklearn import metrics as theirs

from dashboard.analysis import drift
from dashboard.records.prediction_log import Tally
from ml.stats import calibration, metrics, paired
from ml.system import database
from ml.system.torchvision_ops import declare


def answers(n: int = 400, classes: int = 4, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """float64 [n, classes] that add up to one, and int [n]."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, n)
    powers = np.exp(rng.normal(0, 1, (n, classes)) + 2 * np.eye(classes)[labels])
    return powers / powers.sum(1, keepdims=True), labels


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_a_certain_mistake_costs_the_same_in_every_type(kind):
    """scikit-learn clips by the type: 36 nats in float64, 16 in float32, 7 in float16."""
    certain = np.array([[1.0, 0.0], [0.0, 1.0]], kind)
    wrong = np.array([1, 1])
    assert calibration.cross_entropy(certain, wrong).tolist() == [pytest.approx(27.631, abs=1e-3), 0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs_costs = 2 * theirs.log_loss(wrong, certain, labels=[0, 1])
    assert theirs_costs == pytest.approx({np.float64: 36.0, np.float32: 15.9, np.float16: 6.9}[kind], abs=0.1)


def test_losses_and_brier_scores_agree_but_for_the_half_of_two_classes():
    """Brier's own definition, 0 to 2, for any number of classes; scikit-learn halves that of two."""
    for classes, factor in ((2, 2), (4, 1)):
        said, labels = answers(classes=classes)
        assert calibration.cross_entropy(said, labels).mean() == pytest.approx(theirs.log_loss(labels, said))
        expected = theirs.brier_score_loss(labels, said if classes > 2 else said[:, 1])
        assert calibration.brier(said, labels).mean() == pytest.approx(factor * expected)


def test_macro_f1_leaves_out_a_class_that_is_neither_there_nor_named():
    """As scikit-learn does; a class that is named and not there counts as 0."""
    said, labels = answers(classes=4)
    wide = np.concatenate([said, np.zeros((len(said), 1))], axis=1)  # of a class that nobody has and nobody names
    for values in (wide, np.concatenate([wide[:, :3], wide[:, [4, 3]]], axis=1)):
        frame = metrics.split_metrics("test", labels % values.shape[1], values).set_index(["class", "metric"])
        overall = frame[frame.index.get_level_values("class").isna()].droplevel("class")
        expected = theirs.f1_score(labels, values.argmax(1), average="macro", zero_division=0)
        assert overall.loc["macro_f1", "value"] == pytest.approx(expected)
        assert overall.loc["macro_f1", "low"] < expected < overall.loc["macro_f1", "high"]


def test_of_equal_probabilities_the_first_class_is_the_answer():
    """argmax takes the first, scikit-learn's top-1 the last."""
    tied = np.array([[0.5, 0.5], [0.5, 0.5]])
    frame = metrics.split_metrics("test", np.array([0, 0]), tied).set_index("metric")
    assert frame.loc["accuracy"].iloc[0]["value"] == 1
    assert theirs.top_k_accuracy_score([0, 1], tied[:, 1], k=1) == 0.5  # of both labels the same one is right


def test_a_confidence_of_one_is_in_the_last_bin():
    """torchmetrics gives it a bin of its own."""
    import torch

    declare()
    from torchmetrics.functional.classification import multiclass_calibration_error

    confidence = np.array([0.95, 1.0], np.float32)
    said = np.stack([confidence, 1 - confidence], 1)
    labels = np.array([0, 1])
    ours = calibration.expected_calibration_error(confidence, said.argmax(1) == labels, bins=10)
    assert ours == pytest.approx(0.475)
    other = multiclass_calibration_error(torch.tensor(said), torch.tensor(labels), num_classes=2, n_bins=10)
    assert float(other) == pytest.approx(0.525)


def test_a_temperature_is_the_inverse_of_scikit_learns_beta():
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.frozen import FrozenEstimator
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 600)
    values = rng.normal(0, 1, (600, 3)) + np.eye(3)[labels]
    model = LogisticRegression(C=100).fit(values[:300], labels[:300])
    model.coef_ *= 3  # far too sure
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scaled = CalibratedClassifierCV(FrozenEstimator(model), method="temperature").fit(values[300:], labels[300:])
    beta = scaled.calibrated_classifiers_[0].calibrators[0].beta_
    ours = calibration.fit_temperature(model.predict_proba(values[300:]), labels[300:])
    assert ours == pytest.approx(1 / beta, rel=0.02)
    assert ours > 2


def test_no_discordant_pair_says_nothing():
    """statsmodels' inexact test gives p = 0 where b = c = 0."""
    assert paired.mcnemar(0, 0) == 1


def test_coarse_confidences_of_two_types_are_compared_in_one():
    """As of an int8 network, on a grid of 1/255: in float64 and float32, or rounded and not, each value is another."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(100, 256, 2_000) / 255
    none = np.zeros(20, int)
    base = drift.Baseline(coarse.astype(np.float32).astype(float), none, none, drift.Proportion(0, 0))
    tally = Tally(n=len(coarse), sample=[round(float(value), 5) for value in coarse])
    found = drift.gap(tally, base)
    assert found is not None
    assert (found.distance, found.p) == (pytest.approx(0), pytest.approx(1))
    moved = drift.gap(Tally(n=len(coarse), sample=[round(float(value), 5) for value in coarse * 0.9]), base)
    assert moved is not None
    assert moved.p < 1e-6


def test_whole_numbers_of_numpy_are_whole_numbers_in_the_database(tmp_path, monkeypatch):
    """SQLite's driver writes them as bytes, which no filter finds."""
    monkeypatch.delenv("FASHION_DB", raising=False)
    engine = database.open_engine(tmp_path)
    table = sa.Table("numbers", sa.MetaData(), sa.Column("kind", sa.String), sa.Column("value", sa.Integer))
    kinds = (np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64)
    with engine.connect().execution_options(writing=True) as connection, connection.begin():
        table.create(connection)
        connection.execute(sa.insert(table), [{"kind": one.__name__, "value": one(7)} for one in kinds])
    with engine.connect() as connection:
        found = connection.execute(sa.text("SELECT DISTINCT typeof(value) FROM numbers")).scalars().all()
        assert found == ["integer"]
        assert connection.execute(sa.select(sa.func.count()).where(table.c.value == 7)).scalar() == len(kinds)
