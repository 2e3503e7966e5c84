"""A server of this machine's own runs for a notebook: started when none is there, found again by the next who asks.

It listens on 127.0.0.1 alone and is read-only: pages of a notebook frame it, and there is nothing in it that a stolen
click could do.
"""

import hashlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from filelock import FileLock

from ml import settings
from ml.jobs.processes import end, gone, this_process, trim
from ml.system import atomic, small_files
from ml.system.paths import ROOT

FILES, LOG = "notebook-server", "notebook-server.log"
START_SECONDS = 90.0
FRAMED_BY = "http://localhost:* http://127.0.0.1:* https://localhost:* https://127.0.0.1:* vscode-webview:"
SERVE = "import sys; from fashion_forward import main; sys.exit(main(sys.argv[1:]))"
TRIES = 3  # at a port that was free a moment ago


class NoServer(RuntimeError):
    """The server does not start; the message says why."""


def address(home: Path, prefix: str = "") -> tuple[str, bool]:
    """Where the server of this home answers, as http://127.0.0.1:PORT, and whether it was started for this.

    prefix: the path at which a proxy shows it, with {port} for its number; '' where no proxy stands before it. Raises
    NoServer.
    """
    home.mkdir(parents=True, exist_ok=True)
    file = home / f"{FILES}-{hashlib.sha256(prefix.encode()).hexdigest()[:8]}.json"  # one for each way to it
    with FileLock(home / f"{FILES}.lock", timeout=START_SECONDS):
        known = _known(file)
        if known and _answers(known["port"]):
            return f"http://127.0.0.1:{known['port']}", False
        _end(file)  # it hangs
        for _ in range(TRIES):
            port = _free_port()
            if _start(home, file, port, prefix.format(port=port)):
                return f"http://127.0.0.1:{port}", True
    raise NoServer(f"the server does not start: {_last_words(home)}")


def stop(home: Path) -> bool:
    """End what `address` started; whether there was anything."""
    ended = [_end(file) for file in home.glob(f"{FILES}-*.json")]
    return any(ended)


def _end(file: Path) -> bool:
    known = _known(file)
    file.unlink(missing_ok=True)
    if not known:
        return False
    end(*(known["process"][name] for name in ("host", "pid", "pid_started", "boot")))
    return True


def _known(file: Path) -> dict[str, Any]:
    """What was written of a server that lives, else nothing."""
    try:
        known = small_files.document(file)
        process = [known["process"][name] for name in ("host", "pid", "pid_started", "boot")]
        alive = process[0] == socket.gethostname() and not gone(*process)
        return known if alive and isinstance(known["port"], int) else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _start(home: Path, file: Path, port: int, prefix: str) -> bool:
    log = home / "logs" / LOG
    log.parent.mkdir(parents=True, exist_ok=True)
    chosen = settings.Listening.read()
    public = urlsplit(settings.Proxies.read().public).hostname or ""
    environment = {
        **os.environ, "FASHION_HOME": str(home), "FASHION_PREFIX": prefix,
        "FASHION_FRAMES": chosen.frames or FRAMED_BY, "PYTHONUNBUFFERED": "1",
        "FASHION_HOSTS": ",".join(one for one in (chosen.hosts, public) if one),
    }  # fmt: skip
    with log.open("ab") as printed:
        trim(log)
        process = subprocess.Popen(
            [sys.executable, "-c", SERVE, "serve", "--host", "127.0.0.1", "--port", str(port), "--read-only"],
            cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=printed, stderr=printed, start_new_session=True,
        )  # fmt: skip
    threading.Thread(target=process.wait, daemon=True).start()  # no zombie while this process lives
    limit = time.monotonic() + START_SECONDS
    while time.monotonic() < limit and process.poll() is None:
        if _answers(port):
            atomic.write(file, json.dumps({"port": port, "process": this_process(process.pid)}))
            return True
        time.sleep(0.1)
    if process.poll() is None:
        process.kill()
    return False


def _answers(port: int) -> bool:
    """Whether the app answers there, and not some other program."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=10) as answer:
            return "runs" in json.load(answer)
    except (OSError, ValueError, urllib.error.URLError):
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _last_words(home: Path) -> str:
    try:
        lines = (home / "logs" / LOG).read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except OSError:
        lines = []
    return f"{lines[-1][:300]} (more in logs/{LOG} of the data folder)" if lines else "it ends without a word"
