"""What an import understands of a source, for the tests of its kinds."""

import io
import json

import numpy as np
from PIL import Image

from ml.data import importing

CHANCE = np.random.default_rng(0)
N = 24
LABELS = ["ring" if i % 2 else "block" for i in range(N)]


def png(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def drawn(n=N, size=(8, 9, 3)):
    """uint8 [n, h, w, c] that differ."""
    return CHANCE.integers(0, 256, (n, *size), np.uint8)


class Seen:
    """What was found of a source, with every picture read."""

    def __init__(self, place, **choices):
        with importing.opened(place, importing.Choices(**choices)) as found:
            self.found, self.classes, self.records = found, found.classes, found.records
            self.labels = [None if one.label is None else found.classes[one.label] for one in found.records]
            self.splits = [one.split for one in found.records]
            self.groups = [one.group for one in found.records]
            self.content = []
            self.pixels = [one.pixels() for one in found.records if one.pixels]
            for one in found.records:
                try:
                    self.content.append(one.content())
                except (OSError, ValueError) as error:
                    self.content.append(str(error))
            self.told = "\n".join([*found.notes, *found.left_out.lines()])


def written(place, value):
    """A text, or anything else as JSON, in a file whose folders are made."""
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(value if isinstance(value, str) else json.dumps(value), "utf-8")
