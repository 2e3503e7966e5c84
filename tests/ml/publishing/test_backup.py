"""A backup is whole while others write, is held against its digests, and comes back as it was."""

import contextlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest

from dashboard.records.runs import Records
from dashboard.records.views import Views
from ml import __main__ as command_line
from ml.artifacts.reader import Library
from ml.publishing import backup
from ml.system import database
from ml.system.paths import ROOT


@pytest.fixture
def lived_in(home):
    """A home with a run, words about it in the database, a feedback picture and a log."""
    records = Records(database.opener(home))
    records.rename("toy", "The first one")
    kept = {"page": "/", "search": "?run=toy", "dataset": "toys", "run": "toy", "data": "", "split": "test"}
    Views(database.opener(home)).save("All of it", "", kept)
    for folder, name in (("feedback", "ab12.png"), ("logs", "job.log"), ("lessons", "x.npz")):
        (home / folder).mkdir()
        (home / folder / name).write_bytes(os.urandom(1000))
    (home / "runs" / "toy" / "link").symlink_to("/etc/hostname")  # nothing of the app's
    return home


def files(home: Path) -> dict[str, bytes]:
    tops = (*backup.ALWAYS, *backup.RUNS)
    return {
        path.relative_to(home).as_posix(): path.read_bytes()
        for top in tops
        for path in (home / top).rglob("*")
        if path.is_file() and not path.is_symlink()
    }


def test_it_comes_back_elsewhere_byte_for_byte(lived_in, tmp_path):
    held = backup.take(lived_in, tmp_path / "all.zip")
    other = tmp_path / "other"
    restored, aside = backup.restore(tmp_path / "all.zip", other)
    assert restored == held == backup.verify(tmp_path / "all.zip")
    assert aside is None
    assert files(other) == files(lived_in)
    assert Records(database.opener(other)).marks().of("toy").title == "The first one"
    assert [one.name for one in Views(database.opener(other)).listing().views] == ["All of it"]
    assert Library(tmp_path / "nothing", other).open("toy").manifest["run_id"] == "toy"
    assert not [one for one in (*lived_in.iterdir(), *other.iterdir()) if one.name.endswith(".partial")]


def test_data_sets_come_when_asked_and_runs_may_stay(lived_in, tmp_path):
    names = set(backup.take(lived_in, tmp_path / "small.zip", runs=False).files)
    assert {name.partition("/")[0] for name in names} == {backup.DATABASE, "feedback", "lessons", "logs"}
    with_pictures = set(backup.take(lived_in, tmp_path / "large.zip", datasets=True).files)
    assert any(name.startswith("datasets/synthetic-4-28x28x1/") for name in with_pictures)
    # what a backup does not hold stays where it is
    before = files(lived_in)
    backup.restore(tmp_path / "small.zip", lived_in, replace=True)
    assert files(lived_in) == before


