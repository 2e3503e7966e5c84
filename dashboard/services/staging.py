"""What people bring to be imported, kept under FASHION_HOME/uploads: files as they arrive, and places on this machine.

A file arrives in pieces, one after another, over as many connections as it takes: how much of it is here is the size
of the file on the disk, so that a crash loses at most the piece under way. An import reads it where it lies, and a data
set finds its originals there afterwards.
"""

import contextlib
import json
import re
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from dashboard.records.rows import Declined, Full, NotAllowed, ReadOnly
from ml.images.file_names import clean
from ml.people import acting
from ml.settings import Listening, Uploads
from ml.system import atomic, disk, small_files
from ml.system.wording import quantity

ABOUT = "about.json"
FIELDS: dict[str, Callable[[Any], Any]] = {"name": str, "size": int, "created": float, "who": str}
ID = re.compile(r"[0-9a-f]{24}", re.ASCII)
BLOCK = 1 << 20  # bytes read of a piece at a time
PURPOSES = {"": "dataset", "run": "import"}
"""What shall become of something, a data set or a run → the act of asking for it."""
SPARE = 500 * 2**20  # of the disk, which no upload may take
MOST = 200  # of what no data set came from yet: each is looked at whenever one more comes, and listed
FORGOTTEN_DAYS = 7  # after which what no data set came from is thrown away
OUTSIDE = (
    "Places on the server's own disk can be named by the person at the machine alone: this server is open to others. "
    "FASHION_IMPORT_PATHS=1 allows it."
)


class Elsewhere(Declined):
    """A piece does not begin where what is here ends; the sender asks how far it is, and goes on from there."""


class Receiving(Declined):
    """Another piece of the same file is being written just now."""


@dataclass(frozen=True)
class Staged:
    """Something to import. name: as people know it; size: bytes when it is whole; place: the file, or what was named;
    created: seconds since 1970; who brought it, '' where nobody has a name; dataset: what was made of it; purpose: of
    PURPOSES, what shall be."""

    id: str
    name: str
    size: int
    place: Path
    created: float
    who: str = ""
    is_path: bool = False
    dataset: str = ""
    purpose: str = ""
    offset: int = 0  # bytes that are here

    @property
    def whole(self) -> bool:
        return self.is_path or self.offset == self.size


