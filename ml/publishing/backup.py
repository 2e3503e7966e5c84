"""Everything here that changes, as one verified file: taken while the app runs, laid back where it does not.

The database is copied by SQLite's own online backup, which is whole whatever is written meanwhile. It comes first: what
its rows name was on the disk before them, and files that came after it do no harm. Runs change only as a whole, so a
run whose manifest changed while it was read is read again.
"""

import contextlib
import hashlib
import json
import os
import shutil
import sqlite3
import tempfile
import time
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

import psutil
from sqlalchemy import make_url

from ml.system import atomic, database

CONTENTS = "backup.json"
DATABASE = "database.sqlite"
VERSION = 1
ALWAYS = ("feedback", "lessons", "labels", "logs")
"""Folders of a home that go with its database: feedback's pictures, frozen lessons and labels, trainings' logs."""
RUNS, DATASETS = ("runs", "trash"), ("datasets",)
BLOCK = 2**20
TRIES = 5
SCRATCH = "backup-"
STALE_SECONDS = 86_400.0
UNFINISHED = "import-"  # a zip that is being taken in; a training that is not finished goes along and goes on
PACKED = (".json", ".md", ".log", ".sqlite")  # the others are compressed as they are


class Unusable(ValueError):
    """A backup that cannot be taken or laid back; the message says why, for people."""


@dataclass(frozen=True)
class Contents:
    """What a backup holds. made: seconds since 1970; files: name in the backup → (bytes, SHA-256 in hexadecimal)."""

    made: float
    database: str  # DATABASE, or which other one was left out
    runs: bool
    datasets: bool
    files: dict[str, tuple[int, str]]

    @property
    def bytes(self) -> int:
        """Of all files, unpacked."""
        return sum(size for size, _ in self.files.values())

    def folders(self) -> list[str]:
        """Names at the top of a home that laying this back replaces."""
        return [*ALWAYS, *(RUNS if self.runs else ()), *(DATASETS if self.datasets else ())]


# ---- take


def take(home: Path, target: Path, *, runs: bool = True, datasets: bool = False) -> Contents:
    """Write the state of `home` to `target`, which appears when it is whole; what it holds.

    runs: with the runs made or taken in here; datasets: with the data sets too. A database that is not SQLite's stays
    out and is named. Raises Unusable where a file keeps changing, OSError.
    """
    files: dict[str, tuple[int, str]] = {}
    for left in home.glob(f"{SCRATCH}*.partial"):  # by one that was killed
        if time.time() - left.stat().st_mtime > STALE_SECONDS:
            shutil.rmtree(left, ignore_errors=True)
    url = make_url(database.address(home))
    sqlite = url.get_backend_name() == "sqlite"
    with atomic.replacing(target) as scratch, zipfile.ZipFile(scratch, "w", allowZip64=True) as archive:
        if sqlite and url.database and Path(url.database).is_file():
            with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}-") as beside:
                copied = Path(beside) / DATABASE
                copy_database(Path(url.database), copied)
                _add(archive, copied, DATABASE, files)
        for top in (*ALWAYS, *(RUNS if runs else ()), *(DATASETS if datasets else ())):
            for folder in _units(home / top):
                _add_unit(archive, home, folder, files)
        contents = Contents(time.time(), DATABASE if sqlite else url.get_backend_name(), runs, datasets, files)
        written = {"version": VERSION, **{name: getattr(contents, name) for name in contents.__dataclass_fields__}}
        archive.writestr(CONTENTS, json.dumps(written, indent=1), zipfile.ZIP_DEFLATED)
    return contents


def copy_database(source: Path, target: Path) -> None:
    """A copy of an SQLite database that others write to meanwhile. Raises Unusable where it is damaged."""
    try:
        with (
            contextlib.closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)) as here,
            contextlib.closing(sqlite3.connect(target)) as there,
        ):
            here.backup(there)
            there.execute("PRAGMA journal_mode=DELETE")  # one file, without companions
            problem = there.execute("PRAGMA integrity_check").fetchone()[0]
    except sqlite3.DatabaseError as error:
        raise Unusable(f"The database {source} cannot be copied: {error}.") from None
    if problem != "ok":
        raise Unusable(f"The database {source} is damaged: {problem}.")


def _units(top: Path) -> Iterator[Path]:
    """What is read as a whole: each folder in a folder of the home, and each file beside them."""
    if not top.is_dir():
        return
    for entry in sorted(top.iterdir()):
        if entry.is_symlink() or entry.name.startswith(UNFINISHED):
            continue
        if entry.is_dir() or entry.is_file():
            yield entry


def _add_unit(archive: zipfile.ZipFile, home: Path, unit: Path, files: dict[str, tuple[int, str]]) -> None:
    """Add a folder or file; again where its manifest changed meanwhile, not at all where it was deleted."""
    for _ in range(TRIES):
        before = _manifest(unit)
        with tempfile.TemporaryDirectory(dir=home, prefix=SCRATCH, suffix=".partial") as folder:
            try:
                held = list(_hold(home, unit, Path(folder)))
            except FileNotFoundError:
                if not unit.exists():
                    return
                continue
            if _manifest(unit) == before:
                for path, name in held:
                    _add(archive, path, name, files)
                return
    raise Unusable(f"{unit} keeps changing: try again when its evaluation has ended.")


def _manifest(unit: Path) -> bytes:
    try:
        return (unit / "manifest.json").read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return b""


