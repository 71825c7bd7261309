"""Who of a crowd begins when: with threads of the test's own instead of a server's."""

from __future__ import annotations

from gatekeeper.cli.admission import Admission


class Works:
    """Notes who was started, and does their work when it is told to."""

    def __init__(self, most: int) -> None:
        self.started: list[str] = []
        self.admission: Admission[str] = Admission(self.started.append, most)

    def end(self) -> None:
        """End a turn as the thread does that was given one."""
        with self.admission.turn():
            pass


def test_as_many_are_at_work_as_may_be_and_then_the_last_comes_first() -> None:
    works = Works(2)
    for who in "abcde":
        works.admission.ask(who)
    assert works.started == ["a", "b"]
    works.end()
    assert works.started == ["a", "b", "e"]
    works.admission.ask("f")
    works.end()
    works.end()
    works.end()
    assert works.started == ["a", "b", "e", "f", "d", "c"]
    assert not works.admission.is_crowded


def test_a_turn_that_is_over_early_is_not_over_twice() -> None:
    works = Works(1)
    for who in "abcd":
        works.admission.ask(who)
    with works.admission.turn():
        works.admission.over()
        assert works.started == ["a", "d"]
        works.admission.over()
    assert works.started == ["a", "d"]


def test_a_thread_without_a_turn_ends_nobodys() -> None:
    works = Works(1)
    works.admission.ask("a")
    works.admission.ask("b")
    works.admission.over()
    assert works.started == ["a"]


def test_nobody_begins_while_people_are_taken_in_and_afterwards_as_many_as_may() -> None:
    works = Works(2)
    works.admission.ask("a")
    with works.admission.shut():
        for who in "bcd":
            works.admission.ask(who)
        works.end()
        assert works.started == ["a"]
    assert works.started == ["a", "d", "c"]


def test_turns_that_hang_keep_others_back_for_a_moment_only() -> None:
    works = Works(2)
    for who in "abcdefgh":
        works.admission.ask(who)
    works.admission.unstick()  # nobody has ended yet
    assert works.started == ["a", "b", "h", "g"]
    works.end()
    works.admission.unstick()  # somebody has
    assert works.started == ["a", "b", "h", "g"]
    works.admission.unstick()
    assert works.started == ["a", "b", "h", "g", "f", "e"]
