"""Every panel's data as CSV: /export/<noun>.csv with the page's own query; each panel names its tables in TABLES.

Which rows and columns; the file is written by dashboard.format.csv.
"""

from collections.abc import Callable

from dashboard.analysis import permalinks
from dashboard.data.pair import RunPair
from dashboard.data.run import RunData
from dashboard.data.store import Store
from dashboard.format.csv import Source
from dashboard.services.container import Services
from dashboard.state.selection import Selection
from ml.artifacts.reader import Broken, Missing

Table = tuple[list[str], list[list]]  # head, rows
Builder = Callable[[Services, Selection], tuple[Source, Table]]
Beside = Callable[[Store, Selection, RunData], RunData | None]  # the second run that a table says something of


def where_asked(store: Store, selection: Selection, run: RunData) -> RunData | None:
    """The other run where it says which images are selected. Raises Missing, Broken."""
    return always(store, selection, run) if permalinks.about_two(selection) else None


def always(store: Store, selection: Selection, run: RunData) -> RunData | None:
    """The other run whatever is selected. Raises Missing where there is none, Broken."""
    return store.other(run, selection.against)


def of_run(rows: Callable[[RunData, Selection], Table], *, beside: Beside = where_asked) -> Builder:
    """A table about the run that pages show for the selection."""

    def built(services: Services, selection: Selection) -> tuple[Source, Table]:
        run = services.store.shown(selection.run).for_selection(selection)
        return source(services.store, selection, run, beside), rows(run, selection)

    return built


def of_pair(rows: Callable[[RunPair, Selection], Table]) -> Builder:
    """A table about the two runs that the Comparison page shows."""

    def built(services: Services, selection: Selection) -> tuple[Source, Table]:
        pair = services.store.compare(selection)
        return Source.of(pair.a, pair.b), rows(pair, selection)

    return built


def of_services(rows: Callable[[Services, Selection], Table], *, beside: Beside = where_asked) -> Builder:
    """A table for which something has to be computed first."""

    def built(services: Services, selection: Selection) -> tuple[Source, Table]:
        run = services.store.shown(selection.run)
        return source(services.store, selection, run, beside), rows(services, selection)

    return built


def source(store: Store, selection: Selection, run: RunData, beside: Beside) -> Source:
    """What such a table was drawn from."""
    try:
        return Source.of(run, beside(store, selection, run))
    except (Missing, Broken):  # then the table does without it, or says so itself
        return Source.of(run)
