"""Turns any picture into one of a training set's form, in steps a person can watch and switch off.

The steps are those by which Fashion-MNIST was made from shop photographs (Xiao, Rasul, Vollgraf 2017, figure 1: trim,
resize, sharpen, extend, negate, grey), read from the training pictures themselves where they differ: size, channels and
the level of their plain background. Pillow and numpy only, never torch.

A new step is one function `(Work) -> (Work, note)` and one line in PREPARATION_STEPS.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from PIL import ImageFilter

from ml.images.background import cut_out, enlarged, find_background
from ml.images.fitting import WORDS, fit, known
from ml.images.form import Box, Form, Prepared, Step, Work, frame_pixels, pil, to_channels
from ml.images.geometry import TURNS, leaning_angle, placed, rotated, uprighted
from ml.images.pairs import one_of_a_pair
from ml.images.prints import of_print

Mode = Literal["auto", "none", "full"]
MODES: tuple[Mode, ...] = ("auto", "none", "full")
WAYS = {
    "loose": "cut with a margin",
    "reversed": "the thing's light and dark exchanged",
    "skip": "scaled by skipping rows and columns, as the authors did",
    "pair": "one of two alike long things, its upper half lying, as a shoe from above looks from the side",
    "quick": "the thing looked for in a coarser copy, in a fifth of the time",
}

LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R 601, as Pillow's "L"
CUT_OUT, CUT_OUT_QUICK = 128, 80  # pixels of the copy in which GrabCut looks for the thing
# ImageMagick's -sharpen 1x1, which the authors name: twice the picture minus a Gaussian of deviation 1, in 3 × 3
_GAUSS = np.exp(-0.5 * np.add.outer(np.arange(-1, 2) ** 2, np.arange(-1, 2) ** 2))
SHARPEN = -_GAUSS
SHARPEN[1, 1] = 2 * _GAUSS.sum()
SHARPEN /= SHARPEN.sum()


def upright(work: Work) -> tuple[Work, str]:
    """Turn the picture as its camera says."""
    if work.orientation not in TURNS:
        return work, "already upright"
    turned = uprighted(work.image, work.orientation)
    return replace(work, image=turned, orientation=1), "as the camera says"


def by_hand(work: Work) -> tuple[Work, str]:
    """Turn the picture and cut a box out of it, as a person asked."""
    done = []
    if work.turn % 360:
        work = rotated(work, work.turn)
        done.append(f"turned by {work.turn:g}°")
    if work.box is not None:
        height, width = work.image.shape[:2]
        left, top, right, bottom = work.box
        x, y = min(int(left * width), width - 1), min(int(top * height), height - 1)
        cut = slice(y, max(y + 1, round(bottom * height))), slice(x, max(x + 1, round(right * width)))
        work = replace(work, image=work.image[cut], place=placed(work, x=x, y=y))
        done.append("cut")
    if not done:
        return work, "nothing asked for"
    return work, " and ".join(done)


def clear(work: Work) -> tuple[Work, str]:
    """Cut the thing in the middle out of its background, by GrabCut (Rother, Kolmogorov, Blake 2004).

    It is laid on white where it is dark and on black where it is light. A drawing's or a shop's even ground needs none.
    """
    if work.form.background is None:
        return work, "training pictures fill their frame"
    if not work.lies and (printed := of_print(work)) is not None:
        return printed, "a print or a screen: what it lies on is left out"
    if work.flat:
        return work, "plain enough"
    thing = cut_out(work.image, CUT_OUT_QUICK if "quick" in work.ways else CUT_OUT)
    if thing is None:
        return work, "nothing stands out" if work.ground is None else "plain enough"
    level = 255.0 if work.image[thing].mean() < 128 else 0.0
    image = np.where(thing[:, :, None], work.image, np.uint8(level))
    share = f"{thing.mean():.0%}".replace("%", " %")
    return replace(
        work, image=image, ground=np.full(image.shape, level, np.float32), thing=thing
    ), f"{share} is the thing"


def straighten(work: Work) -> tuple[Work, str]:
    """Turn a leaning thing so that its edges run along the picture's, or lay one of a pair where that is asked."""
    if work.form.background is None:
        return work, "training pictures fill their frame"
    if work.ground is None or work.thing is None:
        return work, "no plain background found"
    if work.lies:
        return work, "lies as training pictures do"
    if work.straight:
        return work, "as straight as its sheet"
    if "pair" in work.ways and (one := one_of_a_pair(work)) is not None:
        return one, "one of a pair, half of it lying"
    lean = leaning_angle(work.thing)
    if not lean:
        return work, "already straight"
    return rotated(work, lean), f"turned by {lean:g}°"


