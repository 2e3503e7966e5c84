"""Decisions about labels: what is written, what holds, what undoes it, what a file brings back."""

import secrets

import pytest

from dashboard.records.decisions import EXCLUDED, Decisions
from dashboard.records.rows import CLOSED, Declined
from dashboard.services.jobs import Jobs
from ml.system import database


@pytest.fixture
def jobs(tmp_path, no_artifacts):
    return Jobs(tmp_path / "own", artifacts=no_artifacts)


@pytest.fixture
def decisions(jobs):
    return Decisions(database.opener(jobs.home))


def press(decisions, given, action, label="", who="Ada", batch=None):
    batch = batch or secrets.token_hex(16)
    return decisions.decide("bars", "train", given, action, label=label, who=who, run="toy", batch=batch)


def holds(decisions):
    return {example: decision.after for example, decision in decisions.current_labels("bars").within("train").items()}


def test_a_decision_says_who_before_after_when_and_run(decisions, jobs):
    (made,) = press(decisions, {7: "Bar 1"}, "relabel", "Bar 2")
    assert (made.example_id, made.action, made.before, made.after) == (7, "relabel", "Bar 1", "Bar 2")
    assert (made.who, made.run, made.dataset, made.split, made.undone) == ("Ada", "toy", "bars", "train", False)
    assert made.at > 1.7e9
    assert Decisions(database.opener(jobs.home)).current_labels("bars").of("train", 7) == made
    assert decisions.current_labels("bars").of("test", 7) is None
    assert decisions.current_labels("other").by == {}


def test_each_decision_begins_where_the_last_one_ended(decisions):
    press(decisions, {1: "A"}, "relabel", "B")
    (excluded,) = press(decisions, {1: "A"}, "exclude")
    assert (excluded.before, excluded.after) == ("B", EXCLUDED)
    (kept,) = press(decisions, {1: "A"}, "keep")
    assert (kept.before, kept.after) == (EXCLUDED, "A")
    (same,) = press(decisions, {1: "A"}, "relabel", "A")
    assert same.action == "keep"
    assert [d.after for d in decisions.log("bars")] == ["B", EXCLUDED, "A", "A"]
    assert [d.number for d in decisions.log("bars", limit=2)] == [4, 3]


def test_one_press_is_undone_as_a_whole_and_what_held_before_holds_again(decisions):
    press(decisions, {1: "A"}, "relabel", "B")
    press(decisions, {1: "A", 2: "A", 3: "C"}, "relabel", "D")
    assert holds(decisions) == {1: "D", 2: "D", 3: "D"}
    assert {d.example_id for d in decisions.undo("bars", who="Ada")} == {1, 2, 3}
    assert holds(decisions) == {1: "B"}
    decisions.undo("bars", who="Ada")
    assert holds(decisions) == {}
    with pytest.raises(Declined, match="nothing to undo"):
        decisions.undo("bars", who="Ada")
    assert len(decisions.log("bars", undone=True)) == 4
    assert decisions.log("bars") == []


def test_undo_takes_back_ones_own_last_press_or_the_one_that_is_named(decisions):
    first = press(decisions, {1: "A"}, "exclude", who="Ada")[0].batch
    press(decisions, {2: "A"}, "exclude", who="Bo")
    decisions.undo("bars", who="Ada")
    assert set(holds(decisions)) == {2}
    again = decisions.undo("bars", batch=first, who="Bo")  # the same request once more
    assert [d.undone for d in again] == [True]
    assert set(holds(decisions)) == {2}


def test_the_same_press_sent_twice_is_written_once(decisions):
    batch = secrets.token_hex(16)
    first = press(decisions, {1: "A", 2: "A"}, "exclude", batch=batch)
    assert press(decisions, {1: "A", 2: "A"}, "exclude", batch=batch) == first
    assert len(decisions.log("bars")) == 2


@pytest.mark.parametrize(
    "change",
    [
        {"action": "delete"},
        {"action": "relabel", "label": ""},
        {"batch": "x"},
        {"split": "reference"},
        {"given": {}},
        {"given": dict.fromkeys(range(501), "A")},
    ],
)
def test_what_is_no_decision_is_declined(decisions, change):
    fields = {"split": "train", "given": {1: "A"}, "action": "keep", "batch": "0" * 32, **change}
    with pytest.raises(Declined):
        decisions.decide("bars", **fields)
    assert decisions.log("bars") == []


def test_what_went_out_comes_back_once(decisions, tmp_path, no_artifacts):
    press(decisions, {1: "A"}, "relabel", "B")
    press(decisions, {1: "A", 2: "A"}, "exclude")
    names = ("id", "dataset", "split", "example_id", "action", "before", "after", "who", "at", "run")
    rows = [{name: getattr(decision, name) for name in names} for decision in decisions.log("bars")]
    assert decisions.bring(rows, "1" * 32) == (0, 3)
    elsewhere = Decisions(database.opener(tmp_path / "else"))
    assert elsewhere.bring(rows, "1" * 32) == (3, 0)
    assert elsewhere.bring(rows, "2" * 32) == (0, 3)
    assert holds(elsewhere) == holds(decisions) == {1: EXCLUDED, 2: EXCLUDED}
    assert [(d.id, d.at, d.who) for d in elsewhere.log("bars")] == [(d.id, d.at, d.who) for d in decisions.log("bars")]
    decisions.undo("bars", who="Ada")
    assert decisions.bring(rows, "3" * 32) == (2, 1)
    assert holds(decisions) == {1: EXCLUDED, 2: EXCLUDED}


def test_nothing_changes_read_only_or_without_a_database(jobs, decisions):
    press(decisions, {1: "A"}, "exclude")
    closed = Decisions(database.opener(jobs.home), read_only=True)
    assert set(closed.current_labels("bars").within("train")) == {1}
    for act in (
        lambda: press(closed, {2: "A"}, "exclude"),
        lambda: closed.undo("bars", who="Ada"),
        lambda: closed.bring([], "1" * 32),
    ):
        with pytest.raises(Declined, match="read-only"):
            act()
    assert Decisions().current_labels("bars").by == {}
    with pytest.raises(Declined, match=CLOSED):
        press(Decisions(), {2: "A"}, "exclude")
