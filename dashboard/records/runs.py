"""What people say of runs (title, note, tags, archived, which one is the default): rows in the database, never files.

A run's id never changes, so whatever names a run by its id stays true; what people call it is its title here. Every
change is written into a log together with what was there before, which is what undoes it.
"""

import contextlib
import logging
import re
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Connection,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    delete,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.exc import SQLAlchemyError

from dashboard.records.rows import CLOSED, Declined, Opener, Rows, Step
from ml.artifacts.schema import RUN_ID
from ml.people import acting, happenings
from ml.system.wording import bare, shows

log = logging.getLogger(__name__)

OWNER = "records"  # of these tables' migrations
TAG = re.compile(r"[\w.+#-][\w .+#/-]{0,29}")
TITLE, NOTE, TAGS, REASON = 80, 2_000, 12, 500  # the longest title, note and reason, the most tags
ACTS = {
    "title": "describe", "note": "describe", "tags": "describe", "archived": "archive", "default": "promote",
    "deleted": "delete",
}  # fmt: skip
"""What of a run is changed → the act that it is."""
FRESH_SECONDS = 0.5  # how long another process's change may go unseen


@dataclass(frozen=True)
class Mark:
    """What people say of one run. deleted: the folder it was moved to, '' while it is where it belongs."""

    title: str = ""
    note: str = ""
    tags: tuple[str, ...] = ()
    archived: bool = False
    deleted: str = ""


@dataclass(frozen=True)
class RunMetadata:
    """Everything that is said of any run at one moment. default: the run promoted last, None for what ships.

    problem: why nothing can be read, in words.
    """

    runs: Mapping[str, Mark] = field(default_factory=dict)
    default: str | None = None
    problem: str = ""

    def of(self, run_id: str) -> Mark:
        return self.runs.get(run_id, Mark())

    def title(self, run_id: str) -> str:
        """What people call the run: its title, else its id."""
        return self.of(run_id).title or run_id

    def name(self, run_id: str) -> str:
        """Title first and the id behind it where they differ."""
        title = self.title(run_id)
        return title if title == run_id else f"{title} ({run_id})"

    def deleted(self) -> frozenset[str]:
        """Ids that once were runs. They stay taken: what names a run must never come to mean another."""
        return frozenset(run_id for run_id, mark in self.runs.items() if mark.deleted)


@dataclass(frozen=True)
class Promotion:
    """One line of the default's history. run_id and previous: None for what ships. at: seconds since 1970.

    who: '' where nobody had a name.
    """

    number: int
    run_id: str | None
    reason: str
    previous: str | None
    at: float
    who: str = ""


@dataclass(frozen=True)
class Change:
    """One line of the log. what: title, note, tags, archived, deleted or default; before and after: its values."""

    number: int
    run_id: str
    what: str
    before: Any
    after: Any
    at: float
    undone: bool
    who: str = ""


def _schema_1() -> tuple[Table, Table, Table, Table, MetaData]:
    """The tables as the first migration makes them. A later version writes its own function and leaves this one."""
    metadata = MetaData()
    marks = Table(
        "run_marks",
        metadata,
        Column("run_id", String(64), primary_key=True),
        Column("title", String(TITLE), nullable=False),
        Column("note", Text, nullable=False),
        Column("archived", Boolean, nullable=False),
        Column("deleted", String(120), nullable=False),
    )
    tags = Table(
        "run_tags",
        metadata,
        Column("run_id", String(64), primary_key=True),
        Column("tag", String(30), primary_key=True),
        Column("place", Integer, nullable=False),
    )
    promotions = Table(
        "promotions",
        metadata,
        Column("number", Integer, primary_key=True, autoincrement=True),  # the order: clocks may step back
        Column("run_id", String(64)),
        Column("reason", Text, nullable=False),
        Column("previous", String(64)),
        Column("at", Float, nullable=False),
        sqlite_autoincrement=True,
    )
    changes = Table(
        "changes",
        metadata,
        Column("number", Integer, primary_key=True, autoincrement=True),
        Column("run_id", String(64), nullable=False),
        Column("what", String(16), nullable=False),
        Column("before", JSON),
        Column("after", JSON),
        Column("at", Float, nullable=False),
        Column("undone", Boolean, nullable=False),
        sqlite_autoincrement=True,
    )
    Index("changes_run", changes.c.run_id, changes.c.number)
    return marks, tags, promotions, changes, metadata


def _who() -> Column:
    """Who did it, since the second migration."""
    return Column("who", String(acting.WHO), nullable=False, server_default="")


_marks, _tags, _promotions, _changes, _metadata = _schema_1()
_promotions.append_column(_who())
_changes.append_column(_who())


def _step_1(connection: Connection) -> None:
    _schema_1()[-1].create_all(connection)


def _step_2(connection: Connection) -> None:
    for table in ("promotions", "changes"):
        connection.execute(text(f"ALTER TABLE {table} ADD COLUMN who VARCHAR({acting.WHO}) DEFAULT '' NOT NULL"))


