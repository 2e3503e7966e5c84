"""Turns any picture into one of a training set's form, in steps a person can watch and switch off.

The steps are those by which Fashion-MNIST was made from shop photographs (Xiao, Rasul, Vollgraf 2017, figure 1: trim,
resize, sharpen, extend, negate, grey), read from the training pictures themselves where they differ: size, channels and
the level of their plain background. Pillow and numpy only, never torch.

A new step is one function `(Work) -> (Work, note)` and one line in STEPS.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from PIL import Image, ImageFilter

Box = tuple[float, float, float, float]
Mode = Literal["auto", "none", "full"]
MODES: tuple[Mode, ...] = ("auto", "none", "full")
WAYS = {
    "loose": "cut with a margin",
    "reversed": "the thing's light and dark exchanged",
    "skip": "scaled by skipping rows and columns, as the authors did",
    "quick": "the thing looked for in a coarser copy, in a fifth of the time",
}
MIDDLE, COARSE = 160, 80  # pixels of the copy in which GrabCut looks for the thing

# one EXIF orientation each: what undoes it
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
LEAN = 40  # degrees up to which a leaning thing is straightened
LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R 601, as Pillow's "L"
# ImageMagick's -sharpen 1x1, which the authors name: twice the picture minus a Gaussian of deviation 1, in 3 × 3
_GAUSS = np.exp(-0.5 * np.add.outer(np.arange(-1, 2) ** 2, np.arange(-1, 2) ** 2))
_SHARPEN = -_GAUSS
_SHARPEN[1, 1] = 2 * _GAUSS.sum()
_SHARPEN /= _SHARPEN.sum()


@dataclass(frozen=True)
class Form:
    """What a network's pictures look like. background: the grey level their border has, None where it is not plain;
    peak: the level farthest from it that nearly every picture reaches, None where they differ in that."""

    height: int
    width: int
    channels: int
    background: int | None = None
    peak: int | None = field(default=None, compare=False)

    @classmethod
    def of(cls, images: np.ndarray) -> "Form":
        """Read from training pictures, uint8 [n, h, w, c]; plain means half of all border pixels within 16 levels."""
        _, height, width, channels = images.shape
        border = np.concatenate(
            [images[:, 0], images[:, -1], images[:, :, 0], images[:, :, -1]], axis=1
        )  # [n, 2 (h + w), c]
        level = float(np.median(border))
        plain = (np.abs(border.astype(np.int16) - level) <= 16).mean() >= 0.5
        if not plain:
            return cls(height, width, channels)
        flat = images.reshape(len(images), -1)
        ends = (flat.max(axis=1) if level < 128 else flat.min(axis=1)).astype(np.int16)
        peak = float(np.median(ends))
        even = (np.abs(ends - peak) <= 16).mean() >= 0.9
        return cls(height, width, channels, round(level), round(peak) if even else None)

    def fits(self, image: np.ndarray) -> bool:
        """Whether a picture, uint8 [h, w, c], can be read as it is: right size, and right channels or equal ones."""
        if image.shape[:2] != (self.height, self.width):
            return False
        return image.shape[2] in (1, self.channels) or bool((image == image[:, :, :1]).all())


@dataclass(frozen=True)
class Step:
    """One step as it came out. image: uint8 [h, w, c] after it; done: whether it ran; why: one line on what it did."""

    name: str
    title: str
    why: str
    image: np.ndarray
    done: bool


@dataclass(frozen=True)
class Prepared:
    """image: uint8 [h, w, c] of the form; unchanged: the picture had the form already and passed as it was.

    place: float [2, 3], from a point (x, y, 1) of the image to the point (x, y) of the upright picture that it shows;
    both in pixels from the upper left corner.
    """

    image: np.ndarray
    steps: tuple[Step, ...]
    unchanged: bool
    place: np.ndarray


@dataclass(frozen=True)
class Work:
    """A picture on its way. image: uint8 [h, w, c]; ground: float32 [h, w, c], what its background would be everywhere,
    None where none is plain; thing: bool [h, w], where it differs from the ground; turn, box, ways: see prepare;
    place: see Prepared."""

    image: np.ndarray
    form: Form
    orientation: int = 1
    turn: float = 0.0
    box: Box | None = None
    ways: frozenset[str] = frozenset()
    ground: np.ndarray | None = None
    thing: np.ndarray | None = None
    place: np.ndarray = field(default_factory=lambda: np.eye(2, 3))


def upright(work: Work) -> tuple[Work, str]:
    """Turn the picture as its camera says."""
    turn = TURNS.get(work.orientation)
    if turn is None:
        return work, "already upright"
    turned = np.asarray(_pil(work.image).transpose(turn)).reshape(*_turned(work.image.shape, work.orientation))
    return _grounded(replace(work, image=turned, orientation=1)), "as the camera says"


def by_hand(work: Work) -> tuple[Work, str]:
    """Turn the picture and cut a box out of it, as a person asked."""
    said = []
    if work.turn % 360:
        work = _turn(replace(work, ground=None, thing=None), work.turn)
        said.append(f"turned by {work.turn:g}°")
    if work.box is not None:
        height, width = work.image.shape[:2]
        left, top, right, bottom = work.box
        x, y = min(int(left * width), width - 1), min(int(top * height), height - 1)
        cut = slice(y, max(y + 1, round(bottom * height))), slice(x, max(x + 1, round(right * width)))
        work = replace(work, image=work.image[cut], place=_placed(work, x=x, y=y))
        said.append("cut")
    return (
        (_grounded(replace(work, ground=None, thing=None)), " and ".join(said)) if said else (work, "nothing asked for")
    )


def clear(work: Work) -> tuple[Work, str]:
    """Cut the thing in the middle out of a busy background, by GrabCut (Rother, Kolmogorov, Blake 2004).

    It is laid on white where it is dark and on black where it is light.
    """
    if work.form.background is None:
        return work, "training pictures fill their frame"
    if work.ground is not None:
        return work, "plain enough"
    thing = _middle(work.image, COARSE if "quick" in work.ways else MIDDLE)
    if thing is None:
        return work, "nothing stands out"
    level = 255.0 if work.image[thing].mean() < 128 else 0.0
    image = np.where(thing[:, :, None], work.image, np.uint8(level))
    share = f"{thing.mean():.0%}".replace("%", " %")
    return replace(
        work, image=image, ground=np.full(image.shape, level, np.float32), thing=thing
    ), f"{share} is the thing"


def straighten(work: Work) -> tuple[Work, str]:
    """Turn a leaning thing so that its edges run along those of the picture."""
    if work.form.background is None:
        return work, "training pictures fill their frame"
    if work.ground is None or work.thing is None:
        return work, "no plain background found"
    lean = _lean(work.thing)
    if not lean:
        return work, "already straight"
    return _turn(work, lean), f"turned by {lean:g}°"


def crop(work: Work) -> tuple[Work, str]:
    """Cut to the smallest box around what differs from the background."""
    if work.form.background is None:
        return work, "training pictures fill their frame"
    if work.ground is None or work.thing is None:
        return work, "no plain background found"
    rows = np.flatnonzero(work.thing.any(axis=1))
    columns = np.flatnonzero(work.thing.any(axis=0))
    loose = round(0.06 * max(np.ptp(rows), np.ptp(columns))) if "loose" in work.ways else 0
    box = (
        slice(max(0, rows[0] - loose), rows[-1] + 1 + loose),
        slice(max(0, columns[0] - loose), columns[-1] + 1 + loose),
    )
    place = _placed(work, x=box[1].start, y=box[0].start)
    cut = replace(work, image=work.image[box], ground=work.ground[box], thing=work.thing[box], place=place)
    share = cut.thing.size / work.thing.size  # type: ignore[union-attr]
    return cut, "nothing to cut" if share > 0.98 else f"closest box, {share:.0%} of the picture".replace("%", " %")


def grey(work: Work) -> tuple[Work, str]:
    """One channel by perceived brightness."""
    if work.form.channels != 1:
        return work, f"the model reads {work.form.channels} channels"
    if work.image.shape[2] == 1:
        return work, "already one channel"
    image = np.asarray(_pil(work.image).convert("L"))[:, :, None]
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
    place = _placed(work, x=-left, y=-top)
    if work.ground is None:
        level = np.median(_border(work.image), axis=0)
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
    """Turn a negative over, so that garment and background are as light or dark as in training, and even the ground.

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
        around = np.median(_border(image))
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
    """Scale to the size of the training pictures and, where it shrank by half or more, sharpen as the authors did."""
    height, width = work.image.shape[:2]
    size = (work.form.width, work.form.height)
    if (width, height) == size:
        return work, f"already {size[0]} × {size[1]}"
    if "skip" in work.ways:
        rows = ((np.arange(size[1]) + 0.5) * height / size[1]).astype(int)
        columns = ((np.arange(size[0]) + 0.5) * width / size[0]).astype(int)
        picture = _pil(work.image[rows][:, columns])
    else:
        picture = _pil(work.image).resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
    shrank = min(width / size[0], height / size[1]) >= 2
    if shrank and work.form.background is not None:
        picture = picture.filter(ImageFilter.Kernel((3, 3), _SHARPEN.ravel().tolist(), scale=1))
    image = np.asarray(picture).reshape(work.form.height, work.form.width, -1)
    place = _placed(work, right=(width / size[0], 0.0), down=(0.0, height / size[1]))
    return replace(
        work, image=image, ground=None, thing=None, place=place
    ), f"{size[0]} × {size[1]}, as the model sees it"


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
    """A step of the pipeline. fixed: it cannot be switched off."""

    name: str
    title: str
    run: Callable[[Work], tuple[Work, str]]
    fixed: bool = False


