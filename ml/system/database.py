"""The one database of everything that changes: engine, transactions and numbered forward migrations.

Read with `engine.connect()`, write with `engine.begin()`. Each owner of tables numbers its own migrations and calls
`migrate(engine, owner, steps)`, so later tables join without touching the ones that are here.
"""

import contextlib
import functools
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from filelock import FileLock
from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Float,
    Integer,
    MetaData,
    String,
    Table,
    create_engine,
    event,
    insert,
    make_url,
    select,
    text,
)

from ml.settings import Storage

BUSY_SECONDS = 5
LOCK = 7310001  # of PostgreSQL's advisory locks: writers that must not overlap
# A session that hangs must not keep the others waiting: neither one here on a server that is gone, nor one elsewhere
# that stopped within a transaction.
SESSION = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "tcp_user_timeout": 10_000,
    "options": "-c statement_timeout=20000 -c lock_timeout=10000 -c idle_in_transaction_session_timeout=10000",
}
FILE = "fashion.db"

metadata = MetaData()
migrations = Table(
    "migrations",
    metadata,
    Column("owner", String(40), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("applied", Float, nullable=False),
)

Step = Callable[[Connection], None]


def address(home: Path) -> str:
    """The database's URL: FASHION_DB (a URL, or the path of an SQLite file), else `fashion.db` in home."""
    chosen = Storage.read().database
    if "://" in chosen:
        return chosen
    return f"sqlite:///{Path(chosen) if chosen else home / FILE}"


def lock_folder(home: Path) -> Path:
    """Where the lock files that belong to the database lie: beside an SQLite file, else in home."""
    url = make_url(address(home))
    if url.get_backend_name() == "sqlite" and url.database:
        return Path(url.database).resolve().parent
    return home


def open_engine(home: Path) -> Engine:
    """The engine of `address(home)`, one a process and address; makes the SQLite file's folder."""
    return _engine(address(home))


@functools.cache
def _engine(url: str) -> Engine:
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        more = {"connect_args": SESSION} if parsed.get_backend_name() == "postgresql" else {}
        return create_engine(parsed, pool_pre_ping=True, **more)
    file = Path(parsed.database or FILE).resolve()
    file.parent.mkdir(parents=True, exist_ok=True)
    _numbers_of_numpy()
    engine = create_engine(parsed, connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False})
    event.listen(engine, "connect", _sqlite_connection)
    event.listen(engine, "begin", _sqlite_begin)
    # the switch to WAL ignores the busy timeout: two processes opening a new file at once would see "locked"
    with FileLock(f"{file}.lock", timeout=30), engine.connect() as connection:
        connection.connection.cursor().execute("SELECT 1")
    return engine


def _numbers_of_numpy() -> None:
    """SQLite's driver takes NumPy's numbers for bytes, and writes them as such, which no filter finds: as Python's."""
    import numpy as np

    kinds = (np.bool_, np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64)
    for kind in (*kinds, np.float16, np.float32, np.float64):
        sqlite3.register_adapter(kind, lambda one: one.item())


def _sqlite_connection(connection, _record) -> None:
    connection.isolation_level = None  # the driver's own implicit BEGIN would come too late to be IMMEDIATE
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={BUSY_SECONDS * 1000}")
    if cursor.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _sqlite_begin(connection: Connection) -> None:
    # a writer takes its lock at once: read-then-write under a deferred transaction fails when another writer came first
    writing = connection.get_execution_options().get("writing", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


def writer(engine: Engine) -> Engine:
    """The same engine, its transactions one at a time with every other writer's: count, then insert, no race."""
    return engine.execution_options(writing=True)


def serialise(connection: Connection) -> None:
    """Make this write transaction wait for all others (SQLite already does); held until it ends."""
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SELECT pg_advisory_xact_lock({LOCK})"))


@contextlib.contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """A write transaction that no other one overlaps, committed at its end."""
    with writer(engine).begin() as connection:
        serialise(connection)
        yield connection


def migrate(engine: Engine, owner: str, steps: Sequence[Step]) -> int:
    """Apply the owner's steps that this database has not seen, in order, in one transaction; the version after it.

    Raises RuntimeError when the database is newer than this program.
    """
    with writer(engine).begin() as connection:
        serialise(connection)
        metadata.create_all(connection, tables=[migrations])
        seen = connection.scalars(select(migrations.c.number).where(migrations.c.owner == owner)).all()
        version = max(seen, default=0)
        if version > len(steps):
            raise RuntimeError(f"the database's {owner} tables have version {version}, this program knows {len(steps)}")
        for number in range(version + 1, len(steps) + 1):
            steps[number - 1](connection)
            connection.execute(insert(migrations).values(owner=owner, number=number, applied=time.time()))
    return len(steps)


def opener(home: Path) -> Callable[[str, Sequence[Step]], tuple[Engine, Callable[[], Any]]]:
    """What an owner of rows opens the database of a home with: migrated, the engine to read, what begins a write.

    The answer's own answer raises OSError, SQLAlchemyError or RuntimeError where the database cannot be had.
    """

    def rows(owner: str, steps: Sequence[Step]) -> tuple[Engine, Callable[[], Any]]:
        engine = open_engine(home)
        migrate(engine, owner, steps)
        return engine, functools.partial(transaction, engine)

    return rows


def healthy(engine: Engine) -> bool:
    """Whether the database answers a query."""
    try:
        with engine.connect() as connection:
            return connection.scalar(text("SELECT 1")) == 1
    except Exception:  # whatever the driver raises, the answer is the same
        return False


class Changes:
    """Called, what stands for all that was ever committed to the database of a home: another value after each commit.
    None where that cannot be told, as of PostgreSQL. Costs some microseconds."""

    def __init__(self, home: Path) -> None:
        url = make_url(address(home))
        named = url.get_backend_name() == "sqlite" and url.database not in (None, "", ":memory:")
        self._file = Path(url.database or FILE).resolve() if named else None
        self._lock, self._open = threading.Lock(), 0
        self._watching: sqlite3.Connection | None = None
        self._which: tuple[int, int] | None = None

    def __call__(self) -> tuple[int, int] | None:
        if self._file is None:
            return None
        with self._lock:
            try:
                status = os.stat(self._file)
                if self._watching is None or self._which != (status.st_dev, status.st_ino):  # another file by now
                    self._close()
                    self._watching = sqlite3.connect(
                        f"{self._file.as_uri()}?mode=ro", uri=True, check_same_thread=False
                    )
                    self._which, self._open = (status.st_dev, status.st_ino), self._open + 1
                # of commits by other connections, which this one is to all who write
                return self._open, int(self._watching.execute("PRAGMA data_version").fetchone()[0])
            except (OSError, sqlite3.Error):
                self._close()
                return None

    def _close(self) -> None:
        if self._watching is not None:
            self._watching.close()
        self._watching = None
