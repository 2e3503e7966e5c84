"""Views that people saved: a name and a few words for an address with everything it is of, one durable row each."""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Float,
    Integer,
    MetaData,
    Select,
    String,
    Table,
    func,
    insert,
    select,
    update,
)

from dashboard.records.rows import Declined, Rows
from dashboard.state.query import CHARACTERS
from ml.artifacts.reader import Missing
from ml.people import acting, happenings
from ml.system.wording import shows

OWNER = "views"
ACT = "view"
NAME, DESCRIPTION, PAGE = 60, 500, 32  # the longest of each
VIEWS = 2_000  # of one database
SHOWN = 100  # of a list at once
GONE = "This view is not here any more."
TAKEN = "Another view of this page and data set has this name."


@dataclass(frozen=True)
class View:
    """One saved view. page: its path; search: of its address, run, data and split written out; at: since 1970.

    dataset, run, data, split: what the address is of, to be found by; who: saved it, '' where nobody had a name.
    """

    number: int
    name: str
    description: str
    page: str
    search: str
    dataset: str
    run: str
    data: str
    split: str
    who: str
    at: float


@dataclass(frozen=True)
class Wanted:
    """What narrows the list; '' and 0 narrow nothing. text: in name, description or who; before: a view's number."""

    text: str = ""
    page: str = ""
    dataset: str = ""
    before: int = 0


@dataclass(frozen=True)
class Listing:
    """views: the newest of those that are wanted; n: how many there are; pages, datasets: how many of all of each."""

    views: tuple[View, ...]
    n: int
    pages: Mapping[str, int]
    datasets: Mapping[str, int]


def _schema_1() -> tuple[Table, MetaData]:
    """The table as the first migration makes it. A later version writes its own function and leaves this one."""
    metadata = MetaData()
    views = Table(
        OWNER,
        metadata,
        Column("number", Integer, primary_key=True, autoincrement=True),
        Column("name", String(NAME), nullable=False),
        Column("description", String(DESCRIPTION), nullable=False),
        Column("page", String(PAGE), nullable=False),
        Column("search", String(CHARACTERS), nullable=False),
        Column("dataset", String(64), nullable=False, index=True),
        Column("run", String(64), nullable=False),
        Column("data", String(64), nullable=False),
        Column("split", String(16), nullable=False),
        Column("who", String(acting.WHO), nullable=False),
        Column("at", Float, nullable=False),
        Column("removed", Boolean, nullable=False),
        sqlite_autoincrement=True,
    )
    return views, metadata


def _step_1(connection: Connection) -> None:
    _schema_1()[-1].create_all(connection)


_views, _ = _schema_1()
_COLUMNS = [_views.c[name] for name in View.__dataclass_fields__]
_HERE = ~_views.c.removed


