"""Run folders as nobody should make them: each is listed with its own reason, none is read for what it claims."""

import contextlib
import json
import os
import socket
import sys
import threading
import time
import zipfile

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ml.artifacts import inspection, schema
from ml.artifacts.reader import Broken, Library
from ml.artifacts.writer import sha256, write_arrays
from tests.faults.test_registry import change, copy_run

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pipes and sockets of POSIX")
SECONDS = 2.0


def put_table(folder, table, noun="predictions"):
    """A table under the name of a noun, with a checksum that fits."""
    path = folder / f"{noun}.parquet"
    pq.write_table(table, path)
    change(folder, lambda manifest: manifest["nouns"].update({noun: {"sha256": sha256(path)}}))


def predictions(folder, **changed):
    frame = pd.read_parquet(folder / "predictions.parquet")
    put_table(folder, pa.Table.from_pandas(frame.assign(**changed), preserve_index=False))


def many(folder):
    """Forty million rows in some kilobytes: each group of rows is one value, said once."""
    group = pa.table(
        {"split": pa.array(["test"] * 1_000_000).dictionary_encode(), "example_id": np.zeros(1_000_000, int)}
    )
    with pq.ParquetWriter(folder / "predictions.parquet", group.schema) as file:
        for _ in range(40):
            file.write_table(group)
    change(folder, lambda m: m["nouns"]["predictions"].update(sha256=sha256(folder / "predictions.parquet")))


def wide(folder):
    put_table(folder, pa.table({f"p_{i}": np.zeros(4, np.float32) for i in range(400)}))


def twice(folder):
    column = pa.array([0, 1])
    put_table(folder, pa.Table.from_arrays([column, column], names=["label", "label"]))


def rows(folder, edit):
    """Predictions with other rows."""
    frame = edit(pd.read_parquet(folder / "predictions.parquet"))
    put_table(folder, pa.Table.from_pandas(frame, preserve_index=False))


def hollow(folder):
    """Weights whose description claims more than the file has."""
    described = json.dumps({"a": {"dtype": "F32", "shape": [10**6, 10**6], "data_offsets": [0, 4 * 10**12]}}).encode()
    path = folder / "weights.safetensors"
    path.write_bytes(len(described).to_bytes(8, "little") + described)
    change(folder, lambda manifest: manifest["weights"].update(sha256=sha256(path)))


def not_a_number(folder):
    from safetensors.numpy import load_file, save_file

    path = folder / "weights.safetensors"
    weights = load_file(path)
    name = next(name for name, array in weights.items() if array.dtype.kind == "f")
    weights[name] = np.full_like(weights[name], np.nan)
    save_file(weights, path)
    change(folder, lambda manifest: manifest["weights"].update(sha256=sha256(path)))


def sparse(folder):
    os.truncate(folder / "predictions.parquet", 2 * 10**9)


def replaced(name, make):
    def damage(folder):
        (folder / name).unlink(missing_ok=True)
        make(folder / name)

    return damage


def bind(path):
    with contextlib.chdir(path.parent), socket.socket(socket.AF_UNIX) as one:
        one.bind(path.name)  # a socket's path has 108 bytes at most, wherever the test's folder lies


BROKEN = {
    "pipe-manifest": (replaced("manifest.json", os.mkfifo), "its manifest.json is a pipe, not a file"),
    "pipe-weights": (replaced("weights.safetensors", os.mkfifo), "its weights.safetensors is a pipe, not a file"),
    "pipe-optional": (replaced("scores.parquet", os.mkfifo), "its scores.parquet is a pipe, not a file"),
    "folder": (replaced("history.parquet", os.mkdir), "its history.parquet is a folder, not a file"),
    "link": (
        replaced("filters.npz", lambda p: p.symlink_to("/dev/zero")),
        "its filters.npz is a link to another place",
    ),
    "socket": (replaced("tags.parquet", bind), "its tags.parquet is a socket, not a file"),
    "rows": (many, "its predictions.parquet would have 40,000,000 rows"),
    "columns": (wide, "its predictions.parquet lacks split"),
    "twice": (twice, "its predictions.parquet has label twice"),
    "classes": (lambda folder: predictions(folder, label=99), "names a class that its data set has not, in label"),
    "empty-value": (lambda folder: predictions(folder, confidence=float("nan")), "confidence has empty values"),
    "no-rows": (lambda folder: rows(folder, lambda frame: frame[:0]), "has no examples of "),
    "again": (lambda folder: rows(folder, lambda frame: pd.concat([frame] * 2)), "more than once"),
    "negative": (lambda folder: rows(folder, lambda frame: frame.assign(example_id=-3)), "has the example -3"),
    "fewer": (lambda folder: rows(folder, lambda frame: frame[frame["split"] != "test"]), "has no examples of test"),
    "other-results": (
        lambda folder: change(folder, lambda m: m["results"]["test"].update(n=3, correct=3)),
        "of test, and its manifest.json says 3",
    ),
    "nan-weight": (not_a_number, "has values that are not finite"),
    "nan-manifest": (
        lambda folder: change(folder, lambda manifest: manifest.update(more=float("nan"))),
        "its manifest.json holds NaN, which is no finite number",
    ),
    "text-for-numbers": (
        lambda folder: change(folder, lambda manifest: manifest.update(explained_variance=["a", None])),
        "its manifest.json is wrong at explained_variance.0",
    ),
    "hollow": (hollow, "is not as large as its description says"),
    "sparse": (sparse, "its predictions.parquet has 1,907.3 MiB, a run's has at most 1,024"),
    "surrogate": (
        lambda folder: (folder / "manifest.json").write_text('{"schema": "1.2", "a": "\\ud800"}'),
        "its manifest.json cannot be read",
    ),
}
NAMES = {
    "N" * 3: "none of a run",
    "n" * 200: "has 200 characters",
    "Jupe à plis": "none of a run",
    os.fsdecode(b"caf\xe9"): "none of a run",
}


