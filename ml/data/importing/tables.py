"""Tables that name pictures and their labels, or hold both: CSV, TSV, JSON lines, parquet and Arrow."""

import contextlib
import functools
import math
import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ml.data.importing import columns as table_columns
from ml.data.importing import numbered, several
from ml.data.importing import rows as table_rows
from ml.data.importing.arrow_tables import ArrowTable, ParquetTable
from ml.data.importing.columns import Columns
from ml.data.importing.finder import TABLES, Finder, looks_like_a_picture
from ml.data.importing.record_tables import NAME, RecordTable
from ml.data.importing.records import FLAGS, Found, LeftOut, TableSeen, Unclear, some
from ml.data.importing.rows import Row, as_split, split_in, text
from ml.data.importing.sources import Entry, Scratch, Source
from ml.data.importing.text_tables import TextTable
from ml.images.decoding import Refusal
from ml.images.file_names import by_the_way, clean

PARQUETS, ARROWS = (".parquet", ".pq"), (".arrow", ".feather")
FEW = 16  # the most of levels that are few
MANY = 100  # files of JSON, each of which then belongs to a picture
NOT_NAMED = "no row of a table names it"
Table = TextTable | ParquetTable | ArrowTable | RecordTable


class Tables:
    """The tables of a source that hold pictures or name them, with what their columns are for."""

    def __init__(
        self, source: Source, stack: contextlib.ExitStack, scratch: Scratch, given: Mapping[str, str], *,
        lone: bool = False, names: Mapping[str, Sequence[str]] | None = None,
        only: Callable[[Entry], bool] = lambda entry: True, splits: Collection[str] = (),
    ) -> None:  # fmt: skip
        """given: role → column; lone: the source is but a table; names: of classes by column, as a file beside the
        tables says; only: entries to be looked at; splits: words for splits that a person says more of."""
        self.finder, self.left_out = Finder(source, lone), LeftOut()
        self.notes: list[str] = []
        self.read: list[tuple[Table, Columns]] = []
        self.unclear: list[TableSeen] = []  # none of whose columns holds pictures, as it seems
        self._strange: Counter[str] = Counter()
        self._names, self._scratch, self._stack, self._splits = names or {}, scratch, stack, splits
        self._labels = [one for one in source.entries if one.read and one.name.endswith(".labels.txt")]
        many = sum(entry.name.casefold().endswith(".json") for entry in source.entries) > MANY
        for entry in source.entries:
            if many and entry.name.casefold().endswith(".json"):
                continue
            if is_table(entry) and not by_the_way(entry.name) and only(entry):
                self._look(entry, given)
        missed = [reason for _, reason in self.left_out.files if given and "--column" in reason]
        if missed and not self.read:  # of several tables, another may have the column that was named
            raise ValueError(missed[0])

    def _look(self, entry: Entry, given: Mapping[str, str]) -> None:
        if not given and numbered.names(entry):
            return  # what stands for the numbers of another file or of folders
        try:
            table = self._opened(entry)
            sample = table.sample()
            found = table_columns.understood(entry.name, sample, self.finder, given, [*table.names, *self._names])
        except (OSError, Refusal) as error:
            self.left_out.add(entry.name, f"it cannot be read as a table: {error}")
        except ValueError as error:
            self.left_out.add(entry.name, str(error))
        else:
            self.finder.used.clear()  # what was tried
            if found is not None:
                self.read.append((table, found))
            elif not any(sample.values()):
                self.left_out.add(entry.name, "the table has no rows")
            else:
                self.unclear.append(TableSeen(clean(entry.name), {}, "", tuple(sample)))

    def _opened(self, entry: Entry) -> Table:
        place, name = entry.place(), entry.name
        if name.casefold().endswith(PARQUETS):
            table: Table = ParquetTable(place, name)
        elif name.casefold().endswith(ARROWS):
            table = ArrowTable(place, name)
        elif NAME.search(name.casefold().rpartition("/")[2]):
            table = RecordTable(place, name, self._scratch.path, self._beside(name))
        else:
            table = TextTable(place, name, self._is_picture, self._scratch.path)
        self._stack.callback(table.close)
        return table

    def _beside(self, name: str) -> dict[str, list[str]]:
        """Feature → names of classes, as TFDS writes them beside records: label.labels.txt."""
        folder, found = name.rpartition("/")[0], {}
        for entry in self._labels:
            inside, _, called = entry.name.rpartition("/")
            if inside == folder:
                words = entry.content().decode("utf-8", "replace").splitlines()
                found[called.removesuffix(".labels.txt")] = [one.strip() for one in words if one.strip()]
        return found

    def _is_picture(self, cell: str) -> bool:
        """Whether a cell is a picture and so no column's name."""
        return table_columns.is_base64(cell) if len(cell) > 200 else looks_like_a_picture(cell)

    @property
    def names_of_tables(self) -> list[str]:
        return [table.name for table, _ in self.read]

    @property
    def hold_pictures(self) -> bool:
        return any(columns.way != "path" for _, columns in self.read)

    @property
    def sure(self) -> bool:
        """Whether a column called after labels stands beside one of pictures."""
        return any((columns.label or columns.hot) and columns.sure for _, columns in self.read)

    def found(self, shown: str, order: Sequence[str] = ()) -> Found:
        """Raises ValueError, in words, where no labels are to be found."""
        labelled = [one for one in self.read if one[1].label or one[1].hot]
        if not labelled:
            table, columns = self.read[0]
            raise Unclear(
                f"{table.name}: which column is the label? The pictures stand in {columns.image!r}, and there are "
                f"{', '.join(table.columns)}{FLAGS}column label=NAME",
                [_seen(*one) for one in self.read],
            )
        self._apart([columns.way for _, columns in labelled])
        rows: list[Row] = []
        known: Sequence[str] = ()
        ids: dict[str, str] = {}
        numbered = all(columns.way != "path" for _, columns in self.read)
        told: dict[str, list[str]] = {}
        for table, columns in self.read:
            known = known or self._names.get(columns.label) or table.names.get(columns.label) or columns.hot
            rows += self._rows(table, columns, known, ids)
            told.setdefault(columns.words("").removeprefix(": "), []).append(clean(table.name))
            self.notes += table.notes
        said = {row.path: row for row in rows if row.path and not row.label}
        said |= {row.path: row for row in rows if row.path and row.label}
        rows = [row for row in rows if row.label or not row.path or said[row.path] is row]  # another table says it
        rows = several.apart(self._once(rows), self.left_out)
        self.notes += [f"{some(names)}: {words}" for words, names in told.items()]
        if not numbered:
            for name in self.finder.unused():
                self.left_out.add(name, NOT_NAMED)
        without = sum(not row.label for row in rows)
        if without:
            self.notes.append(f"{without:,} of {len(rows):,} rows have no label")
        kind = "tables that name pictures and their labels" if not numbered else "tables of pictures and labels"
        by_id = [name for _, name in sorted((int(one), name) for one, name in ids.items())]
        made = table_rows.found(shown, kind, rows, self.left_out, self.notes, known=known, order=order, sorted_by=by_id)
        made.tables, made.strange = [_seen(table, columns) for table, columns in self.read], self._strange
        return made

    def _once(self, rows: Sequence[Row]) -> list[Row]:
        """One row for each file of a split, as tables have one for each label or thing; of several labels none."""
        first: dict[tuple[str, str], Row] = {}
        labels: dict[tuple[str, str], set[str]] = {}
        for row in rows:
            if row.path:
                labels.setdefault((row.path, row.split), set()).add(row.label)
                first.setdefault((row.path, row.split), row)
        for (path, _), said in labels.items():
            if len(said) > 1:
                self.left_out.add(path, "it has several labels")
        kept = [row for row in rows if not row.path or first[row.path, row.split] is row]
        if len(kept) < len(rows):
            again = f"{len(rows) - len(kept):,} of {len(rows):,} rows name a file that a row before them names"
            self.notes.append(f"{again}: each is taken once")
        return [row for row in kept if not row.path or len(labels[row.path, row.split]) < 2]

    def _apart(self, ways: Sequence[str]) -> None:
        """Where tables name pictures and others hold levels of pixels, as HAM10000's do, these are small copies."""
        if "path" in ways and "levels" in ways:
            for table, _ in [one for one in self.read if one[1].way == "levels"]:
                self.left_out.add(table.name, "it has levels of pixels, and another table names files of pictures")
            self.read = [one for one in self.read if one[1].way != "levels"]

    def _rows(self, table: Table, columns: Columns, known: Sequence[str], ids: dict[str, str]) -> list[Row]:
        """ids: number → name, filled."""
        told = [columns.label, columns.split, columns.group, columns.ids, columns.denied, *columns.hot]
        wanted = [*(one for one in told if one), *([columns.image] if columns.way in ("path", "file") else [])]
        folder, called = table.name.rpartition("/")[0], table.name.rpartition("/")[2]
        by_file = split_in(called.partition(".")[0]) or table_rows.split_of(folder.rpartition("/")[2])
        by_file = by_file or ("test" if table_columns.EXAMPLE.search(called.casefold()) else "")
        found, scale = [], _scale(table, columns.levels) if columns.levels else _scale_in(table, columns)
        if scale != 1:
            self.notes.append(f"{clean(table.name)}: levels up to {255 / scale:g} are scaled to 0 to 255")
        for number, cells in enumerate(table.rows(list(dict.fromkeys(wanted)))):
            name = table_rows.shown(table.name, number + 1)
            if isinstance(cells, str):
                self.left_out.add(name, cells)
                continue
            cell = dict(zip(dict.fromkeys(wanted), cells, strict=True))
            if columns.denied and text(cell[columns.denied]) in table_columns.DENIED:
                continue
            part = text(cell[columns.split]) if columns.split else ""
            split = as_split(part) if part not in self._splits or not part else ""
            label = _label(cell[columns.label], known) if columns.label else _hot(cell, columns)
            if split is None or label is None:
                self.left_out.add(name, _strange(cell, columns, split is None))
                self._strange[part] += split is None
                self._reads(table, columns, number, cell, folder, "")  # so that its file is not left out a second time
                continue
            split = split or ("" if part in self._splits else by_file)
            read, why = self._reads(table, columns, number, cell, folder, split)
            if why:
                self.left_out.add(text(cell.get(columns.image)) or name if columns.way == "path" else name, why)
                continue
            if columns.ids and label and text(cell[columns.ids]):
                ids.setdefault(text(cell[columns.ids]), label)
            group = text(cell[columns.group]) if columns.group else ""
            row = Row(read.name if isinstance(read, Entry) else name, label, split, group, part=part)
            if isinstance(read, Entry):
                found.append(replace(row, read=read.content, path=read.name))
            elif columns.way == "levels":
                late = functools.partial(table.cells, number, columns.levels)
                found.append(replace(row, pixels=functools.partial(_of_levels, late, scale)))
            elif columns.way == "text":
                found.append(replace(row, pixels=functools.partial(_of_text, read)))
            elif columns.way in ("pixels", "flat"):
                shaped = _pixels if columns.way == "pixels" else _of_levels
                found.append(replace(row, pixels=functools.partial(shaped, read, scale)))
            else:
                found.append(replace(row, read=functools.partial(_file, read, columns.way)))
        return found

    def _reads(
        self, table: Table, columns: Columns, number: int, cell: Mapping[str, Any], folder: str, split: str
    ) -> tuple[Entry | Callable[[], Any], str]:
        """What reads the picture of a row, or why nothing does."""
        late = functools.partial(table.cell, number, columns.image)
        if columns.way == "notation":
            late = functools.partial(_written, late)
        if columns.way in ("file", "notation"):
            late = functools.partial(self._structure, late, folder, split)
        if columns.way != "path":
            return late, ""
        path = text(cell[columns.image])
        found = self.finder.find(path, folder, split) if path else "the row names no file"
        return (late, found) if isinstance(found, str) else (found, found.problem)

    def _structure(self, late: Callable[[], Any], folder: str, split: str) -> bytes:
        """A file within a structure, or the one it has the path of."""
        value = late() or {}
        if value.get("bytes") is not None:
            return bytes(value["bytes"])
        entry = self.finder.find(value["path"], folder, split) if value.get("path") else "the row has no picture"
        if isinstance(entry, str):
            raise Refusal(entry)
        return entry.content()


