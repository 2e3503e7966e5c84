"""Every panel's data as CSV: /export/<noun>.csv with the page's own query; each panel names its tables in TABLES."""

import base64
import csv
import io
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
        run = services.store.shown(selection.run).asked(selection)
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


def url(noun: str, selection: Selection) -> str:
    """The address of a table as the selection narrows it."""
    return f"/export/{noun}.csv{selection.query()}"


def safe(value: object) -> object:
    """A text cell that a spreadsheet will not run as a formula (OWASP ASVS 5.0, 1.2.10)."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value


def written(head: list[str], rows: list[list]) -> str:
    """The file."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([safe(cell) for cell in head])
    writer.writerows([safe(cell) for cell in row] for row in rows)
    return text.getvalue()


def carried(head: list[str], rows: list[list]) -> str:
    """The file as an address that holds it: for what the server forgets once it has answered."""
    return f"data:text/csv;base64,{base64.b64encode(written(head, rows).encode()).decode()}"


def guard(value: object) -> object:
    """As `safe`, and so that it can be taken back: what begins with the sign for that gets one more."""
    return f"'{value}" if isinstance(value, str) and value.startswith("'") else safe(value)


def bare(cell: str) -> str:
    """What `guard` made of a text, taken back."""
    return cell[1:] if cell[:1] == "'" and cell[1:2] in ("=", "+", "-", "@", "\t", "\r", "'") else cell
