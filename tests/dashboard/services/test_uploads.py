"""Every kind of picture is read, everything else is refused in a sentence."""

import base64
import io
import re
import struct
import threading
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dashboard.services import uploads
from dashboard.services.uploads import decode
from ml.images import decoding
from ml.images.decoding import Gate, Picture, Refusal

RAMP = np.linspace(0, 255, 28 * 28).reshape(28, 28).round().astype(np.uint8)


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def png_of(width: int, height: int, rows: bytes = b"") -> bytes:
    """A PNG whose header says what it likes: grey, 8 bit."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("mode", "kind"),
    [("L", "PNG"), ("LA", "PNG"), ("RGB", "PNG"), ("RGBA", "PNG"), ("P", "PNG"), ("P", "GIF"), ("L", "GIF")],
)
def test_grey_pictures_keep_every_level_whatever_their_mode(mode, kind):
    picture = decode(encoded(Image.fromarray(RAMP).convert(mode), kind))
    assert picture.pixels.shape == (28, 28, 1)
    np.testing.assert_array_equal(picture.pixels[:, :, 0], RAMP)


def test_lossless_webp_keeps_every_level():
    picture = decode(encoded(Image.fromarray(RAMP).convert("RGB"), "WEBP", lossless=True))
    np.testing.assert_array_equal(picture.pixels[:, :, 0], RAMP)


def test_black_and_white_becomes_two_levels():
    picture = decode(encoded(Image.fromarray(RAMP).convert("1", dither=Image.Dither.NONE), "PNG"))
    assert np.unique(picture.pixels).tolist() == [0, 255]


def test_sixteen_bits_are_scaled_not_cut():
    deep = Image.fromarray(RAMP.astype(np.uint16) * 257)
    assert deep.mode == "I;16"
    np.testing.assert_array_equal(decode(encoded(deep, "PNG")).pixels[:, :, 0], RAMP)
    dim = Image.fromarray(np.full((4, 4), 384, np.uint16))  # 384 / 257 = 1.49
    assert set(np.unique(decode(encoded(dim, "PNG")).pixels)) == {1}


def test_cmyk_becomes_colour():
    red = decode(encoded(Image.new("CMYK", (64, 64), (0, 255, 255, 0)), "JPEG", quality=95)).pixels
    assert red.shape == (64, 64, 3)
    assert red[..., 0].min() > 200
    assert red[..., 1:].max() < 60


@pytest.mark.parametrize(("level", "ground"), [(20, 255), (235, 0)])
@pytest.mark.parametrize("mode", ["LA", "RGBA", "P"])
def test_transparency_shows_a_ground_that_stands_out(level, ground, mode):
    drawing = np.zeros((10, 10, 4), np.uint8)
    drawing[2:8, 2:8] = (level, level, level, 255)
    image = Image.fromarray(drawing)
    options = {}
    if mode == "P":
        image = Image.fromarray(np.where(drawing[..., 3] > 0, 1, 0).astype(np.uint8), "L").convert("P")
        image.putpalette([0, 0, 0, level, level, level])
        options = {"transparency": 0}
    elif mode == "LA":
        image = image.convert("LA")
    pixels = decode(encoded(image, "PNG", **options)).pixels
    assert pixels[0, 0, 0] == ground
    assert pixels[5, 5, 0] == level


def test_the_first_frame_of_an_animation_counts():
    frames = [Image.new("L", (16, 16), level) for level in (40, 200)]
    moving = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert set(np.unique(decode(moving).pixels)) == {40}


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_orientation_is_told_not_applied(orientation):
    exif = Image.Exif()
    exif[uploads.ORIENTATION] = orientation
    picture = decode(encoded(Image.new("RGB", (60, 30), "red"), "JPEG", exif=exif))
    assert picture.orientation == orientation
    assert (picture.width, picture.height) == (60, 30)
    assert picture.pixels.shape == (30, 60, 3)


@pytest.mark.parametrize("value", [0, 9, 77])
def test_nonsense_orientations_count_as_upright(value):
    exif = Image.Exif()
    exif[uploads.ORIENTATION] = value
    assert decode(encoded(Image.new("RGB", (60, 30)), "JPEG", exif=exif)).orientation == 1


def test_large_pictures_are_made_small_and_keep_their_proportions():
    picture = decode(encoded(Image.new("RGB", (3000, 1500), "navy"), "JPEG"))
    assert picture.pixels.shape == (384, 768, 3)
    assert (picture.width, picture.height) == (3000, 1500)


def test_what_the_browser_keeps_reads_back_the_same():
    small = Picture(RAMP[:, :, None], 6, 28, 28)
    again = decode(uploads.from_data_url(uploads.data_url(small)))
    np.testing.assert_array_equal(again.pixels, small.pixels)
    assert again.orientation == 6
    across, down = np.meshgrid(np.linspace(0, 255, 700), np.linspace(0, 255, 600))
    smooth = np.stack([across, down, 255 - across], axis=2).astype(np.uint8)
    url = uploads.data_url(Picture(smooth, 3, 700, 600))
    assert url.startswith("data:image/jpeg")
    photo = decode(uploads.from_data_url(url))
    assert photo.orientation == 3
    assert np.abs(photo.pixels.astype(int) - smooth).mean() < 2


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "exif", "10 bits"])
def test_heic_as_telephones_save_it(mode):
    """By its own container: the orientation that Exif tells beside it is of a picture that is upright already."""
    import pillow_heif

    decoding.formats(b"\0\0\0\x18ftypheic")
    across, down = np.meshgrid(np.linspace(0, 255, 64), np.linspace(0, 255, 40))
    smooth = np.stack([across, down, np.full_like(across, 90)], axis=2).astype(np.uint8)
    exif = Image.Exif()
    exif[uploads.ORIENTATION] = 6
    if mode == "10 bits":
        deep = pillow_heif.from_bytes("RGB;16", (64, 40), (smooth.astype(np.uint16) * 257).tobytes())
        file = io.BytesIO()
        deep.save(file, quality=95)
        content = file.getvalue()
    elif mode == "L":
        smooth = smooth[..., :1]
        content = encoded(Image.fromarray(smooth[..., 0]), "HEIF", quality=95)
    elif mode == "RGBA":
        smooth[20:] = 255  # dark things are laid on white
        cover = np.full((40, 64, 1), 255, np.uint8)
        cover[20:] = 0
        content = encoded(Image.fromarray(np.dstack([np.minimum(smooth, 120), cover])), "HEIF", quality=95)
        smooth[:20] = np.minimum(smooth[:20], 120)
    else:
        content = encoded(Image.fromarray(smooth), "HEIF", quality=95, **({"exif": exif} if mode == "exif" else {}))
    picture = decode(content)
    assert (picture.width, picture.height, picture.orientation) == (64, 40, 1)
    assert picture.pixels.shape == smooth.shape
    assert np.abs(picture.pixels.astype(int) - smooth).mean() < 2.5
    with pytest.raises(Refusal, match="damaged") as refusal:
        decode(content[: len(content) - 20])
    assert refusal.value.status in (415, 422)


BROKEN = encoded(Image.fromarray(RAMP), "PNG")
PHOTO = encoded(Image.effect_noise((300, 200), 60), "JPEG")
REFUSED = [
    ("empty", b"", 400, "is empty"),
    ("text", b"not a picture at all", 415, "not a picture"),
    ("signature alone", b"\x89PNG\r\n\x1a\n", 415, "not a picture"),
    ("pdf", b"%PDF-1.7 ...", 415, "a PDF file"),
    ("zip", b"PK\x03\x04" + bytes(60), 415, "a ZIP archive"),
    ("heic", b"\0\0\0\x18ftypheic" + bytes(40), 415, "a HEIC picture"),
    ("svg", b"<?xml version='1.0'?><svg onload='alert(1)'/>", 415, "an SVG drawing"),
    ("html", b"<!DOCTYPE html><script>alert(1)</script>", 415, "a web page"),
    ("jpeg xl", b"\xff\x0a" + bytes(40), 415, "a JPEG XL picture"),
    ("raw", b"II*\0\x10\0\0\0CR\2\0" + bytes(40), 415, "a camera's raw picture"),
    ("video", b"\0\0\0\x20ftypisom" + bytes(40), 415, "a video"),
    ("half a tiff", encoded(Image.new("L", (9, 9)), "TIFF")[:40], 422, "damaged or incomplete"),
    ("rare tiff", b"II*\0" + bytes(40), 415, "a TIFF picture of a rare kind"),
    ("26 megapixels of bmp", encoded(Image.new("1", (5_200, 5_000)), "BMP"), 413, "26 megapixels"),
    (
        "26 megapixels of tiff",
        encoded(Image.new("1", (5_200, 5_000)), "TIFF", compression="group4"),
        413,
        "26 megapixels",
    ),
    ("truncated png", BROKEN[: len(BROKEN) // 2], 422, "damaged or incomplete"),
    ("truncated jpeg", PHOTO[: len(PHOTO) // 2], 422, "damaged or incomplete"),
    ("wrong checksum", BROKEN[:45] + b"\0\0\0\0" + BROKEN[49:], 422, "damaged or incomplete"),
    ("no rows", png_of(100, 100), 422, "damaged or incomplete"),
    ("400 megapixels", png_of(20_000, 20_000, bytes(100)), 413, "400 megapixels"),
    ("60 megapixels", png_of(8_000, 7_500, bytes(100)), 413, "60 megapixels"),
    ("26 megapixels", png_of(5_200, 5_000, bytes(100)), 413, "26 megapixels"),
    ("too many bytes", bytes(12_000_001), 413, "12.0 MB"),
]


@pytest.mark.parametrize(
    ("content", "status", "words"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED]
)
def test_refusals_say_what_is_wrong_and_what_is_allowed(content, status, words):
    with pytest.raises(Refusal) as refusal:
        decode(content)
    assert refusal.value.status == status
    assert words in str(refusal.value)
    assert "Allowed are PNG, JPEG, JPEG 2000, WebP, GIF, BMP, TIFF, AVIF, HEIC and PNM pictures of up to 12 MB" in str(
        refusal.value
    )
    assert refusal.value.__cause__ is None


def test_megapixels_are_refused_before_a_pixel_is_decoded():
    wide = encoded(Image.new("L", (7_100, 7_100)), "PNG")  # 50.4 MPx of zeros, really there
    start = time.thread_time()
    with pytest.raises(Refusal, match="50 megapixels"):
        decode(wide)
    assert time.thread_time() - start < 0.05


def test_baseline_jpeg_may_be_larger_than_progressive():
    large = Image.new("L", (5_500, 5_000), 90)  # 27.5 MPx
    assert decode(encoded(large, "JPEG")).pixels.shape == (698, 768, 1)
    with pytest.raises(Refusal, match="megapixels"):
        decode(encoded(large, "JPEG", progressive=True))


@pytest.mark.parametrize(
    "contents", [None, 7, "", "data:image/png;base64", "http://a/b.png", "data:image/png;base64,@@@@"]
)
def test_contents_that_no_file_reader_sends_are_refused(contents):
    with pytest.raises(Refusal, match="did not arrive in one piece"):
        uploads.from_data_url(contents)


def test_an_empty_file_is_called_empty():
    for contents in ("data:", "data:application/octet-stream;base64,"):
        with pytest.raises(Refusal, match="is empty"):
            decode(uploads.from_data_url(contents))


def test_long_contents_are_refused_before_they_are_decoded():
    with pytest.raises(Refusal, match="too much") as refusal:
        uploads.from_data_url("data:;base64," + "A" * 16_000_100)
    assert refusal.value.status == 413


def test_a_third_decode_waits_and_is_then_refused():
    gate = Gate(places=2, patience=0.2)
    inside, leave = threading.Barrier(3), threading.Event()

    def hold() -> None:
        with gate:
            inside.wait(5)
            leave.wait(5)

    holders = [threading.Thread(target=hold) for _ in range(2)]
    for holder in holders:
        holder.start()
    inside.wait(5)
    start = time.perf_counter()
    with pytest.raises(Refusal) as refusal:
        decode(encoded(Image.new("L", (4, 4)), "PNG"), gate=gate)
    assert refusal.value.status == 503
    assert 0.15 < time.perf_counter() - start < 2
    leave.set()
    for holder in holders:
        holder.join()
    assert decode(encoded(Image.new("L", (4, 4)), "PNG"), gate=gate).pixels.shape == (4, 4, 1)


def test_a_refused_picture_frees_its_place():
    gate = Gate(places=1, patience=0.1)
    for _ in range(3):
        with pytest.raises(Refusal, match="not a picture"):
            decode(b"nothing", gate=gate)


def test_thumbnails_show_what_they_are_given():
    def shown(url: str) -> Image.Image:
        return Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2])))

    np.testing.assert_array_equal(np.asarray(shown(uploads.thumbnail(RAMP[:, :, None]))), RAMP)
    assert shown(uploads.thumbnail(np.zeros((28, 28, 4), np.uint8))).mode == "RGBA"
    assert shown(uploads.thumbnail(np.zeros((700, 350, 3), np.uint8))).size == (160, 320)


def test_the_script_and_the_server_name_the_same_limit():
    script = (Path(__file__).parents[3] / "assets" / "upload.js").read_text()
    assert int(re.search(r"const MOST = (\d+);", script)[1]) == uploads.PAGE_BYTES
    assert int(re.search(r"const SIDE = (\d+);", script)[1]) == decoding.MAX_DECODED_SIDE
    assert int(re.search(r"const PIXELS = (\d+);", script)[1]) == decoding.BASELINE_PIXELS
    assert uploads.allowed() in re.sub(r"' \+\s+'", "", script)
