"""One commit of a git repository, brought here by git's own protocol: its id is the digest of all that is in it.

Nothing is checked out: no hooks, filters, links or submodules, no large files of LFS, and nobody's configuration. By
git where there is one, else by dulwich (ml.system.git_by_dulwich); either in a process of its own that is watched.
"""

import contextlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import psutil

from ml.system.paths import ROOT

GIT, DULWICH = "git", "dulwich"
INSTALL = "Neither git nor dulwich is on this machine: install git, or pip install dulwich."
SECONDS = 3_600.0  # for all of it
SILENT_SECONDS = 60  # without a byte
LOOK_SECONDS = 0.2
FILE_BYTES = 30_000_000  # of one file; what is larger is no picture that is read here
SPOKEN = ("https", "http")  # protocols; what is fetched is what its commit's id says by either
PLAIN = (b"100644", b"100755", b"100664")  # modes of files; others are links, folders and submodules
COUNTED = re.compile(rb"Receiving objects:\s+\d+% \((\d+)/(\d+)\)")
KEPT = (
    "PATH", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR", "http_proxy", "https_proxy", "all_proxy", "no_proxy", "HTTP_PROXY",
    "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "GIT_SSL_CAINFO",
)  # fmt: skip
"""What is taken over of the environment: where programs are, and how the network is reached."""
REASONS = (
    ("could not resolve host", "its host is not known here"),
    ("name or service not known", "its host is not known here"),
    ("temporary failure in name resolution", "its host is not known here"),
    ("nameresolutionerror", "its host is not known here"),
    ("connection refused", "the connection was refused"),
    ("couldn't connect", "the connection was refused"),
    ("failed to connect", "the connection was refused"),
    ("unable to connect", "the connection was refused"),
    ("timed out", "it did not answer in time"),
    ("certificate", "its certificate is not trusted here"),
    ("proxy", "the proxy does not let it through"),
    ("not our ref", "it does not have that commit"),
    ("bad object", "it does not have that commit"),
    ("notgitrepository", "there is no such repository"),
    ("not found", "there is no such repository"),
    ("no space left", "the disk is full"),
)
"""What git and dulwich say → why, in words."""


class Unreachable(OSError):
    """The commit cannot be had; the message says why, as the end of a sentence."""


class NoGit(Exception):
    """Nothing here speaks git's protocol; the message is for people."""


class GivenUp(Exception):
    """Somebody asked to stop."""


Progress = Callable[[int, int, str], None]


def engine() -> str:
    """git or dulwich. Raises NoGit."""
    if shutil.which("git"):
        return GIT
    if importlib.util.find_spec("dulwich") is not None:
        return DULWICH
    raise NoGit(INSTALL)


@dataclass(frozen=True)
class Commit:
    """A commit that is here. folder: of a repository that has nothing else; by: the engine."""

    commit: str
    folder: Path
    by: str

    def files(self) -> dict[str, str]:
        """path → object of every plain file; what is no file, and names that are no text, are left out. Raises
        Unreachable."""
        return _listed_by_git(self) if self.by == GIT else _dulwich().listed(self.folder, self.commit)

    def contents(self, objects: Sequence[str]) -> Iterator[bytes]:
        """Of some objects, in order; b'' for what has more than FILE_BYTES. Raises Unreachable."""
        if self.by == GIT:
            return _contents_by_git(self.folder, objects)
        return _dulwich().contents(self.folder, objects, FILE_BYTES)


