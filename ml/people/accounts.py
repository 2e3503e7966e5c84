"""Accounts of the people of one database: name, role, a password as argon2 hashes it, tokens of which a digest is kept.

Reading makes no database where there is none.
"""

import functools
import hashlib
import os
import re
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import Connection, Engine, and_, func, insert, make_url, or_, select, update

from ml.people import happenings
from ml.people.acting import ROLES, WHO
from ml.people.tables import MIGRATIONS, OWNER, accounts, tokens
from ml.system import database
from ml.system.wording import bare, shows

NAME = re.compile(rf"[\w.@+-](?:[\w .@+-]{{0,{WHO - 2}}}[\w.@+-])?")  # a colon would end the name in HTTP Basic
SHORTEST, LONGEST = 8, 1_000  # characters of a password
TOKEN = "ff_"  # begins every token, so that tools that look for leaked ones know it
AT_ONCE = threading.BoundedSemaphore(1)  # passwords hashed at a time: each takes 64 MiB
PATIENCE = 10.0  # seconds that one waits for another
SETTLED_NS = 100_000_000  # after which files that change show another time: clocks of file systems tick every 4 ms
COMMAND_LINE = "on the command line"

Answer = TypeVar("Answer")
Stamp = tuple[tuple[int, int], ...]

if TYPE_CHECKING:
    from argon2 import PasswordHasher


@functools.cache
def _hasher() -> "PasswordHasher":
    """Late: most homes have no accounts."""
    from argon2 import PasswordHasher

    return PasswordHasher()


@functools.cache
def _nobody() -> str:
    """Looked at for names that are not there, so that both take as long."""
    return _hasher().hash(secrets.token_hex(16))


@functools.lru_cache(maxsize=8)
def _files(address: str) -> tuple[str, ...]:
    """The files of an SQLite database; none of any other."""
    url = make_url(address)
    return (url.database, f"{url.database}-wal") if url.get_backend_name() == "sqlite" and url.database else ()


class Busy(Exception):
    """Too many passwords are being looked at."""


@dataclass(frozen=True)
class Account:
    """One person. version: counts changes; guarded: whether there is a password."""

    number: int
    name: str
    role: str
    version: int
    created: float
    guarded: bool


@dataclass(frozen=True)
class Token:
    """One token, which nobody can read back. name: whose; label: what it is for."""

    number: int
    name: str
    label: str
    created: float


