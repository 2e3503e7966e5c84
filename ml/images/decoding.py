"""Reads pictures that people give: bytes in, pixels out, or one sentence on what is wrong and what is allowed.

Nothing here trusts a file name or a declared type, and nothing is written to disk. Sizes are read from the header
before a pixel is decoded.
"""

import io
import logging
import re
import threading
import warnings
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from PIL import Image

from ml.images import tiff
from ml.images.fitting import rgb
from ml.images.levels import is_cover

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF", "JPEG2000")
HEIF = re.compile(rb"....ftyp(?:hei[cxms]|hev[cx]|mif1|msf1)", re.DOTALL)  # as telephones save them
NAMES = "PNG, JPEG, JPEG 2000, WebP, GIF, BMP, TIFF, AVIF, HEIC and PNM"  # PNM: PBM, PGM, PPM and PFM
FILE_BYTES = 30_000_000  # of one file, packed
BASELINE_PIXELS = 50_000_000  # decoded at a fraction of its size, through Pillow's draft mode
PIXELS = 25_000_000  # progressive JPEG holds all its coefficients; the other formats know no fraction
MAX_DECODED_SIDE = 768  # longer side that is kept: far above any network here, small enough to travel with every switch
LOSSLESS = 65_536  # up to this many pixels a kept picture is PNG, above it JPEG

# anything above the larger cap fails while its header is read, WebP before its canvas is allocated
Image.MAX_IMAGE_PIXELS = BASELINE_PIXELS
warnings.simplefilter("error", Image.DecompressionBombWarning)

DEEP = ("I", "I;16", "I;16B", "I;16L", "F")  # modes of more than eight bits
Levels: TypeAlias = tuple[float, float]
ORIENTATION, PHOTOMETRIC, KIND_OF_PAGE = 0x0112, 0x0106, 0x00FE
WHITE_IS_ZERO, PREVIEW = 0, 1  # values of the last two
DIM = 0.125  # of its range: a deep file whose brightest pixel is below shows next to nothing in eight bits
STRANGERS = (
    (rb"%PDF", "a PDF file"),
    (rb"%!PS|\xc5\xd0\xd3\xc6", "a PostScript file"),
    (rb"PK\x03\x04", "a ZIP archive or an office file"),
    (rb"Rar!|7z\xbc\xaf|\x1f\x8b|BZh|\xfd7zXZ|.{257}ustar", "an archive"),
    (rb"....ftyp(?:hei|hev|mif|msf)", "a HEIC picture that is damaged or of a rare kind"),
    (rb"....ftypavi[fs]", "an AVIF picture of a rare kind"),
    (rb"....ftypcrx|II\*\x00....CR|IIU\x00|IIRO|FUJIFILMCCD-RAW", "a camera's raw picture"),
    (rb"....ftyp|....moov|\x1aE\xdf\xa3|RIFF....AVI ", "a video"),
    (rb"\xff\x0a|\x00\x00\x00\x0cJXL ", "a JPEG XL picture"),
    (rb"\x00\x00\x00\x0cjP  |\xff\x4f\xff\x51", "a JPEG 2000 picture of a rare kind"),
    (rb"8BPS", "a Photoshop file"),
    (rb"\x00\x00[\x01\x02]\x00[^\x00]", "an icon"),
    (rb"\x00\x00[\x02\x0a]\x00\x00", "a Targa picture"),
    (rb".{128}DICM", "a DICOM file"),
    (rb"SIMPLE  =", "a FITS file"),
    (rb".{344}n[+i]1\x00", "a NIfTI volume"),
    (rb"v/1\x01", "an OpenEXR picture"),
    (rb"\x89HDF", "an HDF5 file"),
    (rb"version https://git-lfs", "a pointer of Git LFS and no picture (git lfs pull fetches it)"),
    (
        rb"(?:\.\./)*(?:\.git)?/annex/objects/",
        "a pointer of git-annex and no picture (git annex get fetches it)",
    ),
    (
        rb"(?:\w[^\n]*\n)*outs:\s*\n\s*- (?:md5|hash)",
        "a pointer of DVC and no picture (dvc pull fetches it)",
    ),
    (rb"\x93NUMPY", "a NumPy array"),
    (rb"BM", "a BMP picture of a rare kind"),
    (rb"II[*+]\x00|MM\x00[*+]", "a TIFF picture of a rare kind"),
    (rb"\s*(?:<\?xml[^>]*>\s*)?<svg", "an SVG drawing"),
    (rb"\s*<(?:!doctype|html)", "a web page"),
)
log = logging.getLogger(__name__)


class Refusal(ValueError):
    """A picture that is not taken. str() is a sentence for people; status: HTTP, 4xx, or 503 when too busy."""

    def __init__(self, sentence: str, status: int = 400) -> None:
        super().__init__(sentence)
        self.status = status


