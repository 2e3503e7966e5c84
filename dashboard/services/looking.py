"""What somebody brought, looked at by processes of their own: no other process of a server opens it.

Each leaves its answer in a file, so that what was understood before is known at once, also after a restart.
"""

import json
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ml.jobs.processes import kill
from ml.system import disk
from ml.system.paths import ROOT

log = logging.getLogger(__name__)

SECONDS = 600.0  # that looking at something may take
BYTES = 64 << 20  # of an answer
CRASHED = "It could not be looked at: the process that did ended with an error, which the server's log has."
TOO_LONG = "It could not be looked at within ten minutes. The command line has more patience: {command}."
TOO_MUCH = "What is to be said of it is too much for a page; use the command line."


@dataclass(frozen=True)
class Looked:
    """answer: what the process left; problem: why there is none; neither: it is at work, seconds: since when."""

    answer: Mapping[str, Any] | None = None
    problem: str = ""
    seconds: float = 0.0


class Looking:
    """The processes of one home folder that look at what was brought. Thread-safe.

    command: of the command line that does the same without a limit of time.
    """

    def __init__(self, home: Path, command: str) -> None:
        self._home, self._command = home, command
        self._lock = threading.Lock()
        self._processes: dict[Path, tuple[subprocess.Popen, float]] = {}

    def ask(self, target: Path, arguments: Sequence[str]) -> Looked:
        """What `python -m ml` with these arguments left in target; begun where it was not, asked again while it is at
        work. A process that works on another answer of the same kind and folder is ended: its question has changed.

        target: <kind>-<what>.json, in a folder of what was brought.
        """
        with self._lock:
            if known := _read(target):
                if process := self._processes.pop(target, (None, 0.0))[0]:
                    _let_go(process)
                return known
            process, since = self._processes.get(target) or self._begin(target, arguments)
            status, seconds = process.poll(), time.monotonic() - since
            if status is None and seconds < SECONDS:
                return Looked(seconds=seconds)
            _let_go(self._processes.pop(target)[0])
        crashed = Looked(problem=CRASHED if status is not None else TOO_LONG.format(command=self._command))
        return _read(target) or crashed

    def known(self, target: Path) -> Mapping[str, Any] | None:
        """What is in target already, None where nothing is."""
        looked = _read(target)
        return looked.answer if looked is not None else None

    def _begin(self, target: Path, arguments: Sequence[str]) -> tuple[subprocess.Popen, float]:
        kind = target.name.partition("-")[0]
        for old in [one for one in self._processes if one.parent == target.parent and one.name.startswith(f"{kind}-")]:
            _let_go(self._processes.pop(old)[0])
        process = subprocess.Popen(
            [sys.executable, "-m", "ml", *arguments],
            cwd=ROOT, env={**os.environ, "FASHION_HOME": str(self._home), "OMP_WAIT_POLICY": "PASSIVE"},
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        self._processes[target] = process, time.monotonic()
        return self._processes[target]


def _let_go(process: subprocess.Popen) -> None:
    """End it and what it started where they have not ended, and leave no zombie."""
    if process.poll() is None:
        kill(process)
    threading.Thread(target=process.wait, daemon=True).start()


def _read(target: Path) -> Looked | None:
    try:
        if target.stat().st_size > BYTES:
            return Looked(problem=TOO_MUCH)
        found = json.loads(target.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        log.warning("what was understood cannot be read: %s", error)
        return Looked(problem=disk.told(error, CRASHED) if isinstance(error, OSError) else CRASHED)
    return Looked(answer=found if isinstance(found, dict) else {})
