"""The report of `make test-faults`: what it reads from pytest, and where it puts it."""

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
REPORT = """<testsuites><testsuite>
<testcase name="test_w1_forged[a b]" time="1.25"/>
<testcase name="test_j1_j3_and_o3_machines_die" time="60.04"><properties>
<property name="fact" value="10 kills"/><property name="fact" value="none twice"/></properties></testcase>
<testcase name="test_j8_a_full_disk" time="2"><failure message="no"/></testcase>
<testcase name="test_u1_all" time="0"><skipped/></testcase>
</testsuite></testsuites>"""


@pytest.fixture
def faults():
    spec = importlib.util.spec_from_file_location("faults", ROOT / "tools" / "faults.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_what_pytest_says_becomes_a_table(faults, tmp_path):
    (tmp_path / "report.xml").write_text(REPORT)
    rows = faults.read(tmp_path / "report.xml")
    assert rows == [
        (["J1", "J3", "O3"], "machines die", "passed", 60.04, "10 kills; none twice"),
        (["J8"], "a full disk", "failed", 2.0, ""),
        (["U1"], "all", "skipped", 0.0, ""),
        (["W1"], "forged (a b)", "passed", 1.25, ""),
    ]
    assert faults.table(rows).splitlines()[3] == "| J8 | a full disk | failed | 2.0 |  |"
    assert re.search(r"2 of 4 passed in 2 min\.$", faults.summary(rows, 100.0))


def test_the_document_has_a_place_for_it(faults):
    document = (ROOT / "docs" / "reliability.md").read_text()
    placed = faults.placed(document, "new")
    assert placed.count(faults.BEGIN) == placed.count(faults.END) == 1
    assert f"{faults.BEGIN}\nnew\n{faults.END}" in placed
    assert faults.placed(placed, "new") == placed


def test_every_scenario_of_the_document_has_a_test():
    document = (ROOT / "docs" / "reliability.md").read_text()
    rows = [line.split("|")[1] for line in document.splitlines() if re.match(r"\| [JROUW]\d", line)]
    named = set()
    for part in re.split(r", |\s", " ".join(rows)):
        first, _, last = part.partition("–")
        if first:
            named |= {f"{first[0]}{k}" for k in range(int(first[1]), int((last or first)[1]) + 1)}
    text = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    tested = {
        found.upper()
        for line in re.findall(r"def test_(\w+)", text)
        for found in re.findall(r"(?<![a-z])([a-z]\d)_", line)
    }
    assert {"J1", "J8", "R4", "O3", "U4", "W7"} <= named
    assert named <= tested
