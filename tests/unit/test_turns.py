"""The lock that is got in the order of asking."""

from __future__ import annotations

import threading
import time

from gatekeeper.db.turns import Turns


def queued(turns: Turns, got: list[int], count: int) -> list[threading.Thread]:
    """Let so many threads ask, one after the other, while the turn is taken."""

    def ask(number: int) -> None:
        assert turns.take(30)
        got.append(number)
        turns.give_back()

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(count)]
    for number, thread in enumerate(threads, 1):
        thread.start()
        until = time.monotonic() + 30
        while turns.waiting < number:
            assert time.monotonic() < until
    return threads


def test_who_asked_first_is_first_and_who_asks_late_passes_nobody() -> None:
    turns, got = Turns(), list[int]()
    assert turns.take()
    threads = queued(turns, got, 20)
    turns.give_back()
    assert turns.take(30)  # asks while the others have not all had it
    got.append(20)
    turns.give_back()
    for thread in threads:
        thread.join()
    assert got == list(range(21))


def test_who_lost_patience_is_not_in_the_line_any_more() -> None:
    turns = Turns()
    assert turns.take()
    assert not turns.take(0.01)
    assert turns.waiting == 0
    assert not turns.pass_on()  # nobody waits: it is kept
    assert not turns.take(0)
    turns.give_back()
    assert turns.take(0)


def test_a_turn_that_is_passed_on_is_never_free_between() -> None:
    turns, got = Turns(), list[int]()
    assert turns.take()
    (thread,) = queued(turns, got, 1)
    assert turns.pass_on()
    thread.join()
    assert got == [0]
    assert turns.take(0)  # given back by whom it was passed on to