STEPS = (
    Kind("upright", "Upright", upright),
    Kind("hand", "By hand", by_hand),
    Kind("clear", "Background", clear),
    Kind("straighten", "Straight", straighten),
    Kind("crop", "Crop", crop),
    Kind("grey", "Grey", grey),
    Kind("square", "Padding", square),
    Kind("polarity", "Polarity", polarity),
    Kind("resize", "Size", resize, fixed=True),
    Kind("contrast", "Contrast", contrast),
)


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

    image: uint8 [h, w, 1 or 3]; orientation: EXIF 1 to 8. mode `auto` lets a picture that already has the form pass
    unchanged and runs every step on others; `full` runs every step on any; `none` only resizes. off: names of steps
    to leave out; resizing always runs, and without `grey` a one-channel network gets the red channel alone.
    turn: degrees counter-clockwise, after the camera's own; box: what is then kept, left, top, right and bottom as
    shares of the turned picture. Both are done in every mode. ways: names of WAYS, other choices within the steps.
    Raises ValueError for an unknown mode, step or way, a turn or box out of range, or a picture of another kind.
    """
    if mode not in MODES:
        raise ValueError(f"prepare must be {', '.join(MODES)}, not {mode!r}")
    if unknown := sorted(set(off) - {kind.name for kind in STEPS}):
        raise ValueError(f"unknown preparation step {unknown[0]!r}")
    if unknown := sorted(set(ways) - set(WAYS)):
        raise ValueError(f"unknown way {unknown[0]!r}")
    if not abs(turn) <= 360:
        raise ValueError("turn must be degrees from -360 to 360")
    if box is not None and not (len(box) == 4 and 0 <= box[0] < box[2] <= 1 and 0 <= box[1] < box[3] <= 1):
        raise ValueError("a box is left, top, right and bottom, from 0 to 1")
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] not in (1, 3) or not image.size:
        raise ValueError(f"a picture must be uint8 [h, w, 1 or 3], got {image.dtype} {image.shape}")
    asked = bool(turn % 360) or box is not None
    unchanged = mode == "auto" and orientation == 1 and not asked and form.fits(image)
    work = Work(image, form, orientation, turn, box, frozenset(ways))
    if not unchanged and mode != "none":
        work = _grounded(work)
    steps = []
    for kind in STEPS:
        if kind.name == "grey" and kind.name in off and work.image.shape[2] > form.channels:
            ground = None if work.ground is None else work.ground[:, :, :1]
            work = replace(work, image=work.image[:, :, :1], ground=ground)
        if unchanged and not kind.fixed:
            done, why = False, "passed as it is"
        elif not kind.fixed and ((mode == "none" and kind.name != "hand") or kind.name in off):
            done, why = False, "left out"
        else:
            if kind.fixed:
                work = replace(work, image=_channels(work.image, form.channels))
            before = work
            work, why = kind.run(work)
            done = work is not before
        steps.append(Step(kind.name, kind.title, why, work.image, done))
    return Prepared(work.image, tuple(steps), unchanged, work.place)


def _channels(image: np.ndarray, channels: int) -> np.ndarray:
    """A grey picture repeated for a colour network, a colour one reduced for a grey network."""
    if image.shape[2] == channels:
        return image
    if image.shape[2] == 1:
        return np.repeat(image, channels, axis=2)
    if (image == image[:, :, :1]).all():
        return image[:, :, :1]
    return np.asarray(_pil(image).convert("L"))[:, :, None]


def _pil(image: np.ndarray) -> Image.Image:
    return Image.fromarray(np.ascontiguousarray(image[:, :, 0] if image.shape[2] == 1 else image))


def _turn(work: Work, degrees: float) -> Work:
    """Counter-clockwise; what comes into the picture is ground."""
    image, size = work.image, work.image.shape
    if degrees % 90 == 0 and work.ground is None:
        turned = np.rot90(image, int(degrees // 90))
        return replace(work, image=turned, place=_placed_turn(work, degrees, turned))
    fill = tuple(int(level) for level in np.median(_border(image), axis=0))
    picture = _pil(image).rotate(
        degrees, Image.Resampling.BICUBIC, expand=True, fillcolor=fill if len(fill) > 1 else fill[0]
    )
    turned = np.array(picture).reshape(picture.height, picture.width, -1)
    work = replace(work, place=_placed_turn(work, degrees, turned))
    if work.ground is None or work.thing is None:
        return replace(work, image=turned)
    inside = Image.new("L", (size[1], size[0]), 255).rotate(degrees, Image.Resampling.NEAREST, expand=True)
    # the ground is a plane, which goes on beyond the picture
    angle, first = np.deg2rad(degrees), work.ground[0, 0]
    right, down = (work.ground[0, -1] - first) / (size[1] - 1), (work.ground[-1, 0] - first) / (size[0] - 1)
    y, x = np.mgrid[0 : turned.shape[0], 0 : turned.shape[1]].astype(np.float32)
    x, y = x - (turned.shape[1] - 1) / 2, y - (turned.shape[0] - 1) / 2
    was_x = np.cos(angle) * x - np.sin(angle) * y + (size[1] - 1) / 2
    was_y = np.sin(angle) * x + np.cos(angle) * y + (size[0] - 1) / 2
    ground = np.clip(first + was_x[..., None] * right + was_y[..., None] * down, 0, 255).astype(np.float32)
    outside = np.asarray(inside) == 0
    turned[outside] = np.rint(ground[outside])
    thing = np.asarray(Image.fromarray(work.thing).rotate(degrees, Image.Resampling.NEAREST, expand=True))
    return replace(work, image=turned, ground=ground, thing=thing)


def _placed(
    work: Work,
    *,
    x: float = 0.0,
    y: float = 0.0,
    right: tuple[float, float] = (1.0, 0.0),
    down: tuple[float, float] = (0.0, 1.0),
) -> np.ndarray:
    """The place of a picture whose corner is at (x, y) of the present one, where its pixels lead right and down."""
    return work.place @ np.array([[right[0], down[0], x], [right[1], down[1], y], [0.0, 0.0, 1.0]])


def _placed_turn(work: Work, degrees: float, turned: np.ndarray) -> np.ndarray:
    """The place of the picture turned counter-clockwise about its middle."""
    angle = np.deg2rad(degrees)
    cos, sin = float(np.cos(angle)), float(np.sin(angle))
    (height, width), (tall, wide) = work.image.shape[:2], turned.shape[:2]
    x = width / 2 - (cos * wide - sin * tall) / 2
    y = height / 2 - (sin * wide + cos * tall) / 2
    return _placed(work, x=x, y=y, right=(cos, sin), down=(-sin, cos))


def _lean(thing: np.ndarray) -> float:
    """By how many degrees a shape, bool [h, w], must be turned counter-clockwise to stand straight; 0 where it does."""
    rows, columns = np.flatnonzero(thing.any(axis=1)), np.flatnonzero(thing.any(axis=0))
    shape = Image.fromarray(thing[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]).convert("L")
    shape.thumbnail((48, 48), Image.Resampling.BOX)
    room = Image.new("L", (80, 80))
    room.paste(shape, ((80 - shape.width) // 2, (80 - shape.height) // 2))
    room = room.filter(ImageFilter.GaussianBlur(1))  # steps of a coarse outline are no edges

    def edges(angle: int) -> float:
        turned = np.asarray(room.rotate(angle, Image.Resampling.BILINEAR), np.float32)
        sharp = sum(float((np.diff(turned.sum(axis=axis)) ** 2).sum()) for axis in (0, 1))
        return sharp * (1 - 0.2 * (angle / 30) ** 2)  # where it hardly matters, the smaller angle

    coarse = max(range(-LEAN, LEAN + 1, 4), key=edges)
    found = max((coarse - 2, coarse, coarse + 2), key=edges)
    return float(found) if abs(found) > 2 else 0.0


def _turned(shape: tuple[int, ...], orientation: int) -> tuple[int, ...]:
    return (shape[1], shape[0], shape[2]) if orientation >= 5 else shape


def _border(image: np.ndarray, width: int = 1) -> np.ndarray:
    """The pixels of the frame, [n, c]."""
    inner = np.zeros(image.shape[:2], bool)
    inner[width : image.shape[0] - width, width : image.shape[1] - width] = True
    return image[~inner]


def _grounded(work: Work) -> Work:
    """Find the background: a plane of colour through the frame, robust to a garment that touches it in places.

    Looked for in a copy of at most 160 pixels; a lit wall or a vignette is a slope, which a single colour would miss.
    """
    height, width, channels = work.image.shape
    scale = min(1.0, 160 / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = np.asarray(_pil(work.image).resize(size, Image.Resampling.BOX), np.float32).reshape(
        size[1], size[0], channels
    )
    if min(size) < 3:
        return work
    y, x = np.mgrid[0 : size[1], 0 : size[0]].astype(np.float32)
    terms = np.stack([np.ones_like(x), x / size[0] - 0.5, y / size[1] - 0.5], axis=-1)
    ring = max(1, round(min(size) * 0.04))
    frame, where = _border(small, ring), _border(terms, ring)
    near = np.abs(frame - np.median(frame, axis=0)).max(axis=1) <= 40
    plane = np.zeros((3, channels), np.float32)
    for _ in range(4):
        if near.mean() < 0.5:
            return work
        plane = np.linalg.lstsq(where[near], frame[near], rcond=None)[0].astype(np.float32)
        rest = np.abs(frame - where @ plane).max(axis=1)
        near = rest <= max(12.0, 4 * float(np.median(rest[near])))
    if near.mean() < 0.5:
        return work
    apart = np.abs(small - terms @ plane).max(axis=2)
    noise = 4 * float(np.median(np.abs(frame - where @ plane).max(axis=1)[near]))
    most = float(np.percentile(apart, 99))
    level = max(13.0, noise, min(40.0, 0.12 * most))  # 13: the authors' 5 % of full scale
    differs = _smooth(apart > level)
    strong = apart > 0.4 * most
    # a floor or a dark corner differs too, but faintly, and reaches into a corner of the frame
    corners = np.zeros_like(differs)
    corners[[0, 0, -1, -1], [0, -1, 0, -1]] = True
    differs &= ~_flood(corners, differs & ~strong)
    differs = _flood(strong, differs)  # specks and shadows apart from the thing hang together with nothing strong
    frame_only = np.ones_like(differs)
    frame_only[1:-1, 1:-1] = False
    differs = ~_flood(frame_only, ~differs)  # holes belong to the thing
    if not 0.002 < differs.mean() < 0.98:
        return work
    thing = np.asarray(Image.fromarray(differs).resize((width, height), Image.Resampling.NEAREST))
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    terms = np.stack([np.ones_like(x), (x + 0.5) / width - 0.5, (y + 0.5) / height - 0.5], axis=-1)
    return replace(work, ground=np.clip(terms @ plane, 0, 255), thing=thing)


def _middle(image: np.ndarray, most: int) -> np.ndarray | None:
    """bool [h, w]: what GrabCut takes for the thing in a copy of at most so many pixels, None where it is none."""
    import cv2  # not at the top: reading runs needs no OpenCV

    height, width, _ = image.shape
    scale = min(1.0, most / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    if min(size) < 16:
        return None
    small = np.array(_pil(image).convert("RGB").resize(size, Image.Resampling.BOX))
    ring = max(1, round(0.04 * min(size)))
    mask = np.zeros(small.shape[:2], np.uint8)
    cv2.setRNGSeed(0)  # its mixtures begin at random: the same picture is to give the same answer
    box = (ring, ring, size[0] - 2 * ring, size[1] - 2 * ring)
    try:
        cv2.grabCut(small, mask, box, np.zeros((1, 65)), np.zeros((1, 65)), 4, cv2.GC_INIT_WITH_RECT)
    except cv2.error:  # too few colours for a mixture
        return None
    found = _smooth((mask == cv2.GC_FGD) | (mask == cv2.GC_PR_FGD))
    core = np.zeros_like(found)
    core[size[1] // 4 : size[1] - size[1] // 4, size[0] // 4 : size[0] - size[0] // 4] = True
    found = _flood(core, found)  # what hangs together with the middle
    if not 0.03 < found.mean() < 0.8:
        return None
    return np.asarray(Image.fromarray(found).resize((width, height), Image.Resampling.NEAREST))


def _smooth(mask: np.ndarray) -> np.ndarray:
    """bool [h, w] without single pixels, where there are enough to tell."""
    if min(mask.shape) < 64:
        return mask
    return np.asarray(Image.fromarray((mask * 255).astype(np.uint8)).filter(ImageFilter.MedianFilter(3))) > 0


def _flood(start: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The part of a mask that hangs together with a start; all bool [h, w]."""
    reached = start & mask
    while True:
        wider = reached.copy()
        wider[1:] |= reached[:-1]
        wider[:-1] |= reached[1:]
        wider[:, 1:] |= reached[:, :-1]
        wider[:, :-1] |= reached[:, 1:]
        wider &= mask
        if (wider == reached).all():
            return reached
        reached = wider
