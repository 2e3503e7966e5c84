"""How the Dashboard holds with a million examples: `make bench-scale`.

Writes a run of 1,000,000 test rows whose pictures, answers and places repeat those of the shipped default run's
10,000, then opens the Dashboard on it in Chromium and clicks cells of the matrix: a warm-up, then ten. Counts and
gallery must be exact each time. Prints a table, writes bench/results/scale-TIMES.json, and with --strict exits 1
where a limit is broken. With --pictures N --side S a whole data set is made up instead, imported, learned and
looked at (bench/large.py).
"""

import argparse
import contextlib
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import psutil
from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "bench")]

import large  # noqa: E402
import web  # noqa: E402

from ml.artifacts import writer  # noqa: E402
from ml.artifacts.reader import Library, Run  # noqa: E402
from ml.data import images  # noqa: E402
from ml.data.base import Split  # noqa: E402
from ml.evaluation import confusion, scores  # noqa: E402
from ml.system.paths import ARTIFACTS  # noqa: E402
from ml.system.processor import machine  # noqa: E402

RUN = "scale"
# How many points a chart draws; coordinates may be lists, typed arrays or what plotly.py packs them into.
POINTS = """id => {
    const element = document.getElementById(id);
    const chart = element.classList.contains('js-plotly-plot') ? element : element.querySelector('.js-plotly-plot');
    return chart._fullData.reduce((n, trace) => n + (trace.x ? trace.x.length : 0), 0);
}"""
CLICKS = 10
MEMORY_MB = 1_500
CLICK_MS = 1_000


def repeated(table: pd.DataFrame, times: int) -> pd.DataFrame:
    """The test rows `times` over with ids of their own, the rows of other splits as they are."""
    test = table[table["split"] == "test"].sort_values("example_id")
    many = test.loc[test.index.repeat(times)].reset_index(drop=True)
    copies = np.tile(np.arange(times, dtype=np.int64), len(test))
    many["example_id"] = (many["example_id"].to_numpy() + copies * len(test)).astype(table["example_id"].dtype)
    many = many.sort_values("example_id", kind="stable")
    return pd.concat([many, table[table["split"] != "test"]], ignore_index=True)


class Counted:
    """What scores and confusion ask of a run: labels and probabilities of each split."""

    seed, known = 0, "probabilities"

    def __init__(self, predictions: pd.DataFrame, classes: int) -> None:
        self.classifier = SimpleNamespace(classes=range(classes))
        self.splits, self._said = {}, {}
        self.judged = [str(name) for name in predictions["split"].unique()]
        for name, part in predictions.groupby("split"):
            labels = part["label"].to_numpy(np.int64)
            empty = np.zeros((len(labels), 0, 0, 0), np.uint8)
            self.splits[str(name)] = Split(empty, labels, part["example_id"].to_numpy(np.int32))
            self._said[str(name)] = part[[f"p_{i}" for i in range(classes)]].to_numpy(np.float32)

    def probabilities(self, split: str) -> np.ndarray:
        return self._said[split]


def write(folder: Path, times: int) -> Run:
    """An artifacts folder whose only run has the default run's test rows `times` over; the run it was made from."""
    source_library = Library(ARTIFACTS, ARTIFACTS)
    source = source_library.open(source_library.default() or "")
    name = source.manifest["dataset"]["name"]
    classes = len(source.manifest["dataset"]["classes"])
    shutil.copytree(ARTIFACTS / "datasets" / name, folder / "datasets" / name)
    test = source_library.pictures(name, "test")
    count = len(test.ids)
    ids = (test.ids + np.arange(times, dtype=np.int32)[:, None] * count).reshape(-1)
    for measured in (folder / "datasets" / name).glob("*.parquet"):
        measured.unlink()  # of the pictures that are repeated, not of these
    (folder / "datasets" / name / "test.npz").unlink()
    many = images.Images(np.asarray(test.images), np.tile(np.arange(count), times))  # mapped, since they may be 8 GB
    images.write(folder / "datasets" / name, "test", many, np.tile(test.labels, times), ids)
    predictions = repeated(source.table("predictions"), times)
    counted: Any = Counted(predictions, classes)
    made = {
        "history": source.table("history"),
        "predictions": predictions,
        "scores": scores.table(counted),
        "confusion": confusion.table(counted),
        "projection": repeated(source.table("projection"), times),
    }
    runs = folder / "runs"
    partial = writer.partial(runs, RUN)
    nouns = {noun: writer.write_noun(partial, noun, table, started=time.perf_counter()) for noun, table in made.items()}
    results, counts = source.manifest["results"], {**source.manifest["dataset"]["counts"], "test": count * times}
    about = folder / "datasets" / name / "dataset.json"
    about.write_text(json.dumps({**json.loads(about.read_text()), "counts": counts}))
    manifest = {
        **{key: value for key, value in source.manifest.items() if key not in ("weights", "nouns", "schema")},
        "run_id": RUN,
        "dataset": {**source.manifest["dataset"], "counts": counts},
        "nouns": nouns,
        "weights": writer.write_weights(partial, source.weights()),
        "results": {
            **results,
            "test": {**results["test"], **{k: results["test"][k] * times for k in ("correct", "n")}},
        },
    }
    writer.publish(partial, manifest)
    writer.write_index(folder, RUN, [RUN])
    return source


