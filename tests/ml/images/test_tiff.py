"""TIFF files of satellites, microscopes and tifffile, byte by byte: what Pillow reads otherwise or not at all."""

import struct

import numpy as np
import pytest
from PIL import TiffImagePlugin

from ml.data import importing
from ml.data.importing import looks
from ml.images.decoding import Refusal, decode

CHANCE = np.random.default_rng(5)
PIXELS = CHANCE.integers(0, 256, (9, 11, 3), np.uint8)


def tiff(*pages, order="<", told="", **more):
    """The bytes of a file. pages: [h, w, c], or [c, h, w] with PlanarConfiguration=2, which is tag 284; more: tag_N."""
    tags = {int(key.removeprefix("tag_")): value for key, value in more.items()}
    content = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8)
    for number, page in enumerate(pages):
        page = np.asarray(page)
        apart = tags.get(284) == 2
        height, width, channels = (*page.shape[1:], page.shape[0]) if apart else page.shape
        bits, planes = page.dtype.itemsize * 8, list(page) if apart else [page]
        data = [np.ascontiguousarray(one).astype(one.dtype.newbyteorder(order)).tobytes() for one in planes]
        values = {256: [width], 257: [height], 258: [bits] * channels, 259: [1], 262: [2 if channels > 2 else 1],
                  277: [channels], 278: [height], 339: [3 if page.dtype.kind == "f" else 1] * channels}  # fmt: skip
        values |= {tag: value if isinstance(value, list) else [value] for tag, value in tags.items()}
        head = {tag: (3, struct.pack(f"{order}{len(v)}H", *v), len(v)) for tag, v in values.items()}
        if told:
            head[270] = (2, told.encode() + b"\0", len(told) + 1)
        head[273] = (4, b"\0" * 4 * len(data), len(data))
        head[279] = (4, struct.pack(f"{order}{len(data)}I", *map(len, data)), len(data))
        at = len(content) + 2 + 12 * len(head) + 4
        beyond = b""
        places = {}
        for tag, (_, packed, _) in sorted(head.items()):
            if len(packed) > 4:
                places[tag] = at + len(beyond)
                beyond += packed + b"\0" * (len(packed) % 2)
        starts = np.cumsum([at + len(beyond), *map(len, data)])[:-1].tolist()
        strips = struct.pack(f"{order}{len(starts)}I", *starts)
        if 273 in places:
            beyond = beyond[: places[273] - at] + strips + beyond[places[273] - at + len(strips) :]
        else:
            head[273] = (4, strips, 1)
        block = struct.pack(f"{order}H", len(head))
        for tag, (kind, packed, count) in sorted(head.items()):
            place = struct.pack(f"{order}I", places[tag]) if tag in places else packed.ljust(4, b"\0")
            block += struct.pack(f"{order}HHI", tag, kind, count) + place
        length = len(content) + len(block) + 4 + len(beyond) + sum(map(len, data))
        block += struct.pack(f"{order}I", length if number + 1 < len(pages) else 0)
        content += block + beyond + b"".join(data)
    return content


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("channels", [3, 4])
def test_channels_of_sixteen_bits_that_lie_apart(order, channels):
    """As rasterio writes them with interleave='band', and tifffile and imageio an array of [3, h, w]."""
    planes = np.moveaxis(np.dstack([PIXELS, PIXELS[..., :1]]).astype(np.uint16) * 257, -1, 0)[:channels]
    extra = {"tag_338": 2} if channels == 4 else {}
    np.testing.assert_array_equal(decode(tiff(planes, order=order, tag_284=2, **extra)).pixels, PIXELS)


@pytest.mark.parametrize("apart", [False, True])
def test_channels_of_eight_bits(apart):
    content = tiff(np.moveaxis(PIXELS, -1, 0), tag_284=2) if apart else tiff(PIXELS)
    np.testing.assert_array_equal(decode(content).pixels, PIXELS)


def test_near_infrared_is_no_transparency(tmp_path):
    """GDAL says of a fourth channel of eight bits that it is alpha, whatever it is; a cut-out's is 0 or 255."""
    infrared = CHANCE.integers(20, 220, (9, 11, 1), np.uint8)
    picture = decode(tiff(np.dstack([PIXELS, infrared]), tag_338=2))
    np.testing.assert_array_equal(picture.pixels, PIXELS)
    assert picture.banded
    cut = np.where(np.arange(11)[None, :, None] < 5, 0, 255) * np.ones((9, 1, 1), int)
    cut_out = decode(tiff(np.dstack([PIXELS, cut.astype(np.uint8)]), tag_338=2), laid_on="#ffffff")
    assert (cut_out.pixels[:, :5] == 255).all()
    assert not cut_out.banded
    for i in range(8):
        (tmp_path / f"kind{i % 2}").mkdir(exist_ok=True)
        (tmp_path / f"kind{i % 2}" / f"{i}.tif").write_bytes(tiff(np.dstack([PIXELS, infrared + i]), tag_338=2))
    with importing.opened(tmp_path) as found:
        notes = looks.taken(looks.look(found), importing.Choices()).notes()
    assert notes == [
        "8 pictures looked at have a fourth channel that is no transparency, as near infrared: it is left out"
    ]


