"""Tables as CSV: the file, its address, and cells that a spreadsheet will not run."""

import base64
import csv
import io
import re

from dashboard.state.selection import Selection

BYTE_ORDER_MARK = "\ufeff"
MONTHS = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
# what a spreadsheet takes for a number, a date, a time or a truth value, and writes back as it likes
RETOLD = re.compile(
    rf"[\s\d.,:/+%()e-]*\d[\s\d.,:/+%()e-]*|true|false|(\d+[-/ ]*({MONTHS})|({MONTHS})[a-z]*[-/ ,]*\d)[a-z\d/ ,-]*",
    re.ASCII | re.IGNORECASE,
)


def table_url(noun: str, selection: Selection) -> str:
    """The address of a table as the selection narrows it."""
    return f"/export/{noun}.csv{selection.query()}"


def safe_cell(value: object) -> object:
    """A text cell that a spreadsheet will not run as a formula (OWASP ASVS 5.0, 1.2.10)."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value


def as_csv(head: list[str], rows: list[list]) -> str:
    """The file. Where it holds more than ASCII, a byte-order mark tells a spreadsheet that it is UTF-8."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([safe_cell(cell) for cell in head])
    writer.writerows([safe_cell(cell) for cell in row] for row in rows)
    content = text.getvalue()
    return content if content.isascii() else f"{BYTE_ORDER_MARK}{content}"


def csv_data_url(head: list[str], rows: list[list]) -> str:
    """The file as an address that holds it: for what the server forgets once it has answered."""
    return f"data:text/csv;base64,{base64.b64encode(as_csv(head, rows).encode()).decode()}"


def guarded_cell(value: object) -> object:
    """As `safe_cell`, and so that a spreadsheet gives it back as it was: 02 stays 02, and no date becomes another.

    What begins with the sign for that gets one more.
    """
    kept = isinstance(value, str) and (value.startswith("'") or RETOLD.fullmatch(value))
    return f"'{value}" if kept else safe_cell(value)


def unguarded(cell: str) -> str:
    """What `guarded_cell` made of a text, taken back."""
    return cell.removeprefix("'")


def rows_of(text: str) -> csv.DictReader:
    """The rows of a file, whatever a spreadsheet put between its cells: commas, semicolons or tabs."""
    text = text.removeprefix(BYTE_ORDER_MARK)
    head = text[: text.find("\n")] if "\n" in text else text
    between = max(",;\t", key=head.count)
    return csv.DictReader(io.StringIO(text, newline=""), delimiter=between)
