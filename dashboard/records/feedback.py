"""What people say of an answer: one row each in the database, its pictures beside it as files under random names.

A picture is on the disk before the row that names it, so a row never lacks its picture; a picture whose row was never
written is an orphan, which `sweep` takes away. Nothing here knows an address of a person: a client is a random number
that the browser keeps, an address the mark that this database's secret makes of one. Both cap a visitor's part, as one
who sends no cookie back is a new client each time. What is done with a row is written down beside it, with who did it.
"""

import contextlib
import hashlib
import hmac
import logging
import re
import secrets
import threading
import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from dashboard.records.feedback_tables import (
    CLASS,
    COLUMNS,
    MIGRATIONS,
    NOTE,
    WHO,
    Deed,
    Filter,
    Item,
    log_table,
    secret_table,
)
from dashboard.records.feedback_tables import feedback_table as _feedback
from dashboard.records.rows import HOUSEKEEPING, Declined, Full, Opener, Rows
from dashboard.state.vocabulary import STATES
from ml.people import acting, happenings
from ml.system import disk

OWNER = "feedback"
KEY_PATTERN = re.compile(r"^[0-9a-f]{32}$")  # idempotency keys, clients and names of pictures
CLIENT_CAP, ADDRESS_CAP, TOTAL_CAP = 200, 500, 5_000  # answers kept of one client, of one address, and of all
BYTES_CAP = 10**9  # of all pictures
SHARE = 10  # of them, the part that one address may have
MAX_FEEDBACK_ROWS = 500  # rows at once
VALUES_PER_QUERY = 500  # values in one query
UNDO_SECONDS = 24 * 3600.0  # a deleted row and its pictures stay so long, to be brought back
ORPHAN_SECONDS = 3600.0  # a younger picture may belong to a row that is being written
NO_ROOM = "There is no room for more feedback just now: {} are kept in all. Somebody has to go through them first."
CROWDED = "So much feedback is kept from your address that there is no room for more. Somebody has to go through it."
ENOUGH = "You have given feedback on {} pictures, as many as are kept of one visitor. Thank you."
EVERYTHING = Filter()
log = logging.getLogger(__name__)

Put = Callable[[Path, bytes], None]