def test_rows_written_meanwhile_are_whole_and_what_they_name_is_there(lived_in, tmp_path):
    """Each row names a file that is written before it; each transaction writes two rows."""
    file, stop = lived_in / database.FILE, threading.Event()
    with contextlib.closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE pairs (number INTEGER, side TEXT)")
        connection.commit()

    def write():
        with contextlib.closing(sqlite3.connect(file, timeout=20)) as connection:
            number = 0
            while not stop.is_set():
                (lived_in / "feedback" / f"{number}.png").write_bytes(b"x" * 2000)
                with connection:
                    connection.executemany("INSERT INTO pairs VALUES (?, ?)", [(number, "a"), (number, "b")])
                number += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(5):
            backup.take(lived_in, tmp_path / f"{number}.zip", runs=False)
    finally:
        stop.set()
        writer.join()
    counts = []
    for number in range(5):
        other = tmp_path / f"other-{number}"
        backup.restore(tmp_path / f"{number}.zip", other)
        with contextlib.closing(sqlite3.connect(other / database.FILE)) as connection:
            rows = connection.execute("SELECT number, side FROM pairs ORDER BY number, side").fetchall()
        counts.append(len(rows) // 2)
        assert rows == [(one, side) for one in range(counts[-1]) for side in "ab"]
        assert all((other / "feedback" / f"{one}.png").stat().st_size == 2000 for one in range(counts[-1]))
    assert counts == sorted(counts)
    assert counts[-1] > counts[0]


def test_a_run_that_changes_meanwhile_is_taken_as_it_was_before_or_after(lived_in, tmp_path, monkeypatch):
    run, manifest = lived_in / "runs" / "toy", lived_in / "runs" / "toy" / "manifest.json"
    hold, changes, often = backup._hold, [], 2

    def changing(home, unit, folder):
        for path, name in hold(home, unit, folder):
            yield path, name
            if unit == run and len(changes) < often:
                changes.append(name)
                manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "note": len(changes)}))

    monkeypatch.setattr(backup, "_hold", changing)
    backup.take(lived_in, tmp_path / "all.zip")
    with zipfile.ZipFile(tmp_path / "all.zip") as archive:
        assert json.loads(archive.read("runs/toy/manifest.json"))["note"] == 2
    often = 100
    with pytest.raises(backup.Unusable, match=r"toy keeps changing"):
        backup.take(lived_in, tmp_path / "never.zip")
    assert not (tmp_path / "never.zip").exists()


def test_a_deleted_run_is_left_out(lived_in, tmp_path, monkeypatch):
    hold = backup._hold

    def deleting(home, unit, folder):
        if unit.name == "toy":
            shutil.rmtree(unit)
        return hold(home, unit, folder)

    monkeypatch.setattr(backup, "_hold", deleting)
    assert not [name for name in backup.take(lived_in, tmp_path / "all.zip").files if name.startswith("runs/")]


def test_what_is_there_is_moved_aside_and_only_when_told(lived_in, tmp_path):
    backup.take(lived_in, tmp_path / "all.zip")
    before = files(lived_in)
    Records(database.opener(lived_in)).rename("toy", "Another name")
    (lived_in / "feedback" / "later.png").write_bytes(b"later")
    with pytest.raises(backup.Unusable, match=r"is there already: say --replace"):
        backup.restore(tmp_path / "all.zip", lived_in)
    database._engine(database.address(lived_in)).dispose()
    _, aside = backup.restore(tmp_path / "all.zip", lived_in, replace=True)
    assert aside
    assert files(lived_in) == before
    assert (aside / "feedback" / "later.png").read_bytes() == b"later"
    assert Records(database.opener(lived_in)).marks().of("toy").title == "The first one"
    with contextlib.closing(sqlite3.connect(aside / database.FILE)) as old:
        assert ("Another name",) in old.execute("SELECT title FROM run_marks").fetchall()


