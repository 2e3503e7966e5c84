"""Processes that make pictures fit, one for each thread that waits for them: threads alone share one interpreter."""

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from ml.images.fitted import Outcome, Raw, ask, asked, written
from ml.images.form import Form
from ml.system.ending import end
from ml.system.paths import ROOT

LEAST = 300  # pictures that make up for the seventh of a second that a process takes to begin


class Decoders:
    """Give `fit` to several threads. Where no process can be started, or one ends, its thread does the work itself.

    number: of an open file, for the pixels of all pictures one behind the other; wanted: whether processes are.
    """

    def __init__(self, form: Form, number: int, wanted: bool) -> None:
        self._form, self._number = form, number
        self._wanted = wanted and sys.platform != "win32"  # where an open file cannot be handed on by its number
        self._mine = threading.local()
        self.processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.processes:
            end(process)

    def fit(self, raws: Sequence[Raw], start: int) -> list[Outcome]:
        """Some pictures, the first of which has the place `start` in the file. Raises Unwritten."""
        process = self._process()
        files = [one for one in raws if isinstance(one, bytes | Path)]
        if process is None or not files or len(files) < len(raws):
            return self._here(raws, start)
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            return ask(files, start, process.stdin, process.stdout)
        except (EOFError, OSError, ValueError):  # it has ended: what it wrote is written again
            self._mine.process = None
            end(process)
            return self._here(raws, start)

    def _here(self, raws: Sequence[Raw], start: int) -> list[Outcome]:
        return [written(raw, self._form, self._number, start + i) for i, raw in enumerate(raws)]

    def _process(self) -> "subprocess.Popen[bytes] | None":
        """This thread's own, None where it has none, or has none any more."""
        if not hasattr(self._mine, "process"):
            self._mine.process = self._started() if self._wanted else None
        process: subprocess.Popen[bytes] | None = self._mine.process
        return process

    def _started(self) -> "subprocess.Popen[bytes] | None":
        try:
            process = subprocess.Popen(
                [sys.executable, "-m", "ml.images.fitted", str(self._number)],
                cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}, pass_fds=(self._number,),
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            )  # fmt: skip
        except OSError:
            return None
        self.processes.append(process)
        assert process.stdin is not None
        with contextlib.suppress(OSError):
            process.stdin.write(asked(self._form))
        return process
