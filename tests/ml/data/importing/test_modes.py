"""Every kind of picture that people have: what an import makes of it, against Pillow opened by hand."""

import io

import numpy as np
import pytest
from PIL import Image, ImageOps

from ml.data import Choices, folder, plan

CHANCE = np.random.default_rng(3)
SHAPE = (9, 11)
PIXELS = CHANCE.integers(0, 256, (*SHAPE, 3), np.uint8)
GREY = PIXELS[..., 0]
COVER = np.where(np.arange(11) < 5, 0, 255).astype(np.uint8) * np.ones(SHAPE, np.uint8)
WHITE = (255, 255, 255)


def encoded(image, form, **options):
    file = io.BytesIO()
    (Image.fromarray(image) if isinstance(image, np.ndarray) else image).save(file, form, **options)
    return file.getvalue()


def laid(image):
    """On white, by Pillow."""
    image = image.convert("RGBA")
    under = Image.new("RGBA", image.size, WHITE)
    return np.asarray(Image.alpha_composite(under, image).convert("RGB"))


def palette(transparent):
    image = Image.fromarray(PIXELS).quantize(8)
    return encoded(image, "PNG", transparency=3) if transparent else encoded(image, "GIF")


def animated(form):
    first, second = Image.fromarray(PIXELS), Image.fromarray(PIXELS[::-1].copy())
    return encoded(first, form, save_all=True, append_images=[second], duration=100, lossless=True)


def ycck():
    """A CMYK JPEG whose colours are kept as YCC and K, as Photoshop writes it: Adobe's marker says 2."""
    content = encoded(Image.fromarray(PIXELS).convert("CMYK"), "JPEG", quality=95)
    at = content.index(b"Adobe")
    assert content[at + 11] in (0, 2)
    return content[: at + 11] + b"\2" + content[at + 12 :]


