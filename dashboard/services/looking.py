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

from ml.jobs.processes import kill, standard_input
from ml.system import disk, small_files
from ml.system.paths import ROOT

log = logging.getLogger(__name__)

SECONDS = 600.0  # that looking at something may take
AT_ONCE = 2  # at data sets, and at what becomes runs; each loads libraries that take 100 MB and more
FORSAKEN = 15.0  # seconds after which what nobody asks for again makes room for others; a page asks every second
SAID = 4 << 20  # bytes of what may be said of something
BYTES = 64 << 20  # of an answer
NOT_BEGUN = "It could not be looked at: no process for it could be started on the server just now."
CRASHED = "It could not be looked at: the process that did ended with an error, which the server's log has."
TOO_LONG = "It could not be looked at within ten minutes. The command line has more patience: {command}."
TOO_MUCH = "What is to be said of it is too much for a page; use the command line."


@dataclass(frozen=True)
class Looked:
    """answer: what the process left; problem: why there is none; neither: it is at work or waits for others, seconds:
    since when it is at work."""

    answer: Mapping[str, Any] | None = None
    problem: str = ""
    seconds: float = 0.0


@dataclass
class _Look:
    process: subprocess.Popen
    since: float
    asked: float  # when somebody last asked for its answer


class Looking:
    """The processes of one home folder that look at what was brought, AT_ONCE at a time. Thread-safe.

    command: of the command line that does the same without a limit of time.
    """

    def __init__(self, home: Path, command: str) -> None:
        self._home, self._command = home, command
        self._lock = threading.Lock()
        self._looks: dict[Path, _Look] = {}

    def ask(self, target: Path, arguments: Sequence[str], choices: Mapping[str, Any]) -> Looked:
        """What `python -m ml` with these arguments left in target; begun where it was not, asked again while it is at
        work. A process that works on another answer of the same kind and folder is ended: its question has changed.

        target: <kind>-<what>.json, in a folder of what was brought; choices: what its standard input says, as JSON.
        """
        with self._lock:
            if known := _read(target):
                if look := self._looks.pop(target, None):
                    _let_go(look.process)
                return known
            now = time.monotonic()
            look = self._looks.get(target)
            if look is None:
                content = json.dumps(choices, sort_keys=True).encode()
                if len(content) > SAID:
                    return Looked(problem=TOO_MUCH)
                if not self._room(target, now):
                    return Looked()
                try:
                    look = self._begin(target, arguments, content)
                except OSError as error:
                    log.warning("nothing could be started to look at what was brought: %s", error)
                    return Looked(problem=disk.told(error, NOT_BEGUN))
            look.asked = now
            status, seconds = look.process.poll(), now - look.since
            if status is None and seconds < SECONDS:
                return Looked(seconds=seconds)
            _let_go(self._looks.pop(target).process)
        words = disk.NOW if disk.used_up(target.parent) else CRASHED
        crashed = Looked(problem=words if status is not None else TOO_LONG.format(command=self._command))
        return _read(target) or crashed

    def known(self, target: Path) -> Mapping[str, Any] | None:
        """What is in target already, None where nothing is."""
        looked = _read(target)
        return looked.answer if looked is not None else None

    def _room(self, target: Path, now: float) -> bool:
        """Whether another may begin, after those have ended whose question has changed or that nobody waits for."""
        kind = target.name.partition("-")[0]
        working: list[Path] = []
        for old, look in sorted(self._looks.items(), key=lambda one: one[1].asked, reverse=True):
            changed = old.parent == target.parent and old.name.startswith(f"{kind}-")
            ended, forsaken = look.process.poll() is not None, now - look.asked > FORSAKEN
            if changed or (forsaken and (ended or len(working) >= AT_ONCE - 1)):
                _let_go(self._looks.pop(old).process)
            elif not ended:
                working.append(old)
        return len(working) < AT_ONCE

    def _begin(self, target: Path, arguments: Sequence[str], content: bytes) -> _Look:
        with standard_input(content) as given:
            process = subprocess.Popen(
                [sys.executable, "-m", "ml", *arguments],
                cwd=ROOT, env={**os.environ, "FASHION_HOME": str(self._home), "OMP_WAIT_POLICY": "PASSIVE"},
                stdin=given, stdout=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
        threading.Thread(target=process.wait, daemon=True).start()  # no zombie, though nobody asks again
        now = time.monotonic()
        self._looks[target] = look = _Look(process, now, now)
        return look


def _let_go(process: subprocess.Popen) -> None:
    """End it and what it started where they have not ended."""
    if process.poll() is None:
        kill(process)


def _read(target: Path) -> Looked | None:
    try:
        if target.stat().st_size > BYTES:
            return Looked(problem=TOO_MUCH)
        found = small_files.document(target, BYTES)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        log.warning("what was understood cannot be read: %s", error)
        return Looked(problem=disk.told(error, CRASHED) if isinstance(error, OSError) else CRASHED)
    return Looked(answer=found if isinstance(found, dict) else {})
