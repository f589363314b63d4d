"""Which task goes next, and why the others wait."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from graphlib import CycleError, TopologicalSorter

from aifactory.model import Task
from aifactory.schema import nearest

_SHOWN = 12  # links of a cycle that are written out


def order(
    tasks: Iterable[Task],
    done: Collection[str],
    known: Collection[str],
    *,
    failed: Collection[str] = frozenset(),
    afar: Collection[str] = frozenset(),
    ages: Mapping[str, str] | None = None,
) -> tuple[list[Task], dict[str, str]]:
    """The tasks that can run now, in order, and of every other one the reason why it cannot.

    Lower priority first, then older, then by id. `done`, `failed` (cancelled and rejected too),
    `afar` (merged on the forge alone) and `known` are ids that stand elsewhere; `ages` gives a time
    to tasks that name none.
    """
    every = {task.task_id: task for task in tasks}
    finished = set(done) | {name for name, task in every.items() if task.closed_before}
    waiting = {name: task for name, task in every.items() if name not in finished}
    needs = {
        name: [d for d in task.depends_on if d not in finished] for name, task in waiting.items()
    }
    blocked = {name: f"is in a cycle: {cycle}" for name, cycle in _cycles(needs).items()}
    for name, missing in needs.items():
        if missing and name not in blocked:
            blocked[name] = _reason(missing, {*every, *known}, failed, afar)
    ready = [task for name, task in waiting.items() if name not in blocked]
    times = ages or {}
    return sorted(ready, key=lambda task: _rank(task, times)), blocked


def _rank(task: Task, ages: Mapping[str, str]) -> tuple[int, str, str]:
    unknown = "~"  # behind every time
    return task.priority, task.created_at or ages.get(task.task_id) or unknown, task.task_id


def _reason(
    needs: list[str], known: set[str], failed: Collection[str], afar: Collection[str]
) -> str:
    """The gravest reason first: what will never come, then what failed, then what takes time."""
    if absent := [name for name in needs if name not in known and name not in failed]:
        return "depends on " + ", ".join(_absent(name, known) for name in absent)
    if lost := [name for name in needs if name in failed]:
        return f"depends on {_listed(lost)}, which failed or was cancelled"
    if merged := [name for name in needs if name in afar]:
        return (
            f"waits until the local branch holds {_listed(merged)}, which the forge has merged:"
            " pull by hand"
        )
    return f"waits for {_listed(needs)}"


def _absent(name: str, known: set[str]) -> str:
    guess = nearest(name, known)
    return f"`{name}`, which does not exist" + (f" (did you mean `{guess}`?)" if guess else "")


def needed_first(tasks: Iterable[Task]) -> list[str]:
    """The ids in an order in which each comes after all that it needs; cycles come last."""
    needs = {task.task_id: list(task.depends_on) for task in tasks}
    free = _free({name: [n for n in wanted if n in needs] for name, wanted in needs.items()})
    return list(dict.fromkeys([*free, *needs]))


def _listed(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _cycles(needs: Mapping[str, list[str]]) -> dict[str, str]:
    """Of every task that waits for itself in the end: the way there, such as `a -> b -> a`."""
    left = _knotted(needs)
    found: dict[str, str] = {}
    for name in sorted(left):
        if name not in found and (way := _way_back(name, left)):
            for index, member in enumerate(way):
                found.setdefault(member, _written([*way[index:], *way[:index], member]))
    return found


def _knotted(needs: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """What is left when all that can be done, and all that nobody left needs, is taken away."""
    stuck = _stuck(
        {name: [need for need in wanted if need in needs] for name, wanted in needs.items()}
    )
    needed_by: dict[str, list[str]] = {name: [] for name in stuck}
    for name, wanted in stuck.items():
        for need in wanted:
            needed_by[need].append(name)
    core = _stuck(needed_by)
    return {name: [need for need in stuck[name] if need in core] for name in core}


def _stuck(needs: Mapping[str, list[str]]) -> dict[str, list[str]]:
    free = set(_free(needs))
    return {n: [w for w in wanted if w not in free] for n, wanted in needs.items() if n not in free}


def _free(needs: Mapping[str, list[str]]) -> list[str]:
    """What is in no cycle and needs nothing that is, each after all that it needs."""
    sorter = TopologicalSorter(needs)
    with suppress(CycleError):  # it goes on as far as the cycles let it
        sorter.prepare()
    free: list[str] = []
    while some := sorter.get_ready():
        free += some
        sorter.done(*some)
    return free


def _way_back(start: str, needs: Mapping[str, list[str]]) -> list[str]:
    """The shortest way from `start` to itself, or nothing."""
    came_from: dict[str, str] = {}
    todo = [start]
    for name in todo:
        for need in needs[name]:
            if need == start:
                return _path(name, came_from, start)
            if need not in came_from:
                came_from[need] = name
                todo.append(need)
    return []


def _path(name: str, came_from: Mapping[str, str], start: str) -> list[str]:
    way = [name]
    while way[-1] != start:
        way.append(came_from[way[-1]])
    return way[::-1]


def _written(way: list[str]) -> str:
    if len(way) > _SHOWN:
        way = [*way[: _SHOWN - 2], "...", way[-1]]
    return " -> ".join(way)
