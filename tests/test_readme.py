"""What the README says of the runs is what their manifests say, and its links lead somewhere."""

import re
import runpy
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_table_of_runs_is_generated():
    written = runpy.run_path(str(ROOT / "tools" / "runs_table.py"))["written"]
    readme = (ROOT / "README.md").read_text()
    assert written(readme) == readme


def test_links_lead_to_files():
    for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        for link in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
            assert (page.parent / link).exists(), f"{page.name}: {link}"


def test_the_first_screen_shows_the_two_commands():
    first = (ROOT / "README.md").read_text().splitlines()[:8]
    assert any("make run" in line for line in first)
    assert any("make test" in line for line in first)
