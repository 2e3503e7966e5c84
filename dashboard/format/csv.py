"""Tables as CSV: the file, its address, and cells that a spreadsheet will not run."""

import base64
import csv
import io

from dashboard.state.selection import Selection


def table_url(noun: str, selection: Selection) -> str:
    """The address of a table as the selection narrows it."""
    return f"/export/{noun}.csv{selection.query()}"


def safe_cell(value: object) -> object:
    """A text cell that a spreadsheet will not run as a formula (OWASP ASVS 5.0, 1.2.10)."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value


def as_csv(head: list[str], rows: list[list]) -> str:
    """The file."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([safe_cell(cell) for cell in head])
    writer.writerows([safe_cell(cell) for cell in row] for row in rows)
    return text.getvalue()


def csv_data_url(head: list[str], rows: list[list]) -> str:
    """The file as an address that holds it: for what the server forgets once it has answered."""
    return f"data:text/csv;base64,{base64.b64encode(as_csv(head, rows).encode()).decode()}"


def guarded_cell(value: object) -> object:
    """As `safe_cell`, and so that it can be taken back: what begins with the sign for that gets one more."""
    return f"'{value}" if isinstance(value, str) and value.startswith("'") else safe_cell(value)


def unguarded(cell: str) -> str:
    """What `guarded_cell` made of a text, taken back."""
    return cell[1:] if cell[:1] == "'" and cell[1:2] in ("=", "+", "-", "@", "\t", "\r", "'") else cell
