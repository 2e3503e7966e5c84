"""Saved views: what is written, what another process reads, names that are taken, and the way back."""

import threading

import pytest

from dashboard.records.rows import Closed, Declined, ReadOnly
from dashboard.records.views import DESCRIPTION, NAME, Views, Wanted
from dashboard.services.jobs import Jobs
from ml.artifacts.reader import Missing
from ml.people import acting
from ml.people.happenings import query
from ml.system import database


@pytest.fixture
def jobs(tmp_path, no_artifacts):
    return Jobs(tmp_path / "own", artifacts=no_artifacts)


@pytest.fixture
def views(jobs):
    yield Views(database.opener(jobs.home))
    acting.leave()


def address(page="/", search="?run=toy&split=test&true=Bag", dataset="bars"):
    return {"page": page, "search": search, "dataset": dataset, "run": "toy", "data": "0" * 16, "split": "test"}


def save(views, name="Dark bags", description="", **where):
    return views.save(name, description, address(**where))


def test_a_saved_view_is_there_for_every_process_with_who_and_when(views, jobs):
    acting.enter(acting.Person("Ada", "review", "account"))
    saved, new = save(views, "Dark  bags ", "What  becomes\nof them")
    assert new
    assert (saved.name, saved.description, saved.who) == ("Dark bags", "What becomes of them", "Ada")
    again = Views(database.opener(jobs.home))
    assert again.get(saved.number) == saved
    assert again.listing().views == (saved,)


def test_the_same_twice_is_one_and_another_address_wants_another_name(views):
    first, _ = save(views, description="mine")
    assert save(views) == (first, False)
    assert save(views, description="mine") == (first, False)
    for other in ({"description": "yours"}, {"search": "?run=toy&split=test"}):
        with pytest.raises(Declined, match="has this name") as no:
            save(views, **other)
        assert (no.value.field, no.value.free) == ("name", "Dark bags (2)")
    assert save(views, page="/insights")[1], "a name is of a page and a data set"
    assert save(views, dataset="colours")[1]
    assert save(views, "Dark bags (2)", search="?run=toy&split=test")[1]
    with pytest.raises(Declined) as no:
        save(views, "Dark bags (2)", search="?run=other")
    assert no.value.free == "Dark bags (3)"


def test_two_tabs_at_once_write_one(views, jobs):
    """Each with a database connection of its own."""
    numbers, start = [], threading.Barrier(4)

    def tab():
        own = Views(database.opener(jobs.home))
        start.wait()
        numbers.append(save(own)[0].number)

    tabs = [threading.Thread(target=tab) for _ in range(4)]
    for one in tabs:
        one.start()
    for one in tabs:
        one.join(30)
    assert len(numbers) == 4
    assert len(set(numbers)) == 1
    assert views.listing().n == 1


def test_a_view_is_renamed_deleted_and_brought_back(views):
    one, other = save(views)[0], save(views, "Pale bags")[0]
    with pytest.raises(Declined, match="has this name"):
        views.describe(other.number, "Dark bags", "")
    changed = views.describe(one.number, "Black bags", "darker")
    assert (changed.number, changed.name, changed.description) == (one.number, "Black bags", "darker")
    assert views.remove(one.number) == changed
    for gone in (lambda: views.get(one.number), lambda: views.remove(one.number), lambda: views.restore(99)):
        with pytest.raises(Missing, match="not here any more"):
            gone()
    assert views.listing().views == (other,)
    assert views.restore(one.number) == changed
    assert views.restore(one.number) == changed, "twice does no harm"
    views.remove(one.number)
    save(views, "Black bags", search="?run=else")
    assert views.restore(one.number).name == "Black bags (2)", "its name was given away"


def test_every_change_is_a_line_of_what_happened(views):
    one = save(views)[0]
    views.describe(one.number, "Black bags", "")
    views.describe(one.number, "Black bags", "")  # nothing changes
    views.describe(one.number, "Black bags", "darker")
    views.remove(one.number)
    views.restore(one.number)
    with views.reading() as connection:
        lines = [(row.act, row.about, row.words) for row in connection.execute(query())]
    assert lines == [
        ("view", "toy", "Black bags: brought back"),
        ("view", "toy", "Black bags: deleted"),
        ("view", "toy", "Black bags: described anew"),
        ("view", "toy", "Dark bags: renamed to Black bags"),
        ("view", "toy", "Dark bags: saved"),
    ]


def test_the_list_is_searched_and_narrowed(views):
    acting.enter(acting.Person("Ada", "review", "account"))
    bags, shirts = save(views, "Dark bags", "100 % sure")[0], save(views, "Shirts", page="/insights")[0]
    acting.enter(acting.Person("Bo", "review", "account"))
    boots = save(views, "Boots_", dataset="colours")[0]

    def found(**wanted):
        return [one.name for one in views.listing(Wanted(**wanted)).views]

    assert found() == ["Boots_", "Shirts", "Dark bags"]
    assert found(text="BAGS") == ["Dark bags"]
    assert found(text="sure dark") == ["Dark bags"], "every word, wherever it stands"
    assert found(text="ada") == ["Shirts", "Dark bags"]
    assert (found(text="%"), found(text="_")) == (["Dark bags"], ["Boots_"]), "no wildcards"
    assert found(page="/insights") == ["Shirts"]
    assert found(dataset="colours") == ["Boots_"]
    assert found(before=boots.number) == ["Shirts", "Dark bags"]
    few = views.listing(limit=1)
    assert (few.views, few.n) == ((boots,), 3)
    assert (few.pages, few.datasets) == ({"/": 2, "/insights": 1}, {"bars": 2, "colours": 1})
    assert bags.number < shirts.number


@pytest.mark.parametrize("name", ["", "  ", "a" * (NAME + 1), "a\0b", "a\u202eb", "\ud800", None, 7, ["a"]])
def test_a_name_is_one_line_that_can_be_shown(views, name):
    with pytest.raises(Declined, match=f"1 to {NAME} characters"):
        save(views, name)


@pytest.mark.parametrize("description", ["a" * (DESCRIPTION + 1), "a\0b", "\u202e"])
def test_a_description_can_be_shown(views, description):
    with pytest.raises(Declined, match=f"up to {DESCRIPTION} characters"):
        save(views, description=description)


@pytest.mark.parametrize("name", ["<b>x</b>", "'; DROP TABLE views; --", "=1+1", "{{7*7}}", "Čapka 🥾", "a" * NAME])
def test_other_names_stay_as_they_are(views, name):
    assert views.get(save(views, name)[0].number).name == name
    if len(name) == NAME:
        with pytest.raises(Declined) as no:
            save(views, name, search="?run=other")
        assert no.value.free == "a" * (NAME - 4) + " (2)"


def test_there_is_an_end_of_them(views, monkeypatch):
    monkeypatch.setattr("dashboard.records.views.VIEWS", 2)
    first = save(views, "a")[0]
    save(views, "b")
    with pytest.raises(Declined, match="delete some first"):
        save(views, "c")
    views.remove(first.number)
    assert save(views, "c")[1]


def test_what_cannot_be_read_or_written_is_said(views, jobs, tmp_path):
    save(views)
    closed = Views()
    for asked in (closed.listing, lambda: closed.get(1), lambda: save(closed)):
        with pytest.raises(Closed):
            asked()
    shown = Views(database.opener(jobs.home), read_only=True)
    assert shown.listing().n == 1
    with pytest.raises(ReadOnly):
        shown.remove(1)
