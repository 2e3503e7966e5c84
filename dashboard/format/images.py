"""Pictures as PNG, sheets of many, and their addresses."""

import base64
import io

import numpy as np
from PIL import Image

COLUMNS = 12
MAX_TILES = 100
TILE = 128  # the most pixels a side of a tile in a sheet
SHOWN = 96  # pixels a side that a gallery's tile is about as wide as: 99 at most, 76 on a tablet
SHEETS = 2  # of how sheets are laid out, the how many-eth way: browsers keep what an address gave for a year
GAP = 1  # black pixels around each tile of a sheet, so that scaling never shows the neighbour


def single_url(picture_set: tuple[str, str], split: str, example_id: int) -> str:
    """The address of one picture. picture_set: name and digest of its data set."""
    name, digest = picture_set
    return f"/pictures/{name}/{split}/{example_id}.png?v={digest}"


def sprite_url(picture_set: tuple[str, str], split: str, ids: list[int]) -> str:
    """The address of a sheet of pictures, COLUMNS a row, in the order of ids."""
    name, digest = picture_set
    return f"/sprites/{name}/{split}/{'-'.join(map(str, ids))}.png?v={digest}&sheet={SHEETS}"


def fitted(height: int, width: int, side: int = TILE) -> tuple[int, int]:
    """The size of a picture that fits into `side` pixels a side: its own where it does already."""
    most = max(height, width, side)
    return max(1, round(height * side / most)), max(1, round(width * side / most))


def reduced(height: int, width: int, count: int) -> tuple[int, int]:
    """The size that pictures have in a sheet of so many: their own, or, of several, what fits into TILE."""
    if count == 1:
        return height, width
    every = -(-max(height, width) // TILE)
    small = -(-height // every), -(-width // every)
    return small if every == 1 or max(small) >= SHOWN else fitted(height, width)


def tile_style(url: str, place: int, count: int, height: int, width: int) -> dict[str, str]:
    """CSS that shows the tile at `place` of a sheet of `count` tiles as a background. height, width: of a picture."""
    ratio = f"{width} / {height}"
    height, width = reduced(height, width, count)
    columns, rows = min(COLUMNS, count), -(-count // COLUMNS)
    across, down = width + 2 * GAP, height + 2 * GAP
    column, row = place % COLUMNS, place // COLUMNS
    x = (column * across + GAP) / max(columns * across - width, 1)
    y = (row * down + GAP) / max(rows * down - height, 1)
    return {
        "backgroundImage": f"url({url})",
        "backgroundSize": f"{columns * across / width:.2%} {rows * down / height:.2%}",
        "backgroundPosition": f"{x:.3%} {y:.3%}",
        "aspectRatio": ratio,
    }


def sheet(images: np.ndarray) -> np.ndarray:
    """uint8 [n, h, w, c] → one picture [rows · (h + 2), columns · (w + 2), c] on black; h and w are `reduced`."""
    size = reduced(images.shape[1], images.shape[2], len(images))
    if size != images.shape[1:3]:
        images = np.stack([resized(one, size) for one in images])
    n, height, width, channels = images.shape
    columns, rows = min(COLUMNS, n), -(-n // COLUMNS)
    padded = np.zeros((rows * columns, height + 2 * GAP, width + 2 * GAP, channels), np.uint8)
    padded[:n, GAP:-GAP, GAP:-GAP] = images
    grid = padded.reshape(rows, columns, *padded.shape[1:]).swapaxes(1, 2)
    return grid.reshape(rows * padded.shape[1], columns * padded.shape[2], channels)


def resized(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """uint8 [h, w, c] → the same in another size, (height, width), each pixel the mean of what it covers."""
    picture = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
    every = -(-picture.height // size[0])
    if size == (
        -(-picture.height // every),
        -(-picture.width // every),
    ):  # whole pixels make one, in a third of the time
        return np.asarray(picture.reduce(every)).reshape(*size, -1)
    small = np.asarray(picture.resize(size[::-1], Image.Resampling.BOX, reducing_gap=2.0))
    return small.reshape(*size, -1)


def jpeg(image: np.ndarray, *, small: bool = False) -> bytes:
    """uint8 [h, w, 3] → JPEG bytes, for photographs: a tenth of a PNG's, in a fifth of its time.

    small: of many that are only glanced at, with colours at half the resolution: half of the bytes in half of the time.
    """
    buffer, how = io.BytesIO(), {"quality": 85, "subsampling": 2} if small else {"quality": 90, "subsampling": 0}
    Image.fromarray(image).save(buffer, "JPEG", **how)
    return buffer.getvalue()


def png(image: np.ndarray) -> bytes:
    """uint8 [h, w, 1 | 3 | 4] → PNG bytes."""
    buffer = io.BytesIO()
    Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(buffer, "PNG", compress_level=4)
    return buffer.getvalue()


def inline_url(image: np.ndarray) -> str:
    """uint8 [h, w, 1 | 3 | 4] as a data URL, for small pictures that are computed for one view."""
    return f"data:image/png;base64,{base64.b64encode(png(image)).decode()}"