class Accounts:
    """The accounts of one home folder's database. Methods raise SQLAlchemyError or OSError where it cannot be used."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._opened: Engine | None = None
        self._lock = threading.Lock()
        self._known: tuple[tuple[tuple[int, int], ...], bool] = (
            (),
            False,
        )  # what the files were like, and `locked` then

    # ---- look

    def locked(self) -> bool:
        """Whether somebody can sign in here, by a password or a token."""
        stamp = self._stamp()
        if stamp and self._known[0] == stamp:
            return self._known[1]
        signed = select(tokens.c.account).where(tokens.c.revoked == 0)
        query = select(func.count()).where(
            accounts.c.removed == 0, or_(accounts.c.password != "", accounts.c.number.in_(signed))
        )
        locked = self._read(lambda connection: bool(connection.scalar(query)), False)
        self._known = (stamp, locked)
        return locked

    def _stamp(self) -> Stamp:
        """Changes with whatever is written to SQLite's files; () where nothing can be concluded from it: of another
        database, or of files so new that a further change might not show."""
        files = _files(database.address(self.home))
        if not files:
            return ()
        found = []
        for path in files:
            try:
                status = os.stat(path)
                found.append((status.st_mtime_ns, status.st_size))
            except OSError:
                found.append((0, 0))
        newest = max(time_ns for time_ns, _ in found)
        return tuple(found) if abs(time.time_ns() - newest) > SETTLED_NS else ()

    def find(self, name: str) -> Account | None:
        """The account of a name, in capital letters or small ones."""
        mine = and_(accounts.c.key == name.casefold(), accounts.c.removed == 0)
        return self._read(lambda connection: _account(connection, mine), None)

    def listing(self) -> list[Account]:
        """By name."""
        query = select(accounts).where(accounts.c.removed == 0).order_by(accounts.c.key)
        return self._read(lambda connection: [_row(one) for one in connection.execute(query).mappings()], [])

    def matches(self, account: Account | None, password: str) -> bool:
        """Whether this is the account's password; takes as long where there is no account. Raises Busy."""
        hashed = ""
        if account is not None:
            query = select(accounts.c.password).where(accounts.c.number == account.number)
            hashed = self._read(lambda connection: str(connection.scalar(query) or ""), "")
        from argon2.exceptions import InvalidHashError, VerificationError

        if not AT_ONCE.acquire(timeout=PATIENCE):
            raise Busy

        try:
            nobody = _nobody()
            return _hasher().verify(hashed or nobody, password[: LONGEST + 1]) and bool(hashed)
        except (VerificationError, InvalidHashError):
            return False
        finally:
            AT_ONCE.release()

    def of_token(self, token: str) -> Account | None:
        """Whose token this is, while it holds."""
        if not token.startswith(TOKEN):
            return None
        held = select(tokens.c.account).where(tokens.c.digest == _digest(token), tokens.c.revoked == 0)
        mine = and_(accounts.c.number == held.scalar_subquery(), accounts.c.removed == 0)
        return self._read(lambda connection: _account(connection, mine), None)

    def tokens(self) -> list[Token]:
        """Those that hold, oldest first."""
        query = (
            select(tokens.c.number, accounts.c.name, tokens.c.label, tokens.c.created)
            .join(accounts, accounts.c.number == tokens.c.account)
            .where(tokens.c.revoked == 0, accounts.c.removed == 0)
            .order_by(tokens.c.number)
        )
        return self._read(lambda connection: [Token(**one) for one in connection.execute(query).mappings()], [])

    # ---- change; each raises ValueError in words

    def add(self, name: str, role: str, password: str | None) -> Account:
        """password: None for somebody whom a proxy names, and who has a role here alone."""
        words = " ".join(name.split())
        if not NAME.fullmatch(bare(words)) or len(words) > WHO:
            raise ValueError(f"Name: 1 to {WHO} letters, digits, spaces and . _ - + @.")
        _role(role)
        hashed = "" if password is None else _hashed(password)
        values = {"name": words, "role": role, "password": hashed, "created": time.time(), "removed": 0.0}

        def change(connection: Connection) -> Account:
            known = connection.execute(select(accounts).where(accounts.c.key == words.casefold())).mappings().first()
            if known is not None and known["removed"] == 0:
                raise ValueError(f"There is an account {known['name']} already.")
            if known is None:
                connection.execute(insert(accounts).values(**values, key=words.casefold(), version=1))
            else:  # whoever bore the name before is this person's past: a name means one person
                again = {**values, "version": known["version"] + 1}
                connection.execute(update(accounts).where(accounts.c.number == known["number"]).values(again))
            happenings.note(connection, "account", words, f"added as {role} {COMMAND_LINE}")
            return _there(connection, words)

        return self._write(change)

    def remove(self, name: str) -> Account:
        """The account and its tokens hold no more, at once."""

        def change(connection: Connection) -> Account:
            account = _there(connection, name)
            now = time.time()
            _set(connection, account, {"removed": now, "password": ""})
            mine = and_(tokens.c.account == account.number, tokens.c.revoked == 0)
            connection.execute(update(tokens).where(mine).values(revoked=now))
            happenings.note(connection, "account", account.name, f"removed {COMMAND_LINE}")
            return account

        return self._write(change)

    def set_password(self, name: str, password: str) -> Account:
        hashed = _hashed(password)

        def change(connection: Connection) -> Account:
            account = _there(connection, name)
            _set(connection, account, {"password": hashed})
            happenings.note(connection, "account", account.name, f"password changed {COMMAND_LINE}")
            return account

        return self._write(change)

    def set_role(self, name: str, role: str) -> Account:
        _role(role)

        def change(connection: Connection) -> Account:
            account = _there(connection, name)
            _set(connection, account, {"role": role})
            happenings.note(connection, "account", account.name, f"from {account.role} to {role} {COMMAND_LINE}")
            return _there(connection, name)

        return self._write(change)

    def make_token(self, name: str, label: str = "") -> str:
        """A token for programs that act in somebody's name; nobody can read it again."""
        words = " ".join(label.split())
        if len(words) > WHO or not shows(words):
            raise ValueError(f"Label: at most {WHO} characters that can be shown.")
        token = TOKEN + secrets.token_urlsafe(32)

        def change(connection: Connection) -> str:
            account = _there(connection, name)
            row = {"account": account.number, "digest": _digest(token), "label": words}
            connection.execute(insert(tokens).values(**row, created=time.time(), revoked=0.0))
            happenings.note(connection, "account", account.name, f"token made {COMMAND_LINE}: {words}".rstrip(": "))
            return token

        return self._write(change)

    def revoke(self, number: int) -> None:
        def change(connection: Connection) -> None:
            mine = and_(tokens.c.number == number, tokens.c.revoked == 0)
            gone = connection.scalar(update(tokens).where(mine).values(revoked=time.time()).returning(tokens.c.account))
            if gone is None:
                raise ValueError(f"There is no token {number} that holds.")
            name = connection.scalar(select(accounts.c.name).where(accounts.c.number == gone)) or ""
            happenings.note(connection, "account", name, f"token {number} revoked {COMMAND_LINE}")

        self._write(change)

    # ---- inside

    def _read(self, ask: Callable[[Connection], Answer], without: Answer) -> Answer:
        url = make_url(database.address(self.home))
        if self._opened is None and url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file():
            return without
        with self._engine().connect() as connection:
            return ask(connection)

    def _write(self, change: Callable[[Connection], Answer]) -> Answer:
        with database.transaction(self._engine()) as connection:
            return change(connection)

    def _engine(self) -> Engine:
        with self._lock:
            if self._opened is None:
                engine = database.open_engine(self.home)
                database.migrate(engine, OWNER, MIGRATIONS)
                self._opened = engine
            return self._opened


def _digest(token: str) -> str:
    # 256 random bits cannot be guessed from a digest, so unlike a password they need no slow one
    return hashlib.sha256(token.encode()).hexdigest()


def _hashed(password: str) -> str:
    if not SHORTEST <= len(password) <= LONGEST:
        raise ValueError(f"Password: {SHORTEST} to {LONGEST:,} characters.")
    return _hasher().hash(password)


def _role(role: str) -> None:
    if role not in ROLES:
        raise ValueError(f"Role: one of {', '.join(ROLES)}.")


def _row(row) -> Account:
    return Account(row["number"], row["name"], row["role"], row["version"], row["created"], bool(row["password"]))


def _account(connection: Connection, mine) -> Account | None:
    row = connection.execute(select(accounts).where(mine)).mappings().first()
    return None if row is None else _row(row)


def _there(connection: Connection, name: str) -> Account:
    words = " ".join(name.split())
    account = _account(connection, and_(accounts.c.key == words.casefold(), accounts.c.removed == 0))
    if account is None:
        raise ValueError(f"There is no account {words[:WHO]}.")
    return account


def _set(connection: Connection, account: Account, values: dict[str, object]) -> None:
    change = update(accounts).where(accounts.c.number == account.number)
    connection.execute(change.values(**values, version=accounts.c.version + 1))