def is_table(entry: Entry) -> bool:
    name = entry.name.casefold()
    return entry.whole is not None and (name.endswith(TABLES) or NAME.search(name.rpartition("/")[2]) is not None)


def _seen(table: Table, columns: Columns) -> TableSeen:
    told = {"image": columns.image, "label": columns.label, "split": columns.split, "group": columns.group}
    told = {role: column for role, column in told.items() if column}
    others = tuple(one for one in table.columns if one not in (*told.values(), *columns.levels))
    return TableSeen(clean(table.name), told, columns.way, others)


def _label(cell: Any, known: Sequence[str]) -> str | None:
    """The name of a class, '' for none; None for a number that no class has, and for several labels."""
    if isinstance(cell, list | tuple | dict) and len(cell) != 1:
        return "" if not cell else None
    label = text(cell)
    if not known or not label:
        return label
    if label in known:
        return label
    if not label.lstrip("-").isdigit() or int(label) >= len(known):
        return None
    return known[int(label)] if int(label) >= 0 else ""


def _hot(cell: Mapping[str, Any], columns: Columns) -> str | None:
    ones = [column for column in columns.hot if text(cell[column]) in table_columns.ONE]
    return ones[0] if len(ones) == 1 else None if ones else ""


def _strange(cell: Mapping[str, Any], columns: Columns, is_split: bool) -> str:
    if is_split:
        word = text(cell[columns.split])
        return f"its split, {word!r}, is none of train, validation and test{FLAGS}split '{word}=test'"
    several = bool(columns.hot) or isinstance(cell[columns.label], list | tuple | dict)
    return "it has several labels" if several else f"its label, {text(cell[columns.label])!r}, is none of the classes"