MIGRATIONS: tuple[Step, ...] = (_step_1, _step_2)


class Records(Rows):
    """What is said of runs."""

    owner = OWNER
    migrations = MIGRATIONS

    def __init__(self, opener: Opener | None = None, *, read_only: bool = False) -> None:
        super().__init__(opener, read_only=read_only)
        self._seen: tuple[float, RunMetadata] | None = None

    def changed(self) -> None:
        with self._lock:
            self._seen = None

    # ---- look

    def marks(self) -> RunMetadata:
        """Everything at once, at most half a second old; one's own changes are in it at once."""
        with self._lock:
            now = time.monotonic()
            if self._seen is None or now - self._seen[0] >= FRESH_SECONDS:
                self._seen = (now, self._read())
            return self._seen[1]

    def promotions(self, limit: int = 50) -> list[Promotion]:
        """Newest first; empty where the database cannot be read."""
        query = select(_promotions).order_by(_promotions.c.number.desc()).limit(limit)
        return [Promotion(**row) for row in self.rows(query)]

    def changes(self, run_id: str, limit: int = 50) -> list[Change]:
        """The log of one run, newest first; empty where the database cannot be read."""
        query = select(_changes).where(_changes.c.run_id == run_id).order_by(_changes.c.number.desc()).limit(limit)
        return [Change(**row) for row in self.rows(query)]

    def change(self, number: int) -> Change:
        """One line of the log. Raises Declined."""
        for row in self.rows(select(_changes).where(_changes.c.number == number)):
            return Change(**row)
        raise Declined("There is nothing to undo.")

    # ---- change

    def rename(self, run_id: str, title: object, taken: Collection[str] = ()) -> Change:
        """Call a run something; its own id or nothing takes the title away. taken: ids of runs. Raises Declined."""
        words = _line(title, "Name", TITLE, "title")
        words = "" if words == run_id else words
        if words in taken:
            raise Declined(f"Name: {words} is the name of another run.", "title")
        return self._set(run_id, "title", words)

    def annotate(self, run_id: str, note: object) -> Change:
        """Raises Declined."""
        if not isinstance(note, str | None) or len(note or "") > NOTE:
            raise Declined(f"Note: at most {NOTE:,} characters.", "note")
        words = (note or "").replace("\r\n", "\n").strip()
        if not shows(re.sub(r"[\n\t]", "", words)):
            raise Declined("Note: it holds characters that cannot be shown.", "note")
        return self._set(run_id, "note", words)

    def tag(self, run_id: str, tags: object) -> Change:
        """tags: a list, or text with commas between. Raises Declined."""
        words = tags.split(",") if isinstance(tags, str) else tags
        if not isinstance(words, list | tuple | None) or not all(isinstance(tag, str) for tag in words or ()):
            raise Declined("Tags: words with commas between.", "tags")
        kept: dict[str, str] = {}
        for tag in filter(None, (" ".join(tag.split()) for tag in words or ())):
            if not TAG.fullmatch(bare(tag)) or len(tag) > 30:
                raise Declined("Tags: up to 30 letters, digits, spaces and . + # / - each, commas between.", "tags")
            kept.setdefault(tag.casefold(), tag)
        if len(kept) > TAGS:
            raise Declined(f"Tags: at most {TAGS}.", "tags")
        return self._set(run_id, "tags", list(kept.values()))

    def archive(self, run_id: str, archived: bool = True) -> Change:
        """Take a run out of the lists, or back into them. Raises Declined for the promoted default."""
        if archived and self.marks().default == run_id:
            raise Declined("This run is the default: promote another one first.")
        return self._set(run_id, "archived", archived)

    def promote(self, run_id: str | None, reason: object, previous: str | None) -> Change:
        """Make a run the default (None: what ships). previous: what was it until now. Raises Declined."""
        words = _line(reason, "Reason", REASON, "reason", least=3)
        with self.writing("promote") as connection:
            now = connection.scalar(select(_promotions.c.run_id).order_by(_promotions.c.number.desc()).limit(1))
            if run_id is not None and now == run_id:
                raise Declined("This run is the default already.")
            row = {"run_id": run_id, "reason": words, "previous": previous, "at": time.time()} | {"who": acting.name()}
            connection.execute(insert(_promotions).values(row))
            return _log(connection, run_id or previous or "", "default", now, run_id)

    @contextlib.contextmanager
    def deleting(self, run_id: str, folder: str) -> Iterator[Connection]:
        """Mark a run as moved to `folder` while the caller moves it: an exception inside leaves no mark.

        The write lock is held meanwhile, so no job of the run can begin. folder '': it is moved back.
        """
        with self.writing("delete") as connection:
            before = _current(connection, run_id)
            _store(connection, run_id, replace(before, deleted=folder))
            _log(connection, run_id, "deleted", before.deleted, folder)
            yield connection

    def undo(self, number: int) -> Change:
        """Bring back what a change replaced; the change that did so. Raises Declined when that is no longer there."""
        known = self.rows(select(_changes.c.what).where(_changes.c.number == number))
        with self.writing(ACTS[known[0]["what"]] if known else "describe") as connection:
            row = connection.execute(select(_changes).where(_changes.c.number == number)).mappings().first()
            if row is None or row["undone"] or row["what"] == "deleted":
                raise Declined("There is nothing to undo.")
            change = Change(**row)
            connection.execute(update(_changes).where(_changes.c.number == number).values(undone=True))
            if change.what == "default":
                now = connection.scalar(select(_promotions.c.run_id).order_by(_promotions.c.number.desc()).limit(1))
                if now != change.after:
                    raise Declined("Another run has become the default since.")
                row_ = {"run_id": change.before, "reason": "Undone.", "previous": change.after, "at": time.time()} | {
                    "who": acting.name()
                }
                connection.execute(insert(_promotions).values(row_))
                return _log(connection, change.run_id, "default", change.after, change.before)
            mark = _current(connection, change.run_id)
            if _plain(getattr(mark, change.what)) != change.after:
                raise Declined(f"The {change.what} has been changed again since.")
            value: Any = tuple(change.before) if change.what == "tags" else change.before
            _store(connection, change.run_id, replace(mark, **{change.what: value}))
            return _log(connection, change.run_id, change.what, change.after, change.before)

    # ---- inside

    def _set(self, run_id: str, what: str, value: Any) -> Change:
        if not RUN_ID.fullmatch(run_id):
            raise Declined("There is no such run.")
        with self.writing(ACTS[what]) as connection:
            before = _current(connection, run_id)
            now: Any = tuple(value) if what == "tags" else value
            _store(connection, run_id, replace(before, **{what: now}))
            return _log(connection, run_id, what, _plain(getattr(before, what)), value)

    def _read(self) -> RunMetadata:
        opened = self.opened()
        if opened is None:
            return RunMetadata(problem=CLOSED if self._opener is not None else "")
        try:
            with opened[0].connect() as connection:
                named = connection.execute(select(_tags).order_by(_tags.c.place)).mappings().all()
                rows = connection.execute(select(_marks)).mappings().all()
                last = select(_promotions.c.run_id).order_by(_promotions.c.number.desc()).limit(1)
                default = connection.scalar(last)
        except SQLAlchemyError:
            log.exception("the records cannot be read")
            return RunMetadata(problem=CLOSED)
        tags: dict[str, list[str]] = {}
        for row in named:
            tags.setdefault(row["run_id"], []).append(row["tag"])
        marks = {
            row["run_id"]: Mark(
                row["title"], row["note"], tuple(tags.get(row["run_id"], ())), row["archived"], row["deleted"]
            )
            for row in rows
        }
        return RunMetadata(MappingProxyType(marks), default)