class Feedback(Rows):
    """The feedback of one database, with its pictures in one folder. Without a folder nothing is taken."""

    owner = OWNER
    migrations = MIGRATIONS

    def __init__(
        self,
        opener: Opener | None = None,
        folder: Path | None = None,
        put: Put | None = None,
        *,
        read_only: bool = False,
        client_cap: int = CLIENT_CAP,
        address_cap: int = ADDRESS_CAP,
        total_cap: int = TOTAL_CAP,
    ) -> None:
        """put(file, content): writes a file so that after a crash it is there as a whole or not at all."""
        super().__init__(opener, read_only=read_only)
        self.folder, self._put = folder, put
        self.client_cap, self.address_cap, self.total_cap = client_cap, address_cap, total_cap
        self._key = b""
        self._turn = threading.Lock()  # SQLite's writers poll for their turn; threads of one process need not

    # ---- which answers this server has given

    def signature(self, *parts: str | bytes) -> str:
        """A mark that only this database's servers can make: 32 digits for these parts; '' without a database."""
        if not self._key:
            rows = self.rows(select(secret_table.c.value))
            self._key = bytes.fromhex(rows[0]["value"]) if rows else b""
        if not self._key:
            return ""
        digest = hmac.new(self._key, digestmod=hashlib.sha256)
        for part in parts:
            whole = part.encode() if isinstance(part, str) else part
            digest.update(len(whole).to_bytes(8, "big") + whole)
        return digest.hexdigest()[:32]

    def signed(self, mark: object, *parts: str | bytes) -> bool:
        """Whether `signature` gave this mark to these parts."""
        own = self.signature(*parts)
        return bool(own) and isinstance(mark, str) and mark.isascii() and hmac.compare_digest(mark, own)

    # ---- take

    def give(
        self,
        *,
        key: str,
        run: str,
        dataset: str,
        said: str,
        confidence: float,
        label: str,
        note: str,
        client: str,
        picture: bytes,
        sent: bytes | None = None,
        origin: str = "",
        address: str = "",
    ) -> tuple[Item, bool]:
        """Keep one judgement; on the disk when this returns. The row, and whether it is new: a key is kept once.

        picture, sent: PNG files, as the network saw it and as it came; address: the mark of the sender's, '' for none.
        Raises Declined.
        """
        self.permit("feedback")
        if self.folder is None or self._put is None:
            raise Declined("This server keeps no feedback.")
        if not KEY_PATTERN.fullmatch(key) or not KEY_PATTERN.fullmatch(client):
            raise Declined("This is no feedback of this app's pages.")
        if not 1 <= len(label) <= CLASS or len(note) > NOTE:
            raise Declined(f"Note: at most {NOTE} characters.", "note")
        known = self.rows(select(*COLUMNS).where(_feedback.c.key == key))
        if known:
            return Item(**known[0]), False
        name = secrets.token_hex(16)
        files = {self.folder / f"{name}.png": picture}
        if sent is not None:
            files[self.folder / f"{name}.sent.png"] = sent
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            for file, content in files.items():
                self._put(file, content)
        except OSError as error:
            log.warning("feedback pictures cannot be written: %s", error)
            self._discard([name])
            if disk.full(error):
                raise Full from error
            raise Declined("The picture cannot be kept: the app's data folder cannot be written to.") from error
        row: dict[str, Any] = {
            "key": key, "run": run, "dataset": dataset, "said": said, "confidence": confidence, "right": said == label,
            "label": label, "note": note, "at": time.time(), "client": client, "state": "new", "picture": name,
            "sent": sent is not None, "bytes": sum(map(len, files.values())), "origin": origin, "deleted": 0.0,
            "address": address, "who": acting.name(),
        }  # fmt: skip
        try:
            with self._turn, self.writing("feedback") as connection:
                twin = connection.execute(select(*COLUMNS).where(_feedback.c.key == key)).mappings().first()
                if twin is None:
                    _room(self, connection, client, address, row["bytes"])
                    made = connection.execute(insert(_feedback).values(row).returning(*COLUMNS)).mappings().one()
                    happenings.note(connection, "feedback", run, f"{made['number']}: {said} is {label}")
        except Declined as declined:
            if declined.__cause__ is None:  # a commit that failed may have come through: `sweep` will know
                self._discard([name])
            raise
        if twin is not None:
            self._discard([name])
            return Item(**twin), False
        return Item(**made), True

    # ---- look

    def listing(self, chosen: Filter = EVERYTHING, *, limit: int | None = None, start: int = 0) -> list[Item]:
        """Newest first."""
        query = select(*COLUMNS).where(*_where(chosen)).order_by(_feedback.c.number.desc()).limit(limit).offset(start)
        return [Item(**row) for row in self.rows(query)]

    def counts(self, chosen: Filter = EVERYTHING) -> dict[str, int]:
        """state → how many rows the filter leaves, its own state aside."""
        loose = Filter("", chosen.run, chosen.labels, chosen.text)
        query = select(_feedback.c.state, func.count().label("n")).where(*_where(loose)).group_by(_feedback.c.state)
        totals = {row["state"]: int(row["n"]) for row in self.rows(query)}
        return {state: totals.get(state, 0) for state in STATES}

    def labels(self) -> list[str]:
        """Classes that anything was said to be."""
        query = select(_feedback.c.label).where(_feedback.c.deleted == 0).distinct().order_by(_feedback.c.label)
        return [row["label"] for row in self.rows(query)]

    def accepted(self, dataset: str) -> list[Item]:
        """Of one data set, oldest first."""
        mine = (
            _feedback.c.dataset == dataset,
            _feedback.c.state == "accepted",
            _feedback.c.deleted == 0,
        )
        return [Item(**row) for row in self.rows(select(*COLUMNS).where(*mine).order_by(_feedback.c.number))]

    def deeds(self, limit: int | None = None) -> list[Deed]:
        """What was done with rows, also with those that are gone for good; newest first."""
        return [Deed(**row) for row in self.rows(select(log_table).order_by(log_table.c.number.desc()).limit(limit))]

    def trashed(self) -> list[int]:
        """Numbers of what was deleted last, together; () once that is gone for good."""
        last = select(func.max(_feedback.c.deleted)).scalar_subquery()
        query = select(_feedback.c.number).where(_feedback.c.deleted > 0, _feedback.c.deleted == last)
        return [int(row["number"]) for row in self.rows(query)]

    def readable(self) -> bool:
        """Whether the rows can be read just now."""
        return self.opened() is not None

    def picture(self, name: str, sent: bool = False) -> bytes:
        """A PNG by its random name. Raises LookupError where there is none that may be shown."""
        query = select(_feedback.c.sent).where(_feedback.c.picture == name, _feedback.c.deleted == 0)
        rows = self.rows(query) if KEY_PATTERN.fullmatch(name) and self.folder is not None else []
        if not rows or self.folder is None or (sent and not rows[0]["sent"]):
            raise LookupError("There is no such picture.")
        try:
            return (self.folder / f"{name}{'.sent' if sent else ''}.png").read_bytes()
        except OSError:
            raise LookupError("There is no such picture.") from None

    # ---- change

    def judge(self, numbers: Collection[int], state: str, who: str = "") -> int:
        """Accept or reject rows, or make them new again; how many there were. Raises Declined."""
        if state not in STATES:
            raise Declined(f"State: one of {', '.join(STATES)}.")
        return self._change(numbers, {"state": state}, _feedback.c.deleted == 0, state, who)

    def remove(self, numbers: Collection[int], who: str = "") -> int:
        """Delete rows: unseen at once, gone for good, with their pictures, after a day. Raises Declined."""
        return self._change(numbers, {"deleted": time.time()}, _feedback.c.deleted == 0, "deleted", who)

    def restore(self, numbers: Collection[int], who: str = "") -> int:
        """Bring deleted rows back. Raises Declined."""
        back = self._change(numbers, {"deleted": 0.0}, _feedback.c.deleted > 0, "restored", who)
        if not back:
            raise Declined("There is nothing to bring back.")
        return back

    def _change(self, numbers: Collection[int], values: dict[str, Any], which: Any, what: str, who: str) -> int:
        """The change and who made it, in one transaction."""
        if not 1 <= len(numbers) <= MAX_FEEDBACK_ROWS:
            raise Declined(f"Choose 1 to {MAX_FEEDBACK_ROWS} of them.")
        with self._turn, self.writing("judge") as connection:
            change = update(_feedback).where(_feedback.c.number.in_(numbers), which).values(values)
            changed = connection.scalars(change.returning(_feedback.c.number)).all()
            deed = {"what": what, "who": who[:WHO], "at": time.time()}
            if changed:
                connection.execute(insert(log_table), [{"feedback": number, **deed} for number in sorted(changed)])
                some = ", ".join(map(str, sorted(changed)[:10])) + ("" if len(changed) <= 10 else " and others")
                happenings.note(connection, "judge", "feedback", f"{some}: {what}")
            return len(changed)

    # ---- tidy

    def sweep(self, now: float | None = None) -> tuple[int, int]:
        """Erase what was deleted a day ago, then pictures without a row; how many of each. Never raises."""
        now = time.time() if now is None else now
        if self.read_only or self.folder is None or not self.folder.is_dir() or self.opened() is None:
            return 0, 0
        erased: Sequence[str] = ()
        with contextlib.suppress(Declined), self._turn, self.writing(HOUSEKEEPING) as connection:
            old = (_feedback.c.deleted > 0, _feedback.c.deleted < now - UNDO_SECONDS)
            erased = connection.scalars(delete(_feedback).where(*old).returning(_feedback.c.picture)).all()
        self._discard(erased)
        return len(erased), self._orphans(now)

    def _orphans(self, now: float) -> int:
        """Pictures that no row names. A name that cannot be looked up is left alone."""
        if self.folder is None:
            return 0
        files: dict[str, list[Path]] = {}
        for file in self.folder.iterdir():
            name = file.name.partition(".")[0]
            with contextlib.suppress(OSError):
                if KEY_PATTERN.fullmatch(name) and file.stat().st_mtime < now - ORPHAN_SECONDS:
                    files.setdefault(name, []).append(file)
        names, gone = list(files), 0
        opened = self.opened()
        for start in range(0, len(names), VALUES_PER_QUERY):
            some = names[start : start + VALUES_PER_QUERY]
            if opened is None:
                break
            try:
                with opened[0].connect() as connection:
                    query = select(_feedback.c.picture).where(_feedback.c.picture.in_(some))
                    kept = set(connection.scalars(query))
            except Exception:  # whatever the driver raises: unread rows must not cost their pictures
                log.exception("feedback cannot be swept")
                break
            for file in (file for name in some if name not in kept for file in files[name]):
                file.unlink(missing_ok=True)
                gone += 1
        return gone

    def _discard(self, names: Collection[str]) -> None:
        for name in names:
            for file in self.folder.glob(f"{name}.*") if self.folder is not None else ():
                with contextlib.suppress(OSError):
                    file.unlink(missing_ok=True)


