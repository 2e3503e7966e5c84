"""Turning and cutting a picture, and which point of the upright one each of its points shows."""

from dataclasses import replace
from functools import cache

import numpy as np
from PIL import Image, ImageFilter

from ml.images.form import Work, frame_pixels, pil
from ml.images.remembered import searched

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


def uprighted(image: np.ndarray, orientation: int) -> np.ndarray:
    """uint8 [h, w, c], turned as its camera says (EXIF, 1 to 8)."""
    turn = TURNS.get(orientation)
    if turn is None:
        return image
    return np.asarray(pil(image).transpose(turn)).reshape(*shape_upright(image.shape, orientation))


def shape_upright(shape: tuple[int, ...], orientation: int) -> tuple[int, ...]:
    return (shape[1], shape[0], shape[2]) if orientation >= 5 else shape


def rotated(work: Work, degrees: float) -> Work:
    """Counter-clockwise; what comes into the picture is ground."""
    image, size = work.image, work.image.shape
    if degrees % 90 == 0 and work.ground is None:
        turned = np.rot90(image, int(degrees // 90))
        return replace(work, image=turned, place=placed_turn(work, degrees, turned))
    fill = tuple(int(level) for level in np.median(frame_pixels(image), axis=0))
    picture = pil(image).rotate(
        degrees, Image.Resampling.BICUBIC, expand=True, fillcolor=fill if len(fill) > 1 else fill[0]
    )
    turned = np.array(picture).reshape(picture.height, picture.width, -1)
    work = replace(work, place=placed_turn(work, degrees, turned))
    if work.ground is None or work.thing is None:
        return replace(work, image=turned)
    inside = Image.new("L", (size[1], size[0]), 255).rotate(degrees, Image.Resampling.NEAREST, expand=True)
    # the ground is a plane, which goes on beyond the picture
    angle, first = np.deg2rad(degrees), work.ground[0, 0]
    right, down = (work.ground[0, -1] - first) / (size[1] - 1), (work.ground[-1, 0] - first) / (size[0] - 1)
    y, x = np.ogrid[0 : turned.shape[0], 0 : turned.shape[1]]
    x, y = x.astype(np.float32), y.astype(np.float32)
    x, y = x - (turned.shape[1] - 1) / 2, y - (turned.shape[0] - 1) / 2
    was_x = np.cos(angle) * x - np.sin(angle) * y + (size[1] - 1) / 2
    was_y = np.sin(angle) * x + np.cos(angle) * y + (size[0] - 1) / 2
    ground = np.clip(first + was_x[..., None] * right + was_y[..., None] * down, 0, 255).astype(np.float32)
    outside = np.asarray(inside) == 0
    turned[outside] = np.rint(ground[outside])
    thing = np.asarray(Image.fromarray(work.thing).rotate(degrees, Image.Resampling.NEAREST, expand=True))
    return replace(work, image=turned, ground=ground, thing=thing)


def placed(
    work: Work,
    *,
    x: float = 0.0,
    y: float = 0.0,
    right: tuple[float, float] = (1.0, 0.0),
    down: tuple[float, float] = (0.0, 1.0),
) -> np.ndarray:
    """The place of a picture whose corner is at (x, y) of the present one, where its pixels lead right and down."""
    return work.place @ np.array([[right[0], down[0], x], [right[1], down[1], y], [0.0, 0.0, 1.0]])


def placed_turn(work: Work, degrees: float, turned: np.ndarray) -> np.ndarray:
    """The place of the picture turned counter-clockwise about its middle."""
    angle = np.deg2rad(degrees)
    cos, sin = float(np.cos(angle)), float(np.sin(angle))
    (height, width), (tall, wide) = work.image.shape[:2], turned.shape[:2]
    x = width / 2 - (cos * wide - sin * tall) / 2
    y = height / 2 - (sin * wide + cos * tall) / 2
    return placed(work, x=x, y=y, right=(cos, sin), down=(-sin, cos))


def leaning_angle(thing: np.ndarray) -> float:
    """By how many degrees a shape, bool [h, w], must be turned counter-clockwise to stand straight; 0 where it does."""
    rows, columns = np.flatnonzero(thing.any(axis=1)), np.flatnonzero(thing.any(axis=0))
    shape = Image.fromarray(thing[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]).convert("L")
    shape.thumbnail((48, 48), Image.Resampling.BOX)
    room = Image.new("L", (80, 80))
    room.paste(shape, ((80 - shape.width) // 2, (80 - shape.height) // 2))
    return _leaning(np.asarray(room.filter(ImageFilter.GaussianBlur(1))))  # steps of a coarse outline are no edges


@searched
def _leaning(outline: np.ndarray) -> float:
    """Of a shape that is white on black with room around it, uint8 [h, w]."""
    room = Image.fromarray(outline)

    @cache
    def turned(angle: int) -> np.ndarray:
        return np.asarray(room.rotate(angle, Image.Resampling.BILINEAR), np.float32)

    @cache
    def edges(angle: int) -> float:
        sharp = sum(float((np.diff(turned(angle).sum(axis=axis)) ** 2).sum()) for axis in (0, 1))
        return sharp * (1 - 0.2 * (angle / 30) ** 2)  # where it hardly matters, the smaller angle

    coarse = max(range(-LEAN, LEAN + 1, 4), key=edges)
    angle = max((coarse - 2, coarse, coarse + 2), key=edges)
    # a leg or a sleeve has edges of its own: what is more alike left and right as it lies, lies straight
    if abs(angle) <= 2 or evenness(turned(angle)) < evenness(turned(0)):
        return 0.0
    return float(angle)


def evenness(shape: np.ndarray) -> float:
    """0..1: how alike a shape, float [h, w] with room around, and its mirror image are, where the two meet best near
    the middle of its mass."""
    middle = round(2 * float(np.average(np.arange(shape.shape[1]), weights=shape.sum(axis=0))))
    wide = np.pad(shape, ((0, 0), (shape.shape[1], shape.shape[1])))
    mirrored = wide[:, ::-1]
    best = 0.0
    for twice in range(middle - 2, middle + 3):  # a pixel x shows what 2 · axis - x shows
        moved = np.roll(mirrored, twice - shape.shape[1] + 1, axis=1)
        best = max(best, float(np.minimum(wide, moved).sum() / np.maximum(wide, moved).sum()))
    return best
