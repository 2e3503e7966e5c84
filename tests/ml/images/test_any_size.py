"""Pictures of any size up to 400 × 400, by every way that makes one size of another."""

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ml.images.edits import MAX_EDITED_SIDE, Change, apply
from ml.images.fitting import FITTINGS, fit
from ml.images.form import Form
from ml.images.framing import FRAMES, LEAST_SHARE, framed
from ml.images.preparation import MODES, WAYS, prepare

SIDES = st.integers(1, 400)
LEVELS = np.random.default_rng(0).integers(0, 256, (400, 400, 3)).astype(np.uint8)


@given(SIDES, SIDES, SIDES, SIDES, st.sampled_from(FITTINGS))
@example(151, 125, 170, 195, "crop")  # rounding gave a box that began before the picture
@example(1, 400, 400, 1, "crop")
@settings(max_examples=300, deadline=None)
def test_any_size_is_fitted_to_any(high, wide, height, width, how):
    made, place = fit(LEVELS[:high, :wide], height, width, how, "nearest")
    assert made.shape == (height, width, 3)
    x, y = place @ [width / 2, height / 2, 1]
    scale = max(np.abs(place[:, :2]).sum(axis=1))
    assert abs(x - wide / 2) <= scale
    assert abs(y - high / 2) <= scale, "middle on middle"


@given(SIDES, SIDES, SIDES, SIDES, st.sampled_from(FRAMES), st.floats(LEAST_SHARE, 1))
@settings(max_examples=200, deadline=None)
def test_any_size_is_framed_to_any(high, wide, height, width, frame, share):
    made = framed(LEVELS[None, :high, :wide], height, width, frame, share, "nearest")
    assert made.shape == (1, height, width, 3)


@given(
    SIDES, SIDES, st.sampled_from((1, 3)), st.sampled_from(FITTINGS), st.sampled_from(MODES),
    st.sets(st.sampled_from(tuple(WAYS))), st.integers(1, 8), st.floats(-360, 360),
    st.tuples(*[st.floats(0, 0.5)] * 2, *[st.floats(0.51, 1)] * 2) | st.none(), st.sampled_from((0, 200, None)),
)  # fmt: skip
@settings(max_examples=100, deadline=None)
def test_any_picture_is_prepared_however(high, wide, channels, fitting, mode, ways, orientation, turn, box, background):
    form = Form(28, 24, 1, background=background, fitting=fitting)
    picture = LEVELS[:high, :wide, :channels].copy()
    picture[: max(1, high // 3)] = 200  # a part that is plain
    made = prepare(picture, form, mode=mode, ways=ways, orientation=orientation, turn=turn, box=box)
    assert made.image.shape == (28, 24, 1)
    assert np.isfinite(made.place).all()


@given(
    st.integers(1, MAX_EDITED_SIDE), st.integers(1, MAX_EDITED_SIDE), st.floats(-180, 180), st.floats(0.5, 2),
    st.integers(-128, 128), st.floats(0, 5),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_any_size_is_changed_by_hand(high, wide, degrees, times, right, deviation):
    changes = [Change("rot", (degrees,)), Change("zoom", (times,)), Change("shift", (right, -right))]
    made = apply(LEVELS[:high, :wide], [*changes, Change("blur", (deviation,)), Change("contrast", (1.5,))])
    assert made.shape == (high, wide, 3)
