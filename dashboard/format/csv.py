"""Tables as CSV: the file, its address, and cells that a spreadsheet will not run."""

import base64
import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass

from dashboard.data.run import RunData
from dashboard.state.selection import Selection
from ml.system.cells import safe_cell

BYTE_ORDER_MARK = "\ufeff"
OF_IMAGE = ("explanation", "attack", "projection")
MONTHS = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
# what a spreadsheet takes for a number, a date, a time or a truth value, and writes back as it likes
RETOLD = re.compile(
    rf"[\s\d.,:/+%()e-]*\d[\s\d.,:/+%()e-]*|true|false|(\d+[-/ ]*({MONTHS})|({MONTHS})[a-z]*[-/ ,]*\d)[a-z\d/ ,-]*",
    re.ASCII | re.IGNORECASE,
)


@dataclass(frozen=True)
class Source:
    """What a table was drawn from. run, against: their ids, against '' where it is of one run; data: of its images."""

    run: str
    data: str
    against: str = ""

    @classmethod
    def of(cls, run: RunData, against: RunData | None = None) -> "Source":
        """One run, or one beside another on the same images."""
        return cls(run.run_id, run.store.digest_of(run.dataset), against.run_id if against is not None else "")

    def columns(self, head: Sequence[str]) -> dict[str, str]:
        """What stands at the end of every row; a name that the head has already gets a longer one."""
        named = {"run": self.run, **({"against": self.against} if self.against else {}), "data": self.data}
        return {f"{name} drawn from" if name in head else name: value for name, value in named.items()}


def table_url(noun: str, selection: Selection) -> str:
    """The address of a table as the selection narrows it; which image is open matters to those OF_IMAGE alone."""
    chosen = selection if noun in OF_IMAGE else selection.with_(sample=None)
    return f"/export/{noun}.csv{chosen.query()}"


def as_csv(head: list[str], rows: list[list], source: Source | None) -> str:
    """The file. Where it holds more than ASCII, a byte-order mark tells a spreadsheet that it is UTF-8.

    source: what it was drawn from, which its last columns say; None for what is of no run.
    """
    if source is not None:
        more = source.columns(head)
        head, rows = [*head, *more], [[*row, *more.values()] for row in rows]
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([safe_cell(cell) for cell in head])
    writer.writerows([safe_cell(cell) for cell in row] for row in rows)
    content = text.getvalue()
    return content if content.isascii() else f"{BYTE_ORDER_MARK}{content}"


def csv_data_url(head: list[str], rows: list[list], source: Source | None) -> str:
    """The file as an address that holds it: for what the server forgets once it has answered."""
    return f"data:text/csv;base64,{base64.b64encode(as_csv(head, rows, source).encode()).decode()}"


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
