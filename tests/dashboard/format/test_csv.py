"""CSV files that spreadsheets open, change and write back."""

import csv
import io

import pytest

from dashboard.format.csv import BYTE_ORDER_MARK, Source, as_csv, guarded_cell, rows_of, unguarded

NAMES = [
    "1",
    "02",
    "2024-01",
    "0.5",
    "-1",
    "1e3",
    "true",
    "Mar 1",
    "1/2",
    "=1+1",
    "'tis",
    "Bar 1",
    "Čapka",
    "a,b;c",
    'say "x"',
]


@pytest.mark.parametrize("name", NAMES)
def test_a_guarded_cell_comes_back(name):
    assert unguarded(guarded_cell(name)) == name


@pytest.mark.parametrize("name", ["02", "2024-01", "1e3", "-1", "TRUE", "Mar 1", "1-Mar", "12:30", "1.5 %", "3.0"])
def test_what_a_spreadsheet_would_retell_is_text(name):
    assert guarded_cell(name) == f"'{name}"


@pytest.mark.parametrize("name", ["Bar 1", "T-shirt/top", "Marten", "truelove", "keep", "a1b2", 7])
def test_other_cells_stand_as_they_are(name):
    assert guarded_cell(name) == name


@pytest.mark.parametrize("between", [",", ";", "\t"])
@pytest.mark.parametrize("mark", ["", BYTE_ORDER_MARK])
def test_rows_are_read_whatever_stands_between_cells(between, mark):
    text = io.StringIO()
    writer = csv.writer(text, delimiter=between)
    writer.writerows([["split", "label"], ["test", "a,b;c\td"]])
    assert list(rows_of(mark + text.getvalue())) == [{"split": "test", "label": "a,b;c\td"}]


def test_a_negative_number_is_no_formula_and_stays_a_number():
    cells = ["-0.5", "+1", "-1e-05", "-.5", "-1+1", "+cmd|' /C calc'!A0", "-", "--1", "-1 %", "-٣"]
    written = as_csv(["x"], [[cell] for cell in cells], None).removeprefix(BYTE_ORDER_MARK).splitlines()[1:]
    assert written == [*cells[:4], *(f"'{cell}" for cell in cells[4:])]


def test_a_mark_says_utf8_where_it_is_needed():
    assert as_csv(["label"], [["Coat"]], None) == "label\r\nCoat\r\n"
    assert as_csv(["label"], [["Čapka"]], None).encode().startswith(b"\xef\xbb\xbflabel")


def test_the_last_columns_say_what_a_table_was_drawn_from():
    one, two = Source("toy", "0123abcd"), Source("toy", "0123abcd", "twin")
    assert as_csv(["label"], [["Coat"], ["Bag"]], one).splitlines() == [
        "label,run,data", "Coat,toy,0123abcd", "Bag,toy,0123abcd",
    ]  # fmt: skip
    assert as_csv(["label"], [["Coat"]], two).splitlines() == ["label,run,against,data", "Coat,toy,twin,0123abcd"]
    assert as_csv(["run", "n"], [["A", 3]], two).splitlines()[0] == "run,n,run drawn from,against,data"


@pytest.mark.parametrize("text", ["＝1+1", "＋1", "－a", "＠SUM(1)", "\n=1+1", "=1+1", "-1+1"])
def test_no_cell_begins_a_formula_whatever_its_width(text):
    ((cell,),) = csv.reader(io.StringIO(as_csv([text], [], None).removeprefix(BYTE_ORDER_MARK), newline=""))
    assert cell == f"'{text}"