def test_channels_as_columns_of_pages_are_no_picture():
    """tifffile.imwrite of [h, w, 13] writes h pages of w x 13, and says so in the description."""
    whole = CHANCE.integers(0, 4096, (24, 20, 13), np.uint16)
    pages = [one[..., None] for one in whole]
    with pytest.raises(Refusal, match="has the 13 channels of a picture as columns and its rows as pages"):
        decode(tiff(*pages, told='{"shape": [24, 20, 13]}'))
    stack = [one[..., None] for one in CHANCE.integers(0, 256, (5, 9, 11), np.uint8)]
    np.testing.assert_array_equal(decode(tiff(*stack, told='{"shape": [5, 9, 11]}')).pixels, stack[0])


def test_pages_are_counted_without_reading_them_and_never_for_ever(monkeypatch):
    """2 MB of 20,000 pages took Pillow (13.0.0) seconds, in which it held one of the places where pictures are read."""

    def read(*_):
        raise AssertionError("it reads the pages")

    monkeypatch.setattr(TiffImagePlugin.TiffImageFile, "seek", read)
    rows = [one[..., None] for one in CHANCE.integers(0, 256, (24, 20, 3), np.uint8)]
    for order in ("<", ">"):
        with pytest.raises(Refusal, match="has the 3 channels"):
            decode(tiff(*rows, order=order, told='{"shape": [24, 20, 3]}'))
    for count in (23, 25, 10**12):
        decode(tiff(*rows, told=f'{{"shape": [{count}, 20, 3]}}'))
    content = tiff(*rows, told='{"shape": [40000, 20, 3]}')
    decode(round_and_round(content))


def round_and_round(content: bytes) -> bytes:
    """A file of several pages whose first leads to itself."""
    start = struct.unpack_from("<I", content, 4)[0]
    after = start + 2 + 12 * struct.unpack_from("<H", content, start)[0]
    return content[:after] + struct.pack("<I", start) + content[after + 4 :]


@pytest.mark.parametrize(("pixels", "words"), [
    (np.zeros((9, 11, 13), np.uint16), "13 channels of whole numbers of 16 bits"),
    (np.zeros((9, 11, 3), np.float32), "3 channels of floating-point numbers of 32 bits"),
    (np.zeros((9, 11, 1), np.float64), "one channel of floating-point numbers of 64 bits"),
])  # fmt: skip
def test_what_is_not_read_is_called_by_what_it_has(pixels, words):
    photometric = {"tag_262": 1} if pixels.shape[2] > 3 else {}
    with pytest.raises(Refusal, match=f"This is a TIFF file of {words} .write the three"):
        decode(tiff(pixels, **photometric))


@pytest.mark.parametrize("tag", [258, 277, 339])
@pytest.mark.parametrize("kind", [2, 7, 11, 12])
def test_tags_of_a_kind_that_they_cannot_be_of_are_refused_in_words(tag, kind):
    """Text, bytes and numbers with a point in place of whole numbers."""
    content = tiff(np.zeros((9, 11, 1), np.float64))
    place = content.index(struct.pack("<HHI", tag, 3, 1)) + 2
    with pytest.raises(Refusal, match=r"TIFF|damaged"):
        decode(content[:place] + struct.pack("<H", kind) + content[place + 2 :])


@pytest.mark.parametrize(("content", "words"), [
    (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "Git LFS and no picture .git lfs pull"),
    (b"/annex/objects/MD5E-s12--0a.jpg\n", "git-annex and no picture .git annex get"),
    (b"outs:\n- md5: 0a\n  size: 12\n  path: 1.jpg\n", "DVC and no picture .dvc pull"),
    (b"md5: 0a\nouts:\n- md5: 0a\n  path: 1.jpg\n", "DVC and no picture .dvc pull"),
])  # fmt: skip
def test_what_stands_in_place_of_a_picture_says_what_fetches_it(content, words):
    with pytest.raises(Refusal, match=words):
        decode(content)
