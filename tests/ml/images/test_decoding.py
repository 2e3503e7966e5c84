"""Pictures of every depth and colour that scanners, cameras and programs write: one grey from all of them, or words."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from ml.images.decoding import FORMATS, NAMES, Refusal, decode
from ml.images.form import Form
from ml.images.preparation import prepare

DARK, LIGHT = 20, 200
GREY = np.full((28, 30), DARK, np.uint8)
GREY[7:21, 7:21] = LIGHT
DEEP = GREY.astype(np.uint16) * 257


def encoded(image, form, **options):
    file = io.BytesIO()
    (Image.fromarray(image) if isinstance(image, np.ndarray) else image).save(file, form, **options)
    return file.getvalue()


def png16(kind, pixels, chunks=()):
    """A PNG of 16 bits a channel. kind: its colour type."""

    def chunk(name, content):
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    height, width = pixels.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels.reshape(height, -1))
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0))
    rest = [chunk(*one) for one in chunks] + [chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(rest)


def tiff(pixels, kind, *, white=1, order="<", sample=1):
    """A TIFF of one strip. kind: numpy's, without byte order; white: 0 where 0 is white; sample: 3 for floats."""
    raw = pixels.astype(order + kind).tobytes()
    height, width = pixels.shape
    tags = [(256, width), (257, height), (258, 8 * int(kind[1])), (259, 1), (262, white), (277, 1), (278, height),
            (339, sample)]  # fmt: skip
    entries = [struct.pack(f"{order}HHIHH", tag, 3, 1, value, 0) for tag, value in tags]
    entries += [struct.pack(f"{order}HHII", 273, 4, 1, 8), struct.pack(f"{order}HHII", 279, 4, 1, len(raw))]
    entries.sort(key=lambda entry: struct.unpack(f"{order}H", entry[:2]))
    start = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8 + len(raw)) + raw
    return start + struct.pack(f"{order}H", len(entries)) + b"".join(entries) + bytes(4)


COVER = np.where(GREY > 100, 65535, 0).astype(np.uint16)
GREYS = {
    "PNG 16": png16(0, DEEP),
    "PNG 16 RGB": png16(2, np.dstack([DEEP] * 3)),
    "PNG 16 RGBA": png16(6, np.dstack([DEEP] * 3 + [np.full_like(DEEP, 65535)])),
    "TIFF 8": tiff(GREY, "u1"),
    "TIFF 8, 0 is white": tiff(255 - GREY, "u1", white=0),
    "TIFF 16": tiff(DEEP, "u2"),
    "TIFF 16, big end first": tiff(DEEP, "u2", order=">"),
    "TIFF 16, 0 is white": tiff(65535 - DEEP, "u2", white=0),
    "TIFF float": tiff(GREY / 255, "f4", sample=3),
    "TIFF float, big end first": tiff(GREY / 255, "f4", sample=3, order=">"),
    "TIFF LZW": encoded(GREY, "TIFF", compression="tiff_lzw"),
    "TIFF deflate, 16": encoded(DEEP, "TIFF", compression="tiff_deflate"),
    "TIFF whole numbers": encoded(GREY.astype(np.int32) * 257, "TIFF"),
    "TIFF palette": encoded(Image.fromarray(np.dstack([GREY] * 3)).quantize(4), "TIFF"),
    "BMP": encoded(GREY, "BMP"),
    "BMP palette": encoded(Image.fromarray(np.dstack([GREY] * 3)).quantize(4), "BMP"),
    "PGM": encoded(GREY, "PPM"),
    "PGM 16": b"P5 30 28 65535\n" + DEEP.astype(">u2").tobytes(),
    "PGM in letters": b"P2\n# by hand\n30 28\n255\n" + b" ".join(str(level).encode() for level in GREY.ravel()),
    "PFM": b"Pf\n30 28\n-1.0\n" + (GREY[::-1].astype("<f4") / 255).tobytes(),
    "WebP": encoded(GREY, "WEBP", lossless=True),
    "AVIF": encoded(GREY, "AVIF", quality=100),
    "JPEG 2000": encoded(GREY, "JPEG2000"),
    "GIF": encoded(GREY, "GIF"),
}  # fmt: skip
CLEAR = {  # transparent but for the thing, which is light: laid on black
    "PNG 16 with alpha": png16(4, np.dstack([DEEP, COVER])),
    "PNG 16 without one grey": png16(0, DEEP, [(b"tRNS", struct.pack(">H", DARK * 257))]),
    "PNG without one grey": encoded(GREY, "PNG", transparency=DARK),
    "PNG without one colour": encoded(np.dstack([GREY] * 3), "PNG", transparency=(DARK,) * 3),
    "TIFF with alpha": encoded(
        Image.merge("LA", [Image.fromarray(GREY), Image.fromarray((COVER >> 8).astype(np.uint8))]), "TIFF"
    ),
}