@dataclass(frozen=True)
class Picture:
    """pixels: uint8 [h, w, 1 or 3], at most MAX_DECODED_SIDE a side, as stored; orientation: EXIF 1 to 8, not yet
    applied; width, height: of the file, as stored; dim: it has more than eight bits a pixel and uses only the lowest
    of their levels, so that it is all but black, as 12 bits in a file for 16 are; banded: it has a fourth channel that
    is no transparency, whatever the file says of it, and is left out."""

    pixels: np.ndarray
    orientation: int
    width: int
    height: int
    dim: bool = False
    banded: bool = False


class Gate:
    """At most `places` decodes at once; further ones wait `patience` seconds and are then refused with 503."""

    def __init__(self, places: int = 2, patience: float = 2.0) -> None:
        self._places, self._patience = threading.BoundedSemaphore(places), patience

    def __enter__(self) -> None:
        if not self._places.acquire(timeout=self._patience):
            raise Refusal("Too many pictures are being read right now. Try again in a few seconds.", 503)

    def __exit__(self, *_: object) -> None:
        self._places.release()


GATE = Gate()


def allowed(limit: int = FILE_BYTES) -> str:
    """What may be sent, as a sentence."""
    return f"Allowed are {NAMES} pictures of up to {limit // 1_000_000} MB and 25 megapixels (JPEG 50)."


def decode(
    content: bytes, *, limit: int = FILE_BYTES, gate: Gate = GATE, laid_on: str = "", levels: Levels | None = None
) -> Picture:
    """Pixels of a file of any of FORMATS (its first frame or page), whatever its colours. Raises Refusal.

    Transparent pictures are laid on a colour, #rrggbb, or on black or white, whichever stands out. 16-bit greys are
    scaled, not cut; of floating-point ones 0 is black and 1 is white. levels: which two levels of these are black and
    white instead.
    """
    if not content:
        raise Refusal(f"This file is empty. {allowed(limit)}", 400)
    if len(content) > limit:
        raise Refusal(f"This file has {len(content) / 1e6:.1f} MB, which is too much. {allowed(limit)}", 413)
    with gate:
        try:
            return _decode(content, limit, laid_on, levels)
        except Refusal:
            raise
        except Image.DecompressionBombError as error:
            raise _too_large(_number(error), limit) from None
        except Image.DecompressionBombWarning as warning:
            raise _too_large(_number(warning), limit) from None
        except Image.UnidentifiedImageError:
            raise _stranger(content, limit) from None
        except Exception as error:
            # Pillow's decoders answer bytes they cannot read with nearly any exception: here that means a broken file
            log.info("a picture could not be decoded: %s: %s", type(error).__name__, error)
            raise Refusal(f"This picture is damaged or incomplete and cannot be read. {allowed(limit)}", 422) from None


def _decode(content: bytes, limit: int, laid_on: str, levels: Levels | None) -> Picture:
    with Image.open(io.BytesIO(content), formats=formats(content)) as image:
        width, height = image.size
        baseline = image.format in ("JPEG", "MPO") and not image.info.get("progressive")
        if width * height > (BASELINE_PIXELS if baseline else PIXELS):
            raise _too_large(width * height, limit)
        if width < 1 or height < 1:
            raise Refusal(f"This picture has no pixels. {allowed(limit)}", 422)
        tags = getattr(image, "tag_v2", {})  # of a TIFF file
        if tags.get(KIND_OF_PAGE, 0) & PREVIEW:
            raise Refusal(f"This is a raw picture that begins with a small copy of itself. {allowed(limit)}", 415)
        negative = tags.get(PHOTOMETRIC) == WHITE_IS_ZERO
        if rows := tiff.channels_as_rows(image):
            raise Refusal(
                f"This TIFF file has the {rows} channels of a picture as columns and its rows as pages, as tifffile "
                f"writes an array that nothing is said of: write three of them as PNG. {allowed(limit)}",
                415,
            )
        tiff.mended(image)
        if baseline:
            image.draft(None, (MAX_DECODED_SIDE, MAX_DECODED_SIDE))
        image.load()
        orientation = image.getexif().get(ORIENTATION, 1)  # only now: a TIFF is turned while it loads
        if image.width * image.height > PIXELS:  # a GIF frame may reach beyond the canvas its header declares
            raise _too_large(image.width * image.height, limit)
        flat, dim = _eight_bits(image, negative, limit, levels)
        banded = bool(tags) and flat.mode == "RGBA" and not is_cover(np.asarray(flat.getchannel("A")))
        flat = flat.convert("RGB") if banded else flat
        if max(flat.size) > MAX_DECODED_SIDE:
            flat = flat.copy() if flat is image else flat  # a file that is read would be asked for a fraction of itself
            flat.thumbnail((MAX_DECODED_SIDE, MAX_DECODED_SIDE), Image.Resampling.LANCZOS, reducing_gap=3.0)
        pixels = _opaque(flat, laid_on)
    if is_grey(pixels):
        pixels = pixels[:, :, :1]
    orientation = orientation if isinstance(orientation, int) and 1 <= orientation <= 8 else 1
    return Picture(pixels, orientation, width, height, dim, banded)


