"""Many files at once, out of zips too: one after the other, in memory alone, never more of them than was agreed.

A zip's own words on sizes are not believed: bytes are counted while they are unpacked. Names are text to be shown and
to tell a class by, never a path. What cannot be read comes as an item with a sentence in its place.
"""

import io
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import IO

from ml.images import zip_names
from ml.images.decoding import FILE_BYTES
from ml.images.file_names import by_the_way, clean

FILES = 2_000
UNPACKED = 256_000_000
PIECE = 262_144  # bytes unpacked at a time
ENTRY_BYTES = 600  # of a zip's list, for each file that may be in it
ZIP = (b"PK\x03\x04", b"PK\x05\x06")  # with files, and without
NOT_WHOLE = "This is not a whole zip archive, or one in a form that is not read here."
NESTED = "This is an archive within an archive, which is not opened: put the pictures themselves in."


@dataclass(frozen=True)
class Limits:
    """files: that are read at most; unpacked: their bytes together; each: bytes of one of them."""

    files: int = FILES
    unpacked: int = UNPACKED
    each: int = FILE_BYTES


@dataclass(frozen=True)
class Item:
    """A file: its name with folders, as text; its bytes; or a sentence on why it cannot be read."""

    name: str
    content: bytes = b""
    problem: str = ""


class Count:
    """What has been read so far, against the limits."""

    def __init__(self, limits: Limits) -> None:
        self.limits, self.files, self.bytes = limits, 0, 0

    def over(self, item: Item) -> Item | None:
        """The last item, saying which limit is passed; None while none is."""
        if self.files > self.limits.files:
            words = f"At most {self.limits.files:,} files are read at once: this one and those after it were not."
        elif self.bytes > self.limits.unpacked:
            most = self.limits.unpacked // 10**6
            words = f"At most {most:,} MB are unpacked at once: this file and those after it were not read."
        else:
            return None
        return Item(item.name, problem=words)


def items(
    sources: Iterable[tuple[str, IO[bytes]]],
    limits: Limits | None = None,
    *,
    known: Sequence[str] = (),
    code_page: str | None = None,
    tell: Callable[[str], None] | None = None,
) -> Iterator[Item]:
    """Every file of these (name, opened file), those in zips included, in their order, one in memory at a time.

    Each source is closed once it was read. Ends with an item that says so where a limit is passed. known, code_page:
    see zip_names.Names; tell: hears a sentence on names that had to be guessed.
    """
    count = Count(limits or Limits())
    for name, file in sources:
        with file:
            start = file.read(4)
            file.seek(0)
            if start in ZIP:
                contents = _zipped(clean(name), file, count, known, code_page, tell)
            else:
                contents = _plain(clean(name), file, count)
            for item in contents:
                if last := count.over(item):
                    yield last
                    return
                yield item


def _plain(name: str, file: IO[bytes], count: Count) -> Iterator[Item]:
    count.files += 1
    content = file.read(count.limits.each + 1)
    count.bytes += len(content)
    yield Item(name, content)  # one that is too large is refused with its reader's words


def _zipped(
    parcel: str,
    file: IO[bytes],
    count: Count,
    known: Sequence[str],
    code_page: str | None,
    tell: Callable[[str], None] | None,
) -> Iterator[Item]:
    try:
        listed = _listed(file)
        if listed > ENTRY_BYTES * count.limits.files:
            count.files += 1
            yield Item(parcel, problem=f"This archive lists more than {count.limits.files:,} files.")
            return
        archive = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, ValueError, OSError, struct.error):
        count.files += 1
        yield Item(parcel, problem=NOT_WHOLE)
        return
    with archive:
        files = [entry for entry in archive.infolist() if not entry.is_dir()]
        names = zip_names.Names((one for one in files if not by_the_way(zip_names.plain(one))), code_page, known)
        entries = [(entry, name) for entry in files if not by_the_way(name := names.of(entry))]
        if tell:
            for note in names.notes():
                tell(note)
        if not entries:
            count.files += 1
            yield Item(parcel, problem="There is no file in this archive.")
        for entry, name in entries:
            count.files += 1
            if count.files > count.limits.files:  # said by who asks
                yield Item(clean(name))
                return
            yield unpacked(archive, entry, name, count)


def _listed(file: IO[bytes]) -> int:
    """Bytes of a zip's own list of its files, which zipfile would read as a whole. Raises BadZipFile.

    Zips of the 64-bit form are not taken: they are for more and larger files than are read here.
    """
    size = file.seek(0, os.SEEK_END)
    tail = min(size, 22 + 65_535 + 20)
    file.seek(size - tail)
    end = file.read(tail)
    file.seek(0)
    at = end.rfind(b"PK\x05\x06")
    if at < 0 or len(end) - at < 22 or b"PK\x06\x07" in end[max(at - 20, 0) : at]:
        raise zipfile.BadZipFile
    entries, listed = struct.unpack("<HI", end[at + 10 : at + 16])
    if entries == 0xFFFF or listed == 0xFFFFFFFF:
        raise zipfile.BadZipFile
    return int(listed)


def unreadable(entry: zipfile.ZipInfo) -> str:
    """Why an entry cannot be unpacked, '' where nothing speaks against it."""
    if stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG):
        return "This is a link or a device, not a file."
    if entry.flag_bits & 0x1:
        return "This file is encrypted."
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):  # others unpack without measure
        return "This file is compressed in a way that is not read here: use deflate."
    return ""


def unpacked(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, name: str, count: Count) -> Item:
    """One entry under the name it is to be shown by; its bytes are counted while they are unpacked."""
    name, most = clean(name), count.limits.each
    if problem := unreadable(entry):
        return Item(name, problem=problem)
    large = Item(name, problem=f"This file has more than {most // 10**6} MB, which is too much.")
    if entry.file_size > most:
        return large
    content = io.BytesIO()
    try:
        with archive.open(entry) as part:
            while piece := part.read(PIECE):
                count.bytes += len(piece)
                content.write(piece)
                if content.tell() > most or count.bytes > count.limits.unpacked:
                    return large
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError, NotImplementedError):
        return Item(name, problem="This file is damaged in the archive.")
    if content.getbuffer()[:4].tobytes() in ZIP:
        return Item(name, problem=NESTED)
    return Item(name, content.getvalue())
