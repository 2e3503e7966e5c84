"""Prints on other ground, drawn: what they lie on is left out; and what is no print."""

import subprocess
import sys
import textwrap

import numpy as np
import pytest
from PIL import Image, ImageDraw

from ml.images.form import Form
from ml.images.preparation import prepare
from ml.images.sheets import find_sheet, find_sheets, on_sheet

FORM = Form(28, 28, 1, background=0, peak=255)


def shirt() -> np.ndarray:
    """uint8 [28, 28, 1]: light on black, from the upper edge to the lower."""
    image = Image.new("L", (28, 28))
    draw = ImageDraw.Draw(image)
    draw.rectangle((8, 0, 19, 27), fill=190)
    draw.polygon([(8, 0), (2, 9), (5, 12), (9, 7)], fill=140)
    draw.polygon([(19, 0), (25, 9), (22, 12), (18, 7)], fill=230)
    return np.asarray(image)[..., None]


def lying(
    sheet: np.ndarray, corners: list[tuple[int, int]], *, seed: int = 0, side: int = 300
) -> tuple[np.ndarray, np.ndarray]:
    """A sheet with its corners there, on ground of many colours: uint8 [side, side, 3], and bool where it lies."""
    import cv2

    rng = np.random.default_rng(seed)
    spots = Image.fromarray(rng.integers(60, 200, (9, 9, 3)).astype(np.uint8))
    ground = np.asarray(spots.resize((side, side), Image.Resampling.BICUBIC))
    large = cv2.resize(np.repeat(sheet, 3, axis=2), (224, 224), interpolation=cv2.INTER_CUBIC)
    ends = np.float32([(0, 0), (223, 0), (223, 223), (0, 223)])
    turn = cv2.getPerspectiveTransform(ends, np.float32(corners))
    seen = cv2.warpPerspective(large, turn, (side, side))
    within = cv2.warpPerspective(np.full((224, 224), 255, np.uint8), turn, (side, side)) > 127
    return np.where(within[..., None], seen, ground), within


PLACES = {
    "whole": [(70, 60), (240, 75), (235, 250), (62, 235)],
    "over the frame": [(120, 110), (340, 90), (350, 330), (130, 320)],
}


@pytest.mark.parametrize("negative", [False, True])
@pytest.mark.parametrize("place", PLACES)
def test_a_print_is_found_where_it_lies(place, negative):
    picture, truth = lying(255 - shirt() if negative else shirt(), PLACES[place])
    sheet = find_sheet(picture)
    assert sheet is not None
    assert (sheet.within & truth).sum() / (sheet.within | truth).sum() > 0.88
    assert abs(float(sheet.ground[truth].mean()) - 255 * negative) < 20
    alone = on_sheet(picture)
    assert alone.shape[0] < 300
    level = 255 * negative
    assert (np.abs(alone[2:-2, 2].astype(int) - level) < 26).all(), "the ground around it is the sheet's own"


@pytest.mark.parametrize("negative", [False, True])
def test_what_a_print_lies_on_is_left_out_of_the_prepared_picture(negative):
    picture, _ = lying(255 - shirt() if negative else shirt(), PLACES["whole"])
    prepared = prepare(picture, FORM)
    steps = {step.name: step for step in prepared.steps}
    assert steps["clear"].why == "a print or a screen: what it lies on is left out"
    apart = np.abs(prepared.image.astype(int) - shirt())
    assert apart.mean() < 30, "as the print, not as the table"
    assert np.corrcoef(prepared.image.ravel(), shirt().ravel())[0, 1] > 0.85


def test_a_thing_on_ground_is_no_print():
    rng = np.random.default_rng(3)
    floor = np.clip(170 + rng.normal(0, 12, (240, 200, 1)) + np.zeros(3), 0, 255)
    boards = floor * np.repeat(rng.uniform(0.85, 1, 8), 30)[:, None, None]
    for level in (30, 250):
        thing = boards.copy()
        thing[60:180, 60:140] = level  # even all over: there is nothing on it
        assert find_sheet(thing.astype(np.uint8)) is None
    wall = floor.copy()
    wall[:90] = 240  # a wall behind a floor has one side
    wall[40:200, 80:120] = 40
    assert find_sheet(wall.astype(np.uint8)) is None
    assert find_sheet(np.zeros((20, 300, 3), np.uint8)) is None
    assert on_sheet(wall.astype(np.uint8)).shape == wall.shape


