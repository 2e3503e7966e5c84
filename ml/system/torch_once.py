"""torch for a process that asks networks: imported once, whoever asks first, and on one thread."""

import contextlib
import sys
import threading

from ml.system import memory

_one = threading.Lock()


def load() -> None:
    """Import torch if nobody has, for one thread: one picture gains nothing from two, and a fork after OpenMP has run
    would hang."""
    with _one:
        with contextlib.nullcontext() if "torch" in sys.modules else memory.gc_paused():
            import torch
        torch.set_num_threads(1)
