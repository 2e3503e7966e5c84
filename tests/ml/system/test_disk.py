"""A full disk by whatever name a library gives it, up to what a person reads."""

import errno
from unittest.mock import Mock

import pytest
from safetensors import SafetensorError
from sqlalchemy.exc import OperationalError

from dashboard.api import statuses
from dashboard.records.decisions import Decisions
from dashboard.records.rows import Full
from dashboard.services.job_database import JobDatabase
from ml import __main__ as program
from ml.jobs.queue import Refused
from ml.system import atomic, database, disk

# as they came from a file system that was full
SAFETENSORS = SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")
PARQUET = OSError(28, "Error writing bytes to file. Detail: [errno 28] No space left on device")
TORCH = RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 576 vs 534")
NUMPY = OSError("160000 requested and 32736 written")
SQLITE = OperationalError("INSERT", {}, Exception("database or disk is full"))


@pytest.mark.parametrize("error", [SAFETENSORS, PARQUET, SQLITE, OSError(errno.EDQUOT, "Disk quota exceeded")])
def test_libraries_name_it_each_in_its_own_way(error):
    assert disk.full(error)
    wrapped = ValueError("cannot be kept")
    wrapped.__cause__ = error
    assert disk.full(wrapped)
    assert statuses.known(error).status == 503
    assert str(statuses.known(error)).startswith("The disk is full")


@pytest.mark.parametrize("error", [ValueError("x"), OSError(errno.EACCES, "denied"), TORCH, None])
def test_other_errors_are_not_called_that(error):
    assert not disk.full(error)
    assert error is None or statuses.known(error) is None


@pytest.mark.parametrize("error", [SAFETENSORS, PARQUET, TORCH, NUMPY])
def test_what_a_writer_makes_of_it_has_its_number(tmp_path, monkeypatch, error):
    """torch and numpy hide it: there was no room for what they wrote, which is seen before that is taken away again."""
    monkeypatch.setattr(disk, "free", lambda _: 40_000)
    (tmp_path / "old").write_text("old")

    def write():
        with atomic.replacing(tmp_path / "old"):
            raise error

    with pytest.raises(OSError, match="No space left") as problem:
        write()
    assert problem.value.errno == errno.ENOSPC
    assert [file.name for file in tmp_path.iterdir()] == ["old"]
    assert (tmp_path / "old").read_text() == "old"


def test_where_there_is_room_an_error_stays_what_it_is(tmp_path):
    def write():
        with atomic.replacing(tmp_path / "new"):
            raise TORCH

    with pytest.raises(RuntimeError, match="unexpected pos"):
        write()


def stuffed(home):
    """The database of a home may not grow by one page more, as on a disk that is full."""
    engine = database.open_engine(home)

    def lock(connection, _record):
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count={pages}")

    from sqlalchemy import event

    engine.dispose()
    event.listen(engine, "connect", lock)
    return engine


def test_rows_that_cannot_be_written_say_so(tmp_path):
    decisions = Decisions(database.opener(tmp_path))
    decisions.opened()
    stuffed(tmp_path)

    def write():
        with decisions.writing() as connection:
            connection.exec_driver_sql("CREATE TABLE more (a BLOB)")
            connection.exec_driver_sql("INSERT INTO more VALUES (zeroblob(1000000))")

    with pytest.raises(Full, match="The disk is full, so nothing can be kept just now"):
        write()


def test_jobs_that_cannot_be_written_say_so(tmp_path):
    jobs = JobDatabase(tmp_path)
    jobs.table()
    stuffed(tmp_path)

    def change(table):
        return table.submit({"more": "x" * 1_000_000}, "a", epochs=1)

    with pytest.raises(Refused, match="The disk is full"):
        jobs._write(change)


def test_the_command_line_says_so_without_a_traceback(monkeypatch, capsys):
    def fail(_):
        raise SAFETENSORS

    monkeypatch.setattr(program, "parser", lambda *_: Mock(parse_args=Mock(return_value=Mock(command=fail))))
    assert program.main([]) == 1
    assert capsys.readouterr().err == "The disk is full: free some space, then try again.\n"
