"""The installed package: built as a wheel, put into an environment of its own, used from another folder.

Only the product is installed: its libraries are those of the environment that runs the tests, so that it takes seconds.
"""

import json
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import tomllib
import urllib.request
import venv
from dataclasses import replace
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
SOURCES = (
    "pyproject.toml", "setup.py", "README.md", "LICENSE", "fashion_forward", "ml", "dashboard", "assets", "artifacts",
)  # fmt: skip
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
TINY = ("--model", "mlp", "--dataset", "few", "--epochs", "1", "--batch-size", "64", "--threads", "1")
VERBS = """
import json, sys
from fashion_forward import main
for words in json.loads(sys.argv[1]):
    sys.argv = ["fashion-forward", *words]
    if status := main():
        sys.exit(status)
"""
QUEUE = """
from ml.jobs.queue import JobTable
from ml.system.paths import home_dir
from ml.training.config import TrainConfig
config = TrainConfig(model="mlp", dataset="few", epochs=1, batch_size=64, threads=1)
JobTable(home_dir()).submit(config.model_dump(mode="json"), "queued", epochs=1)
"""


@pytest.fixture(scope="module")
def bin_folder(tmp_path_factory) -> Path:
    """Where the installed `fashion-forward` and its `python` are."""
    folder = tmp_path_factory.mktemp("package")
    (folder / "source").mkdir()
    for name in SOURCES:  # a copy: building writes beside its sources
        if (ROOT / name).is_dir():
            shutil.copytree(
                ROOT / name, folder / "source" / name, ignore=shutil.ignore_patterns("__pycache__", "*.partial")
            )
        else:
            shutil.copy(ROOT / name, folder / "source" / name)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    wheel = [*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, folder / "source"]
    subprocess.run(wheel, check=True, capture_output=True, text=True, timeout=170)
    venv.create(folder / "venv", with_pip=False)
    paths = sysconfig.get_paths(vars={"base": str(folder / "venv"), "platbase": str(folder / "venv")})
    (Path(paths["purelib"]) / "libraries.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    (file,) = folder.glob("*.whl")
    python = Path(paths["scripts"]) / "python"
    subprocess.run(
        [*pip, "--python", python, "install", "--no-deps", "--no-index", "--ignore-installed", file],
        check=True, capture_output=True, text=True, timeout=170,
    )  # fmt: skip
    shutil.rmtree(folder / "source")
    return Path(paths["scripts"])


@pytest.fixture
def away(tmp_path, monkeypatch):
    """An empty folder to be in; everything of this user goes into `mine` in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FASHION_HOME", "mine")
    monkeypatch.setenv("FASHION_WORKER_IDLE", "1")
    for name in ("PYTHONPATH", "FASHION_DB", "FASHION_PASSWORD", "FASHION_READ_ONLY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def run(*command: object) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=170)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_serves_what_ships_from_any_folder(bin_folder, away):
    with subprocess.Popen(
        [bin_folder / "fashion-forward", "serve", "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as server:
        try:
            assert server.stdout is not None
            lines = []
            for line in server.stdout:
                lines.append(line)
                if found := re.search(r"http://\S+", line):
                    break
            else:
                pytest.fail("".join(lines))
            pages = {}
            for path in ("/health", "/", "/api/v1/runs", "/assets/00-tokens.css"):
                with urllib.request.urlopen(found[0] + path, timeout=60) as answer:
                    pages[path] = answer.read().decode()
        finally:
            server.send_signal(signal.SIGTERM)
            server.communicate(timeout=60)  # who closes the pipe first lets its last words fail, which is status 120
    assert server.returncode == 0
    assert "Fashion Forward" in pages["/"]
    shipped = json.loads((ROOT / "artifacts" / "index.json").read_text())["runs"]
    assert set(shipped) <= {one["run"] for one in json.loads(pages["/api/v1/runs"])["runs"]}
    assert pages["/assets/00-tokens.css"] == (ROOT / "assets" / "00-tokens.css").read_text()


@pytest.fixture
def few(away):
    """A data set of the user's own, of a handful of pictures."""
    from ml.artifacts.writer import write_pictures
    from ml.data import synthetic

    dataset = synthetic.load("synthetic-4-28x28x1", train=120, validation=40, test=40)
    write_pictures(away / "mine", replace(dataset, name="few"), complete=True)


@pytest.mark.usefixtures("few")
def test_it_trains_and_scores_from_any_folder(bin_folder, away):
    verbs = [["train", *TINY, "--run", "tiny"], ["evaluate", "tiny", "--split", "test"]]
    words = run(bin_folder / "python", "-c", VERBS, json.dumps(verbs))
    manifest = json.loads((away / "mine" / "runs" / "tiny" / "manifest.json").read_text())
    assert f"test: {manifest['results']['test']['correct']} / 40\n" in words
    assert manifest["command"].startswith("python -m ml train --model mlp")
    assert manifest["git"] == ""
    assert words.strip().endswith(f"\n{manifest['results']['test']['correct']} / 40")


@pytest.mark.usefixtures("few")
def test_a_queued_training_is_done_by_the_worker(bin_folder, away):
    run(bin_folder / "python", "-c", QUEUE)
    run(bin_folder / "fashion-forward", "work")
    assert (away / "mine" / "runs" / "queued" / "manifest.json").is_file()


def test_its_help_has_every_verb():
    from fashion_forward import main
    from ml.__main__ import parser

    assert "serve" not in parser().format_help()
    done = subprocess.run([sys.executable, "-c", "import fashion_forward; fashion_forward.main(['--help'])"],
                          cwd=ROOT, capture_output=True, text=True, timeout=100)  # fmt: skip
    assert done.stdout.startswith("usage: fashion-forward")
    assert {"serve", "train", "import"} <= set(done.stdout.split())
    assert main(["card", "nothing-here"]) == 1


@pytest.mark.parametrize("extra", ["", "cluster", "onnx", "networks", "transfer", "dev"])
def test_it_asks_for_what_the_requirements_pin(extra):
    """The same libraries as the first group of each file, in ranges that hold the pinned version."""
    listed = PROJECT["optional-dependencies"][extra] if extra else PROJECT["dependencies"]
    asked = {one.name: one for one in map(Requirement, listed) if one.name != PROJECT["name"]}
    lines = (ROOT / f"requirements{'-' if extra else ''}{extra}.txt").read_text().split("\n\n")[0].splitlines()
    pinned = {one.name: one for line in lines if line[:1].isalpha() for one in [Requirement(line)]}
    assert set(asked) == set(pinned)
    for name, one in pinned.items():
        (version,) = one.specifier
        assert version.version in asked[name].specifier, name
        assert asked[name].extras == one.extras
