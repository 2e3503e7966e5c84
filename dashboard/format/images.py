"""Pictures as PNG, sheets of many, and their addresses."""

import base64
import io

import numpy as np
from PIL import Image

COLUMNS = 12
MAX_TILES = 100
GAP = 1  # black pixels around each tile of a sheet, so that scaling never shows the neighbour


def single_url(picture_set: tuple[str, str], split: str, example_id: int) -> str:
    """The address of one picture. picture_set: name and digest of its data set."""
    name, digest = picture_set
    return f"/pictures/{name}/{split}/{example_id}.png?v={digest}"


def sprite_url(picture_set: tuple[str, str], split: str, ids: list[int]) -> str:
    """The address of a sheet of pictures, COLUMNS a row, in the order of ids."""
    name, digest = picture_set
    return f"/sprites/{name}/{split}/{'-'.join(map(str, ids))}.png?v={digest}"


def tile_style(url: str, place: int, count: int, height: int, width: int) -> dict[str, str]:
    """CSS that shows the tile at `place` of a sheet of `count` tiles as a background."""
    columns, rows = min(COLUMNS, count), -(-count // COLUMNS)
    across, down = width + 2 * GAP, height + 2 * GAP
    column, row = place % COLUMNS, place // COLUMNS
    x = (column * across + GAP) / max(columns * across - width, 1)
    y = (row * down + GAP) / max(rows * down - height, 1)
    return {
        "backgroundImage": f"url({url})",
        "backgroundSize": f"{columns * across / width:.2%} {rows * down / height:.2%}",
        "backgroundPosition": f"{x:.3%} {y:.3%}",
        "aspectRatio": f"{width} / {height}",
    }


def sheet(images: np.ndarray) -> np.ndarray:
    """uint8 [n, h, w, c] → one picture [rows · (h + 2), columns · (w + 2), c] on black."""
    n, height, width, channels = images.shape
    columns, rows = min(COLUMNS, n), -(-n // COLUMNS)
    padded = np.zeros((rows * columns, height + 2 * GAP, width + 2 * GAP, channels), np.uint8)
    padded[:n, GAP:-GAP, GAP:-GAP] = images
    grid = padded.reshape(rows, columns, *padded.shape[1:]).swapaxes(1, 2)
    return grid.reshape(rows * padded.shape[1], columns * padded.shape[2], channels)


def png(image: np.ndarray) -> bytes:
    """uint8 [h, w, 1 | 3 | 4] → PNG bytes."""
    buffer = io.BytesIO()
    Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(buffer, "PNG", compress_level=4)
    return buffer.getvalue()


def inline_url(image: np.ndarray) -> str:
    """uint8 [h, w, 1 | 3 | 4] as a data URL, for small pictures that are computed for one view."""
    return f"data:image/png;base64,{base64.b64encode(png(image)).decode()}"
