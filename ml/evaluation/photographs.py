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
