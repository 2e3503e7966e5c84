"""Photographs that nobody took: pictures of a plain background as a camera might have seen the thing in them."""

import colorsys
import io

import numpy as np
from PIL import Image, ImageFilter


def rendered(
    picture: np.ndarray,
    rng: np.random.Generator,
    *,
    side: int,
    background: int = 0,
    lean: float = 20.0,
    busy: float = 0.0,
    dull: float = 0.0,
) -> np.ndarray:
    """uint8 [h, w, 1 or 3] on a plain background → uint8 [side, side, 3].

    Leaning by up to `lean` degrees either way, on coloured ground, with slopes, shadows, noise and JPEG's marks. What
    is grey may be dark on light or light on dark; what has colours keeps them. background: its grey level; busy: the
    share that lies on a ground of many colours; dull: the share that has down to half the contrast.
    """
    size, angle = int(side * rng.uniform(0.5, 0.68)), rng.uniform(-lean, lean)
    apart = np.abs(picture.astype(np.int16) - background).max(axis=2).astype(np.uint8)
    shape = Image.fromarray(((apart > 8) * 255).astype(np.uint8)).resize((size, size), Image.Resampling.BICUBIC)
    edge = np.asarray(shape.filter(ImageFilter.GaussianBlur(size / 90)), np.float32)
    shape = Image.fromarray(np.clip((edge - 96) * 4, 0, 255).astype(np.uint8))
    ink = Image.fromarray(apart if picture.shape[2] == 1 else picture).resize((size, size), Image.Resampling.BICUBIC)
    ink, shape = (layer.rotate(angle, Image.Resampling.BICUBIC, expand=True) for layer in (ink, shape))
    tint = np.array(colorsys.hsv_to_rgb(rng.random(), rng.uniform(0, 0.35), 1), np.float32)
    levels = np.asarray(ink, np.float32).reshape(ink.height, ink.width, -1) / 255
    hue = rng.random()
    if rng.random() < 0.7:  # as in a shop: the picture was a negative
        thing, wall = (1 - 0.92 * levels) * tint, (hue, rng.uniform(0.05, 0.45), rng.uniform(0.85, 1))
    else:
        thing, wall = (0.08 + 0.92 * levels) * tint, (hue, rng.uniform(0.2, 0.9), rng.uniform(0.02, 0.25))
    if picture.shape[2] == 3:
        thing = levels
    ground = np.broadcast_to(np.array(colorsys.hsv_to_rgb(*wall), np.float32), (side, side, 3)).copy()
    kind = rng.integers(4)
    if kind >= 2:  # lit from one side
        angle = rng.uniform(0, 2 * np.pi)
        y, x = np.mgrid[0:side, 0:side].astype(np.float32) / side - 0.5
        ground *= (1 + 2 * rng.uniform(0.05, 0.25) * (np.cos(angle) * x + np.sin(angle) * y))[..., None]
    if kind == 3:  # rough
        rough = 0.06 * (cloud(rng, side, int(rng.integers(6, 30))) - 0.5) + 0.04 * rng.normal(size=(side, side))
        ground *= (1 + rough)[..., None]
    if busy and rng.random() < busy:
        spots = [cloud(rng, side, int(rng.integers(20, 50))) for _ in range(3)]
        ground *= 0.1 + 0.9 * np.stack(spots, axis=2)
    high, wide = levels.shape[:2]
    top, left = (int(np.clip((side - n) / 2 + rng.uniform(-0.08, 0.08) * side, 0, side - n)) for n in (high, wide))
    if rng.random() < 0.4:
        shadow = Image.new("L", (side, side))
        shadow.paste(shape, (left + side // 100, top + side // 66))
        ground *= 1 - np.asarray(shadow.filter(ImageFilter.GaussianBlur(side / 80)), np.float32)[..., None] / 1_020
    cover = np.asarray(shape, np.float32)[..., None] / 255
    place = ground[top : top + high, left : left + wide]
    place[:] = place * (1 - cover) + thing * cover
    if dull and rng.random() < dull:
        ground *= rng.uniform(0.5, 1)
        ground += rng.uniform(0, max(0.0, 1 - float(ground.max())))
    ground += rng.normal(size=ground.shape) * rng.uniform(0, 0.02)
    file = io.BytesIO()
    photo = Image.fromarray(np.clip(np.rint(ground * 255), 0, 255).astype(np.uint8))
    photo.save(file, "JPEG", quality=int(rng.integers(75, 95)))
    return np.asarray(Image.open(file))


def cloud(rng: np.random.Generator, side: int, coarse: int) -> np.ndarray:
    """float32 [side, side] from 0 to 1: soft spots, about `coarse` along each side."""
    spots = Image.fromarray(rng.normal(size=(coarse, coarse)).astype(np.float32))
    field = np.asarray(spots.resize((side, side), Image.Resampling.BICUBIC))
    return (field - field.min()) / max(float(np.ptp(field)), 1e-6)


def printed(
    picture: np.ndarray, rng: np.random.Generator, *, side: int, background: int = 0, cut: bool = False
) -> np.ndarray:
    """uint8 [h, w, 1 or 3] on a plain background → uint8 [side, side, 3]: a print of it that lies on something else.

    cut: what is cut out of it, not the whole picture with its ground. As it is or as a negative; enlarged one of four
    ways, leaning, in perspective, on ground that is plain, lit from one side, rough, of boards, or of many colours; a
    little unsharp, with noise and JPEG's marks.
    """
    long = int(side * rng.uniform(0.45, 0.95))
    way = (Image.Resampling.NEAREST, Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS)
    levels = Image.fromarray(picture.squeeze()).resize((long, long), way[rng.integers(4)])
    ink = np.asarray(levels, np.float32).reshape(long, long, -1)
    if rng.random() < 0.5:
        ink = 255 - ink
    sheet = np.full((side, side, 4), 0, np.float32)
    apart = np.abs(picture.astype(np.int16) - background).max(axis=2)
    shape = Image.fromarray(np.where((apart > 10) | (not cut), 255, 0).astype(np.uint8)).resize(levels.size)
    shape = shape.filter(ImageFilter.GaussianBlur(max(1.0, long / 100))) if cut else shape
    top, left = ((side - long) // 2 + rng.uniform(-0.5, 0.5, 2) * (side - long)).astype(int)
    place = sheet[top : top + long, left : left + long]
    place[..., :3] = ink * (1 - rng.uniform(0, 0.25, 3) * (rng.random() < 0.5))
    place[..., 3] = np.asarray(shape, np.float32)
    end, most = np.array([0, 0, 0, side, side, side, side, 0]), rng.uniform(0, 0.14) * side
    seen = Image.fromarray(np.clip(sheet, 0, 255).astype(np.uint8)).rotate(
        rng.uniform(-15, 15), Image.Resampling.BICUBIC
    )
    seen = seen.transform(
        (side, side), Image.Transform.QUAD, tuple(end + rng.uniform(-most, most, 8)), Image.Resampling.BICUBIC
    )
    pixels = np.asarray(seen, np.float32)
    cover = pixels[..., 3:] / 255
    photo = _ground(rng, side) * (1 - cover) + pixels[..., :3] * cover
    photo = photo * rng.uniform(0.6, 1.05) + rng.uniform(0, 25) + rng.normal(size=photo.shape) * rng.uniform(0, 8)
    taken = Image.fromarray(np.clip(photo, 0, 255).astype(np.uint8))
    if rng.random() < 0.4:
        taken = taken.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 2)))
    file = io.BytesIO()
    taken.save(file, "JPEG", quality=int(rng.integers(50, 95)))
    return np.asarray(Image.open(file))


