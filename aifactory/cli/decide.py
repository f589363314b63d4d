"""`cancel retry approve reject answer`: what a person asks of the daemon."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aifactory.cli.options import DryRun, Json, Reason, Repo, TaskId, complete_task
from aifactory.errors import InvalidInput

if TYPE_CHECKING:
    from aifactory.cli.place import Place
    from aifactory.model import Record
    from aifactory.requests import Verb

PATH = re.compile(r"\S*/\S*|\S+\.[A-Za-z]{1,8}")  # a word that can only be meant as one
Tasks = Annotated[
    list[str],
    typer.Argument(
        metavar="TASK...", help="Ids, or unique beginnings.", autocompletion=complete_task
    ),
]


@dataclass(frozen=True)
class Wish:
    """A verb with the event that it means and the states in which it is fulfilled already."""

    verb: Verb
    event: str
    fulfilled: frozenset[str]
    data: Mapping[str, Any] = field(default_factory=dict)


OPEN = frozenset({"queued", "blocked", "running", "ready"})


def cancel(
    tasks: Tasks,
    reason: Reason = "",
    repo: Repo = None,
    json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Take tasks back; what runs is stopped. Nothing of it lands."""
    wish = Wish("cancel", "task.cancelled", frozenset({"cancelled"}), {"reason": reason})
    _ask(tasks, wish, repo, json, dry_run)


def retry(
    tasks: Tasks,
    repo: Repo = None,
    json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Take closed or waiting tasks up again. As their files are now, with a fresh count."""
    _ask(tasks, Wish("retry", "task.retried", OPEN), repo, json, dry_run)


def approve(
    tasks: Tasks,
    reason: Reason = "",
    repo: Repo = None,
    json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Let verified changes land. `aifactory diff TASK` shows what that would be."""
    fulfilled = frozenset({"ready", "done"})
    _ask(
        tasks,
        Wish("approve", "proposal.approved", fulfilled, {"reason": reason}),
        repo,
        json,
        dry_run,
    )


def reject(
    tasks: Tasks,
    reason: Reason = "",
    repo: Repo = None,
    json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Refuse verified changes. Nothing of them lands."""
    fulfilled = frozenset({"rejected"})
    _ask(
        tasks,
        Wish("reject", "proposal.rejected", fulfilled, {"reason": reason}),
        repo,
        json,
        dry_run,
    )


def answer(
    task: TaskId,
    text: Annotated[
        str, typer.Argument(metavar="TEXT|FILE|-", help="The answer, a file of it, or - for stdin.")
    ],
    repo: Repo = None,
    json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Answer a task that waits for input. It goes on from there.

    The reply of a chat, for a task that was handed to a person; else a word for the agent.
    """
    given = {"text": _answer(text)}
    _ask([task], Wish("answer", "input.given", frozenset(), given), repo, json, dry_run)


def _is_file(text: str) -> bool:
    with suppress(OSError):  # longer than any path, say
        return Path(text).is_file()
    return False


def _answer(given: str) -> str:
    """The text that is meant: stdin, the content of a file, or what was given itself."""
    try:
        if given == "-":
            text = sys.stdin.buffer.read().decode()
        elif _is_file(given):
            text = Path(given).read_bytes().decode()
        elif PATH.fullmatch(given):
            raise InvalidInput(f"there is no file {given}", next_step="name the file, or use -")
        else:
            text = given
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{given} cannot be read as text: {error}") from error
    if not text.strip():
        raise InvalidInput("the answer is empty")
    return text


def _ask(given: Sequence[str], wish: Wish, repo: Path | None, json: bool, dry_run: bool) -> None:
    """Check every wish before the first is made."""
    from aifactory import report
    from aifactory.cli.output import note, print_json
    from aifactory.cli.place import opened
    from aifactory.cli.posting import post

    with opened(repo) as place:
        before = [place.record(name) for name in given]
        unmet = [record for record in before if not _is_fulfilled(record, wish)]
        if unmet and not dry_run:
            wishes = [(one.task_id, {**wish.data, "attempt": one.attempts}) for one in unmet]
            post(place, wish.verb, wishes)
        after = [place.record(record.task_id) for record in before]
        for record in before:
            if record not in unmet:
                note(f"{record.task_id} is {record.state} already")
            elif dry_run:
                also = _besides(wish, record)
                note(f"would {wish.verb} {record.task_id}, which is {record.state}{also}")
        if json:
            print_json([report.row(record) for record in after])
        elif not dry_run:
            _tell(place, [now for now, old in zip(after, before, strict=True) if old in unmet])


def _tell(place: Place, records: Sequence[Record]) -> None:
    """The states that tasks have now, and what is missing for them to go on."""
    from aifactory.cli.output import note, say
    from aifactory.pulse import pulse

    for record in records:
        say(f"{record.task_id} {record.state}")
        if record.is_leaving:
            why = f": {record.reason}" if record.reason else ""
            note(f"Its pull request is still to be closed{why}")
    if not all(record.is_over for record in records) and not pulse(place.layout).running:
        note("No daemon runs: `aifactory run` goes on with it.")


def _besides(wish: Wish, record: Record) -> str:
    """What a wish changes elsewhere."""
    if wish.verb != "cancel" or not (pull := record.pull):
        return ""
    closed = f"close its pull request {pull.url} and " if pull.url else ""
    return f", {closed}delete its branch {pull.branch} on the forge"


def _is_fulfilled(record: Record, wish: Wish) -> bool:
    """Whether nothing is to be done; BadTransition when the state does not allow the wish."""
    from aifactory import states

    if record.state in wish.fulfilled:
        return True
    try:
        states.step(record.state, wish.event)
    except states.BadTransition as error:
        raise InvalidInput(
            f"{record.task_id} is {record.state}: `{wish.verb}` does not apply",
            next_step=f"`aifactory show {record.task_id}` says where it stands",
        ) from error
    return False