def _written(late: Callable[[], Any]) -> dict[str, Any]:
    try:
        return table_columns.from_notation(late() or "{}")
    except ValueError:
        raise Refusal("What stands in the row is no picture's file.") from None


def _file(late: Callable[[], Any], way: str) -> bytes:
    value = late()
    if value is None or value == "":
        raise Refusal("The row has no picture.")
    try:
        return table_columns.from_base64(value) if way == "base64" else bytes(value)
    except (ValueError, TypeError):
        raise Refusal("What stands in the row is no picture's file.") from None


def _scale(table: Table, columns: Sequence[str]) -> float:
    """What levels are multiplied by: those of scikit-learn's digits are 0 to 16, others 0 to 1. They are looked through
    until one is beyond that."""
    most = 0.0
    for cells in table.rows(columns) if columns else ():
        with contextlib.suppress(ValueError, TypeError):
            most = max(most, float(np.max(np.array(cells, np.float64))))
        if most > FEW:
            return 1.0
    return 255 / (FEW if most > 1 else 1) if most else 1.0


def _scale_in(table: Table, columns: Columns) -> float:
    """The same of levels within a cell, of the first rows."""
    most = 0.0
    for cell in table.sample()[columns.image] if columns.way in ("pixels", "flat") else ():
        with contextlib.suppress(ValueError, TypeError):
            most = max(most, float(np.max(np.array(cell, np.float64))))
    return 255 / (FEW if most > 1 else 1) if 0 < most <= FEW else 1.0


