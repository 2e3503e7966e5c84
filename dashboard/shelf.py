"""Door KEEP: puts runs away and brings them back, packs them up and takes them in; the folders behind the records."""

import contextlib
import logging
from datetime import UTC, datetime
from pathlib import Path

from dashboard.jobs import Jobs
from dashboard.records import Change, Declined, Records
from ml.artifacts import trash
from ml.artifacts.reader import Library, Missing, RunEntry
from ml.artifacts.trash import KEPT_DAYS, Deleted

__all__ = ["KEPT_DAYS", "Deleted", "Shelf"]

log = logging.getLogger(__name__)

UNWRITABLE = "The app's data folder cannot be written to, so the run stays where it is."


class Shelf:
    """The run folders of one library. Every change is a row of the records too, and both happen or neither."""

    def __init__(self, library: Library, jobs: Jobs, records: Records) -> None:
        self.library, self._jobs, self._records = library, jobs, records

    @property
    def home(self) -> Path:
        return self.library.home

    def entry(self, run_id: object) -> RunEntry:
        """A run of the listing, broken ones too. Raises Declined."""
        for entry in self.library.runs():
            if entry.run_id == run_id:
                return entry
        raise Declined("This run is not here any more.")

    def names(self) -> frozenset[str]:
        """Every id that is a run or was one: none of them can name a new run."""
        here = {entry.run_id for entry in self.library.runs()}
        return frozenset(here | self._records.marks().deleted() | {one.run_id for one in trash.listing(self.home)})

    # ---- delete

    def deleted(self) -> list[Deleted]:
        """What can be brought back, the last deleted first."""
        return trash.listing(self.home)

    def delete(self, run_id: str) -> str:
        """Move a run of this user's to the trash; the folder there, by which it can be restored. Raises Declined."""
        entry = self.entry(run_id)
        if entry.shipped:
            raise Declined("This run ships with the app: it can be archived, not deleted.")
        if self._records.marks().default == run_id:
            raise Declined("This run is the default: promote another one first.")
        folder = trash.name(run_id, datetime.now(UTC))
        moved = False
        try:
            with self._records.deleting(run_id, folder):
                if self._jobs.at_work(run_id):
                    raise Declined("A job works on this run just now: let it end, or cancel it first.")
                trash.put(self.home, run_id, folder)
                moved = True
        except FileNotFoundError:
            raise Declined("This run is not here any more.") from None
        except OSError as error:
            log.warning("run %s cannot be moved: %s", run_id, error)
            raise Declined(UNWRITABLE) from error
        except Declined:
            if moved:  # the row could not be committed
                with contextlib.suppress(OSError, Missing):
                    trash.restore(self.home, folder)
            raise
        return folder

    def restore(self, folder: str) -> str:
        """Bring a run back from the trash; its id. Raises Declined."""
        found = next((one for one in self.deleted() if one.folder == folder), None)
        if found is None:
            raise Declined("This run is not in the trash any more.")
        if any(entry.run_id == found.run_id for entry in self.library.runs()):
            raise Declined(f"There is another run named {found.run_id} now, so this one stays in the trash.")
        moved = False
        try:
            with self._records.deleting(found.run_id, ""):
                trash.restore(self.home, folder)
                moved = True
        except (Missing, FileExistsError) as error:
            raise Declined(str(error)) from None
        except OSError as error:
            log.warning("run %s cannot be brought back: %s", found.run_id, error)
            raise Declined(UNWRITABLE) from error
        except Declined:
            if moved:
                with contextlib.suppress(OSError):
                    trash.put(self.home, found.run_id, folder)
            raise
        return found.run_id

    def undo(self, change: Change) -> str:
        """Bring back what a change replaced; the run's id. Raises Declined."""
        if change.what == "deleted":
            return self.restore(str(change.after))
        return self._records.undo(change.number).run_id

    def purge(self) -> list[str]:
        """Throw away for good what has been in the trash for KEPT_DAYS; the ids of those runs."""
        return [] if self._records.read_only else trash.purge(self.home)
