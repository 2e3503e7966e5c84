"""bench/peers.py: its turns, medians and table by hand, and that what it starts, asks and ends is what it says."""

import math
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest
from PIL import Image

from bench.browser import family, free_port, memory, started
from bench.lines import COLUMNS, GRADIO, OURS, SPOTLIGHT, STATIC, Line, table, turns
from bench.peers import recorded, second

ROOT = Path(__file__).parents[2]


def test_each_measures_as_often_as_the_others_and_begins_in_turn():
    found = turns((OURS, GRADIO, SPOTLIGHT), 5)
    assert [order[0] for order in found] == [OURS, GRADIO, SPOTLIGHT, OURS, GRADIO]
    assert all(sorted(order) == sorted((OURS, GRADIO, SPOTLIGHT)) for order in found)
    assert found[1] == [GRADIO, SPOTLIGHT, OURS]


def test_a_cell_is_the_median_between_the_least_and_the_most():
    line = Line("opened", "ms")
    for value in (1200.4, 30.0, 700.6, 900.0, 800.0):
        line.add(OURS, value)
    assert line.median(OURS) == 800
    assert line.cell(OURS) == "800 (30–1,200)"
    line.add(GRADIO, 512.4)
    assert line.cell(GRADIO) == "512", "one value has no spread"
    assert line.cell(STATIC) == "–", "what was not measured has no number"
    assert math.isnan(line.median(STATIC))


def test_a_press_that_came_to_nothing_is_no_figure():
    came = {0: (900.0, 950.0), 1: None, 2: (50.0, 150.0), 3: (1.0, 2.0)}
    asked = []

    def click(n):
        asked.append(n)
        return came[n]

    assert second(click, 0) == (50.0, 150.0)
    with pytest.raises(SystemExit, match="came to nothing"):
        second(lambda n: (1.0, 1.0) if n == 5 else None, 4)


def test_small_megabytes_keep_their_digits():
    line = Line("over the wire", "MB", {OURS: [0.774], SPOTLIGHT: [5.02], GRADIO: [341.7]})
    assert [line.cell(column) for column in (OURS, SPOTLIGHT, GRADIO)] == ["0.77", "5.02", "342"]


def test_the_table_has_a_column_for_each_and_names_versions():
    lines = [Line("opened", "ms", {OURS: [1.0, 3.0, 2.0]}), Line("requests", "", {GRADIO: [44.0]})]
    head, rule, opened, requests = table(lines, {GRADIO: "6.31.0"}).splitlines()
    assert head == "| | Fashion Forward | Gradio 6.31.0 | Spotlight | static page |"
    assert rule == "|---|---|---|---|---|"
    assert opened == "| opened, ms | 2 (1–3) | – | – | – |"
    assert requests == "| requests | – | 44 | – | – |"
    assert {len(row.split("|")) for row in (head, rule, opened, requests)} == {2 + 1 + len(COLUMNS)}


def test_what_spotlight_is_given_are_the_run_s_own_answers(tmp_path):
    rows = pd.read_parquet(recorded(tmp_path / "rows"))
    kept = pd.read_parquet(ROOT / "artifacts" / "runs" / "small_resnet" / "predictions.parquet").query(
        "split == 'test'"
    )
    assert len(rows) == len(kept) == 10_000
    assert (rows["label"] == rows["predicted"]).sum() == (kept["label"] == kept["predicted"]).sum()
    with np.load(ROOT / "artifacts" / "datasets" / "fashion-mnist" / "test.npz") as stored:
        images, labels = stored["images"], stored["labels"]
    assert labels[0] == kept.iloc[0]["label"]
    assert (np.asarray(Image.open(rows["image"][0])) == images[0].squeeze()).all()
    assert rows[["x", "y"]].notna().all().all()


# A server whose parent only starts a child that answers, as Spotlight's is.
NESTED = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, '-m', 'http.server', sys.argv[1], '--bind', '127.0.0.1'])
time.sleep(600)
"""


def test_memory_is_of_all_processes_of_a_server_and_none_is_left(tmp_path):
    script = tmp_path / "nested.py"
    script.write_text(NESTED, encoding="utf-8")
    port = free_port()
    with started([sys.executable, str(script), str(port)], port) as (_, process, seconds):
        assert seconds > 0
        everybody = family(process)
        assert len(everybody) == 2
        resident, anonymous = memory(process)
        alone = [memory_of(one) for one in everybody]
        assert resident == pytest.approx(sum(alone), rel=0.2)
        assert 0 < anonymous < resident
    until = time.monotonic() + 30
    while any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in everybody):
        assert time.monotonic() < until, "a server's child outlived it"
        time.sleep(0.1)


def memory_of(process: psutil.Process) -> float:
    return process.memory_info().rss / 1e6


def test_a_server_that_does_not_start_says_why(tmp_path):
    script = tmp_path / "broken.py"
    script.write_text("import sys; sys.exit('no such table')", encoding="utf-8")
    with pytest.raises(SystemExit, match="no such table"), started([sys.executable, str(script)], free_port()):
        pass


@pytest.mark.parametrize("name", ["gradio", "spotlight"])
def test_what_the_peers_need_is_pinned_whole(name):
    lines = (ROOT / "bench" / f"peer_{name}.txt").read_text(encoding="utf-8").splitlines()
    wanted = [line for line in lines if line and not line.startswith("#")]
    assert wanted
    assert all(line.count("==") == 1 for line in wanted)
