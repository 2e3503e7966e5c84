"""What a script told becomes a run: `python -m ml runs finish NAME`, which a script starts at its end.

In a process of its own, since it loads what scripts may have in another version or not want at all. The run is made
beside the others and put among them in one step, with its history, whole.
"""

import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ml import data
from ml.artifacts import kinds, writer
from ml.data.base import Dataset
from ml.importing import adding
from ml.recording import publish as recording
from ml.recording.reading import Part, Understood, of_splits
from ml.system import atomic
from ml.telling import border
from ml.telling.border import Wrong
from ml.telling.kept import FINAL, Kept

MADE = "made"  # a home of its own within what is kept, in which the run is made
BEST, LAST = "best", "last"
Tell = Callable[[str], None]


class Epochs(Mapping[int, Mapping[str, Part]]):
    """What was told after each epoch, read when it is asked for: not all of it need fit into memory."""

    def __init__(self, kept: Kept, dataset: Dataset, told: Mapping[int, list[str]]) -> None:
        self._kept, self._dataset, self._told = kept, dataset, told

    def __getitem__(self, number: int) -> dict[str, Part]:
        classes = len(self._dataset.classes)
        return {split: self._kept.part(split, number, classes) for split in self._told[number] if split != "train"}

    def __iter__(self) -> Iterator[int]:
        return iter(self._told)

    def __len__(self) -> int:
        return len(self._told)


def finish(home: Path, run_id: str, tell: Tell = lambda words: None) -> dict[str, Any]:
    """Make the run; what `--json` says of it. Raises Wrong and ValueError, in words, FileExistsError, OSError, Missing
    and Broken: what was told stays."""
    kept = Kept(home, run_id)
    settings = kept.settings()
    if not settings:
        raise Wrong(f"nothing was told of a run {run_id!r} that is not published yet")
    dataset = data.load(settings["data"], home=home)
    if dataset.digest != settings["digest"]:
        raise Wrong(f"the pictures of {dataset.name} were imported anew since this run began: publish it anew")
    aside = kept.place / MADE
    shutil.rmtree(aside, ignore_errors=True)
    understood = _understood(kept, dataset, settings)
    told = kept.epochs()
    told = border.shares(told, border.percent(told))
    more = {"published": _about(settings), **_trained_with(settings)}
    if settings.get("network"):
        made = _imported(settings, dataset, aside, kept, understood, told, more, tell)
    elif understood is not None:
        made = recording.publish(
            understood, dataset, run_id, aside, sources={}, command=settings.get("command", ""), told=told, more=more,
            tell=tell,
        )  # fmt: skip
    else:
        raise Wrong(
            f"nothing was said of any picture of {dataset.name}, and no network was given: run.predictions(…) or "
            "run.network(…) makes a run of what was told"
        )
    target = home / "runs" / run_id
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        raise FileExistsError(f"run {run_id} exists already")
    atomic.rename(made, target)
    shutil.rmtree(aside, ignore_errors=True)
    return _summary(home, run_id, understood, len(told))


def _understood(kept: Kept, dataset: Dataset, settings: Mapping[str, Any]) -> Understood | None:
    """The answers that were told, None where there are none of pictures that count."""
    told, notes = kept.told(), [*settings.get("notes", [])]
    final = told.pop(FINAL, [])
    splits = {number: [split for split in of if split != "train"] for number, of in told.items()}
    numbers = [number for number, of in splits.items() if of]
    last = _counting(kept, dataset, settings.get("keep", LAST), numbers) if numbers else FINAL
    chosen = dict.fromkeys(told.get(last, ()), last) | dict.fromkeys(final, FINAL)
    said = {split: kept.part(split, number, len(dataset.classes), features=True) for split, number in chosen.items()}
    parts = of_splits({split: part for split, part in said.items() if len(part.at)}, dataset, notes)
    if not parts.keys() & {"test", "validation"}:
        return None
    counted = tuple(split for split in parts if any(split in of for of in splits.values()))
    lacking = tuple(number for number in numbers if not _whole(kept, parts, counted, number, splits[number]))
    of = {split: len(dataset[split]) for split in ("test", "validation")} | {"reference": len(dataset.reference())}
    epochs: Mapping[int, Mapping[str, Part]] = Epochs(kept, dataset, {number: told[number] for number in numbers})
    labelled, agreeing = settings.get("labels", (0, 0))
    return Understood(
        parts, epochs if numbers else {}, settings.get("known", "probabilities"),
        sum(len(part.at) for part in parts.values()), settings.get("left_out", {}), labelled, labelled - agreeing,
        notes, of, last, lacking, split_epochs=counted,
    )  # fmt: skip


