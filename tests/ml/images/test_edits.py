"""Changes by hand, against direct computations by numpy, scipy and Pillow, and their text."""

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage

from ml.images import edits
from ml.images.edits import Change, Stroke

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def image():
    """A soft grey spot off the middle, uint8 [28, 28, 1]."""
    y, x = np.mgrid[:28, :28]
    return np.rint(230 * np.exp(-(((x - 11) / 6) ** 2 + ((y - 16) / 4) ** 2)))[:, :, None].astype(np.uint8)


def made(image, said, **more):
    return edits.apply(image, edits.parse(said), **more)


def test_nothing_changes_nothing_and_the_picture_given_stays(image):
    before = image.copy()
    assert made(image, "") is image
    for said in ("rot:0", "zoom:1", "shift:0:0", "bright:0", "contrast:1", "blur:0", "noise:0:3"):
        assert np.array_equal(made(image, said), image), said
    made(image, "invert,shift:1:1")
    assert np.array_equal(image, before)


def test_shift_moves_whole_pixels_and_the_ground_comes_in(image):
    there = made(image, "shift:3:-2", ground=40)
    assert np.array_equal(there[:-2, 3:], image[2:, :-3])
    assert (there[-2:] == 40).all()
    assert (there[:, :3] == 40).all()


@pytest.mark.parametrize(("degrees", "turns"), [(90, 1), (180, 2), (-90, 3), (-180, 2)])
def test_quarter_turns_are_counter_clockwise_and_exact(image, degrees, turns):
    assert np.array_equal(made(image, f"rot:{degrees}"), np.rot90(image, turns))


def test_turns_and_zooms_are_those_of_scipy_and_nearly_those_of_pillow(image):
    turned = made(image, "rot:20")
    channel = image[..., 0].astype(float)
    direct = ndimage.rotate(channel, 20, reshape=False, order=1, mode="grid-constant")
    assert np.abs(turned[..., 0] - direct).max() <= 0.51
    other = np.asarray(Image.fromarray(image[..., 0]).rotate(20, Image.Resampling.BILINEAR), float)
    assert np.abs(turned[..., 0] - other).mean() < 1
    half = made(image, "zoom:0.5")
    middle = np.indices((28, 28)) * 2 - 13.5
    assert np.abs(half[..., 0] - ndimage.map_coordinates(channel, middle, order=1, mode="grid-constant")).max() <= 0.51


def test_neighbouring_moves_are_one_resampling_and_their_order_counts(image):
    assert np.array_equal(made(image, "rot:30,rot:-30"), image)
    assert np.array_equal(made(image, "shift:5:0,rot:90"), np.rot90(made(image, "shift:5:0")))
    assert not np.array_equal(made(image, "shift:5:0,rot:90"), made(image, "rot:90,shift:5:0"))


def test_levels_are_what_they_say(image):
    share = image.astype(float) / 255
    cases = {
        "invert": 1 - share,
        "bright:0.2": share + 0.2,
        "bright:-0.2": share - 0.2,
        "contrast:0.4": share.mean() + 0.4 * (share - share.mean()),
        "blur:1.5": ndimage.gaussian_filter(share, (1.5, 1.5, 0), mode="nearest"),
        "noise:0.1:7": share + 0.1 * np.random.default_rng(7).standard_normal(share.shape),
    }
    for said, direct in cases.items():
        assert np.array_equal(made(image, said), np.rint(255 * np.clip(direct, 0, 1)).astype(np.uint8)), said
    assert np.array_equal(made(image, "invert,invert"), image)
    assert np.array_equal(made(image, "noise:0.1:7"), made(image, "noise:0.1:7"))
    assert not np.array_equal(made(image, "noise:0.1:7"), made(image, "noise:0.1:8"))


def test_colours_are_changed_channel_by_channel():
    picture = np.random.default_rng(0).integers(0, 256, (9, 12, 3), np.uint8)
    for said in ("rot:33,shift:1:2", "blur:1", "contrast:2", "bright:0.1"):
        whole = made(picture, said)
        assert whole.shape == picture.shape
        for c in range(3):
            assert np.array_equal(whole[..., c], made(picture[..., c : c + 1], said)[..., 0]), (said, c)
    assert (made(picture, edits.text([Change("brush", strokes=(Stroke(1, 7, ((2, 3),)),))]))[3, 2] == 7).all()


