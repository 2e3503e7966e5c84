"""Processes of this machine and their logs: which one is it, does it live, kill it, what did it print last."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import psutil

TAIL_BYTES = 4096  # of a log, in which its last words are looked for
LOG_BYTES = 2**20  # a job's log, or the worker's, that grows beyond it keeps its last quarter


def this_process(pid: int | None = None) -> dict[str, Any]:
    """host, pid, pid_started and boot of a process of this machine: a pid alone may be used again.

    boot names what pid_started counts from: on Linux the start of the machine, which no step of its clock moves; ''
    for seconds since 1970.
    """
    process = psutil.Process(pid)
    boot, started = _since_boot(process.pid) or ("", process.create_time())
    return {"host": socket.gethostname(), "pid": process.pid, "pid_started": started, "boot": boot}


def gone(host: str | None, pid: int | None, pid_started: float | None, boot: str | None) -> bool:
    """True when the process was on this machine and is not there any more; False when that cannot be said."""
    if host != socket.gethostname() or pid is None or pid_started is None:
        return False
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return True
        if boot:
            now = _since_boot(pid)
            return now is not None and (now[0] != boot or abs(now[1] - pid_started) > 1e-6)
        return abs(process.create_time() - pid_started) > 2
    except psutil.NoSuchProcess:
        return True
    except psutil.AccessDenied:
        return False


def _since_boot(pid: int) -> tuple[str, float] | None:
    """Name of this start of the machine, and seconds from it to the start of the process; None where nobody tells.

    Raises NoSuchProcess.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        after_name = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        return boot, int(after_name[19]) / os.sysconf("SC_CLK_TCK")
    except (FileNotFoundError, ProcessLookupError) as error:
        if Path("/proc/self/stat").exists() and Path("/proc/sys/kernel/random/boot_id").exists():
            raise psutil.NoSuchProcess(pid) from error
        return None
    except (OSError, ValueError, IndexError):
        return None


def end(host: str | None, pid: int | None, pid_started: float | None, boot: str | None) -> None:
    """Kill what still works on a job that was ended: a process of this machine that is stuck and beats no more."""
    if pid is None or host != socket.gethostname() or gone(host, pid, pid_started, boot):
        return
    with contextlib.suppress(OSError):
        if hasattr(os, "killpg") and os.getpgid(pid) == pid:  # a trainer leads its own group
            os.killpg(pid, signal.SIGKILL)
        elif pid != os.getpid():
            psutil.Process(pid).kill()


@contextlib.contextmanager
def standard_input(content: bytes) -> Iterator[IO[bytes] | int]:
    """For Popen: where a process reads this from, however long it is and whenever it does. Raises OSError."""
    if not content:
        yield subprocess.DEVNULL
        return
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.seek(0)
        yield file


def kill(process: subprocess.Popen) -> None:
    """End a child of this process and all it started."""
    try:
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def oom_kills() -> int:
    """How often the kernel has killed for memory, in this control group or else on this machine; 0 where unknown."""
    for path in ("/sys/fs/cgroup/memory.events", "/proc/vmstat"):
        try:
            words = Path(path).read_text(encoding="utf-8", errors="replace").split()
            return int(words[words.index("oom_kill") + 1])
        except (OSError, ValueError):
            continue
    return 0


def trim(log: Path, most: int = LOG_BYTES) -> None:
    """Cut the front off a log of more than `most` bytes, at a line; whoever writes it appends, and goes on."""
    with contextlib.suppress(OSError), log.open("r+b") as file:
        if file.seek(0, os.SEEK_END) <= most:
            return
        file.seek(-(most // 4), os.SEEK_END)
        file.readline()
        kept = file.read()
        file.seek(0)
        file.truncate()
        file.write(b"(what came before was cut off)\n" + kept)


def printed_progress(log: Path) -> dict[str, str | int]:
    """How far an evaluation is, from the last words in its log: stage, and where they end in "3/40", batch and batches.

    Its own lines begin with a small letter, those of warnings do not.
    """
    with contextlib.suppress(OSError), log.open("rb") as file:
        file.seek(max(file.seek(0, os.SEEK_END) - TAIL_BYTES, 0))
        lines = re.findall(r"^[a-z].*$", file.read().decode("utf-8", "replace"), re.MULTILINE)
        if lines:
            counted = re.search(r",? (\d{1,9})/(\d{1,9})$", lines[-1])
            done = {"batch": int(counted[1]), "batches": int(counted[2])} if counted else {}
            return {"stage": lines[-1][: counted.start() if counted else None][:80], **done}
    return {"stage": "computing"}
