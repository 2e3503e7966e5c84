"""What a long-lived process keeps of the memory that it no longer needs."""

import contextlib
import ctypes
import gc
from collections.abc import Iterator

ARENAS = 2
M_ARENA_MAX = -8  # of glibc's malloc.h


def few_arenas() -> None:
    """Let the process's threads share two of glibc's heaps, not one each; elsewhere nothing."""
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, ARENAS)


def settle() -> None:
    """After much was loaded: collect garbage, never look through the rest again, return what is free to the system.

    A full search takes 0.1 s with torch in memory, in which nobody is answered, and so seldom happens that garbage of
    some MB lies about.
    """
    gc.collect()
    gc.freeze()
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


@contextlib.contextmanager
def loading() -> Iterator[None]:
    """Nothing is searched for garbage while modules are loaded, which stay: torch is there a quarter sooner."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