def _of_levels(late: Callable[[], Any], scale: float = 1.0) -> np.ndarray:
    """A square of grey levels, or of red, green and blue one after the other."""
    try:
        levels = np.array(late(), np.float64) * scale
    except (ValueError, TypeError):
        raise Refusal("A level in the row is no number.") from None
    channels = next(
        (n for n in (1, 3) if levels.size % n == 0 and math.isqrt(levels.size // n) ** 2 * n == levels.size), 0
    )
    if not channels:
        raise Refusal(f"The row has {levels.size} levels, which make no square picture.")
    side = math.isqrt(levels.size // channels)
    return _pixels(lambda: levels.reshape(side, side, channels))


def _of_text(late: Callable[[], Any]) -> np.ndarray:
    return _of_levels(lambda: re.findall(r"[\d.]+", str(late())))


def _pixels(late: Callable[[], Any], scale: float = 1.0) -> np.ndarray:
    """Channels last, or first."""
    try:
        levels = np.asarray(late()) * scale
    except (ValueError, TypeError):
        levels = np.zeros(0)
    if levels.ndim not in (2, 3) or levels.size == 0 or levels.min() < 0 or levels.max() > 255:
        raise Refusal("What stands in the row is no picture of levels from 0 to 255.")
    levels = levels[..., None] if levels.ndim == 2 else levels
    levels = np.moveaxis(levels, 0, 2) if levels.shape[2] not in (1, 3, 4) and levels.shape[0] in (1, 3) else levels
    if levels.shape[2] not in (1, 3):
        raise Refusal(f"What stands in the row has {levels.shape[2]} channels, and not one or three.")
    return np.rint(levels).astype(np.uint8)
