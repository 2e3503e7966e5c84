"""Pictures of a split that may be more than the memory holds: rows of a mapped file, read when they are asked for.

A data set of one's own keeps each split as two files. `<split>.npy` are the pictures, uint8 [n, h, w, c], as they lie
in memory; `<split>.npz` says of each its label and id, and of a split that is some of train's pictures which of them.
What ships, and what was imported by earlier versions, has all of it packed in `<split>.npz`.
"""

import itertools
import mmap
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple, TypeAlias

import numpy as np
from numpy.lib import format as npy

from ml.system import atomic, small_files

BATCH_BYTES = 8 << 20  # of pictures that are read or written at a time
FETCHED = 1 << 17  # bytes of a mapped file that the system is told of at a time: of more it may fetch the first alone
# of pictures that a network is asked about at a time: a layer of 32 channels makes 80 MB of them
ASKED, LEAST_ASKED, ASKED_PIXELS = 250, 8, 600_000


class Images:
    """Some pictures of an array, often of a mapped file: uint8 [n, h, w, c].

    `images[rows]` reads what is asked for: one picture for a number; for a slice, positions or a mask as many as those
    are, as an array in memory. `take` reads nothing. numpy.asarray reads all of them.
    """

    dtype, ndim = np.dtype(np.uint8), 4

    def __init__(self, source: "np.ndarray | Chain | Mapped", rows: np.ndarray | None = None) -> None:
        """rows: positions in `source`, in order; None for all of them."""
        self._source, self._rows = source, rows

    def __len__(self) -> int:
        return len(self._source) if self._rows is None else len(self._rows)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        height, width, channels = self._source.shape[1:]
        return len(self), int(height), int(width), int(channels)

    @property
    def nbytes(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64))

    def __getitem__(self, rows: Any) -> np.ndarray:
        chosen = rows if self._rows is None else self._rows[rows]
        found = self._source[chosen]
        return np.asarray(found) if isinstance(chosen, np.ndarray) else np.array(found)  # which is a copy, or is none

    def __iter__(self) -> Iterator[np.ndarray]:
        for batch in batches(self):
            yield from batch

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self[:], dtype)

    def take(self, rows: np.ndarray) -> "Images":
        """The rows of a mask or of positions, in that order."""
        places = np.arange(len(self)) if self._rows is None else self._rows
        return Images(self._source, places[rows])

    def write_to(self, file: IO[bytes]) -> None:
        """All of them, in order: of an array from where they lie, since fresh memory takes longer than writing does.
        Raises OSError."""
        if isinstance(self._source, Chain):
            for batch in batches(self):
                file.write(np.ascontiguousarray(batch).data)
            return
        places = np.arange(len(self)) if self._rows is None else self._rows
        most, ends = _in(BATCH_BYTES, self), [*(np.flatnonzero(np.diff(places) != 1) + 1).tolist(), len(places)]
        for begin, end in itertools.pairwise([0, *ends]):
            for start in range(begin, end, most):
                first, after = int(places[start]), int(places[min(start + most, end) - 1]) + 1
                file.write(np.ascontiguousarray(self._source[first:after]).data)


AnyImages: TypeAlias = np.ndarray | Images


