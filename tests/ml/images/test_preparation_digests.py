"""Generated pictures through every form and many choices, frozen: a preparation that gives other levels is another one.

A digest that differs is a change to every picture that people upload. GrabCut is left out: OpenCV picks its arithmetic
by the processor.
"""

import hashlib

import numpy as np
import pytest

from ml.images.form import Form
from ml.images.preparation import MODES, WAYS, prepare

FORMS = (
    Form(28, 28, 1, background=0, peak=255),
    Form(24, 32, 1, background=255, peak=0),
    Form(32, 32, 3, background=255),
    Form(40, 32, 3),
)
CHOICES = (
    *({"mode": mode, "orientation": turn} for mode in MODES for turn in (1, 6)),
    *({"ways": (way,)} for way in WAYS if way != "pair"),  # pairs are found by OpenCV too
    {"turn": 25.0, "box": (0.1, 0.1, 0.9, 0.8), "off": ("clear",)},
    {"off": ("crop", "grey", "polarity")},
    {"off": ("straighten", "square", "contrast")},
)


def bar(ground: int, level: int, lean: float = 0.0) -> np.ndarray:
    """uint8 [120, 160, 3]: a bar of 60 × 30, turned by `lean` radians, on a ground that grows lighter downwards."""
    y, x = np.mgrid[0:120, 0:160].astype(float)
    along = (x - 85) * np.cos(lean) + (y - 58) * np.sin(lean)
    across = (y - 58) * np.cos(lean) - (x - 85) * np.sin(lean)
    picture = np.repeat((ground + y / 12)[..., None], 3, axis=2)
    picture[(abs(along) < 30) & (abs(across) < 15)] = (level, level / 2 + 20, level / 3)
    return np.clip(picture, 0, 255).astype(np.uint8)


PICTURES = {
    "dark": (bar(230, 40), "832fe2f1b30954d0"),
    "light": (bar(10, 220), "8851a7f2bf87ea56"),
    "leaning": (bar(230, 40, lean=0.35), "7ea4b0d52b34627c"),
    "small": (
        np.pad(np.random.default_rng(0).integers(64, 256, (12, 16, 1)).astype(np.uint8), ((8, 8), (6, 6), (0, 0))),
        "f0f5fbe73cd4246e",
    ),
}


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_prepared_as_it_always_was(name):
    picture, expected = PICTURES[name]
    whole = hashlib.sha256()
    for form in FORMS:
        for choice in CHOICES:
            prepared = prepare(picture, form, **choice)
            for step in prepared.steps:
                whole.update(f"{step.name} {step.done} {step.why} {step.image.shape}".encode())
                whole.update(np.ascontiguousarray(step.image).tobytes())
            whole.update(str((prepared.place.round(6) + 0.0).tolist()).encode())
    assert whole.hexdigest()[:16] == expected
