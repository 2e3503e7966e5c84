"""docs/extending.md is carried out: its chart is made in a copy of the repo, as written there, and opened."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FILES, LINES = 5, 2  # at most, for a chart

# Opens the page of the copy it runs in: the card is there, its callback answers with a figure, its table as CSV.
OPEN = """
import sys, tempfile
from pathlib import Path
from dashboard.pages import PAGES
from dashboard.shell import create_app
from dashboard.state.selection import Selection
from tests.callbacks import fired_in_process
import dashboard
assert Path(dashboard.__file__).is_relative_to(Path.cwd()), dashboard.__file__
app = create_app(home=Path(tempfile.mkdtemp()))
client = fired_in_process(app)
status, made = client.fire("app-page.children", "url.pathname", url__pathname="/", url__search="")
assert status == 200 and "dashboard-class-confidence-card" in str(made), status
status, made = client.fire("dashboard-class-confidence-graph.figure", "url.search", url__search="")
figure = made["dashboard-class-confidence-graph"]["figure"]
assert status == 200 and len(figure["data"][0]["y"]) == 10, status
assert made["dashboard-class-confidence-face"]["children"] is None
answer = app.server.test_client().get("/export/class-confidence.csv")
head = answer.text.splitlines()[0]
assert answer.status_code == 200 and head == "class,n,mean confidence,right,run,data", answer.text[:200]
n, right = (sum(int(line.split(",")[k]) for line in answer.text.splitlines()[1:]) for k in (1, 3))
assert (n, 9000 < right < n) == (10000, True), (n, right)
"""


def example() -> tuple[dict[str, str], list[tuple[str, list[str]]]]:
    """New files by path, and the hunks (path, lines) of the section about a chart, as the document has them."""
    text = (ROOT / "docs" / "extending.md").read_text()
    section = re.search(r"^## A chart\n(.*?)^## ", text, re.MULTILINE | re.DOTALL)
    assert section
    made, hunks, path = {}, [], ""
    for named, kind, code in re.findall(r"`([\w/]+\.py)`:?\n|```(python|diff)\n(.*?)```\n", section[1], re.DOTALL):
        if named:
            path = named
        elif kind == "python":
            made[path] = code
        else:
            hunks.append((path, code.splitlines()))
    return made, hunks


def edited(text: str, hunk: list[str]) -> str:
    """The text with the lines of a hunk added at the one place where its context stands."""
    before = "".join(f"{line[1:]}\n" for line in hunk if line[0] != "+")
    after = "".join(f"{line[1:]}\n" for line in hunk if line[0] != "-")
    assert text.count(before) == 1, f"no such place, or more than one:\n{before}"
    return text.replace(before, after)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """What git knows of the repo, in a folder of its own."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode()
    for name in filter(None, listed.split("\0")):
        source, target = ROOT / name, tmp_path / "copy" / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
    return tmp_path / "copy"


def test_the_chart_of_the_document_is_there_once_its_files_and_lines_are(copy, tmp_path):
    made, hunks = example()
    added = [line for _, hunk in hunks for line in hunk if line[0] == "+"]
    removed = [line for _, hunk in hunks for line in hunk if line[0] == "-"]
    assert 0 < len(made) <= FILES
    assert 0 < max(len(added), len(removed)) <= LINES
    for path, code in made.items():
        assert not (copy / path).exists(), f"{path} is no new file"
        (copy / path).write_text(code)
    for path, hunk in hunks:
        (copy / path).write_text(edited((copy / path).read_text(), hunk))
    here = {**os.environ, "FASHION_HOME": str(tmp_path / "home"), "PYTHONPATH": str(copy)}

    def run(*command: str) -> None:
        done = subprocess.run(command, cwd=copy, env=here, capture_output=True, text=True, timeout=240, check=False)
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"

    run(sys.executable, "-c", OPEN)
    run(sys.executable, "-m", "ruff", "check", *made)
    run(sys.executable, "-m", "ruff", "format", "--check", *(path for path, _ in hunks), *made)
    run(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *(path for path in made if path[:5] == "tests"))
