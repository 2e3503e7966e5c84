"""`make cluster`: the app with a Redis, a training worker and an observer on this machine, until Ctrl-C.

Redis is started on a free port of 127.0.0.1 unless CELERY_BROKER_URL names another. FASHION_DB, FASHION_HOME and
FASHION_WORKERS mean what they always do: without them SQLite, the user's own folder, one training at a time.
"""

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 20.0
STOP_SECONDS = 20.0  # a training worker lets its trainer end a batch first


def main() -> int:
    """Start everything, wait for Ctrl-C, SIGTERM or the first process to end, stop everything; the exit status."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, interrupted)
    environment = {"OMP_WAIT_POLICY": "PASSIVE", **os.environ}
    running: list[tuple[str, subprocess.Popen]] = []
    with tempfile.TemporaryDirectory(prefix="fashion-forward-redis-") as folder:
        try:
            if not environment.get("CELERY_BROKER_URL"):
                redis, environment["CELERY_BROKER_URL"] = start_redis(Path(folder))
                running.append(("Redis", redis))
            commands = {
                "training worker": ("-m", "ml", "work"),
                "observer": ("-m", "dashboard.observe"),
                "app": ("app.py", *sys.argv[1:]),
            }
            for name, words in commands.items():
                running.append((name, start(words, environment)))
            print(f"started: {', '.join(name for name, _ in running)}; Ctrl-C stops them", flush=True)
            name, ended = first_end(running)
            print(f"{name} ended with status {ended}; stopping the others", file=sys.stderr, flush=True)
            return 1
        except KeyboardInterrupt:
            return 0
        finally:
            stop(running)


def interrupted(*_: object) -> None:
    """What the first Ctrl-C or SIGTERM does; further ones do not disturb the stopping."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def start_redis(folder: Path) -> tuple[subprocess.Popen, str]:
    """A Redis that only programs with its password reach, and its address."""
    program = shutil.which("redis-server")
    if program is None:
        raise SystemExit("redis-server is missing: apt-get install redis-server, or set CELERY_BROKER_URL")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    password = secrets.token_hex(16)
    settings = (
        f"bind 127.0.0.1\nport {port}\nrequirepass {password}\nsave ''\nappendonly no\ndir {folder}\nloglevel warning\n"
    )
    # by its standard input: a command line can be read by everybody on the machine
    process = subprocess.Popen([program, "-"], stdin=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stdin is not None
    process.stdin.write(settings)
    process.stdin.close()
    limit = time.monotonic() + START_SECONDS
    while time.monotonic() < limit and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return process, f"redis://:{password}@127.0.0.1:{port}/0"
        time.sleep(0.05)
    process.kill()
    raise SystemExit("redis-server did not start")


def start(words: tuple[str, ...], environment: dict[str, str]) -> subprocess.Popen:
    """One of our own programs, in a session of its own: Ctrl-C reaches only this one, which stops them in order."""
    return subprocess.Popen([sys.executable, *words], cwd=ROOT, env=environment, start_new_session=True)


def first_end(running: list[tuple[str, subprocess.Popen]]) -> tuple[str, int]:
    """Name and status of the first process that ends."""
    while True:
        for name, process in running:
            if process.poll() is not None:
                return name, process.returncode
        time.sleep(0.2)


def stop(running: list[tuple[str, subprocess.Popen]]) -> None:
    """Ask all to end, last started first; kill what does not."""
    for name, process in reversed(running):
        if process.poll() is None and name != "Redis":
            process.terminate()
    limit = time.monotonic() + STOP_SECONDS
    for name, process in reversed(running):
        if name == "Redis" and process.poll() is None:
            process.terminate()  # the workers have put their jobs back by now
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(max(limit - time.monotonic(), 1))
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


if __name__ == "__main__":
    sys.exit(main())
