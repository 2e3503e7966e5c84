"""A photograph made smaller, as a file again."""

import io

from PIL import Image

from ml.images.decoding import decode
from ml.images.fitted import GATE
from ml.images.form import pil
from ml.images.geometry import TURNS

QUALITY = 85


def smaller(content: bytes, side: int) -> bytes:
    """The same file where its sides are at most `side` pixels, else a JPEG of that side, upright. Raises Refusal."""
    picture = decode(content, gate=GATE)
    if max(picture.height, picture.width) <= side:
        return content
    image = pil(picture.pixels)
    turn = TURNS.get(picture.orientation)
    image = image if turn is None else image.transpose(turn)
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=QUALITY)
    return file.getvalue()
