import re
from pathlib import Path

import pytest

from dashboard import theme

CSS = (Path(__file__).parents[2] / "assets" / "00-tokens.css").read_text()


def tokens(mode):
    block = re.search(rf"\[data-bs-theme={mode}\]\{{(.*?)\n\}}", CSS, re.S).group(1)
    return dict(re.findall(r"--ff-([a-z0-9-]+):([^;]+);", block))


@pytest.mark.parametrize("mode", theme.MODES)
def test_the_palette_is_that_of_the_css(mode):
    css, palette = tokens(mode), theme.palette(mode)
    for name in palette.__dataclass_fields__:
        if name == "classes":
            assert palette.classes == tuple(css[f"class-{i}"] for i in range(10))
        elif isinstance(getattr(palette, name), tuple):
            assert getattr(palette, name) == tuple(css[name].split(","))
        else:
            assert getattr(palette, name) == css[name.replace("_", "-")]


@pytest.mark.parametrize("mode", theme.MODES)
def test_more_than_ten_classes_get_colours_of_their_own(mode):
    colours = theme.class_colours(mode, 23)
    assert len(set(colours)) == 23
    assert colours[:10] == theme.palette(mode).classes
    assert theme.class_colours(mode, 3) == colours[:3]
    assert f"--ff-class-22:{colours[22]}" in theme.class_variables(23)
    assert theme.class_variables(10) == ""


@pytest.mark.parametrize("mode", theme.MODES)
def test_more_classes_than_eyes_tell_apart_share_one_gray(mode):
    colours = theme.class_colours(mode, 1_000)
    assert len(colours) == 1_000
    assert len(set(colours[: theme.COLOURED])) == theme.COLOURED
    assert set(colours[theme.COLOURED :]) == {theme.palette(mode).line_2}
    assert len(theme.class_variables(1_000)) < 1_500
    assert "line-2" in theme.class_variable(theme.COLOURED)
    assert theme.class_variable(3) == "var(--ff-class-3)"


def test_ramp_and_ink():
    assert theme.ramp(("#000000", "#ffffff"), 0.5) in ("#7f7f7f", "#808080")
    assert theme.ramp(("#000000", "#ffffff", "#ff0000"), 1) == "#ff0000"
    assert theme.ink_on("#ffffff") == "#000000"
    assert theme.ink_on("#7c1642") == "#ffffff"
    assert theme.alpha("#0102ff", 0.25) == "rgba(1,2,255,0.25)"


def contrast(a, b):
    lights = sorted((theme.luminance(a), theme.luminance(b)))
    return (lights[1] + 0.05) / (lights[0] + 0.05)


@pytest.mark.parametrize("mode", theme.MODES)
def test_numbers_on_every_shade_of_the_scales_can_be_read(mode):
    palette = theme.palette(mode)
    for stops in (palette.seq, palette.calm, palette.div):
        for i in range(101):
            shade = theme.ramp(stops, i / 100)
            assert contrast(shade, theme.ink_on(shade)) >= 4.5


@pytest.mark.parametrize("mode", theme.MODES)
def test_two_runs_have_the_ends_of_the_diverging_scale(mode):
    palette = theme.palette(mode)
    assert (palette.run_b, palette.run_a) == (palette.div[0], palette.div[-1])
    for colour in (palette.run_a, palette.run_b):
        assert contrast(colour, palette.card_flat) >= 4.5


def test_no_raw_colour_outside_the_tokens():
    assets = Path(__file__).parents[2] / "assets"
    for path in assets.glob("*.css"):
        if path.name.startswith("00-"):
            continue
        colours = re.findall(
            r"#[0-9a-fA-F]{3,8}\b(?![^(]*\.svg)|rgba?\(",
            re.sub(r"url\([^)]*\)|/\*.*?\*/", "", path.read_text(), flags=re.S),
        )
        assert [c for c in colours if c.lower() != "#000"] == [], path.name  # pictures stand on black in both themes
