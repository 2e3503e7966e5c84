"""Slices that people saved: a name for a set of images of a data set, one durable row each.

The images themselves are written down, not the rule that found them: the slice stays what it was when runs, nouns and
rules change.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Connection,
    Float,
    Integer,
    MetaData,
    String,
    Table,
    insert,
    select,
    text,
    update,
)

from dashboard.records.rows import DataVersion, Declined, Rows
from ml.people import acting, happenings
from ml.system.wording import shows

OWNER = "slices"
NAME, RULE = 60, 120  # the longest name and rule
MAX_SLICE_IMAGES = 50_000  # images of a slice
SLICES = 500  # of a data set
PREFIX = "saved-"  # of a saved slice's key in the address, its number behind


@dataclass(frozen=True)
class Saved:
    """One slice. members: split → ascending example ids; run: where it was found; at: seconds since 1970."""

    number: int
    dataset: str
    name: str
    rule: str
    run: str
    members: Mapping[str, Sequence[int]]
    at: float
    digest: str = ""  # of the pictures it was found in; '' in a row from before that was kept
    who: str = ""  # saved it last; '' where nobody had a name

    @property
    def key(self) -> str:
        """What the address calls it."""
        return f"{PREFIX}{self.number}"


def _schema_1() -> tuple[Table, MetaData]:
    """The table as the first migration makes it. A later version writes its own function and leaves this one."""
    metadata = MetaData()
    slices = Table(
        "slices",
        metadata,
        Column("number", Integer, primary_key=True, autoincrement=True),
        Column("dataset", String(64), nullable=False, index=True),
        Column("name", String(NAME), nullable=False),
        Column("rule", String(RULE), nullable=False),
        Column("run", String(64), nullable=False),
        Column("members", JSON, nullable=False),
        Column("at", Float, nullable=False),
        Column("removed", Boolean, nullable=False),
        sqlite_autoincrement=True,
    )
    return slices, metadata


def _schema_2() -> Table:
    """The table as the second migration leaves it."""
    slices, _ = _schema_1()
    slices.append_column(Column("digest", String(16), nullable=False, server_default=""))
    return slices


def _schema_3() -> Table:
    """The table as the third migration leaves it."""
    slices = _schema_2()
    slices.append_column(Column("who", String(acting.WHO), nullable=False, server_default=""))
    return slices


_slices = _schema_3()
_COLUMNS = [_slices.c[name] for name in Saved.__dataclass_fields__]


def _step_1(connection: Connection) -> None:
    _schema_1()[-1].create_all(connection)


def _step_2(connection: Connection) -> None:
    connection.execute(text("ALTER TABLE slices ADD COLUMN digest VARCHAR(16) DEFAULT '' NOT NULL"))


def _step_3(connection: Connection) -> None:
    connection.execute(text(f"ALTER TABLE slices ADD COLUMN who VARCHAR({acting.WHO}) DEFAULT '' NOT NULL"))


class Slices(Rows):
    """The saved slices of one database."""

    owner = OWNER
    migrations = (_step_1, _step_2, _step_3)

    def all(self, dataset: str | DataVersion) -> list[Saved]:
        """Of a data set, the newest first, without their images; empty where the database cannot be read."""
        columns = [column for column in _COLUMNS if column.name != "members"]
        query = select(*columns).where(DataVersion.of(dataset).rows(_slices), ~_slices.c.removed)
        return [Saved(**row, members={}) for row in self.rows(query.order_by(_slices.c.number.desc()))]

    def get(self, key: str) -> Saved | None:
        """The slice the address calls so, None where there is none (any more)."""
        number = key.removeprefix(PREFIX)
        if not key.startswith(PREFIX) or not number.isdecimal() or not number.isascii() or len(number) > 9:
            return None
        rows = self.rows(select(*_COLUMNS).where(_slices.c.number == int(number), ~_slices.c.removed))
        return Saved(**rows[0]) if rows else None

    def save(
        self, dataset: str | DataVersion, name: object, members: Mapping[str, Sequence[int]], *, rule: str, run: str
    ) -> Saved:
        """Write a slice down; on the disk when this returns. A name that exists takes these images. Raises Declined."""
        words = named(name)
        if sum(map(len, members.values())) > MAX_SLICE_IMAGES:
            raise Declined(f"A slice has at most {MAX_SLICE_IMAGES:,} images.")
        if not any(map(len, members.values())):
            raise Declined("A slice needs an image.")
        values: dict[str, Any] = {
            "rule": rule[:RULE],
            "run": run,
            "members": {split: sorted(map(int, ids)) for split, ids in members.items()},
            "at": time.time(),
            "who": acting.name(),
        }
        version = DataVersion.of(dataset)
        same = (version.rows(_slices), _slices.c.name == words, ~_slices.c.removed)
        with self.writing("slice") as connection:
            happenings.note(connection, "slice", version.name, f"{words}: saved")
            known = connection.scalar(select(_slices.c.number).where(*same).with_for_update())
            if known is not None:
                change = update(_slices).where(_slices.c.number == known).values(values)
                row = connection.execute(change.returning(*_COLUMNS)).mappings().one()
                return Saved(**row)
            here = select(_slices.c.number).where(version.rows(_slices), ~_slices.c.removed).limit(SLICES)
            if len(connection.scalars(here).all()) >= SLICES:
                raise Declined(f"There are {SLICES} slices of this data set: remove one first.")
            values |= {"dataset": version.name, "digest": version.digest, "name": words, "removed": False}
            row = connection.execute(insert(_slices).values(values).returning(*_COLUMNS)).mappings().one()
            return Saved(**row)

    def rename(self, key: str, name: object) -> Saved:
        """Raises Declined."""
        words = named(name)
        return self._change(key, {"name": words}, f"renamed to {words}")

    def remove(self, key: str) -> Saved:
        """Take a slice out of the list; its row stays. Raises Declined."""
        return self._change(key, {"removed": True}, "removed")

    def _change(self, key: str, values: dict[str, Any], told: str) -> Saved:
        current = self.get(key)
        if current is None:
            raise Declined("This slice is not here any more.")
        with self.writing("slice") as connection:
            happenings.note(connection, "slice", current.dataset, f"{current.name}: {told}")
            if "name" in values:
                other = select(_slices.c.number).where(
                    _slices.c.dataset == current.dataset,
                    _slices.c.digest == current.digest,
                    _slices.c.name == values["name"],
                    ~_slices.c.removed,
                )
                if connection.scalar(other.where(_slices.c.number != current.number)) is not None:
                    raise Declined("Another slice has this name.")
            change = update(_slices).where(_slices.c.number == current.number).values(values)
            return Saved(**connection.execute(change.returning(*_COLUMNS)).mappings().one())


def named(name: object) -> str:
    """A name in one line. Raises Declined."""
    words = " ".join(name.split()) if isinstance(name, str) else ""
    if not 1 <= len(words) <= NAME or not shows(words):
        raise Declined(f"Name: 1 to {NAME} characters that can be shown.")
    return words
