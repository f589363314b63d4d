"""Tasks that may write the same files get in each other's way: the later one may have to be redone.

So of equally urgent tasks those start first whose files nobody has in work; and one whose proposal
came too late already starts when nobody has.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from aifactory.model import Task
from aifactory.paths import match, wild


def spread(
    runnable: Sequence[Task], in_work: Iterable[Task], late: Collection[str] = ()
) -> list[Task]:
    """The tasks that may start now, in that order; `runnable` is by priority.

    `late` are the ids of tasks whose proposal had to be redone: whoever is behind such a one and
    in its way waits with it.
    """
    taken = {name for task in in_work for name in task.files}
    kept_free: set[str] = set()
    first: list[Task] = []
    crowded: list[Task] = []
    for task in runnable:
        meets = _meets(task.files, taken)
        if meets and (task.task_id in late or _meets(task.files, kept_free)):
            kept_free |= set(task.files)
        else:
            (crowded if meets else first).append(task)
        taken |= set(task.files)
    return sorted([*first, *crowded], key=lambda task: task.priority)


def _meets(files: Iterable[str], taken: set[str]) -> bool:
    """Whether both may write one file; a task that names none says nothing about it."""
    globs = [name for name in taken if wild(name)]
    return any(
        name in taken or match(globs, name) or (wild(name) and any(match([name], t) for t in taken))
        for name in files
    )
