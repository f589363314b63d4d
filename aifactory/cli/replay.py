"""`aifactory replay`: a task's trees again from its answers, or an attempt with another model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from aifactory.cli.options import DryRun, Json, Repo, TaskId
from aifactory.errors import InvalidInput

if TYPE_CHECKING:
    from aifactory.cli.place import Place
    from aifactory.fork import Forked

Number = Annotated[
    int | None, typer.Option("--fork", min=1, metavar="N", help="Make attempt N again, for real.")
]
Other = Annotated[
    str | None, typer.Option("--model", metavar="MODEL", help="Who answers in the fork.")
]
Revision = Annotated[
    str | None, typer.Option("--prompts", metavar="REV", help="The prompts of a revision.")
]
Land = Annotated[bool, typer.Option("--land", help="Land what the fork came to.")]


def replay(
    task: TaskId,
    fork: Number = None,
    model: Other = None,
    prompts: Revision = None,
    land: Land = False,
    repo: Repo = None,
    json: Json = False,
    dry_run: DryRun = False,
) -> int:
    """Make the trees of a task's attempts again from its recorded answers, without a model.

    Exits with 1 when one of them comes out differently than it did then. With --fork N the task
    goes on from where attempt N began, in a scratch clone: with another model, or with prompts as
    they are now or at a revision. What comes out is shown, and lands only with --land.
    """
    from aifactory.cli.place import opened

    with opened(repo) as place:
        task_id = place.find(task).record.task_id
        if fork is not None:
            if dry_run:
                return _foretell(place, task_id, fork, model, prompts, land)
            return _fork(place, task_id, fork, model, prompts, land, json)
        if model or prompts or land or dry_run:
            raise InvalidInput(
                "--model, --prompts, --land and --dry-run go with --fork",
                next_step=f"`aifactory replay {task_id} --fork 1 --model MODEL`",
            )
        return _replay(place, task_id, json)


def _replay(place: Place, task_id: str, json: bool) -> int:
    import dataclasses

    from aifactory import replay as engine
    from aifactory.cli.output import print_json, print_table

    found = engine.replay(place.repository, place.layout, task_id)
    if json:
        shown = [{**dataclasses.asdict(one), "same": one.same} for one in found]
        print_json({"schema": "aifactory/replay@1", "task_id": task_id, "attempts": shown})
    else:
        verdicts = ("same" if one.same else "different" for one in found)
        rows = [
            [f"attempt {one.attempt}", verdict, one.recorded[:12], one.problem]
            for one, verdict in zip(found, verdicts, strict=True)
        ]
        print_table(rows)
    return 0 if all(one.same for one in found) else 1


def _fork(
    place: Place,
    task_id: str,
    number: int,
    model: str | None,
    prompts: str | None,
    land: bool,
    json: bool,
) -> int:
    from aifactory import fork, report
    from aifactory.cli.crash import defect
    from aifactory.cli.output import note, print_json

    done = fork.fork(place.repository, place.layout, task_id, number, model=model, prompts=prompts)
    if land:
        landed = fork.land(place.layout.root, done, defect)
        note(f"{task_id} is {landed.state} now")
    if json:
        rows = {"before": report.row(done.before), "after": report.row(done.after)}
        patch = done.patch.decode(errors="replace")
        print_json({"schema": "aifactory/fork@1", "fork": number, **rows, "patch": patch})
    else:
        _tell(done, landed=land)
    return 0 if done.after.state == "done" else 1


def _foretell(
    place: Place, task_id: str, number: int, model: str | None, prompts: str | None, land: bool
) -> int:
    """What a fork would do. InvalidInput where there is no such attempt."""
    from aifactory import fork
    from aifactory.cli.output import say

    _, base = fork.begun(place.ledger, task_id, number)
    who = f"`{model}`" if model else "the answers of then"
    whose = f"the prompts of {prompts}" if prompts else "the prompts as they are now"
    say(f"would make attempt {number} of {task_id} again on {base[:12]}, in a scratch clone,")
    say(f"with {who} and {whose}; what a model takes is paid from the budgets of here.")
    say("What it comes to would land." if land else "Nothing of it would land.")
    return 0


def _tell(done: Forked, landed: bool) -> None:
    from aifactory import report
    from aifactory.cli.output import note, print_raw, print_table
    from aifactory.narration import money

    rows = [("", "OUTCOME", "ATTEMPTS", "COST", "")]
    rows.append(
        ("then", done.before.state, str(done.before.attempts), money(done.before.cost_usd),
         report.reason(done.before))
    )  # fmt: skip
    rows.append(
        ("fork", done.outcome, str(done.attempts), money(done.cost_usd), report.reason(done.after))
    )
    print_table(rows)
    print_raw(done.patch)
    if done.patch and not landed:
        note("Nothing of it landed; --land does that.")