@pytest.mark.parametrize("kind", GREYS)
def test_a_grey_is_the_same_from_any_file(kind):
    picture = decode(GREYS[kind])
    np.testing.assert_allclose(picture.pixels[..., 0], GREY, atol=1)
    assert (picture.pixels.shape, picture.dim) == ((28, 30, 1), False)


@pytest.mark.parametrize("kind", CLEAR)
def test_what_is_transparent_is_laid_on_black_behind_a_light_thing(kind):
    np.testing.assert_array_equal(decode(CLEAR[kind]).pixels[..., 0], np.where(GREY == LIGHT, LIGHT, 0))


@pytest.mark.parametrize("form", ["PNG", "BMP", "TIFF", "PPM", "GIF"])
def test_two_levels_are_black_and_white(form):
    np.testing.assert_array_equal(decode(encoded(GREY > 100, form)).pixels[..., 0], np.where(GREY > 100, 255, 0))


def test_a_tiff_whose_pages_are_kept_as_jpeg():
    """The first page counts. A picture that was saved as JPEG before cannot be a page; a copy of it can."""
    pages = [Image.fromarray(np.dstack([GREY, GREY // 2, GREY // 3])), Image.fromarray(np.dstack([255 - GREY] * 3))]
    file = io.BytesIO()
    pages[0].save(file, "TIFF", compression="jpeg", quality=95, save_all=True, append_images=pages[1:])
    assert Image.open(file).n_frames == 2
    np.testing.assert_allclose(decode(file.getvalue()).pixels[4:-4, 4:-4], np.asarray(pages[0])[4:-4, 4:-4], atol=60)
    assert np.abs(decode(file.getvalue()).pixels.astype(int) - np.asarray(pages[0])).mean() < 8


@pytest.mark.parametrize("mode", ["CMYK", "YCbCr", "LAB"])
def test_other_colours_become_red_green_and_blue(mode):
    from PIL import ImageCms

    colour = Image.fromarray(np.dstack([GREY, GREY // 2, GREY // 3]))
    if mode == "LAB":
        profiles = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
        turned = ImageCms.profileToProfile(colour, *profiles, outputMode="LAB")
    else:
        turned = colour.convert(mode)
    np.testing.assert_allclose(decode(encoded(turned, "TIFF")).pixels, np.asarray(colour), atol=3)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_a_turned_file_is_upright_once(form):
    """Pillow turns a TIFF by itself while it loads."""
    wide = Image.fromarray(np.dstack([GREY[:20]] * 3))
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = decode(encoded(wide, form, tiffinfo={274: 6}) if form == "TIFF" else encoded(wide, form, exif=exif))
    shown = prepare(picture.pixels, Form(30, 20, 3), orientation=picture.orientation, mode="none").image
    expected = np.asarray(wide.transpose(Image.Transpose.ROTATE_270).convert("L"))
    np.testing.assert_allclose(shown[..., 0], expected, atol=40)
    assert shown.shape[:2] == (30, 20)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (tiff(GREY, "f4", sample=3), "numbers beyond 0 to 1"),
        (tiff(np.full((8, 8), np.nan), "f4", sample=3), "numbers beyond 0 to 1"),
        (tiff(DEEP.astype(np.uint32) * 65537, "u4"), "whole numbers beyond 0 to 65,535"),
        (encoded(np.full((8, 8), -5, np.int32), "TIFF"), "whole numbers beyond 0 to 65,535"),
    ],
)
def test_levels_of_which_nobody_can_say_what_is_white_are_refused(content, words):
    with pytest.raises(Refusal, match=words):
        decode(content)


def test_a_file_for_sixteen_bits_that_holds_twelve_is_called_dim():
    picture = decode(png16(0, GREY.astype(np.uint16) * 16))
    assert picture.dim
    assert picture.pixels.max() == 12
    assert not decode(png16(0, np.zeros((8, 8), np.uint16))).dim, "black is black"


def test_the_small_copy_that_a_raw_picture_begins_with_is_not_taken_for_it():
    preview = encoded(GREY, "TIFF", tiffinfo={254: 1})
    with pytest.raises(Refusal, match="raw picture"):
        decode(preview)


def test_every_form_is_named():
    for form in FORMATS:
        assert {"PPM": "PNM", "JPEG2000": "JPEG 2000"}.get(form, form).casefold() in NAMES.casefold()


@pytest.mark.parametrize(("form", "words"), [("ICO", "an icon"), ("TGA", "a Targa picture")])
def test_an_icon_and_a_targa_picture_are_told_apart(form, words):
    file = io.BytesIO()
    Image.new("RGB", (32, 32), "red").save(file, form)
    with pytest.raises(Refusal, match=f"This is {words}, which cannot be read here"):
        decode(file.getvalue())
