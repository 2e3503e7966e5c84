"""Palette, class colours and the one plotly template. The values are those of assets/00-tokens.css; a test compares."""

import colorsys
from dataclasses import dataclass
from functools import cache
from typing import Any

STATE = "app-theme-state"  # dcc.Store: "light" or "dark"
COOKIE = "theme"
MODES = ("light", "dark")
COLOURED = 30  # classes that have a colour of their own
FONT = (
    '"Inter","Segoe UI Variable Text","Segoe UI",-apple-system,BlinkMacSystemFont,Roboto,"Helvetica Neue",'
    '"Liberation Sans",Arial,sans-serif'
)


@dataclass(frozen=True)
class Palette:
    """One mode's colours, named as the CSS tokens are."""

    ground: str
    card_flat: str
    solid: str
    grid: str
    line: str
    line_2: str
    well: str
    ink: str
    ink_2: str
    ink_3: str
    accent: str
    good: str
    bad: str
    warn: str
    heat: str
    cell_0: str
    run_a: str
    run_b: str
    classes: tuple[str, ...]
    seq: tuple[str, ...]
    calm: tuple[str, ...]
    div: tuple[str, ...]


LIGHT = Palette(
    ground="#f5f3f0",
    card_flat="#fdfcfb",
    solid="#ffffff",
    grid="rgba(20,23,42,.09)",
    line="rgba(20,23,42,.10)",
    line_2="#858a9b",
    well="rgba(20,23,42,.05)",
    ink="#14172a",
    ink_2="#42475c",
    ink_3="#5a5f75",
    accent="#2446c8",
    good="#0b654f",
    bad="#a8203a",
    warn="#7a4a00",
    heat="#e46a58",
    cell_0="rgba(20,23,42,.035)",
    run_a="#1d4fa8",
    run_b="#a63a12",
    classes=(
        "#d86f5b",
        "#374300",
        "#165dd0",
        "#0592a3",
        "#8e6201",
        "#c72d5d",
        "#3f189c",
        "#076649",
        "#6e1c50",
        "#9776fa",
    ),
    seq=("#fdf1e9", "#fcd6bd", "#f6a683", "#e46a58", "#b9344f", "#7c1642"),
    calm=("#eef2f1", "#d5e2df", "#b3cbc7"),
    div=("#a63a12", "#d9783f", "#f3c29f", "#efedea", "#a9c4ee", "#4f83d6", "#1d4fa8"),
)
DARK = Palette(
    ground="#0d0f17",
    card_flat="#161925",
    solid="#171a27",
    grid="rgba(233,236,250,.10)",
    line="rgba(233,236,250,.11)",
    line_2="#6f768f",
    well="rgba(233,236,250,.06)",
    ink="#eef0f8",
    ink_2="#bcc2d4",
    ink_3="#9ba2b8",
    accent="#a3b6ff",
    good="#69d6b4",
    bad="#ff959d",
    warn="#f1bd62",
    heat="#e4625a",
    cell_0="rgba(233,236,250,.035)",
    run_a="#a5c6ff",
    run_b="#ff9c66",
    classes=(
        "#ef9178",
        "#969b0b",
        "#b2dcfe",
        "#01bebf",
        "#f5c94f",
        "#c1514c",
        "#8b92f5",
        "#69f9c5",
        "#b67e92",
        "#945fba",
    ),
    seq=("#251d2a", "#4c213c", "#862a4b", "#c84a54", "#f18662", "#ffcfa3"),
    calm=("#1d252c", "#24353b", "#2d484c"),
    div=("#ff9c66", "#c96a3a", "#6d4433", "#2b2e3b", "#33508a", "#5b8be6", "#a5c6ff"),
)


def mode_of(value: object) -> str:
    """'light' or 'dark' from a cookie or a store, light when it is neither."""
    return value if isinstance(value, str) and value in MODES else "light"


def palette(mode: str) -> Palette:
    """The colours of a mode."""
    return DARK if mode == "dark" else LIGHT


