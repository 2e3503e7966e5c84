"""Questions that are answered together: in order, each once, each with its own error, never too many."""

import threading
import time
from contextlib import nullcontext

import numpy as np
import pytest

from dashboard.services.gathering import Crowded, Gatherer


def until(true) -> None:
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end
        time.sleep(0.001)


def picture(number: int) -> np.ndarray:
    return np.full((2, 2, 1), number, np.uint8)


class Network:
    """Answers a picture with its first pixel; notes what it was asked in each call, and waits where it is held."""

    def __init__(self) -> None:
        self.calls: list[list[int]] = []
        self.held = threading.Event()
        self.held.set()

    def __call__(self, images: np.ndarray) -> list[int]:
        numbers = [int(one[0, 0, 0]) for one in images]
        self.calls.append(numbers)
        assert self.held.wait(20)
        if 13 in numbers:
            raise ValueError("13 is no picture")
        return numbers


def asked(gatherer: Gatherer, numbers: list[int]) -> tuple[dict[int, object], list[threading.Thread]]:
    """A thread a picture, each begun once the one before waits."""
    said: dict[int, object] = {}

    def ask(number: int) -> None:
        try:
            said[number] = gatherer.one(picture(number))
        except ValueError as error:
            said[number] = str(error)

    threads = []
    for number in numbers:
        before = len(gatherer._waiting)
        threads.append(threading.Thread(target=ask, args=(number,)))
        threads[-1].start()
        if len(threads) > 1:
            until(lambda before=before: len(gatherer._waiting) == before + 1)
        else:
            until(lambda: gatherer._ask.calls)
    return said, threads


def test_one_alone_waits_for_nobody():
    network = Network()
    assert Gatherer(network, threading.RLock()).one(picture(7)) == 7
    assert network.calls == [[7]]


def test_those_who_wait_are_asked_together_in_order_and_each_once():
    network = Network()
    network.held.clear()
    said, threads = asked(Gatherer(network, threading.RLock(), at_once=4), [1, 2, 3, 4, 5, 6, 7])
    network.held.set()
    for thread in threads:
        thread.join(20)
    assert network.calls == [[1], [2, 3, 4, 5], [6, 7]]
    assert said == {number: number for number in range(1, 8)}


def test_the_one_to_blame_gets_the_error_and_the_others_their_answers():
    network = Network()
    network.held.clear()
    said, threads = asked(Gatherer(network, threading.RLock()), [1, 2, 13, 3])
    network.held.set()
    for thread in threads:
        thread.join(20)
    assert said == {1: 1, 2: 2, 3: 3, 13: "13 is no picture"}
    assert network.calls == [[1], [2, 13, 3], [2], [13], [3]]


def test_what_ends_a_thread_goes_to_all_of_them_and_nothing_is_asked_again():
    def ask(images: np.ndarray) -> list[int]:
        raise MemoryError

    gatherer = Gatherer(ask, threading.RLock())
    for _ in range(2):
        with pytest.raises(MemoryError):
            gatherer.one(picture(1))
    assert not gatherer._waiting


def test_pictures_of_another_form_are_not_mixed_in():
    shapes: list[tuple[int, ...]] = []

    def ask(images: np.ndarray) -> list[int]:
        shapes.append(images.shape)
        time.sleep(0.02)
        return [0] * len(images)

    gatherer = Gatherer(ask, threading.RLock())
    threads = [threading.Thread(target=gatherer.one, args=(np.zeros((2 + i % 2, 2, 1), np.uint8),)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sum(shape[0] for shape in shapes) == 8


def test_no_more_wait_than_there_is_room_for():
    network = Network()
    network.held.clear()
    gatherer = Gatherer(network, threading.RLock(), room=2)
    said, threads = asked(gatherer, [1, 2, 3])
    with pytest.raises(Crowded):
        gatherer.one(picture(4))
    network.held.set()
    for thread in threads:
        thread.join(20)
    assert said == {1: 1, 2: 2, 3: 3}


def test_answers_that_are_too_few_are_asked_for_one_by_one():
    gatherer = Gatherer(lambda images: [5], nullcontext())
    assert gatherer.one(picture(1)) == 5
