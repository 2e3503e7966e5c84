"""A file or pixels made to fit a form, with what is kept of it; and a process that does so for another.

`python -m ml.images.fitted NUMBER` reads a form as a line of JSON. Then it is given some pictures at a time: a line of
JSON that says of each its place and either where its file is or how many bytes follow, and these. It writes their
pixels to their places in the open file of that NUMBER, which it was handed, and answers with a line of JSON that says
the rest. It ends with its input.
"""

import hashlib
import json
import os
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeAlias

import numpy as np
from PIL import Image

from ml.images.decoding import FILE_BYTES, MAX_DECODED_SIDE, Gate, Picture, Refusal, decode
from ml.images.form import Form
from ml.images.levels import sums
from ml.images.preparation import prepare

DIGEST = 16  # bytes of what stands for an original
_WRITING = threading.Lock()
GATE = Gate(places=1_000)  # whoever reads many has as many threads as are good, and makes nobody wait
OF_FORM = ("height", "width", "channels", "fitting", "resampling", "laid_on", "levels")  # what an import sets of one


class Unwritten(Exception):
    """The pixels of a picture could not be written. error: why not."""

    def __init__(self, error: OSError) -> None:
        super().__init__(str(error))
        self.error = error


@dataclass(frozen=True, slots=True)
class Fitted:
    """What is kept of a picture besides its pixels. dim, coloured: of the picture as it was; size: (height, width)
    upright; sums: ml.images.levels.sums; pixels, digest: what stands for the fitted pixels and for the original;
    length: of the original in bytes."""

    dim: bool
    coloured: bool
    size: tuple[int, int]
    pixels: bytes
    sums: np.ndarray
    length: int
    digest: bytes


Outcome: TypeAlias = Fitted | Refusal | OSError
Raw: TypeAlias = bytes | np.ndarray | Path | Refusal | OSError
"""A file, pixels, where a file is, or why there is none."""


def fitted(raw: bytes | np.ndarray, form: Form) -> tuple[np.ndarray, Fitted]:
    """raw: a file, or uint8 [h, w, 1 or 3] → uint8 [h, w, c] of the form, and the rest. Raises Refusal."""
    picture = opened(raw, form)
    image = picture.pixels
    if picture.orientation != 1 or image.shape != (
        form.height,
        form.width,
        form.channels,
    ):  # else nothing is to be done
        image = prepare(image, form, orientation=picture.orientation, mode="none").image
    size = (picture.height, picture.width) if picture.orientation < 5 else (picture.width, picture.height)
    coloured = picture.pixels.shape[2] == 3
    return image, Fitted(picture.dim, coloured, size, fingerprint(image)[1], sums(image), *fingerprint(raw))


def written(raw: Raw, form: Form, number: int, place: int) -> Outcome:
    """Fit a picture and write it to its place in an open file. Raises Unwritten."""
    if isinstance(raw, Refusal | OSError):
        return raw
    try:
        if isinstance(raw, Path):
            with raw.open("rb") as file:
                size = os.fstat(file.fileno()).st_size or FILE_BYTES  # as much is made room for as is asked for
                raw = file.read(min(size, FILE_BYTES) + 1)
        image, about = fitted(raw, form)
    except (Refusal, OSError) as problem:
        return problem
    try:
        put(number, np.ascontiguousarray(image), place * form.height * form.width * form.channels)
    except OSError as problem:
        raise Unwritten(problem) from problem
    return about


def put(number: int, image: np.ndarray, start: int) -> None:
    """Write all of an array's bytes from `start` on in an open file. Raises OSError."""
    left = image.data.cast("B")
    while left:
        if hasattr(os, "pwrite"):
            done = os.pwrite(number, left, start)
        else:  # on Windows; threads of one process alone write there
            with _WRITING:
                os.lseek(number, start, os.SEEK_SET)
                done = os.write(number, left)
        left, start = left[done:], start + done


def opened(raw: bytes | np.ndarray, form: Form) -> Picture:
    """Its pixels, not yet of the form, at most MAX_DECODED_SIDE a side. Raises Refusal."""
    if isinstance(raw, bytes):
        return decode(raw, gate=GATE, laid_on=form.laid_on, levels=form.levels)
    pixels = raw
    height, width = pixels.shape[:2]
    if max(height, width) > MAX_DECODED_SIDE:
        image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
        image.thumbnail((MAX_DECODED_SIDE, MAX_DECODED_SIDE), Image.Resampling.LANCZOS)
        pixels = np.asarray(image).reshape(image.height, image.width, -1)
    return Picture(pixels, 1, width, height)


def fingerprint(raw: bytes | np.ndarray) -> tuple[int, bytes]:
    """How many bytes an original has, and what stands for them."""
    plain = raw if isinstance(raw, bytes) else np.ascontiguousarray(raw).data
    return len(raw) if isinstance(raw, bytes) else raw.nbytes, hashlib.sha256(plain).digest()[:DIGEST]


def asked(form: Form) -> bytes:
    """The line that begins a conversation."""
    return json.dumps({name: getattr(form, name) for name in OF_FORM}).encode() + b"\n"


def ask(raws: Sequence[bytes | Path], start: int, to: IO[bytes], back: IO[bytes]) -> list[Outcome]:
    """What the process at the other end says of pictures, the first of which has the place `start`. Raises Unwritten,
    and EOFError, ValueError or OSError where it has ended."""
    told = [os.path.abspath(one) if isinstance(one, Path) else len(one) for one in raws]  # it works in another folder
    to.write(json.dumps([start, told]).encode() + b"\n")
    for one in raws:
        if isinstance(one, bytes):
            to.write(one)
    to.flush()
    answer = back.readline()
    if not answer.endswith(b"\n"):
        raise EOFError("the process has ended")
    said = json.loads(answer)
    if isinstance(said, dict):
        raise Unwritten(OSError(*said["unwritten"]))
    return [_read(one) for one in said]


def _read(said: Any) -> Outcome:
    if isinstance(said, str):
        return Refusal(said)
    if len(said) == 2:
        return OSError(*said)
    dim, coloured, size, pixels, levels, length, digest = said
    sizes = (int(size[0]), int(size[1]))
    found = np.array(levels, np.int64)
    return Fitted(dim, coloured, sizes, bytes.fromhex(pixels), found, length, bytes.fromhex(digest))


def _told(one: Outcome) -> Any:
    if isinstance(one, Refusal):
        return str(one)
    if isinstance(one, OSError):
        return [one.errno or 0, one.strerror or str(one)]
    size = (int(one.size[0]), int(one.size[1]))
    return [
        bool(one.dim), bool(one.coloured), size, one.pixels.hex(), one.sums.tolist(), one.length, one.digest.hex()
    ]  # fmt: skip


def main(number: int, files: IO[bytes], answers: IO[bytes]) -> None:
    """The process itself, until nothing more is asked."""
    said = json.loads(files.readline())
    form = Form(**{**said, "levels": tuple(said["levels"]) if said["levels"] else None})
    while line := files.readline():
        start, told = json.loads(line)
        raws = [Path(one) if isinstance(one, str) else files.read(one) for one in told]
        try:
            answer: Any = [_told(written(raw, form, number, start + i)) for i, raw in enumerate(raws)]
        except Unwritten as problem:
            answer = {"unwritten": [problem.error.errno, problem.error.strerror]}
        answers.write(json.dumps(answer).encode() + b"\n")
        answers.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.stdin.buffer, sys.stdout.buffer)
