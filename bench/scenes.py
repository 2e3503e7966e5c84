"""A second hand's renderings: pictures of clothes as a phone sees them on paper, on a screen, cut out, or as things.

Written apart from ml/evaluation/photographs.py, from which the runs' looks were learned, so that what was chosen on
those can be judged on these. No limit of the app is to be chosen on them. numpy, Pillow and OpenCV alone.
"""

import io

import cv2
import numpy as np
from PIL import Image

KINDS = ("paper", "screen", "cut out of paper", "thing")


def scene(picture: np.ndarray, rng: np.random.Generator, kind: str) -> np.ndarray:
    """uint8 [28, 28, 1], light on black → uint8 [h, w, 3], 480 to 768 pixels along the longer side.

    Raises KeyError for another kind than KINDS.
    """
    long = int(rng.integers(480, 769))
    short = int(long * rng.choice([0.5625, 0.75, 1.0]))
    height, width = (long, short) if rng.random() < 0.7 else (short, long)
    makers = {"paper": _paper, "screen": _screen, "cut out of paper": _cut, "thing": _thing}
    colours, cover = makers[kind](picture, rng)
    ground = _table(rng, height, width)
    flat, shape = _laid(colours, cover, rng, height, width)
    shadow = cv2.GaussianBlur(np.roll(shape, tuple(rng.integers(-4, 9, 2)), (0, 1)), (0, 0), rng.uniform(2, 12))
    ground = ground * (1 - rng.uniform(0, 0.5) * shadow[..., None])
    return _taken(ground * (1 - shape[..., None]) + flat * shape[..., None], rng)


def _larger(picture: np.ndarray, side: int, rng: np.random.Generator) -> np.ndarray:
    """float32 [side, side], 0 to 1."""
    way = (cv2.INTER_NEAREST, cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_LANCZOS4)[int(rng.integers(4))]
    large = cv2.resize(picture[:, :, 0].astype(np.float32) / 255, (side, side), interpolation=way)
    return np.clip(large, 0, 1)