class Staging:
    """The uploads of one home folder. Thread-safe, and safe beside another process that reads."""

    def __init__(self, home: Path, *, read_only: bool = False) -> None:
        self.folder, self.read_only = home / "uploads", read_only
        self._lock = threading.Lock()
        self._writing: set[str] = set()

    # ---- bring

    def create(self, name: str, size: int, purpose: str = "") -> Staged:
        """Room for a file of that size. Raises Declined: over the quota, more than the disk has, too many wait."""
        self.permit(purpose)
        most = Uploads.read().bytes
        if size > most:
            raise Declined(f"{name[:60]} has {gigabytes(size)}; {gigabytes(most)} are the most that may be uploaded.")
        used = sum(one.size for one in self._counted() if not one.is_path)
        if used + size > most:
            raise Declined(
                f"{gigabytes(used)} of {gigabytes(most)} for uploads are taken, and this has {gigabytes(size)}: remove "
                "one that is not needed any more, or set FASHION_UPLOAD_GB."
            )
        with self._writable():
            free = shutil.disk_usage(self.folder).free
            if free < disk.ROOM:
                raise Full()
            if free - size < SPARE:
                left = gigabytes(max(free - SPARE, 0))
                raise Declined(f"The disk has {left} left for it; this has {gigabytes(size)}.")
            return self._begin(name, size, purpose=purpose)

    def point(self, path: str) -> Staged:
        """A folder or file of this machine, by its path, which is read where it is. Raises Declined."""
        self.permit()
        if not paths_allowed():
            raise Declined(OUTSIDE)
        place = Path(path.strip()).expanduser()
        if not path.strip() or not place.is_absolute() or not place.exists():
            there = path.strip()[:200] or "an empty path"
            raise Declined(f"There is nothing at {there}. Write the whole path.", "path")
        self._counted()
        with self._writable():
            return self._begin(place.name or str(place), 0, place.resolve())

    def append(self, staged_id: str, offset: int, stream: IO[bytes]) -> int:
        """Write a piece at the end of what is here; how much is here then, also where the piece broke off.

        Raises Declined: Elsewhere where the file does not end at `offset`, Receiving, Full.
        """
        self.permit()
        staged = self.get(staged_id)
        if staged is None or staged.is_path:
            raise Declined("This upload is not here any more.")
        with self._lock:
            if staged_id in self._writing:
                raise Receiving("Another piece of this file is being written just now.")
            self._writing.add(staged_id)
        try:
            return self._append(staged, offset, stream)
        finally:
            with self._lock:
                self._writing.discard(staged_id)

    def _append(self, staged: Staged, offset: int, stream: IO[bytes]) -> int:
        with self._writable(), staged.place.open("ab") as file:
            here = file.tell()
            if here != offset:
                raise Elsewhere(f"{here} bytes of this file are here.")
            while piece := stream.read(min(BLOCK, staged.size - here + 1)):
                if here + len(piece) > staged.size:
                    file.truncate(offset)
                    raise Declined("This is more than the file was said to have.")
                file.write(piece)
                here += len(piece)
            return here

    # ---- look

    def get(self, staged_id: object) -> Staged | None:
        """None where it is not here (any more)."""
        if not isinstance(staged_id, str) or not ID.fullmatch(staged_id):
            return None
        try:
            about = small_files.document(self.folder / staged_id / ABOUT)
            is_path = bool(about["path"])
            place = Path(about["path"]) if is_path else self.folder / staged_id / about["file"]
            offset = 0 if is_path else place.stat().st_size
            known = {name: kind(about[name]) for name, kind in FIELDS.items()}
            return Staged(
                staged_id, **known, place=place, is_path=is_path, dataset=about.get("dataset", ""),
                purpose=about.get("purpose", ""), offset=offset,
            )  # fmt: skip
        except (OSError, ValueError, OverflowError, KeyError, TypeError):
            return None

    def listing(self) -> list[Staged]:
        """Newest first."""
        try:
            names = [entry.name for entry in self.folder.iterdir()]
        except OSError:
            return []
        found = [one for name in names if (one := self.get(name)) is not None]
        return sorted(found, key=lambda one: (-one.created, one.id))

    # ---- change

    def imported(self, staged_id: str, dataset: str) -> None:
        """Write down what was made of it, so that it stays as long as that does."""
        with contextlib.suppress(OSError, Declined):
            self._change(staged_id, dataset=dataset)

    def remove(self, staged_id: str) -> None:
        """Throw it away; what was named by its path stays where it is. Raises Declined."""
        self.permit()
        if self.get(staged_id) is None:
            raise Declined("This upload is not here any more.")
        shutil.rmtree(self.folder / staged_id, ignore_errors=True)

    def sweep(self, known: frozenset[str], now: float | None = None) -> None:
        """Throw away what has lain for FORGOTTEN_DAYS and is of no data set there is. known: names of data sets."""
        if self.read_only:
            return
        limit = (time.time() if now is None else now) - FORGOTTEN_DAYS * 86_400
        for one in self.listing():
            if one.created < limit and one.dataset not in known:
                shutil.rmtree(self.folder / one.id, ignore_errors=True)

    def used(self) -> int:
        """Bytes on the disk."""
        return sum(one.offset for one in self.listing())

    def _counted(self) -> list[Staged]:
        """All that is here. Raises Declined where that is enough."""
        here = self.listing()
        if sum(not one.dataset for one in here) >= MOST:
            raise Declined(f"{MOST} uploads wait here already: import some, or remove what is not needed any more.")
        return here

    def _begin(self, name: str, size: int, path: Path | None = None, purpose: str = "") -> Staged:
        staged_id = secrets.token_hex(12)
        file = filed(name)
        about: dict[str, Any] = {
            "name": clean(name)[:120],
            "size": size,
            "created": time.time(),
            "who": acting.name(),
            "file": file,
            "path": str(path) if path is not None else "",
            "purpose": purpose,
        }
        folder = self.folder / staged_id
        folder.mkdir(parents=True)
        if path is None:
            (folder / file).touch()
        atomic.write(folder / ABOUT, json.dumps(about).encode())
        staged = self.get(staged_id)
        assert staged is not None
        return staged

    def _change(self, staged_id: str, **values: str) -> None:
        file = self.folder / staged_id / ABOUT
        about = small_files.document(file)
        atomic.write(file, json.dumps({**about, **values}).encode())

    def permit(self, purpose: str = "") -> None:
        """Raises Declined where nothing may be brought, or not by whoever asks."""
        if self.read_only:
            raise ReadOnly
        try:
            acting.permit(PURPOSES[purpose])
        except acting.NotAllowed as no:
            raise NotAllowed(str(no)) from None

    @contextlib.contextmanager
    def _writable(self) -> Iterator[None]:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            yield
        except OSError as error:
            raise Full() if disk.full(error) else Declined("The app's data folder cannot be written to.") from error


def paths_allowed() -> bool:
    """Whether places on this machine's disk may be named: where it alone is listened to, or where a setting says so."""
    allowed = Uploads.read().paths
    if allowed is not None:
        return allowed
    listening = Listening.read()
    return not listening.password and listening.host in ("", "127.0.0.1", "localhost", "::1")


def filed(name: str) -> str:
    """A name for a file on the disk that keeps its suffixes, by which some formats are known."""
    last = name.replace("\\", "/").rpartition("/")[2]
    return re.sub(r"[^A-Za-z0-9._-]", "_", last)[-80:].lstrip(".") or "file"


def gigabytes(size: int) -> str:
    """Bytes in words: 1.2 GB, 35 MB, 12 kB, 7 bytes."""
    if size >= 10**9:
        return f"{size / 1e9:.1f} GB"
    if size >= 10**6:
        return f"{size / 1e6:,.0f} MB"
    return f"{size / 1e3:,.0f} kB" if size >= 1_000 or not size else quantity(size, "byte")
