"""What a batch will take, from what tasks took before: in which order, how long, for how much."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from aifactory import order
from aifactory.model import Record, State, Task

TO_RUN = (State.QUEUED, State.BLOCKED, State.RUNNING)


@dataclass(frozen=True)
class Typical:
    """What a task took on average, over so many `tasks`."""

    usd: float
    seconds: float
    tasks: int


@dataclass(frozen=True)
class Planned:
    """One task of the batch. `starts_at` is in seconds from now; without history it is not known,
    and a task that does not run says why."""

    task_id: str
    agent: str
    usd: float | None = None
    seconds: float | None = None
    starts_at: float | None = None
    reason: str = ""


def typical(records: Iterable[Record]) -> dict[str, Typical]:
    """The average by agent, of tasks that came to an end; under "" that of all of them."""
    ended = [one for one in records if one.state in (State.DONE, State.FAILED) and one.calls]
    groups: dict[str, list[Record]] = {"": ended} if ended else {}
    for record in ended:
        groups.setdefault(record.agent, []).append(record)
    return {
        name: Typical(
            usd=sum(one.cost_usd for one in group) / len(group),
            seconds=sum(one.seconds for one in group) / len(group),
            tasks=len(group),
        )
        for name, group in groups.items()
    }


def plan(records: Sequence[Record], default_agent: str, jobs: int) -> list[Planned]:
    """Every task that is to run, in the order in which it would start; then those that would not.

    A task whose agent has no history is taken for an average one.
    """
    known = typical(records)
    waiting = {one.task_id: one for one in records if one.state in TO_RUN and not one.due_at}
    planned: dict[str, Planned] = {}
    for task_id, record in waiting.items():
        agent = record.agent or default_agent
        took = known.get(agent) or known.get("")
        usd, seconds = (took.usd, took.seconds) if took else (None, None)
        planned[task_id] = Planned(task_id, agent, usd, seconds)
    started, blocked = _start(waiting, planned, _states(records), jobs)
    refused = [one for one in records if one.state is State.REJECTED and one.failure]
    return [
        *(replace(planned[task_id], starts_at=at) for task_id, at in started.items()),
        *(replace(planned[task_id], usd=0, reason=why) for task_id, why in blocked.items()),
        *(
            Planned(one.task_id, one.agent, reason=one.failure.message)
            for one in refused
            if one.failure
        ),
    ]


def _states(records: Iterable[Record]) -> dict[str, State]:
    return {record.task_id: record.state for record in records}


def _start(
    waiting: Mapping[str, Record],
    planned: Mapping[str, Planned],
    states: Mapping[str, State],
    jobs: int,
) -> tuple[dict[str, float], dict[str, str]]:
    """When each task starts if all of them succeed, and why some never do."""
    done = {name for name, state in states.items() if state is State.DONE}
    lost = {n for n, s in states.items() if s.closed and s is not State.DONE}
    ages = {name: record.created_at for name, record in waiting.items()}
    started: dict[str, float] = {}
    running: list[tuple[float, str]] = []
    clock = 0.0
    while True:
        left = [_task(record) for name, record in waiting.items() if name not in started]
        ready, blocked = order.order(left, done, states.keys(), failed=lost, ages=ages)
        for task in ready[: jobs - len(running)]:
            started[task.task_id] = clock
            ends_at = clock + (planned[task.task_id].seconds or 0.0)
            heapq.heappush(running, (ends_at, task.task_id))
        if not running:
            return started, blocked
        clock, ended = heapq.heappop(running)
        done.add(ended)


def _task(record: Record) -> Task:
    return Task(
        task_id=record.task_id,
        description=record.title,
        priority=record.priority,
        depends_on=record.depends_on,
    )


def total_usd(planned: Collection[Planned]) -> float:
    return sum(one.usd or 0.0 for one in planned)


def wall_seconds(planned: Collection[Planned]) -> float:
    """From the first start to the last end."""
    ends = (one.starts_at + (one.seconds or 0.0) for one in planned if one.starts_at is not None)
    return max(ends, default=0.0)