@pytest.mark.parametrize("way", [Image.Resampling.NEAREST, Image.Resampling.BICUBIC])
@pytest.mark.parametrize("negative", [False, True])
def test_an_enlarged_copy_lies_as_it_did(way, negative):
    source = 255 - shirt() if negative else shirt()
    large = np.asarray(Image.fromarray(source.squeeze()).resize((224, 224), way))
    prepared = prepare(np.repeat(large[..., None], 3, axis=2), FORM)
    assert {step.name: step.why for step in prepared.steps}["straighten"] == "lies as training pictures do"
    assert np.abs(prepared.image.astype(int) - shirt()).mean() < 12
    np.testing.assert_allclose(prepared.place, np.diag([8.0, 8.0, 1.0])[:2], err_msg="nothing was cut or turned")


def test_what_only_resembles_an_enlarged_copy_is_prepared_like_any_other():
    large = np.repeat(np.asarray(Image.fromarray(shirt().squeeze()).resize((224, 224)))[..., None], 3, axis=2)
    coloured, small, grey = (
        large.copy(),
        np.zeros_like(large),
        np.clip(large.astype(int) + 100, 0, 255).astype(np.uint8),
    )
    coloured[..., 0] = 255 - coloured[..., 0]
    small[70:154, 70:154] = np.asarray(Image.fromarray(large).resize((84, 84)))  # room on every side
    for picture in (coloured, small, grey, large[:, 20:200]):
        why = {step.name: step.why for step in prepare(picture, FORM).steps}["straighten"]
        assert why != "lies as training pictures do"


def test_pictures_too_small_for_a_sheet_load_no_opencv():
    code = """
        import sys
        import numpy as np
        from ml.images.sheets import find_sheet
        assert find_sheet(np.zeros((28, 28, 1), np.uint8)) is None
        print("cv2" in sys.modules)
        find_sheet(np.zeros((64, 64, 1), np.uint8))
        print("cv2" in sys.modules)
        """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.split() == ["False", "True"]


def test_a_sheet_is_looked_for_once_in_one_picture(monkeypatch):
    from ml.images import sheets

    photo, _ = lying(shirt(), [(60, 50), (250, 70), (240, 260), (50, 240)], seed=77)
    looked = []
    find = sheets._find
    monkeypatch.setattr(sheets, "_find", lambda image: looked.append(1) or find(image))
    first, again = find_sheet(photo), find_sheet(photo.copy())
    assert len(looked) == 1
    assert first is not None
    assert again is not None
    assert (first.within == again.within).all()
    assert (first.ground == again.ground).all()
    turned = np.ascontiguousarray(photo[:, ::-1])
    other = find_sheet(turned)
    assert len(looked) == 2
    assert other is None or (other.within != first.within).any()


def with_margin(share: float, *, negative: bool = False) -> np.ndarray:
    """The shirt on white paper, uint8 [224, 224, 1]; share: of each margin."""
    wide = round(share * 224)
    picture = 255 - shirt() if negative else shirt()
    large = Image.fromarray(picture[..., 0]).resize((224 - 2 * wide,) * 2, Image.Resampling.BICUBIC)
    return np.pad(np.asarray(large), wide, constant_values=255)[..., None]


def likeness(prepared) -> float:
    return float(np.corrcoef(prepared.image.ravel().astype(float), shirt().ravel().astype(float))[0, 1])


LEANING = [(60, 50), (250, 70), (240, 260), (50, 240)]


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("share", [0.04, 0.1, 0.18])
def test_of_a_print_with_a_margin_what_is_printed_is_laid_flat(share, plain):
    photo, within = lying(with_margin(share), LEANING, seed=78)
    if plain:
        photo = np.where(within[..., None], photo, np.uint8(120))
    prepared = prepare(photo, FORM)
    steps = {step.name: step for step in prepared.steps}
    assert steps["clear"].why == "a print or a screen: what it lies on is left out"
    assert steps["straighten"].why == "lies as training pictures do"
    assert likeness(prepared) > 0.9, "the margin is no part of the picture"
    middle = prepared.place @ [14, 14, 1]
    np.testing.assert_allclose(middle, np.mean(LEANING, axis=0), atol=6)


