"""An import in parts of some thousand pictures, which several processes read: a plan, and two files for each part.

The plan says of each picture what it is and where it lies. A part is done once its table is there, and whoever does it
again writes the same bytes. Parts lie in a folder named after the plan, so that parts of a source that was changed, or
of another form, are never mixed.
"""

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ml.data import images
from ml.data.images import Images
from ml.data.importing import sources
from ml.data.importing.choices import Choices
from ml.data.importing.records import Record
from ml.data.reading import READING, Coloured, Hand, Made, read_all
from ml.images.fitted import DIGEST
from ml.images.form import Form
from ml.settings import Cluster
from ml.system import atomic
from ml.system.shards import Share

MOST = 10_000  # parts, so that a folder of them can be listed
PLAN = "plan.parquet"
ABOUT = b"about"  # in the head of either table: what is said of all of it, as JSON
PLANNED = pa.schema({"name": pa.binary(), "label": pa.int32(), "split": pa.string(), "file": pa.binary()})
DONE = pa.schema(
    {
        "row": pa.int64(),  # among the part's own
        "bytes": pa.int64(),
        "digest": pa.binary(DIGEST),
        "pixels": pa.binary(DIGEST),
        "sums": pa.list_(pa.int64()),
    }
)
Records = Callable[[range], Sequence[Record]]


