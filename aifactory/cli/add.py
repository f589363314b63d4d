"""`aifactory add`: put a task file into tasks/."""

from __future__ import annotations

import json as json_module
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aifactory.cli.options import DryRun, Json, Repo
from aifactory.errors import InvalidInput

if TYPE_CHECKING:
    from aifactory.cli.place import Place
    from aifactory.model import Task

WORDS_IN_ID = 6
LONGEST_ID = 60


def _some(metavar: str, help: str) -> Any:
    return typer.Option(metavar=metavar, help=f"{help}; repeatable.")


What = Annotated[
    str,
    typer.Argument(metavar="WORDS|FILE.json|-", help="In words, or a file, or stdin as JSON."),
]
Id = Annotated[str | None, typer.Option(help="The task's id; default: made of the words.")]
Title = Annotated[str | None, typer.Option(help="A short name for lists.")]
Agent = Annotated[str | None, typer.Option(help="Who does it; see `aifactory agents`.")]
Paths = Annotated[list[str] | None, _some("PATH", "May be written, a path or glob")]
Context = Annotated[list[str] | None, _some("PATH", "Is shown to the agent besides")]
Needs = Annotated[list[str] | None, _some("TASK", "Must be done first")]
Accept = Annotated[list[str] | None, _some("CMD", "Must exit with 0 in the sandbox")]
Priority = Annotated[int | None, typer.Option(help="Lower goes first (10).")]
Attempts = Annotated[int | None, typer.Option(help="Attempts before it fails (5).")]
Usd = Annotated[float | None, typer.Option(help="Most that it may cost, in US dollars.")]
Land = Annotated[str | None, typer.Option(help="auto, approve, branch or pr.")]


def add(
    what: What,
    id: Id = None,
    title: Title = None,
    agent: Agent = None,
    file: Paths = None,
    context: Context = None,
    depends_on: Needs = None,
    accept: Accept = None,
    priority: Priority = None,
    max_attempts: Attempts = None,
    usd: Usd = None,
    land: Land = None,
    repo: Repo = None,
    json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Put a task into tasks/ and print its id. It is checked first; nothing is overwritten."""
    said: dict[str, Any] = {"task_id": id, "title": title, "assignee": agent, "files": file}
    said |= {"context_files": context, "depends_on": depends_on, "acceptance_commands": accept}
    said |= {"priority": priority, "max_attempts": max_attempts, "land": land}
    options = {name: value for name, value in said.items() if value not in (None, [])}
    options |= {} if usd is None else {"budget": {"usd": usd}}
    _add(_document(what, options), repo, json, dry_run)


def _document(what: str, options: dict[str, Any]) -> bytes | dict[str, Any]:
    """The bytes of a task file that is handed in, or the fields of a new one."""
    is_file = what.endswith(".json") and (" " not in what or Path(what).exists())
    if what != "-" and not is_file:
        return {"description": what} | options
    if options:
        raise InvalidInput(
            f"{what} is a whole task file; it takes no options besides",
            next_step="write the fields into the file",
        )
    try:
        return sys.stdin.buffer.read() if what == "-" else Path(what).read_bytes()
    except OSError as error:
        raise InvalidInput(f"{what}: {error.strerror}", next_step="name a file to read") from error


def _add(given: bytes | dict[str, Any], repo: Path | None, json: bool, dry_run: bool) -> None:
    from aifactory import intake
    from aifactory.cli.output import note, print_json, say
    from aifactory.cli.place import opened
    from aifactory.layout import TASK_REFS
    from aifactory.prompts import Prompts
    from aifactory.queue.admission import MOST_OPEN

    with opened(repo) as place:
        known = {record.task_id: record.digest for record in place.records()}
        if isinstance(given, dict):
            given.setdefault("task_id", _new_id(given["description"], set(known)))
            given = (json_module.dumps(given, indent=2, ensure_ascii=False) + "\n").encode()
        task = intake.read(Path("tasks", "the new task"), given)
        path = _place(place, task, given, known, dry_run)
        agents = Prompts(place.layout).names()
        is_full = len(place.repository.refs(TASK_REFS)) >= MOST_OPEN
    if task.assignee and task.assignee not in agents:
        note(f"note: there is no agent {task.assignee!r} yet (known: {', '.join(agents)})")
    for missing in sorted(set(task.depends_on) - {*known, task.task_id}):
        note(f"note: it depends on {missing!r}, which does not exist yet")
    if is_full:
        note(f"note: {MOST_OPEN} tasks are open: it waits in tasks/ until one of them closes")
    if json:
        print_json({"task_id": task.task_id, "file": path and str(path), "dry_run": dry_run})
    else:
        say(task.task_id)


def _place(
    place: Place, task: Task, data: bytes, known: dict[str, str], dry_run: bool
) -> Path | None:
    """Write the file, or leave it when the same task is there already."""
    from aifactory import intake
    from aifactory.cli.output import note
    from aifactory.files import atomic_new, make_dir

    if task.task_id in known:
        if known[task.task_id] != intake.identity(task):
            raise InvalidInput(
                f"there is a task {task.task_id!r} already, with other content",
                next_step="give it another id",
            )
        note(f"{task.task_id} is there already")
        return None
    path = place.layout.tasks / f"{task.task_id}.json"
    shown = path.relative_to(place.layout.root)
    try:
        if dry_run and (path.exists() or path.is_symlink()):
            raise FileExistsError
        if not dry_run:
            make_dir(path.parent)
            atomic_new(path, data)
    except FileExistsError:
        raise InvalidInput(
            f"{path} exists and is another task", next_step="rename that file"
        ) from None
    note(f"{'would write' if dry_run else 'wrote'} {shown}")
    return path


def _new_id(description: str, known: set[str]) -> str:
    """An id made of the first words; a number is added where it is taken."""
    words = re.findall(r"[a-z0-9]+", description.lower())[:WORDS_IN_ID]
    stem = "-".join(words)[:LONGEST_ID].strip("-") or "task"
    numbered = (stem if number == 1 else f"{stem}-{number}" for number in range(1, len(known) + 3))
    return next(name for name in numbered if name not in known)
