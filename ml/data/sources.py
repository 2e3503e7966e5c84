"""What a folder or a zip of pictures holds: names, and bytes when asked for. Nothing is unpacked to the disk."""

import contextlib
import functools
import os
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ml.images import upload_archives, zip_names
from ml.images.decoding import FILE_BYTES, Refusal
from ml.images.file_names import by_the_way, spelled

MOST = upload_archives.Limits(files=10**6, unpacked=10**12)  # of a zip of one's own: its bytes are counted nevertheless


@dataclass(frozen=True)
class Entry:
    """A file, or a folder with nothing in it. name: with folders, slashes between; problem: why it cannot be read.

    read() → its bytes, at most one more than any picture may have; raises OSError or Refusal.
    """

    name: str
    read: Callable[[], bytes] | None = None
    problem: str = ""

    @property
    def parts(self) -> tuple[str, ...]:
        return tuple(self.name.split("/"))

    def content(self) -> bytes:
        if self.read is None:
            raise Refusal(self.problem or "It is a folder.")
        return self.read()


@dataclass(frozen=True)
class Source:
    """entries: in order of their names' parts, what systems leave among them; notes: sentences on names."""

    entries: tuple[Entry, ...]
    notes: tuple[str, ...] = ()


@contextlib.contextmanager
def opened(place: Path, code_page: str | None = None) -> Iterator[Source]:
    """A folder, or a zip; entries can be read until it is closed. code_page: of a zip's names that do not say theirs.

    Raises ValueError, in words, for anything else.
    """
    if place.is_dir():
        yield Source(tuple(sorted(_walk(place), key=lambda one: one.parts)))
    elif place.is_file():
        with place.open("rb") as file:
            if file.read(4) not in upload_archives.ZIP:
                raise ValueError(f"{place} is neither a folder nor a zip: unpack it first")
            try:
                archive = zipfile.ZipFile(file)
            except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError) as error:
                raise ValueError(f"{place}: {upload_archives.NOT_WHOLE}") from error
            with archive:
                yield _zipped(archive, code_page)
    else:
        raise ValueError(f"{place} is not a folder or a zip that is there")


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
        for name in files:
            path = inside / name
            if path.is_file():
                yield Entry(_spelled(path, top), functools.partial(_content, path))
            else:
                yield Entry(_spelled(path, top), problem="it is no file that can be opened")
    for error in refused:
        yield Entry(_spelled(Path(error.filename), top), problem=f"this folder cannot be read: {error.strerror}")


def _spelled(path: Path, top: Path) -> str:
    return spelled(path.relative_to(top)).replace(os.sep, "/")


def _content(path: Path) -> bytes:
    """At most one byte more than may be read, so that what is too large says so. Raises OSError."""
    with path.open("rb") as file:
        return file.read(FILE_BYTES + 1)


def _zipped(archive: zipfile.ZipFile, code_page: str | None) -> Source:
    found, count = [], upload_archives.Count(MOST)
    listed = [one for one in archive.infolist() if not by_the_way(zip_names.plain(one))]
    names = zip_names.Names(listed, code_page)
    for one in archive.infolist():
        parts = [part for part in names.of(one).replace("\\", "/").split("/") if part not in ("", ".")]
        name = "/".join(parts)
        if not name:
            continue
        if ".." in parts:
            found.append(Entry(name, problem="its name leads out of the archive"))
        elif one.is_dir():
            found.append(Entry(f"{name}/"))
        else:
            found.append(Entry(name, functools.partial(_unpacked, archive, one, name, count)))
    filled = {entry.name.rpartition("/")[0] for entry in found if not entry.name.endswith("/")}
    within = {"/".join(name.split("/")[:i]) for name in filled for i in range(1, name.count("/") + 2)}
    kept = [
        Entry(entry.name.rstrip("/"), entry.read, entry.problem)
        for entry in found
        if not entry.name.endswith("/") or entry.name.rstrip("/") not in within
    ]
    return Source(tuple(sorted(kept, key=lambda one: one.parts)), names.notes())


def _unpacked(archive: zipfile.ZipFile, one: zipfile.ZipInfo, name: str, count: upload_archives.Count) -> bytes:
    item = upload_archives.unpacked(archive, one, name, count)
    if item.problem:
        raise Refusal(item.problem)
    return item.content
