"""A database of any version there ever was is brought forward, and every row in it stays as it was."""

import pytest
from sqlalchemy import JSON, Boolean, Float, Integer, MetaData, Numeric, String, insert, select

from dashboard.records.decisions import Decisions
from dashboard.records.feedback import Feedback
from dashboard.records.prediction_log import Monitor
from dashboard.records.runs import Records
from dashboard.records.slices import Slices
from dashboard.records.views import Views
from dashboard.shell import create_app
from ml.jobs import tables
from ml.people import tables as people
from ml.system import database

OWNERS = {one.owner: one.migrations for one in (Decisions, Feedback, Monitor, Records, Slices, Views)}
OWNERS["jobs"] = tables.MIGRATIONS
OWNERS["people"] = people.MIGRATIONS
ALLOWED = {"state": "done", "kind": "train"}  # where a table takes certain words alone
VERSIONS = [(owner, version) for owner, steps in OWNERS.items() for version in range(1, len(steps) + 1)]


def fill(engine) -> dict[str, list[dict]]:
    """Three rows in every table, as its columns allow; table → its rows."""
    schema = MetaData()
    schema.reflect(engine)
    written = {}
    with engine.begin() as connection:
        for table in schema.sorted_tables:
            if table.name == "migrations":
                continue
            for number in range(3):
                row = {}
                for column in table.columns:
                    if column.foreign_keys:
                        (key,) = column.foreign_keys
                        row[column.name] = written[key.column.table.name][number][key.column.name]
                    elif column.name in ALLOWED:
                        row[column.name] = ALLOWED[column.name]
                    elif isinstance(column.type, Boolean):
                        row[column.name] = number % 2 == 0
                    elif isinstance(column.type, Numeric | Float | Integer):
                        row[column.name] = number + 1
                    elif isinstance(column.type, String):
                        row[column.name] = f"{column.name[:20]}{number}"[-(column.type.length or 40) :]
                    else:
                        assert isinstance(column.type, JSON)
                        row[column.name] = {"number": number}
                connection.execute(insert(table).values(row))
            written[table.name] = [dict(one) for one in connection.execute(select(table)).mappings()]
    return written


def rows(engine, names) -> dict[str, list[dict]]:
    schema = MetaData()
    schema.reflect(engine)
    with engine.connect() as connection:
        return {
            name: [dict(one) for one in connection.execute(select(schema.tables[name])).mappings()] for name in names
        }


@pytest.mark.parametrize(("owner", "version"), VERSIONS)
def test_it_comes_forward_with_every_row(owner, version, tmp_path):
    engine = database.open_engine(tmp_path)
    assert database.migrate(engine, owner, OWNERS[owner][:version]) == version
    before = fill(engine)
    assert before
    assert database.migrate(engine, owner, OWNERS[owner]) == len(OWNERS[owner])
    after = rows(engine, before)
    for name, old in before.items():
        kept = [{column: one[column] for column in old[0]} for one in after[name]]
        assert kept == old, name


def test_every_owner_of_tables_is_here(home, no_artifacts):
    """And the app opens on a database in which each has its first version alone."""
    for file in home.glob("fashion.db*"):  # of an app that another test opened on the run that is copied
        file.unlink()
    engine = database.open_engine(home)
    for owner, steps in OWNERS.items():
        database.migrate(engine, owner, steps[:1])
    client = create_app(no_artifacts, home=home).server.test_client()
    assert client.get("/health", base_url="http://127.0.0.1").status_code == 200
    assert client.get("/api/v1/runs", base_url="http://127.0.0.1").status_code == 200
    with engine.connect() as connection:
        owners = set(connection.scalars(select(database.migrations.c.owner)))
    assert owners == set(OWNERS)