def test_paper_of_the_picture_s_own_ground_is_cut_to_the_thing_and_stays_straight():
    paper = np.full((224, 224, 1), 255, np.uint8)
    paper[50:174, 50:174, 0] = 255 - np.asarray(Image.fromarray(shirt()[..., 0]).resize((124, 124)))
    photo, _ = lying(paper, LEANING, seed=78)
    prepared = prepare(np.where(lying(paper, LEANING)[1][..., None], photo, np.uint8(120)), FORM)
    assert {step.name: step.why for step in prepared.steps}["straighten"] == "as straight as its sheet"
    assert likeness(prepared) > 0.85


@pytest.mark.parametrize("faint", [0, 1, 2])
def test_one_side_of_four_may_be_faint_and_two_may_not(faint):
    photo, within = lying(np.maximum(shirt(), 12), LEANING)
    ground = np.where(within[..., None], photo, np.uint8(120))
    if faint:
        ground[150:, 200:][~within[150:, 200:]] = 26  # right of it, a table nearly as dark as the paper
        ground[:, :][~within & (np.arange(300)[:, None] > 235)] = 120
    if faint == 2:
        ground[:130, :100][~within[:130, :100]] = 26
    corners = find_sheets(ground).corners
    whole = corners is not None and np.abs(corners - LEANING).max() < 8
    assert whole == (faint < 2)
    if faint == 0:
        assert likeness(prepare(ground, FORM)) > 0.9


def test_a_garment_s_straight_part_is_not_laid_flat():
    rng = np.random.default_rng(4)
    image = Image.new("RGB", (300, 300), (235, 214, 190))
    draw = ImageDraw.Draw(image)
    draw.polygon([(60, 70), (240, 70), (262, 150), (38, 150)], fill=(190, 60, 50))  # sleeves of another colour
    draw.rectangle((95, 70, 205, 250), fill=(60, 60, 70))
    draw.rectangle((120, 110, 180, 150), fill=(220, 200, 80))
    photo = np.clip(np.asarray(image) + rng.normal(0, 3, (300, 300, 3)), 0, 255).astype(np.uint8)
    assert find_sheets(photo).corners is not None, "its body has four straight sides"
    prepared = prepare(photo, FORM)
    assert "print" not in {step.name: step.why for step in prepared.steps}["clear"]
    shown = prepared.image[..., 0] > 20
    assert shown.any(axis=0).sum() > 0.95 * 28, "with its sleeves"


def test_what_reaches_the_edges_is_told_from_what_floats():
    from ml.images.sheets import reaches

    thing = np.zeros((100, 80), bool)
    assert not reaches(thing, 0.1)
    thing[2:99, 30:40] = True
    assert reaches(thing, 0.05)
    assert not reaches(thing, 0.01)
    assert reaches(thing.T, 0.05)


def satchel(ground: int, cloth: int) -> np.ndarray:
    """uint8 [300, 300, 3]: four straight sides of one colour on another, and on them a buckle."""
    image = Image.new("RGB", (300, 300), (ground,) * 3)
    draw = ImageDraw.Draw(image)
    draw.polygon([(70, 60), (240, 75), (235, 250), (62, 235)], fill=(cloth,) * 3)
    draw.rectangle((140, 140, 175, 175), fill=(cloth // 2,) * 3)
    return np.asarray(image)


@pytest.mark.parametrize("cloth", [110, 200])
def test_a_bag_with_a_buckle_is_no_print_of_a_buckle(cloth):
    """One is too dark for paper and too light for a screen; of the other the buckle covers but a twentieth."""
    picture = satchel(250 if cloth == 110 else 20, cloth)
    assert find_sheets(picture).corners is not None, "its sides are as clear as a sheet's"
    prepared = prepare(picture, FORM)
    assert not any("print" in step.why for step in prepared.steps)
    assert (prepared.image > 60).mean() > 0.4, "the bag is there, not the buckle alone"