def fetch(
    address: str, commit: str, folder: Path, *, most: int, seconds: float = SECONDS, by: str | None = None,
    progress: Progress = lambda done, total, what: None, cancelled: Callable[[], bool] = lambda: False,
) -> Commit:  # fmt: skip
    """Bring exactly this commit, without its past, into an empty folder. most: bytes that may come; by: an engine, the
    first there is when None.

    Raises NoGit, Unreachable, GivenUp, OSError; what has come until then is for the caller to remove.
    """
    by = by or engine()
    if address.partition("://")[0] not in SPOKEN:
        raise Unreachable(f"its address begins with neither {' nor '.join(f'{one}://' for one in SPOKEN)}")
    env = environment(folder)
    if by == GIT:
        _ask_git(folder, env, "init", "-q", "--bare", "--template=", ".")
        settings = {
            "core.hooksPath": os.devnull, "credential.helper": "", "protocol.version": "2", "gc.auto": "0",
            "http.lowSpeedLimit": "1", "http.lowSpeedTime": str(SILENT_SECONDS), "fetch.unpackLimit": "1",
        }  # fmt: skip
        chosen = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        command = [
            "git", *chosen, "fetch", "--depth=1", "--no-tags", "--no-recurse-submodules", "--progress", "--",
            address, commit,
        ]  # fmt: skip
    else:
        module = [sys.executable, "-m", "ml.system.git_by_dulwich"]
        command, env = (
            [*module, address, commit, str(folder)],
            env | {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
        )
    _Watched(command, env, folder, most, seconds).run(progress, cancelled)
    found = Commit(commit, folder, by)
    if not _is_there(found):
        raise Unreachable("it gave another commit than was asked for")
    return found


def environment(folder: Path) -> dict[str, str]:
    """Of a git that knows this folder alone, asks nobody and speaks HTTP alone."""
    kept = {name: value for name, value in os.environ.items() if name in KEPT}
    return kept | {
        "LC_ALL": "C", "HOME": str(folder), "XDG_CONFIG_HOME": str(folder), "GIT_DIR": str(folder),
        "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, "GIT_TERMINAL_PROMPT": "0", "GIT_ASKPASS": "",
        "SSH_ASKPASS": "", "GIT_ALLOW_PROTOCOL": ":".join(SPOKEN), "GIT_LFS_SKIP_SMUDGE": "1",
    }  # fmt: skip


class _Watched:
    """A process that fetches: its progress is told, and it ends where it takes too long, brings too much or is
    given up."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str], folder: Path, most: int, seconds: float) -> None:
        self._command, self._env, self._folder = command, env, folder
        self._most, self._seconds = most, seconds
        self._said: deque[str] = deque(maxlen=20)
        self._counted = (0, 0)

    def run(self, progress: Progress, cancelled: Callable[[], bool]) -> None:
        """Raises Unreachable, GivenUp."""
        process = subprocess.Popen(
            self._command, cwd=self._folder, env=dict(self._env), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )  # fmt: skip
        assert process.stderr is not None
        listener = threading.Thread(target=self._listen, args=(process.stderr,), daemon=True)
        listener.start()
        try:
            self._watch(process, progress, cancelled)
        finally:
            _end(process)
            listener.join(5)
            process.stderr.close()
        if process.returncode:
            raise Unreachable(self._why())

    def _watch(self, process: subprocess.Popen[bytes], progress: Progress, cancelled: Callable[[], bool]) -> None:
        began = time.monotonic()
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(LOOK_SECONDS)
            size = _size(self._folder)
            if size > self._most:
                raise Unreachable(f"it is larger than the {self._most / 1e6:,.0f} MB that were expected")
            if process.returncode is not None:
                return
            if cancelled():
                raise GivenUp
            if time.monotonic() - began > self._seconds:
                raise Unreachable(f"it took more than {self._seconds / 60:,.0f} minutes")
            done, total = self._counted
            progress(done, total, f"fetching: {size / 1e6:,.1f} MB so far")

    def _listen(self, said: IO[bytes]) -> None:
        left = b""
        while part := said.read1(4096):  # type: ignore[attr-defined]
            *lines, left = re.split(rb"[\r\n]", left + part)
            for line in lines:
                if counted := COUNTED.search(line):
                    self._counted = int(counted[1]), int(counted[2])
                elif line.strip():
                    self._said.append(line.decode("utf-8", "replace"))

    def _why(self) -> str:
        whole = "\n".join(self._said).casefold()
        known = next((words for sign, words in REASONS if sign in whole), None)
        last = next((line for line in reversed(self._said) if line.strip()), "no reason was given")
        return known or f"it broke off ({last.removeprefix('fatal: ').strip()[:160]})"


def _end(process: subprocess.Popen[bytes]) -> None:
    """With what it has started: git talks through programs of its own."""
    if process.poll() is not None:
        return
    with contextlib.suppress(psutil.Error):
        for child in psutil.Process(process.pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                child.kill()
    process.kill()
    process.wait()


def _size(folder: Path) -> int:
    """Bytes that have come so far."""
    total = 0
    for where, _, files in os.walk(folder):
        for name in files:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(where, name)).st_size
    return total


def _ask_git(folder: Path, env: Mapping[str, str], *words: str) -> bytes:
    """What git prints. Raises Unreachable."""
    done = subprocess.run(["git", *words], cwd=folder, env=dict(env), capture_output=True, timeout=60, check=False)
    if done.returncode:
        raise Unreachable(f"git {words[0]} failed ({done.stderr.decode('utf-8', 'replace').strip()[:160]})")
    return done.stdout


def _is_there(found: Commit) -> bool:
    if found.by == DULWICH:
        return _dulwich().is_commit(found.folder, found.commit)
    try:
        kind = _ask_git(found.folder, environment(found.folder), "cat-file", "-t", found.commit)
    except Unreachable:
        return False
    return kind.strip() == b"commit"


def _listed_by_git(found: Commit) -> dict[str, str]:
    env = environment(found.folder)
    listed: dict[str, str] = {}
    for line in _ask_git(found.folder, env, "ls-tree", "-r", "-z", "--full-tree", found.commit).split(b"\0"):
        about, _, name = line.partition(b"\t")
        if about.split(b" ")[0] in PLAIN:
            with contextlib.suppress(UnicodeDecodeError):
                listed[name.decode()] = about.split(b" ")[2].decode()
    return listed


def _contents_by_git(folder: Path, objects: Sequence[str]) -> Iterator[bytes]:
    process = subprocess.Popen(
        ["git", "cat-file", "--batch"], cwd=folder, env=environment(folder), stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        for one in objects:
            process.stdin.write(one.encode() + b"\n")
            process.stdin.flush()
            head = process.stdout.readline().split()
            if len(head) != 3 or head[1] != b"blob":
                raise Unreachable("a file of it did not come")
            size = int(head[2])
            content = process.stdout.read(size) if size <= FILE_BYTES else _passed_over(process.stdout, size)
            if len(content) != (size if size <= FILE_BYTES else 0) or process.stdout.read(1) != b"\n":
                raise Unreachable("a file of it did not come")
            yield content
    finally:
        process.stdin.close()
        process.stdout.close()
        _end(process)


def _passed_over(file: IO[bytes], size: int) -> bytes:
    while size > 0 and (part := file.read(min(size, 2**20))):
        size -= len(part)
    return b""


def _dulwich() -> Any:
    """The module, loaded late: whoever has git need not have dulwich."""
    from ml.system import git_by_dulwich

    return git_by_dulwich
