"""One picture's way through the network, as figures of its steps."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from dash import html

from dashboard import theme
from dashboard.data.run import RunData
from dashboard.figures import activations as figures
from dashboard.format.images import inline_url
from dashboard.pages.insights import architecture


@dataclass
class Walk:
    """One picture on its way through a run. image: uint8 [h, w, c]; maps: layer → float32 [ch, h, w]."""

    run: RunData
    image: np.ndarray
    maps: dict[str, np.ndarray]

    @property
    def layers(self) -> list[dict[str, Any]]:
        """Raises Missing."""
        return architecture.layers_of(self.run)

    def first(self, kind: str) -> dict[str, Any] | None:
        """The first layer whose kind begins so, as the manifest describes it."""
        return next((layer for layer in self.layers if layer["kind"].startswith(kind)), None)

    def before(self, layer: dict[str, Any]) -> np.ndarray | None:
        """What goes into a layer, float32 [ch, h, w]; None where that is no picture (or the picture itself)."""
        feature_maps: np.ndarray | None = None
        for one in self.layers:
            if one is layer:
                return feature_maps
            if not one["kind"].startswith("Dropout"):  # it lets everything through here
                feature_maps = self.maps.get(one["name"])
        return None

    @property
    def channel(self) -> int:
        """The filter of the first convolution with the most to say about this picture."""
        first = self.first("Conv2d")
        return figures.liveliest(self.maps[first["name"]]) if first and first["name"] in self.maps else 0


def shot(image: np.ndarray, words: str, alt: str, spot: tuple[float, float, float, float] | None = None) -> html.Figure:
    """A small picture with words under it; spot: left, top, width, height of a frame on it, in shares of its size."""
    frame = None
    if spot:
        frame = html.I(
            style=dict(zip(("left", "top", "width", "height"), (f"{100 * v:.2f}%" for v in spot), strict=True))
        )
    return html.Figure(
        [
            html.Div([html.Img(src=inline_url(image), alt=alt, className="crisp"), frame], className="shot"),
            html.Figcaption(words),
        ]
    )


def numbers(values: np.ndarray, most: float, mode: str, words: str, form: str = "{:z.1f}") -> html.Figure:
    """A grid of numbers, each on its colour of the diverging scale. values: float [rows, columns]."""
    stops = theme.palette(mode).div
    cells = []
    for value in values.reshape(-1):
        colour = theme.ramp(stops, 0.5 + 0.5 * float(value) / most if most else 0.5)
        text = form.format(float(value)).replace("-", "−")
        cells.append(html.Span(text, style={"background": colour, "color": theme.ink_on(colour)}))
    return html.Figure([html.Div(cells, className="numgrid", style={"--n": values.shape[1]}), html.Figcaption(words)])


def arrow(sign: str = "→") -> html.Span:
    """Between two pictures."""
    return html.Span(sign, className="arrow", **{"aria-hidden": "true"})


def row(*parts: Any) -> html.Div:
    return html.Div([part for part in parts if part is not None], className="parts")


def window(image: np.ndarray, side: int = 5) -> tuple[np.ndarray, tuple[int, int]]:
    """The liveliest square of a picture's first channel, uint8 [side, side], and its top left corner."""
    plane = image[..., 0].astype(float)
    side = min(side, *plane.shape)
    views = np.lib.stride_tricks.sliding_window_view(plane, (side, side))
    top, left = np.unravel_index(views.std(axis=(2, 3)).argmax(), views.shape[:2])
    return image[top : top + side, left : left + side, 0], (int(top), int(left))


def reach(
    size: Sequence[int], kernel: Sequence[int], layer: dict[str, Any], row_: int, column: int
) -> tuple[float, float, float, float]:
    """What part of the picture an output at (row, column) looks at: left, top, width, height in shares of its size."""
    stride, pad = (
        int(float(architecture.setting(layer, "stride", "1"))),
        int(float(architecture.setting(layer, "padding", "0"))),
    )
    low = [max(i * stride - pad, 0) for i in (row_, column)]
    high = [min(i * stride - pad + k, s) for i, k, s in zip((row_, column), kernel, size, strict=True)]
    return low[1] / size[1], low[0] / size[0], (high[1] - low[1]) / size[1], (high[0] - low[0]) / size[0]
