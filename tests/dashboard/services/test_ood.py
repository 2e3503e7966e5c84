"""How unlike the training pictures one is, on a toy run that was really trained."""

import numpy as np
import pytest

from ml.artifacts.reader import Missing


def test_familiarity_agrees_with_the_table_of_neighbours(asking, toy):
    pictures = toy.pictures("test")
    for row in (0, 5):
        familiarity = asking.ood.familiarity("toy", pictures.images[row])
        recorded = toy.neighbours("test", int(pictures.ids[row]))
        assert familiarity.neighbour_ids.tolist() == recorded["neighbour_id"].tolist()
        np.testing.assert_allclose(familiarity.distances, recorded["distance"], rtol=1e-3, atol=1e-3)
        assert familiarity.n == len(toy.pictures("validation").ids)


def test_the_nearest_of_another_class_and_a_picture_is_not_its_own_neighbour(asking, toy):
    pictures = toy.pictures("reference")
    image, own = pictures.images[4], int(pictures.ids[4])
    every = asking.ood.familiarity("toy", image)
    assert every.neighbour_ids[0] == own
    assert every.rival is None
    ids, features = toy.features()
    point = features[list(ids).index(own)]
    distances = np.linalg.norm(features - point, axis=1)
    labels = np.array([pictures.labels[pictures.row(int(i))] for i in ids])
    for rival in range(4):
        familiarity = asking.ood.familiarity("toy", image, itself=own, rival=rival)
        assert own not in familiarity.neighbour_ids
        rows = [row for row in np.argsort(distances, kind="stable") if ids[row] != own]
        nearest = next(row for row in rows if labels[row] == rival)
        assert familiarity.rival.example_id == ids[nearest]
        assert familiarity.rival.distance == pytest.approx(distances[nearest], rel=1e-2, abs=1e-2)
        assert familiarity.rival.place == rows.index(nearest) + 1


def test_a_twin_is_found_and_a_stranger_has_none(asking, toy):
    pictures = toy.pictures("reference")
    brighter = np.clip(pictures.images[7].astype(int) + 6, 0, 255).astype(np.uint8)
    twin = asking.ood.near_duplicate("toy", brighter)
    assert twin is not None
    assert twin[0] == pictures.ids[7]
    noise = np.random.default_rng(0).integers(0, 256, (28, 28, 1)).astype(np.uint8)
    assert asking.ood.near_duplicate("toy", noise) is None


def test_noise_is_less_familiar_than_a_test_picture(asking, toy):
    pictures = toy.pictures("test").images
    usual = [asking.ood.familiarity("toy", image).percentile for image in pictures[:20]]
    noise = np.random.default_rng(0).integers(0, 256, (28, 28, 1)).astype(np.uint8)
    assert asking.ood.familiarity("toy", noise).percentile > np.median(usual)
    assert asking.ood.familiarity("toy", noise).unlike


def test_without_reference_features_familiarity_is_missing_with_its_command(asking, home):
    import json

    manifest = home / "runs" / "toy" / "manifest.json"
    content = json.loads(manifest.read_text())
    del content["nouns"]["features"]
    manifest.write_text(json.dumps(content))
    blank = np.zeros((28, 28, 1), np.uint8)
    assert asking.predictor.predict("toy", blank).run == "toy"
    with pytest.raises(Missing) as missing:
        asking.ood.familiarity("toy", blank)
    assert missing.value.command == "python -m ml evaluate toy --only features"