def crop(work: Work) -> tuple[Work, str]:
    """Cut to the smallest box around what differs from the background."""
    if work.form.background is None:
        return work, "training pictures fill their frame"
    if work.ground is None or work.thing is None:
        return work, "no plain background found"
    if work.lies:
        return work, "lies as training pictures do"
    rows = np.flatnonzero(work.thing.any(axis=1))
    columns = np.flatnonzero(work.thing.any(axis=0))
    loose = round(0.06 * max(np.ptp(rows), np.ptp(columns))) if "loose" in work.ways else 0
    box = (
        slice(max(0, rows[0] - loose), rows[-1] + 1 + loose),
        slice(max(0, columns[0] - loose), columns[-1] + 1 + loose),
    )
    place = placed(work, x=box[1].start, y=box[0].start)
    cut = replace(work, image=work.image[box], ground=work.ground[box], thing=work.thing[box], place=place)
    share = cut.thing.size / work.thing.size  # type: ignore[union-attr]
    return cut, "nothing to cut" if share > 0.98 else f"closest box, {share:.0%} of the picture".replace("%", " %")


def grey(work: Work) -> tuple[Work, str]:
    """One channel by perceived brightness."""
    if work.form.channels != 1:
        return work, f"the model reads {work.form.channels} channels"
    if work.image.shape[2] == 1:
        return work, "already one channel"
    image = np.asarray(pil(work.image).convert("L"))[:, :, None]
    ground = None if work.ground is None else (work.ground @ LUMA)[:, :, None]
    return replace(work, image=image, ground=ground), "one channel"


def square(work: Work) -> tuple[Work, str]:
    """Extend the shorter side with background to the proportions of the training pictures."""
    height, width = work.image.shape[:2]
    ratio = work.form.width / work.form.height
    shape = f"{work.form.width} : {work.form.height}" if work.form.width != work.form.height else "square"
    tall, wide = max(height, round(width / ratio)), max(width, round(height * ratio))
    if (tall, wide) == (height, width):
        return work, f"already {shape}"
    top, left = (tall - height) // 2, (wide - width) // 2
    around = ((top, tall - height - top), (left, wide - width - left), (0, 0))
    place = placed(work, x=-left, y=-top)
    if work.ground is None:
        level = np.median(frame_pixels(work.image), axis=0)
        image = np.stack(
            [np.pad(work.image[..., c], around[:2], constant_values=level[c]) for c in range(len(level))], axis=-1
        )
        return replace(work, image=image, place=place), f"made {shape}"
    ground = np.pad(work.ground, around, mode="edge")
    image = np.clip(np.rint(ground), 0, 255).astype(np.uint8)
    image[top : top + height, left : left + width] = work.image
    thing = None if work.thing is None else np.pad(work.thing, around[:2])
    return replace(work, image=image, ground=ground, thing=thing, place=place), f"made {shape}"


