"""The renderings by which routing is judged: pictures as cameras give them, the same for one seed."""

import numpy as np
import pytest

from bench import scenes, snapshots

DRAWN = [(scenes.scene, kind, 480, 768) for kind in scenes.KINDS]
DRAWN += [(snapshots.snapshot, kind, 199, 3_000) for kind in snapshots.KINDS]


@pytest.fixture
def picture():
    thing = np.zeros((28, 28, 1), np.uint8)
    thing[5:24, 8:20] = np.arange(12, dtype=np.uint8)[None, :, None] * 15 + 60
    return thing


@pytest.mark.parametrize(("draw", "kind", "least", "most"), DRAWN)
def test_a_rendering_is_a_photograph_and_follows_from_its_seed(picture, draw, kind, least, most):
    made = [draw(picture, np.random.default_rng(seed), kind) for seed in (3, 3, 4)]
    for one in made:
        assert one.dtype == np.uint8
        assert one.ndim == 3 == one.shape[2]
        assert least <= max(one.shape[:2]) <= most
        assert one.std() > 4, "something is on it"
    np.testing.assert_array_equal(made[0], made[1])
    assert made[0].shape != made[2].shape or not np.array_equal(made[0], made[2])


def test_a_photograph_that_is_taken_again_is_another_file_of_the_same(picture):
    photo = np.repeat(np.kron(picture[:, :, 0], np.ones((9, 9), np.uint8))[..., None], 3, axis=2)
    taken = snapshots.again(photo, np.random.default_rng(0))
    assert taken.dtype == np.uint8
    assert taken.shape[2] == 3
    assert 199 <= max(taken.shape[:2]) <= 3_000
