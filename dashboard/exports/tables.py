"""Every panel's data as CSV: /export/<noun>.csv with the page's own query; each panel names its tables in TABLES."""

from collections.abc import Callable

from dashboard.data.pair import RunPair
from dashboard.data.run import RunData
from dashboard.services.container import Services
from dashboard.state.selection import Selection

Table = tuple[list[str], list[list]]  # head, rows
Builder = Callable[[Services, Selection], tuple[str, Table]]  # what a file's name begins with, and its table


def of_run(rows: Callable[[RunData, Selection], Table]) -> Builder:
    """A table about the run that pages show for the selection."""

    def built(services: Services, selection: Selection) -> tuple[str, Table]:
        run = services.store.shown(selection.run).for_selection(selection)
        return run.run_id, rows(run, selection)

    return built


def of_pair(rows: Callable[[RunPair, Selection], Table]) -> Builder:
    """A table about the two runs that the Comparison page shows."""

    def built(services: Services, selection: Selection) -> tuple[str, Table]:
        pair = services.store.compare(selection)
        return f"{pair.a.run_id}-{pair.b.run_id}", rows(pair, selection)

    return built


def of_services(rows: Callable[[Services, Selection], Table]) -> Builder:
    """A table for which something has to be computed first."""

    def built(services: Services, selection: Selection) -> tuple[str, Table]:
        return services.store.shown(selection.run).run_id, rows(services, selection)

    return built
