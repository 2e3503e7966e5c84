"""Pictures that people send to the app: what a page and the API may carry, and data URLs."""

import base64
import binascii
import io
from typing import Any

import numpy as np
from PIL import Image

from ml.images import decoding
from ml.images.decoding import GATE, LOSSLESS, ORIENTATION, Gate, Picture, Refusal

__all__ = [
    "API_BYTES", "GATE", "ORIENTATION", "PAGE_BYTES", "Gate", "Picture", "Refusal", "allowed", "data_url", "decode",
    "from_data_url", "thumbnail",
]  # fmt: skip

PAGE_BYTES = 12_000_000  # of file in the page: base64 makes it the 16 MB a callback may carry
API_BYTES = decoding.FILE_BYTES


def allowed(limit: int = PAGE_BYTES) -> str:
    """What may be sent, as a sentence."""
    return decoding.allowed(limit)


def decode(content: bytes, *, limit: int = PAGE_BYTES, gate: Gate = GATE, **how: Any) -> Picture:
    """Pixels of a file; how: see ml.images.decoding, as ml.images.fitting.reading has it. Raises Refusal."""
    return decoding.decode(content, limit=limit, gate=gate, **how)


def from_data_url(contents: Any, *, limit: int = PAGE_BYTES) -> bytes:
    """The bytes of what a browser's file reader gives, `data:<type>;base64,<…>`. Raises Refusal."""
    if contents == "data:":  # what some browsers make of an empty file
        return b""
    head, comma, body = contents.partition(",") if isinstance(contents, str) else ("", "", "")
    if not comma or not head.startswith("data:") or not head.endswith("base64"):
        raise Refusal(f"The picture did not arrive in one piece. {allowed(limit)}", 400)
    if len(body) * 3 // 4 > limit + 2:
        raise Refusal(f"This file has {len(body) * 0.75e-6:.1f} MB, which is too much. {allowed(limit)}", 413)
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        raise Refusal(f"The picture did not arrive in one piece. {allowed(limit)}", 400) from None


def data_url(picture: Picture) -> str:
    """A picture as a file of its own, to be kept by the browser and decoded again; orientation stays in its EXIF."""
    image = Image.fromarray(picture.pixels[:, :, 0] if picture.pixels.shape[2] == 1 else picture.pixels)
    exif = Image.Exif()
    if picture.orientation != 1:
        exif[ORIENTATION] = picture.orientation
    buffer = io.BytesIO()
    if image.width * image.height <= LOSSLESS:
        image.save(buffer, "PNG", exif=exif, compress_level=1)  # a quarter of the time, a tenth more bytes
        kind = "png"
    else:
        image.save(buffer, "JPEG", quality=92, subsampling=0, exif=exif)
        kind = "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"


def thumbnail(image: np.ndarray, side: int = 320) -> str:
    """uint8 [h, w, 1, 3 or 4] as a data URL for showing: PNG up to 128 pixels a side, else WebP; what has alpha keeps
    its size."""
    picture = Image.fromarray(np.ascontiguousarray(image[:, :, 0] if image.shape[2] == 1 else image))
    buffer = io.BytesIO()
    if max(picture.size) <= 128:
        picture.save(buffer, "PNG")
        kind = "png"
    else:
        if image.shape[2] != 4:
            picture.thumbnail((side, side), Image.Resampling.BILINEAR)
        picture.save(buffer, "WEBP", quality=82, method=0)
        kind = "webp"
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"
