"""Answers, on a toy run that was really trained."""

import functools

import numpy as np
import pytest


def test_every_test_picture_gets_its_recorded_answer(asking, toy):
    recorded, pictures = toy.predictions("test"), toy.pictures("test")
    for row in range(0, len(recorded.ids), 7):
        answer = asking.predictor.predict("toy", pictures.images[row])
        np.testing.assert_allclose(answer.probabilities, recorded.probabilities[row], atol=1e-4)
        assert answer.predicted == recorded.predicted[row]
        assert answer.confidence == pytest.approx(float(recorded.confidence[row]), abs=1e-4)
        assert answer.prepared.unchanged


def test_an_answer_names_its_classes_in_order(asking, toy):
    answer = asking.predictor.predict(None, toy.pictures("test").images[0])
    assert answer.run == "toy"
    top = answer.top(4)
    assert top[0] == (answer.label, answer.confidence)
    assert [share for _, share in top] == sorted((share for _, share in top), reverse=True)
    assert {name for name, _ in top} == set(toy.classes)
    assert sum(share for _, share in top) == pytest.approx(1, abs=1e-5)


def test_a_picture_is_prepared_once_for_several_questions(every_step, asking):
    picture = np.full((90, 140, 3), 230, np.uint8)
    picture[15:75, 50:80] = 40
    first = asking.predictor.predict("toy", picture).prepared
    assert asking.predictor.predict("toy", picture.copy()).prepared is first
    for other in ({"turn": 1.0}, {"off": ("crop",)}, {"box": (0, 0, 1, 0.5)}, {"mode": "none"}, {"way": "loose"}):
        assert not np.array_equal(asking.predictor.predict("toy", picture, **other).prepared.image, first.image), other
    picture[15:75, 50:60] = 230
    assert not np.array_equal(asking.predictor.predict("toy", picture).prepared.image, first.image)


def test_every_way_is_asked_as_if_it_were_alone(every_step, asking):
    picture = np.full((90, 140, 3), 230, np.uint8)
    picture[15:75, 50:80] = 40
    agreement = asking.predictor.agreement("toy", picture, turn=4.0)
    assert agreement.n >= 5
    for one in agreement.variants:
        alone = asking.predictor.predict("toy", picture, turn=4.0, way=one.name)
        np.testing.assert_array_equal(alone.prepared.image, one.prepared.image)
        np.testing.assert_allclose(alone.probabilities, one.probabilities, atol=1e-5)
    with pytest.raises(ValueError, match="a box is"):
        asking.predictor.predict("toy", picture, box=(0, 0, 0, 0))


def test_answers_wait_for_no_lock_of_their_class(every_step, asking):
    """Until Python 3.11 a functools.cached_property holds one for all objects: half of what twenty users waited for."""
    answer = asking.predictor.predict("toy", np.full((90, 140, 3), 230, np.uint8))
    assert vars(answer)["order"].tolist() == np.argsort(-answer.probabilities, kind="stable").tolist()
    assert not [name for name, made in vars(type(answer)).items() if isinstance(made, functools.cached_property)]