class Mapped:
    """The pictures of a mapped file, uint8 [n, h, w, c]. Those that are asked for are read from the disk as a whole:
    of a map that is read at random the system fetches one page of 4 kB after another, 37 for a picture of 224 pixels,
    each of which somebody waits for."""

    def __init__(self, path: Path) -> None:
        """Raises OSError, ValueError."""
        small_files.judge(path)
        found = np.load(path, mmap_mode="r", allow_pickle=False)
        if found.dtype != np.uint8 or found.ndim != 4:
            raise ValueError(f"{path.name} holds {found.dtype} {found.shape}, not pictures")
        self._map: mmap.mmap | None = getattr(found, "_mmap", None) if hasattr(mmap, "MADV_RANDOM") else None
        if self._map is not None:  # so that the system does not read ahead of what is asked for
            self._map.madvise(mmap.MADV_RANDOM)
        self._array, self.shape = found.view(np.ndarray), found.shape
        self._start = getattr(found, "offset", 0) % mmap.ALLOCATIONGRANULARITY

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> np.ndarray:
        if self._map is not None and (places := self._places(rows)).size:
            self._fetch(places)
        return self._array[rows]

    def _places(self, rows: Any) -> np.ndarray:
        """Positions, int [k], of an index over the first axis; what is none is left to numpy to refuse."""
        if isinstance(rows, slice):
            return np.arange(*rows.indices(len(self)))
        asked = np.asarray(rows)
        places = np.flatnonzero(asked) if asked.dtype == bool else np.where(asked < 0, asked + len(self), asked).ravel()
        return places[(places >= 0) & (places < len(self))]

    def _fetch(self, places: np.ndarray) -> None:
        """Tell the system which are about to be read, in pieces of which it takes each as a whole; of a page or two, as
        single small pictures are, that would take longer than it saves."""
        places, size = np.unique(places), self._array[:1].nbytes
        breaks = np.flatnonzero(np.diff(places) != 1) + 1
        first, after = places[[0, *breaks]], places[[*(breaks - 1), -1]] + 1
        begins, ends = (self._start + first * size) // mmap.PAGESIZE * mmap.PAGESIZE, self._start + after * size
        long = ends - begins > 2 * mmap.PAGESIZE
        for begin, end in zip(begins[long].tolist(), ends[long].tolist(), strict=True):
            for start in range(begin, end, FETCHED):
                self._map.madvise(mmap.MADV_WILLNEED, start, min(FETCHED, end - start))  # type: ignore[union-attr]


class Filed:
    """The pictures of a file that is opened for each time some are asked for: of thousands, none is kept open."""

    def __init__(self, path: Path) -> None:
        """Raises OSError, ValueError."""
        self._path, self.shape = path, Mapped(path).shape

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> np.ndarray:
        return np.array(Mapped(self._path)[rows])


class Chain:
    """Arrays of pictures, uint8 [n, h, w, c], one behind the other; at least one."""

    def __init__(self, *arrays: "AnyImages | Mapped | Filed") -> None:
        self._arrays = arrays
        self._starts = np.cumsum([0, *map(len, arrays)])
        self.shape = (int(self._starts[-1]), *arrays[0].shape[1:])

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> np.ndarray:
        places = np.arange(len(self))[rows]
        which = np.searchsorted(self._starts, places, "right") - 1
        if not places.ndim:
            return self._arrays[int(which)][int(places - self._starts[which])]
        found = np.empty((len(places), *self.shape[1:]), np.uint8)
        for i in np.unique(which).tolist():
            mine = which == i
            found[mine] = self._arrays[i][places[mine] - self._starts[i]]
        return found


class Placed:
    """Pictures that are written to their places, in any order, in a file without a name that the system takes back
    whatever becomes of us. number: by which the open file is known, to processes that are handed it too."""

    def __init__(self, folder: Path, shape: tuple[int, int, int], n: int) -> None:
        """folder: on a disk with room for all of them; shape: (height, width, channels); n: places. Raises OSError."""
        self._file = tempfile.TemporaryFile(buffering=0, dir=folder)  # noqa: SIM115
        self._shape = (n, *shape)
        self.number = self._file.fileno()

    def __enter__(self) -> "Placed":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()  # what maps it has it still

    def images(self, rows: Sequence[int]) -> Images:
        """Those of some places, in order. Raises OSError."""
        n = len(rows)
        if not n:
            return Images(np.zeros((0, *self._shape[1:]), np.uint8))
        self._file.truncate(int(np.prod(self._shape, dtype=np.int64)))  # the last places may be empty
        source = np.memmap(self._file, np.uint8, "r", shape=self._shape)
        return Images(source, None if n == self._shape[0] else np.array(rows, np.int64))


class Stored(NamedTuple):
    """images: uint8 [n, h, w, c]; labels: int64 [n]; ids: int32 [n]."""

    images: AnyImages
    labels: np.ndarray
    ids: np.ndarray


def batches(images: AnyImages, size: int | None = None, rows: np.ndarray | None = None) -> Iterator[np.ndarray]:
    """uint8 [≤ size, h, w, c] after another, of all pictures or of those at some positions.

    size: pictures, as many as BATCH_BYTES hold when None.
    """
    size = size or _in(BATCH_BYTES, images)
    for start in range(0, len(images if rows is None else rows), size):
        part = slice(start, start + size)
        yield images[part if rows is None else rows[part]]


