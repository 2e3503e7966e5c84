"""The tables of feedback, the migrations that make them, and what one row says."""

import secrets
from dataclasses import dataclass

from sqlalchemy import DDL, Boolean, Column, Connection, Float, Index, Integer, MetaData, String, Table, Text, insert

from ml.people.acting import WHO as NAME

NOTE, CLASS = 500, 120  # the longest note and class name
WHO = 80  # characters of who did something


@dataclass(frozen=True)
class Item:
    """One row. said: the class that was answered, with its confidence 0..1; right: whether the person agrees.

    label: the class it is by the person. picture: the random name of its files. origin: '' for a picture of the
    person's own, else the split and id of the data set's picture, as 'test 17'. at: seconds since 1970. address: the
    mark of the sender's, '' for rows of a version before. who: the sender's name, '' for none.
    """

    number: int
    key: str
    run: str
    dataset: str
    said: str
    confidence: float
    right: bool
    label: str
    note: str
    at: float
    client: str
    state: str
    picture: str
    sent: bool
    bytes: int
    origin: str
    deleted: float
    address: str = ""
    who: str = ""


@dataclass(frozen=True)
class Deed:
    """What somebody did with a row. feedback: its number; what: a state, `deleted` or `restored`; at: since 1970."""

    number: int
    feedback: int
    what: str
    who: str
    at: float


@dataclass(frozen=True)
class Filter:
    """What narrows the inbox; '' and () narrow nothing. text: is looked for in note, label, answer and run."""

    state: str = ""
    run: str = ""
    labels: tuple[str, ...] = ()
    text: str = ""


def _schema_1() -> tuple[Table, Table, MetaData]:
    """The tables as the first migration makes them. A later version writes its own function and leaves this one."""
    metadata = MetaData()
    feedback = Table(
        "feedback",
        metadata,
        Column("number", Integer, primary_key=True, autoincrement=True),  # the order: clocks may step back
        Column("key", String(32), nullable=False, unique=True),
        Column("run", String(64), nullable=False),
        Column("dataset", String(64), nullable=False),
        Column("said", String(CLASS), nullable=False),
        Column("confidence", Float, nullable=False),
        Column("right", Boolean, nullable=False),
        Column("label", String(CLASS), nullable=False),
        Column("note", Text, nullable=False),
        Column("at", Float, nullable=False),
        Column("client", String(32), nullable=False),
        Column("state", String(8), nullable=False),
        Column("picture", String(32), nullable=False, unique=True),
        Column("sent", Boolean, nullable=False),
        Column("bytes", Integer, nullable=False),
        Column("origin", String(40), nullable=False),
        Column("deleted", Float, nullable=False),  # when, 0 while it is there
        sqlite_autoincrement=True,
    )
    Index("feedback_client", feedback.c.client)
    Index("feedback_room", feedback.c.deleted, feedback.c.bytes)
    Index("feedback_state", feedback.c.state, feedback.c.number)
    secret = Table("feedback_secret", metadata, Column("value", String(64), primary_key=True))
    return feedback, secret, metadata


feedback_table, secret_table, _ = _schema_1()


def _schema_2() -> tuple[Column, Table, MetaData]:
    """The sender's address, as a mark; what was done with rows, and by whom."""
    metadata = MetaData()
    log = Table(
        "feedback_log",
        metadata,
        Column("number", Integer, primary_key=True, autoincrement=True),  # the order: clocks may step back
        Column("feedback", Integer, nullable=False, index=True),
        Column("what", String(10), nullable=False),
        Column("who", String(WHO), nullable=False),
        Column("at", Float, nullable=False),
        sqlite_autoincrement=True,
    )
    return Column("address", String(32), nullable=False, server_default=""), log, metadata


def _schema_3() -> Column:
    """Who sent it."""
    return Column("who", String(NAME), nullable=False, server_default="")


_address, log_table, _ = _schema_2()
feedback_table.append_column(_address)
feedback_table.append_column(_schema_3())
COLUMNS = [feedback_table.c[name] for name in Item.__dataclass_fields__]


def _step_1(connection: Connection) -> None:
    _, secret, metadata = _schema_1()
    metadata.create_all(connection)
    # shared by every server on this database and kept over restarts: an answer shown before one can still be judged
    connection.execute(insert(secret).values(value=secrets.token_hex(32)))


def _step_2(connection: Connection) -> None:
    connection.execute(DDL("ALTER TABLE feedback ADD COLUMN address VARCHAR(32) NOT NULL DEFAULT ''"))
    connection.execute(DDL("CREATE INDEX feedback_address ON feedback (address)"))
    _schema_2()[-1].create_all(connection)


def _step_3(connection: Connection) -> None:
    connection.execute(DDL(f"ALTER TABLE feedback ADD COLUMN who VARCHAR({NAME}) NOT NULL DEFAULT ''"))


MIGRATIONS = (_step_1, _step_2, _step_3)
