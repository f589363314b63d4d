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
    from aifactory.sandbox import Spec

EXIT_TIMED_OUT = 124  # as `timeout` does
EXIT_SIGNAL = 128
Workspace = Annotated[
    Path, typer.Argument(metavar="WORKSPACE", exists=True, file_okay=False, help="May be written.")
]
Command = Annotated[list[str], typer.Argument(metavar="-- CMD...", help="What to run.")]
Backend = Annotated[
    str | None, typer.Option(help="firejail or bubblewrap.", show_default="the configured one")
]
Network = Annotated[Literal["none"], typer.Option(help="There is none, whatever the command is.")]


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

    settings, root = _settings(repo)
    cage = sandbox.choose(backend or settings.sandbox.backend)
    record = sandbox.run_in(cage, _spec(workspace.resolve(), command, settings, root), _pass_on)
    for line in record.details["left_behind"]:
        note(f"not brought back: {line}")
    if record.timed_out:
        note(f"stopped after {settings.gate.timeout:g} s")
        return EXIT_TIMED_OUT
    if record.killed_by != "none":
        note(f"killed: limit of {record.killed_by}")
    return EXIT_SIGNAL + record.signal if record.signal is not None else record.exit_code or 0


def _settings(repo: Path | None) -> tuple[Config, Path]:
    """The settings of the repository, or the defaults where there is none."""
    from aifactory import config
    from aifactory.errors import NotARepository
    from aifactory.git import discover

    try:
        root = discover(repo or Path()).root
    except NotARepository:
        if repo is not None:
            raise
        return config.parse(b"", environ=os.environ), Path().resolve()
    return config.load(root, environ=os.environ), root


def _spec(workspace: Path, command: list[str], settings: Config, root: Path) -> Spec:
    from aifactory import gate, sandbox
    from aifactory.gate.execution import PYTHONS

    python = gate.interpreter(settings.environment.python, root)
    words = (str(python), *command[1:]) if command[0] in PYTHONS else tuple(command)
    tools = sandbox.toolchain(python)
    return sandbox.Spec(
        argv=words,
        workspace=workspace,
        environment={**tools.environment, "PYTHONDONTWRITEBYTECODE": "1"},
        readable=tools.readable,
        limits=sandbox.Limits(seconds=settings.gate.timeout),
    )


def _pass_on(stream: Literal["stdout", "stderr"], data: bytes) -> None:
    out = sys.stdout if stream == "stdout" else sys.stderr
    out.buffer.write(data)
    out.flush()
