"""The table of states: complete, closed, and drawn from itself."""

from __future__ import annotations

import pytest

from aifactory.model import State
from aifactory.states import TABLE, BadTransition, chart, step


def test_a_step_that_the_table_does_not_know_is_refused_with_what_is_possible() -> None:
    with pytest.raises(BadTransition) as refused:
        step(State.DONE, "attempt.started")
    assert "task.retried" in refused.value.next_step


def test_every_state_can_be_reached() -> None:
    reached, frontier = {None}, [None]
    while frontier:
        start = frontier.pop()
        for (state, _), end in TABLE.items():
            if state == start and end not in reached:
                reached.add(end)
                frontier.append(end)
    assert reached == {None, *State}


def test_only_a_person_a_mended_file_or_a_schedule_brings_a_closed_task_back() -> None:
    stays = {(State.DONE, "task.reverted")}
    stays |= {(State.CANCELLED, name) for name in ("pull.closing", "pull.withdrawn")}
    stays |= {(State.CANCELLED, "landing.waits")}
    assert all(TABLE[way] is way[0] for way in stays)
    ways = [way for way in TABLE if way[0] and way[0].closed and way not in stays]
    ways_out = {event for _, event in ways}
    found = {"task.landed"}  # Git says that it had landed after all
    by_itself = {"task.scheduled", "task.accepted", "task.refused", "task.withdrawn"} | found
    assert ways_out == {"task.retried"} | by_itself


def test_every_open_state_can_be_cancelled() -> None:
    for state in State:
        if not state.closed:
            assert step(state, "task.cancelled") is State.CANCELLED


def test_the_chart_has_a_line_for_each_row() -> None:
    assert len(chart().splitlines()) == len(TABLE) + 1