class Views(Rows):
    """The saved views of one database."""

    owner = OWNER
    migrations = (_step_1,)

    def listing(self, wanted: Wanted | None = None, limit: int = SHOWN) -> Listing:
        """The newest first. Raises Closed where the database cannot be read: that is not the same as none."""
        wanted = wanted or Wanted()
        chosen = [_HERE, *_narrowing(wanted)]
        newest = [*chosen, _views.c.number < wanted.before] if wanted.before else chosen
        with self.reading() as connection:
            rows = connection.execute(
                select(*_COLUMNS).where(*newest).order_by(_views.c.number.desc()).limit(limit)
            ).mappings()
            return Listing(
                tuple(View(**row) for row in rows),
                connection.scalar(select(func.count()).select_from(_views).where(*chosen)) or 0,
                *(dict(map(tuple, connection.execute(_counted(column)))) for column in ("page", "dataset")),
            )

    def get(self, number: int) -> View:
        """Raises Missing where there is none (any more), Closed."""
        with self.reading() as connection:
            return _found(connection, number)

    def save(self, name: object, description: object, view: Mapping[str, str]) -> tuple[View, bool]:
        """Write a view down, and whether it is new; on the disk when this returns. view: page to split, as in `View`.

        The same name for the same address is the view that is there, whoever of two came first. Raises Declined.
        """
        words, more = named(name), described(description)
        if len(view["search"]) > CHARACTERS:
            raise Declined(f"This address is longer than the {CHARACTERS:,} characters that can be kept.")
        with self.writing(ACT) as connection:
            known = _same_name(connection, words, view["page"], view["dataset"])
            if known is not None:
                if known.search == view["search"] and more in ("", known.description):
                    return known, False
                raise Declined(TAKEN, "name", _free(connection, words, view["page"], view["dataset"]))
            if (connection.scalar(select(func.count()).select_from(_views).where(_HERE)) or 0) >= VIEWS:
                raise Declined(f"There are {VIEWS:,} views: delete some first.")
            values: dict[str, Any] = {**view, "name": words, "description": more, "at": time.time()}
            values |= {"who": acting.name(), "removed": False}
            row = connection.execute(insert(_views).values(values).returning(*_COLUMNS)).mappings().one()
            happenings.note(connection, ACT, row["run"] or row["dataset"], f"{words}: saved")
            return View(**row), True

    def describe(self, number: int, name: object, description: object) -> View:
        """Give a view another name and other words. Raises Missing, Declined."""
        words, more = named(name), described(description)
        with self.writing(ACT) as connection:
            view = _found(connection, number)
            other = _same_name(connection, words, view.page, view.dataset)
            if other is not None and other.number != view.number:
                raise Declined(TAKEN, "name", _free(connection, words, view.page, view.dataset))
            if (view.name, view.description) == (words, more):
                return view
            told = f"renamed to {words}" if view.name != words else "described anew"
            happenings.note(connection, ACT, view.run or view.dataset, f"{view.name}: {told}")
            return _changed(connection, number, {"name": words, "description": more})

    def remove(self, number: int) -> View:
        """Take a view out of the list; its row stays. Raises Missing, Declined."""
        with self.writing(ACT) as connection:
            view = _found(connection, number)
            happenings.note(connection, ACT, view.run or view.dataset, f"{view.name}: deleted")
            return _changed(connection, number, {"removed": True})

    def restore(self, number: int) -> View:
        """Bring a deleted view back, under a free name where its own was given away. Raises Missing, Declined."""
        with self.writing(ACT) as connection:
            row = connection.execute(select(*_COLUMNS, _views.c.removed).where(_views.c.number == number)).mappings()
            found = row.one_or_none()
            if found is None:
                raise Missing(GONE)
            view = View(**{name: found[name] for name in View.__dataclass_fields__})
            if not found["removed"]:
                return view
            taken = _same_name(connection, view.name, view.page, view.dataset) is not None
            name = _free(connection, view.name, view.page, view.dataset) if taken else view.name
            happenings.note(connection, ACT, view.run or view.dataset, f"{name}: brought back")
            return _changed(connection, number, {"removed": False, "name": name})


def named(name: object) -> str:
    """A name in one line. Raises Declined."""
    words = " ".join(name.split()) if isinstance(name, str) else ""
    if not 1 <= len(words) <= NAME or not shows(words):
        raise Declined(f"Name: 1 to {NAME} characters that can be shown.", "name")
    return words


def described(description: object) -> str:
    """A description in one line, '' for none. Raises Declined."""
    words = " ".join(description.split()) if isinstance(description, str) else ""
    if len(words) > DESCRIPTION or not shows(words):
        raise Declined(f"Description: up to {DESCRIPTION} characters that can be shown.", "description")
    return words


def _narrowing(wanted: Wanted) -> list[ColumnElement[bool]]:
    clauses: list[ColumnElement[bool]] = []
    for word in wanted.text.split():
        texts = [_views.c[name].icontains(word, autoescape=True) for name in ("name", "description", "who", "run")]
        clauses.append(texts[0] | texts[1] | texts[2] | texts[3])
    if wanted.page:
        clauses.append(_views.c.page == wanted.page)
    if wanted.dataset:
        clauses.append(_views.c.dataset == wanted.dataset)
    return clauses


def _counted(column: str) -> Select:
    return select(_views.c[column], func.count()).where(_HERE).group_by(_views.c[column]).order_by(_views.c[column])


def _found(connection: Connection, number: int) -> View:
    row = connection.execute(select(*_COLUMNS).where(_views.c.number == number, _HERE)).mappings().one_or_none()
    if row is None:
        raise Missing(GONE)
    return View(**row)


def _changed(connection: Connection, number: int, values: dict[str, Any]) -> View:
    change = update(_views).where(_views.c.number == number).values(values)
    return View(**connection.execute(change.returning(*_COLUMNS)).mappings().one())


def _same_name(connection: Connection, name: str, page: str, dataset: str) -> View | None:
    same = (_views.c.name == name, _views.c.page == page, _views.c.dataset == dataset, _HERE)
    row = connection.execute(select(*_COLUMNS).where(*same).limit(1)).mappings().one_or_none()
    return View(**row) if row is not None else None


def _free(connection: Connection, name: str, page: str, dataset: str) -> str:
    """The name with the first number behind it that no other view of this page and data set has."""
    beside = select(_views.c.name).where(_views.c.page == page, _views.c.dataset == dataset, _HERE)
    taken, base = set(connection.scalars(beside)), re.sub(r" \(\d{1,4}\)$", "", name)
    tries = (f"{base[: NAME - len(str(number)) - 3].rstrip()} ({number})" for number in range(2, VIEWS + 3))
    return next(tried for tried in tries if tried not in taken)
