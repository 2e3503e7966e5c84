import threading
import time

import pytest

from dashboard.data.cache import Cache, Moment


def test_the_least_recently_used_goes_first():
    recent, made = Cache(2), []

    def value(key: str) -> str:
        return recent.get(key, lambda: made.append(key) or key.upper())

    assert [value(key) for key in "abacab"] == list("ABACAB")
    assert made == ["a", "b", "c", "b"]  # c takes b's place, since a was asked for later


def test_who_asks_meanwhile_waits_for_the_one_value():
    recent, made, start = Cache(4), [], threading.Barrier(6)

    def make() -> object:
        made.append(threading.get_ident())
        time.sleep(0.05)
        return object()

    values = []

    def ask() -> None:
        start.wait(5)
        values.append(recent.get("table", make))

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert len(made) == 1
    assert len(values) == 6
    assert len(set(map(id, values))) == 1


def test_what_fails_is_tried_again_and_others_do_not_wait_for_it():
    recent, inside, go = Cache(4), threading.Event(), threading.Event()

    def fail() -> None:
        inside.set()
        go.wait(5)
        raise LookupError("gone")

    caught = []

    def ask() -> None:
        with pytest.raises(LookupError):
            recent.get("a", fail)
        caught.append(True)

    thread = threading.Thread(target=ask)
    thread.start()
    assert inside.wait(5)
    assert recent.get("b", lambda: 2) == 2  # while a is being made
    go.set()
    thread.join(5)
    assert caught == [True]
    assert recent.get("a", lambda: 1) == 1


def test_a_value_may_be_made_of_another():
    recent = Cache(4)
    assert recent.get("outer", lambda: recent.get("inner", lambda: 20) + 1) == 21


def test_within_a_moment_a_thread_looks_once():
    moment, looked = Moment(seconds=0), []

    def look() -> int:
        looked.append(1)
        return len(looked)

    def within() -> None:
        with moment:
            moment.kept("a", look)

    assert [moment.kept("a", look), moment.kept("a", look)] == [1, 2]
    with moment:
        with moment:
            assert moment.kept("a", look) == 3
        assert moment.kept("a", look) == 3
        assert moment.kept("b", look) == 4
        time.sleep(0.002)
        other = threading.Thread(target=within)
        other.start()
        other.join()
        assert moment.kept("a", look) == 3
    assert moment.kept("a", look) == 6


def test_of_moments_that_follow_one_another_soon_one_looks():
    moment, looked = Moment(seconds=0.2, most=2), []

    def seen(key: str) -> int:
        with moment:
            return moment.kept(key, lambda: looked.append(key) or len(looked))

    assert [seen("a"), seen("a"), seen("b"), seen("a")] == [1, 1, 2, 1]
    time.sleep(0.25)
    assert seen("a") == 3
    assert [seen("c"), seen("d"), seen("d")] == [4, 5, 5]
    assert len(moment._last) <= 2


def test_a_moment_that_fails_keeps_nothing_and_ends():
    moment = Moment()

    def fails() -> int:
        raise KeyError

    with moment, pytest.raises(KeyError):
        moment.kept("a", fails)
    with moment:
        assert moment.kept("a", lambda: 2) == 2
