"""`aifactory budget` and `budget free`: where the money stands, and calls in doubt."""

from __future__ import annotations

from typing import Annotated

import typer

from aifactory.cli.options import DryRun, Json, Repo

SCHEMA = "aifactory/budget@1"
Calls = Annotated[
    list[str], typer.Argument(metavar="CALL...", help="As `aifactory budget` lists them.")
]
Dollars = Annotated[
    float, typer.Option(min=0, metavar="USD", help="What the provider charged for each.")
]


def budgets(repo: Repo = None, json: Json = False) -> None:
    """What is spent, reserved, in doubt and left of every budget.

    A call is in doubt when nobody saw how it ended: the provider may have charged for it. What was
    put aside for it counts as spent until its answer is found, or `budget free` says what it cost.
    """
    from aifactory.accounts import spending
    from aifactory.cli.output import print_json, print_table, say
    from aifactory.cli.place import opened
    from aifactory.cli.standing import standing, state
    from aifactory.narration import money

    with opened(repo) as place:
        accounts, doubtful = standing(place), state(place).doubtful
        spent = spending(place.ledger.records())
    if json:
        rows = [account.row() for account in accounts]
        doubts = [one.model_dump() for one in doubtful.values()]
        print_json({"schema": SCHEMA, "budgets": rows, "in_doubt": doubts, "spending": spent})
        return
    lines = [line for account in accounts for line in account.lines()]
    for line in lines:
        say(line)
    print_table(
        [
            (f"{kind} {name}", f"{sums['calls']} calls", money(sums["usd"]))
            for kind, totals in spent.items()
            for name, sums in totals.items()
        ]
    )
    print_table([("in doubt", id, money(one.amount.usd)) for id, one in sorted(doubtful.items())])
    if not any((lines, doubtful, *spent.values())):
        say("No budget is set and nothing was spent.")


def free(
    calls: Calls,
    usd: Dollars = 0.0,
    repo: Repo = None,
    json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Say what calls in doubt really cost: nothing, if not told otherwise."""
    from aifactory.cli.output import note, print_json, say
    from aifactory.cli.place import opened
    from aifactory.cli.posting import post
    from aifactory.cli.standing import state
    from aifactory.errors import InvalidInput

    with opened(repo) as place:
        doubtful = state(place).doubtful
        if unknown := [call for call in calls if call not in doubtful]:
            raise InvalidInput(
                f"{unknown[0]!r} is no call in doubt",
                next_step="`aifactory budget` lists them",
            )
        if dry_run:
            note(f"would settle {len(calls)} calls at ${usd:g} each")
        else:
            data = {call: {"call": call, "usd": usd} for call in calls}
            post(place, "free", [(call.partition("/")[0], data[call]) for call in calls])
        left = sorted(state(place).doubtful)
    if json:
        print_json({"in_doubt": left})
    else:
        say(f"{len(left)} calls are in doubt")
