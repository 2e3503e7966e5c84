"""The database: pragmas, migrations, and writers that do not get in each other's way."""

import shutil
import sqlite3
import threading
from contextlib import closing

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, func, insert, select, text

from ml.system import database


@pytest.fixture
def engine(tmp_path, monkeypatch):
    monkeypatch.delenv("FASHION_DB", raising=False)
    return database.open_engine(tmp_path)


def test_sqlite_is_set_up_to_lose_nothing(engine):
    with engine.connect() as connection:
        pragma = {name: connection.scalar(text(f"PRAGMA {name}")) for name in ("journal_mode", "synchronous")}
        assert pragma == {"journal_mode": "wal", "synchronous": 2}
        assert connection.scalar(text("PRAGMA busy_timeout")) == 5000
    assert database.healthy(engine)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", "sqlite:///HOME/fashion.db"),
        ("/srv/x.db", "sqlite:////srv/x.db"),
        ("postgresql+psycopg://u@h/d", "postgresql+psycopg://u@h/d"),
    ],
)
def test_fashion_db_is_a_url_or_a_file(tmp_path, monkeypatch, value, expected):
    monkeypatch.setenv("FASHION_DB", value)
    assert database.address(tmp_path) == expected.replace("HOME", str(tmp_path))


def test_migrations_run_once_in_order_and_by_owner(engine):
    ran = []
    steps = [lambda c: ran.append(1), lambda c: ran.append(2)]
    assert database.migrate(engine, "notes", steps[:1]) == 1
    assert database.migrate(engine, "notes", steps) == 2
    assert database.migrate(engine, "notes", steps) == 2
    assert database.migrate(engine, "tags", steps[:1]) == 1
    assert ran == [1, 2, 1]


def test_a_step_that_fails_leaves_nothing_behind(engine):
    def broken(connection):
        connection.execute(text("CREATE TABLE half (x INTEGER)"))
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        database.migrate(engine, "half", [broken])
    with engine.connect() as connection:
        assert not connection.scalar(text("SELECT count(*) FROM sqlite_master WHERE name='half'"))
    assert database.migrate(engine, "half", [lambda c: None]) == 1


def test_a_newer_database_is_refused(engine):
    database.migrate(engine, "notes", [lambda c: None] * 2)
    with pytest.raises(RuntimeError, match="version 2"):
        database.migrate(engine, "notes", [lambda c: None])


def test_count_then_insert_has_no_race(engine):
    table = Table("seats", MetaData(), Column("n", Integer, primary_key=True))
    table.metadata.create_all(engine)
    errors = []

    def sit():
        try:
            for _ in range(25):
                with database.writer(engine).begin() as connection:
                    taken = connection.scalar(select(func.count()).select_from(table))
                    if taken < 40:
                        connection.execute(insert(table).values(n=taken))
        except Exception as error:  # collected: an exception in a thread would pass unseen
            errors.append(error)

    threads = [threading.Thread(target=sit) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(table)) == 40
    assert errors == []


def test_every_commit_is_told_from_the_one_before(tmp_path, engine):
    changes = database.Changes(tmp_path)
    table = Table("things", MetaData(), Column("n", Integer))
    seen = [changes()]
    assert seen[0] is not None
    table.metadata.create_all(engine)
    for n in range(5):
        seen.append(changes())
        with database.transaction(engine) as connection:
            connection.execute(insert(table).values(n=n))
            assert changes() == seen[-1], "nothing is committed yet"
    with engine.connect() as connection:
        connection.execute(select(table)).all()
    last = changes()
    assert len({*seen, last}) == len(seen) + 1
    assert changes() == last, "looking changes nothing"


def test_another_file_in_its_place_is_another_database(tmp_path):
    changes = database.Changes(tmp_path)
    assert changes() is None, "there is none"
    with closing(sqlite3.connect(tmp_path / database.FILE)) as made:
        made.execute("CREATE TABLE things (n)")
    first = changes()
    (tmp_path / database.FILE).rename(tmp_path / "away.db")
    shutil.copy(tmp_path / "away.db", tmp_path / database.FILE)
    assert None not in (first, changes())
    assert changes() != first


def test_of_postgresql_nobody_knows_what_was_committed(tmp_path, monkeypatch):
    monkeypatch.setenv("FASHION_DB", "postgresql+psycopg://u@h/d")
    assert database.Changes(tmp_path)() is None
