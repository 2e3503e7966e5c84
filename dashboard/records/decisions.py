"""What people decide of labels: one row a decision, in the database; a row is never changed but to mark it undone.

A decision is of one image of a data set: its label is another one, it is right as it is, or the image is to be left
out. An image that came without a label is given one: the class that was predicted (keep) or another. What holds is the
last decision that was not undone. Decisions of one key press have one `batch`, by which they are undone together, and
by which the same press sent twice is written once.
"""

import hashlib
import re
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    func,
    insert,
    select,
    text,
    update,
)

from dashboard.records.rows import DataVersion, Declined, Opener, Rows
from ml.people import happenings
from ml.system.wording import quantity

OWNER = "decisions"
ACTIONS = ("relabel", "keep", "exclude")
UNLABELLED = "unlabelled"
SPLITS = ("test", "validation", "train", UNLABELLED)
EXCLUDED = ""  # in place of a label: of an image that is left out, or that came without one
BATCH_PATTERN = re.compile(r"^[0-9a-f]{32}$")
WHO, CLASS = 60, 60  # the longest names
MAX_DECISIONS = 500  # decisions at once
VALUES_PER_QUERY = 500  # values in one query

Key = tuple[str, int]


@dataclass(frozen=True)
class Decision:
    """One row. before, after: class names, '' for an image that is left out. at: seconds since 1970.

    id: the same for the same press and image. imported: it came out of a file.
    """

    number: int
    id: str
    batch: str
    dataset: str
    split: str
    example_id: int
    action: str
    before: str
    after: str
    who: str
    at: float
    run: str
    imported: bool
    undone: bool
    digest: str = ""  # of the pictures it was made on; '' in a row from before that was kept


@dataclass(frozen=True)
class CurrentLabels:
    """What holds for the images of one data set at one moment. version: the same means the same decisions.

    by: (split, example id) → its last decision. problem: why nothing can be read, in words.
    """

    version: tuple[int, int] = (0, 0)
    by: Mapping[Key, Decision] = field(default_factory=dict)
    problem: str = ""

    def of(self, split: str, example_id: int) -> Decision | None:
        return self.by.get((split, example_id))

    def within(self, split: str) -> dict[int, Decision]:
        """example id → its last decision."""
        return {example: decision for (where, example), decision in self.by.items() if where == split}


def _schema_1() -> tuple[Table, MetaData]:
    """The table as the first migration makes it. A later version writes its own function and leaves this one."""
    metadata = MetaData()
    decisions = Table(
        "decisions",
        metadata,
        Column("number", Integer, primary_key=True, autoincrement=True),  # the order: clocks may step back
        Column("id", String(32), nullable=False),
        Column("batch", String(32), nullable=False),
        Column("dataset", String(64), nullable=False),
        Column("split", String(12), nullable=False),
        Column("example_id", Integer, nullable=False),
        Column("action", String(8), nullable=False),
        Column("before", String(CLASS), nullable=False),
        Column("after", String(CLASS), nullable=False),
        Column("who", String(WHO), nullable=False),
        Column("at", Float, nullable=False),
        Column("run", String(64), nullable=False),
        Column("imported", Boolean, nullable=False),
        Column("undone", Boolean, nullable=False),
        UniqueConstraint("batch", "split", "example_id"),
        sqlite_autoincrement=True,
    )
    Index("decisions_image", decisions.c.dataset, decisions.c.split, decisions.c.example_id)
    Index("decisions_id", decisions.c.id)
    return decisions, metadata


def _schema_2() -> Table:
    """The table as the second migration leaves it."""
    decisions, _ = _schema_1()
    decisions.append_column(Column("digest", String(16), nullable=False, server_default=""))
    return decisions


_decisions = _schema_2()
_COLUMNS = [_decisions.c[name] for name in Decision.__dataclass_fields__]


def _step_1(connection: Connection) -> None:
    _schema_1()[-1].create_all(connection)


def _step_2(connection: Connection) -> None:
    connection.execute(text("ALTER TABLE decisions ADD COLUMN digest VARCHAR(16) DEFAULT '' NOT NULL"))


