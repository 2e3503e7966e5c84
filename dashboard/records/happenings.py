"""What was done here, by whom and when; every change of the database is a row, written with it."""

from collections.abc import Sequence

from dashboard.records.rows import Rows
from ml.people import happenings
from ml.people.happenings import EVERYTHING, NAMELESS, SHOWN, Happening, Wanted
from ml.people.tables import MIGRATIONS, OWNER

__all__ = ["EVERYTHING", "NAMELESS", "SHOWN", "Happening", "Happenings", "Wanted"]


class Happenings(Rows):
    """The list, to look at."""

    owner = OWNER
    migrations = MIGRATIONS

    def listing(self, wanted: Wanted = EVERYTHING, limit: int | None = None) -> Sequence[Happening]:
        """Newest first; empty where the database cannot be read."""
        return [Happening(**row) for row in self.rows(happenings.query(wanted, limit))]

    def names(self) -> list[str]:
        """Everybody who did something, '' among them where somebody had no name."""
        return [row["who"] for row in self.rows(happenings.names())]