def polarity(work: Work) -> tuple[Work, str]:
    """Turn a negative over, so that thing and background are as light or dark as in training, and even the ground.

    Decided from what differs from the background, or from the centre against the border where no ground was found.
    """
    goal = work.form.background
    if goal is None:
        return work, "training pictures have no plain background"
    if work.image.shape[2] != 1:
        return work, "colours stay as they are"
    image: np.ndarray = work.image.astype(np.float32)
    if work.ground is not None and work.thing is not None and work.thing.any():
        around, inside = work.ground.mean(), image[work.thing].mean()
    else:
        height, width = image.shape[:2]
        around = np.median(frame_pixels(image))
        inside = image[height // 4 : height - height // 4, width // 4 : width - width // 4].mean()
    light = goal < 128  # training pictures show light things on a dark ground
    turn = (inside < around) == light
    names = "light on dark" if light else "dark on light"
    if turn:
        image = 255 - image
    ground = work.ground
    if ground is not None:
        # the ground goes to the training level, the far end stays where it is
        ground = 255 - ground if turn else ground
        end = 255.0 if light else 0.0
        room = np.where(np.abs(end - ground) < 32, np.copysign(32, end - ground), end - ground)
        image = goal + (image - ground) * (end - goal) / room
        ground = np.full_like(ground, goal)
    if "reversed" in work.ways:
        # a white thing on a dark floor may be meant as it is, or as the negative that training pictures are
        tones = np.abs(image[..., 0] - goal) > 12  # the thing without its rim
        if work.thing is not None:
            tones &= work.thing
        if tones.any():
            low, high = np.percentile(image[tones], [1, 99])
            image[tones] = low + high - np.clip(image[tones], low, high)
    if work.thing is not None:
        image[~work.thing] = goal  # faint shadows and noise
    even = replace(work, image=np.clip(np.rint(image), 0, 255).astype(np.uint8), ground=ground)
    return even, f"turned over: {names}" if turn else f"already {names}"


def resize(work: Work) -> tuple[Work, str]:
    """Scale to the size of the training pictures as their data set was made; a photograph that shrank by half or more
    is sharpened as the authors of Fashion-MNIST did."""
    height, width = work.image.shape[:2]
    size = (work.form.width, work.form.height)
    if (width, height) == size:
        return work, f"already {size[0]} × {size[1]}"
    if "skip" in work.ways and work.fitting == "stretch":
        rows = ((np.arange(size[1]) + 0.5) * height / size[1]).astype(int)
        columns = ((np.arange(size[0]) + 0.5) * width / size[0]).astype(int)
        image, place = work.image[rows][:, columns], np.diag([width / size[0], height / size[1], 1.0])[:2]
    else:
        image, place = fit(work.image, size[1], size[0], work.fitting, work.form.resampling, work.form.laid_on)
    if work.sharpen and min(width / size[0], height / size[1]) >= 2:
        sharp = pil(image).filter(ImageFilter.Kernel((3, 3), SHARPEN.ravel().tolist(), scale=1))
        image = np.asarray(sharp).reshape(image.shape)
    kept = width * size[1] == height * size[0]
    words = f"{size[0]} × {size[1]}, " + ("as the model sees it" if kept else WORDS[work.fitting])
    return replace(
        work, image=image, ground=None, thing=None, place=work.place @ np.vstack([place, [0.0, 0.0, 1.0]])
    ), words


def contrast(work: Work) -> tuple[Work, str]:
    """Stretch the levels until the farthest from the background is as far as in training."""
    goal, peak = work.form.background, work.form.peak
    if goal is None or peak is None:
        return work, "training pictures keep their own"
    if work.image.shape[2] != 1:
        return work, "colours stay as they are"
    apart = (work.image.astype(np.float32) - goal) * np.sign(peak - goal)
    most, wanted = float(apart.max()), abs(peak - goal)
    if most >= wanted - 4:
        return work, "already full"
    if most < wanted / 8:
        return work, "too faint to tell"
    image = goal + np.sign(peak - goal) * apart * (wanted / most)
    return replace(work, image=np.clip(np.rint(image), 0, 255).astype(np.uint8)), f"× {wanted / most:.2g}"


@dataclass(frozen=True)
class Kind:
    """A step of the pipeline. fixed: it cannot be switched off; photograph: it is for photographs, and no data set was
    made by it."""

    name: str
    title: str
    run: Callable[[Work], tuple[Work, str]]
    fixed: bool = False
    photograph: bool = False


PREPARATION_STEPS = (
    Kind("upright", "Upright", upright),
    Kind("hand", "By hand", by_hand),
    Kind("clear", "Background", clear, photograph=True),
    Kind("straighten", "Straight", straighten, photograph=True),
    Kind("crop", "Crop", crop, photograph=True),
    Kind("grey", "Grey", grey),
    Kind("square", "Padding", square, photograph=True),
    Kind("polarity", "Polarity", polarity, photograph=True),
    Kind("resize", "Size", resize, fixed=True),
    Kind("contrast", "Contrast", contrast, photograph=True),
)


PHOTOGRAPH_STEPS = tuple(kind.name for kind in PREPARATION_STEPS if kind.photograph)


def taken(form: Form, mode: Mode) -> frozenset[str]:
    """Names of the steps for photographs that a picture of another form goes through."""
    if mode == "none":
        return frozenset()
    return frozenset(PHOTOGRAPH_STEPS) if mode == "full" or form.steps is None else form.steps


def prepare(
    image: np.ndarray,
    form: Form,
    *,
    orientation: int = 1,
    mode: Mode = "auto",
    off: Collection[str] = (),
    turn: float = 0.0,
    box: Box | None = None,
    ways: Collection[str] = (),
) -> Prepared:
    """Bring a picture into a network's form.

    image: uint8 [h, w, 1 or 3]; orientation: EXIF 1 to 8. Every mode turns a picture upright, takes its channels and
    fits it as the pictures were that the network learned from. `none` does no more; `auto` lets a picture that already
    has the form pass unchanged and also takes the form's steps for photographs on others; `full` takes every step on
    any. off: names of steps to leave out; resizing always runs, without `square` it stretches, and without `grey` a
    one-channel network gets the red channel alone.
    turn: degrees counter-clockwise, after the camera's own; box: what is then kept, left, top, right and bottom as
    shares of the turned picture. Both are done in every mode. ways: names of WAYS, other choices within the steps.
    Raises ValueError for an unknown mode, step or way, a turn or box out of range, or a picture of another kind.
    """
    if mode not in MODES:
        raise ValueError(f"prepare must be {', '.join(MODES)}, not {mode!r}")
    if unknown := sorted(set(off) - {kind.name for kind in PREPARATION_STEPS}):
        raise ValueError(f"unknown preparation step {unknown[0]!r}")
    if unknown := sorted(set(ways) - set(WAYS)):
        raise ValueError(f"unknown way {unknown[0]!r}")
    if not abs(turn) <= 360:
        raise ValueError("turn must be degrees from -360 to 360")
    if box is not None and not (len(box) == 4 and 0 <= box[0] < box[2] <= 1 and 0 <= box[1] < box[3] <= 1):
        raise ValueError("a box is left, top, right and bottom, from 0 to 1")
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] not in (1, 3) or not image.size:
        raise ValueError(f"a picture must be uint8 [h, w, 1 or 3], got {image.dtype} {image.shape}")
    by_hand = bool(turn % 360) or box is not None
    unchanged = mode == "auto" and orientation == 1 and not by_hand and form.fits(image)
    steps_taken = taken(form, mode)
    # a picture that was brought to the form's proportions fills it
    fitting = "stretch" if "square" in steps_taken or "square" in off else known(form.fitting)
    work = Work(
        image, form, orientation, turn, box, frozenset(ways), fitting=fitting,
        sharpen=bool(steps_taken) and form.background is not None,
    )  # fmt: skip
    steps = []
    for kind in PREPARATION_STEPS:
        if kind.name == "clear" and steps_taken and not unchanged:
            work = enlarged(work) or find_background(work)
        if kind.name == "grey" and kind.name in off and work.image.shape[2] > form.channels:
            ground = None if work.ground is None else work.ground[:, :, :1]
            work = replace(work, image=work.image[:, :, :1], ground=ground)
        if unchanged and not kind.fixed:
            done, why = False, "passed as it is"
        elif not kind.fixed and kind.name in off:
            done, why = False, "left out"
        elif kind.photograph and kind.name not in steps_taken:
            done, why = False, "left out" if mode == "none" else "not taken: it was not measured to help"
        else:
            if kind.fixed:
                work = replace(work, image=to_channels(work.image, form.channels))
            before = work
            work, why = kind.run(work)
            done = work is not before
        offered = not kind.photograph or kind.name in steps_taken
        steps.append(Step(kind.name, kind.title, why, work.image, done, offered))
    return Prepared(work.image, tuple(steps), unchanged, work.place)
