"""bench/table.py: its numbers by hand from results as benchmarks write them; what was not run is not made up."""

import re
from pathlib import Path

import pytest

from bench.table import ROWS, amount, conditions, table

ROOT = Path(__file__).parents[2]
MACHINE = {"processor": "AMD EPYC", "cores": 2}


def line(what, unit, **values):
    return {"what": what, "unit": unit, "values": {name.replace("_", " "): found for name, found in values.items()}}


@pytest.fixture
def peers():
    ours = "Fashion_Forward"
    return {
        "machine": MACHINE, "load": [1.5, 2.0], "versions": {"Gradio": "6.31.0"}, "lines": [
            line("first screen, or the empty form", "ms", **{ours: [900, 700, 800], "Gradio": [1400, 1500, 1600]}),
            line("everything drawn", "ms", **{ours: [1200, 1000, 1100], "static_page": [2200, 1900, 2300]}),
            line("press on a cell → the page shows it", "ms", **{ours: [50, 60, 40], "Spotlight": [500, 700, 600]}),
            line("… → its pictures are there", "ms", **{ours: [150, 160, 140], "Spotlight": [2500, 2700, 2600]}),
            line("picture chosen → answer", "ms", **{ours: [200] * 3, "Gradio": [300] * 3}),
            line("first load over the wire", "MB", **{ours: [0.77], "Gradio": [0.35]}),
            line("server's memory after that, resident", "MB", **{ours: [450.0]}),
            line("… of it anonymous", "MB", **{ours: [300.0]}),
        ],
    }  # fmt: skip


def row_of(text, start):
    return next(row for row in text.splitlines() if row.startswith(f"| {start}")).strip("|").split("|")


def test_medians_stand_beside_the_peers_of_the_same_run(peers):
    text = table({"peers": peers})
    assert [cell.strip() for cell in row_of(text, "first screen")[2:]] == [
        "800 ms", "3", "Gradio 1.50 s", "`make bench-peers`"]  # fmt: skip
    assert [cell.strip() for cell in row_of(text, "Dashboard's charts")[2:5]] == [
        "0.50 ×", "3", "1.10 s beside 2.20 s"]  # fmt: skip
    assert [cell.strip() for cell in row_of(text, "press on a cell")[2:5]] == [
        "50 ms (150 ms)", "3", "Spotlight 600 ms (2.60 s)"]  # fmt: skip
    assert row_of(text, "server's memory")[2].strip() == "450 MB (300 MB)"
    assert text.splitlines()[-1] == "- peers: AMD EPYC, 2 cores, Gradio 6.31.0, load 1.5 to 2"


def test_ratios_of_other_commands():
    click = {"what": "matrix click, gallery drawn, median of 10", "unit": "ms"}
    most = {"what": "the most it ever had", "unit": "MB"}
    few = {"machine": MACHINE, "lines": [{**click, "value": 120}, {**most, "value": 240}]}
    many = {"machine": MACHINE, "lines": [{**click, "value": 300}, {**most, "value": 2900}]}
    text = table({"scale-1": few, "scale-1000": many})
    assert row_of(text, "a click on a cell at")[2].strip() == "2.5 ×; 2,900 MB"
    usual = {"machine": MACHINE, "ratio": 17.24, "median_seconds": 13.0, "reference_seconds": 224.8, "quick": [{}] * 5}
    found = row_of(table({"train": usual}), "`quick`")
    assert [cell.strip() for cell in found[2:5]] == ["17.2 × (13.0 s)", "5", "the usual loop 225 s"]
    assert "not run here" in row_of(table({"scale-1": few}), "first screen")[2]


def test_what_was_not_run_has_no_number():
    for row, printed in zip(ROWS, table({}).splitlines()[2:], strict=False):
        measured = printed.strip("|").split("|")[2].strip()
        assert measured == "not run here" or measured == f"[told below]({row.below})"


def test_every_command_is_one_of_make_s():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert {row.command.split()[0] for row in ROWS if row.command} <= targets


def test_numbers_as_people_read_them():
    assert [amount(999.4, "ms"), amount(1234, "ms"), amount(0.774, "MB"), amount(2935, "MB"), amount(1.83, "s")] == [
        "999 ms", "1.23 s", "0.77 MB", "2,935 MB", "1.83 s"]  # fmt: skip
    assert conditions("train", {"machine": MACHINE}) == "- train: AMD EPYC, 2 cores"