def _in(size: int, images: AnyImages) -> int:
    """How many of the pictures so many bytes hold, at least one."""
    return max(1, size // max(1, int(np.prod(images.shape[1:]))))


def asked_at_once(shape: tuple[int, ...]) -> int:
    """How many pictures of a shape (height, width, channels) a network is asked about at a time."""
    return min(ASKED, max(LEAST_ASKED, ASKED_PIXELS // max(1, shape[0] * shape[1])))


def some(images: AnyImages) -> np.ndarray:
    """The first ones, which tell what they all look like: a thousand, of large ones as many as four batches hold."""
    return images[: min(1_000, max(100, 4 * BATCH_BYTES // max(1, int(np.prod(images.shape[1:])))))]


def take(images: AnyImages, rows: np.ndarray) -> AnyImages:
    """The rows of a mask or of positions: of an array a copy, of a mapped file none."""
    return images.take(rows) if isinstance(images, Images) else images[rows]


def joined(first: AnyImages, second: np.ndarray) -> AnyImages:
    """One behind the other: of arrays a copy, of a mapped file none."""
    return Images(Chain(first, second)) if isinstance(first, Images) else np.concatenate([first, second])


def total(images: AnyImages, rows: np.ndarray) -> np.ndarray:
    """float64 [h, w, c]: the sum of some pictures. rows: positions."""
    found = np.zeros(images.shape[1:])
    for batch in batches(images, rows=rows):
        found += batch.sum(0, dtype=np.float64)
    return found


def in_memory(images: AnyImages, most: int) -> AnyImages:
    """Read at once where all of them have at most so many bytes: batches of these cost least."""
    return np.asarray(images) if isinstance(images, Images) and images.nbytes <= most else images


def write(folder: Path, name: str, images: AnyImages, labels: np.ndarray, ids: np.ndarray) -> None:
    """Both files of a split, the second one last and each in one step. Raises OSError."""
    write_pixels(folder / f"{name}.npy", images)
    _write_index(folder, name, labels=labels, ids=ids)


def write_pixels(target: Path, images: AnyImages) -> None:
    """As they lie in memory, to be mapped. Raises OSError."""
    with atomic.replacing(target) as scratch, scratch.open("wb") as file:
        header = {"descr": "|u1", "fortran_order": False, "shape": tuple(images.shape)}
        npy.write_array_header_1_0(file, header)
        (images if isinstance(images, Images) else Images(images)).write_to(file)


def write_part(folder: Path, name: str, rows: np.ndarray, labels: np.ndarray, ids: np.ndarray) -> None:
    """A split that is some pictures of train: which, and no picture twice. rows: their positions there."""
    _write_index(folder, name, labels=labels, ids=ids, rows=rows.astype(np.int64))


def read(folder: Path, name: str) -> Stored:
    """A split as `write`, `write_part` or an earlier version left it. Raises OSError, ValueError or KeyError.

    Nothing here is unpickled. A mapped file stays what it was for who has it open, whatever takes its place.
    """
    small_files.judge(folder / f"{name}.npz")
    with np.load(folder / f"{name}.npz", allow_pickle=False) as archive:
        labels, ids = archive["labels"].astype(np.int64), archive["ids"]
        if "images" in archive:
            return Stored(archive["images"], labels, ids)
        rows = archive.get("rows")
    source = Mapped(file_of(folder, name, part=rows is not None))
    images = Images(source, rows)
    inside = rows is None or not len(rows) or 0 <= rows.min() <= rows.max() < len(source)
    if len(images) != len(labels) or not inside:
        raise ValueError(f"{name}.npz is of other pictures than those beside it")
    return Stored(images, labels, ids)


def file_of(folder: Path, name: str, *, part: bool) -> Path:
    """Where the pictures of a split are mapped from. part: whether they are some of train's."""
    return folder / ("train.npy" if part else f"{name}.npy")


def _write_index(folder: Path, name: str, *, labels: np.ndarray, ids: np.ndarray, **more: np.ndarray) -> None:
    with atomic.replacing(folder / f"{name}.npz") as scratch, scratch.open("wb") as file:
        np.savez_compressed(file, labels=labels.astype(np.int16), ids=ids.astype(np.int32), **more)  # type: ignore[arg-type]
