"""`aifactory sandbox exec`: run a command as a gate would, to see what it does there."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from aifactory.cli.options import Repo

if TYPE_CHECKING:
    from aifactory.config import Config
    from aifactory.git import Repository
    from aifactory.model import CommandRecord
    from aifactory.sandbox import Spec, Toolchain
    from aifactory.sandbox.confined import Confined

EXIT_TIMED_OUT = 124  # as `timeout` does
EXIT_SIGNAL = 128
Workspace = Annotated[
    Path, typer.Argument(metavar="WORKSPACE", exists=True, file_okay=False, help="May be written.")
]
Command = Annotated[list[str], typer.Argument(metavar="-- CMD...", help="What to run.")]
Backend = Annotated[
    Literal["firejail", "bubblewrap"] | None,
    typer.Option(help="What makes the cage.", show_default="the configured one"),
]
Network = Annotated[
    Literal["none", "install"],
    typer.Option(help="install: [environment] hosts, for one of its install commands only."),
]


def execute(
    workspace: Workspace,
    command: Command,
    network: Network = "none",
    backend: Backend = None,
    repo: Repo = None,
) -> int:
    """Run one command as a gate would. No network; its exit code is passed through."""
    from aifactory import sandbox
    from aifactory.cli.output import note

    settings, repository = _settings(repo)
    cage = sandbox.choose(backend or settings.sandbox.backend)
    spec = _spec(workspace.resolve(), command, settings, repository)
    if network == "none":
        record = sandbox.run_in(cage, spec, _pass_on)
    else:
        record = _installing(cage, spec, command, settings)
    for line in record.details["left_behind"]:
        note(f"not brought back: {line}")
    if record.timed_out:
        note(f"stopped after {settings.gate.timeout:g} s")
        return EXIT_TIMED_OUT
    if record.killed_by != "none":
        note(f"killed: limit of {record.killed_by}")
    return EXIT_SIGNAL + record.signal if record.signal is not None else record.exit_code or 0


def _installing(cage: Confined, spec: Spec, command: list[str], settings: Config) -> CommandRecord:
    """Run one of the owner's install commands, with the hosts that the owner names for them."""
    import shlex
    import tempfile
    from dataclasses import replace

    from aifactory import sandbox
    from aifactory.cli.output import note
    from aifactory.errors import PolicyDenied
    from aifactory.layout import cache_home

    section = settings.environment
    if command not in [shlex.split(one) for one in section.install]:
        raise PolicyDenied(
            "only a command of [environment] install may reach its hosts",
            next_step="name the command there, or run it without --network",
        )
    cache_home().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="door-", dir=cache_home()) as door:
        Path(door).chmod(0o711)
        log: list[sandbox.Request] = []
        proxy = Path(door, "proxy")
        with sandbox.serve(section.hosts, proxy, log.append, owner=sandbox.free_owner()):
            record = sandbox.run_in(cage, replace(spec, network=proxy), _pass_on)
    for one in log:
        note(f"{one.host}:{one.port} {one.refused or one.failed or one.address}")
    return record


def _settings(repo: Path | None) -> tuple[Config, Repository | None]:
    """The settings of the repository, or the defaults where there is none."""
    from aifactory import config
    from aifactory.errors import NotARepository
    from aifactory.git import discover

    try:
        repository = discover(repo or Path())
    except NotARepository:
        if repo is not None:
            raise
        return config.parse(b"", environ=os.environ), None
    return config.load(repository.root, environ=os.environ), repository


def _spec(
    workspace: Path, command: list[str], settings: Config, repository: Repository | None
) -> Spec:
    from aifactory import sandbox
    from aifactory.gate.execution import PYTHONS

    python, tools = _tools(settings, repository)
    words = (str(python), *command[1:]) if command[0] in PYTHONS else tuple(command)
    return sandbox.Spec(
        argv=words,
        workspace=workspace,
        environment={**tools.environment, "PYTHONDONTWRITEBYTECODE": "1"},
        readable=tools.readable,
        limits=sandbox.Limits(seconds=settings.gate.timeout),
    )


def _tools(settings: Config, repository: Repository | None) -> tuple[Path, Toolchain]:
    """The gate's interpreter, with what is installed for HEAD where that stands already."""
    from aifactory import gate, sandbox
    from aifactory.environments import Environments, recipe
    from aifactory.layout import Layout

    root = repository.root if repository else Path().resolve()
    python = gate.interpreter(settings.environment.python, root)
    commit = repository.resolve("HEAD") if repository else None
    if repository and commit and (wanted := recipe(repository, commit, settings, python)):
        pool = Environments(Layout(root, repository.git_dir), sandbox.choose)
        if found := pool.find(wanted):
            return found.python, found.tools
    return python, sandbox.toolchain(python)


def _pass_on(stream: Literal["stdout", "stderr"], data: bytes) -> None:
    out = sys.stdout if stream == "stdout" else sys.stderr
    out.buffer.write(data)
    out.flush()