def formats(start: bytes) -> tuple[str, ...]:
    """Pillow's names of what may be read. start: of a file; one that begins like HEIF brings its reader with it, once.

    libheif turns a picture as its container says; EXIF's orientation, which telephones write beside that, is dropped.
    """
    if not HEIF.match(start):
        return FORMATS
    from pillow_heif import register_heif_opener

    register_heif_opener(thumbnails=False)
    return (*FORMATS, "HEIF")


def is_grey(pixels: np.ndarray) -> bool:
    """Whether three channels say one thing. pixels: [h, w, 1 or 3]. A few of them tell of most pictures that they have
    colour, which is far quicker than all."""
    if pixels.shape[2] != 3:
        return False
    for part in (pixels[::9, ::9], pixels):
        red = part[..., 0]
        if (red != part[..., 1]).any() or (red != part[..., 2]).any():
            return False
    return True


def _eight_bits(image: Image.Image, negative: bool, limit: int, ends: Levels | None) -> tuple[Image.Image, bool]:
    """Any mode as L, LA, RGB or RGBA; and whether it is dim, see Picture. ends: the levels that are black and white.

    negative: 0 is white in this file, which Pillow minds in eight bits and not in more.
    """
    if image.mode in DEEP:
        levels, clear = np.asarray(image), image.info.get("transparency")
        most = 1 if image.mode == "F" else 65_535
        if ends is not None and np.isfinite(levels).all():
            low, high = ends
            dim, scaled = False, (levels.astype(np.float64) - low) * (255 / (high - low))
            grey = np.rint(scaled).clip(0, 255).astype(np.uint8)
            grey = 255 - grey if negative else grey
        elif not (levels.min() >= 0 and levels.max() <= most):  # also where a level is no number
            range_ = "numbers beyond 0 to 1" if most == 1 else "whole numbers beyond 0 to 65,535"
            raise Refusal(f"The levels of this picture are {range_}, of which nobody can say what is white. "
                          f"{allowed(limit)}", 422)  # fmt: skip
        else:
            dim = bool(0 < levels.max() < most * DIM) and not negative
            grey = (np.rint(levels * 255.0) if most == 1 else (levels.astype(np.uint32) + 128) // 257).astype(np.uint8)
            grey = 255 - grey if negative else grey
        if isinstance(clear, int):
            return Image.merge(
                "LA", [Image.fromarray(grey), Image.fromarray((levels != clear).astype(np.uint8) * 255)]
            ).convert("RGBA"), dim
        return Image.fromarray(grey), dim
    if "transparency" in image.info or image.mode in ("LA", "La", "PA", "RGBA", "RGBa"):
        return image.convert("RGBA"), False
    mode = "L" if image.mode in ("1", "L") else "RGB"
    return image if image.mode == mode else image.convert(mode), False  # which would copy it


def _opaque(image: Image.Image, laid_on: str = "") -> np.ndarray:
    """uint8 [h, w, 1 or 3]. What is transparent becomes the chosen colour, else white behind dark things and black
    behind light ones."""
    pixels = np.asarray(image)
    if pixels.ndim == 2:
        return pixels[:, :, None]
    if pixels.shape[2] == 3:
        return pixels
    colour, cover = pixels[..., :3].astype(np.float32), pixels[..., 3:].astype(np.float32) / 255
    total = float(cover.sum())
    level = float((colour * cover).sum() / (3 * total)) if total else 0.0
    ground = np.array(rgb(laid_on) if laid_on else [255 if level < 128 else 0], np.float32)
    return np.rint(colour * cover + ground * (1 - cover)).astype(np.uint8)


def _too_large(pixels: int | None, limit: int) -> Refusal:
    size = f"has {pixels / 1e6:,.0f} megapixels, which" if pixels else "has so many pixels that it"
    return Refusal(f"This picture {size} is too large to read. {allowed(limit)}", 413)


def _number(error: BaseException) -> int | None:
    match = re.search(r"\d+", str(error))
    return int(match.group()) if match else None


def _stranger(content: bytes, limit: int) -> Refusal:
    name = next((name for magic, name in STRANGERS if re.match(magic, content[:512], re.DOTALL | re.IGNORECASE)), "")
    if "TIFF" in name and (has := tiff.words(content)):
        name = f"{has} (write the three that are red, green and blue as PNG)"
    what = f"This is {name}, which cannot" if name else "This file is not a picture that can"
    return Refusal(f"{what} be read here. {allowed(limit)}", 415)
