"""What is worked out of pictures alone, whatever network is asked about them afterwards: once, for every training on
them, evaluation and network from elsewhere.

Photographs that nobody took, what comes out of their preparation and what kind of pictures they are cost a second
training as much as the first, and are the same. They lie in `ml.system.paths.made_dir`, each under the digest of all
that it is made of: the pictures themselves, what is said of them, and the code that makes it. What cannot be kept, or
read again, is made again.
"""

import contextlib
import functools
import hashlib
import json
import os
from collections.abc import Callable, Iterable
from dataclasses import fields, is_dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from ml.artifacts.writer import write_arrays
from ml.system.damage import DAMAGED
from ml.system.paths import made_dir

MOST = 2**24  # bytes of one that is kept
ROOM = 2**28  # bytes of all; the longest unused go
LIBRARIES = ("numpy", "pillow", "opencv-python-headless")


def kept(what: str, given: Iterable[object], make: Callable[[], np.ndarray]) -> np.ndarray:
    """What `make` returns, or returned when the same was given: arrays, bytes, texts, numbers, None and dataclasses of
    them. No array of objects. Nobody may write to it."""
    return _once(what, given, None, make)


def drawn(what: str, given: Iterable[object], rng: np.random.Generator, make: Callable[[], np.ndarray]) -> np.ndarray:
    """The same of what is drawn by chance: `rng` is part of what is given, and afterwards as if `make` had used it."""
    return _once(what, given, rng, make)


def _once(
    what: str, given: Iterable[object], rng: np.random.Generator | None, make: Callable[[], np.ndarray]
) -> np.ndarray:
    place = made_dir() / f"{_digest(what, given, rng)}.npz"
    try:
        with place.open("rb") as opened, np.load(opened) as file:
            made: np.ndarray = file["made"]
            after = json.loads(bytes(file["after"]))
        if rng is not None:
            rng.bit_generator.state = after
    except DAMAGED:
        made = make()
        after = None if rng is None else rng.bit_generator.state
        if made.nbytes <= MOST:
            with contextlib.suppress(OSError):
                place.parent.mkdir(parents=True, exist_ok=True)
                write_arrays(place, {"made": made, "after": np.frombuffer(json.dumps(after).encode(), np.uint8)})
                _make_room(place.parent)
    else:
        with contextlib.suppress(OSError):
            os.utime(place)
    return made


def _make_room(folder: Path) -> None:
    """Raises OSError."""
    there = sorted(((one.stat(), one) for one in folder.iterdir()), key=lambda one: one[0].st_mtime, reverse=True)
    total = 0
    for about, one in there:
        total += about.st_size
        if total > ROOM:
            one.unlink(missing_ok=True)


def _digest(what: str, given: Iterable[object], rng: np.random.Generator | None) -> str:
    state = json.dumps(rng.bit_generator.state) if rng is not None else ""
    whole = hashlib.sha256(f"{what} {_code()} {state}".encode())
    for one in given:
        _add(whole, one)
    return whole.hexdigest()


def _add(whole: "hashlib._Hash", one: object) -> None:
    """Each with its kind and length, so that no two sequences read alike."""
    if is_dataclass(one) and not isinstance(one, type):
        parts = [(field.name, getattr(one, field.name)) for field in fields(one)]
        content = repr([(name, sorted(value) if isinstance(value, frozenset) else value) for name, value in parts])
    elif isinstance(one, np.ndarray):
        whole.update(f"{one.dtype.str} {one.shape} ".encode())
        whole.update(np.ascontiguousarray(one).data)
        return
    elif isinstance(one, bytes):
        whole.update(f"bytes {len(one)} ".encode())
        whole.update(one)
        return
    else:
        content = repr(one)
    whole.update(f"{type(one).__name__} {len(content)} {content}".encode())


@functools.cache
def _code() -> str:
    """Of what makes and prepares pictures, ours and others': made by other code it may be another."""
    here = Path(__file__)
    whole = hashlib.sha256()
    ours = (here, *(here.with_name(f"{name}.py") for name in ("familiarity", "looks", "photographs", "preparation")))
    for path in sorted((*ours, *(here.parents[1] / "images").glob("*.py"))):
        whole.update(path.read_bytes())
    for name in LIBRARIES:
        with contextlib.suppress(PackageNotFoundError):
            whole.update(f"{name} {version(name)}".encode())
    return whole.hexdigest()
