"""The preparation doctor: a network that was tried is asked about validation pictures in all ways in which people
mistake how it wants them, and a table says which way gives which accuracy.

`examined` starts the process of its own in which that happens, `python -m ml.importing.doctor FOLDER`. It advises, and
changes nothing: `taken` is what a person does with that.
"""

import dataclasses
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ml.artifacts.inspection import GRAPH_BYTES, content
from ml.data.base import Dataset, stratified
from ml.importing import apart, mistakes, search, understanding, verdict
from ml.importing.graph import Unusable
from ml.importing.trial import MEMORY, SHARE, Tried
from ml.importing.understanding import Wishes
from ml.inference.imported import Interface, session_of

SPLIT = "validation"
FEWEST = 20  # pictures with labels, of which anything can be said
GRACE = 3.0  # times the seconds that it looks for, after which its process is ended: a way of asking that was begun
ADVICE, STATED = "advice", "as stated"
FIELDS = ("layout", "height", "width", "channels")


def examined(tried: Tried, dataset: Dataset, scratch: Path, *, seconds: float = search.SECONDS) -> dict[str, Any]:
    """The table, as ml.importing.verdict has it: without rows where there is nothing to judge by, or where the network
    did not answer in time, which its sentence says. scratch: an empty folder. Raises Missing."""
    pictures = dataset.splits.get(SPLIT)
    if pictures is None or len(pictures) < FEWEST:
        n = 0 if pictures is None else len(pictures)
        return none(f"no table: it needs {FEWEST} pictures of {SPLIT} with labels, and there are {n}")
    rows = np.arange(len(pictures))
    if len(pictures) > search.MOST:
        rows = np.sort(stratified(pictures.labels, search.MOST, np.random.default_rng(0)))
    np.save(scratch / "pictures.npy", np.asarray(pictures.images[rows]))
    np.save(scratch / "labels.npy", pictures.labels[rows])
    request: dict[str, Any] = {
        "path": str(tried.file.resolve()), "interface": tried.interface.model_dump(mode="json"),
        "classes": [*dataset.classes], "statistics": dataset.statistics(), "looking": seconds,
        "seconds": GRACE * seconds, "memory": MEMORY + SHARE * tried.file.stat().st_size,
    }  # fmt: skip
    try:
        return apart.run("ml.importing.doctor", scratch, request, tried.file.name, "asked in other ways")
    except Unusable as refused:
        return none(f"no table: {refused}")


def none(sentence: str) -> dict[str, Any]:
    """A table of nothing, and why."""
    return {
        "version": verdict.VERSION, "split": SPLIT, "n": 0, "seconds": 0.0, "asked": 0, "not_asked": 0, "rows": [],
        "stated": None, "advice": None, "fewer": {"ways": 0, "n": 0, "best_accuracy": None}, "not_tried": [],
        "sentence": sentence,
    }  # fmt: skip


def taken(tried: Tried, table: Mapping[str, Any]) -> Tried:
    """As is advised, where something is."""
    if table["advice"] is None:
        return tried
    line = f"asked with {table['advice']['words']}, as the doctor advises"
    interface = Interface.model_validate(table["advice"]["interface"])
    return dataclasses.replace(tried, interface=interface, lines=[*tried.lines, line])


def noted(table: Mapping[str, Any], *, advised: bool, taken: str = "") -> dict[str, Any]:
    """What a manifest keeps of it. advised: whether the advice was taken; taken: or which other row, by its words."""
    advice = table["advice"]
    kept = {key: table[key] for key in ("split", "n", "asked", "seconds", "sentence", "not_tried")}
    rows = [
        {key: row[key] for key in ("words", "n", "correct", "low", "high", "loss", "apart")}
        for row in table["rows"][: verdict.SHOWN]
    ]
    stated = table["rows"][table["stated"]] if table["rows"] else None
    return {
        **kept,
        "rows": rows,
        "stated": None if stated is None else {key: stated[key] for key in ("n", "correct", "low", "high", "loss")},
        "advised": None if advice is None else {key: advice[key] for key in ("words", "gain", "loss_gain", "p")},
        "taken": taken or (ADVICE if advised and advice is not None else STATED),
    }


def asked(
    session: Any, stated: Interface, classes: list[str], statistics: tuple[list[float], list[float]],
    images: np.ndarray, labels: np.ndarray, seconds: float = search.SECONDS,
) -> dict[str, Any]:  # fmt: skip
    """The table of what is asked like a session of onnxruntime. images: uint8 [n, h, w, c] of validation; labels: int
    [n]; statistics: mean and deviation of training pixels from 0 to 1. In the process of its own, for files."""
    height, width, channels = images.shape[1:]
    shape = (int(height), int(width), int(channels))
    try:
        ways = understanding.ways(session, shape, Wishes(), {})
    except Unusable:
        ways = []  # what a person said of its layout is all that goes
    layouts = [{name: way.fields[name] for name in FIELDS} for way in ways]
    possible = mistakes.possible(stated, shape, statistics, layouts)
    found = search.search(session, stated, possible, images, labels, seconds=seconds)
    if found is None:
        return none("no table: the network does not answer about these pictures as it was stated")
    return verdict.table(found, stated, classes, SPLIT)


def main(scratch: Path) -> int:
    """In the process of its own."""

    def work(request: dict[str, Any]) -> dict[str, Any]:
        images, labels = (np.load(scratch / f"{name}.npy", allow_pickle=False) for name in ("pictures", "labels"))
        session = session_of(content(Path(request["path"]), GRAPH_BYTES), os.cpu_count() or 1)
        stated = Interface.model_validate(request["interface"])
        return asked(session, stated, request["classes"], request["statistics"], images, labels, request["looking"])

    return apart.answer(scratch, work, "it was not asked in other ways")


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