def test_a_running_program_is_in_the_way(lived_in, tmp_path):
    backup.take(lived_in, tmp_path / "all.zip")
    holds = (
        f"import sqlite3; c = sqlite3.connect({str(lived_in / database.FILE)!r}); c.execute('SELECT 1 FROM run_marks')"
    )
    with subprocess.Popen(
        [sys.executable, "-c", f"{holds}; print('open', flush=True); input()"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as program:  # fmt: skip
        assert program.stdout.readline() == "open\n"
        with pytest.raises(backup.Unusable, match=rf"process {program.pid}\) has the database open: stop the app"):
            backup.restore(tmp_path / "all.zip", lived_in, replace=True)
        program.communicate("\n")


def changed(source: Path, target: Path, name: str, content: bytes | None, more: str = "") -> Path:
    """The backup with one file changed or, when None, left out; more: a file that is not in its list."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for entry in old.namelist():
            if entry != name:
                new.writestr(entry, old.read(entry))
            elif content is not None:
                new.writestr(entry, content)
        if more:
            new.writestr(more, b"more")
    return target


def test_what_is_not_whole_is_refused_before_anything_is_touched(lived_in, tmp_path):
    whole = tmp_path / "all.zip"
    backup.take(lived_in, whole)
    table = "runs/toy/predictions.parquet"
    listed = json.loads(zipfile.ZipFile(whole).read(backup.CONTENTS))
    newer = json.dumps({**listed, "version": 2}).encode()
    outside = {**listed, "files": {**listed["files"], "../x": [4, "0" * 64]}}
    cut = tmp_path / "cut.zip"
    cut.write_bytes(whole.read_bytes()[:-100])
    other = tmp_path / "other.zip"
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("a.txt", "a")
    cases = [
        (changed(whole, tmp_path / "1.zip", table, b"PAR1 other"), "is not what was backed up"),
        (changed(whole, tmp_path / "2.zip", table, None), "list of files is not what is in it"),
        (changed(whole, tmp_path / "3.zip", "", None, more="runs/toy/extra"), "list of files is not what is in it"),
        (changed(whole, tmp_path / "4.zip", backup.CONTENTS, newer), "made by a newer version"),
        (changed(whole, tmp_path / "5.zip", backup.CONTENTS, json.dumps(outside).encode(), more="../x"),
         "is no file of a home"),
        (cut, "is no whole backup"),
        (other, "it is no backup"),
    ]  # fmt: skip
    before, target = files(lived_in), tmp_path / "target"
    for file, words in cases:
        for home in (target, lived_in):
            with pytest.raises(backup.Unusable, match=words):
                backup.restore(file, home, replace=True)
    assert not target.exists()
    assert files(lived_in) == before


def test_another_database_is_named_and_left_out(lived_in, tmp_path, monkeypatch):
    monkeypatch.setenv("FASHION_DB", "postgresql+psycopg://me@127.0.0.1:1/nothing")
    contents = backup.take(lived_in, tmp_path / "all.zip")
    assert contents.database == "postgresql"
    assert backup.DATABASE not in contents.files
    _, aside = backup.restore(tmp_path / "all.zip", tmp_path / "other")
    assert aside is None
    assert not (tmp_path / "other" / database.FILE).exists()


def test_by_command(lived_in, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("FASHION_HOME", str(lived_in))
    assert command_line.main(["backup", str(tmp_path / "all.zip")]) == 0
    assert "files, " in capsys.readouterr().out
    assert command_line.main(["restore", str(tmp_path / "all.zip"), "--check"]) == 0
    assert "is whole" in capsys.readouterr().out
    assert command_line.main(["restore", str(tmp_path / "all.zip")]) == 1
    assert "--replace" in capsys.readouterr().err
    monkeypatch.setenv("FASHION_HOME", str(tmp_path / "other"))
    assert command_line.main(["restore", str(tmp_path / "all.zip")]) == 0
    assert f"laid into {tmp_path / 'other'}" in capsys.readouterr().out
    assert command_line.main(["backup", str(tmp_path / "no" / "where.zip")]) == 1
    assert "No such file" in capsys.readouterr().err
    assert command_line.main(["restore", str(tmp_path / "none.zip")]) == 1


def test_it_loads_no_torch_and_answers_while_pictures_are_many(tmp_path):
    """In a process of its own: a backup of 2,000 files; nothing of torch."""
    feedback = tmp_path / "home" / "feedback"
    feedback.mkdir(parents=True)
    noise = np.random.default_rng(0).integers(0, 256, (2000, 500), np.uint8)
    for number, row in enumerate(noise):
        (feedback / f"{number}.png").write_bytes(row.tobytes())
    code = (
        "import sys; from ml import __main__ as m; s = m.main(['backup', sys.argv[1]]); "
        "assert 'torch' not in sys.modules; sys.exit(s)"
    )
    environment = {**os.environ, "FASHION_HOME": str(tmp_path / "home")}
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "all.zip")],
        env=environment, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "2,000 files" in done.stdout