def turned(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(PIXELS, "JPEG", quality=95, exif=exif)


def by_hand(content):
    with Image.open(io.BytesIO(content)) as image:
        return np.asarray(image.convert("RGB"))


KINDS = {
    "1-bit PNG": encoded(Image.fromarray(GREY).convert("1"), "PNG"),
    "1-bit TIFF": encoded(Image.fromarray(GREY).convert("1"), "TIFF", compression="group4"),
    "PBM": encoded(Image.fromarray(GREY).convert("1"), "PPM"),
    "PGM": encoded(GREY, "PPM"),
    "PPM": encoded(PIXELS, "PPM"),
    "BMP": encoded(PIXELS, "BMP"),
    "palette GIF": palette(transparent=False),
    "CMYK JPEG": encoded(Image.fromarray(PIXELS).convert("CMYK"), "JPEG", quality=95),
    "YCCK JPEG": ycck(),
    "CMYK TIFF": encoded(Image.fromarray(PIXELS).convert("CMYK"), "TIFF"),
    "AVIF": encoded(PIXELS, "AVIF", quality=100),
    "JPEG 2000": encoded(PIXELS, "JPEG2000"),
    "grey JPEG 2000": encoded(GREY, "JPEG2000"),
    "WebP": encoded(PIXELS, "WEBP", lossless=True),
    "animated WebP": animated("WEBP"),
    "animated PNG": animated("PNG"),
    "animated GIF": animated("GIF"),
    "TIFF of two pages": animated("TIFF"),
}


def imported(tmp_path, monkeypatch, content, **choices):
    """uint8 [h, w, c] of a file as an import has it, without any scaling."""
    monkeypatch.setenv("FASHION_HOME", str(tmp_path / "home"))
    for name in ("one", "two"):
        (tmp_path / "set" / name).mkdir(parents=True, exist_ok=True)
        for i in range(4):
            (tmp_path / "set" / name / f"{i}.picture").write_bytes(content)
    made = folder.read(tmp_path / "set", "modes", Choices(**choices))
    assert not made.left_out.files
    return made.dataset["train"].images[0], made


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_is_what_pillow_has_of_it(tmp_path, monkeypatch, kind):
    image, _ = imported(tmp_path, monkeypatch, KINDS[kind], colour=True)
    assert image.shape == (*SHAPE, 3)
    np.testing.assert_array_equal(image, by_hand(KINDS[kind]))


@pytest.mark.parametrize(
    "content",
    [
        encoded(np.dstack([PIXELS, COVER]), "PNG"),
        encoded(np.dstack([GREY, COVER]), "PNG"),
        palette(transparent=True),
        encoded(np.dstack([PIXELS, COVER]), "WEBP", lossless=True),
        encoded(np.dstack([PIXELS, COVER]), "TIFF"),
    ],
    ids=["RGBA PNG", "grey and alpha PNG", "palette PNG", "WebP", "TIFF"],
)
def test_what_is_transparent_is_laid_on_the_background(tmp_path, monkeypatch, content):
    image, _ = imported(tmp_path, monkeypatch, content, colour=True, background="#ffffff")
    with Image.open(io.BytesIO(content)) as opened:
        np.testing.assert_allclose(image.astype(int), laid(opened).astype(int), atol=1)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_picture_is_upright(tmp_path, monkeypatch, orientation):
    content = turned(orientation)
    with Image.open(io.BytesIO(content)) as opened:
        upright = np.asarray(ImageOps.exif_transpose(opened).convert("RGB"))
    image, made = imported(tmp_path, monkeypatch, content)
    np.testing.assert_array_equal(image, upright)
    assert list(made.sizes) == [upright.shape[:2]]


DEEP = np.linspace(0, 1, 99).reshape(SHAPE)


@pytest.mark.parametrize(
    ("levels", "form", "ends"),
    [
        ((DEEP * 65535).astype(np.uint16), "PNG", None),
        ((DEEP * 4095).astype(np.uint16), "PNG", (0, 4095)),
        ((DEEP * 1000).astype(np.uint16), "TIFF", (0, 1023)),
        ((DEEP * 4095).astype(np.uint16), "JPEG2000", (0, 4095)),
        ((DEEP * 3000 - 1000).astype(np.int32), "TIFF", (-1000, 2000)),
        (DEEP.astype(np.float32), "TIFF", None),
        ((DEEP * 2 - 1).astype(np.float32), "TIFF", (-1, 1)),
        ((DEEP * 255).astype(np.float32), "TIFF", (0, 255)),
        ((DEEP * 700 - 200).astype(np.float32), "TIFF", (-200, 500)),
    ],
)
def test_deep_levels_are_scaled_by_the_range_they_have_and_that_is_kept(tmp_path, monkeypatch, levels, form, ends):
    content = encoded(levels, form)
    image, made = imported(tmp_path, monkeypatch, content)
    low, high = ends or (0, 65535 if levels.dtype == np.uint16 else 1)
    wanted = np.rint((levels.astype(np.float64) - low) * 255 / (high - low))
    np.testing.assert_allclose(image[..., 0], wanted, atol=0)
    assert made.dataset.levels == ends
    assert ("these are black and white" in "\n".join(made.notes)) == (ends is not None)
    np.testing.assert_array_equal(folder.as_learned(content, made.taken.form(Choices())), image)
    assert plan(tmp_path / "set").to_json()["levels"] == (list(ends) if ends else None)


def test_a_deep_picture_that_is_no_number_costs_itself_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("FASHION_HOME", str(tmp_path / "home"))
    for name in ("one", "two"):
        (tmp_path / "set" / name).mkdir(parents=True)
        for i in range(4):
            (tmp_path / "set" / name / f"{i}.png").write_bytes(encoded(GREY, "PNG"))
    broken = DEEP.astype(np.float32)
    broken[0, 0] = np.nan
    (tmp_path / "set" / "one" / "nan.tif").write_bytes(encoded(broken, "TIFF"))
    made = folder.read(tmp_path / "set", "modes")
    assert [name for name, _ in made.left_out.files] == ["one/nan.tif"]


def test_floating_point_levels_among_whole_ones_are_scaled_by_their_own_and_that_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("FASHION_HOME", str(tmp_path / "home"))
    files = {
        "float": encoded(DEEP.astype(np.float32), "TIFF"),
        "deep": encoded((DEEP * 65535).astype(np.uint16), "PNG"),
        "plain": encoded(np.rint(DEEP * 255).astype(np.uint8), "PNG"),
        "beyond": encoded((DEEP * 255).astype(np.float32), "TIFF"),
    }
    rng = np.random.default_rng(0)
    for name in ("one", "two"):
        (tmp_path / "set" / name).mkdir(parents=True)
        for i in range(4):
            plain = rng.integers(0, 256, SHAPE).astype(np.uint8)
            (tmp_path / "set" / name / f"{i}.png").write_bytes(encoded(plain, "PNG"))
    for name, content in files.items():
        (tmp_path / "set" / "one" / name).with_suffix(".tif").write_bytes(content)
    made = folder.read(tmp_path / "set", "modes")
    assert made.dataset.levels is None
    assert "floating-point levels (0 to 255) lie among whole ones of more than eight bits (0 to 65,535)" in "\n".join(
        made.notes
    )
    assert [name for name, _ in made.left_out.files] == ["one/beyond.tif"], "of which nobody can say what is white"
    wanted = np.rint(DEEP * 255).astype(int)
    images = [image for split in made.dataset.splits.values() for image in split.images[np.arange(len(split))]]
    alike = [np.abs(image[..., 0].astype(int) - wanted).max() <= 1 for image in images]
    assert sum(alike) == 3, "none of them is black"
