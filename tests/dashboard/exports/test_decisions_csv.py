"""The file of decisions, taken in again after a spreadsheet had it."""

import csv
import io
from types import SimpleNamespace

import numpy as np
import pytest

from dashboard.exports import decisions_csv
from dashboard.format.csv import as_csv
from dashboard.records.decisions import Decision
from dashboard.records.rows import DataVersion, Declined

DIGEST = "12e4567890123456"  # of digits that a spreadsheet takes for a number


def run_of(*classes):
    known = SimpleNamespace(ids=np.arange(4, dtype=np.int32), labels=np.array([0, 1, 0, 1]))
    return SimpleNamespace(
        classes=list(classes),
        dataset={"name": "digits"},
        data_version=DataVersion("digits", DIGEST),
        manifest={"nouns": {}},
        predictions=lambda split: known,
    )


def decided(before, after, **more):
    return Decision(
        1, "1" * 32, "2" * 32, "digits", "test", 1, "relabel", before, after, "Ada", 1.8e9, "2024", False, False, DIGEST
    )


def saved_again(text, between=";"):
    """What a spreadsheet in another country writes of a file: semicolons, and numbers and dates as it reads them."""
    told = io.StringIO()
    writer = csv.writer(told, delimiter=between)
    for row in csv.reader(io.StringIO(text.removeprefix("\ufeff"))):
        writer.writerow([f"{float(cell):g}" if cell.replace(".", "", 1).isdigit() else cell for cell in row])
    return told.getvalue()


@pytest.mark.parametrize(
    "names", [("02", "2"), ("1", "01"), ("1e3", "1000"), ("-1", "1"), ("Čapka", "кепка"), ("a;b", "a,b")]
)
def test_decisions_come_back_from_a_spreadsheet(names):
    text = as_csv(*decisions_csv.log([decided(names[1], names[0])]), None)
    (row,) = decisions_csv.read(saved_again(text), run_of(*names))
    assert (row["before"], row["after"], row["id"], row["digest"]) == (names[1], names[0], "1" * 32, DIGEST)
    assert (row["example_id"], row["run"]) == (1, "2024")


def test_a_label_that_lost_its_zero_is_the_only_class_of_this_number():
    text = "dataset;split;example_id;action;after\r\ndigits;test;1;relabel;2\r\n"
    (row,) = decisions_csv.read(text, run_of("01", "02"))
    assert row["after"] == "02"
    with pytest.raises(Declined, match="'2' is no class"):
        decisions_csv.read(text, run_of("02", "2.0"))
