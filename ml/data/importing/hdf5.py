"""Arrays of HDF5 files, as h5py, Keras's courses, PatchCamelyon and MATLAB's version 7.3 write them."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ml.images.decoding import Refusal

MISSING = "reading it takes h5py, which is not installed: pip install -r requirements-networks.txt"
ELSEWHERE = "it wants numbers out of another file: write it again as one"
MATLAB = b"MATLAB 7.3"
MOST = 64  # arrays: a file of more is a network's
MOST_WORDS = 100_000
BLOCK = 2**24  # bytes copied at a time
RATIO = 1_000  # times what is stored, which packing is not known to save


def arrays(place: Path, scratch: Callable[[], Path]) -> Iterator[tuple[str, np.ndarray]]:
    """Name within the file, and what is there, mapped from a copy: numbers of one to four axes, and lists of words.

    An axis of length one that nothing needs is taken away ([n, 1, 1, 1]). MATLAB's have their axes the other way round.
    scratch: gives a place for a file. Raises OSError, Refusal.
    """
    try:
        import h5py
    except ImportError:
        raise Refusal(MISSING) from None
    with place.open("rb") as start:
        by_matlab = start.read(len(MATLAB)) == MATLAB
    with h5py.File(place, "r") as file:
        found = [*_datasets(file)]
        if len(found) > MOST:
            raise Refusal(f"it has {len(found):,} arrays, as files of networks have")
        lengths = {one.size for _, one in found if one.ndim <= 2 and one.size == max(one.shape, default=0)}
        for name, one in found:
            if not 1 <= one.ndim <= 4 or not one.size:
                continue
            words = h5py.check_string_dtype(one.dtype)
            if words is not None and one.size <= MOST_WORDS:
                yield name, np.array([_text(value) for value in one[()].reshape(-1).tolist()])
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
    """Every array with its name, of groups within groups, in the order of their names. Raises Refusal for what lies in
    other files."""
    import h5py

    waiting = [("", file)]
    while waiting:
        inside, group = waiting.pop(0)
        for name in sorted(group):
            link = group.get(name, getlink=True)
            if isinstance(link, h5py.ExternalLink):
                raise Refusal(ELSEWHERE)
            if not isinstance(link, h5py.HardLink) or name.startswith("#"):  # MATLAB keeps references in #refs#
                continue
            one = group[name]
            if isinstance(one, h5py.Group):
                waiting.append((f"{inside}{name}/", one))
            elif isinstance(one, h5py.Dataset):
                if one.external or one.is_virtual:
                    raise Refusal(ELSEWHERE)
                yield f"{inside}{name}", one


def _copied(one: Any, place: Path) -> np.ndarray:
    """Written and then mapped: what is written into a map of a full disk ends the process. Raises OSError, Refusal."""
    if one.nbytes > RATIO * (one.id.get_storage_size() + BLOCK):
        raise Refusal("it says that it holds far more than there is in it")
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
