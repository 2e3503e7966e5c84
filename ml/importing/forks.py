"""Processes that begin with what they need already loaded: one that never opens anybody's file loads it, and forks
them. Each is new and does one piece of work; what a file does in it ends with it.

`together` is for who starts several: a network that is converted, tried and asked in other ways loads torch once.
`python -m ml.importing.forks` is the process that forks.
"""

import contextlib
import gc
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextvars import ContextVar
from importlib import import_module
from pathlib import Path
from typing import Any

from ml.system.ending import end
from ml.system.paths import ROOT


class Lost(Exception):
    """The process that forks cannot be started, or has ended."""


class Forks:
    """A process that forks others, one at a time. It ends with this one, and what it has forked with it."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def run(
        self, module: str, scratch: Path, load: Sequence[str], environ: Mapping[str, str], seconds: float
    ) -> int | None:
        """The status that `module.main(scratch)` ended with, as of Popen; None where it was ended after `seconds`.

        load: modules of ours that it begins with, as with its own: each is imported, and its function `load` called,
        where it has one. Raises Lost.
        """
        request = {
            "module": module, "scratch": str(scratch), "load": [*load], "environ": {**environ}, "seconds": seconds
        }  # fmt: skip
        try:
            process = self._started()
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(json.dumps(request).encode() + b"\n")
            process.stdin.flush()
            status: int | None = json.loads(process.stdout.readline())["status"]
        except (OSError, ValueError):
            self.end()
            raise Lost from None
        except BaseException:  # as when somebody presses Ctrl-C: what it has forked goes with it
            self.end()
            raise
        return status

    def _started(self) -> "subprocess.Popen[bytes]":
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "ml.importing.forks"],
                cwd=ROOT, env={**os.environ, "KERAS_BACKEND": "torch"},  # which Keras reads when it is loaded
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            )  # fmt: skip
        return self._process

    def end(self) -> None:
        """The process, and what it has forked."""
        process, self._process = self._process, None
        if process is not None:
            end(process)


_CURRENT: ContextVar[Forks | None] = ContextVar("forks", default=None)


def current() -> Forks | None:
    """What forks in this thread, within `together`."""
    return _CURRENT.get()


@contextlib.contextmanager
def together() -> Iterator[None]:
    """What starts processes by ml.importing.apart in here, in this thread, has them forked; within another, by the
    same. Where a system cannot fork each is started for itself."""
    if _CURRENT.get() is not None or not hasattr(os, "fork"):
        yield
        return
    forks = Forks()
    token = _CURRENT.set(forks)
    try:
        yield
    finally:
        _CURRENT.reset(token)
        forks.end()


def main() -> int:
    """The process that forks: a request a line in, {"status": …} a line out, until there are no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever asks is told, and ends this one
    woken, wake = os.pipe()
    os.set_blocking(wake, False)  # as is asked of it
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    while line := _line(0):
        request = json.loads(line)
        for name in (*request["load"], request["module"]):
            with contextlib.suppress(Exception):  # of packages that are not there: who needs them says so in words
                getattr(import_module(name), "load", int)()
        gc.freeze()  # what is loaded stays: whoever is forked does not look through it
        child = os.fork()
        if not child:
            _born(request, woken, wake)
        status = _watched(child, woken, request["seconds"])
        with contextlib.suppress(BrokenPipeError):
            os.write(1, json.dumps({"status": status}).encode() + b"\n")
    return 0


def _line(number: int) -> bytes:
    """Of an open file, b"" at its end; unbuffered, for `_watched` waits for the same file."""
    line = b""
    while not line.endswith(b"\n"):
        part = os.read(number, 65_536)
        if not part:
            return b""
        line += part
    return line


def _born(request: Mapping[str, Any], *inherited: int) -> None:
    """In the process that was forked, which ends here."""
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        nothing = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1, 2):
            os.dup2(nothing, number)
        for number in (nothing, *inherited):
            os.close(number)
        os.environ.clear()
        os.environ.update(request["environ"])
        tempfile.tempdir = None  # TMPDIR is asked again
        status = import_module(request["module"]).main(Path(request["scratch"]))
    finally:
        os._exit(status)  # nothing that whoever forked it would do at its end is done here


def _watched(child: int, woken: int, seconds: float) -> int | None:
    """Wait until it ends. It is ended after so many seconds, or when nobody waits for it any more."""
    until = time.monotonic() + seconds
    while True:
        ready, _, _ = select.select([0, woken], [], [], max(0.0, until - time.monotonic()))
        if woken in ready:
            os.read(woken, 4096)
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        if 0 in ready or not ready:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return None


if __name__ == "__main__":
    sys.exit(main())
