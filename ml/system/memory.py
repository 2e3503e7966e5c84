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
SMAPS = Path("/proc/self/smaps")  # what the process has in memory, by stretch of addresses
MADV_DONTNEED = 4  # of mman.h
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
    free now, beside what it has. A file of some MB can say that it holds a hundred GB, for which the system would end
    the server.

    To be called once torch is loaded, where it is needed: a build of it with CUDA asks for 0.7 GB that it never uses,
    and what cannot be loaded is no MemoryError. Linux alone limits what is in use; elsewhere a limit of addresses would
    be one of libraries too.
    """
    if not sys.platform.startswith("linux"):
        return
    import resource

    held = psutil.Process().memory_info().data
    most, hard = held + int(SHARE * free()), resource.getrlimit(resource.RLIMIT_DATA)[1]
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


def unread() -> None:
    """Return to the system the pages of libraries that were read while they were loaded and may never be again: their
    code, which nobody writes to. What is needed comes back out of the system's own cache of files."""
    with contextlib.suppress(OSError, AttributeError, TypeError, ValueError):
        advise = ctypes.CDLL(None, use_errno=True).madvise
        advise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
        for first, last in _code():
            advise(first, last - first, MADV_DONTNEED)


def _code() -> Iterator[tuple[int, int]]:
    """(first byte, byte after the last) of every stretch of a file that this process may run and holds no copy of."""
    place = None
    for line in SMAPS.read_text(encoding="utf-8", errors="replace").splitlines():
        head = line.split(maxsplit=5)
        if not head[0].endswith(":"):
            whole = len(head) == 6 and head[5].startswith("/") and head[1] == "r-xp"
            first, last = (int(one, 16) for one in head[0].split("-"))
            place = (first, last) if whole else None
        elif place is not None and head[0] == "Anonymous:" and head[1] == "0":
            yield place


def settle() -> None:
    """After much was loaded: collect garbage, never look through the rest again, return what is free to the system.

    A full collection takes 0.1 s with torch in memory, in which nobody is answered, and so seldom happens that garbage
    of some MB lies about.
    """
    gc.collect()
    gc.freeze()
    trim()
    unread()


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
