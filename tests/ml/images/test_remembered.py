"""Pictures that are prepared in several ways are searched once, and come out the same."""

from dataclasses import replace

import numpy as np

from ml.images.form import Form
from ml.images.preparation import PHOTOGRAPH_STEPS, prepare
from ml.images.remembered import once, searched
from tests.ml.images.test_pairs import floor

FORM = Form(28, 28, 1, background=0)


def test_within_once_the_same_copy_is_searched_once():
    asked = []

    @searched
    def search(copy: np.ndarray) -> int:
        asked.append(copy)
        return int(copy.sum())

    first, other = np.zeros((4, 4), np.uint8), np.ones((4, 4), np.uint8)
    with once():
        assert [search(one) for one in (first, other, first.copy(), first[::-1])] == [0, 16, 0, 0]
        assert search(first.reshape(2, 8)) == search(first.astype(np.float32)) == 0, "another form or type is another"
    assert len(asked) == 4
    with once():
        search(first)
    search(first)
    search(first)
    assert len(asked) == 7, "nothing is kept beyond, and nothing outside"


def test_pictures_come_out_the_same():
    rng = np.random.default_rng(0)
    pictures = [floor(rng, lean=20), floor(rng, things="shirt")]
    steps = [frozenset(), *(frozenset(PHOTOGRAPH_STEPS) - {name} for name in ("", *PHOTOGRAPH_STEPS))]

    def seen() -> list[np.ndarray]:
        return [prepare(one, replace(FORM, steps=these)).image for these in steps for one in pictures]

    plain = seen()
    with once():
        remembered = seen()
    assert len({one.tobytes() for one in plain}) > len(pictures), "steps matter"
    assert all(np.array_equal(one, other) for one, other in zip(plain, remembered, strict=True))
