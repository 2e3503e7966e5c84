"""Zips and tars as sources. Their words on sizes are not believed, links are not followed, and no name leads out."""

import bz2
import functools
import gzip
import lzma
import os
import re
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from ml.data.importing.sources import LEADS_OUT, Entry, Scratch, Source, room
from ml.images import upload_archives, zip_names
from ml.images.decoding import FILE_BYTES, Refusal
from ml.images.file_names import by_the_way

MOST = upload_archives.Limits(files=10**6, unpacked=10**12)  # of an archive of one's own; its bytes are counted
LINK = "This is a link or a device, not a file."
DAMAGED = "This file is damaged in the archive."
PIECE = 2**20  # bytes unpacked at a time
PACKED: dict[bytes, Callable[[IO[bytes]], Any]] = {
    b"\x1f\x8b": lambda file: gzip.GzipFile(fileobj=file),
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ\0": lzma.LZMAFile,
}
BROKEN = (EOFError, OSError, zlib.error, lzma.LZMAError)


def zipped(file: IO[bytes], shown: str, code_page: str | None, scratch: Scratch) -> Source:
    """A zip that was opened and stays so. code_page: of names that do not say theirs. Raises ValueError, in words."""
    try:
        archive = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError) as error:
        raise ValueError(f"{shown}: {upload_archives.NOT_WHOLE}") from error
    found, count = [], upload_archives.Count(MOST)
    listed = [one for one in archive.infolist() if not by_the_way(zip_names.plain(one))]
    names = zip_names.Names(listed, code_page)
    for one in archive.infolist():
        name, leads_out = _inside(names.of(one))
        if leads_out:
            found.append((Entry(name, problem=LEADS_OUT), False))
        elif name:
            read = functools.partial(_unpacked, archive, one, name, count)
            whole = functools.lru_cache(1)(functools.partial(_whole, archive, one, count, scratch))
            found.append((Entry(name) if one.is_dir() else Entry(name, read, whole=whole), one.is_dir()))
    return Source(_sorted(found), names.notes(), kind="zip")


def _inside(name: str) -> tuple[str, bool]:
    """A name's parts with slashes between, and whether it leads out of the archive."""
    name = name.replace("\\", "/")
    parts = [part for part in name.split("/") if part not in ("", ".")]
    return "/".join(parts), ".." in parts or name.startswith("/") or bool(re.match(r"[A-Za-z]:/", name))


def _sorted(found: Iterable[tuple[Entry, bool]]) -> tuple[Entry, ...]:
    """Files, and folders with nothing in them. found: with whether it is a folder."""
    found = list(found)
    filled = {entry.name.rpartition("/")[0] for entry, is_folder in found if not is_folder}
    within = {"/".join(name.split("/")[:i]) for name in filled for i in range(1, name.count("/") + 2)}
    empty: dict[str, Entry] = {
        entry.name: entry for entry, is_folder in found if is_folder and entry.name not in within
    }
    kept = [*(entry for entry, is_folder in found if not is_folder), *empty.values()]
    return tuple(sorted(kept, key=lambda one: one.parts))


def _unpacked(archive: zipfile.ZipFile, one: zipfile.ZipInfo, name: str, count: upload_archives.Count) -> bytes:
    item = upload_archives.unpacked(archive, one, name, count)
    if item.problem:
        raise Refusal(item.problem)
    return item.content


def _whole(archive: zipfile.ZipFile, one: zipfile.ZipInfo, count: upload_archives.Count, scratch: Scratch) -> Path:
    if problem := upload_archives.unreadable(one):
        raise Refusal(problem)
    place = scratch.path()
    try:
        with archive.open(one) as part, place.open("wb") as file:
            for piece in iter(lambda: part.read(PIECE), b""):
                _write(file, piece, count)
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError, NotImplementedError):
        raise Refusal(DAMAGED) from None
    return place


def _write(file: IO[bytes], piece: bytes, count: upload_archives.Count) -> None:
    """Raises Refusal where there is no room for it."""
    count.bytes += len(piece)
    if count.bytes > count.limits.unpacked:
        raise Refusal(f"Unpacked it has more than {count.limits.unpacked / 1e12:.0f} TB.")
    room(os.path.dirname(file.name), len(piece))
    file.write(piece)