def _told(value: Any) -> str:
    """A value of the log in a line."""
    return {None: "what ships", True: "yes", False: "no", "": "none"}.get(value, str(value))


def _line(value: object, name: str, most: int, field: str, least: int = 0) -> str:
    """One line of text without spaces around it; raises Declined."""
    words = " ".join(value.split()) if isinstance(value, str) else "" if value is None else None
    if words is None or not least <= len(words) <= most or not shows(words):
        span = f"{least} to {most}" if least else f"at most {most}"
        raise Declined(f"{name}: {span} characters that can be shown, in one line.", field)
    return words


def _plain(value: Any) -> Any:
    """As JSON gives it back."""
    return list(value) if isinstance(value, tuple) else value


def _current(connection: Connection, run_id: str) -> Mark:
    query = select(_marks).where(_marks.c.run_id == run_id).with_for_update()
    row = connection.execute(query).mappings().first()
    named = select(_tags.c.tag).where(_tags.c.run_id == run_id).order_by(_tags.c.place)
    tags = tuple(connection.scalars(named))
    if row is None:
        return Mark(tags=tags)
    return Mark(row["title"], row["note"], tags, row["archived"], row["deleted"])


def _store(connection: Connection, run_id: str, mark: Mark) -> None:
    row = {"title": mark.title, "note": mark.note, "archived": mark.archived, "deleted": mark.deleted}
    if not connection.execute(update(_marks).where(_marks.c.run_id == run_id).values(row)).rowcount:
        connection.execute(insert(_marks).values(run_id=run_id, **row))
    connection.execute(delete(_tags).where(_tags.c.run_id == run_id))
    for place, tag in enumerate(mark.tags):
        connection.execute(insert(_tags).values(run_id=run_id, tag=tag, place=place))


def _log(connection: Connection, run_id: str, what: str, before: Any, after: Any) -> Change:
    row = {"run_id": run_id, "what": what, "before": before, "after": after, "at": time.time(), "undone": False}
    row["who"] = acting.name()
    told = what if what in ("note", "tags") else f"{what}: {_told(before)} → {_told(after)}"
    if what == "deleted":
        told = "deleted" if after else "brought back"
    happenings.note(connection, ACTS[what], run_id, told)
    made = connection.execute(insert(_changes).values(row).returning(*_changes.c)).mappings().one()
    return Change(**made)
