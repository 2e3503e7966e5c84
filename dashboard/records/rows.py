"""One owner's rows in the database: opened late, read without failing, written in one transaction or declined."""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, Connection, Engine, Table, and_, or_
from sqlalchemy.exc import SQLAlchemyError

from ml.people import acting, happenings
from ml.people.tables import MIGRATIONS as PEOPLE_MIGRATIONS
from ml.people.tables import OWNER as PEOPLE
from ml.system import disk

log = logging.getLogger(__name__)

Step: TypeAlias = Callable[[Connection], None]
Write: TypeAlias = Callable[[], AbstractContextManager[Connection]]
Opener: TypeAlias = Callable[[str, Sequence[Step]], tuple[Engine, Write]]

RETRY_SECONDS = 3.0  # between two attempts to open a database that could not be opened
READ_ONLY = "This server changes nothing (it was started with --read-only)."
HOUSEKEEPING = ""  # the act of what the app does by itself
CLOSED = "The database cannot be used just now, so nothing can be changed. Looking works on."


@dataclass(frozen=True)
class DataVersion:
    """The pictures that rows are about. name: of their data set; digest: of this version of it, '' for any.

    others: runs that are known to be of another version. Rows from before digests were kept belong to what their run
    learned from, and where that run is gone, to whatever bears the name.
    """

    name: str
    digest: str = ""
    others: frozenset[str] = frozenset()

    @classmethod
    def of(cls, dataset: "str | DataVersion") -> "DataVersion":
        return dataset if isinstance(dataset, cls) else cls(str(dataset))

    def holds(self, name: str, digest: str, run: str) -> bool:
        """Whether one such row is about these pictures."""
        here = digest == self.digest if digest else run not in self.others
        return name == self.name and (here or not self.digest)

    def rows(self, table: Table) -> ColumnElement[bool]:
        """Those of a table with columns dataset, digest and run that are about these pictures."""
        if not self.digest:
            return table.c.dataset == self.name
        before = and_(table.c.digest == "", ~table.c.run.in_(sorted(self.others)))
        return and_(table.c.dataset == self.name, or_(table.c.digest == self.digest, before))


class Declined(Exception):
    """A change that the rules forbid; the message is for the person who asked.

    field: the input at fault; free: a value for it that would do, where one is known.
    """

    def __init__(self, words: str, field: str = "", free: str = "") -> None:
        super().__init__(words)
        self.field, self.free = field, free


class ReadOnly(Declined):
    """Nothing may be changed on this server."""

    def __init__(self) -> None:
        super().__init__(READ_ONLY)


class NotAllowed(Declined):
    """Whoever asks has a role that does not reach so far."""


class Closed(Declined):
    """The database cannot be used just now: what was asked for may be asked for again later."""

    def __init__(self) -> None:
        super().__init__(CLOSED)


class Full(Closed):
    """The disk is full: what was asked for may be asked for again once there is room."""

    def __init__(self) -> None:
        Declined.__init__(self, disk.NOW)


def closed(error: BaseException) -> Closed:
    """Why a change could not be kept."""
    return Full() if disk.full(error) else Closed()


class Rows:
    """One owner's rows in the database, opened when first needed. Thread-safe. Without an opener there are none."""

    owner: str  # of the migrations
    migrations: tuple[Step, ...]

    def __init__(self, opener: Opener | None = None, *, read_only: bool = False) -> None:
        self.read_only = read_only
        self._opener = opener
        self._opened: tuple[Engine, Write] | None = None
        self._tried = -RETRY_SECONDS
        self._full = False  # the disk, when it was last tried
        self._lock = threading.RLock()

    def changed(self) -> None:
        """Called after each attempt to write: forget what was read before."""

    @contextlib.contextmanager
    def writing(self, act: str = acting.UNDECIDED) -> Iterator[Connection]:
        """A write transaction, committed to the disk at its end; act: what somebody does by it. Raises Declined."""
        self.permit(act)
        opened = self.opened()
        if opened is None:
            raise Full if self._full else Closed
        try:
            with opened[1]() as connection:
                yield connection
        except SQLAlchemyError as error:
            log.exception("the %s cannot be written", self.owner)
            raise closed(error) from error
        finally:
            self.changed()

    def permit(self, act: str) -> None:
        """Raises Declined where nothing may be changed, or not by whoever asks."""
        if self.read_only:
            raise ReadOnly
        if act == HOUSEKEEPING:
            return
        try:
            acting.permit(act)
        except acting.NotAllowed as no:
            raise NotAllowed(str(no)) from None

    def note(self, act: str, about: str, words: str) -> None:
        """Write down what was done where no row of this owner changes. Raises Declined."""
        with self.writing(act) as connection:
            happenings.note(connection, act, about, words)

    def opened(self) -> tuple[Engine, Write] | None:
        """The engine to read with and what begins a write; None where the database cannot be had just now."""
        with self._lock:
            if self._opened is None and self._opener is not None:
                now = time.monotonic()
                if now - self._tried < RETRY_SECONDS:
                    return None
                self._tried = now
                try:
                    self._opener(PEOPLE, PEOPLE_MIGRATIONS)  # each change is written down there too
                    self._opened = self._opener(self.owner, self.migrations)
                except (OSError, SQLAlchemyError, RuntimeError) as error:
                    log.warning("the %s cannot be opened: %s", self.owner, error)
                    self._full = disk.full(error)
            return self._opened

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """To read with. Raises Closed where the database cannot be read."""
        opened = self.opened()
        if opened is None:
            raise Full if self._full else Closed
        try:
            with opened[0].connect() as connection:
                yield connection
        except SQLAlchemyError as error:
            log.exception("the %s cannot be read", self.owner)
            raise closed(error) from error

    def rows(self, query: Any) -> list[Any]:
        """What a query finds, as mappings; nothing where the database cannot be read."""
        try:
            with self.reading() as connection:
                return list(connection.execute(query).mappings())
        except Closed:
            return []