def test_a_stroke_paints_what_is_within_half_its_width_of_its_line(image):
    def painted(*strokes):
        blank = np.zeros((8, 8, 1), np.uint8)
        return edits.apply(blank, [Change("brush", strokes=strokes)])[..., 0]

    dot = painted(Stroke(1, 200, ((3, 4),)))
    assert dot[4, 3] == 200
    assert (dot > 0).sum() == 1
    assert (painted(Stroke(3, 9, ((3, 4),))) > 0).sum() == 9  # all pixels up to 1.5 away, corners too
    line = painted(Stroke(1, 9, ((1, 1), (5, 1), (5, 3))))
    assert sorted(zip(*np.nonzero(line), strict=True)) == sorted([*((1, x) for x in range(1, 6)), (2, 5), (3, 5)])
    assert (painted(Stroke(1, 9, ((0, 0), (7, 7)))) > 0).sum() == 8
    over = painted(Stroke(2, 9, ((0, 0), (7, 0))), Stroke(1, 0, ((4, 0),)))
    assert over[0, 4] == 0
    assert over[0, 3] == 9
    assert painted(Stroke(5, 9, ((200, 200),))).sum() == 0  # beyond the edge


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("turn:3", "no change 'turn'"),
        ("rot", "rot takes 1 number"),
        ("rot:181", "rot takes from -180 to 180"),
        ("rot:1e2", "rot takes 1 number"),
        ("rot:nan", "rot takes 1 number"),
        ("rot:٣", "rot takes 1 number"),
        ("zoom:0", "zoom takes from 0.5 to 2"),
        ("shift:1", "shift takes 2 numbers"),
        ("shift:1.5:0", "a whole number from"),
        ("invert:1", "invert takes no numbers"),
        ("noise:0.1:0.5", "a whole number from"),
        ("rot:1,", "no change ''"),
        ("brush:", "strokes"),
        ("brush:AAAA!AAA", "strokes"),
        ("brush:AQIDBAUGBwg", "strokes"),  # more points told than there are
        ("brush:AAAAAAAAA", "strokes"),
        ("brush:" + edits.packed([Stroke(33, 0, ((1, 1),))]), "strokes"),
        (",".join(["invert"] * 41), "41 changes"),
        ("brush:" + "A" * 4_000, "too many"),
    ],
)
def test_what_cannot_be_made_is_said(said, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        edits.parse(said)


def test_large_pictures_are_refused_in_words():
    with pytest.raises(ValueError, match="256 pixels"):
        edits.apply(np.zeros((257, 10, 1), np.uint8), edits.parse("invert"))


def numbers(kind):
    ends = edits.KINDS[kind]
    thousandths = [
        st.integers(int(low), int(high)) if (kind, place) in edits.WHOLE
        else st.integers(int(1_000 * low), int(1_000 * high)).map(lambda n: n / 1_000)
        for place, (low, high) in enumerate(ends)
    ]  # fmt: skip
    return st.tuples(*thousandths).map(lambda values: Change(kind, tuple(map(float, values))))


places = st.tuples(st.integers(0, 255), st.integers(0, 255))
strokes = st.builds(
    Stroke, st.integers(1, edits.BRUSH), st.integers(0, 255), st.lists(places, min_size=1, max_size=6).map(tuple)
)
brushes = st.lists(strokes, min_size=1, max_size=3).map(lambda found: Change("brush", strokes=tuple(found)))
changes = st.lists(st.one_of(brushes, *map(numbers, edits.KINDS)), max_size=6)


@settings(max_examples=80, deadline=None)
@given(changes)
def test_text_gives_back_the_changes_and_the_picture_keeps_its_form(found):
    assert edits.parse(edits.text(found)) == tuple(found)
    blank = np.full((5, 7, 1), 90, np.uint8)
    after = edits.apply(blank, found)
    assert after.shape == blank.shape
    assert after.dtype == np.uint8


@settings(max_examples=80, deadline=None)
@given(st.text("rotshifbu:,.-0129_AQ", max_size=40))
def test_any_text_is_read_or_refused(said):
    try:
        found = edits.parse(said)
    except ValueError:
        return
    assert edits.parse(edits.text(found)) == found


def test_address_and_browser_know_the_same_limits():
    script = (ROOT / "assets/whatif.js").read_text()
    told = re.search(r"CHARACTERS = (\d+), CHANGES = (\d+)", script)
    assert (int(told[2]), int(told[1])) == (edits.MAX_EDITS, edits.CHARACTERS)
