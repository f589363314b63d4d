"""The owner's later checks on what has landed: the commit that turns them red is taken back.

`[land] watch` runs in the cage on the tip of the target, beside other work. The last commit that
was green stands in a ref; between it and a red tip the first red commit is found by halving, where
what was taken back meanwhile counts as never done: of two that are to blame, the second is found
when the first is gone. What fails once and not again blames nobody.
"""

from __future__ import annotations

import threading
from collections.abc import Collection
from dataclasses import replace

from aifactory import reversal, rooms
from aifactory.errors import (
    AifactoryError,
    Cancelled,
    EnvironmentUnusable,
    GateFlaky,
    Interrupted,
)
from aifactory.factory import Factory
from aifactory.gate.execution import execute
from aifactory.gate.trees import scratch
from aifactory.layout import WATCHED_REF
from aifactory.model import Task


class Lookout:
    """One thread at a time looks."""

    def __init__(self, factory: Factory) -> None:
        self._factory = factory
        self._seen = ""
        self.stop = threading.Event()

    @property
    def is_due(self) -> bool:
        """Whether the tip is one that was not looked at."""
        if not self._factory.config.land.watch:
            return False
        tip = self._factory.tip()
        return tip not in ("", self._seen) and tip != self._green()

    def look(self) -> None:
        """Run the checks on the tip; when it is red, find out since when, and take that back."""
        tip = self._factory.tip()
        self._seen = tip
        try:
            self._judge(tip)
        except (Cancelled, Interrupted):
            self._seen = ""
        except EnvironmentUnusable:
            self._seen = ""
            raise
        except AifactoryError as error:
            self._factory.stream.emit("watch.broken", commit=tip, problems=error.message)

    def _green(self) -> str:
        return self._factory.repository.resolve(WATCHED_REF) or ""

    def _judge(self, tip: str) -> None:
        repository, stream, green = self._factory.repository, self._factory.stream, self._green()
        if self._is_green(tip):
            repository.update_refs({WATCHED_REF: (green or repository.null, tip)})
            stream.emit("watch.green", commit=tip)
        elif not green or not repository.is_ancestor(green, tip):
            stream.emit("watch.red", commit=tip, reason="it was never green: nothing is taken back")
        else:
            stream.emit("watch.red", commit=tip, reason=f"{green[:12]} was green")
            self._blame(self._first_red(green, tip))

    def _first_red(self, green: str, tip: str) -> str:
        """The first red commit between a green and a red one, by halving."""
        repository = self._factory.repository
        listed = repository.run("rev-list", "--first-parent", "--reverse", f"{green}..{tip}")
        commits = listed.decode().split()
        gone = list(reversal.taken_back(repository, self._factory.queue, commits))
        low, high = -1, len(commits) - 1
        while high - low > 1:
            middle = (low + high) // 2
            later = [one for one in gone if one.landed <= middle < one.undone]
            later.sort(key=lambda one: one.landed, reverse=True)
            if self._is_green(commits[middle], [one.task for one in later]):
                low = middle
            else:
                high = middle
        return commits[high]

    def _blame(self, commit: str) -> None:
        """Take back what a task landed; a person's commit is theirs to take back."""
        factory = self._factory
        record = reversal.task_at(factory.repository, factory.queue, commit)
        task_id = record.task_id if record else None
        factory.stream.emit("watch.blamed", task_id, commit=commit)
        if record:
            reason = f"[land] watch is green before {commit[:12]} and red since."
            reversal.begin(factory.repository, factory.queue, record, reason)

    def _is_green(self, commit: str, gone: Collection[Task] = ()) -> bool:
        """Whether every check passes on a commit, had these tasks taken back what is theirs.

        GateFlaky when a second try says otherwise.
        """
        if self._passes(commit, gone):
            return True
        if self._passes(commit, gone):
            raise GateFlaky(f"{commit[:12]} was red once and green when tried again")
        return False

    def _passes(self, commit: str, gone: Collection[Task]) -> bool:
        factory = self._factory
        with factory.workspaces.lease() as workspace, scratch(factory.repository) as inside:
            tree = reversal.without(inside, commit, gone)
            room = rooms.watching(factory, commit, workspace, tree, self.stop)
            workspace.checkout(inside, tree)
            here = replace(room, repository=inside)
            return all(execute(here, command).ok for command in factory.config.land.watch)
