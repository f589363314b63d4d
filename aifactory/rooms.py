"""What a command of a task may use: a workspace, the cage, and the owner's terms."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from aifactory import audit, config, reversal, sandbox, underway
from aifactory.environments import Environment, recipe
from aifactory.factory import Factory
from aifactory.gate import Room
from aifactory.git import Repository
from aifactory.installation import Recipe, Watcher
from aifactory.layout import Layout
from aifactory.ledger import Ledger
from aifactory.model import CommandRecord, Task
from aifactory.queue import Queue
from aifactory.settings import Server
from aifactory.workspace import Workspace


def room(
    factory: Factory,
    task: Task,
    attempt: int,
    base: str,
    workspace: Workspace,
    repository: Repository,
    tree: str,
    *,
    stop: threading.Event,
) -> Room:
    """The room of one attempt on the commit `base`; its commands are recorded. See `Room`."""
    config = factory.config
    wanted = recipe(repository, base, config, factory.python)
    environment = installed(factory, task.task_id, attempt, wanted, stop) if wanted else None
    return Room(
        workspace=workspace,
        sandbox=factory.sandbox(),
        python=environment.python if environment else factory.python,
        environment=environment,
        task=task,
        repository=repository,
        tree=tree,
        commands=config.gate.commands,
        keep=config.gate.keep,
        allowed=config.policy.commands,
        programs=tuple(Path(place).expanduser() for place in config.agents.programs),
        known=factory.known,
        strength=reversal.strength(task, config.strength),
        security=config.gate.security,
        limits=sandbox.Limits(**config.sandbox.limits.model_dump()),
        timeout=config.gate.timeout,
        left=partial(factory.left_of, task),
        stop=stop,
        on_start=partial(tell_start, factory, task.task_id, attempt),
        on_command=partial(tell_end, factory, task.task_id, attempt),
    )


def watching(
    factory: Factory, commit: str, workspace: Workspace, tree: str, stop: threading.Event
) -> Room:
    """The room for checks of what has landed, which are nobody's task."""
    config = factory.config
    wanted = recipe(factory.repository, commit, config, factory.python)
    environment = factory.environments.ready(wanted, Watcher(stop=stop)) if wanted else None
    return Room(
        workspace=workspace,
        sandbox=factory.sandbox(),
        python=environment.python if environment else factory.python,
        environment=environment,
        task=Task(task_id="watch", description="[land] watch"),
        repository=factory.repository,
        tree=tree,
        keep=config.gate.keep,
        limits=sandbox.Limits(**config.sandbox.limits.model_dump()),
        timeout=config.gate.timeout,
        stop=stop,
        on_start=partial(tell_start, factory, None, None),
    )


def servers(repository: Repository, commit: str) -> Mapping[str, Server]:
    """The MCP servers that a commit of the owner's names, and those that the user does."""
    text = repository.blob(f"{commit}:aifactory.toml") if commit else None
    return config.parse(text or b"", environ=os.environ).mcp.servers


def installed(
    factory: Factory, task_id: str, attempt: int, wanted: Recipe, stop: threading.Event
) -> Environment:
    """What the owner's commit has installed for its commands; built now where it is not there."""
    watcher = Watcher(
        on_start=partial(tell_start, factory, task_id, attempt),
        on_command=partial(tell_end, factory, task_id, attempt),
        stop=stop,
    )
    return factory.environments.ready(wanted, watcher)


def tell_start(factory: Factory, task_id: str | None, attempt: int | None, command: str) -> None:
    if task_id is not None:
        underway.begin(factory.layout, task_id, attempt, command)
    factory.stream.emit("command.started", task_id, attempt, command=command)


def tell_end(factory: Factory, task_id: str, attempt: int, record: CommandRecord) -> None:
    """Record how a command ended, at once: whatever becomes of the attempt, it has run."""
    factory.queue.note(
        task_id,
        "command.finished",
        attempt=attempt,
        data={
            "argv": list(record.argv),
            **({"on": record.details["on"]} if "on" in record.details else {}),
            "exit_code": record.exit_code,
            "seconds": round(record.seconds, 3),
            "denied": record.denied,
        },
        artifacts=audit.with_records(factory.ledger, task_id, [record]),
    )
    underway.end(factory.layout, task_id, attempt, str(record.details.get("command", "")))


def tell_cut(queue: Queue, ledger: Ledger, layout: Layout) -> None:
    """Give the commands that an earlier daemon's end cut off their line; done once."""
    for one in underway.cut(layout):
        artifacts = audit.with_records(ledger, one.task_id, [one.record])
        if artifacts and one.task_id in queue.records:
            queue.note(
                one.task_id,
                "command.cut",
                attempt=one.attempt,
                data={"command": one.record.argv[0]},
                artifacts=artifacts,
            )
        one.note.unlink(missing_ok=True)
