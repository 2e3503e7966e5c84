"""What an import would make of a source, before anything is written."""

from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ml.data import importing
from ml.data.base import SPLITS, UNLABELLED
from ml.data.importing import looks
from ml.data.importing.choices import Choices
from ml.data.importing.looks import Taken
from ml.data.importing.records import Found, LeftOut, Record, TableSeen
from ml.images.decoding import Refusal
from ml.images.fitting import WORDS
from ml.images.preparation import prepare

SHOWN = 10  # names of what is left out for one reason, and sizes
STRANGE = 30  # words for splits that are none, of which rows are left out
DRAWN = ("test", "validation")


@dataclass(frozen=True)
class Part:
    """What the source calls a split. split: what it is taken as, '' where it is drawn from, or where its rows are left
    out since nobody knows what is meant; n: pictures."""

    name: str
    split: str
    n: int


@dataclass(frozen=True)
class Plan:
    """What was understood. kind: of source, in words; classes: names by class id; counts: split → pictures of each
    class, '' being those of which the source does not say it; drawn: splits that will be drawn from train → their
    share; unlabelled: pictures without a label; parts: what the source calls splits.

    sizes: (height, width) upright → pictures, of `looked_at` of them; taken: the form of the pictures and why; tables:
    what their columns are for; notes: sentences; left_out: what is not taken; rows: of each class, and of pictures
    without a label, the places of the first among the source's pictures.
    """

    source: Path
    choices: Choices
    kind: str
    classes: tuple[str, ...]
    counts: dict[str, list[int]]
    drawn: dict[str, float]
    unlabelled: int
    parts: tuple[Part, ...]
    sizes: Counter[tuple[int, int]]
    looked_at: int
    taken: Taken
    tables: tuple[TableSeen, ...]
    notes: tuple[str, ...]
    left_out: LeftOut
    rows: tuple[tuple[int, ...], ...]

    @property
    def n(self) -> int:
        """Pictures, with those that have no label."""
        return sum(map(sum, self.counts.values())) + self.unlabelled

    def samples(self, k: int = 4) -> dict[str, np.ndarray]:
        """Class → its first pictures, at most `k` and SAMPLES, uint8 [n, h, w, c], as the data set would have them; ''
        are those without a label. What cannot be read is passed over. Raises ValueError where the source changed."""
        form = self.taken.form(self.choices)
        found: dict[str, np.ndarray] = {}
        with importing.opened(self.source, self.choices) as source:
            for name, rows in zip((*self.classes, ""), self.rows, strict=True):
                images: list[np.ndarray] = []
                for row in rows:
                    if len(images) == k or row >= len(source.records):
                        break
                    try:
                        picture = Record.decoded(source.records[row].raw(), form)
                    except (OSError, Refusal):
                        continue
                    images.append(prepare(picture.pixels, form, orientation=picture.orientation, mode="none").image)
                empty = np.zeros((0, form.height, form.width, form.channels), np.uint8)
                found[name] = np.stack(images) if images else empty
        return found

    def to_json(self) -> dict[str, Any]:
        """As JSON has it; the choices that would do the same are among it."""
        taken = self.taken
        splits = {split or "train": sum(n) for split, n in self.counts.items() if split != "train"}
        splits["train"] = sum(map(sum, (self.counts.get("train", []), self.counts.get("", []))))
        by_class = [
            {"name": name, "n": {split: n[label] for split, n in self.counts.items()}}
            for label, name in enumerate(self.classes)
        ]
        return {
            "source": str(self.source),
            "kind": self.kind,
            "n": self.n,
            "classes": by_class,
            "splits": splits,
            "drawn": self.drawn,
            "unlabelled": self.unlabelled,
            "parts": [asdict(one) for one in self.parts],
            "sizes": [[*size, n] for size, n in self.sizes.most_common(SHOWN)],
            "other_sizes": max(0, len(self.sizes) - SHOWN),
            "looked_at": self.looked_at,
            "size": [taken.height, taken.width],
            "why_size": taken.why_size,
            "colour": taken.channels == 3,
            "why_colour": taken.why_colour,
            "fitting": self.choices.fitting,
            "why_fitting": WORDS[self.choices.fitting],
            "resampling": self.choices.resampling,
            "background": self.choices.background,
            "levels": list(taken.levels) if taken.levels else None,
            "tables": [asdict(one) for one in self.tables],
            "notes": list(self.notes),
            "left_out": self.left_out.reasons(SHOWN),
            "passed_over": len(self.left_out.by_systems),
            "choices": self.choices.to_json(),
        }


SAMPLES = 16  # rows of each class kept for its first pictures


def plan(source: Path | str, choices: Choices | None = None) -> Plan:
    """What would become of a folder, an archive or a file; nothing is written. Raises ValueError, in words."""
    source, choices = Path(source), choices or Choices()
    with importing.opened(source, choices) as found:
        seen = looks.look(found, choices.colour is not None)
        return _planned(source, choices, found, seen)


def _planned(source: Path, choices: Choices, found: Found, seen: looks.Look) -> Plan:
    counts: dict[str, list[int]] = {}
    rows: list[list[int]] = [[] for _ in range(len(found.classes) + 1)]
    parts: Counter[tuple[str, str]] = Counter()
    unlabelled = 0
    for row, one in enumerate(found.records):
        place = len(found.classes) if one.label is None else one.label
        if len(rows[place]) < SAMPLES:
            rows[place].append(row)
        parts[one.part, one.split] += 1
        if one.label is None:
            unlabelled += 1
        else:
            counts.setdefault(one.split, [0] * len(found.classes))[one.label] += 1
    strange = (((word, ""), n) for word, n in found.strange.most_common(STRANGE) if n)
    shares = {"test": choices.test, "validation": choices.validation}
    order, taken = ["", *SPLITS, UNLABELLED], looks.taken(seen, choices)
    return Plan(
        source, choices, found.kind, found.classes,
        {split: counts[split] for split in sorted(counts, key=order.index)},
        {split: shares[split] for split in DRAWN if split not in counts},
        unlabelled,
        tuple(Part(name, split, n) for (name, split), n in (*parts.items(), *strange)),
        seen.sizes, seen.n, taken, tuple(found.tables), (*found.notes, *taken.notes()),
        found.left_out,
        tuple(map(tuple, rows)),
    )  # fmt: skip
