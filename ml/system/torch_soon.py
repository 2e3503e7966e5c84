"""torch for a process that asks networks and does nothing else with it: there a fifth sooner, and 18 MB smaller.

A fifth of what importing torch takes is its kernels for tensors that have a shape and no numbers, which tracing and
compiling need and answers, gradients and attacks do not (torch 2.13: 0.85 in place of 1.09 s of processor). They stay
away until somebody imports them by name.
"""

import sys
import threading
import types

from ml.system import memory

SHAPES = "torch._meta_registrations"
_one = threading.Lock()


def load() -> None:
    """Import torch if nobody has, for one thread: one picture gains nothing from two, and a fork after OpenMP has run
    would hang."""
    with _one:
        if "torch" not in sys.modules:
            sys.modules[SHAPES] = types.ModuleType(SHAPES)
            try:
                with memory.gc_paused():
                    import torch
            finally:
                del sys.modules[SHAPES]
            torch.__dict__.pop(SHAPES.rpartition(".")[2], None)
        import torch

        torch.set_num_threads(1)


def whole() -> None:
    """The rest of it, for what traces, compiles, or comes from libraries that might."""
    import torch._meta_registrations  # noqa: F401
