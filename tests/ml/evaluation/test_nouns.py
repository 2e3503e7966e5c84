"""Each evaluation of the toy run against an independent computation."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

from ml.artifacts.reader import Library
from ml.evaluation import ASKED, EVALUATIONS
from ml.pipeline import subject_of


@pytest.fixture(scope="module")
def library(toy_home):
    return Library(toy_home, toy_home)


@pytest.fixture(scope="module")
def run(library):
    return library.open("toy")


@pytest.fixture(scope="module")
def subject(library, run):
    return subject_of(library, run)


def test_every_noun_was_made(run):
    assert set(run.nouns) == {*EVALUATIONS, "history", "epochs"} - {*ASKED}


def test_predictions_are_the_networks(run, subject):
    frame = run.table("predictions")
    for split, part in frame.groupby("split"):
        probabilities = subject.classifier.probabilities(subject.splits[split].images)
        columns = part[[f"p_{i}" for i in range(4)]].to_numpy()
        assert np.abs(columns - probabilities).max() < 1e-5
        assert np.allclose(columns.sum(1), 1, atol=1e-5)
        assert (part["predicted"].to_numpy() == columns.argmax(1)).all()
        assert (part["label"].to_numpy() == subject.splits[split].labels).all()


def test_confusion_adds_up(run, subject):
    frame = run.table("confusion")
    for split, part in frame.groupby("split"):
        assert len(part) == 16
        assert part["count"].sum() == len(subject.splits[split])


def test_neighbours_are_the_nearest(run, subject):
    frame = run.table("neighbours")
    features, reference = subject.features("test"), subject.features("reference")
    ids = subject.splits["reference"].ids
    for row in (0, 17):
        distances = np.linalg.norm(reference - features[row], axis=1)
        mine = frame[(frame["split"] == "test") & (frame["example_id"] == subject.splits["test"].ids[row])]
        assert mine["rank"].tolist() == list(range(1, 11))
        assert np.allclose(mine["distance"], np.sort(distances)[:10], atol=1e-3)
        assert mine["neighbour_id"].iloc[0] in ids[np.isclose(distances, distances.min(), atol=1e-3)]
    own = frame[frame["split"] == "reference"]
    assert (own["example_id"] != own["neighbour_id"]).all()


def test_projection_is_pca_of_reference(run, subject):
    frame = run.table("projection")
    pca = PCA(3).fit(subject.features("reference").astype(float))
    mine = frame[frame["split"] == "test"][["pca_x", "pca_y", "pca_z"]].to_numpy()
    expected = pca.transform(subject.features("test").astype(float))
    assert np.allclose(np.abs(mine), np.abs(expected), atol=1e-2)
    assert run.manifest["explained_variance"] == pytest.approx(pca.explained_variance_ratio_, abs=1e-4)


def test_filters_are_the_weights(run):
    weights = run.weights()
    for name, kernels in run.arrays("filters").items():
        assert np.allclose(kernels, weights[f"{name}.weight"], atol=1e-2)


def test_activations_and_layers(subject):
    image = subject.splits["test"].images[0]
    maps = subject.classifier.activations(image)
    assert maps["body.0"].shape == (32, 26, 26)
    assert np.allclose(maps["body.1"], np.maximum(maps["body.0"], 0))
    layers = subject.classifier.layers()
    assert layers[0]["shape"] == [32, 26, 26]
    assert layers[-1]["name"] == "head"
    assert layers[-1]["shape"] == [4]
