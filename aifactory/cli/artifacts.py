"""`aifactory artifacts`: everything that was kept of a task."""

from __future__ import annotations

from typing import Annotated

import typer

from aifactory.cli.options import Json, Repo, TaskId
from aifactory.errors import InvalidInput


def artifacts(
    task: TaskId,
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Print this one.")] = None,
    repo: Repo = None,
    json: Json = False,
) -> None:
    """List or print what was kept of a task. Prompts, answers, proposals, verdicts, commands."""
    from aifactory.cli.output import print_json, print_raw, say
    from aifactory.cli.place import opened
    from aifactory.schema import nearest

    with opened(repo) as place:
        history = place.find(task)
        known = sorted(history.artifacts)
        if name is None:
            print_json(known) if json else say("\n".join(known))
            return
        data = place.blob(history, name)
        if data is None:
            guess = nearest(name, known)
            hint = f"; did you mean {guess}?" if guess else ""
            raise InvalidInput(
                f"{history.record.task_id} has no artifact {name!r}{hint}",
                next_step=f"`aifactory artifacts {history.record.task_id}` lists them",
            )
        print_raw(data)
