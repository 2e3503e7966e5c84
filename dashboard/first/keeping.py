"""First screens that were drawn lately, for whoever opens the same page while nothing that it shows has changed."""

import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

from flask import request

from dashboard.data.cache import Cache
from dashboard.data.store import Store
from ml.people import acting

KEPT = 4  # screens in memory, up to some 700 kB each
clock = time.monotonic
SECONDS = 60.0  # after which one is drawn again, whatever stands behind it


class Passing(Exception):
    """What was made is not to be kept; made: what it was."""

    def __init__(self, made: Any) -> None:
        super().__init__("not kept")
        self.made = made


@dataclass(frozen=True)
class Drawn:
    """What makes first screens once for all who may see the same.

    still: whether what the document of a path brings follows from its address, its reader, the runs, their pictures and
    the database alone; changes: what stands for everything that was ever committed to the database, None where nobody
    can tell.
    """

    store: Store
    still: Callable[[str], bool]
    changes: Callable[[], Hashable | None]
    kept: Cache

    def get(self, mode: str, make: Callable[[], Any]) -> Any:
        """make() for the current request, or what it gave before; what it raises as Passing is given and not kept.

        mode: light or dark, '' where the browser does not say.
        """
        key = self.key(mode) if self.still(request.path) else None
        try:
            return make() if key is None else self.kept.get(key, make)
        except Passing as passing:
            return passing.made

    def key(self, mode: str) -> Hashable | None:
        """What a screen is made of besides the app itself; None where that cannot be told."""
        written = self.changes()
        if written is None:
            return None
        sets = {one.manifest["dataset"]["name"] for one in self.store.runs() if one.ok}
        return (
            request.script_root,
            request.path,
            request.query_string,
            mode,
            acting.person(),
            written,
            self.store.library.stamp(),
            tuple(self.store.picture_set(name) for name in sorted(sets)),
            clock() // SECONDS,
        )
