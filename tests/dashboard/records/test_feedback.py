"""Rows of feedback and their pictures: kept once, capped, filtered, deleted and brought back, orphans swept."""

import os
import secrets
import time

import pytest
from sqlalchemy import select, text

from dashboard.records.feedback import (
    BYTES_CAP,
    ORPHAN_SECONDS,
    OWNER,
    SHARE,
    UNDO_SECONDS,
    Feedback,
    Filter,
)
from dashboard.records.feedback_tables import feedback_table as _feedback
from dashboard.records.rows import READ_ONLY, Declined, Full
from dashboard.services.jobs import Jobs
from ml.system import atomic, database

PNG = b"\x89PNG one"


@pytest.fixture
def jobs(tmp_path, no_artifacts):
    return Jobs(tmp_path / "own", artifacts=no_artifacts)


@pytest.fixture
def kept(jobs):
    return Feedback(database.opener(jobs.home), jobs.home / "feedback", atomic.write, client_cap=3, total_cap=5)


CLIENT = "a" * 32


def say(kept, **changes):
    row = {
        "key": secrets.token_hex(16), "run": "toy", "dataset": "bars", "said": "Coat", "confidence": 0.75,
        "label": "Shirt", "note": "", "client": CLIENT, "picture": PNG,
    }  # fmt: skip
    return kept.give(**{**row, **changes})


