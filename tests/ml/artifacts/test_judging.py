"""Verdicts on run folders: found out once, and by a thread where nobody may wait for them."""

import threading
import time
from pathlib import Path

from ml.artifacts.judging import CHECKING, Judge

ONE, OTHER = Path("one"), Path("other")


def settled(judge: Judge) -> None:
    judge.soon(ONE, "before", lambda: "")
    judge.wait(5)


def test_a_verdict_is_found_out_once_for_each_state_of_the_files():
    judge, asked = Judge(), []
    for state, verdict in (("a", "torn"), ("a", "torn"), ("b", "")):
        assert judge.now(ONE, state, lambda verdict=verdict: asked.append(1) or verdict) == verdict
    assert len(asked) == 2
    assert judge.soon(ONE, "b", lambda: "never asked") == ""


def test_who_has_patience_alone_goes_on_and_gets_the_verdict_later():
    judge, let = Judge(), threading.Event()
    settled(judge)
    told = judge.told
    assert judge.soon(ONE, "a", lambda: "torn" if let.wait(20) else "") == CHECKING
    began = time.monotonic()
    judge.wait(0.6)
    assert time.monotonic() - began > 0.5
    began = time.monotonic()
    judge.wait(0.6)
    assert time.monotonic() - began < 0.5, "patience is for what came together, not for each that asks"
    assert judge.soon(ONE, "a", lambda: "never asked") == CHECKING
    assert judge.soon(OTHER, "a", lambda: "") == CHECKING
    let.set()
    judge.wait(20)
    assert judge.soon(ONE, "a", lambda: "never asked") == "torn"
    assert judge.soon(OTHER, "a", lambda: "never asked") == ""
    assert judge.told > told


def test_files_that_change_while_they_are_looked_at_are_looked_at_again():
    judge, looks, let = Judge(), threading.Semaphore(0), threading.Event()
    settled(judge)
    judge.soon(ONE, "a", lambda: looks.release() or ("half" if let.wait(20) else ""))
    assert looks.acquire(timeout=20)
    judge.soon(ONE, "b", lambda: "whole")
    let.set()
    judge.wait(20)
    assert judge.soon(ONE, "b", lambda: "never asked") == "whole"


def test_what_breaks_the_check_is_a_verdict_and_ends_nothing():
    judge = Judge()

    def breaks() -> str:
        raise ZeroDivisionError

    judge.soon(ONE, "a", breaks)
    judge.soon(OTHER, "a", lambda: "torn")
    judge.wait(20)
    assert judge.soon(ONE, "a", breaks) == "its files cannot be read (ZeroDivisionError)"
    assert judge.soon(OTHER, "a", breaks) == "torn"