def packed(start: bytes) -> Callable[[IO[bytes]], Any] | None:
    """What unpacks a file that begins like this, None where it is not compressed by gzip, bzip2 or xz."""
    return next((opens for magic, opens in PACKED.items() if start.startswith(magic)), None)


def plain(file: IO[bytes], scratch: Scratch) -> tuple[Path, str]:
    """A compressed file on the disk as it was before, as far as it goes, and a sentence where it breaks off.

    Raises OSError, Refusal.
    """
    file.seek(0)
    opens = packed(file.read(6))
    file.seek(0)
    assert opens is not None
    place, count = scratch.path(), upload_archives.Count(MOST)
    with place.open("wb") as target:
        part = opens(file)
        while True:
            try:
                piece = part.read1(PIECE)  # what comes before it breaks off, too
            except BROKEN as error:
                return place, f"it is damaged and breaks off after {count.bytes:,} bytes: {error}"
            if not piece:
                return place, ""
            _write(target, piece, count)


def is_tar(start: bytes) -> bool:
    """Whether 512 bytes are the head of a tar's first file."""
    try:
        tarfile.TarInfo.frombuf(start[:512], "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True


def tarred(file: IO[bytes], shown: str, scratch: Scratch, note: str = "") -> Source:
    """An uncompressed tar that was opened and stays so. note: what is to be said of it already."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    found, tar = [], _Tar(file, scratch)
    archive = tarfile.open(fileobj=file, mode="r:", encoding="utf-8", errors="surrogateescape")  # noqa: SIM115
    for one in _members(archive):
        name, leads_out = _inside(one.name)
        if leads_out:
            found.append((Entry(name, problem=LEADS_OUT), False))
        elif one.isdir() and name:
            found.append((Entry(name), True))
        elif not one.isreg() or one.issparse():
            found.append((Entry(name, problem=LINK), False))
        elif one.offset_data + one.size > size:
            found.append((Entry(name, problem=DAMAGED), False))
        else:
            member = _Member(tar, one.offset_data, one.size)
            found.append((Entry(name, member, whole=member.whole), False))
    if not note and _stretch(file, archive.offset, tarfile.BLOCKSIZE).strip(b"\0"):
        note = f"it is damaged, and what comes after its first {archive.offset:,} bytes is not read"
    return Source(_sorted(found), (f"{shown}: {note}",) if note else (), kind="tar")


@dataclass(frozen=True, slots=True)
class _Tar:
    """copies: start of a member → its place on the disk, of those that were asked for as a whole."""

    file: IO[bytes]
    scratch: Scratch
    copies: dict[int, Path] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Member:
    """A file in a tar, of which there may be millions: small."""

    tar: _Tar
    start: int
    size: int

    def __call__(self) -> bytes:
        return _stretch(self.tar.file, self.start, min(self.size, FILE_BYTES + 1))

    def whole(self) -> Path:
        if self.start not in self.tar.copies:
            self.tar.copies[self.start] = _copied(self.tar.file, self.start, self.size, self.tar.scratch)
        return self.tar.copies[self.start]


def _members(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """One after the other, none of them kept; ends where the archive is damaged."""
    while True:
        try:
            one = archive.next()
        except tarfile.TarError:
            return
        if one is None:
            return
        archive.members = []  # type: ignore[attr-defined]  # or tarfile keeps every member that it has passed
        if one.name not in (".", "./"):
            yield one


def _stretch(file: IO[bytes], start: int, size: int) -> bytes:
    """Without moving the file, which others read as well."""
    return os.pread(file.fileno(), size, start)


def _copied(file: IO[bytes], start: int, size: int, scratch: Scratch) -> Path:
    place, count = scratch.path(), upload_archives.Count(MOST)
    with place.open("wb") as target:
        for at in range(start, start + size, PIECE):
            _write(target, _stretch(file, at, min(PIECE, start + size - at)), count)
    return place
