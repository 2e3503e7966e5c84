"""Whether the disk is full: each library says so in its own way, and some hide it behind an error of their own."""

import errno
import shutil
from pathlib import Path

FULL = "The disk is full"
NOW = f"{FULL}, so nothing can be kept just now. Free some space; looking works on."
SIGNS = (
    "no space left on device", "database or disk is full", "disk quota exceeded", "could not extend file",
)  # fmt: skip
ROOM = 2**18  # bytes: with less, what a library was writing did not fit


def full(error: BaseException | None) -> bool:
    """Whether an error, or one it came of, says that a disk or quota is used up."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        if named(str(error)):
            return True
        if (original := getattr(error, "orig", None)) is not None and named(str(original)):  # SQLAlchemy's
            return True
        error = error.__cause__ or error.__context__
    return False


def named(words: str) -> bool:
    """Whether an error message or the end of a log speaks of a full disk."""
    lower = words.lower()
    return any(sign in lower for sign in SIGNS)


def free(folder: Path) -> int | None:
    """Bytes that may still be written where `folder` is, or will be; None where nobody can tell."""
    try:
        there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
        return shutil.disk_usage(there).free
    except (OSError, StopIteration):
        return None


def used_up(folder: Path) -> bool:
    """Whether hardly a file fits there any more."""
    room = free(folder)
    return room is not None and room < ROOM


def told(error: BaseException, otherwise: str) -> str:
    """What a person is told of a change that failed."""
    return NOW if full(error) else otherwise
