"""What people say of runs: rows, their limits, their log, and what undoes a change."""

import threading

import pytest
from sqlalchemy import create_engine, insert, select, text

from dashboard.records import rows
from dashboard.records import runs as module
from dashboard.records.rows import CLOSED, Declined
from dashboard.records.runs import MIGRATIONS, OWNER, Mark, Records
from dashboard.services.jobs import Jobs
from ml.system import database


@pytest.fixture
def jobs(tmp_path, no_artifacts):
    return Jobs(tmp_path / "own", artifacts=no_artifacts)


@pytest.fixture
def records(jobs):
    return Records(database.opener(jobs.home))


def other(jobs):
    """The same rows as another process sees them."""
    return Records(database.opener(jobs.home))


def test_nothing_said_is_an_empty_mark(records):
    marks = records.marks()
    assert marks.of("toy") == Mark()
    assert (marks.title("toy"), marks.name("toy"), marks.default, marks.problem) == ("toy", "toy", None, "")


def test_what_is_said_is_kept_and_seen_at_once(records, jobs):
    records.rename("toy", "  The  first\none ")
    records.annotate("toy", "Two\r\nlines ")
    records.tag("toy", "baseline, Café 2, baseline,, v1.0")
    records.archive("toy")
    expected = Mark("The first one", "Two\nlines", ("baseline", "Café 2", "v1.0"), True)
    assert records.marks().of("toy") == expected
    assert other(jobs).marks().of("toy") == expected
    assert records.marks().name("toy") == "The first one (toy)"


def test_words_of_any_script(records):
    for words in ("می\u200cخواهم", "हिन्दी", "ที่นี่", "👩\u200d🔬"):
        records.rename("toy", words)
        records.annotate("toy", f"{words}\n{words}")
        mark = records.marks().of("toy")
        assert (mark.title, mark.note) == (words, f"{words}\n{words}")
    records.tag("toy", "می\u200cخواهم, हिन्दी, ที่นี่")
    assert records.marks().of("toy").tags == ("می\u200cخواهم", "हिन्दी", "ที่นี่")


def test_a_run_s_own_id_and_nothing_take_the_title_away(records):
    for nothing in ("toy", "", None, "   "):
        records.rename("toy", "Something")
        records.rename("toy", nothing)
        assert records.marks().title("toy") == "toy"


@pytest.mark.parametrize(
    ("act", "field", "words"),
    [
        (lambda r: r.rename("toy", "x" * 81), "title", "at most 80"),
        (lambda r: r.rename("toy", "a\u202eb"), "title", "can be shown"),
        (lambda r: r.rename("toy", ["x"]), "title", "at most 80"),
        (lambda r: r.rename("toy", "other", taken={"other"}), "title", "another run"),
        (lambda r: r.annotate("toy", "x" * 2001), "note", "2,000"),
        (lambda r: r.annotate("toy", "a\x00b"), "note", "cannot be shown"),
        (lambda r: r.annotate("toy", 7), "note", "2,000"),
        (lambda r: r.tag("toy", ",".join(f"t{i}" for i in range(13))), "tags", "at most 12"),
        (lambda r: r.tag("toy", "<b>"), "tags", "up to 30"),
        (lambda r: r.tag("toy", "x" * 31), "tags", "up to 30"),
        (lambda r: r.tag("toy", [1]), "tags", "commas"),
        (lambda r: r.tag("toy", {"a": 1}), "tags", "commas"),
        (lambda r: r.promote("toy", " ", None), "reason", "3 to 500"),
        (lambda r: r.promote("toy", None, None), "reason", "3 to 500"),
        (lambda r: r.rename("../etc", "x"), "", "no such run"),
    ],
)
def test_what_is_declined_names_its_field_and_leaves_nothing(records, act, field, words):
    with pytest.raises(Declined, match=words) as declined:
        act(records)
    assert declined.value.field == field
    assert records.marks().runs == {}
    assert records.promotions() == []


def test_every_change_can_be_undone_once(records):
    records.rename("toy", "First")
    change = records.rename("toy", "Second")
    tags = records.tag("toy", "a, b")
    assert (change.before, change.after) == ("First", "Second")
    records.undo(change.number)
    assert records.marks().title("toy") == "First"
    with pytest.raises(Declined, match="nothing to undo"):
        records.undo(change.number)
    records.undo(tags.number)
    assert records.marks().of("toy").tags == ()
    assert [c.what for c in records.changes("toy")] == ["tags", "title", "tags", "title", "title"]