@dataclass(frozen=True)
class Plan:
    """What is to be read. onto: the data set whose pictures come first, '' for none."""

    place: Path
    choices: Choices
    records: Sequence[Record]
    onto: str

    def write(self, folder: Path, home: Path, form: Form, watch: bool) -> Path:
        """Into a folder of its own in `folder`, which lies in `home`; that folder. Raises OSError."""
        n, top = len(self.records), home.absolute()
        rows = max(Cluster.read().pictures, -(-n // MOST))
        about = {
            "place": _told(self.place, top), "choices": self.choices.to_json(), "onto": self.onto, "n": n,
            "rows": rows, "form": _form(form), "watch": watch,
        }  # fmt: skip
        folder.mkdir(parents=True, exist_ok=True)
        schema = _headed(PLANNED, about)
        with (
            atomic.replacing(folder / PLAN) as scratch,
            pq.ParquetWriter(scratch, schema, compression="zstd") as writer,
        ):
            for start in range(0, n, rows):
                writer.write_table(_rows(self.records[start : start + rows], top).cast(schema), rows)
        with (folder / PLAN).open("rb") as file:
            own = folder / hashlib.file_digest(file, "sha256").hexdigest()[:16]
        own.mkdir(exist_ok=True)
        atomic.rename(folder / PLAN, own / PLAN)
        return own


class Parts:
    """The parts of a plan, as ml.system.shards.Shards has it."""

    def __init__(self, folder: Path, records: Records, hand: Hand) -> None:
        """folder: of the plan; records: those of some rows. Raises OSError, ValueError."""
        self.folder, self.name = folder, folder.name
        self.about = _about(pq.read_schema(folder / PLAN))
        self._rows, self._of = int(self.about["rows"]), int(self.about["n"])
        self.n = -(-self._of // self._rows)
        self._form, self._watch = _form_of(self.about["form"]), bool(self.about["watch"])
        self._records, self._hand = records, hand

    def do(self, number: int) -> None:
        """Raises OSError, ValueError, Cancelled."""
        coloured, made = None, Made.empty()
        hand = Hand(self.folder, cancelled=self._hand.cancelled)
        try:
            made = read_all(self._records(self._range(number)), self._form, hand, watch=self._watch)
        except Coloured as one:
            coloured = one.row
        if len(made.rows):
            images.write_pixels(self._pixels(number), made.images)
        about = {
            "sizes": [[*size, n] for size, n in made.sizes.items()], "dim": made.dim, "left": made.left,
            "coloured": coloured,
        }  # fmt: skip
        sums = [one.ravel() for one in made.sums]
        columns = dict(zip(DONE.names, (made.rows, made.lengths, made.digests, made.pixels, sums), strict=True))
        with atomic.replacing(self._table(number)) as scratch:
            pq.write_table(pa.table(columns, _headed(DONE, about)), scratch, compression="zstd")

    def there(self, number: int) -> bool:
        return self._table(number).is_file()

    def last(self, number: int) -> bool:
        """A picture of it has colour, which none looked at had: all of them are read anew."""
        return self._watch and _about(pq.read_schema(self._table(number)))["coloured"] is not None

    def tell(self, done: int) -> None:
        """Raises Cancelled."""
        self._hand.check()
        self._hand.progress(min(done * self._rows, self._of), self._of, READING)

    def joined(self, records: Sequence[Record]) -> Made:
        """All of them as one; the pictures are read from where they are. Raises Coloured, OSError."""
        made, pixels = Made.empty(), []
        for number in range(self.n):
            table = pq.read_table(self._table(number))
            about, start = _about(table.schema), self._range(number).start
            if about["coloured"] is not None:
                raise Coloured(start + about["coloured"])
            made.dim += [start + row for row in about["dim"]]
            made.left += [(start + row, reason) for row, reason in about["left"]]
            made.sizes.update({(height, width): n for height, width, n in about["sizes"]})
            if not table.num_rows:
                continue
            made.rows += [start + row for row in table["row"].to_pylist()]
            made.lengths += table["bytes"].to_pylist()
            made.digests += table["digest"].to_pylist()
            made.pixels += table["pixels"].to_pylist()
            made.sums += [np.array(one, np.int64).reshape(2, -1) for one in table["sums"].to_pylist()]
            pixels.append(images.Filed(self._pixels(number)))
        made.files = [records[row] for row in made.rows]
        made.images = Images(images.Chain(*pixels)) if pixels else made.images
        return made

    def _range(self, number: int) -> range:
        return range(number * self._rows, min((number + 1) * self._rows, self._of))

    def _table(self, number: int) -> Path:
        return self.folder / f"{number:06}.parquet"

    def _pixels(self, number: int) -> Path:
        return self.folder / f"{number:06}.npy"


def planned(folder: Path, of: range) -> list[dict[str, Any]]:
    """Of the pictures of a part, what the plan in a folder says: name, label, split, and file, None for what is no file
    of its own. Raises OSError."""
    with pq.ParquetFile(folder / PLAN) as file:
        rows = int(_about(file.schema_arrow)["rows"])
        found = file.read_row_group(of.start // rows).to_pylist()
    for one in found:
        one["name"] = _text(one["name"])
        one["label"] = None if one["label"] < 0 else one["label"]
        one["file"] = None if one["file"] is None else Path(os.path.normpath(folder / _text(one["file"])))
    return found


def read(plan: Plan, share: Share, form: Form, hand: Hand, *, watch: bool) -> Made:
    """As ml.data.reading.read_all, and equal to it in every bit, by whoever shares the work. Raises what that does."""
    folder = plan.write(share.folder, hand.home, form, watch)
    parts = Parts(folder, lambda of: plan.records[of.start : of.stop], hand)
    parts.tell(0)
    share(parts)
    return parts.joined(plan.records)


def _rows(records: Sequence[Record], top: Path) -> pa.Table:
    files = [sources.file_of(one.read) for one in records]
    columns = {
        "name": [_bytes(one.name) for one in records],
        "label": [-1 if one.label is None else one.label for one in records],
        "split": [one.split for one in records],
        "file": [None if file is None else _bytes(_told(file, top)) for file in files],
    }
    return pa.table(columns, PLANNED)


def _told(place: Path, top: Path) -> str:
    """From the plan's folder, three below the top, to what lies there too: others may have it under another path."""
    place = place.absolute()
    return str(Path("../../..", place.relative_to(top))) if place.is_relative_to(top) else str(place)


def _bytes(text: str) -> bytes:
    """Names of files need not be Unicode."""
    return text.encode("utf-8", "surrogatepass")


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogatepass")


def _form(form: Form) -> dict[str, Any]:
    said = asdict(form)
    return {name: said[name] for name in ("height", "width", "channels", "fitting", "resampling", "laid_on", "levels")}


def _form_of(said: dict[str, Any]) -> Form:
    return Form(**{**said, "levels": tuple(said["levels"]) if said["levels"] else None})


def _headed(schema: pa.Schema, about: dict[str, Any]) -> pa.Schema:
    return schema.with_metadata({ABOUT: json.dumps(about)})


def _about(schema: pa.Schema) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(schema.metadata[ABOUT])
    return found
