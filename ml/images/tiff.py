"""What Pillow makes of TIFF files that it reads otherwise than they are meant, or not at all."""

import io
import re
import struct
from typing import IO

from PIL import Image, ImageFile, TiffImagePlugin

SAMPLES, BITS, FORMAT, PLANAR, DESCRIPTION = 277, 258, 339, 284, 270  # tags
APART, FLOAT = 2, 3  # values of the planar configuration and of the sample format
SHAPE = re.compile(r'\{"shape": \[(\d+), (\d+), (\d+)\]')  # of an array, as tifffile writes it
CHANNELS = 16  # the most that a short last side is taken for
ROWS = 50_000  # the most pages that are counted


def mended(image: ImageFile.ImageFile) -> None:
    """Say how levels of 16 bits stand where each channel lies by itself: Pillow (13.0.0) reads every byte of an
    unpacked one as a level of its own. image: a file that is not loaded."""
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        return
    tags = image.tag_v2
    if tags.get(PLANAR) == APART and {*tags.get(BITS, ())} == {16}:
        order = ";16B" if tags.prefix == b"MM" else ";16L"
        image.tile = [
            one._replace(args=(f"{one.args[0]}{order}", *one.args[1:]))
            if one.codec_name == "raw" and isinstance(one.args, tuple) and one.args[0] in ("R", "G", "B", "A")
            else one
            for one in image.tile
        ]


def channels_as_rows(image: Image.Image) -> int:
    """How many channels a picture has of which tifffile (2026.3.3) wrote each row as a page, as it does with an array
    of [h, w, 13] that nothing else is said of; 0 for any other file."""
    shape = SHAPE.match(str(getattr(image, "tag_v2", {}).get(DESCRIPTION, "")))
    if shape is None:
        return 0
    height, width, channels = map(int, shape.groups())
    as_rows = channels <= CHANNELS and channels < min(height, width) and image.size == (channels, width)
    file = getattr(image, "fp", None)
    return channels if as_rows and height <= ROWS and file is not None and _pages(file, height) == height else 0


def _pages(file: IO[bytes], most: int) -> int:
    """How many pages a file has, most + 1 where there are more. Pillow (13.0.0) would read all tags of each: a third of
    a millisecond, of which a file of 30 MB has room for a quarter of a million."""
    here, pages = file.tell(), 0
    try:
        file.seek(0)
        head = file.read(16)
        order, big = "<" if head[:2] == b"II" else ">", 43 in head[2:4]
        count, place = (struct.Struct(order + kind) for kind in ("QQ" if big else "HI"))
        at = place.unpack_from(head, place.size)[0]
        while at and pages <= most:
            file.seek(at)
            tags = count.unpack(file.read(count.size))[0]
            file.seek(tags * (20 if big else 12), io.SEEK_CUR)
            at, pages = place.unpack(file.read(place.size))[0], pages + 1
    except (struct.error, OSError, OverflowError, ValueError):  # it breaks off, or leads out
        return pages
    finally:
        file.seek(here)
    return pages


def words(content: bytes) -> str:
    """What a TIFF file that Pillow does not read has, '' where that cannot be told or is not what is rare of it."""
    try:
        head = TiffImagePlugin.ImageFileDirectory_v2(content[:8])
        head.load(_at(content, head.next))
    except Exception:  # a damaged head is answered with nearly any exception
        return ""
    samples, depths, kinds = (_numbers(head.get(tag)) for tag in (SAMPLES, BITS, FORMAT))
    channels, bits = max(samples, default=1), max(depths, default=1)
    number = "floating-point numbers" if FLOAT in kinds else "whole numbers"
    each = f"{channels} channels" if channels != 1 else "one channel"
    if (bits <= 8 and channels <= 4) or (channels == 1 and bits <= 32 and number.startswith("whole")):
        return ""
    return f"a TIFF file of {each} of {number} of {bits} bits"


def _numbers(value: object) -> tuple[int, ...]:
    """Of a tag, whose file decides what kind it is of; none where these are no small whole numbers."""
    values = value if isinstance(value, tuple) else (value,)
    return values if all(isinstance(one, int) and 0 <= one < 2**16 for one in values) else ()


def _at(content: bytes, place: int) -> io.BytesIO:
    file = io.BytesIO(content)
    file.seek(place)
    return file
