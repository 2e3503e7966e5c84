"""An import shared by two workers beside one that is not: `python bench/shards.py --pictures 100000 --side 64`.

Writes N small JPEGs of ten classes (seed: the number of each picture), a hundredth of which are copies of others;
imports them in one process, then as a job of a cluster on this machine: a real Redis, a real PostgreSQL and two worker
processes, of which the one that helps is killed, its process with it, once half of the shards are done, and started
again. The digests must be the same. Prints seconds and the most anonymous memory (RssAnon) of each process.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import psutil
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "bench")]

import large  # noqa: E402

from ml.jobs.queue import JobTable  # noqa: E402
from ml.jobs.tables import shards  # noqa: E402
from tests.cluster.conftest import Cluster, Postgres, Redis, until  # noqa: E402

NAME = "large"


def write(top: Path, n: int, side: int) -> None:
    """A folder for each class."""
    for number in range(n):
        rng = np.random.default_rng(number)
        label = int(rng.integers(large.CLASSES))
        if number and rng.random() < large.COPIES:  # the same as an earlier one
            rng = np.random.default_rng(int(rng.integers(number)))
            label = int(rng.integers(large.CLASSES))
            rng.random()
        place = top / f"class{label}"
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(large.picture(label, rng, side)).save(place / f"{number:08}.jpg", "JPEG", quality=90)


class Watch(threading.Thread):
    """The most anonymous memory of the processes of a home, by what they do."""

    def __init__(self, home: Path) -> None:
        super().__init__(daemon=True)
        self.most: dict[str, int] = {}
        self._home, self._over = str(home), threading.Event()

    def run(self) -> None:
        while not self._over.wait(0.5):
            for process in psutil.process_iter():
                try:
                    words = process.cmdline()
                    what = "import" if "import" in words else "help" if "--shards" in words else ""
                    if what and process.environ().get("FASHION_HOME") == self._home:
                        self.most[what] = max(self.most.get(what, 0), large.anonymous(process))
                except psutil.Error:
                    continue

    def end(self) -> None:
        self._over.set()
        self.join()


def alone(source: Path, home: Path, side: int) -> str:
    """Import in one process; the digest."""
    line = large.measured(
        "one process",
        ["-m", "ml", "data", "import", str(source), "--name", NAME, "--size", f"{side}x{side}", "--json"],
        home,
    )  # fmt: skip
    return str(json.loads(line["told"])["digest"])


def together(source: Path, home: Path, side: int) -> str:
    """Import as a job of two workers, one of which is killed; the digest."""
    home.mkdir()
    postgres = Postgres()
    postgres.start()
    redis = Redis(home)
    redis.start()
    os.environ |= {"FASHION_HOME": str(home), "FASHION_DB": postgres(), "CELERY_BROKER_URL": redis.url}
    cluster, watch = Cluster(home, redis, os.environ["FASHION_DB"]), Watch(home)
    try:
        table = JobTable(home)
        for machine in ("left", "right"):
            cluster.start("ml", "work", machine=machine)
        watch.start()
        spec = {"source": str(source), "upload": "", "shown": NAME, "choices": {"size": [side, side]}, "title": "",
                "description": "", "new_version": False, "add": False}  # fmt: skip
        job = table.submit(spec, NAME, epochs=0, kind="import")
        until(lambda: table.get(job.id).state == "running", 60, "it begins")
        began = time.perf_counter()

        def rows() -> list[SimpleNamespace]:
            with table.engine.connect() as connection:
                found = connection.execute(shards.select().where(shards.c.job == job.id)).mappings()
                return [SimpleNamespace(**row) for row in found]

        def helping() -> SimpleNamespace | None:
            own, now = table.get(job.id).pid, rows()
            half = sum(row.done for row in now) * 2 >= len(now) > 0
            return next((row for row in now if half and row.lease and row.pid != own), None)

        helper = until(helping, 3600, "half of them are done")[0]
        process = psutil.Process(helper.pid)
        worker = process.parent()
        for one in (worker, process):
            one.kill()
        print(f"killed shard {helper.number}'s process and worker {time.perf_counter() - began:.1f} s after the start")
        cluster.start("ml", "work", machine="third")
        until(lambda: len(seen := rows()) and all(row.done for row in seen), 3600, "all shards are done")
        print(f"all shards done after {time.perf_counter() - began:.1f} s", flush=True)
        until(lambda: table.get(job.id).state == "done", 3600, "it is done")
        print(f"done after {time.perf_counter() - began:.1f} s")
        for event in table.events(job.id):
            print(f"  {event['event']}: {event['cause']}" if event["cause"] else f"  {event['event']}")
        watch.end()
        print({what: f"{size / 1e6:,.0f} MB" for what, size in watch.most.items()})
        return str((table.receipt(job) or {}).get("digest"))
    finally:
        cluster.end()
        redis.kill()
        postgres.stop()


def main(options: argparse.Namespace) -> int:
    with tempfile.TemporaryDirectory(prefix="fashion-forward-shards-") as folder:
        source = options.source or Path(folder) / "pictures"
        if options.source is None:
            write(source, options.pictures, options.side)
        listed = int(subprocess.run(f"find '{source}' -name '*.jpg' | wc -l", shell=True, capture_output=True).stdout)
        print(f"{listed:,} JPEGs of {options.side} pixels; load {os.getloadavg()[0]:.1f}", flush=True)
        digests = {
            alone(source, Path(folder) / "alone", options.side),
            together(source, Path(folder) / "together", options.side),
        }
        print("the same digest" if len(digests) == 1 else f"DIGESTS DIFFER: {digests}")
        return len(digests) - 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=100_000)
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--source", type=Path, help="a folder of earlier ones")
    sys.exit(main(parser.parse_args()))
