"""More like this, on a toy run that was really trained: held to the features of whole splits and to the table."""

import numpy as np
import pytest

from dashboard.components import more_like
from dashboard.services import similar
from dashboard.state.selection import Selection
from ml.artifacts.reader import Missing


def test_the_nearest_of_reference_are_those_of_the_table(asking, toy):
    pictures = toy.pictures("test")
    ids, distances = asking.similar.nearest("toy", pictures.images[3], "reference", count=10)
    recorded = toy.neighbours("test", int(pictures.ids[3]))
    assert ids.tolist() == recorded["neighbour_id"].tolist()
    np.testing.assert_allclose(distances, recorded["distance"], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("split", ["test", "validation"])
def test_the_nearest_of_a_split_are_found_among_all_of_it(asking, toy, split):
    pictures = toy.pictures(split)
    image, own = pictures.images[5], int(pictures.ids[5])
    network = asking.predictor._networks.open("toy")
    features = network.classifier.features(np.asarray(pictures.images)).astype(np.float16).astype(np.float32)
    far = np.linalg.norm(features - features[5], axis=1)
    ids, distances = asking.similar.nearest("toy", image, split, itself=own, count=12)
    assert own not in ids
    assert len(ids) == len(set(ids.tolist())) == min(12, len(far) - 1)
    assert (np.diff(distances) >= 0).all()
    np.testing.assert_allclose(distances, np.sort(np.delete(far, 5))[: len(distances)], rtol=1e-2, atol=1e-2)
    # a picture from outside that is one of the split is found there first
    assert asking.similar.nearest("toy", image, split)[0][0] == own


def test_what_was_found_is_a_selection_in_order_of_distance(asking, toy):
    pictures = toy.pictures("test")
    example = int(pictures.ids[2])
    looked = Selection(true=("a class",), conf=(0.0, 0.5), sample=example, page=3)
    subject = more_like.Subject(toy, pictures.images[2], looked, example)
    found = more_like.alike(asking, subject, "test")
    assert found.run == "toy"  # also after another run was promoted
    assert found.sample is None
    assert found.true == ()
    assert found.conf is None
    again = Selection.parse(found.query())
    assert again == found
    shown = toy.predictions("test").ids[toy.ordered(again)]
    assert shown.tolist() == list(found.ids)
    assert shown.tolist() == asking.similar.nearest("toy", pictures.images[2], "test", itself=example)[0].tolist()
    outside = more_like.alike(asking, more_like.Subject(toy, pictures.images[2], Selection()), "validation")
    assert outside.split == "validation"
    assert set(outside.ids) <= set(toy.pictures("validation").ids.tolist())


def test_a_split_too_large_to_look_at_is_refused_in_words(asking, toy, monkeypatch):
    monkeypatch.setattr(similar, "MOST", 3)
    with pytest.raises(Missing, match="too many to look at one by one; the limit is 3"):
        asking.similar.nearest("toy", toy.pictures("test").images[0], "test")


def test_a_click_in_the_matrix_says_how_many_images_and_leads_to_them(toy):
    from dashboard.pages.dashboard import confusion

    assert confusion.answer(toy, Selection()) == []
    predictions = toy.predictions("test")
    label, guess = int(predictions.labels[0]), int(predictions.predicted[0])
    there = int(((predictions.labels == label) & (predictions.predicted == guess)).sum())
    chosen = Selection(true=(toy.classes[label],), pred=(toy.classes[guess],))
    (see,) = confusion.answer(toy, chosen)
    assert see.children == f"See {there:,} image{'' if there == 1 else 's'}"
    assert see.to_plotly_json()["props"]["data-goto"] == "dashboard-gallery-card"
    (nothing,) = confusion.answer(toy, chosen.with_(conf=(0.0, 0.0)))
    assert nothing.children == "No image is like this."
