"""What a folder, an archive or a single file holds: names, and bytes when asked for.

Pictures in an archive are not unpacked to the disk. A compressed tar is, as a whole, since it can only be read from its
beginning, and so is a table or an array in an archive; both lie in a folder that is gone once the source is closed.
"""

import contextlib
import functools
import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ml.images.decoding import FILE_BYTES, Refusal
from ml.images.file_names import spelled
from ml.system import scratch

IMPORTING = "importing"  # what the folders of FASHION_HOME in which one is under way begin with
PICTURES = (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif", ".ppm", ".pgm",
            ".pbm", ".pnm", ".jp2", ".heic", ".heif", ".hif")  # fmt: skip
MAGIC = re.compile(
    rb"\x89PNG|\xff\xd8\xff|GIF8|RIFF....WEBP|BM|II[*+]|MM\0[*+]|P[1-7]\s"
    rb"|....ftyp(?:avi[fs]|hei[cxms]|hev[cx]|mif1|msf1)",
    re.DOTALL,
)
PIECE = 2**20  # bytes unpacked at a time
SPARE = 2**28  # bytes that unpacking leaves free on the disk
LEADS_OUT = "its name leads out of the archive"


def looks_like_a_picture(name: str) -> bool:
    return name.casefold().endswith(PICTURES)


@dataclass(frozen=True, slots=True)
class Entry:
    """A file, or a folder with nothing in it. name: with folders, slashes between; problem: why it cannot be read.

    read() → its bytes, at most one more than any picture may have; raises OSError or Refusal. whole() → a file on this
    machine's disk that holds all of it, whatever its size; raises OSError or Refusal.
    """

    name: str
    read: Callable[[], bytes] | None = None
    problem: str = ""
    whole: Callable[[], Path] | None = None

    @property
    def parts(self) -> tuple[str, ...]:
        return tuple(self.name.split("/"))

    @property
    def is_folder(self) -> bool:
        return self.read is None and not self.problem

    def content(self) -> bytes:
        if self.read is None:
            raise Refusal(self.problem or "It is a folder.")
        return self.read()

    def place(self) -> Path:
        if self.whole is None:
            raise Refusal(self.problem or "It is a folder.")
        return self.whole()


@dataclass(frozen=True)
class Source:
    """entries: in order of their names' parts, what systems leave among them; notes: sentences on names; root: the
    folder they lie in, None for an archive; kind: folder, file, zip or tar."""

    entries: tuple[Entry, ...]
    notes: tuple[str, ...] = ()
    root: Path | None = None
    kind: str = "folder"


@dataclass
class Scratch:
    """A folder in `home` for what must be unpacked, made once something is."""

    stack: contextlib.ExitStack
    home: Path
    _folder: Path | None = None
    _files: int = field(default=0)

    def path(self) -> Path:
        """A place for another file. Raises OSError."""
        if self._folder is None:
            self._folder = self.stack.enter_context(scratch.folder(self.home, IMPORTING))
        self._files += 1
        return self._folder / str(self._files)


def room(folder: Path | str, size: int) -> None:
    """Raises Refusal where so many bytes more do not fit on the disk that a folder is on."""
    free = shutil.disk_usage(folder).free
    if free - size < SPARE:
        raise Refusal(f"There is no room on the disk to unpack this: {free / 1e9:.1f} GB are free.")


def poured(read: Callable[[int], bytes], place: Path) -> None:
    """What is unpacked, into a file, as long as there is room for it. read: gives so many bytes, none at the end."""
    with place.open("wb") as file:
        while piece := read(PIECE):
            room(place.parent, len(piece))
            file.write(piece)


def folder(top: Path) -> Source:
    return Source(tuple(sorted(_walk(top), key=lambda one: one.parts)), root=top)


def single(path: Path) -> Source:
    """A file that is no archive, as it lies in its folder, of which nothing else is listed."""
    return Source((entry(path, path.parent),), root=path.parent, kind="file")


def entry(path: Path, top: Path) -> Entry:
    """A file in a folder of the disk."""
    return _entry(path, _spelled(path, top))


def _entry(path: Path, name: str) -> Entry:
    if os.path.isfile(path):
        return Entry(name, functools.partial(content, path), whole=functools.partial(Path, path))
    annexed = os.path.islink(path) and "annex/objects" in os.readlink(path)
    gone = "it is a link of git-annex to what is not here: git annex get fetches it"
    return Entry(name, problem=gone if annexed else "it is no file that can be opened")


def _walk(top: Path) -> Iterator[Entry]:
    """Links to folders are followed, save those that lead to where they lie in."""
    refused: list[OSError] = []
    for where, folders, files in os.walk(top, onerror=refused.append, followlinks=True):
        inside = Path(where)
        real = inside.resolve()
        for name in list(folders):
            target = (inside / name).resolve()
            if (inside / name).is_symlink() and (target == real or target in real.parents):
                folders.remove(name)
                yield Entry(_spelled(inside / name, top), problem="it is a link to a folder that it lies in")
        if not folders and not files and inside != top:
            yield Entry(_spelled(inside, top))
        within = f"{_spelled(inside, top)}/" if files and inside != top else ""
        for name in files:
            yield _entry(inside / name, within + spelled(name))
    for error in refused:
        yield Entry(_spelled(Path(error.filename), top), problem=f"this folder cannot be read: {error.strerror}")


def _spelled(path: Path, top: Path) -> str:
    return spelled(path.relative_to(top)).replace(os.sep, "/")


def file_of(read: Callable[[], bytes] | None) -> Path | None:
    """The file of a folder on the disk that an entry's content is, None for anything else."""
    entry = getattr(read, "__self__", None)
    found = entry.read if isinstance(entry, Entry) else None
    return found.args[0] if isinstance(found, functools.partial) and found.func is content else None


def content(path: Path) -> bytes:
    """At most one byte more than may be read, so that what is too large says so. Raises OSError."""
    with path.open("rb") as file:
        return file.read(FILE_BYTES + 1)