class Decisions(Rows):
    """The decisions of one database."""

    owner = OWNER
    migrations = (_step_1, _step_2)

    def __init__(self, opener: Opener | None = None, *, read_only: bool = False) -> None:
        super().__init__(opener, read_only=read_only)
        self._standing: dict[tuple[str, str], tuple[DataVersion, CurrentLabels]] = {}
        self._reading = threading.Lock()

    # ---- look

    def current_labels(self, dataset: str | DataVersion) -> CurrentLabels:
        """What holds now. Costs one small query where nothing changed."""
        dataset = DataVersion.of(dataset)
        if self.opened() is None:
            return CurrentLabels(problem="The database cannot be read just now." if self._opener is not None else "")
        mine = dataset.rows(_decisions)
        gone = func.count().filter(_decisions.c.undone)
        rows = self.rows(select(func.max(_decisions.c.number).label("last"), gone.label("gone")).where(mine))
        if not rows:
            return CurrentLabels(problem="The database cannot be read just now.")
        version = (int(rows[0]["last"] or 0), int(rows[0]["gone"]))
        with self._reading:
            key = (dataset.name, dataset.digest)
            asked, known = self._standing.get(key, (None, CurrentLabels()))
            if asked != dataset or known.version != version:
                holds = select(*_COLUMNS).where(mine, ~_decisions.c.undone).order_by(_decisions.c.number)
                by = {(row["split"], row["example_id"]): Decision(**row) for row in self.rows(holds)}
                known = CurrentLabels(version, MappingProxyType(by))
                self._standing[key] = (dataset, known)
            return known

    def log(self, dataset: str | DataVersion, *, limit: int | None = None, undone: bool = False) -> list[Decision]:
        """The decisions of a data set, the oldest first; with a limit the newest ones, newest first."""
        query = select(*_COLUMNS).where(DataVersion.of(dataset).rows(_decisions))
        if not undone:
            query = query.where(~_decisions.c.undone)
        newest = query.order_by(_decisions.c.number.desc()).limit(limit)
        return [Decision(**row) for row in self.rows(newest if limit else query.order_by(_decisions.c.number))]

    def count(self, dataset: str | DataVersion) -> int:
        """How many decisions of a data set stand."""
        mine = (DataVersion.of(dataset).rows(_decisions), ~_decisions.c.undone)
        return next((int(row["n"]) for row in self.rows(select(func.count().label("n")).where(*mine))), 0)

    # ---- change

    def decide(
        self,
        dataset: str | DataVersion,
        split: str,
        given: Mapping[int, str],
        action: str,
        *,
        label: str = "",
        who: str = "",
        run: str = "",
        batch: str,
    ) -> list[Decision]:
        """Write one decision for each image; on the disk when this returns. Raises Declined.

        given: example id → the label it came with; of unlabelled, the class that is predicted. label: what relabel
        makes of it; the label it came with means keep.
        batch: of one press; a second time it gives the rows of the first.
        """
        if action not in ACTIONS or split not in SPLITS or not BATCH_PATTERN.fullmatch(batch):
            raise Declined("This is no decision.")
        if not 1 <= len(given) <= MAX_DECISIONS:
            raise Declined(f"At most {MAX_DECISIONS} images at a time.")
        if action == "relabel" and not label:
            raise Declined("Which label?")
        with self.writing("decide") as connection:
            known = connection.execute(select(*_COLUMNS).where(_decisions.c.batch == batch)).mappings().all()
            if known:
                return [Decision(**row) for row in known]
            version = DataVersion.of(dataset)
            now, at = _now(connection, version, split, list(given)), time.time()
            rows = []
            for example, came in given.items():
                after = {"exclude": EXCLUDED, "keep": came, "relabel": label}[action]
                done = "keep" if action == "relabel" and label == came else action
                row: dict[str, Any] = {"id": _id(batch, split, example), "batch": batch}
                row |= {"dataset": version.name, "digest": version.digest}
                row |= {"split": split, "example_id": example, "action": done}
                before = now.get(example, EXCLUDED if split == UNLABELLED else came)
                row |= {"before": before, "after": after, "who": who, "at": at, "run": run}
                rows.append(row | {"imported": False, "undone": False})
            made = connection.execute(insert(_decisions).returning(*_COLUMNS), rows).mappings().all()
            happenings.note(connection, "decide", version.name, _told(split, list(given), f"{action} {label}".strip()))
            return sorted((Decision(**row) for row in made), key=lambda decision: decision.number)

    def undo(self, dataset: str | DataVersion, *, batch: str | None = None, who: str = "") -> list[Decision]:
        """Take back one press, the last one of `who` where none is named; its decisions. Raises Declined.

        What is undone already stays so.
        """
        mine = DataVersion.of(dataset).rows(_decisions)
        with self.writing("undo") as connection:
            if batch is None:
                last = select(_decisions.c.batch).where(
                    mine, ~_decisions.c.undone, ~_decisions.c.imported, _decisions.c.who == who
                )
                batch = connection.scalar(last.order_by(_decisions.c.number.desc()).limit(1))
            chosen = (mine, _decisions.c.batch == batch)
            connection.execute(update(_decisions).where(*chosen).values(undone=True))
            rows = connection.execute(select(*_COLUMNS).where(*chosen).order_by(_decisions.c.number)).mappings().all()
            if not rows:
                raise Declined("There is nothing to undo.")
            examples = [row["example_id"] for row in rows]
            about = DataVersion.of(dataset).name
            happenings.note(connection, "undo", about, _told(rows[0]["split"], examples, "taken back"))
            return [Decision(**row) for row in rows]

    def bring(self, rows: Sequence[Mapping[str, Any]], batch: str) -> tuple[int, int]:
        """Add decisions that a file holds, in its order; how many were new, and how many were here. Raises Declined.

        rows: id, dataset, digest, split, example_id, action, before, after, who, at and run of each, checked by the
        caller. What is here and undone comes back as a new decision.
        """
        with self.writing("bring") as connection:
            known: set[str] = set()
            ids = [row["id"] for row in rows]
            for start in range(0, len(ids), VALUES_PER_QUERY):
                some = _decisions.c.id.in_(ids[start : start + VALUES_PER_QUERY])
                known |= set(connection.scalars(select(_decisions.c.id).where(some, ~_decisions.c.undone)))
            fresh = {row["id"]: row for row in rows if row["id"] not in known}
            # an image may be in the file more than once, and a batch holds it once
            new = [
                {**row, "batch": _id(batch, row["id"], 0), "imported": True, "undone": False} for row in fresh.values()
            ]
            for start in range(0, len(new), VALUES_PER_QUERY):
                connection.execute(insert(_decisions), new[start : start + VALUES_PER_QUERY])
            if new:
                happenings.note(
                    connection, "bring", str(new[0]["dataset"]), f"{quantity(len(new), 'decision')} from a file"
                )
            return len(new), len(rows) - len(new)


def _now(connection: Connection, dataset: DataVersion, split: str, examples: Sequence[int]) -> dict[int, str]:
    """example id → the label that holds, of those that anything was decided of."""
    labels: dict[int, str] = {}
    for start in range(0, len(examples), VALUES_PER_QUERY):
        mine = (dataset.rows(_decisions), _decisions.c.split == split, ~_decisions.c.undone)
        query = select(_decisions.c.example_id, _decisions.c.after).where(
            *mine, _decisions.c.example_id.in_(examples[start : start + VALUES_PER_QUERY])
        )
        labels.update((row.example_id, row.after) for row in connection.execute(query.order_by(_decisions.c.number)))
    return labels


def _told(split: str, examples: Sequence[int], what: str) -> str:
    """In a line: what was done with which images."""
    some = ", ".join(f"#{example}" for example in examples[:5])
    return f"{split} {some}{f' and {len(examples) - 5:,} more' if len(examples) > 5 else ''}: {what}"


def _id(batch: str, split: str, example: int) -> str:
    return hashlib.sha256(f"{batch} {split} {example}".encode()).hexdigest()[:32]
