"""Git repositories on loopback: made of a dictionary of files, and served over HTTP as GitHub serves them."""

import contextlib
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

SOMEBODY = {
    "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b",
    "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, "PATH": os.environ["PATH"],
}  # fmt: skip


def git(folder: Path, *words: str) -> str:
    done = subprocess.run(["git", *words], cwd=folder, env=SOMEBODY, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def repository(folder: Path, files: Mapping[str, bytes | str]) -> tuple[Path, str]:
    """A bare repository with one commit, and its id. files: path → content, or as text where a link leads."""
    work, bare = folder / "work", folder / "photos.git"
    work.mkdir(parents=True)
    git(work, "init", "-q", ".")
    for name, content in files.items():
        target = work / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, str):
            target.symlink_to(content)
        else:
            target.write_bytes(content)
    git(work, "add", "-A", "-f", ".")
    git(work, "commit", "-q", "-m", "one")
    git(folder, "clone", "-q", "--bare", str(work), str(bare))
    return bare, git(work, "rev-parse", "HEAD")


@contextlib.contextmanager
def served(root: Path, *, breaks_after: int | None = None, waits: threading.Event | None = None) -> Iterator[str]:
    """The address of the folder that repositories lie in. breaks_after: bytes of an answer after which the connection
    ends, as a broken line does; waits: what every pack waits for, having sent its first half."""
    backend = Path(subprocess.run(["git", "--exec-path"], capture_output=True, text=True, check=True).stdout.strip())

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.answer(b"")

        def do_POST(self) -> None:
            self.answer(self.rfile.read(int(self.headers.get("Content-Length") or 0)))

        def answer(self, body: bytes) -> None:
            path, _, query = self.path.partition("?")
            env = {
                **SOMEBODY, "GIT_PROJECT_ROOT": str(root), "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": path,
                "QUERY_STRING": query, "REQUEST_METHOD": self.command, "REMOTE_ADDR": "127.0.0.1",
                "CONTENT_TYPE": self.headers.get("Content-Type", ""), "CONTENT_LENGTH": str(len(body)),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            }  # fmt: skip
            done = subprocess.run([str(backend / "git-http-backend")], input=body, env=env, capture_output=True)
            head, _, content = done.stdout.partition(b"\r\n\r\n")
            fields = [line.partition(": ")[::2] for line in head.decode().split("\r\n") if line]
            status = next((int(value[:3]) for name, value in fields if name == "Status"), 200)
            self.send_response(status)
            for name, value in fields:
                if name != "Status":
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            pack = path.endswith("git-upload-pack") and len(content) > 1_000
            if pack and breaks_after is not None:
                content = content[:breaks_after]
            if pack and waits is not None:
                self.wfile.write(content[: len(content) // 2])
                self.wfile.flush()
                waits.wait(60)
                content = content[len(content) // 2 :]
            with contextlib.suppress(OSError):
                self.wfile.write(content)
            if pack and breaks_after is not None:
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        if waits is not None:
            waits.set()
        server.shutdown()
        server.server_close()


def without_git(monkeypatch) -> None:
    """As on a machine that has no git."""
    found = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name, *more, **named: None if name == "git" else found(name, *more))
