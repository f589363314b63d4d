"""The tasks of an agent run again under other versions of its prompt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aifactory.errors import InvalidInput
from aifactory.fork import Forked, fork
from aifactory.git import Repository
from aifactory.layout import Layout
from aifactory.ledger import Ledger
from aifactory.model import Record, State
from aifactory.prompts import Prompts
from aifactory.scratch import bring_prompts, scratch

MOST = 20  # tasks, the newest ones


@dataclass(frozen=True)
class Trial:
    """One task: how it ended, and how it ends under each version."""

    before: Record
    forks: tuple[Forked, ...]


def trials(
    repository: Repository,
    layout: Layout,
    agent: str,
    task_ids: Sequence[str] | None,
    revisions: Sequence[str | None],
    model: str | None,
) -> list[Trial]:
    """Each task under the prompts of each revision; None stands for the files as they are."""
    chosen = task_ids or worked_on(Ledger(repository), agent)
    return [
        Trial(forks[0].before, forks)
        for task_id in chosen
        for forks in [
            tuple(
                fork(repository, layout, task_id, model=model, prompts=revision)
                for revision in revisions
            )
        ]
    ]


def worked_on(ledger: Ledger, agent: str) -> list[str]:
    """The last tasks that an agent brought to an end."""
    ended = (State.DONE, State.FAILED)
    found = [one for one in ledger.records() if one.agent == agent and one.state in ended]
    if not (known := [one.task_id for one in found if one.calls][-MOST:]):
        raise InvalidInput(
            f"{agent} has brought no task to an end yet", next_step="name one with --task"
        )
    return known


@dataclass(frozen=True)
class Version:
    """An agent's file with what it includes."""

    sha256: str
    text: str


def prompt_at(repository: Repository, layout: Layout, agent: str, revision: str | None) -> Version:
    """An agent's file as a revision has it, or as it is now."""
    if revision is None:
        return version(layout, agent)
    with scratch(repository, "") as place:
        bring_prompts(repository, revision, place)
        return version(Layout(place.root, place.git_dir), agent)


def version(layout: Layout, agent: str) -> Version:
    prompt = Prompts(layout).load(agent)
    included = (f"--- {name}\n{text}" for name, text in sorted(prompt.partials.items()))
    return Version(prompt.sha256, "\n".join([prompt.path.read_text(), *included]))
