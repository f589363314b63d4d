"""Arguments and options that several commands share, always under the same names."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def complete_task(incomplete: str) -> list[str]:
    """Ids of tasks for the shell; nothing where there is no repository."""
    from aifactory.cli.place import opened
    from aifactory.errors import AifactoryError

    try:
        with opened(None) as place:
            return [name for name in place.ids() if name.startswith(incomplete)]
    except AifactoryError:
        return []


Reason = Annotated[str, typer.Option(help="Why; it is kept with the task.")]
Repo = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="The repository; default: the one you are in."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", "-n", help="Say what would be done, change nothing.")
]
TaskId = Annotated[
    str,
    typer.Argument(
        metavar="TASK", help="Its id, or a unique beginning.", autocompletion=complete_task
    ),
]
SomeTask = Annotated[
    str | None,
    typer.Argument(
        metavar="[TASK]", help="Its id, or a unique beginning.", autocompletion=complete_task
    ),
]
SomeTasks = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[TASK]...", help="Ids, or unique beginnings.", autocompletion=complete_task
    ),
]