def _whole(kept: Kept, parts: Mapping[str, Part], counted: Sequence[str], number: int, splits: Sequence[str]) -> bool:
    """Whether an epoch has answers about all pictures that the run has."""
    return all(split in splits and kept.rows(split, number).tolist() == parts[split].at.tolist() for split in counted)


def _counting(kept: Kept, dataset: Dataset, keep: str | int, numbers: list[int]) -> int:
    """The epoch whose answers are the run's. Raises Wrong."""
    if keep == LAST:
        return max(numbers)
    if keep != BEST:
        if keep not in numbers:
            raise Wrong(f"keep={keep}: no answers were told after that epoch, but after {', '.join(map(str, numbers))}")
        return int(keep)
    told = {number: row["validation_accuracy"] for number, row in kept.epochs().items() if "validation_accuracy" in row}
    for number in numbers:
        if number not in told and "validation" in kept.told()[number]:
            part = kept.part("validation", number, len(dataset.classes))
            told[number] = float((part.said.argmax(1) == dataset["validation"].labels[part.at]).mean())
    known = [number for number in numbers if number in told]
    return max(known, key=lambda number: told[number]) if known else max(numbers)


def _imported(
    settings: Mapping[str, Any], dataset: Dataset, aside: Path, kept: Kept, understood: Understood | None,
    told: Mapping[int, Mapping[str, float]], more: Mapping[str, Any], tell: Tell,
) -> Path:  # fmt: skip
    """The network as any other that is added, with the history of how it learned."""
    file, scratch = Path(settings["network"]), aside / "scratch"
    scratch.mkdir(parents=True)
    if not file.exists():
        raise Wrong(
            f"the network {file.name} is not there any more: run.network(…) needs it until the run is published"
        )
    choices = adding.Choices.from_json({"network": settings.get("wishes", {})})
    found = adding.understood([file], adding.NETWORK, dataset, kept.place.parents[1], choices, scratch, tell)
    made = found.make(kept.run_id, aside, settings.get("command", ""), tell)
    manifest = json.loads((made / "manifest.json").read_text(encoding="utf-8"))
    nouns: dict[str, Any] = {}
    if understood is None:
        understood = Understood({}, {}, "probabilities", 0, {}, 0, 0, [], {})
    whole = {
        split: part for split, part in understood.parts.items() if len(part.at) == understood.of[split]
    }  # an epoch of some pictures would not be of those that the network was asked about
    understood.parts = whole
    if {"test", "validation"} & whole.keys():
        tell("writing how it learned")
        nouns = recording.learned(made, understood, recording.context_of(understood, dataset), told)
    elif told:
        nouns = {"history": recording.told_alone(made, told)}
    fresh = {noun: entry for noun, entry in nouns.items() if noun not in manifest["nouns"]}
    best = {"best_epoch": understood.epoch or max(told)} if told or understood.epoch else {}
    writer.write_manifest(made, {**manifest, **best, **more, "nouns": {**manifest["nouns"], **fresh}})
    return made


def _about(settings: Mapping[str, Any]) -> dict[str, Any]:
    """What a manifest says of the script."""
    return {name: settings[name] for name in ("script", "host", "began", "attempts") if name in settings}


def _trained_with(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {"settings": settings["settings"]} if settings.get("settings") else {}


def _summary(home: Path, run_id: str, understood: Understood | None, epochs: int) -> dict[str, Any]:
    manifest = json.loads((home / "runs" / run_id / "manifest.json").read_text(encoding="utf-8"))
    result = manifest["results"].get("validation")
    return {
        "run": run_id,
        "kind": kinds.kind_of(manifest),
        "capabilities": manifest.get("capabilities", []),
        "understood": understood.lines()
        if understood is not None
        else manifest.get("source", {}).get("understood", []),
        "matched": understood.matched if understood is not None else 0,
        "unmatched": understood.unmatched if understood is not None else 0,
        "splits": {split: one["n"] for split, one in manifest["results"].items()},
        "epochs": epochs,
        "validation_accuracy": result["correct"] / result["n"] if result else None,
    }
