"""Known pictures through every step, with answers worked out by hand."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageOps

from ml.images.fitting import fit
from ml.images.form import Form
from ml.images.preparation import MODES, PREPARATION_STEPS, prepare

FORM = Form(28, 28, 1, background=0)
COLOUR = Form(40, 32, 3, background=None)


def garment(ground: int, thing: int, *, height: int = 200, width: int = 300, channels: int = 3) -> np.ndarray:
    """A rectangle of 100 × 50 pixels at row 40, column 120."""
    picture = np.full((height, width, channels), ground, np.uint8)
    picture[40:140, 120:170] = thing
    return picture


def leaning(ground: int, thing: int, degrees: float) -> np.ndarray:
    """The same, turned counter-clockwise about the middle of the picture."""
    return np.array(
        Image.fromarray(garment(ground, thing)).rotate(degrees, Image.Resampling.BICUBIC, fillcolor=(ground,) * 3)
    )


def busy(picture: np.ndarray) -> np.ndarray:
    """Tiles of many greens wherever the picture is white."""
    rows, columns = np.indices(picture.shape[:2])
    greens = np.random.default_rng(8).integers((0, 90, 0), (120, 256, 60), (40, 40, 3)).astype(np.uint8)
    return np.where((picture == 255).all(axis=2, keepdims=True), greens[rows // 10, columns // 10], picture)


def steps(prepared):
    return {step.name: step for step in prepared.steps}


@pytest.mark.parametrize("channels", [1, 3])
def test_a_picture_of_the_models_form_passes_unchanged(channels):
    grey = np.random.default_rng(0).integers(0, 256, (28, 28, 1)).astype(np.uint8)
    prepared = prepare(np.repeat(grey, channels, axis=2), FORM)
    assert prepared.unchanged
    np.testing.assert_array_equal(prepared.image, grey)
    assert not any(step.done for step in prepared.steps)


def test_coloured_pictures_of_the_right_size_are_prepared_for_a_grey_model():
    coloured = np.random.default_rng(0).integers(0, 256, (28, 28, 3)).astype(np.uint8)
    assert not prepare(coloured, FORM).unchanged


def test_colour_models_take_their_own_form_and_grey_twins_unchanged():
    own = np.random.default_rng(1).integers(0, 256, (40, 32, 3)).astype(np.uint8)
    np.testing.assert_array_equal(prepare(own, COLOUR).image, own)
    grey = prepare(own[:, :, :1], COLOUR)
    assert grey.unchanged
    np.testing.assert_array_equal(grey.image, np.repeat(own[:, :, :1], 3, axis=2))


def test_full_prepares_even_what_has_the_form():
    dark_on_light = np.full((28, 28, 1), 255, np.uint8)
    dark_on_light[7:21, 7:21] = 0
    assert prepare(dark_on_light, FORM).unchanged
    prepared = prepare(dark_on_light, FORM, mode="full")
    assert not prepared.unchanged
    assert prepared.image.min() == 255, "the square fills the picture and was turned over"


def test_crop_finds_the_garment_to_the_pixel():
    prepared = prepare(garment(255, 30), FORM)
    assert steps(prepared)["crop"].image.shape[:2] == pytest.approx((100, 50), abs=4)


def test_crop_sees_through_a_sloping_background_and_noise():
    rng = np.random.default_rng(2)
    slope = np.linspace(150, 230, 300)[None, :, None] + rng.normal(0, 3, (200, 300, 3))
    picture = np.clip(slope, 0, 255).astype(np.uint8)
    picture[40:140, 120:170] = 40
    assert steps(prepare(picture, FORM))["crop"].image.shape[:2] == pytest.approx((100, 50), abs=6)


def test_a_floor_does_not_widen_the_crop():
    picture = garment(230, 40)
    picture[125:140] = np.where(picture[125:140] == 230, 205, picture[125:140])
    picture[140:] = 205
    assert steps(prepare(picture, FORM))["crop"].image.shape[1] == pytest.approx(50, abs=4)


def test_a_dark_print_does_not_narrow_the_crop():
    picture = garment(255, 215)
    picture[80:100, 140:150] = 0
    assert steps(prepare(picture, FORM))["crop"].image.shape[:2] == pytest.approx((100, 50), abs=4)


def test_crop_leaves_a_picture_without_background():
    busy = np.random.default_rng(3).integers(0, 256, (90, 90, 3)).astype(np.uint8)
    crop = steps(prepare(busy, FORM))["crop"]
    assert not crop.done
    assert crop.image.shape == (90, 90, 3)


@pytest.mark.parametrize(("ground", "thing"), [(255, 30), (0, 220), (200, 90), (60, 240)])
def test_any_polarity_ends_light_on_a_black_ground(ground, thing):
    prepared = prepare(garment(ground, thing), FORM)
    assert np.median(prepared.image[:, :5]) == 0, "padded sides are ground"
    assert prepared.image[10:18, 12:16].mean() > 100


def test_polarity_can_also_mean_dark_on_light():
    prepared = prepare(garment(0, 220), Form(28, 28, 1, background=255))
    assert np.median(prepared.image[:, :5]) == 255
    assert prepared.image[10:18, 12:16].mean() < 150


def test_polarity_keeps_the_levels_of_a_pure_ground():
    black, white = garment(0, 200, channels=1), garment(255, 55, channels=1)
    for picture in (black, white):
        assert set(np.unique(steps(prepare(picture, FORM, off=("crop",)))["polarity"].image)) == {0, 200}


def test_padding_keeps_the_proportions_of_garment_and_model():
    square = steps(prepare(garment(255, 30), FORM))["square"].image
    assert square.shape[0] == square.shape[1]
    tall = steps(prepare(garment(255, 30), Form(40, 32, 1, background=0)))["square"].image
    assert tall.shape[0] / tall.shape[1] == pytest.approx(40 / 32, abs=0.02)
    assert prepare(garment(255, 30), Form(40, 32, 1, background=0)).image.shape == (40, 32, 1)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_upright_undoes_every_camera_orientation(orientation):
    upright = np.zeros((6, 4, 1), np.uint8)
    upright[0, 0], upright[0, 3] = 200, 100  # tells all eight apart
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.swapaxes(0, 1),
        6: np.rot90(upright, 1),
        7: upright[::-1, ::-1].swapaxes(0, 1),
        8: np.rot90(upright, -1),
    }[orientation]
    step = prepare(np.ascontiguousarray(stored), FORM, orientation=orientation).steps[0]
    np.testing.assert_array_equal(step.image, upright)


def test_the_sharpening_kernel_is_imagemagicks():
    from ml.images.preparation import SHARPEN

    assert SHARPEN.sum() == pytest.approx(1)
    # convert -sharpen 1x1: -exp(-r²/2) around, twice the sum of all in the centre, then normalised
    assert SHARPEN[1, 1] == pytest.approx(1.6609, abs=1e-4)
    assert SHARPEN[0, 1] == pytest.approx(-0.1028, abs=1e-4)
    assert SHARPEN[0, 0] == pytest.approx(-0.0624, abs=1e-4)


@pytest.mark.parametrize("name", [kind.name for kind in PREPARATION_STEPS if not kind.fixed])
def test_each_step_can_be_left_out(name):
    picture = leaning(255, 130, 15)
    picture[80:110, 130:160] = (200, 130, 130)
    asked = {"orientation": 6, "turn": 20.0, "box": (0.1, 0.0, 0.9, 0.8)}
    if name == "clear":
        picture, asked = busy(picture), {}
    form = Form(28, 28, 1, background=0, peak=255)
    prepared = prepare(picture, form, off=(name,), **asked)
    assert not steps(prepared)[name].done
    assert steps(prepared)[name].why == "left out"
    assert prepared.image.shape == (28, 28, 1)
    assert not np.array_equal(prepared.image, prepare(picture, form, **asked).image), "it made a difference"


def test_without_grey_the_red_channel_alone_remains():
    picture = np.zeros((28, 28, 3), np.uint8)
    picture[..., 0], picture[..., 1] = 10, 250
    off = [kind.name for kind in PREPARATION_STEPS if not kind.fixed]
    assert set(np.unique(prepare(picture, FORM, mode="full", off=off).image)) == {10}


def test_none_does_what_the_data_set_did_to_its_files():
    prepared = prepare(garment(255, 30), FORM, mode="none")
    assert [step.name for step in prepared.steps if step.done] == ["grey", "resize"]
    assert prepared.image[0].max() == 0, "300 × 200 is laid on black"
    assert prepared.image[8, 0, 0] > 200, "the ground stays light"
    turned = prepare(garment(255, 30), FORM, mode="none", orientation=6)
    assert turned.image[:, 0].max() == 0, "upright it is 200 × 300"


def test_auto_takes_the_steps_that_were_measured_to_help_and_no_other():
    learned = replace(FORM, steps=frozenset())
    picture = garment(255, 30)
    auto, none = prepare(picture, learned), prepare(picture, learned, mode="none")
    np.testing.assert_array_equal(auto.image, none.image)
    assert "not measured to help" in steps(auto)["crop"].why
    assert [step.name for step in auto.steps if step.taken] == ["upright", "hand", "grey", "resize"]
    some = prepare(picture, replace(FORM, steps=frozenset({"crop"})))
    assert [step.name for step in some.steps if step.done] == ["crop", "grey", "resize"]
    np.testing.assert_array_equal(prepare(picture, learned, mode="full").image, prepare(picture, FORM).image)


@pytest.mark.parametrize(
    ("how", "size"), [("pad", (28, 28)), ("pad", (20, 40)), ("crop", (28, 28)), ("stretch", (9, 50))]
)
def test_a_picture_is_fitted_as_pillow_does(how, size):
    height, width = size
    picture = np.random.default_rng(1).integers(0, 256, (61, 140, 3)).astype(np.uint8)
    image = Image.fromarray(picture)
    expected = {
        "pad": lambda: ImageOps.pad(image, (width, height), Image.Resampling.LANCZOS),
        "crop": lambda: ImageOps.fit(image, (width, height), Image.Resampling.LANCZOS),
        "stretch": lambda: image.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=3.0),
    }[how]()
    made, place = fit(picture, height, width, how)
    np.testing.assert_array_equal(made, np.asarray(expected))
    assert place @ [width / 2, height / 2, 1] == pytest.approx([70, 30.5], abs=2), "middle on middle"


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 500, 3), (500, 1, 1), (2, 3, 3), (28, 28, 3), (768, 768, 1)])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("form", [FORM, COLOUR, Form(22, 50, 1, background=255)])
def test_any_size_becomes_the_models(shape, mode, form):
    picture = np.random.default_rng(4).integers(0, 256, shape).astype(np.uint8)
    for image in (picture, np.full_like(picture, 255), np.zeros_like(picture)):
        prepared = prepare(image, form, mode=mode)
        assert prepared.image.shape == (form.height, form.width, form.channels)
        assert prepared.image.dtype == np.uint8
        assert len(prepared.steps) == len(PREPARATION_STEPS)


def test_what_cannot_be_prepared_is_named():
    with pytest.raises(ValueError, match="prepare must be"):
        prepare(garment(255, 0), FORM, mode="some")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="unknown preparation step 'ironing'"):
        prepare(garment(255, 0), FORM, off=("ironing",))
    for wrong in (
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 1)),
        np.zeros((0, 4, 1), np.uint8),
    ):
        with pytest.raises(ValueError, match="a picture must be uint8"):
            prepare(wrong, FORM)


def test_the_form_is_read_from_pictures():
    dark = np.zeros((20, 28, 28, 1), np.uint8)
    dark[:, 4:24, 4:24] = 200
    assert Form.of(dark) == Form(28, 28, 1, background=0)
    assert Form.of(255 - dark).background == 255
    noise = np.random.default_rng(5).integers(0, 256, (20, 40, 32, 3)).astype(np.uint8)
    assert Form.of(noise) == Form(40, 32, 3, background=None)


def test_the_peak_is_the_level_that_nearly_all_pictures_reach():
    pictures = np.zeros((20, 28, 28, 1), np.uint8)
    pictures[:, 4:24, 4:24] = 100
    pictures[:, 10, 10] = 250
    assert Form.of(pictures).peak == 250
    assert Form.of(255 - pictures).peak == 5
    pictures[:10, 10, 10] = 100
    assert Form.of(pictures).peak is None, "half of them end far below"


@pytest.mark.parametrize("degrees", [-35, -20, -9, 9, 20, 35])
@pytest.mark.parametrize(("ground", "thing"), [(255, 30), (40, 220)])
def test_a_leaning_thing_is_straightened(degrees, ground, thing):
    prepared = prepare(leaning(ground, thing, degrees), FORM)
    step = steps(prepared)["straighten"]
    assert step.done
    assert float(step.why.removeprefix("turned by ").removesuffix("°")) == pytest.approx(-degrees, abs=2)
    assert steps(prepared)["crop"].image.shape[:2] == pytest.approx((100, 50), abs=6)
    assert np.abs(step.image[0].astype(int) - ground).max() <= 4, "what came in is ground"


def test_what_stands_straight_is_not_turned():
    assert steps(prepare(garment(255, 30), FORM))["straighten"].why == "already straight"


def test_turned_pictures_keep_their_slope():
    slope = np.broadcast_to(np.linspace(150, 220, 300), (200, 300))[..., None].repeat(3, axis=2)
    picture = np.where(leaning(255, 0, 15) < 128, 20, slope).astype(np.uint8)
    turned = steps(prepare(picture, FORM))["straighten"]
    assert turned.done
    middle = turned.image.shape[0] // 2
    assert turned.image[middle, 2:20, 0].mean() == pytest.approx(151, abs=8)
    assert turned.image[middle, -20:-2, 0].mean() == pytest.approx(219, abs=8)


def test_a_busy_background_is_cleared():
    picture = busy(garment(255, 30))
    step = steps(prepare(picture, FORM))["clear"]
    assert step.done
    truth = np.zeros(picture.shape[:2], bool)
    truth[40:140, 120:170] = True
    found = (step.image != 255).any(axis=2)
    assert (found & truth).sum() / (found | truth).sum() > 0.8
    assert np.median(prepare(picture, FORM).image[:, :5]) == 0
    light = steps(prepare(busy(np.where(garment(255, 30) == 30, 250, 255).astype(np.uint8)), FORM))["clear"]
    assert (light.image == 0).all(axis=2).mean() > 0.8, "a light thing is laid on black"


def patterned(things: np.ndarray, *, light: float = 1.0) -> np.ndarray:
    """uint8 [h, w, 3]: greenish cloth on a grey floor of two kinds of tiles which is as light as the cloth, in a grey
    picture hardly to be seen. things: bool [h, w]."""
    rng = np.random.default_rng(6)
    rows, columns = np.indices(things.shape)
    tiles = np.where((rows // 50 + columns // 50) % 2, 150, 128)[..., None] + np.array([4, 0, -4])
    cloth = np.array([92, 160, 128])
    picture = np.where(things[..., None], cloth, tiles) + rng.normal(0, 4, (*things.shape, 3))
    return np.clip(picture * light, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("light", [1.0, 0.5])
def test_what_differs_in_colour_alone_is_found_on_tiles(light):
    things = np.zeros((200, 300), bool)
    things[40:140, 120:170] = True
    step = steps(prepare(patterned(things, light=light), FORM))["clear"]
    assert step.done
    found = (step.image != np.median(step.image[:5])).any(axis=2)
    assert (found & things).sum() / (found | things).sum() > 0.85


def test_what_lies_off_the_middle_over_the_edge_is_found_and_a_speck_is_not():
    things = np.zeros((300, 240), bool)
    things[90:300, 60:150] = True
    specks = things.copy()
    specks[20:32, 200:212] = True
    step = steps(prepare(patterned(specks), FORM))["clear"]
    found = (step.image != np.median(step.image[:5])).any(axis=2)
    assert (found & things).sum() / (found | things).sum() > 0.85
    assert not found[15:40, 190:220].any()


def test_a_drawing_or_a_shops_picture_is_cut_to_the_pixel_as_ever():
    assert steps(prepare(garment(255, 30), FORM))["clear"].why == "plain enough"
    assert steps(prepare(garment(230, 250), FORM))["clear"].why == "plain enough"


def test_a_leg_that_leans_does_not_turn_trousers():
    shape = Image.new("L", (300, 400), 255)
    ImageDraw.Draw(shape).polygon(
        [(90, 60), (210, 60), (290, 330), (236, 345), (150, 130), (64, 345), (10, 330)], fill=30
    )
    prepared = prepare(np.asarray(shape)[..., None], FORM)
    assert steps(prepared)["straighten"].why == "already straight"


def test_clearing_answers_the_same_twice():
    picture = busy(garment(255, 30))
    np.testing.assert_array_equal(prepare(picture, FORM).image, prepare(picture, FORM).image)


def test_contrast_reaches_the_peak_of_training():
    form = Form(28, 28, 1, background=0, peak=255)
    faint = garment(0, 100, channels=1)
    faint[40:140, 120:145] = 60
    prepared = prepare(faint, form)
    assert prepared.image.max() == 255
    assert steps(prepared)["contrast"].done
    assert not steps(prepare(faint, FORM))["contrast"].done, "of other pictures no peak is known"
    assert not steps(prepare(garment(0, 20, channels=1), form))["contrast"].done, "too faint"
    other = Form(28, 28, 1, background=255, peak=0)
    assert prepare(255 - faint, other).image.min() == 0


def test_by_hand_turns_right_angles_exactly_and_cuts_in_shares():
    picture = np.arange(24, dtype=np.uint8).reshape(4, 6, 1) * 10
    turned = steps(prepare(picture, COLOUR, turn=90))["hand"].image
    np.testing.assert_array_equal(turned, np.rot90(picture))
    cut = steps(prepare(picture, COLOUR, box=(0.5, 0.0, 1.0, 0.5)))["hand"].image
    np.testing.assert_array_equal(cut, picture[:2, 3:])
    both = steps(prepare(picture, COLOUR, turn=180, box=(0.0, 0.0, 0.5, 0.5)))["hand"].image
    np.testing.assert_array_equal(both, np.rot90(picture, 2)[:2, :3])


def test_what_is_asked_by_hand_is_done_in_every_mode():
    own = np.random.default_rng(6).integers(0, 256, (28, 28, 1)).astype(np.uint8)
    for mode in MODES:
        prepared = prepare(own, FORM, mode=mode, turn=180)
        assert not prepared.unchanged
        assert steps(prepared)["hand"].done
    np.testing.assert_array_equal(prepare(own, FORM, mode="none", turn=180).image, own[::-1, ::-1])
    assert prepare(own, FORM, turn=360).unchanged


@pytest.mark.parametrize(
    "wrong", [(0, 0, 0, 1), (0.5, 0, 0.2, 1), (-0.1, 0, 1, 1), (0, 0, 1, 1.5), (0, 0, 1), (0, 0, float("nan"), 1)]
)
def test_a_box_lies_within_the_picture(wrong):
    with pytest.raises(ValueError, match="a box is"):
        prepare(garment(255, 30), FORM, box=wrong)


@pytest.mark.parametrize("turn", [float("nan"), float("inf"), 1e9])
def test_a_turn_is_an_angle(turn):
    with pytest.raises(ValueError, match="turn"):
        prepare(garment(255, 30), FORM, turn=turn)


def test_ways_that_nobody_knows_are_refused():
    with pytest.raises(ValueError, match="unknown way 'backwards'"):
        prepare(garment(255, 30), FORM, ways=("backwards",))


def test_skipping_takes_pixels_as_they_are():
    picture = np.random.default_rng(7).integers(0, 256, (40, 40, 1)).astype(np.uint8)
    form = Form(20, 20, 1)
    np.testing.assert_array_equal(prepare(picture, form, ways=("skip",)).image, picture[1::2, 1::2])


def test_a_loose_cut_leaves_room():
    close, loose = (steps(prepare(garment(255, 30), FORM, ways=ways))["crop"].image for ways in ((), ("loose",)))
    assert loose.shape[0] - close.shape[0] == pytest.approx(12, abs=2)
    assert loose.shape[1] - close.shape[1] == pytest.approx(12, abs=2)


def test_reversed_tones_stay_within_the_thing():
    picture = garment(0, 100, channels=1)
    picture[40:90, 120:170] = 200
    plain, other = (steps(prepare(picture, FORM, ways=ways))["polarity"].image for ways in ((), ("reversed",)))
    assert set(np.unique(plain)) == set(np.unique(other)) == {0, 100, 200}
    np.testing.assert_array_equal(plain == 200, other == 100)


@pytest.mark.parametrize("degrees", [0, 14, -20])
def test_the_place_leads_back_to_the_picture(degrees):
    """A garment with one bright corner: where the corner is in what the network sees, is where it was."""
    picture = garment(255, 90, height=240, width=260)
    picture[40:60, 120:140] = 0
    turned = np.array(Image.fromarray(picture).rotate(degrees, Image.Resampling.BICUBIC, fillcolor=(255, 255, 255)))
    prepared = prepare(turned, FORM)
    assert steps(prepared)["straighten"].done == (degrees != 0)
    rows, columns = np.nonzero(prepared.image[:, :, 0] > 235)  # light on dark by now
    x, y = prepared.place @ [columns.mean() + 0.5, rows.mean() + 0.5, 1]
    angle, dx, dy = np.deg2rad(degrees), 130 - 130, 50 - 120  # of the corner from the middle, before the turn
    was = 130 + dx * np.cos(angle) + dy * np.sin(angle), 120 - dx * np.sin(angle) + dy * np.cos(angle)
    assert (x, y) == pytest.approx(was, abs=4)  # a pixel of the network is 3.6 of the picture


def test_what_is_turned_and_cut_by_hand_has_its_place():
    picture = np.random.default_rng(2).integers(0, 256, (40, 60, 1)).astype(np.uint8)
    place = prepare(picture, Form(28, 28, 1, fitting="stretch"), mode="none", turn=90, box=(0.5, 0.25, 1.0, 0.5)).place
    # turned left, it is 40 wide and 60 high; the cut begins at (20, 15), which was at (60 - 15, 20)
    assert place @ [0, 0, 1] == pytest.approx([45, 20])
    assert place @ [28, 28, 1] == pytest.approx([30, 40])
    assert prepare(picture, Form(40, 60, 1)).place == pytest.approx(np.eye(2, 3))


def test_the_quick_way_finds_the_same_thing():
    prepared = prepare(busy(garment(255, 20)), FORM, ways=("quick",))
    assert steps(prepared)["clear"].done
    corners = prepared.place @ [[0, 28], [0, 28], [1, 1]]  # of the square around it: 100 pixels from (95, 40)
    assert corners == pytest.approx(np.array([[95, 195], [40, 140]]), abs=8)  # a pixel of the coarse copy is 3.75