def test_a_visitor_without_its_cookie_is_known_by_its_address(jobs):
    """Every request is a new client then; no more is kept of one address, in number or in bytes."""
    kept = Feedback(database.opener(jobs.home), jobs.home / "feedback", atomic.write, address_cap=3)
    for _ in range(3):
        say(kept, client=secrets.token_hex(16), address="1" * 32)
    with pytest.raises(Declined, match="from your address"):
        say(kept, client=secrets.token_hex(16), address="1" * 32)
    assert len(list(kept.folder.iterdir())) == 3, "its picture is gone again"
    say(kept, client=secrets.token_hex(16), address="2" * 32)
    large = Feedback(database.opener(jobs.home), jobs.home / "feedback", lambda file, content: file.touch())
    with pytest.raises(Declined, match="from your address"):
        say(large, address="3" * 32, picture=bytes(BYTES_CAP // SHARE + 1))


def test_what_is_done_is_written_down_with_who_did_it(kept):
    for _ in range(3):
        say(kept)
    kept.judge([1, 2, 99], "accepted", "Ann, visitor 1a2b3c")
    kept.remove([2], "visitor 4d5e6f")
    kept.remove([2], "visitor too late")
    kept.restore([2], "visitor 4d5e6f")
    kept.judge([1], "rejected")
    assert [(one.feedback, one.what, one.who) for one in kept.deeds()] == [
        (1, "rejected", ""),
        (2, "restored", "visitor 4d5e6f"),
        (2, "deleted", "visitor 4d5e6f"),
        (2, "accepted", "Ann, visitor 1a2b3c"),
        (1, "accepted", "Ann, visitor 1a2b3c"),
    ]
    assert len(kept.deeds(2)) == 2


def test_a_database_of_the_version_before_is_taken_along(jobs):
    """Its rows have no address, and count as their clients' alone."""
    engine = database.open_engine(jobs.home)
    database.migrate(engine, OWNER, Feedback.migrations[:1])
    row = {
        "key": "1" * 32, "run": "toy", "dataset": "bars", "said": "A", "confidence": 0.5, "right": True, "label": "A",
        "note": "", "at": 1.0, "client": CLIENT, "state": "accepted", "picture": "2" * 32, "sent": False, "bytes": 1,
        "origin": "", "deleted": 0.0,
    }  # fmt: skip
    columns, values = ", ".join(f'"{name}"' for name in row), ", ".join(f":{name}" for name in row)
    with database.transaction(engine) as connection:
        connection.execute(text(f"INSERT INTO feedback ({columns}) VALUES ({values})"), row)
    kept = Feedback(database.opener(jobs.home), jobs.home / "feedback", atomic.write)
    assert [(one.key, one.address) for one in kept.listing()] == [("1" * 32, "")]
    assert say(kept, address="3" * 32)[0].address == "3" * 32


def test_a_row_says_what_was_said_and_has_its_pictures(kept):
    made, fresh = say(kept, note="blue", sent=b"\x89PNG sent")
    assert fresh
    assert (made.said, made.label, made.right, made.state) == ("Coat", "Shirt", False, "new")
    assert (made.bytes, made.note, made.deleted) == (len(PNG) + len(b"\x89PNG sent"), "blue", 0)
    assert kept.picture(made.picture) == PNG
    assert kept.picture(made.picture, sent=True) == b"\x89PNG sent"
    assert made.picture != made.key
    assert not list(kept.folder.glob("*.partial"))
    assert say(kept, label="Coat")[0].right
    with pytest.raises(LookupError):
        kept.picture("../../fashion")


def test_a_key_is_kept_once_and_leaves_no_second_picture(kept):
    key = secrets.token_hex(16)
    first, fresh = say(kept, key=key)
    again, second = say(kept, key=key, label="Bag")
    assert (fresh, second) == (True, False)
    assert again == first
    assert len(list(kept.folder.iterdir())) == 1


def test_one_client_and_all_together_have_a_limit_in_words(kept):
    for _ in range(3):
        say(kept)
    with pytest.raises(Declined, match="feedback on 3 pictures"):
        say(kept)
    assert len(list(kept.folder.iterdir())) == 3  # the refused picture is gone
    for client in ("b" * 32, "c" * 32):
        say(kept, client=client)
    with pytest.raises(Declined, match="5 are kept in all"):
        say(kept, client="d" * 32)
    kept.remove([1])
    assert say(kept)[1]  # what was deleted takes no place


def test_states_filters_and_counts(kept):
    say(kept, note="a Blue one")
    say(kept, label="Coat", run="other")
    say(kept, client="b" * 32, note="100%_sure")
    assert kept.judge([1, 3], "accepted") == 2
    assert kept.counts() == {"new": 1, "accepted": 2, "rejected": 0}
    assert kept.counts(Filter(state="new", run="toy")) == {"new": 0, "accepted": 2, "rejected": 0}
    numbers = lambda **chosen: [one.number for one in kept.listing(Filter(**chosen))]  # noqa: E731
    assert numbers() == [3, 2, 1]
    assert numbers(state="accepted") == [3, 1]
    assert numbers(run="other") == [2]
    assert numbers(labels=("Coat", "Bag")) == [2]
    assert numbers(text="blue") == [1]
    assert numbers(text="%_") == [3]
    assert numbers(text="zzz") == []
    assert [one.number for one in kept.accepted("bars")] == [1, 3]
    assert kept.accepted("none") == []
    assert kept.labels() == ["Coat", "Shirt"]
    with pytest.raises(Declined):
        kept.judge([1], "promoted")
    with pytest.raises(Declined):
        kept.judge([], "accepted")


def test_deleting_is_undone_for_a_day_then_for_good(kept, jobs):
    made, _ = say(kept)
    assert kept.remove([made.number]) == 1
    assert kept.listing() == []
    assert kept.trashed() == [made.number]
    with pytest.raises(LookupError):
        kept.picture(made.picture)
    assert kept.restore([made.number]) == 1
    assert kept.picture(made.picture) == PNG
    with pytest.raises(Declined, match="nothing to bring back"):
        kept.restore([made.number])
    kept.remove([made.number])
    assert kept.sweep() == (0, 0)
    assert kept.sweep(time.time() + UNDO_SECONDS + 60) == (1, 0)
    assert not list(kept.folder.iterdir())
    with database.opener(jobs.home)("feedback", kept.migrations)[0].connect() as connection:
        assert connection.execute(select(_feedback)).all() == []


def test_a_picture_without_a_row_is_swept_when_nobody_can_be_writing_it(kept):
    made, _ = say(kept)
    orphan, half = kept.folder / f"{'0' * 32}.png", kept.folder / f"{'1' * 32}.png.partial"
    foreign = kept.folder / "readme.txt"
    for file in (orphan, half, foreign):
        file.write_bytes(b"x")
    assert kept.sweep() == (0, 0)  # an hour old at least
    old = time.time() - ORPHAN_SECONDS - 60
    for file in kept.folder.iterdir():
        os.utime(file, (old, old))
    assert kept.sweep() == (0, 2)
    assert sorted(file.name for file in kept.folder.iterdir()) == sorted([f"{made.picture}.png", "readme.txt"])


def test_rows_that_cannot_be_read_cost_no_picture(jobs):
    def broken(owner, steps):
        raise OSError("away")

    folder = jobs.home / "feedback"
    folder.mkdir(parents=True)
    (folder / f"{'0' * 32}.png").write_bytes(b"x")
    kept = Feedback(broken, folder, atomic.write)
    assert kept.sweep(time.time() + 1e6) == (0, 0)
    assert len(list(folder.iterdir())) == 1
    with pytest.raises(Declined):
        say(kept)
    assert len(list(folder.iterdir())) == 1


def test_read_only_and_a_full_disk_say_so(jobs):
    with pytest.raises(Declined, match=READ_ONLY.split("(")[0].strip()):
        say(Feedback(database.opener(jobs.home), jobs.home / "feedback", atomic.write, read_only=True))
    assert not (jobs.home / "feedback").exists()

    def full(file, content):
        raise OSError(28, "No space left on device")

    with pytest.raises(Full, match="disk is full"):
        say(Feedback(database.opener(jobs.home), jobs.home / "feedback", full))
    assert Feedback(database.opener(jobs.home), jobs.home / "feedback", atomic.write).listing() == []


def test_only_this_database_can_sign_and_a_restart_keeps_it(kept, jobs, tmp_path, no_artifacts):
    mark = kept.signature("toy", "Coat", b"pixels")
    again = Feedback(database.opener(jobs.home), jobs.home / "feedback", atomic.write)
    assert again.signed(mark, "toy", "Coat", b"pixels")
    assert not again.signed(mark, "toy", "Coa", b"tpixels")  # no two lists of parts are the same
    assert not again.signed("", "toy")
    assert not again.signed(None, "toy")
    assert not again.signed("é" * 32, "toy")
    other = Jobs(tmp_path / "other", artifacts=no_artifacts)
    assert not Feedback(database.opener(other.home), other.home / "feedback", atomic.write).signed(
        mark, "toy", "Coat", b"pixels"
    )
