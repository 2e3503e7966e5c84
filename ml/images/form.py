"""What a network's pictures look like, and a picture on its way there with what is known of it."""

from dataclasses import dataclass, field

import numpy as np
from PIL import Image

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Form:
    """What a network's pictures look like. background: the grey level their border has, None where it is not plain;
    peak: the level farthest from it that nearly every picture reaches, None where they differ in that.

    fitting: how a picture of another size was made to fit, one of ml.images.fitting.FITTINGS; resampling: by which of
    its RESAMPLING; laid_on: the colour, #rrggbb, that transparent things are laid on and that surrounds what is padded,
    '' for none chosen; levels: of pictures with more than eight bits, the two that are black and white, None for those
    of the file's own kind; steps: the steps for photographs that were measured to help, None for all of them.
    """

    height: int
    width: int
    channels: int
    background: int | None = None
    peak: int | None = field(default=None, compare=False)
    fitting: str = "pad"
    steps: frozenset[str] | None = None
    resampling: str = "lanczos"
    laid_on: str = ""
    levels: tuple[float, float] | None = None

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
    """One step as it came out. image: uint8 [h, w, c] after it; done: whether it ran; why: one line on what it did.

    taken: False where the mode or the form leaves it out, whatever is switched.
    """

    name: str
    title: str
    why: str
    image: np.ndarray
    done: bool
    taken: bool = True


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
    None where none is plain; thing: bool [h, w], where it differs from the ground; flat: whether that ground is as
    even as a drawing's or a shop's; lies: whether the thing lies as training pictures do; straight: whether it is as
    straight as the sheet that shows it; turn, box, ways: see prepare; fitting: see Form, of what comes to the step that
    scales; sharpen: whether that step may; place: see Prepared."""

    image: np.ndarray
    form: Form
    orientation: int = 1
    turn: float = 0.0
    box: Box | None = None
    ways: frozenset[str] = frozenset()
    ground: np.ndarray | None = None
    thing: np.ndarray | None = None
    flat: bool = False
    lies: bool = False
    straight: bool = False
    fitting: str = "stretch"
    sharpen: bool = False
    place: np.ndarray = field(default_factory=lambda: np.eye(2, 3))


def pil(image: np.ndarray) -> Image.Image:
    return Image.fromarray(np.ascontiguousarray(image[:, :, 0] if image.shape[2] == 1 else image))


def to_channels(image: np.ndarray, channels: int) -> np.ndarray:
    """A grey picture repeated for a colour network, a colour one reduced for a grey network."""
    if image.shape[2] == channels:
        return image
    if image.shape[2] == 1:
        return np.repeat(image, channels, axis=2)
    if (image == image[:, :, :1]).all():
        return image[:, :, :1]
    return np.asarray(pil(image).convert("L"))[:, :, None]


def frame_pixels(image: np.ndarray, width: int = 1) -> np.ndarray:
    """The pixels of the frame, [n, c]."""
    inner = np.zeros(image.shape[:2], bool)
    inner[width : image.shape[0] - width, width : image.shape[1] - width] = True
    return image[~inner]