def test_a_change_made_since_is_not_overwritten_by_undo(records, jobs):
    change = records.rename("toy", "Mine")
    other(jobs).rename("toy", "Yours")
    with pytest.raises(Declined, match="changed again"):
        records.undo(change.number)
    assert other(jobs).marks().title("toy") == "Yours"
    assert not records.changes("toy")[-1].undone


def test_promotions_are_a_history_that_only_grows(records):
    records.promote("a", "better on validation", "shipped")
    second = records.promote("b", "better still", "a")
    with pytest.raises(Declined, match="already"):
        records.promote("b", "again", "b")
    assert records.marks().default == "b"
    records.undo(second.number)
    assert records.marks().default == "a"
    history = [(p.run_id, p.previous, p.reason) for p in records.promotions()]
    assert history == [("a", "b", "Undone."), ("b", "a", "better still"), ("a", "shipped", "better on validation")]
    with pytest.raises(Declined, match="promote another"):
        records.archive("a")
    records.promote(None, "back to what ships", "a")
    assert records.marks().default is None


def test_a_failed_move_leaves_no_mark(records):
    with pytest.raises(OSError, match="no"), records.deleting("toy", "toy-20260101t000000000000"):
        raise OSError("no")
    assert records.marks().of("toy").deleted == ""
    with records.deleting("toy", "toy-20260101t000000000000"):
        pass
    assert records.marks().deleted() == {"toy"}


def test_two_writers_lose_nothing(jobs):
    both = [other(jobs), other(jobs)]

    def work(mine, number):
        for i in range(20):
            mine.annotate(f"run-{number}-{i}", f"note {i}")

    threads = [threading.Thread(target=work, args=(mine, n)) for n, mine in enumerate(both)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(other(jobs).marks().runs) == 40


def test_read_only_looks_and_changes_nothing(records, jobs):
    records.rename("toy", "First")
    closed = Records(database.opener(jobs.home), read_only=True)
    assert closed.marks().title("toy") == "First"
    with pytest.raises(Declined, match="read-only"):
        closed.rename("toy", "Second")


def test_without_a_database_looking_works_and_changes_are_declined(tmp_path, no_artifacts):
    blocked = tmp_path / "file"
    blocked.write_text("")
    records = Records(database.opener(blocked / "home"))
    assert records.marks().problem == CLOSED
    assert (records.promotions(), records.changes("toy")) == ([], [])
    with pytest.raises(Declined, match="cannot be used"):
        records.rename("toy", "x")


def test_a_database_that_comes_back_is_used_again(tmp_path, no_artifacts, monkeypatch):
    monkeypatch.setattr(rows, "RETRY_SECONDS", 0.0)
    monkeypatch.setattr(module, "FRESH_SECONDS", 0.0)
    blocked = tmp_path / "file"
    blocked.write_text("")
    records = Records(database.opener(blocked))
    assert records.marks().problem
    blocked.unlink()
    records.rename("toy", "x")
    assert records.marks().title("toy") == "x"


def test_migrations_go_forward_beside_the_jobs_tables(tmp_path):
    engine = create_engine(f"sqlite:///{tmp_path / 'x.db'}")
    steps = []

    def later(connection):
        steps.append(1)
        connection.execute(text("ALTER TABLE run_marks ADD COLUMN colour VARCHAR(9)"))

    assert database.migrate(engine, OWNER, MIGRATIONS) == 2
    with engine.begin() as connection:
        mark = {"run_id": "toy", "title": "T", "note": "", "archived": False, "deleted": ""}
        connection.execute(insert(module._marks).values(mark))
    assert database.migrate(engine, OWNER, (*MIGRATIONS, later)) == 3
    assert database.migrate(engine, OWNER, (*MIGRATIONS, later)) == 3
    assert steps == [1]
    with engine.connect() as connection:
        assert connection.scalar(select(module._marks.c.title)) == "T"
    with pytest.raises(RuntimeError, match="version 3"):
        database.migrate(engine, OWNER, MIGRATIONS)
    engine.dispose()
