"""Deleted runs and data sets: moved whole to a trash under their name and the time, brought back for 30 days."""

import contextlib
import json
import re
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ml.system import atomic, small_files
from ml.system.content_addressed import Gone

KEPT_DAYS = 30
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}", re.ASCII)  # of a run or a data set
FOLDER = re.compile(rf"(?P<run_id>{NAME.pattern})-(?P<stamp>\d{{8}}t\d{{12}})", re.ASCII)
STAMP = "%Y%m%dt%H%M%S%f"
MOST_BYTES = 1 << 22
OVERDUE = ".overdue.json"  # in the trash: since when which folder is known to be overdue
RUNS, DATASETS = "runs", "datasets"  # folders of a home
CALLED = {RUNS: "run", DATASETS: "data set"}


@dataclass(frozen=True)
class Deleted:
    """A run, or a data set, in the trash. run_id: its name; folder: its name there; at: when it was deleted, UTC."""

    run_id: str
    folder: str
    at: datetime

    @property
    def until(self) -> datetime:
        """When it is thrown away for good."""
        return self.at + timedelta(days=KEPT_DAYS)


def name(run_id: str, at: datetime | None = None) -> str:
    """The folder a run deleted at that time (now, when None) is moved to."""
    if not NAME.fullmatch(run_id):
        raise ValueError(f"{run_id!r} is no run id")
    return f"{run_id}-{(at or datetime.now(UTC)).strftime(STAMP)}"


def put(home: Path, run_id: str, folder: str, of: str = RUNS) -> None:
    """Move home/<of>/<run_id> to its trash as <folder>, in one step. Raises OSError, FileNotFoundError among them."""
    if _read(folder) is None or not NAME.fullmatch(run_id):
        raise ValueError(f"{folder!r} is no folder of the trash")
    (_kept(home, of)).mkdir(parents=True, exist_ok=True)
    atomic.rename(home / of / run_id, _kept(home, of) / folder)


def restore(home: Path, folder: str, of: str = RUNS) -> str:
    """Move it back to where it was; its name. Raises Gone, FileExistsError, OSError."""
    deleted = next((one for one in listing(home, of) if one.folder == folder), None)
    if deleted is None:
        raise Gone(f"This {CALLED[of]} is not in the trash any more.")
    target = home / of / deleted.run_id
    if target.exists():
        raise FileExistsError(f"There is another {CALLED[of]} named {deleted.run_id} now.")
    target.parent.mkdir(parents=True, exist_ok=True)
    atomic.rename(_kept(home, of) / folder, target)
    return deleted.run_id


def listing(home: Path, of: str = RUNS) -> list[Deleted]:
    """What can be brought back, the last deleted first."""
    try:
        inside = [_read(entry.name) for entry in (_kept(home, of)).iterdir()]
    except OSError:
        return []
    return sorted((one for one in inside if one is not None), key=lambda one: one.at, reverse=True)


def way_back(home: Path, dataset: str) -> str:
    """The command that brings a data set back which was put away; '' for any other."""
    kept = any(one.run_id == dataset for one in listing(home, DATASETS))
    return f"python -m ml data restore {dataset}" if kept else ""


def purge(home: Path, now: datetime | None = None, of: str = RUNS, keep: frozenset[str] = frozenset()) -> list[str]:
    """Throw away for good what has been in the trash for KEPT_DAYS; the names of those. keep: names that stay.

    It must have been overdue when this was last asked too, a day ago or longer: a clock that is years ahead, as after
    an empty battery, is set right before then, and would cost everything.
    """
    now = now or datetime.now(UTC)
    overdue = [one for one in listing(home, of) if one.until <= now and one.run_id not in keep]
    found, gone = _overdue(home, of), []
    found = {one.folder: min(found.get(one.folder, now), now) for one in overdue}
    for one in overdue:
        if now - found[one.folder] < timedelta(days=1):
            continue
        path = _kept(home, of) / one.folder
        if path.is_symlink():
            path.unlink(missing_ok=True)
        else:
            shutil.rmtree(path, ignore_errors=True)
        gone.append(one.run_id)
    note = _kept(home, of) / OVERDUE
    left = {one.folder: found[one.folder].isoformat() for one in overdue if one.run_id not in gone}
    with contextlib.suppress(OSError):
        if left:
            atomic.write(note, json.dumps(left))
        else:
            note.unlink(missing_ok=True)
    return gone


def _overdue(home: Path, of: str) -> dict[str, datetime]:
    """Since when which folder is known to be overdue."""
    try:
        told = small_files.document(_kept(home, of) / OVERDUE, MOST_BYTES)
        return {folder: datetime.fromisoformat(at).astimezone(UTC) for folder, at in told.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _kept(home: Path, of: str) -> Path:
    return home / "trash" if of == RUNS else home / "datasets" / ".trash"


def _read(folder: str) -> Deleted | None:
    match = FOLDER.fullmatch(folder)
    if match is None:
        return None
    try:
        at = datetime.strptime(match["stamp"], STAMP).replace(tzinfo=UTC)
    except ValueError:
        return None
    return Deleted(match["run_id"], folder, at)
