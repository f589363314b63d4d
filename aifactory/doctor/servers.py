"""The MCP servers of the target branch, each started once as an attempt would start it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from aifactory.doctor.ground import FAIL, OK, WARN, Finding, Ground
from aifactory.errors import AifactoryError, PreconditionFailed
from aifactory.git import Repository, discover
from aifactory.model import Task

if TYPE_CHECKING:
    from aifactory.agents import Bench

SECONDS = 120.0  # one server's life here


def servers(ground: Ground) -> Iterator[Finding]:
    from aifactory import opening, rooms

    with closing(discover(ground.start)) as repository:
        target = opening.target_of(repository, ground.config)
        commit = repository.tip(target) or ""
        named = rooms.servers(repository, commit)
        if ground.config.mcp.servers != named:
            remedy = f"commit aifactory.toml: what counts is what stands in {target}"
            yield Finding("servers", WARN, "[mcp.servers] is not as on the target branch", remedy)
        if named and commit:
            with bench(ground, repository, commit) as at_work:
                for name in sorted(named):
                    yield look(at_work, name)


def look(at_work: Bench, name: str) -> Finding:
    """Start one, ask it for its tools, end it."""
    try:
        serving = at_work.serving(name, SECONDS)
        try:
            tools = serving.client.tools()
        finally:
            serving.close()
    except AifactoryError as error:
        return Finding("servers", FAIL, error.message, error.next_step)
    names = ", ".join(sorted(str(tool.get("name")) for tool in tools))
    return Finding("servers", OK, f"{name} starts in the sandbox; its tools: {names or 'none'}")


@contextmanager
def bench(ground: Ground, repository: Repository, commit: str) -> Iterator[Bench]:
    """A workspace that holds the commit, with all that an attempt's commands would find there."""
    from aifactory import gate, opening, rooms, sandbox
    from aifactory.agents import Bench
    from aifactory.environments import Environments, recipe
    from aifactory.tree import GitTree
    from aifactory.workspace import Workspaces

    settings = ground.config
    cage = opening.cage_of(settings, opening.Options())
    python = gate.interpreter(settings.environment.python, ground.layout.root)
    wanted = recipe(repository, commit, settings, python)
    environment = Environments(ground.layout, lambda: cage).find(wanted) if wanted else None
    if wanted and environment is None:
        raise PreconditionFailed(
            "MCP servers were not started: what [environment] installs is not there yet",
            next_step="start the daemon and let it run a task, then ask again",
        )
    workspaces = Workspaces(repository, ground.layout, sandbox.owner)
    with workspaces.lease() as workspace:
        room = gate.Room(
            workspace=workspace,
            sandbox=cage,
            python=environment.python if environment else python,
            environment=environment,
            task=Task(task_id="doctor", description="aifactory doctor"),
            repository=repository,
            tree=repository.tree_of(commit),
            servers=rooms.servers(repository, commit),
            limits=sandbox.Limits(**settings.sandbox.limits.model_dump()),
        )
        yield Bench(room, GitTree(repository, commit), settings.policy.max_bytes)
    workspaces.close()
