"""Which other pictures come of one, and how far the answers of a classifier with known answers agree."""

import numpy as np
import pytest

from ml.images.form import Form
from ml.images.preparation import prepare
from ml.images.preparation_variants import compare, plausible, prepared, variants

FORM = Form(28, 28, 1, background=0, peak=255)


def shirt(ground: int = 255, thing: int = 120) -> np.ndarray:
    """Something like a T-shirt, 200 × 300."""
    picture = np.full((200, 300, 3), ground, np.uint8)
    picture[40:70, 90:210] = thing
    picture[40:160, 115:185] = thing
    picture[90:110, 130:170] = thing // 2
    return picture


def names(found):
    return [name for name, _, _ in found]


def test_the_first_is_the_usual_one_and_all_differ():
    found = variants(shirt(), FORM)
    assert names(found)[0] == "usual"
    np.testing.assert_array_equal(found[0][2].image, prepare(shirt(), FORM).image)
    assert {"tilted-left", "tilted-right", "loose", "reversed", "skip"} <= set(names(found))
    pictures = {prepared.image.tobytes() for _, _, prepared in found}
    assert len(pictures) == len(found)
    assert all(prepared.image.shape == (28, 28, 1) for _, _, prepared in found)


def test_a_straightened_picture_is_also_asked_about_as_it_leaned():
    found = {name: prepared for name, _, prepared in variants(shirt(), FORM, turn=12)}
    assert "leaning" in found
    assert "tilted-left" not in found
    assert not next(step for step in found["leaning"].steps if step.name == "straighten").done


def test_what_passes_unchanged_is_also_prepared_in_full():
    own = np.zeros((28, 28, 1), np.uint8)
    own[6:20, 8:16] = 200
    found = variants(own, FORM)
    assert names(found) == ["usual", "full"]
    np.testing.assert_array_equal(found[0][2].image, own)
    assert names(variants(shirt(), FORM, mode="none")) == ["usual", "full"]


def test_a_step_that_is_off_stays_off():
    for _, _, made in variants(shirt(), FORM, off=("crop",)):
        assert not next(step for step in made.steps if step.name == "crop").done


def test_agreement_by_hand():
    said = np.array([[0.6, 0.4, 0.0], [0.5, 0.5, 0.0], [0.1, 0.2, 0.7], [0.7, 0.2, 0.1]])
    asked = []

    def classify(images):
        asked.append(images)
        return said[np.minimum(np.arange(len(images)), 3)]

    agreement = compare(shirt(), FORM, classify)
    assert len(asked) == 1, "one batch"
    assert asked[0].dtype == np.uint8
    n = agreement.n
    assert n == len(asked[0]) >= 5
    assert agreement.same == n - 1, "a tie goes to the first class; one says the third"
    assert agreement.distance == pytest.approx(0.7), "half of 0.5 + 0.2 + 0.7"
    rest = n - 3
    np.testing.assert_allclose(agreement.probabilities, (said[:3].sum(0) + rest * said[3]) / n)
    assert [variant.predicted for variant in agreement.variants][:3] == [0, 0, 2]


@pytest.mark.parametrize("name", ["usual", "loose", "tilted-left", "reversed", "skip", "nowhere"])
def test_one_way_alone_is_the_same_as_among_all(name):
    found = {key: prepared for key, _, prepared in variants(shirt(), FORM, turn=3)}
    np.testing.assert_array_equal(prepared(shirt(), FORM, name, turn=3).image, found.get(name, found["usual"]).image)


def test_a_turn_by_hand_is_tilted_from_where_it_is():
    first = prepare(shirt(), FORM, turn=178)
    turns = {name: changes.get("turn") for name, _, changes in plausible(first, FORM, turn=178)}
    assert (turns["tilted-left"], turns["tilted-right"]) == (-176, 172)
    off = {name: changes for name, _, changes in plausible(first, FORM, turn=90, box=(0, 0, 0.5, 1), off=("hand",))}
    assert off["tilted-left"] == {"turn": 6, "box": None, "off": {"straighten"}}, "what is off stays off"
