"""What somebody brings, a network or predictions, becomes a run: the command line and a durable job both do it by this.

`understood` says what it is taken for and writes nothing; what it gives back makes the run.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError

from ml.artifacts import kinds
from ml.artifacts.reader import Library
from ml.artifacts.writer import sha256
from ml.data.base import Dataset
from ml.importing import conversion, doctor, forks, publish, sources, trial, understanding
from ml.importing.graph import Unusable
from ml.recording import publish as recording
from ml.recording import reading

NETWORK, PREDICTIONS = "network", "predictions"
TOLD = 200  # names of what is left out, of each reason, in JSON
Tell = Callable[[str], None]


def silently(words: str) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Choices:
    """What a person says of what they bring; as JSON it goes from a page to a job. Each is of its own kind alone.

    doctor: whether what it advises is taken; as-stated asks in no other way, and '' only says what it found.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    network: understanding.Wishes = field(default_factory=understanding.Wishes)
    doctor: Literal["", "advice", "as-stated"] = ""
    predictions: reading.Wishes = field(default_factory=reading.Wishes)

    @staticmethod
    def from_json(value: object) -> "Choices":
        """Of {"network": {…}, "predictions": {…}}, either left out. Raises ValueError, in words."""
        try:
            return _READER.validate_python(value)
        except ValidationError as wrong:
            first = wrong.errors()[0]
            place = ".".join(map(str, first["loc"])) or "they"
            raise ValueError(f"the choices do not check out: {place}: {first['msg']}") from None


_READER = TypeAdapter(Choices)


@dataclass(frozen=True)
class Found:
    """What somebody's files are taken for; nothing is written yet. kind: of ml.artifacts.kinds; lines: sentences;
    left_out: reason → names of rows; said: what else JSON tells of it; make: (run id, home, command, tell) → the run's
    folder. make raises FileExistsError, ValueError, Broken."""

    kind: str
    capabilities: list[str]
    lines: list[str]
    said: Mapping[str, Any]
    make: Callable[[str, Path, str, Tell], Path]
    left_out: Mapping[str, list[str]] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """For a page: all of it but how it is made."""
        return {
            "kind": self.kind,
            "capabilities": self.capabilities,
            "understood": self.lines,
            "listed": {reason: names[:TOLD] for reason, names in self.left_out.items()},
            **self.said,
        }


@forks.together()  # several processes, for one network
def understood(
    files: Sequence[Path], kind: str, dataset: Dataset, home: Path, choices: Choices, scratch: Path,
    tell: Tell = silently, *, trusted: bool = False, asked: tuple[Mapping[str, Any], str] | None = None,
) -> Found:  # fmt: skip
    """files: of one network, or parts of one table of predictions; kind: NETWORK or PREDICTIONS; scratch: an empty
    folder, which must stay until the run is made; trusted: whether code that a file carries may run, in a process of
    its own, which is so of the command line alone; asked: the doctor's table, where it was made before, and the words
    of the row that was taken since, '' for what was stated. Raises ValueError in words, OSError, Missing without a
    package."""
    if kind == PREDICTIONS:
        return _predictions(files, dataset, home, choices.predictions, tell)
    source = sources.source_of(files[0])
    if not (trusted or source.uploaded):
        raise Unusable(
            f"{source.path.name} is {source.words}, which may carry code, and nothing that may is taken from a page: "
            "bring its ONNX, or where you trust it run on the machine: python -m ml runs add NAME --data "
            f"{dataset.name} --network {source.path.name}"
        )
    tell(f"trying {source.path.name}, {source.words}")
    found = conversion.taken(
        source, dataset, choices.network, home, scratch, lambda n: publish.samples(dataset, n), tell
    )
    if isinstance(found, conversion.Answered):
        return _answered(source, found, dataset)
    if choices.doctor == "as-stated":
        return _network(source, found, dataset)
    if asked is None:
        tell("asking it about validation pictures in other ways")
    table, taken = asked or (_doctored(found, dataset, scratch), "")
    if choices.doctor == "advice":
        return _network(source, doctor.taken(found, table), dataset, table, advised=True)
    return _network(source, found, dataset, table, taken)


def _doctored(tried: trial.Tried, dataset: Dataset, scratch: Path) -> dict[str, Any]:
    apart = scratch / "doctor"
    apart.mkdir()
    return doctor.examined(tried, dataset, apart)


def _network(
    source: sources.Source, tried: trial.Tried, dataset: Dataset, table: Mapping[str, Any] | None = None,
    taken: str = "", *, advised: bool = False,
) -> Found:  # fmt: skip
    noted = {"doctor": doctor.noted(table, advised=advised, taken=taken)} if table is not None else {}

    def make(run_id: str, home: Path, command: str, tell: Tell) -> Path:
        given = digests(*source.files, *(source.path.parent / name for name in tried.data))
        return publish.publish(tried, dataset, run_id, home, sources=given, command=command, tell=tell, notes=noted)

    said = {
        "doctor": table,
        "preparation": tried.interface.model_dump(mode="json"),
        "outputs": tried.outputs,
        "parameters": tried.parameters,
    }
    return Found(kinds.IMPORTED, tried.capabilities, tried.lines, said, make)


def _answered(source: sources.Source, found: conversion.Answered, dataset: Dataset) -> Found:
    understood = found.understood(dataset)

    def make(run_id: str, home: Path, command: str, tell: Tell) -> Path:
        given = digests(*source.files)
        return recording.publish(understood, dataset, run_id, home, sources=given, command=command, tell=tell)

    said = {"preparation": {}, "splits": {split: len(part.at) for split, part in understood.parts.items()}}
    return Found(kinds.RECORDED, understood.capabilities, found.lines, said, make)


def _predictions(files: Sequence[Path], dataset: Dataset, home: Path, wishes: reading.Wishes, tell: Tell) -> Found:
    tell(f"reading {files[0].name}" if len(files) == 1 else f"reading {len(files)} files")
    try:
        found = reading.read(files, dataset, home / "datasets" / dataset.name, wishes)
    except OSError as error:
        raise ValueError(f"{error.filename}: {error.strerror or error}") from error

    def make(run_id: str, home: Path, command: str, tell: Tell) -> Path:
        given = digests(*files)
        return recording.publish(found, dataset, run_id, home, sources=given, command=command, tell=tell)

    said = {
        "preparation": {},
        "matched": found.matched,
        "unmatched": found.unmatched,
        "left_out": {reason: len(names) for reason, names in found.left_out.items()},
        "splits": {split: len(part.at) for split, part in found.parts.items()},
        "epochs": sorted(found.epochs),
        "roles": found.roles,
        "columns": found.columns,
    }
    return Found(kinds.RECORDED, found.capabilities, found.lines(), said, make, found.left_out)


def digests(*files: Path) -> dict[str, str]:
    """Name of a file → its sha256, as a manifest has them. Raises OSError."""
    return {file.name[:120]: sha256(file) for file in files}


def summary(found: Found, run_id: str, library: Library | None) -> dict[str, Any]:
    """What `--json` says at the end. library: that has the run; None where none was made."""
    results = library.open(run_id).manifest["results"] if library is not None else {}
    result = results.get("validation")
    splits = {split: one["n"] for split, one in results.items()} or found.said.get("splits", {})
    return {
        "run": run_id,
        "kind": found.kind,
        "capabilities": found.capabilities,
        "understood": found.lines,
        **found.said,
        "splits": splits,
        "validation_accuracy": result["correct"] / result["n"] if result else None,
    }
