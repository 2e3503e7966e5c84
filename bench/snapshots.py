"""A third hand's renderings: what a telephone makes of pictures of clothes, for judging what was chosen on the others'.

Written apart from ml/evaluation/photographs.py and bench/scenes.py, by another design: one picture on one surface that
one camera looks at from anywhere above it, by a homography of the whole scene, with light, lens and file of its own.
No limit of the app is to be chosen on them. numpy and OpenCV alone.
"""

import cv2
import numpy as np

KINDS = ("retaken", "sheet", "monitor", "coloured", "plain")


def snapshot(picture: np.ndarray, rng: np.random.Generator, kind: str) -> np.ndarray:
    """uint8 [28, 28, 1], light on black → uint8 [h, w, 3], 200 to 3,000 pixels along the longer side.

    retaken: the whole picture, as it is or as a negative, that fills most of the frame; sheet: printed with a margin,
    on wood, cloth, stone or a table; monitor: the same lit, with the pattern of its pixels; coloured: the garment
    itself in a colour on such a ground; plain: the same on a shop's white, grey or pale ground. Raises KeyError for
    another kind.
    """
    side = 900
    maker = {"retaken": _retaken, "sheet": _sheet, "monitor": _monitor, "coloured": _coloured, "plain": _plain}[kind]
    scene = maker(picture, rng, side)
    seen = _camera(scene, rng, steep={"retaken": 0.04, "plain": 0.05}.get(kind, 0.09))
    return _file(_lit(seen, rng), rng)


