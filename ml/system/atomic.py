"""Files that a crash leaves as they were or as they shall be: written aside, synced, put in place in one step."""

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from ml.system import disk


@contextlib.contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """A path beside `target` to write to; what is there at the end becomes `target`, nothing does after an error.

    Others may do the same at the same time: each has its own path, and the last one stays. Raises OSError; where the
    disk is full with that as its number, whatever the library that wrote made of it.
    """
    scratch = _aside(target)
    try:
        yield scratch
        sync(scratch)
        os.replace(scratch, target)
    except BaseException as error:
        hidden = isinstance(error, Exception) and (
            disk.full(error) or disk.used_up(target.parent)
        )  # before it is freed
        scratch.unlink(missing_ok=True)
        if hidden and not (isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), target.name) from error
        raise
    sync(target.parent)


def write(target: Path, content: bytes | str) -> None:
    """Replace a file, or make it; text in UTF-8. Raises OSError."""
    with replacing(target) as scratch:
        scratch.write_bytes(content.encode() if isinstance(content, str) else content)


def create(target: Path, content: bytes, mode: int = 0o644) -> bool:
    """Make a file unless it is there, whole or not at all; whether this call made it. Raises OSError."""
    scratch = _aside(target)
    try:
        with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(content)
        sync(scratch)
        os.link(scratch, target)  # unlike a rename, this refuses where another was quicker
    except FileExistsError:
        return False
    finally:
        scratch.unlink(missing_ok=True)
    sync(target.parent)
    return True


def rename(source: Path, target: Path) -> None:
    """Move a file or folder within a file system, in one step that lasts. Raises OSError."""
    os.rename(source, target)
    sync(target.parent)
    if source.parent != target.parent:
        sync(source.parent)


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk. Raises OSError."""
    if path.is_dir():
        if os.name == "nt":  # a folder cannot be opened there
            return
        handle = os.open(path, os.O_RDONLY)
    else:
        handle = os.open(path, os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _aside(target: Path) -> Path:
    return target.with_name(f"{target.name}.{secrets.token_hex(4)}.partial")
