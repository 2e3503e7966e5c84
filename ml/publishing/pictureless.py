"""Ships a run and describes its data set without any of its pictures: tables alone, and a list of which file is which.

The pictures come from where they are published, once somebody fetches them (ml.data.intake.fetching).
"""

import json
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from ml.artifacts import writer
from ml.artifacts.inspection import MANIFEST
from ml.artifacts.reader import Library, Missing, Run
from ml.artifacts.schema import PICTURE_NOUNS, VERSION
from ml.data import listed
from ml.data.base import same_pictures
from ml.data.fetchable import FETCHABLE, Published
from ml.system import atomic

PIXELS = "images"  # arrays of runs that are pictures
TOLD = ("notes", "left_out", "why")  # of an import, which are of the maker's folder


def describe(artifacts: Path, home: Path, name: str, known: Mapping[str, Published] = FETCHABLE) -> Path:
    """Write artifacts/datasets/<name>: dataset.json, which file is which, and what was measured; that folder.

    Raises KeyError for what cannot be fetched, Missing where its pictures are not here, ValueError, OSError.
    """
    if name not in known:
        raise KeyError(f"{name!r} is no data set that can be fetched; there are {', '.join(known)}")
    published = known[name]
    made = home / "datasets" / name
    if not (made / "train.npz").is_file():
        raise Missing(f"The pictures of {name} are not on this machine.", f"python -m ml data fetch {name}")
    said = json.loads((made / "dataset.json").read_text(encoding="utf-8"))
    files = listed.of(made)
    target = artifacts / "datasets" / name
    target.mkdir(parents=True, exist_ok=True)
    writer.write_about(target, "files", files)
    for noun in set(PICTURE_NOUNS) - {"files"}:
        writer.write_about(target, noun, pd.read_parquet(made / PICTURE_NOUNS[noun].file))
    atomic.write(target / "dataset.json", writer.as_json(_described(said, files, published)))
    return target


def _described(said: Mapping[str, Any], files: pd.DataFrame, published: Published) -> dict[str, Any]:
    """What ships of a dataset.json: nothing of the maker's machine."""
    kept = {key: value for key, value in said.items() if key not in (*TOLD, "source", "sources", "imported")}
    licence = "public domain" if published.licence == "CC0-1.0" else published.licence
    aside = f" {published.aside}" if published.aside else ""
    about = (
        f"Photographs of {published.shown}, {licence} ({published.licence}), which do not come with the app and can be "
        f"fetched from there.{aside}"
    )
    return kept | {
        "schema": VERSION, "title": published.title, "description": about, "version": 1,
        "published": published.to_json(), "files": listed.digest(files),
    }  # fmt: skip


def ship(artifacts: Path, home: Path, run_id: str, known: Mapping[str, Published] = FETCHABLE) -> Path:
    """Put a run of one's own beside those that ship, without any picture, and describe its data set; its folder.

    A run that ships already is replaced; where home has none of that name, by itself without its pictures. Raises
    Missing, Broken, KeyError, ValueError, OSError.
    """
    own = Library(artifacts / "nothing", home)  # a run that ships hides one's own of that name
    entry = own.entry(run_id)
    run = (own if entry is not None and entry.ok else Library(artifacts, home)).open(run_id)
    learned = run.manifest["dataset"]
    folder = describe(artifacts, home, learned["name"], known)
    here = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
    if not same_pictures(learned, here):
        raise ValueError(f"run {run_id} learned from other pictures of {learned['name']} than those on this machine")
    final = artifacts / "runs" / run_id
    partial = final.with_name(f"{run_id}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    manifest = dict(run.manifest) | {
        "schema": VERSION,
        "dataset": learned | {name: here[name] for name in ("title", "published")},
    }
    manifest["nouns"] = dict(manifest["nouns"])
    for path in run.files().values():
        shutil.copyfile(path, partial / path.name)
    if "suspects" in run.nouns:
        manifest["nouns"]["suspects"] = _without_pixels(partial, run)
    if final.exists():
        shutil.rmtree(final)
    made = writer.publish(partial, manifest)
    _list(artifacts, run_id)
    return made


def _without_pixels(folder: Path, run: Run) -> dict[str, Any]:
    """Write suspects without their pictures; its entry of a manifest, which keeps what it took."""
    arrays = {name: array for name, array in run.arrays("suspects").items() if name != PIXELS}
    before = run.manifest["nouns"]["suspects"]
    return writer.write_noun(folder, "suspects", arrays, started=time.perf_counter()) | {"seconds": before["seconds"]}


def _list(artifacts: Path, run_id: str) -> None:
    """Put it behind those that index.json names."""
    try:
        index = json.loads((artifacts / "index.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        index = {"default": run_id, "runs": []}
    if run_id not in index["runs"]:
        writer.write_index(artifacts, index["default"], [*index["runs"], run_id])


def size(folder: Path) -> int:
    """Bytes of a folder's files."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def weighed(run: Path) -> str:
    """What a run that ships weighs, its largest files first, in a line."""
    files = sorted((path for path in run.iterdir() if path.name != MANIFEST), key=lambda one: -one.stat().st_size)
    named = ", ".join(f"{path.name} {path.stat().st_size / 1e6:.1f}" for path in files[:5])
    return f"{size(run) / 1e6:.1f} MB ({named})"