def _hold(home: Path, unit: Path, folder: Path) -> Iterator[tuple[Path, str]]:
    """(path in `folder`, name in the backup) of every regular file: its content as it is now, whatever replaces it.

    Files of a home are replaced, never changed in place (a log may grow), so a second name for each is enough.
    """
    paths = [unit] if unit.is_file() else sorted(path for path in unit.rglob("*") if path.is_file())
    for number, path in enumerate(path for path in paths if not path.is_symlink()):
        if path.name.endswith(".partial"):  # being written: what it replaces is there
            continue
        held = folder / str(number)
        try:
            os.link(path, held)
        except FileNotFoundError:
            raise
        except OSError:  # a file system without second names
            shutil.copyfile(path, held)
        yield held, path.relative_to(home).as_posix()


def _add(archive: zipfile.ZipFile, path: Path, name: str, files: dict[str, tuple[int, str]]) -> None:
    digest, size = hashlib.sha256(), 0
    info = zipfile.ZipInfo(name, time.localtime(path.stat().st_mtime)[:6])
    info.compress_type = zipfile.ZIP_DEFLATED if name.endswith(PACKED) else zipfile.ZIP_STORED
    info.external_attr = 0o600 << 16
    with path.open("rb") as source, archive.open(info, "w", force_zip64=True) as sink:
        while block := source.read(BLOCK):
            digest.update(block)
            size += len(block)
            sink.write(block)
    files[name] = (size, digest.hexdigest())


# ---- lay back


def verify(file: Path) -> Contents:
    """What a backup holds, once every byte of it was held against its digest. Raises Unusable, OSError."""
    with _opened(file) as archive:
        contents = _contents(archive)
        for name in contents.files:
            _read(archive, contents, name, None)
    return contents


def restore(file: Path, home: Path, *, replace: bool = False) -> tuple[Contents, Path | None]:
    """Lay a backup into `home`; what it held, and the folder that what was there before was moved to, or None.

    Everything is verified before anything is moved. replace: whether what is there may be moved aside. Raises Unusable
    where state is there and may not be, or a program has the database open; OSError.
    """
    contents = verify(file)
    url = make_url(database.address(home))
    target = Path(url.database or database.FILE).resolve() if url.get_backend_name() == "sqlite" else None
    if target is not None and (using := users(target)):
        raise Unusable(f"{using[0]} has the database open: stop the app and its workers first.")
    there = [home / name for name in contents.folders() if (home / name).exists()]
    companions = [target.with_name(f"{target.name}{ending}") for ending in ("", "-wal", "-shm")] if target else []
    there += [path for path in companions if DATABASE in contents.files and path.exists()]
    if there and not replace:
        raise Unusable(f"{there[0]} is there already: say --replace, and what is there is moved aside, not deleted.")
    home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home, prefix="restore-", suffix=".partial") as scratch:
        with _opened(file) as archive:
            for name in contents.files:
                path = Path(scratch) / name
                path.parent.mkdir(parents=True, exist_ok=True)
                with path.open("wb") as sink:
                    _read(archive, contents, name, sink)
                atomic.sync(path)
        aside = home / f"before-restore-{time.strftime('%Y%m%dT%H%M%S')}" if there else None
        if aside:
            aside.mkdir()
            for path in there:
                shutil.move(path, aside / path.name)
        for name in contents.folders():
            if (Path(scratch) / name).exists():
                atomic.rename(Path(scratch) / name, home / name)
        if DATABASE in contents.files and target is not None:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(Path(scratch) / DATABASE, target)
            atomic.sync(target.parent)
    return contents, aside


def users(file: Path) -> list[str]:
    """Programs of this machine, other than this one, that have a file open, as far as this user may know."""
    found = []
    for process in psutil.process_iter(["pid", "name"]):
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and any(Path(one.path) == file for one in process.open_files()):
                found.append(f"{process.info['name']} (process {process.pid})")
    return found


@contextlib.contextmanager
def _opened(file: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(file) as archive:
            yield archive
    except (zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise Unusable(f"{file} is no whole backup: {error}.") from None


def _contents(archive: zipfile.ZipFile) -> Contents:
    """Its list, held against what is in it. Raises Unusable."""
    try:
        written: dict[str, Any] = json.loads(archive.read(CONTENTS))
        if written.pop("version") != VERSION:
            raise Unusable("This backup was made by a newer version of the app.")
        files = {str(name): (int(size), str(digest)) for name, (size, digest) in written.pop("files").items()}
        contents = Contents(**written, files=files)
    except (KeyError, TypeError, AttributeError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise Unusable(f"This file holds no readable {CONTENTS}: it is no backup.") from error
    names = [entry.filename for entry in archive.infolist() if entry.filename != CONTENTS]
    if sorted(names) != sorted(files):
        raise Unusable("Its list of files is not what is in it.")
    tops = {DATABASE, *contents.folders()}
    for name in names:
        parts = PurePosixPath(name).parts
        if parts[0] not in tops or ".." in parts or "\\" in name or PurePosixPath(name).is_absolute():
            raise Unusable(f"{name!r} is no file of a home.")
    return contents


def _read(archive: zipfile.ZipFile, contents: Contents, name: str, sink: IO[bytes] | None) -> None:
    """Read a file of a backup, into `sink` if there is one. Raises Unusable where it is not what was backed up."""
    expected, digest, size = contents.files[name], hashlib.sha256(), 0
    with archive.open(name) as source:
        while size <= expected[0] and (block := source.read(BLOCK)):
            digest.update(block)
            size += len(block)
            if sink is not None:
                sink.write(block)
    if (size, digest.hexdigest()) != expected:
        raise Unusable(f"{name} is not what was backed up.")
