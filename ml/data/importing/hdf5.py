"""Arrays of HDF5 files, as h5py, Keras's courses, PatchCamelyon and MATLAB's version 7.3 write them."""

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from ml.data.importing.sources import room
from ml.images.decoding import Refusal

MISSING = "reading it takes h5py, which is not installed: pip install -r requirements-networks.txt"
ELSEWHERE = "it wants numbers out of another file: write it again as one"
MATLAB = b"MATLAB 7.3"
MOST = 64  # arrays: a file of more is a network's
MOST_WORDS, WORDS_BYTES = 100_000, 2**24  # of one list, which is in memory
WORDS = 1_000  # read at a time
BLOCK = 2**24  # bytes copied at a time
RATIO, UNPACKED = 1_100, 2**26  # times what is stored, of which deflate saves 1,032; bytes that nothing is asked of


def arrays(place: Path, scratch: Callable[[], Path]) -> Iterator[tuple[str, np.ndarray]]:
    """Name within the file, and what is there, mapped from a copy: numbers of one to four axes, and lists of words.

    An axis of length one that nothing needs is taken away ([n, 1, 1, 1]). MATLAB's have their axes the other way round.
    scratch: gives a place for a file. Raises OSError, ValueError.
    """
    try:
        yield from _arrays(place, scratch)
    except (OSError, ValueError, MemoryError):
        raise
    except Exception as error:  # h5py answers bytes that it cannot read with nearly any
        raise ValueError(str(error)) from error


def _arrays(place: Path, scratch: Callable[[], Path]) -> Iterator[tuple[str, np.ndarray]]:
    try:
        import h5py
    except ImportError:
        raise Refusal(MISSING) from None
    with place.open("rb") as start:
        by_matlab = start.read(len(MATLAB)) == MATLAB
    with h5py.File(place, "r") as file:
        found = [*islice(_datasets(file), MOST + 1)]
        if len(found) > MOST:
            raise Refusal(f"it has more than {MOST} arrays, as files of networks have")
        lengths = {one.size for _, one in found if one.ndim <= 2 and one.size == max(one.shape, default=0)}
        for name, one in found:
            if not 1 <= one.ndim <= 4 or not one.size:
                continue
            if h5py.check_string_dtype(one.dtype) is not None and (words := _words(one)):
                yield name, np.array(words)
            if one.dtype.kind not in "biuf":
                continue
            values = _copied(one, scratch())
            if values.size == max(values.shape):
                values = values.reshape(-1)
            if values.ndim > 1 and (by_matlab or "MATLAB_class" in one.attrs):
                values = values.transpose()
                if values.shape[-1] in lengths and values.shape[0] not in lengths:
                    values = np.moveaxis(values, -1, 0)
            yield name, values


def _datasets(file: Any) -> Iterator[tuple[str, Any]]:
    """Every array with its name, of groups within groups, in the order of their names; a group that can be come by in
    several ways, as one that lies in itself, counts once. Raises Refusal for what lies in other files."""
    import h5py

    waiting, seen = [("", file)], {file["/"]}
    while waiting:
        inside, group = waiting.pop(0)
        for name in sorted(group):
            link = group.get(name, getlink=True)
            if isinstance(link, h5py.ExternalLink):
                raise Refusal(ELSEWHERE)
            if not isinstance(link, h5py.HardLink) or name.startswith("#"):  # MATLAB keeps references in #refs#
                continue
            one = group[name]
            if isinstance(one, h5py.Group) and one not in seen:
                seen.add(one)
                waiting.append((f"{inside}{name}/", one))
            elif isinstance(one, h5py.Dataset) and one.shape is not None:
                if one.external or one.is_virtual:
                    raise Refusal(ELSEWHERE)
                yield f"{inside}{name}", one


def _words(one: Any) -> list[str]:
    """None where these are more, or longer, than names of classes and labels are."""
    if one.size > MOST_WORDS or one.nbytes > WORDS_BYTES:
        return []
    found: list[str] = []
    left, rows = WORDS_BYTES, max(1, WORDS * len(one) // one.size)
    for start in range(0, len(one), rows):  # each may be longer than what the file stores of them all
        words = [_text(value) for value in one[start : start + rows].reshape(-1).tolist()]
        left -= sum(map(len, words))
        if left < 0:
            return []
        found += words
    return found


def _copied(one: Any, place: Path) -> np.ndarray:
    """Written and then mapped: what is written into a map of a full disk ends the process. Raises OSError, Refusal."""
    if one.nbytes > RATIO * one.id.get_storage_size() + UNPACKED:
        raise Refusal("it says that it holds far more than there is in it")
    room(place.parent, one.nbytes)
    dtype = one.dtype.newbyteorder("=")
    rows = max(1, BLOCK * len(one) // one.nbytes)
    if one.chunks:  # whole ones, each of which is unpacked at once
        rows = max(one.chunks[0], rows // one.chunks[0] * one.chunks[0])
    about = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": one.shape}
    with place.open("wb") as file:
        np.lib.format.write_array_header_2_0(file, about)
        for start in range(0, len(one), rows):
            file.write(np.ascontiguousarray(one[start : start + rows], dtype).tobytes())
    return np.load(place, mmap_mode="r", allow_pickle=False)


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
