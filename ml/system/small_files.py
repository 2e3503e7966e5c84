"""Small files that lie in folders of the app, read so that nothing that stands in their place can hold anybody up."""

import json
import os
import stat
from pathlib import Path
from typing import Any

MOST = 64 << 20  # bytes


def judge(path: Path, most: int | None = None) -> None:
    """Raises OSError for what is no regular file, which opening might wait for, or has more bytes than `most`."""
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise OSError(f"{path.name} is no file")
    if most is not None and found.st_size > most:
        raise OSError(f"{path.name} has {found.st_size:,} bytes, and at most {most:,} are read")


def content(path: Path, most: int = MOST) -> bytes:
    """All of it. Raises OSError, also as `judge` does."""
    judge(path, most)
    # what takes its place in between is not waited for
    with open(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)), "rb") as file:
        return file.read(most)


def document(path: Path, most: int = MOST) -> Any:
    """The value of a file of JSON in UTF-8. Raises OSError, ValueError."""
    try:
        return json.loads(content(path, most).decode())
    except RecursionError:
        raise ValueError(f"{path.name} is nested too deeply") from None
