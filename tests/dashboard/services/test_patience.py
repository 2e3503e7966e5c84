"""Questions to a server that does not answer: short, few, and none for a while after one in vain."""

import threading
import time

from dashboard.services.patience import Patience


def test_an_answer_is_an_answer():
    assert Patience().ask(lambda: 7) == 7


def test_who_gets_no_answer_goes_on_and_asks_no_more_for_a_while():
    patience, let, asked = Patience(wait=0.2, pause=1.0), threading.Event(), []
    began = time.monotonic()
    assert patience.ask(lambda: let.wait(20), "none") == "none"
    assert [patience.ask(lambda: asked.append(1) or 7, "none") for _ in range(5)] == ["none"] * 5
    assert time.monotonic() - began < 0.9, "one waited, the others did not"
    assert asked == []
    let.set()
    time.sleep(1.0)
    assert patience.ask(lambda: 7, "none") == 7


def test_an_error_is_no_answer_either():
    patience = Patience(pause=60)
    assert patience.ask(lambda: 1 / 0, "none") == "none"
    assert patience.ask(lambda: 7, "none") == "none"


def test_questions_that_hang_are_few_and_their_threads_too():
    patience, let = Patience(wait=0.02, pause=0, at_once=3), threading.Event()
    before = threading.active_count()
    for _ in range(50):
        patience.ask(lambda: let.wait(20))
    assert threading.active_count() - before <= 3
    assert patience.ask(lambda: 7, "none") == "none"
    let.set()
    limit = time.monotonic() + 20
    while patience.ask(lambda: 7) != 7:
        assert time.monotonic() < limit
        time.sleep(0.05)
