"""A real Redis, a real PostgreSQL as a user of its own, and worker processes that take themselves for two machines."""

import contextlib
import dataclasses
import glob
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 3000 if os.environ.get("FASHION_FAULTS") == "full" else 300  # seconds a test may take
SPEC = {"model": "compact_cnn", "dataset": "bars", "epochs": 6, "batch_size": 32, "seed": 3, "threads": 1}


def until(true, seconds: float, what: str):
    """The first true answer within so many seconds, and how long it took."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        answer = true()
        if answer:
            return answer, time.monotonic() - began
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} s: {what}")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def needed(name: str, package: str) -> str:
    """The path of a server's program; the test fails, with what to install, where it is not there."""
    places = [shutil.which(name), *sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"), reverse=True)]
    found = next(filter(None, places), None)
    if found is None:
        pytest.fail(f"{name} is missing: apt-get install {package}")
    return str(found)


REDIS_PORT = free_port()  # the same for every test: our Celery app reads its broker once, when it is imported


class Redis:
    """A redis-server without persistence: stopping it forgets everything."""

    def __init__(self, folder: Path) -> None:
        self.port, self._folder, self._process = REDIS_PORT, folder, None
        self._program = needed("redis-server", "redis-server")
        self.url = f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        import redis

        command = [self._program, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", self._folder]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        def answers() -> bool:
            with contextlib.suppress(redis.ConnectionError, redis.BusyLoadingError):
                return self.client().ping()
            return False

        until(answers, 20, "Redis answers")

    def client(self):
        import redis

        return redis.Redis.from_url(self.url, socket_timeout=5)

    def signal(self, number: int) -> None:
        """SIGKILL ends it, SIGSTOP makes it hang until SIGCONT."""
        if self._process is not None:
            self._process.send_signal(number)
            if number == signal.SIGKILL:
                self._process.wait()
                self._process = None

    def kill(self) -> None:
        self.signal(signal.SIGKILL)


@pytest.fixture
def redis(tmp_path):
    """A Redis that is not started yet."""
    server = Redis(tmp_path)
    yield server
    server.kill()


class Postgres:
    """A PostgreSQL server in a folder of its own, of a user who is not root."""

    def __init__(self) -> None:
        initdb = needed("initdb", "postgresql")
        beside = Path(initdb).with_name("postgres")
        self._program = str(beside) if beside.exists() else needed("postgres", "postgresql")
        self._other: dict = {}
        self.folder = Path(tempfile.mkdtemp(prefix="fashion-postgres-", dir="/tmp"))
        if os.geteuid() == 0:  # the server refuses to run as root
            names = [entry.pw_name for entry in pwd.getpwall()]
            user = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
            self._other = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        word, secret = secrets.token_hex(8), self.folder / "password"
        secret.write_text(word)
        for path in (self.folder, secret) if self._other else ():
            os.chown(path, self._other["user"], self._other["group"])
        self._port, self._server = free_port(), None
        self._address = f"postgresql://fashion:{word}@127.0.0.1:{self._port}"
        made = subprocess.run(
            [initdb, "-D", self.folder / "data", "-U", "fashion", "-A", "scram-sha-256", f"--pwfile={secret}",
             "-E", "UTF8", "--no-sync"],
            cwd=self.folder, capture_output=True, text=True, env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
            **self._other,
        )  # fmt: skip
        assert made.returncode == 0, made.stderr

    def start(self) -> None:
        import psycopg

        options = {
            "listen_addresses": "127.0.0.1", "port": self._port, "unix_socket_directories": self.folder, "fsync": "off",
        }  # fmt: skip
        words = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("a") as log:
            self._server = subprocess.Popen(
                [self._program, "-D", self.folder / "data", *words], cwd=self.folder, stdout=log, stderr=log,
                **self._other,
            )  # fmt: skip

        def answers() -> bool:
            assert self._server.poll() is None, (self.folder / "log").read_text()
            with contextlib.suppress(psycopg.OperationalError):
                psycopg.connect(f"{self._address}/postgres").close()
                return True
            return False

        until(answers, 30, "PostgreSQL answers")

    def stop(self) -> None:
        """At once: open sessions are ended."""
        if self._server is not None:
            self._server.send_signal(signal.SIGINT)
            self._server.wait(30)
            self._server = None

    def __call__(self) -> str:
        """The address of a new, empty database."""
        import psycopg

        name = f"fashion_{secrets.token_hex(4)}"
        with psycopg.connect(f"{self._address}/postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return f"{self._address.replace('postgresql', 'postgresql+psycopg')}/{name}"


@pytest.fixture(scope="session")
def postgres():
    """A PostgreSQL server that ends with the session."""
    server = Postgres()
    server.start()
    yield server
    server.stop()
    shutil.rmtree(server.folder, ignore_errors=True)


# Becomes another machine, as far as names go, where the system lets it.
ELSEWHERE = """
import runpy, socket, sys
name, sys.argv = sys.argv[1], sys.argv[2:]
if name:
    socket.sethostname(name)
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""


def apart() -> bool:
    """Whether processes can be given a host name of their own here."""
    tool = shutil.which("unshare")
    return bool(tool) and subprocess.run([tool, "--uts", "true"], capture_output=True).returncode == 0


class Cluster:
    """Processes that share a home, a database and a broker."""

    def __init__(self, home: Path, redis: Redis, database: str) -> None:
        self.home, self.redis, self.database = home, redis, database
        self.several: list[str] = []
        self._started: list[subprocess.Popen] = []
        self._over = threading.Event()
        self._watch = threading.Thread(target=self._look, daemon=True)
        self._watch.start()

    def start(self, *words: str, machine: str = "") -> psutil.Process:
        """A process of ours, `python -m words…`; with a machine's name it believes to be on another one."""
        log = (self.home / f"{words[0]}-{machine or 'here'}.log").open("a")
        command = [sys.executable, "-m", *words]
        if machine and apart():
            command = ["unshare", "--uts", sys.executable, "-c", ELSEWHERE, machine, *words]
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log, start_new_session=True)
        self._started.append(process)
        log.close()
        return psutil.Process(process.pid)

    def serving(self) -> psutil.Process:
        """The app, which was started first."""
        return psutil.Process(self._started[0].pid)

    def trainers(self, job_id: str = "") -> list[psutil.Process]:
        """Live trainers of this home, of one job or of all."""
        found = []
        for number in psutil.pids():
            words = _words(number)
            if "--job" not in words or (job_id and job_id not in words):
                continue
            with contextlib.suppress(psutil.Error):
                process = psutil.Process(number)
                if process.environ().get("FASHION_HOME") == str(self.home) and process.status() != "zombie":
                    found.append(process)
        return found

    def _look(self) -> None:
        """Sees whether one job ever has two trainers."""
        while not self._over.wait(0.3):
            seen = self.trainers()
            mine = {process.pid for process in seen}
            lines = []
            for process in seen:
                with contextlib.suppress(psutil.Error):
                    # a child between fork and exec still wears its trainer's command line
                    lines += [] if process.ppid() in mine else [_words(process.pid)]
            jobs = [words[words.index("--job") + 1] for words in lines if "--job" in words]
            self.several += [job for job in set(jobs) if jobs.count(job) > 1]

    def log(self) -> str:
        """What all processes printed, for a test that fails."""
        return "\n".join(f"== {file.name}\n{file.read_text()[-3000:]}" for file in self.home.glob("*.log"))

    def end(self) -> None:
        self._over.set()
        self._watch.join()
        for process in self._started:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        for trainer in self.trainers():
            trainer.kill()


def _words(process: int) -> list[str]:
    """The command line of a process, read as cheaply as can be: this is done often."""
    try:
        return Path(f"/proc/{process}/cmdline").read_text(errors="replace").split("\0")
    except OSError:
        return []


@pytest.fixture
def cluster(tmp_path, monkeypatch, redis, postgres):
    """A home with one small data set, a database in PostgreSQL and a Redis; nothing is started yet."""
    from ml.artifacts.writer import write_pictures
    from ml.data import synthetic

    home = tmp_path / "home"
    dataset = dataclasses.replace(synthetic.load("synthetic-4-28x28x1"), name="bars", title="Bars")
    write_pictures(home, dataset, complete=True)
    database = postgres()
    monkeypatch.setenv("FASHION_HOME", str(home))
    monkeypatch.setenv("FASHION_DB", database)
    monkeypatch.setenv("CELERY_BROKER_URL", redis.url)
    made = Cluster(home, redis, database)
    yield made
    made.end()
