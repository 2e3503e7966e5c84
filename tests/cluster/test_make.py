"""`make cluster` and compose.yaml: what they start, and that all of it ends."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

import psutil
import pytest

from tests.cluster.conftest import LIMIT, free_port, needed, until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(LIMIT)]

ROOT = Path(__file__).resolve().parents[2]


def test_make_cluster_starts_all_and_ctrl_c_leaves_nothing(tmp_path, no_artifacts):
    needed("redis-server", "redis-server")
    home, port = tmp_path / "home", free_port()
    log = (tmp_path / "log").open("w+")
    command = [sys.executable, "tools/cluster.py", "--port", str(port), "--artifacts", str(no_artifacts)]
    environment = {**os.environ, "FASHION_HOME": str(home)}
    environment.pop("CELERY_BROKER_URL", None)
    child = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True)

    def health() -> dict:
        assert child.poll() is None, (tmp_path / "log").read_text()
        try:
            return json.load(urlopen(f"http://127.0.0.1:{port}/health", timeout=5))
        except OSError:  # URLError among them, and a listening port that does not answer yet
            return {}

    try:
        until(lambda: (health().get("broker"), health().get("worker")) == ("ok", "running"), 90, "all is there")
        started = psutil.Process(child.pid).children(recursive=True)
        lines = [" ".join(process.cmdline()) for process in started]
        assert all(any(name in line for line in lines) for name in ("redis-server", "ml work", "observe", "app.py"))
        assert not any(re.search("[0-9a-f]{32}", line) for line in lines)  # Redis's password
        child.send_signal(signal.SIGINT)
        assert child.wait(60) == 0
        assert not [process for process in started if process.is_running()]
    finally:
        for process in [psutil.Process(child.pid)] if child.poll() is None else []:
            for one in [*process.children(recursive=True), process]:
                one.kill()
        child.wait()
        log.close()


def test_the_compose_file_names_programs_and_settings_that_exist():
    text = (ROOT / "compose.yaml").read_text()
    named = set(re.findall(r"\b(?:FASHION_[A-Z]+|CELERY_[A-Z_]+)\b", text))
    known = "\n".join(path.read_text() for folder in ("ml", "dashboard") for path in (ROOT / folder).rglob("*.py"))
    assert {name for name in named if f'"{name}"' not in known} == set()
    for module in re.findall(r"command: \[python, -m, ([\w.]+)", text):
        assert (ROOT / module.replace(".", "/")).with_suffix(".py").exists() or (ROOT / module / "__main__.py").exists()
    assert "requirements-cluster.txt" in (ROOT / "Dockerfile").read_text()
    assert "!requirements-cluster.txt" in (ROOT / ".dockerignore").read_text()


def test_the_image_has_its_own_code_compiled():
    """It writes no bytecode when it runs: whatever is copied into it as Python is compiled once it is there."""
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    (compiled,) = (number for number, line in enumerate(lines) if "-m compileall" in line)
    copied = {
        line.split()[1]: number for number, line in enumerate(lines) if line.startswith("COPY ") and ".txt" not in line
    }
    code = {name for name in copied if name.endswith(".py") or any((ROOT / name).rglob("*.py"))}
    assert code == {"app.py", "ml", "dashboard"} == {*lines[compiled].split("-q", 1)[1].split()}
    assert max(copied.values()) < compiled < lines.index("USER app")