@pytest.fixture
def listed(home, no_artifacts):
    """The listing of a home with a good run and all broken ones, by folder; with the memory and time it took."""
    for name, (damage, _) in BROKEN.items():
        damage(copy_run(home, name))
    for name in NAMES:
        (home / "runs" / name).mkdir()
    import resource

    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    entries = {entry.folder.name: entry for entry in Library(no_artifacts, home).runs()}
    took = time.monotonic() - start
    return entries, took, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


def test_each_broken_folder_is_listed_with_its_own_reason_and_soon(listed):
    entries, took, grown = listed
    reasons = {name: entries[name].reason for name in (*BROKEN, *NAMES)}
    wanted = {name: words for name, (_, words) in BROKEN.items()} | NAMES
    assert {name: reasons[name] for name, words in wanted.items() if words not in reasons[name]} == {}
    assert entries["toy"].ok
    assert took < SECONDS * (1 + len(BROKEN)) / 4, "all of them, on a busy machine"
    assert grown < 150, "MB"


def test_names_that_no_run_has_can_be_shown_and_sent(listed):
    shown = [entry.run_id for entry in listed[0].values() if entry.folder.name in NAMES]
    assert len(shown) == len(NAMES)
    assert all(len(name) <= 64 and name.isprintable() and name.encode() for name in shown)


def test_a_file_that_may_not_be_read_says_so(home, no_artifacts, monkeypatch):
    """As root, who runs this in a container, everything may be read."""

    def denied(path, most=None):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(inspection, "content", denied)
    (entry,) = Library(no_artifacts, home).runs()
    assert entry.reason == "its manifest.json may not be read by this program"


def test_nothing_waits_for_a_pipe(home, no_artifacts):
    """Index, description of the pictures, pictures, tables of a data set, and what lies over a shipped run."""
    library = Library(no_artifacts, home)
    places = [
        no_artifacts / "index.json",
        *(home / "datasets" / "synthetic" / name for name in ("dataset.json", "test.npz", "properties.parquet")),
    ]
    for place in places:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.unlink(missing_ok=True)
        os.mkfifo(place)
    said = []

    def ask():
        library.runs(), library.stamp(), library.picture_set("synthetic")
        for look in (lambda: library.pictures("synthetic", "test"), lambda: library.about("synthetic", "properties")):
            with pytest.raises(Broken) as problem:
                look()
            said.append(str(problem.value))

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(10)
    assert not thread.is_alive()
    assert all("is a pipe, not a file" in words for words in said) and len(said) == 2


def test_a_noun_is_judged_before_it_is_read(home, no_artifacts, monkeypatch):
    """Also one that was put in place later, and that no listing has looked into."""
    folder = home / "runs" / "toy"
    rows = 200_000
    table = pa.table({name: np.zeros(rows, np.int16) for name in ("label", "predicted", "count")})
    put_table(folder, table.append_column("split", pa.array(["test"] * rows)), "confusion")
    large = folder / "filters.npz"
    write_arrays(large, {"body.0": np.zeros((64, 64, 64, 64), np.float16)})
    change(folder, lambda manifest: manifest["nouns"].update(filters={"sha256": sha256(large)}))
    run = Library(no_artifacts, home).open("toy")
    monkeypatch.setattr(pq.ParquetFile, "read", lambda *_: pytest.fail("it was read"))
    monkeypatch.setattr(np, "load", lambda *_, **__: pytest.fail("it was read"))
    with pytest.raises(Broken, match="would have 200,000 rows"):
        run.table("confusion")
    with pytest.raises(Broken, match=r"filters\.npz would be larger than a run's"):
        run.arrays("filters")


def test_an_npz_is_judged_by_what_its_arrays_say(tmp_path):
    """An entry says itself how large it is, and the array in it says so again."""
    header = b"\x93NUMPY\x01\x00" + (118).to_bytes(2, "little")
    words = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({10**9}, 10), }}".ljust(117) + "\n"
    path = tmp_path / "features.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("reference.npy", header + words.encode())
    with pytest.raises(schema.Mismatch, match="larger than a run's"):
        inspection.arrays(path, "features")


def test_every_noun_knows_how_much_of_it_there_can_be():
    """A table of one row an example or class has a bound of its own; the others have few rows."""
    few = {"calibration", "conformal", "slices", "engines", "robustness", "attacks", "preparation"}
    tables = {
        noun.noun for noun in (*schema.NOUNS.values(), *schema.PICTURE_NOUNS.values()) if isinstance(noun, schema.Table)
    }
    assert tables - few == set(inspection.ROWS)
    assert {noun.noun for noun in schema.NOUNS.values() if isinstance(noun, schema.Arrays)} == set(inspection.BYTES)
