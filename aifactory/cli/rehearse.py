"""`aifactory rehearse`: the night's queue, tried before the night."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aifactory.cli.options import Json, Repo

if TYPE_CHECKING:
    from aifactory.rehearsal import Rehearsed

Answers = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Scripted answers; default: recorded ones.")
]
Jobs = Annotated[int | None, typer.Option(min=1, max=1000, help="Tasks at once.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Tell every event on stderr.")]
SCHEMA = "aifactory/rehearsal@1"


def rehearse(
    answers: Answers = None,
    jobs: Jobs = None,
    verbose: Verbose = False,
    repo: Repo = None,
    json: Json = False,
) -> int:
    """Run the whole queue in a scratch clone, with recorded or scripted answers.

    Everything else is real: sandbox, gate, order, landing. No model is asked, and nothing of it is
    seen in the repository. Ends with the exit code that the night would have had.
    """
    from aifactory import log, report
    from aifactory.cli.output import print_json
    from aifactory.cli.place import opened
    from aifactory.rehearsal import rehearse as run

    readers = (log.reader("console"),) if verbose else ()
    with opened(repo) as place:
        done = run(place.repository, place.layout, answers, jobs, readers)
    if json:
        rows = [report.row(record) for record in done.records]
        print_json({"schema": SCHEMA, "exit_code": done.code, "unanswered": done.unanswered,
                    "totals": report.totals(done.records), "tasks": rows})  # fmt: skip
    else:
        _tell(done)
    return done.code


def _tell(done: Rehearsed) -> None:
    from aifactory import report
    from aifactory.cli.output import note, print_table, say
    from aifactory.narration import STATE_WORDS

    rows = [("TASK", "STATE", "TRY", "")]
    for record in report.by_urgency(done.records):
        said = report.reason(record) or record.title
        rows.append((record.task_id, STATE_WORDS[record.state], str(record.charged), said))
    print_table(rows if done.records else [])
    for task_id in done.unanswered:
        note(f"{task_id}: no answer is recorded, so it could not be rehearsed")
    say(f"Rehearsed {report.summary(done.records)}." if done.records else "Nothing waits.")