@cache
def class_colours(mode: str, n: int) -> tuple[str, ...]:
    """n colours, the palette's ten first; further ones turn around the colour wheel at the mode's lightness.

    From the COLOURED-th on they are all one gray: no eye tells so many apart, and a name stands beside each.
    """
    named = palette(mode).classes
    lightness = 0.68 if mode == "dark" else 0.38
    turned = range(max(0, min(n, COLOURED) - len(named)))
    more = (colorsys.hls_to_rgb((0.07 + i * 0.381966) % 1, lightness, 0.62) for i in turned)
    wheel = ("#" + "".join(f"{round(v * 255):02x}" for v in rgb) for rgb in more)
    return (*named[:n], *wheel, *([palette(mode).line_2] * (n - COLOURED)))


def class_variable(place: int | str) -> str:
    """CSS for the colour of a class by its id; place: also what stands for one in a template."""
    return (
        f"var(--ff-class-{place})"
        if isinstance(place, int) and place < COLOURED
        else (f"var(--ff-class-{place},var(--ff-line-2))")
    )


def class_variables(n: int) -> str:
    """CSS that names the colours past the tenth in both modes, so that --ff-class-<i> holds for the COLOURED first.

    What is drawn in the colour of another falls back to gray: `var(--ff-class-<i>,var(--ff-line-2))`.
    """
    if n <= len(LIGHT.classes):
        return ""
    rules = []
    for mode, selector in (("light", ":root,[data-bs-theme=light]"), ("dark", "[data-bs-theme=dark]")):
        extra = list(enumerate(class_colours(mode, min(n, COLOURED))))[len(LIGHT.classes) :]
        rules.append(f"{selector}{{" + "".join(f"--ff-class-{i}:{c};" for i, c in extra) + "}")
    return "".join(rules)


def rgb(colour: str) -> tuple[int, int, int]:
    """'#rrggbb' → three numbers of 0..255."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def alpha(colour: str, opacity: float) -> str:
    """'#rrggbb' → rgba() at an opacity of 0..1."""
    return "rgba({},{},{},{:g})".format(*rgb(colour), opacity)


def ramp(stops: tuple[str, ...], at: float) -> str:
    """The colour at 0..1 on a scale of evenly spaced stops."""
    place = min(max(at, 0.0), 1.0) * (len(stops) - 1)
    i = min(int(place), len(stops) - 2)
    a, b = rgb(stops[i]), rgb(stops[i + 1])
    return "#" + "".join(f"{round(x + (y - x) * (place - i)):02x}" for x, y in zip(a, b, strict=True))


def luminance(colour: str) -> float:
    """Relative luminance of '#rrggbb' (WCAG 2.2)."""
    linear = [v / 12.92 if (v := c / 255) <= 0.03928 else ((v + 0.055) / 1.055) ** 2.4 for c in rgb(colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def ink_on(colour: str) -> str:
    """Black or white, whichever reads better on a colour."""
    light = luminance(colour)
    return "#ffffff" if 1.05 / (light + 0.05) > (light + 0.05) / 0.05 else "#000000"


def colorscale(stops: tuple[str, ...]) -> list[list[Any]]:
    """A plotly colorscale of evenly spaced stops."""
    return [[i / (len(stops) - 1), colour] for i, colour in enumerate(stops)]


@cache
def template(mode: str) -> dict[str, Any]:
    """The plotly template: transparent, quiet grid across the value axis, no modebar, no legend."""
    p = palette(mode)
    axis = {
        "gridcolor": p.grid,
        "gridwidth": 1,
        "zeroline": False,
        "showline": False,
        "ticks": "",
        "automargin": False,
        "tickfont": {"size": 11, "color": p.ink_3},
        "title": {"font": {"size": 12, "color": p.ink_2}},
        "nticks": 6,
    }
    scene = {
        "showbackground": False,
        "gridcolor": p.grid,
        "zeroline": False,
        "showspikes": False,
        "color": p.ink_3,
        "tickfont": {"size": 10, "color": p.ink_3},
    }
    return {
        "layout": {
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "colorway": list(p.classes),
            "font": {"family": FONT, "size": 12, "color": p.ink_2},
            "margin": {"l": 92, "r": 86, "t": 4, "b": 22},
            "showlegend": False,
            "xaxis": axis,
            "yaxis": axis,
            "scene": {a + "axis": scene for a in "xyz"},
            "hoverlabel": {
                "bgcolor": p.solid,
                "bordercolor": p.line_2,
                "align": "left",
                "font": {"family": FONT, "size": 12, "color": p.ink},
            },
            "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": p.ink_3, "activecolor": p.accent},
            "hovermode": "closest",
            "dragmode": False,
            "bargap": 0.5,
        }
    }
