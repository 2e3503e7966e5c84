"""A whole data set of N made-up pictures: `make bench-scale ARGS="--pictures 100000 --side 64"`.

Writes JPEGs of as many colour pictures of one side (with --grey grey ones) as one tar (a WebDataset), then measures,
each in a process of its own: import (splits, measures and near-duplicates with it), near-duplicates alone, one epoch of
quick_cnn with everything that follows a training, and the Dashboard in process: the first page, what its panels draw,
and a click on a cell of the matrix.
Of each: wall seconds and the most anonymous memory (RssAnon) of the process and its children together. Writes
bench/results/large-N-S.json. The pictures go where TMPDIR says, and are deleted.
"""

import argparse
import io
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
CLASSES, COPIES = 10, 0.01  # share of pictures that are made twice
RUN = NAME = "large"
PANELS = (  # of the Dashboard, which a click on a cell draws again
    "selection-count.children", "dashboard-gallery-grid.tree", "dashboard-scores-body.tree",
    "dashboard-confusion-graph.figure", "dashboard-accuracy-graph.figure", "dashboard-distribution-graph.figure",
)  # fmt: skip


def picture(label: int, rng: np.random.Generator, side: int) -> np.ndarray:
    """uint8 [side, side, 3]: a soft field of colours, of a class a brighter bar at its own height."""
    coarse = Image.fromarray(rng.integers(0, 256, (6, 6, 3), np.uint8)).resize((side, side), Image.Resampling.BICUBIC)
    field = np.asarray(coarse, np.float32) * 0.6
    high = max(1, side // CLASSES)
    field[label * high : (label + 1) * high] += 70
    return np.clip(field + rng.normal(0, 6, field.shape), 0, 255).astype(np.uint8)


def write(target: Path, n: int, side: int, grey: bool = False) -> None:
    """One tar of n JPEGs with their labels beside them."""
    with tarfile.open(target, "w") as archive:
        for number in range(n):
            rng = np.random.default_rng(number)
            label = int(rng.integers(CLASSES))
            if number and rng.random() < COPIES:  # the same as an earlier one
                rng = np.random.default_rng(int(rng.integers(number)))
                label = int(rng.integers(CLASSES))
                rng.random()
            file = io.BytesIO()
            made = Image.fromarray(picture(label, rng, side))
            (made.convert("L") if grey else made).save(file, "JPEG", quality=90)
            for ending, content in (("jpg", file.getvalue()), ("cls", str(label).encode())):
                entry = tarfile.TarInfo(f"{number:08}.{ending}")
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))


def anonymous(process: psutil.Process) -> int:
    """RssAnon of a process and its children, in bytes."""
    found = 0
    try:
        family = [process, *process.children(recursive=True)]
    except psutil.Error:
        return 0
    for one in family:
        try:
            words = Path(f"/proc/{one.pid}/status").read_text()
        except OSError:
            continue
        match = re.search(r"RssAnon:\s+(\d+)", words)
        found += int(match[1]) * 1024 if match else 0
    return found


def measured(what: str, arguments: Sequence[str], home: Path) -> dict[str, Any]:
    """Run a program of this checkout; seconds, peak of RssAnon in MB, and its last line."""
    environment = {**os.environ, "FASHION_HOME": str(home), "OMP_WAIT_POLICY": "PASSIVE"}
    began, most = time.perf_counter(), 0
    with tempfile.TemporaryFile() as told:
        program = subprocess.Popen([sys.executable, *arguments], cwd=ROOT, env=environment, stdout=told, stderr=told)
        watched = psutil.Process(program.pid)
        while program.poll() is None:
            most = max(most, anonymous(watched))
            time.sleep(0.1)
        told.seek(0)
        lines = told.read().decode(errors="replace").strip().splitlines()
    if program.returncode:
        sys.exit(f"{what} failed: {' '.join(lines[-8:])}")
    line = {"what": what, "seconds": round(time.perf_counter() - began, 2), "anonymous_mb": round(most / 1e6)}
    print(f"{what:<36}{line['seconds']:>10.1f} s{line['anonymous_mb']:>8} MB", flush=True)
    return {**line, "told": lines[-1] if lines else ""}


def look() -> None:
    """Open the Dashboard of the run and click cells of its matrix, in process; one line of JSON, milliseconds."""
    sys.path.insert(0, str(ROOT))
    from dashboard.shell import create_app
    from tests.callbacks import ADDRESS, fired_in_process

    app = create_app()
    browser = app.server.test_client()
    began = time.perf_counter()
    assert browser.get(f"/?run={RUN}").status_code == 200
    first = time.perf_counter() - began
    client = fired_in_process(app)

    def draw(search: str) -> float:
        began = time.perf_counter()
        for output in PANELS:
            status, _ = client.fire_with(output, ADDRESS, {ADDRESS: search})
            assert status == 200, (output, status)
        return 1000 * (time.perf_counter() - began)

    drawn = draw(f"?run={RUN}")
    names = app.store.open(RUN).classes
    clicks = [draw(f"?run={RUN}&true={names[a]}&pred={names[b]}") for a, b in [(k, (k + k % 3) % 10) for k in range(9)]]
    print(json.dumps({"first": 1000 * first, "drawn": drawn, "click": float(np.median(clicks))}))


def duplicates() -> None:
    """Near-duplicates alone, of what was imported; one line of JSON."""
    sys.path.insert(0, str(ROOT))
    from ml.data import duplicates, load
    from ml.system.paths import home_dir

    dataset = load(NAME, home=home_dir())
    splits = {"test": dataset["test"], "validation": dataset["validation"], "reference": dataset.reference()}
    found = duplicates.table({**splits, "train": dataset["train"]})
    print(json.dumps({"pairs": len(found), "examples": int(found["example_id"].nunique())}))


def main(options: argparse.Namespace) -> int:
    """Measure, print, write."""
    n, side = options.pictures, options.side
    with tempfile.TemporaryDirectory(prefix="fashion-forward-large-") as folder:
        home, tar = Path(folder) / "home", Path(folder) / "large.tar"
        began = time.perf_counter()
        write(tar, n, side, options.grey)
        print(f"{n:,} JPEGs of {side} pixels made in {time.perf_counter() - began:.0f} s", flush=True)
        size = f"{side}x{side}"
        lines = [measured("import", ["-m", "ml", "data", "import", str(tar), "--name", NAME, "--size", size], home)]
        tar.unlink()
        lines.append(measured("near-duplicates", [__file__, "duplicates"], home))
        train = ["-m", "ml", "train", "--dataset", NAME, "--run", RUN, "--preset", "quick", "--epochs", "1"]
        lines.append(measured("one epoch and its evaluation", train, home))
        manifest = json.loads((home / "runs" / RUN / "manifest.json").read_text())
        epoch = manifest["training_seconds"]
        lines[-1] |= {"epoch_seconds": epoch, "images_per_second": round(manifest["train_images"] / max(epoch, 1e-9))}
        print(f"  of it the epoch {epoch:.1f} s, {lines[-1]['images_per_second']:,} pictures a second")
        lines.append(measured("Dashboard and ten clicks", [__file__, "look"], home))
        print(f"  {lines[-1]['told']}")
    target = ROOT / "bench" / "results" / f"large-{n}-{side}.json"
    target.write_text(
        json.dumps({"pictures": n, "side": side, "cores": os.cpu_count(), "lines": lines}, indent=1) + "\n"
    )
    return 0


if __name__ == "__main__":
    {"look": look, "duplicates": duplicates}[sys.argv[1]]()
