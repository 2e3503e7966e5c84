"""What every kind of source yields: labelled pictures, still unread, and what is to be said of them."""

import io
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from ml.images.decoding import Picture
from ml.images.file_names import clean
from ml.images.fitted import opened
from ml.images.form import Form
from ml.system.wording import quantity

FLAGS = ". On the command line: --"  # where fields are, what follows is left out
TOLD = 3  # files named of each reason
PLAIN = Form(1, 1, 1)  # which says nothing of how files are read
SPLIT_ORDER = ("", "train", "validation", "test", "unlabelled")


@dataclass(frozen=True, slots=True)
class Record:
    """One picture. name: as it is shown; label: class id, None where it has none; split: train, validation or test
    where the source says so, unlabelled for what is there without a label, '' where it is to be drawn; group: what must
    stay in one split, '' for nothing; part: what the source calls its split, '' where it does not say; path: of its
    file within the source, '' for what is no file of its own.

    Either read gives its file, or pixels gives uint8 [h, w, 1 or 3]; both late, and raise OSError or Refusal.
    """

    name: str
    label: int | None
    split: str = ""
    group: str = ""
    read: Callable[[], bytes] | None = None
    pixels: Callable[[], np.ndarray] | None = None
    part: str = ""
    path: str = ""

    def raw(self) -> bytes | np.ndarray:
        """Its file or its pixels, as they are; one thread asks, one record after another. Raises OSError or Refusal."""
        return self.content() if self.pixels is None else self.pixels()

    @staticmethod
    def decoded(raw: bytes | np.ndarray, form: Form = PLAIN) -> Picture:
        """raw: as `raw` gives it; form: what it shall become; by any thread. Raises Refusal."""
        return opened(raw, form)

    def content(self) -> bytes:
        """Its file, as PNG where the source has pixels alone. Raises OSError or Refusal."""
        if self.read is not None:
            return self.read()
        assert self.pixels is not None
        pixels, file = self.pixels(), io.BytesIO()
        Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).save(file, "PNG")
        return file.getvalue()


@dataclass
class LeftOut:
    """What is not imported. files: (name with folders, reason); by_systems: names of what systems leave in folders."""

    files: list[tuple[str, str]] = field(default_factory=list)
    by_systems: list[str] = field(default_factory=list)

    def add(self, name: str, reason: str) -> None:
        self.files.append((clean(name), reason))

    def counts(self) -> dict[str, int]:
        """reason → files; what systems leave in folders is not among them."""
        return dict(Counter(reason for _, reason in self.files))

    def reasons(self, most: int) -> list[dict[str, object]]:
        """reason, n and the first names of each, as JSON has it."""
        names: dict[str, list[str]] = {}
        for name, reason in self.files:
            names.setdefault(reason, []).append(name)
        return [{"reason": reason, "n": len(them), "names": them[:most]} for reason, them in names.items()]

    def of_class(self, folder: str) -> list[tuple[str, str]]:
        """Those in the folder of a class, wherever it stands."""
        return [(name, reason) for name, reason in self.files if folder in name.split("/")[:-1]]

    def lines(self) -> list[str]:
        """One sentence a reason, with how many files and the first of them."""
        told = []
        for reason, n in self.counts().items():
            names = [name for name, why in self.files if why == reason]
            told.append(f"left out {quantity(n, 'file')} ({some(names)}): {reason}")
        if self.by_systems:
            n = len(self.by_systems)
            told.append(f"passed over {quantity(n, 'file')} that systems leave in folders: {some(self.by_systems)}")
        return told


@dataclass(frozen=True)
class TableSeen:
    """A table of a source. columns: role → column, of those that are there; ways: how pictures stand there; others:
    columns that could be meant instead."""

    name: str
    columns: dict[str, str]
    way: str
    others: tuple[str, ...]


class Unclear(ValueError):
    """Which columns of tables hold pictures and labels is to be said. tables: with what is understood of each."""

    def __init__(self, sentence: str, tables: Sequence[TableSeen]) -> None:
        super().__init__(sentence)
        self.tables = tuple(tables)


@dataclass
class Found:
    """What a source is and holds. kind: in words; classes: names by class id; records: in the import's order; given:
    splits that the source says; notes: sentences on what was understood; tables: of each table, what its columns are
    for; strange: words that stand for splits and are none, of rows that are left out → how many; root: the folder that
    paths of records lie in, None for an archive."""

    kind: str
    classes: tuple[str, ...]
    records: Sequence[Record]
    given: tuple[str, ...]
    left_out: LeftOut
    notes: list[str] = field(default_factory=list)
    tables: list[TableSeen] = field(default_factory=list)
    strange: Counter[str] = field(default_factory=Counter)
    root: Path | None = None


def some(names: Sequence[str]) -> str:
    """The first of them, and how many more there are."""
    more = f" and {len(names) - TOLD:,} more" if len(names) > TOLD else ""
    return f"{', '.join(names[:TOLD])}{more}"
