"""`aifactory prompts diff|test|compare`: what an edit of an agent's file changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from aifactory.cli.options import Json, Repo

if TYPE_CHECKING:
    from aifactory.cli.place import Place
    from aifactory.trial import Trial

Agent = Annotated[str, typer.Argument(metavar="AGENT", help="Its name.")]
Old = Annotated[str, typer.Argument(metavar="[OLD]", help="A revision.")]
New = Annotated[
    str | None, typer.Argument(metavar="[NEW]", help="A revision; default: the files as they are.")
]
Tasks = Annotated[
    list[str] | None,
    typer.Option("--task", metavar="TASK", help="Only this one; may be given again."),
]
Live = Annotated[
    str | None,
    typer.Option("--model", metavar="MODEL", help="Ask this model; default: recorded answers."),
]


def diff(
    agent: Agent, old: Old = "HEAD", new: New = None, repo: Repo = None, json: Json = False
) -> None:
    """Show how an agent's prompt differs between two revisions."""
    import difflib

    from aifactory.cli.output import print_json, say
    from aifactory.cli.place import opened
    from aifactory.trial import prompt_at

    with opened(repo) as place:
        prompts = [prompt_at(place.repository, place.layout, agent, one) for one in (old, new)]
    before, after = (prompt.text.splitlines(keepends=True) for prompt in prompts)
    was, now = (f"{agent} at {revision or 'now'}" for revision in (old, new))
    lines = "".join(difflib.unified_diff(before, after, was, now))
    same = prompts[0].sha256 == prompts[1].sha256
    if json:
        hashes = {"old": prompts[0].sha256, "new": prompts[1].sha256}
        print_json({"schema": "aifactory/prompt-diff@1", "same": same, **hashes, "diff": lines})
    elif lines:
        say(lines, end="")


def test(
    agent: Agent, task: Tasks = None, model: Live = None, repo: Repo = None, json: Json = False
) -> int:
    """Run an agent's earlier tasks again with its file as it is now, in scratch clones.

    Ends with 1 when a task that was done is not done any more.
    """
    from aifactory.cli.place import opened
    from aifactory.trial import trials

    with opened(repo) as place:
        found = trials(place.repository, place.layout, agent, _ids(place, task), (None,), model)
    _tell(found, ("now",), json)
    return int(
        any(one.before.state == "done" and one.forks[0].after.state != "done" for one in found)
    )


def compare(
    agent: Agent,
    old: Annotated[str, typer.Argument(metavar="OLD", help="A revision.")],
    new: New = None,
    task: Tasks = None,
    model: Live = None,
    repo: Repo = None,
    json: Json = False,
) -> None:
    """Run an agent's earlier tasks under two versions of the prompts; show both side by side.

    With recorded answers, what differs is how they are read; with --model that model is asked.
    """
    from aifactory.cli.place import opened
    from aifactory.trial import trials

    with opened(repo) as place:
        found = trials(place.repository, place.layout, agent, _ids(place, task), (old, new), model)
    _tell(found, (old, new or "now"), json)


def _ids(place: Place, given: Sequence[str] | None) -> list[str] | None:
    return [place.find(one).record.task_id for one in given] if given else None


def _tell(trials: Sequence[Trial], names: Sequence[str], json: bool) -> None:
    from aifactory.cli.output import print_json, print_table
    from aifactory.narration import money

    if json:
        rows = [
            {"task_id": one.before.task_id, "then": one.before.state,
             "versions": [{"prompts": name, "outcome": fork.outcome, "attempts": fork.attempts,
                           "cost_usd": fork.cost_usd, "prompt_sha256": fork.prompt_sha256}
                          for name, fork in zip(names, one.forks, strict=True)]}
            for one in trials
        ]  # fmt: skip
        print_json({"schema": "aifactory/prompt-trial@1", "tasks": rows})
        return
    heading = ["TASK", "THEN"]
    for name in names:
        heading += [name.upper(), "TRY", "COST"]
    table = [
        [one.before.task_id, one.before.state,
         *(cell for f in one.forks for cell in (f.outcome, str(f.attempts), money(f.cost_usd)))]
        for one in trials
    ]  # fmt: skip
    print_table([heading, *table])
