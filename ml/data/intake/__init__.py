"""The whole of an import: from what people bring to a data set that is written, measured and told of."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from ml.artifacts import picture_sets, writer
from ml.artifacts.identity import run_id_of
from ml.artifacts.manifest import check_dataset
from ml.artifacts.schema import PICTURE_NOUNS, RUN_ID
from ml.data import folder, kept_files, originals
from ml.data.folder import Imported
from ml.data.importing.choices import Choices
from ml.data.importing.sources import IMPORTING
from ml.data.intake.measures import measure
from ml.data.reading import Cancelled, Progress, never, nobody
from ml.system import atomic, scratch, small_files
from ml.system.paths import home_dir
from ml.system.shards import Share

REPLACED = "replaced"  # of a folder in which an import is under way: the data set as it was
TITLE, DESCRIPTION = 120, 4_000  # letters, at most
TOLD = 200  # notes that are kept
NAMES = 20  # of what is left out for one reason
SIZES = 20


class Taken(FileExistsError):
    """There is a data set of this name already."""


def name_of(called: str) -> str:
    """What a data set is called in addresses and folders: Rocks 2 is rocks-2. Raises ValueError where nothing of it
    can stand there."""
    name = run_id_of(called)
    if not name:
        raise ValueError(f"{called!r} cannot be a data set's name, which needs a letter of a to z or a digit")
    return name


def import_dataset(
    source: Path | str,
    name: str,
    choices: Choices | None = None,
    *,
    title: str | None = None,
    description: str = "",
    home: Path | None = None,
    new_version: bool = False,
    add: bool = False,
    progress: Progress = nobody,
    cancelled: Callable[[], bool] = never,
    share: Share | None = None,
) -> Imported:
    """See ml.data.import_dataset."""
    home, choices, place = home or home_dir(), choices or Choices(), Path(source)
    if len(title or "") > TITLE or len(description) > DESCRIPTION:
        raise ValueError(f"a title has at most {TITLE} letters, a description {DESCRIPTION:,}")
    kept = home / "datasets" / name
    if add and not kept.exists():
        raise ValueError(f"there is no data set {name!r} to add to")
    if kept.exists() and not (new_version or add):
        raise Taken(f"There is a data set {name!r} already.")
    before = described_in(kept)
    onto = folder.load(kept) if add else None
    if not add and not choices.order and (order := folder.stored_classes(kept)):
        choices = replace(choices, order=order)
    title = title or before.get("title") or name
    made = folder.read(
        place, name, choices, title=title, home=home, onto=onto, progress=progress, cancelled=cancelled, share=share
    )
    dataset = made.dataset
    check_dataset(writer.describe(dataset))
    version = (before.get("version") or 1) + 1 if before else 1
    about = _about(made, place, choices, description or before.get("description") or "", version)
    kept_as_came = dict(dataset.files() if dataset.files else {})
    if onto is not None:
        about["sources"] = [*(before.get("sources") or [before.get("source") or {}]), about["source"]]
        originals.after(made.originals, kept, len(about["sources"]) - 1, sum(map(len, onto.splits.values())))
        kept_as_came |= onto.files() if onto.files else {}
    with scratch.folder(home, IMPORTING) as aside:
        # whoever reads meanwhile has the old pictures or the new ones, never some of each
        progress(0, 1, "writing")
        written = writer.write_pictures(aside, dataset, complete=True, about=about)
        kept_files.write(written, kept_as_came)
        originals.write(written, made.originals)
        if cancelled():
            raise Cancelled
        progress(0, 1, "measuring")
        measure(aside, dataset)
        described = described_in(written) | {"near": near(written)}
        if cancelled():
            raise Cancelled
        atomic.write(written / "dataset.json", writer.as_json(described))
        kept.parent.mkdir(parents=True, exist_ok=True)
        if kept.exists():
            atomic.rename(kept, aside / REPLACED)
        atomic.rename(written, kept)
        if before:
            _put_aside(home, name, aside / REPLACED, before)
    progress(1, 1, "done")
    return replace(made, folder=kept, version=version, described=described)


def _put_aside(home: Path, name: str, replaced: Path, before: dict[str, Any]) -> None:
    """Keep the version that was replaced: runs that learned from it show its pictures."""
    if before.get("hashes"):  # without, no run can say that it is the one it means
        target = picture_sets.put_aside(home, name, before)
        if not target.exists():
            atomic.rename(replaced, target)


def _about(made: Imported, place: Path, choices: Choices, description: str, version: int) -> dict[str, Any]:
    """What dataset.json says of an import."""
    sizes = made.sizes.most_common()
    return {
        "digest": made.dataset.digest,
        "version": version,
        "imported": writer.now(),
        "description": description,
        "source": {"path": str(place.resolve()), "kind": made.kind},
        "choices": choices.to_json(),
        "why": {"size": made.taken.why_size, "colour": made.taken.why_colour},
        "sizes": [[*size, n] for size, n in sizes[:SIZES]],
        "other_sizes": sum(n for _, n in sizes[SIZES:]),
        "notes": made.notes[:TOLD],
        "left_out": made.left_out.reasons(NAMES),
        "passed_over": len(made.left_out.by_systems),
        "copies": len(made.copied),
        "conflicts": [list(pair) for pair in made.in_conflict[:NAMES]],
        "in_conflict": len(made.in_conflict),
        "across": {split: len(names) for split, names in made.across.items()},
        "dim": len(made.dim),
    }


def near(written: Path) -> dict[str, int]:
    """Split → how many of its pictures are nearly the same as one of train, as was measured."""
    pairs = pd.read_parquet(written / PICTURE_NOUNS["duplicates"].file)
    leaks = pairs[(pairs["other_split"] == "train") & pairs["split"].isin(["test", "validation"])]
    return {str(split): int(n) for split, n in leaks.groupby("split")["example_id"].nunique().items()}


def sweep(home: Path, tell: Callable[[str], None] = lambda words: None) -> None:
    """Say and remove what imports that were killed have left; a data set that one of them was about to replace stays
    as it was."""

    def rescue(left: Path) -> None:
        found = described_in(left / REPLACED).get("name")
        if not isinstance(found, str) or not RUN_ID.fullmatch(found):
            return
        kept = home / "datasets" / found
        if not kept.exists():  # its place may be empty
            kept.parent.mkdir(parents=True, exist_ok=True)
            atomic.rename(left / REPLACED, kept)
            tell(f"{found} is as it was before an import that was broken off")

    gone, freed = scratch.sweep(home, IMPORTING, rescue)
    if gone:
        tell(f"removed what an import that was broken off had left: {freed / 1e6:,.1f} MB")


def described_in(kept: Path) -> dict[str, Any]:
    """What dataset.json says, empty where it cannot be read."""
    try:
        found = small_files.document(kept / "dataset.json")
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
