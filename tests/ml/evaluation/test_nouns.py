"""Each evaluation of the toy run against an independent computation."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

from ml.artifacts.reader import Library
from ml.evaluation import EVALUATIONS, ON_DEMAND
from ml.pipeline import context_of


@pytest.fixture(scope="module")
def library(toy_home):
    return Library(toy_home, toy_home)


@pytest.fixture(scope="module")
def run(library):
    return library.open("toy")


@pytest.fixture(scope="module")
def context(library, run):
    return context_of(library, run)


def test_every_noun_was_made(run):
    assert set(run.nouns) == {*EVALUATIONS, "history", "epochs", "slice_members"} - {*ON_DEMAND, "unlabelled"}


def test_predictions_are_the_networks(run, context):
    frame = run.table("predictions")
    for split, part in frame.groupby("split"):
        probabilities = context.classifier.probabilities(context.splits[split].images)
        columns = part[[f"p_{i}" for i in range(4)]].to_numpy()
        assert np.abs(columns - probabilities).max() < 1e-5
        assert np.allclose(columns.sum(1), 1, atol=1e-5)
        assert (part["predicted"].to_numpy() == columns.argmax(1)).all()
        assert (part["label"].to_numpy() == context.splits[split].labels).all()


def test_confusion_adds_up(run, context):
    frame = run.table("confusion")
    for split, part in frame.groupby("split"):
        assert len(part) == 16
        assert part["count"].sum() == len(context.splits[split])


def test_calibration_before_and_after_a_temperature_of_validation(run):
    from scipy.optimize import minimize_scalar

    table, predictions = run.table("calibration"), run.table("predictions")
    values = table.set_index(["split", "scaling", "metric"])["value"]

    def said(split):
        part = predictions[predictions["split"] == split]
        logits = np.log(part[[f"p_{i}" for i in range(4)]].to_numpy(np.float64))
        return logits, part["label"].to_numpy()

    def loss(t, split="validation"):
        logits, labels = said(split)
        scaled = logits / t
        return (np.log(np.exp(scaled).sum(1)) - scaled[np.arange(len(labels)), labels]).mean()

    fitted = minimize_scalar(loss, bounds=(0.05, 10), method="bounded", options={"xatol": 1e-12}).x
    assert values["validation", "temperature", "temperature"] == pytest.approx(fitted, abs=1e-6)
    for split in ("test", "validation", "reference"):
        logits, labels = said(split)
        for scaling, t in (("none", 1.0), ("temperature", fitted)):
            powers = np.exp(logits / t)
            p = powers / powers.sum(1, keepdims=True)
            sure, right = p.max(1), p.argmax(1) == labels
            bins = [(sure > k / 15) & (sure <= (k + 1) / 15) for k in range(15)]
            error = sum(abs(right[b].sum() - sure[b].sum()) for b in bins) / len(labels)
            squares = ((p - np.eye(4)[labels]) ** 2).sum(1).mean()
            assert values[split, scaling, "calibration_error"] == pytest.approx(error, abs=1e-6)
            assert values[split, scaling, "brier"] == pytest.approx(squares, abs=1e-6)
            assert values[split, scaling, "loss"] == pytest.approx(loss(t, split), abs=1e-6)
    assert values["validation", "temperature", "loss"] <= values["validation", "none", "loss"]
    assert (table["low"] <= table["high"]).all()


def test_the_calibration_error_has_one_interval_wherever_it_is_asked_for(run):
    ends = {}
    for noun in ("scores", "calibration"):
        table = run.table(noun)
        whole = table["class"].isna() if noun == "scores" else table["scaling"] == "none"
        mine = table[whole & (table["metric"] == "calibration_error")].set_index("split")
        ends[noun] = mine.loc[["test", "validation", "reference"], ["value", "low", "high"]]
    assert ends["scores"].equals(ends["calibration"])
    assert (ends["scores"]["low"] < ends["scores"]["high"]).all()


def test_conformal_sets_by_their_definition(run):
    from math import ceil

    table, predictions = run.table("conformal"), run.table("predictions")
    calibration = run.table("calibration").set_index(["split", "metric"])["value"]
    temperature = calibration["validation", "temperature"]
    assert sorted(set(zip(table["split"], table["level"], strict=True))) == [
        (split, level) for split in ("test", "validation") for level in (0.9, 0.95, 0.99)
    ]
    apart, truths = {}, {}
    for split in ("test", "validation"):
        part = predictions[predictions["split"] == split]
        powers = part[[f"p_{i}" for i in range(4)]].to_numpy(np.float64) ** (1 / temperature)
        apart[split] = 1 - powers / powers.sum(1, keepdims=True)
        truths[split] = part["label"].to_numpy()
    for row in table.itertuples():
        own = np.sort(apart["validation"][np.arange(len(truths["validation"])), truths["validation"]])
        place = ceil(round((len(own) + 1) * row.level, 6))
        most = own[place - 1] if place <= len(own) else 1
        assert row.most == pytest.approx(most, abs=1e-6)
        assert row.temperature == pytest.approx(temperature, abs=1e-6)
        inside = apart[row.split] <= most + 1e-6  # recorded probabilities are float32
        assert row.n == len(inside)
        assert row.covered == inside[np.arange(row.n), truths[row.split]].sum()
        assert row.size == pytest.approx(inside.sum() / row.n)
        assert [getattr(row, f"size_{k}") for k in range(5)] == np.bincount(inside.sum(1), minlength=5).tolist()
        assert row.low <= row.coverage == row.covered / row.n <= row.high


def test_neighbours_are_the_nearest(run, context):
    frame = run.table("neighbours")
    features, reference = context.features("test"), context.features("reference")
    ids = context.splits["reference"].ids
    for row in (0, 17):
        distances = np.linalg.norm(reference - features[row], axis=1)
        mine = frame[(frame["split"] == "test") & (frame["example_id"] == context.splits["test"].ids[row])]
        assert mine["rank"].tolist() == list(range(1, 11))
        assert np.allclose(mine["distance"], np.sort(distances)[:10], atol=1e-3)
        assert mine["neighbour_id"].iloc[0] in ids[np.isclose(distances, distances.min(), atol=1e-3)]
    own = frame[frame["split"] == "reference"]
    assert (own["example_id"] != own["neighbour_id"]).all()


def test_projection_is_pca_of_reference(run, context):
    frame = run.table("projection")
    pca = PCA(3).fit(context.features("reference").astype(float))
    mine = frame[frame["split"] == "test"][["pca_x", "pca_y", "pca_z"]].to_numpy()
    expected = pca.transform(context.features("test").astype(float))
    assert np.allclose(np.abs(mine), np.abs(expected), atol=1e-2)
    assert run.manifest["explained_variance"] == pytest.approx(pca.explained_variance_ratio_, abs=1e-4)


def test_filters_are_the_weights(run):
    weights = run.weights()
    for name, kernels in run.arrays("filters").items():
        assert np.allclose(kernels, weights[f"{name}.weight"], atol=1e-2)


def test_activations_and_layers(context):
    image = context.splits["test"].images[0]
    maps = context.classifier.activations(image)
    assert maps["body.0"].shape == (32, 26, 26)
    assert np.allclose(maps["body.1"], np.maximum(maps["body.0"], 0))
    layers = context.classifier.layers()
    assert layers[0]["shape"] == [32, 26, 26]
    assert layers[-1]["name"] == "head"
    assert layers[-1]["shape"] == [4]