@contextlib.contextmanager
def opened(times: int) -> Iterator[tuple[str, psutil.Process, np.ndarray, float]]:
    """The app on such a run: its address, its process, the matrix as it should be, and seconds to its first answer."""
    scratch = Path(tempfile.mkdtemp(prefix="fashion-forward-scale-"))
    try:
        source = write(scratch / "artifacts", times)
        test = source.table("predictions").query("split == 'test'")
        classes = len(source.manifest["dataset"]["classes"])
        counts = np.zeros((classes, classes), int)
        np.add.at(counts, (test["label"].to_numpy(), test["predicted"].to_numpy()), times)
        with web.app_server(scratch / "home", "--artifacts", str(scratch / "artifacts")) as (address, process, seconds):
            yield address, process, counts, seconds
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def click(page: Page, n: int, counts: np.ndarray) -> float:
    """Milliseconds of one click on a cell of the diagonal, whose count and gallery must be exact."""
    took = web.click_cell(page, n)
    place = (n * 3) % len(counts)
    said = int(page.locator("#selection-count").inner_text().replace(",", ""))
    shown = page.locator("#dashboard-gallery-grid [data-sample]").count()
    expected = int(counts[place, place])
    if (said, shown) != (expected, min(48, expected)):
        sys.exit(f"cell {place}, {place}: {said} images and {shown} tiles, should be {expected}")
    return took


def peak_mb(process: psutil.Process) -> float:
    """The most memory the process ever had at once."""
    words = Path(f"/proc/{process.pid}/status").read_text() if sys.platform == "linux" else ""
    line = next((line for line in words.splitlines() if line.startswith("VmHWM:")), "VmHWM: 0 kB")
    return int(line.split()[1]) / 1024


def main() -> int:
    """Measure, print, write; 1 with --strict where a limit is broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=100, help="copies of the 10,000 (default 100: a million rows)")
    parser.add_argument("--strict", action="store_true")
    parser.add_argument("--pictures", type=int, help="of a whole data set that is made up instead: see bench/large.py")
    parser.add_argument("--side", type=int, default=64, help="their height and width (default 64)")
    parser.add_argument("--grey", action="store_true", help="grey ones, a third of the room on the disk")
    options = parser.parse_args()
    if options.pictures:
        return large.main(options)
    executable = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    lines: list[dict[str, Any]] = []

    def line(what: str, value: float, unit: str, limit: float | None = None) -> None:
        lines.append({"what": what, "value": round(float(value), 2), "unit": unit, "limit": limit})
        bound = "" if limit is None else f"  limit {limit:g} {unit}  {'ok' if value <= limit else 'OVER'}"
        print(f"{what:<50} {value:>10.2f} {unit:<5}{bound}", flush=True)

    with opened(options.times) as (address, process, counts, seconds), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=web.FLAGS)
        line("rows", counts.sum(), "")
        line("start to first answer", seconds, "s")
        with web.fresh(browser) as page:
            page.goto(address, wait_until="commit")
            line("Dashboard, drawn", web.until_drawn(page, web.DASHBOARD), "ms")
            page.wait_for_function(web.IDLE)
            line("first click (warm-up)", click(page, 0, counts), "ms")
            taken = [click(page, i + 1, counts) for i in range(CLICKS)]
            line(f"matrix click, gallery drawn, median of {CLICKS}", statistics.median(taken), "ms", CLICK_MS)
            line("slowest of them", max(taken), "ms")
            line("web process after the clicks", process.memory_info().rss / 1e6, "MB", MEMORY_MB)
        with web.fresh(browser) as page:
            page.goto(f"{address}/insights", wait_until="commit")
            line("Insights with the 3D chart, drawn", web.until_drawn(page, web.INSIGHTS), "ms")
            drawn = page.evaluate(POINTS, web.INSIGHTS[0])
            line("points of the 3D chart", drawn, "", 10_100)  # and the marked ones, drawn again on top
            line("web process after Insights", process.memory_info().rss / 1e6, "MB", MEMORY_MB)
            line("the most it ever had", peak_mb(process), "MB")
        browser.close()
    target = ROOT / "bench" / "results" / f"scale-{options.times}.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps({"machine": machine(), "times": options.times, "lines": lines}, indent=1) + "\n")
    over = [one["what"] for one in lines if one["limit"] is not None and one["value"] > one["limit"]]
    print(f"{len(over)} over their limit{': ' + ', '.join(over) if over else ''}")
    return 1 if over and options.strict else 0


if __name__ == "__main__":
    sys.exit(main())
