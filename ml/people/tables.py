"""The tables of accounts, their tokens and what was done; the migrations that make them."""

from collections.abc import Callable

from sqlalchemy import Column, Connection, Float, ForeignKey, Index, Integer, MetaData, String, Table, Text

from ml.people.acting import WHO

OWNER = "people"


def _schema_1() -> tuple[Table, Table, Table, MetaData]:
    """The tables as the first migration makes them. A later version writes its own function and leaves this one."""
    metadata = MetaData()
    accounts = Table(
        "accounts",
        metadata,
        Column("number", Integer, primary_key=True, autoincrement=True),
        Column("name", String(WHO), nullable=False),
        Column("key", String(2 * WHO), nullable=False, unique=True),  # the name in small letters
        Column("role", String(8), nullable=False),
        Column("password", String(200), nullable=False),  # argon2's own text, '' for none
        Column("version", Integer, nullable=False),  # counts changes: what was verified before one is verified anew
        Column("created", Float, nullable=False),
        Column("removed", Float, nullable=False),  # when, 0 while it is there
        sqlite_autoincrement=True,
    )
    tokens = Table(
        "account_tokens",
        metadata,
        Column("number", Integer, primary_key=True, autoincrement=True),
        Column("account", Integer, ForeignKey("accounts.number"), nullable=False, index=True),
        Column("digest", String(64), nullable=False, unique=True),
        Column("label", String(WHO), nullable=False),
        Column("created", Float, nullable=False),
        Column("revoked", Float, nullable=False),  # when, 0 while it holds
        sqlite_autoincrement=True,
    )
    happenings = Table(
        "happenings",
        metadata,
        Column("number", Integer, primary_key=True, autoincrement=True),  # the order: clocks may step back
        Column("at", Float, nullable=False),
        Column("who", String(WHO), nullable=False),
        Column("act", String(10), nullable=False),
        Column("about", String(120), nullable=False),
        Column("words", Text, nullable=False),
        sqlite_autoincrement=True,
    )
    Index("happenings_who", happenings.c.who, happenings.c.number)
    return accounts, tokens, happenings, metadata


accounts, tokens, happenings, _ = _schema_1()


def _step_1(connection: Connection) -> None:
    _schema_1()[-1].create_all(connection)


MIGRATIONS: tuple[Callable[[Connection], None], ...] = (_step_1,)
