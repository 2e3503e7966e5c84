"""Drawn shoes on a floor: two that are one pair, and what only looks like two."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from ml.images.form import Form
from ml.images.pairs import parted
from ml.images.preparation import prepare
from ml.images.preparation_variants import prepared, variants

FORM = Form(28, 28, 1, background=0)


def floor(rng: np.random.Generator, *, lean: float = 0.0, gap: int = 6, things: str = "soles") -> np.ndarray:
    """uint8 [320, 240, 3]: dark things on boards; gap: pixels between two soles, which touch from 0 on."""
    boards = np.repeat(rng.uniform(-12, 12, 16), 15)[None, :, None] + rng.normal(0, 4, (320, 240, 1))
    ground = Image.fromarray(np.clip(np.array([196, 164, 120]) + boards, 0, 255).astype(np.uint8))
    layer = Image.new("L", (240, 320))
    draw = ImageDraw.Draw(layer)
    if things == "soles":
        for side in (-1, 1):
            x = 120 + side * (gap / 2 + 24)
            draw.ellipse((x - 24, 80, x + 24, 240), fill=255)
    elif things == "trousers":
        draw.polygon([(84, 50), (156, 50), (172, 280), (130, 280), (120, 120), (110, 280), (68, 280)], fill=255)
    elif things == "shirt":
        draw.polygon(
            [
                (60, 80),
                (180, 80),
                (228, 140),
                (200, 165),
                (168, 130),
                (168, 260),
                (72, 260),
                (72, 130),
                (40, 165),
                (12, 140),
            ],
            fill=255,
        )
    layer = layer.rotate(lean, Image.Resampling.BICUBIC)
    return np.asarray(Image.composite(Image.new("RGB", (240, 320), (40, 44, 60)), ground, layer))


def straight(made):
    return next(step for step in made.steps if step.name == "straighten")


@pytest.mark.parametrize("gap", [6, -3])
@pytest.mark.parametrize("lean", [0, 30, -70])
def test_of_two_shoes_one_lies_as_from_the_side(gap, lean):
    picture = floor(np.random.default_rng(1), lean=lean, gap=gap)
    step = straight(prepare(picture, FORM, ways=("pair",)))
    assert step.why == "one of a pair, half of it lying"
    image = prepare(picture, FORM, ways=("pair",)).image[..., 0] > 60
    rows, columns = np.flatnonzero(image.any(axis=1)), np.flatnonzero(image.any(axis=0))
    assert np.ptp(columns) >= 26, "it fills the width"
    assert np.ptp(rows) + 1 == pytest.approx(28 * 24 / 160, abs=2), "and is half of a sole high"
    assert max(image[rows[-1]].sum(), image[rows[-1] - 1].sum()) > 20, "flat below"
    assert image[rows[0]].sum() < 20, "curved above"


def test_only_who_asks_gets_one_of_a_pair():
    picture = floor(np.random.default_rng(1))
    assert "pair" not in straight(prepare(picture, FORM)).why
    assert straight(prepare(picture, FORM, ways=("pair",), off=("straighten",))).why == "left out"


@pytest.mark.parametrize("things", ["trousers", "shirt"])
def test_what_is_one_thing_stays_whole(things):
    picture = floor(np.random.default_rng(2), things=things)
    usual, asked = prepare(picture, FORM), prepare(picture, FORM, ways=("pair",))
    np.testing.assert_array_equal(usual.image, asked.image)


def test_the_picture_of_one_shoe_is_offered_beside_the_usual_one():
    picture = floor(np.random.default_rng(3))
    names = [name for name, _, _ in variants(picture, FORM)]
    assert "pair" in names
    assert straight(prepared(picture, FORM, "pair")).why == "one of a pair, half of it lying"
    assert "pair" not in [name for name, _, _ in variants(floor(np.random.default_rng(3), things="shirt"), FORM)]


def test_the_place_of_one_shoe_is_where_it_lay():
    picture = floor(np.random.default_rng(1), gap=20)
    made = prepare(picture, FORM, ways=("pair",))
    x, y = made.place @ [14, 14, 1]
    assert abs(abs(x - 120) - 34) < 26, "in one of the two"
    assert y == pytest.approx(160, abs=6)


def test_shapes_that_are_no_pair():
    square = np.zeros((60, 80), bool)
    assert parted(square) is None
    square[20:40, 20:60] = True
    assert parted(square) is None, "one block"
    square[:] = False
    square[10:50, 10:20] = square[10:20, 40:50] = True
    assert parted(square) is None, "a long one and a small one"
    square[:] = True
    assert parted(square) is None
    square[:] = False
    square[30, 40] = True
    assert parted(square) is None, "a single pixel"
