"""Folders of work under way. What is killed leaves its own; whoever does the same next removes it, and can say so."""

import contextlib
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from filelock import FileLock, Timeout

LOCK = "under-way.lock"  # held by who works there
YOUNG_SECONDS = 60.0  # a folder that was just made may not have its lock yet


@contextlib.contextmanager
def folder(parent: Path, kind: str) -> Iterator[Path]:
    """`<kind>-…` in a folder that is made if missing; gone at the end. Raises OSError."""
    parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"{kind}-", dir=parent) as made, FileLock(Path(made) / LOCK):
        yield Path(made)


def sweep(parent: Path, kind: str, rescue: Callable[[Path], None] = lambda left: None) -> tuple[int, int]:
    """Remove what work of this kind that was killed has left in a folder: how many folders, and their bytes.

    rescue: is given each of them first, to take out what must not go.
    """
    gone = freed = 0
    for left in parent.glob(f"{kind}-*"):
        if not left.is_dir() or left.is_symlink() or _is_under_way(left):
            continue
        rescue(left)
        size = sum(file.lstat().st_size for file in left.rglob("*") if not file.is_dir())
        shutil.rmtree(left, ignore_errors=True)
        gone, freed = gone + 1, freed + size
    return gone, freed


def _is_under_way(left: Path) -> bool:
    with contextlib.suppress(OSError):
        if not (left / LOCK).exists():
            return time.time() - left.stat().st_mtime < YOUNG_SECONDS
        try:
            FileLock(left / LOCK).acquire(blocking=False).lock.release()
        except Timeout:
            return True
    return False