def _paper(picture: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A printed sheet: colours float32 [h, w, 3], 0 to 1, and what of them is there, float32 [h, w]."""
    side = 420
    ink = _larger(picture, side, rng) * rng.uniform(0.8, 1)
    negative = rng.random() < 0.5
    stock = np.array([1, rng.uniform(0.95, 1), rng.uniform(0.85, 1)]) * rng.uniform(0.88, 1)
    shown = stock * (1 - ink)[..., None] if negative else np.repeat(ink[..., None], 3, axis=2) * 0.92 + 0.05
    margin = [int(side * one) for one in rng.uniform(0, 0.3, 2)]
    sheet = np.ones((side + 2 * margin[0], side + 2 * margin[1], 3), np.float32) * stock
    sheet[margin[0] : margin[0] + side, margin[1] : margin[1] + side] = shown
    return sheet.astype(np.float32), np.ones(sheet.shape[:2], np.float32)


def _screen(picture: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The same on a screen with a frame, its stripes and a reflection."""
    side, rim = 400, int(rng.integers(6, 34))
    level = _larger(picture, side, rng)
    level = 1 - level if rng.random() < 0.4 else level
    lit = (0.04 + 0.96 * level)[..., None] * np.array([rng.uniform(0.85, 1), rng.uniform(0.9, 1), 1])
    stripes = 1 - 0.12 * rng.random() * (np.arange(side) % int(rng.integers(2, 5)) == 0)
    lit = lit * stripes[None, :, None]
    y, x = np.mgrid[0:side, 0:side] / side
    glare = np.exp(-(((x - rng.random()) ** 2 + (y - rng.random()) ** 2) / rng.uniform(0.01, 0.1)))
    lit = lit + rng.uniform(0, 0.25) * glare[..., None]
    frame = np.ones((side + 2 * rim, side + 2 * rim, 3), np.float32) * rng.uniform(0.02, 0.2)
    frame[rim : rim + side, rim : rim + side] = np.clip(lit, 0, 1)
    return frame, np.ones(frame.shape[:2], np.float32)


def _shape(picture: np.ndarray, side: int) -> np.ndarray:
    """Where the garment is, float32 [side, side], soft at its edge; holes of dark cloth are filled."""
    mask = (picture[:, :, 0] > 12).astype(np.uint8)
    outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(mask, outlines, -1, 1, cv2.FILLED)
    large = cv2.GaussianBlur(
        cv2.resize(mask.astype(np.float32), (side, side), interpolation=cv2.INTER_CUBIC), (0, 0), 5
    )
    return np.clip((large - 0.4) * 8, 0, 1).astype(np.float32)


def _cut(picture: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A print that somebody cut out with scissors, a rim of paper left around it."""
    side = 420
    shape = _shape(picture, side)
    width = int(rng.integers(1, 16))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * width + 1, 2 * width + 1))
    ink = _larger(picture, side, rng)
    level = 1 - ink if rng.random() < 0.5 else ink
    return np.repeat(level[..., None], 3, axis=2).astype(np.float32), cv2.dilate(shape, kernel)


def _thing(picture: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A garment of that shape and shading, in a colour of its own, with folds."""
    side = 420
    shade = cv2.GaussianBlur(_larger(picture, side, rng), (0, 0), rng.uniform(1, 4))
    colour = cv2.cvtColor(
        np.array([[[rng.uniform(0, 360), rng.uniform(0, 0.8), 1]]], np.float32), cv2.COLOR_HSV2RGB
    ).reshape(3)
    folds = cv2.GaussianBlur(rng.normal(size=(side, side)).astype(np.float32), (0, 0), rng.uniform(8, 30))
    folds = folds / max(float(np.abs(folds).max()), 1e-6)
    tone = (0.25 + 0.75 * shade) * (1 + rng.uniform(0, 0.25) * folds)
    tone = 1.1 - tone if rng.random() < 0.5 else tone
    return np.clip(tone[..., None] * colour, 0, 1).astype(np.float32), _shape(picture, side)


def _laid(
    colours: np.ndarray, cover: np.ndarray, rng: np.random.Generator, height: int, width: int
) -> tuple[np.ndarray, np.ndarray]:
    """Both as they lie in the photograph: turned, in perspective, 40 to 85 % of its shorter side."""
    rows, columns = cover.shape
    scale = rng.uniform(0.4, 0.85) * min(height, width) / max(rows, columns)
    angle, end = np.radians(rng.uniform(-18, 18)), np.array([(0, 0), (columns, 0), (columns, rows), (0, rows)])
    turn = np.array([(np.cos(angle), -np.sin(angle)), (np.sin(angle), np.cos(angle))])
    where = (end - (columns / 2, rows / 2)) @ turn.T * scale
    where = where * (1 + rng.uniform(-0.06, 0.06, (4, 2))) + (width / 2, height / 2)
    where = where + rng.uniform(-0.07, 0.07, 2) * (width, height)
    matrix = cv2.getPerspectiveTransform(end.astype(np.float32), where.astype(np.float32))
    colours = cv2.warpPerspective(colours, matrix, (width, height), flags=cv2.INTER_AREA)
    return colours, np.clip(cv2.warpPerspective(cover, matrix, (width, height), flags=cv2.INTER_AREA), 0, 1)


def _noise(rng: np.random.Generator, height: int, width: int, across: float, down: float) -> np.ndarray:
    """float32 [height, width], mean 0 and deviation 1, as coarse as that each way."""
    field = rng.normal(size=(height, width)).astype(np.float32)
    field = cv2.GaussianBlur(field, (0, 0), sigmaX=across, sigmaY=down)
    return (field - field.mean()) / max(float(field.std()), 1e-6)


def _table(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """What it lies on: wood, cloth, tiles, stone or something plain, float32 [height, width, 3], 0 to 1."""
    kind = ("wood", "cloth", "tiles", "stone", "plain")[int(rng.integers(5))]
    hue = {"wood": 28, "cloth": rng.uniform(0, 360), "tiles": 40, "stone": 220, "plain": rng.uniform(0, 360)}[kind]
    most = {"wood": 0.6, "cloth": 0.5, "tiles": 0.15, "stone": 0.1, "plain": 0.25}[kind]
    tint = cv2.cvtColor(np.array([[[hue, rng.uniform(0, most), 1]]], np.float32), cv2.COLOR_HSV2RGB).reshape(3)
    level = np.full((height, width), rng.uniform(0.15, 0.95), np.float32)
    if kind == "wood":
        level *= 1 + 0.12 * _noise(rng, height, width, 40, 0.8) + 0.05 * _noise(rng, height, width, 90, 6)
    elif kind == "cloth":
        y, x = np.mgrid[0:height, 0:width]
        weave = np.sin(x * rng.uniform(0.8, 2)) * np.sin(y * rng.uniform(0.8, 2))
        level *= 1 + 0.06 * weave + 0.08 * _noise(rng, height, width, 45, 45)
    elif kind == "tiles":
        size = int(rng.integers(90, 260))
        y, x = np.mgrid[0:height, 0:width]
        level = np.where((x % size < 4) | (y % size < 4), level * 0.6, level * (1 + 0.02 * rng.normal()))
    elif kind == "stone":
        level = level * (1 + 0.15 * _noise(rng, height, width, 3, 3) + 0.1 * _noise(rng, height, width, 25, 25))
    y, x = np.mgrid[0:height, 0:width]
    light = 1 + rng.uniform(0, 0.3) * ((x / width - 0.5) * rng.normal() + (y / height - 0.5) * rng.normal())
    return np.clip(level * light, 0.01, 1)[..., None].astype(np.float32) * tint


def _taken(scene: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Through a phone's lens: cast, exposure, blur or shake, grain, sharpening, JPEG. uint8 [h, w, 3]."""
    seen = np.clip(scene * rng.uniform(0.7, 1.1) * (1 + rng.uniform(-0.08, 0.08, 3)), 0, 1) ** rng.uniform(0.8, 1.2)
    seen = cv2.GaussianBlur(seen.astype(np.float32), (0, 0), rng.uniform(0.4, 1.6))
    seen = seen + rng.normal(size=seen.shape) * rng.uniform(0, 0.025)
    seen = seen + rng.uniform(0, 0.8) * (seen - cv2.GaussianBlur(seen, (0, 0), 1.5))
    file = io.BytesIO()
    Image.fromarray(np.rint(np.clip(seen, 0, 1) * 255).astype(np.uint8)).save(
        file, "JPEG", quality=int(rng.integers(60, 94))
    )
    return np.asarray(Image.open(file))
