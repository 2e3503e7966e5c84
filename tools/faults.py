"""`make test-faults`: every fault scenario at full count, and a table of what was seen.

With --record the table, its date and the commit go into docs/reliability.md. Other options go to pytest.
"""

import os
import platform
import re
import subprocess
import sys
import time
from datetime import date
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parent.parent
REPORT = ROOT / "build" / "faults.xml"
DOCUMENT = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- full run: begin -->", "<!-- full run: end -->"
SCENARIO = re.compile(r"(?<![a-z])([a-z]\d)(?=_)")


def main(arguments: list[str]) -> int:
    """Run, print and perhaps record; the exit status is pytest's."""
    recording = "--record" in arguments
    more = [argument for argument in arguments if argument != "--record"]
    if recording and more:
        raise SystemExit("--record stands alone: what is recorded is a whole run")
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.unlink(missing_ok=True)
    began = time.monotonic()
    # only the older format holds what a test tells beside its result
    plain = ["-o", "junit_family=xunit1", f"--junitxml={REPORT}"]
    command = [sys.executable, "-m", "pytest", "-m", "faults", "--timeout=1800", *plain, *more]
    status = subprocess.run(command, cwd=ROOT, env={**os.environ, "FASHION_FAULTS": "full"}).returncode
    if not REPORT.exists():
        return status
    rows = read(REPORT)
    words = summary(rows, time.monotonic() - began)
    print(
        "",
        *(
            f"{'+'.join(ids):8} {state:7} {seconds:6.1f} s  {what}  {facts}"
            for ids, what, state, seconds, facts in rows
        ),
        sep="\n",
    )
    print(f"\n{words}")
    if recording:
        DOCUMENT.write_text(placed(DOCUMENT.read_text(), f"{words}\n\n{table(rows)}"))
        print(f"written into {DOCUMENT.relative_to(ROOT)}")
    return status


Row = tuple[list[str], str, str, float, str]


def read(report: Path) -> list[Row]:
    """Scenario ids, what was tried in words, passed or not, seconds and what was seen, in the order of the ids."""
    rows: list[Row] = []
    for case in ElementTree.parse(report).iter("testcase"):
        name, _, variant = (case.get("name") or "").removeprefix("test_").partition("[")
        ids = sorted({found.upper() for found in SCENARIO.findall(name)})
        what = re.sub(r"^(?:[a-z]\d_|and_)+", "", name).replace("_", " ")
        what += f" ({variant.rstrip(']')})" if variant else ""
        bad = next((child.tag for child in case if child.tag in ("failure", "error", "skipped")), "passed")
        facts = "; ".join(part.get("value") or "" for part in case.iter("property") if part.get("name") == "fact")
        rows.append((ids, what, {"failure": "failed"}.get(bad, bad), float(case.get("time") or 0), facts))
    return sorted(rows, key=lambda row: (row[0] or ["~"], row[1]))


def summary(rows: list[Row], seconds: float) -> str:
    """One sentence: when, of which commit, on what, how many, how long."""
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty=+", "--abbrev=12", "--exclude=*"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    ).stdout.strip()
    passed = sum(row[2] == "passed" for row in rows)
    return (
        f"{date.today().isoformat()}, commit {commit or 'unknown'}, {os.cpu_count()} cores, Python "
        f"{platform.python_version()}: {passed} of {len(rows)} passed in {seconds / 60:.0f} min."
    )


def table(rows: list[Row]) -> str:
    """Markdown."""
    lines = ["| scenario | what was tried | result | seconds | seen |", "|---|---|---|---|---|"]
    lines += [
        f"| {', '.join(ids)} | {what} | {state} | {seconds:.1f} | {facts} |"
        for ids, what, state, seconds, facts in rows
    ]
    return "\n".join(lines)


def placed(document: str, text: str) -> str:
    """The document with the text between its two marks."""
    before, _, rest = document.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{text}\n{END}{after}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
