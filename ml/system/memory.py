"""What a long-lived process keeps of the memory that it no longer needs, and how much one may take that reads files."""

import contextlib
import ctypes
import gc
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil

M_ARENA_MAX, M_MMAP_THRESHOLD = -8, -3  # of malloc.h
ARENAS = 2
LARGE_BYTES = 1 << 20
SHARE = 0.7  # of what is free
GROUP = Path("/sys/fs/cgroup")  # of a container
TOO_LITTLE = "more memory than is free here: bring it in parts, or where there is more"


def limit_malloc() -> None:
    """Let the threads share two of glibc's arenas, and give back what is large as soon as it is free.

    65 MB less after a tour, and 45 less: glibc would keep blocks of up to 32 MB once one of that size was freed. 5 more
    where it is said before the first imports.
    """
    with contextlib.suppress(OSError, AttributeError, TypeError):
        library = ctypes.CDLL(None)
        library.mallopt(M_ARENA_MAX, ARENAS)
        library.mallopt(M_MMAP_THRESHOLD, LARGE_BYTES)


def leave_out_clouds() -> None:
    """For a process that reads files of this machine alone: pyarrow goes without its file systems of clouds.

    It loads all of them with its parquet (pyarrow 26: 3 MB, 40 ms), and says in words where one that is not there is
    asked for.
    """
    for name in ("_azurefs", "_gcsfs", "_hdfs", "_s3fs"):
        sys.modules.setdefault(f"pyarrow.{name}", None)  # type: ignore[arg-type]  # what import takes for not there


def leave_some() -> None:
    """For a process that reads what others made: it meets a MemoryError where it asks for more than a share of what is
    free at its start. A file of some MB can say that it holds a hundred GB, for which the system would end the server.

    Linux alone limits what is in use; elsewhere a limit of addresses would be one of libraries too.
    """
    if not sys.platform.startswith("linux"):
        return
    import resource

    most, hard = int(SHARE * free()), resource.getrlimit(resource.RLIMIT_DATA)[1]
    with contextlib.suppress(ValueError, OSError):  # a lower limit holds already
        resource.setrlimit(resource.RLIMIT_DATA, (most, hard))


def free() -> int:
    """Bytes that a process may still take, of the machine and of the container that it is in."""
    machine = int(psutil.virtual_memory().available)
    try:
        most, used = ((GROUP / f"memory.{name}").read_text(encoding="ascii").strip() for name in ("max", "current"))
        return machine if most == "max" else min(machine, max(int(most) - int(used), 0))
    except (OSError, ValueError):
        return machine


def trim() -> None:
    """Return to the system what lies free between what is in use: 33 MB after a tour."""
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


def settle() -> None:
    """After much was loaded: collect garbage, never look through the rest again, return what is free to the system.

    A full collection takes 0.1 s with torch in memory, in which nobody is answered, and so seldom happens that garbage
    of some MB lies about.
    """
    gc.collect()
    gc.freeze()
    trim()


@contextlib.contextmanager
def gc_paused() -> Iterator[None]:
    """No garbage collection while modules are loaded, which stay: torch is there a sixth sooner."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