def again(photo: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """uint8 [h, w, 3], a photograph → the same scene once more: another cut, light, lens and file."""
    image = cv2.resize(photo, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC).astype(np.float32) / 255
    high, wide = image.shape[:2]
    cut = rng.uniform(0, 0.06, 4)
    image = image[int(cut[0] * high) : high - int(cut[1] * high), int(cut[2] * wide) : wide - int(cut[3] * wide)]
    return _file(_lit(_camera(image, rng, steep=0.03), rng), rng)


def _large(picture: np.ndarray, side: int, rng: np.random.Generator) -> np.ndarray:
    """float32 [side, side], 0 to 1."""
    way = (cv2.INTER_NEAREST, cv2.INTER_CUBIC, cv2.INTER_LANCZOS4)[rng.choice(3, p=(0.2, 0.4, 0.4))]
    return np.clip(cv2.resize(picture[:, :, 0].astype(np.float32) / 255, (side, side), interpolation=way), 0, 1)


def _fractal(rng: np.random.Generator, side: int, power: float) -> np.ndarray:
    """float32 [side, side], deviation 1: noise whose amplitude falls with frequency to that power."""
    row = np.fft.fftfreq(side)[:, None]
    column = np.fft.rfftfreq(side)[None]
    amplitude = (row**2 + column**2 + (1 / side) ** 2) ** (-power / 2)
    phase = np.exp(2j * np.pi * rng.random(amplitude.shape))
    field = np.fft.irfft2(amplitude * phase, s=(side, side))
    return (field / max(float(field.std()), 1e-9)).astype(np.float32)


def _surface(rng: np.random.Generator, side: int) -> np.ndarray:
    """float32 [side, side, 3], 0 to 1: wood, cloth, stone, a painted table, or a checked cloth."""
    y, x = np.mgrid[0:side, 0:side].astype(np.float32) / side
    angle = rng.uniform(0, np.pi)
    along, across = np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x
    kind = int(rng.integers(5))
    hue, light = rng.uniform(0, 360), rng.uniform(0.2, 0.95)
    if kind == 0:  # wood: rings that run along it
        rings = np.sin(2 * np.pi * (across * rng.uniform(8, 30) + 0.6 * _fractal(rng, side, 2) * rng.uniform(0.2, 0.8)))
        hue, strong, tone = (
            rng.uniform(15, 40),
            rng.uniform(0.25, 0.6),
            1 + 0.12 * rings + 0.03 * _fractal(rng, side, 1),
        )
    elif kind == 1:  # cloth: threads both ways
        threads = rng.uniform(60, 220)
        weave = np.sin(2 * np.pi * threads * along) * np.sin(2 * np.pi * threads * across)
        strong, tone = rng.uniform(0, 0.7), 1 + 0.1 * weave + 0.06 * _fractal(rng, side, 1.8)
    elif kind == 2:  # stone
        strong, tone = rng.uniform(0, 0.15), 1 + rng.uniform(0.04, 0.12) * _fractal(rng, side, 1.4)
    elif kind == 3:
        strong, tone = rng.uniform(0, 0.5), 1 + 0.015 * _fractal(rng, side, 1)
    else:
        checks = (np.sin(2 * np.pi * 6 * along) > 0) * 0.5 + (np.sin(2 * np.pi * 6 * across) > 0) * 0.5
        strong, tone = rng.uniform(0.1, 0.6), 0.75 + 0.35 * checks + 0.03 * _fractal(rng, side, 1)
    colour = cv2.cvtColor(np.array([[[hue, strong, light]]], np.float32), cv2.COLOR_HSV2RGB).reshape(3)
    return np.clip(tone[..., None] * colour, 0, 1).astype(np.float32)


def _retaken(picture: np.ndarray, rng: np.random.Generator, side: int) -> np.ndarray:
    level = _large(picture, side, rng)
    level = 1 - level if rng.random() < 0.6 else level
    rim = int(side * rng.uniform(0, 0.12))
    paper = np.full(
        (side, side), rng.uniform(0.8, 1) if rng.random() < 0.5 else float(np.median(level[:8])), np.float32
    )
    if rim:
        paper[rim:-rim, rim:-rim] = cv2.resize(level, (side - 2 * rim,) * 2, interpolation=cv2.INTER_AREA)
    else:
        paper = level
    upright = int(side * rng.choice([0, 0.125, 0.167]))  # a telephone's frame is higher than wide
    paper = cv2.copyMakeBorder(paper, upright, upright, 0, 0, cv2.BORDER_REPLICATE)
    return np.repeat((0.03 + 0.95 * paper)[..., None], 3, axis=2)


def _onto(ground: np.ndarray, colours: np.ndarray, cover: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """What covers the ground lies on it, turned and shifted, with the shadow that it throws."""
    side, part = len(ground), cover.shape[0]
    scale = rng.uniform(0.5, 0.8) * side / max(cover.shape)
    turn = cv2.getRotationMatrix2D((cover.shape[1] / 2, part / 2), rng.uniform(-14, 14), scale)
    turn[:, 2] += (side / 2 - cover.shape[1] / 2, side / 2 - part / 2) + rng.uniform(-0.08, 0.08, 2) * side
    cover = cv2.warpAffine(cover, turn, (side, side), flags=cv2.INTER_AREA)
    colours = cv2.warpAffine(colours, turn, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    far, soft = rng.uniform(0, 14), rng.uniform(2, 16)
    way = rng.uniform(0, 2 * np.pi)
    shifted = cv2.warpAffine(cover, np.float32([[1, 0, far * np.cos(way)], [0, 1, far * np.sin(way)]]), (side, side))
    dark = 1 - rng.uniform(0.1, 0.6) * cv2.GaussianBlur(shifted, (0, 0), soft)
    cover = cover[..., None]
    return (ground * dark[..., None] * (1 - cover) + colours * cover).astype(np.float32)


def _sheet(picture: np.ndarray, rng: np.random.Generator, side: int) -> np.ndarray:
    inner = 460
    ink = _large(picture, inner, rng)
    if rng.random() < 0.3:  # a printer's dots
        y, x = np.mgrid[0:inner, 0:inner]
        dots = (np.sin(x * 1.1 + y * 0.4) * np.sin(y * 1.1 - x * 0.4) + 1) / 2
        ink = cv2.GaussianBlur((ink > dots).astype(np.float32), (0, 0), 1.2)
    level = 1 - 0.9 * ink if rng.random() < 0.6 else 0.08 + 0.9 * ink
    top, left, right, bottom = (rng.uniform(0.02, 0.25, 4) * inner).astype(int)
    sheet = cv2.copyMakeBorder(level, top, bottom, left, right, cv2.BORDER_CONSTANT, value=1.0)
    white = np.array([1, rng.uniform(0.94, 1), rng.uniform(0.86, 1)], np.float32) * rng.uniform(0.85, 1)
    return _onto(_surface(rng, side), sheet[..., None] * white, np.ones(sheet.shape, np.float32), rng)


def _monitor(picture: np.ndarray, rng: np.random.Generator, side: int) -> np.ndarray:
    inner, rim = 560, int(rng.integers(8, 40))
    level = _large(picture, inner, rng)
    level = 1 - level if rng.random() < 0.5 else level
    lit = np.repeat((0.05 + 0.93 * level)[..., None], 3, axis=2)
    y, x = np.mgrid[0:inner, 0:inner].astype(np.float32)
    for channel, phase in enumerate((0, 2.1, 4.2)):  # what is left of pixels that are finer than the camera's
        wave = np.sin(x * rng.uniform(0.05, 0.6) + y * rng.uniform(-0.3, 0.3) + phase)
        lit[..., channel] *= 1 + rng.uniform(0, 0.08) * wave
    screen = cv2.copyMakeBorder(lit, rim, rim, rim, rim, cv2.BORDER_CONSTANT, value=(rng.uniform(0.02, 0.15),) * 3)
    room = _surface(rng, side) * rng.uniform(0.2, 0.9)
    return _onto(room, screen.astype(np.float32), np.ones(screen.shape[:2], np.float32), rng)


def _garment(picture: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Colours float32 [h, w, 3] and cover float32 [h, w] of a garment with that shape and those shades."""
    inner = 560
    filled = cv2.morphologyEx((picture[:, :, 0] > 16).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    soft = cv2.resize(filled.astype(np.float32), (inner, inner), interpolation=cv2.INTER_CUBIC)
    cover = np.clip((cv2.GaussianBlur(soft, (0, 0), 7) - 0.42) * 9, 0, 1)
    shade = cv2.GaussianBlur(_large(picture, inner, rng), (0, 0), rng.uniform(1, 3))
    hue, strong = rng.uniform(0, 360), rng.uniform(0, 0.85)
    colour = cv2.cvtColor(np.array([[[hue, strong, rng.uniform(0.5, 1)]]], np.float32), cv2.COLOR_HSV2RGB).reshape(3)
    tone = 0.3 + 0.7 * shade + 0.04 * cv2.resize(_fractal(rng, 140, 1.6), (inner, inner))
    return np.clip(tone[..., None] * colour, 0, 1).astype(np.float32), cover.astype(np.float32)


def _coloured(picture: np.ndarray, rng: np.random.Generator, side: int) -> np.ndarray:
    return _onto(_surface(rng, side), *_garment(picture, rng), rng)


def _plain(picture: np.ndarray, rng: np.random.Generator, side: int) -> np.ndarray:
    colour = np.clip(rng.uniform(0.55, 1) + rng.uniform(-0.06, 0.06, 3), 0, 1)
    if rng.random() < 0.4:
        colour = np.array([0.98, 0.98, 0.98])
    ground = np.broadcast_to(colour.astype(np.float32), (side, side, 3)).copy()
    ground *= 1 + 0.01 * _fractal(rng, side, 1)[..., None]
    return _onto(ground, *_garment(picture, rng), rng)


def _camera(scene: np.ndarray, rng: np.random.Generator, *, steep: float) -> np.ndarray:
    """The scene from above, not quite upright; no corner of the frame lies beyond it."""
    high, wide = scene.shape[:2]
    frame = np.float32([(0, 0), (wide, 0), (wide, high), (0, high)])
    ratio = float(rng.choice([1, 0.75, 0.8]))  # width of the frame to its height
    inner = np.float32([(wide * (1 - ratio) / 2, 0), (wide * (1 + ratio) / 2, 0), (wide * (1 + ratio) / 2, high),
                        (wide * (1 - ratio) / 2, high)]) if wide == high else frame  # fmt: skip
    seen = inner + rng.uniform(-steep, steep, (4, 2)).astype(np.float32) * (wide, high)
    size = (int(wide * ratio) if wide == high else wide, high)
    target = np.float32([(0, 0), (size[0], 0), size, (0, size[1])])
    way = cv2.getPerspectiveTransform(seen.astype(np.float32), target)
    return cv2.warpPerspective(scene, way, size, flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REFLECT)


def _lit(scene: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One lamp, the colour of its light, the lens' darker corners, and somebody's shadow at times."""
    high, wide = scene.shape[:2]
    y, x = np.mgrid[0:high, 0:wide].astype(np.float32)
    y, x = y / high - 0.5, x / wide - 0.5
    lamp = rng.uniform(-0.8, 0.8, 2)
    light = 1 / (1 + rng.uniform(0, 0.5) * ((x - lamp[0]) ** 2 + (y - lamp[1]) ** 2))
    light *= 1 - rng.uniform(0, 0.35) * (x**2 + y**2)
    if rng.random() < 0.25:
        way = rng.uniform(0, 2 * np.pi)
        edge = (np.cos(way) * x + np.sin(way) * y - rng.uniform(0, 0.3)) * rng.uniform(6, 30)
        light *= 1 - rng.uniform(0.1, 0.35) / (1 + np.exp(-edge))
    cast = np.array([rng.uniform(0.88, 1.12), 1, rng.uniform(0.85, 1.15)])
    return scene * light[..., None] * cast * rng.uniform(0.75, 1.1)


def _file(scene: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Focus, grain, size and JPEG."""
    soft = cv2.GaussianBlur(scene.astype(np.float32), (0, 0), rng.uniform(0.4, 2.2))
    long = int(np.exp(rng.uniform(np.log(200), np.log(3_000))))
    share = long / max(soft.shape[:2])
    sized = cv2.resize(soft, None, fx=share, fy=share, interpolation=cv2.INTER_AREA if share < 1 else cv2.INTER_LINEAR)
    grain = rng.normal(size=sized.shape).astype(np.float32) * rng.uniform(0.002, 0.03)
    levels = np.clip(np.rint((np.clip(sized, 0, 1) ** rng.uniform(0.85, 1.15) + grain) * 255), 0, 255).astype(np.uint8)
    _, code = cv2.imencode(".jpg", levels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(40, 91))])
    return np.ascontiguousarray(cv2.imdecode(code, cv2.IMREAD_COLOR)[..., ::-1])