def _ground(rng: np.random.Generator, side: int) -> np.ndarray:
    """float [side, side, 3], levels."""
    level = np.clip(rng.uniform(40, 250) + rng.uniform(-40, 40, 3) * rng.random(), 5, 252)
    ground = np.ones((side, side, 3)) * level
    kind = rng.integers(5)
    if kind == 1:
        angle = rng.uniform(0, 2 * np.pi)
        y, x = np.mgrid[0:side, 0:side] / side - 0.5
        ground *= (1 + rng.uniform(0.1, 0.6) * (np.cos(angle) * x + np.sin(angle) * y))[..., None]
    elif kind == 2:
        ground *= (1 + 0.15 * (cloud(rng, side, int(rng.integers(5, 60))) - 0.5))[..., None]
        ground += rng.normal(size=(side, side, 1)) * rng.uniform(0, 12)
    elif kind == 3:
        boards = int(rng.integers(4, 10))
        ground *= np.repeat(rng.uniform(0.75, 1.1, boards), -(-side // boards))[:side, None, None]
        grain = Image.fromarray(rng.normal(size=(max(1, side // 4), 8)).astype(np.float32))
        ground *= (1 + np.asarray(grain.resize((side, side), Image.Resampling.BICUBIC)) / 15)[..., None]
    elif kind == 4:
        ground = np.stack([cloud(rng, side, int(rng.integers(3, 25))) * 255 for _ in range(3)], axis=2)
    return np.clip(ground, 0, 255)
