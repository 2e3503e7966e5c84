"""Arrays in MATLAB's files up to version 7.2, in structures too; those of version 7.3 are HDF5."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ml.images.decoding import Refusal

MOST = 4 * 2**30  # bytes of one array, which is in memory for as long as it is copied
OF_A_STRUCTURE = 2**30  # bytes of the file of one, which is read as a whole
BY_MATLAB = b"MATLAB 5.0 MAT-file, "  # how a file begins that MATLAB or Octave wrote; scipy's has no comma
IN_THREES = ((1,), (3,))


def arrays(place: Path) -> Iterator[tuple[str, np.ndarray, bool] | str]:
    """Name, values and whether a row is a picture column by column, of each array of numbers; the name alone of what is
    too large. Arrays whose last length is that of another, as SVHN's [h, w, c, n], come with that first.

    Raises NotImplementedError for version 7.3, ValueError for what cannot be read, OSError and Refusal.
    """
    from scipy.io import loadmat, whosmat

    with place.open("rb") as file:
        by_matlab = file.read(len(BY_MATLAB)) == BY_MATLAB
    try:
        there = [(name, shape, kind) for name, shape, kind in whosmat(place)]
        for name, shape, kind in there:
            structure = kind == "struct" and math.prod(shape) == 1
            if math.prod(shape) > MOST or (structure and place.stat().st_size > OF_A_STRUCTURE):
                yield name
                continue
            values = loadmat(place, variable_names=[name])[name]
            if structure:
                for inner, one in _within(name, values):
                    yield inner, _first(one, set()), _in_rows(one) and (by_matlab or "dataset." in inner)
            elif np.asarray(values).dtype.kind in "biuf":
                others = {max(form) for key, form, _ in there if key != name and len(form) == 2 and 1 in form}
                yield name, _first(np.asarray(values), others), by_matlab and _in_rows(values)
    except (NotImplementedError, OSError, Refusal, ValueError):
        raise
    except Exception as error:  # scipy answers bytes that it cannot read with nearly any
        raise ValueError(str(error)) from error


def _first(values: np.ndarray, others: set[int]) -> np.ndarray:
    """others: lengths of arrays beside it."""
    if values.ndim == 2 and 1 in values.shape:
        return values.reshape(-1)
    last = values.ndim in (3, 4) and values.shape[-1] in others
    turned = last and (values.shape[0] not in others or values.shape[2:3] in IN_THREES)
    return np.moveaxis(values, -1, 0) if turned else values


def _in_rows(values: np.ndarray) -> bool:
    return values.ndim == 2 and 1 not in values.shape


def _within(name: str, values: Any) -> Iterator[tuple[str, np.ndarray]]:
    """Arrays of numbers of a structure and those in it, as dataset.train.images of EMNIST."""
    for field in values.dtype.names or ():
        inner = values[field].reshape(-1)[0]
        if getattr(inner, "dtype", None) is None:
            continue
        if inner.dtype.names and inner.size == 1:
            yield from _within(f"{name}.{field}", inner)
        elif inner.dtype.kind in "biuf" and inner.size:
            yield f"{name}.{field}", inner