def _where(chosen: Filter) -> list[Any]:
    wanted: list[Any] = [_feedback.c.deleted == 0]
    if chosen.state:
        wanted.append(_feedback.c.state == chosen.state)
    if chosen.run:
        wanted.append(_feedback.c.run == chosen.run)
    if chosen.labels:
        wanted.append(_feedback.c.label.in_(chosen.labels))
    if chosen.text:
        sought = (_feedback.c.note, _feedback.c.label, _feedback.c.said, _feedback.c.run)
        matches = [column.icontains(chosen.text, autoescape=True) for column in sought]
        wanted.append(matches[0] | matches[1] | matches[2] | matches[3])
    return wanted


def _room(kept: Feedback, connection: Connection, client: str, address: str, more: int) -> None:
    """Raise Declined where the caps are reached. What was deleted takes no place."""
    here = _feedback.c.deleted == 0
    total = select(func.count(), func.coalesce(func.sum(_feedback.c.bytes), 0)).where(here)
    n, used = connection.execute(total).one()
    if n >= kept.total_cap or used + more > BYTES_CAP:
        raise Declined(NO_ROOM.format(f"{kept.total_cap:,}" if n >= kept.total_cap else f"{BYTES_CAP // 10**6:,} MB"))
    mine = connection.scalar(select(func.count()).where(here, _feedback.c.client == client))
    if (mine or 0) >= kept.client_cap:
        raise Declined(ENOUGH.format(f"{kept.client_cap:,}"))
    if address:
        n, used = connection.execute(total.where(_feedback.c.address == address)).one()
        if n >= kept.address_cap or used + more > BYTES_CAP // SHARE:
            raise Declined(CROWDED)
