"""`aifactory run --dry-run`: what would run in which order, and what that would take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aifactory.accounts import Account
    from aifactory.cli.place import Place
    from aifactory.config import Config
    from aifactory.forecast import Planned

SCHEMA = "aifactory/forecast@1"


def show(repo: Path | None, flags: Mapping[str, Any], json: bool) -> None:
    """Print the forecast. Nothing is called, nothing is changed."""
    import os

    from aifactory import config, forecast
    from aifactory.cli.output import print_json
    from aifactory.cli.place import opened
    from aifactory.cli.standing import standing

    with opened(repo) as place:
        settings = config.load(place.layout.root, flags=flags, environ=os.environ)
        records = place.records()
        planned = forecast.plan(records, settings.agents.default, settings.run.jobs)
        models = _models(place, settings, planned)
        accounts = standing(place)
    known = sum(one.tasks for name, one in forecast.typical(records).items() if not name)
    if json:
        print_json(
            {
                "schema": SCHEMA,
                "jobs": settings.run.jobs,
                "based_on": known,
                "usd": forecast.total_usd(planned) if known else None,
                "seconds": forecast.wall_seconds(planned) if known else None,
                "budgets": [account.row() for account in accounts],
                "tasks": [{**asdict(one), "model": models[one.agent]} for one in planned],
            }
        )
    else:
        _tell(planned, models, accounts, settings.run.jobs, known)


def _models(place: Place, settings: Config, planned: Sequence[Planned]) -> dict[str, str]:
    """The model of every agent that is asked for; what is wrong with those that do not load."""
    from aifactory.errors import AifactoryError
    from aifactory.prompts import Prompts

    prompts, found = Prompts(place.layout), {"": "-"}  # of a file that is no task
    for agent in {one.agent for one in planned if one.agent}:
        try:
            found[agent] = (
                prompts.load(agent).settings.model or settings.model.default or "no model"
            )
        except AifactoryError as error:
            found[agent] = error.message
    return found


def _tell(
    planned: Sequence[Planned],
    models: Mapping[str, str],
    accounts: Sequence[Account],
    jobs: int,
    known: int,
) -> None:
    from aifactory import forecast
    from aifactory.cli.output import print_table, say
    from aifactory.narration import duration, money

    rows = [("TASK", "AGENT", "MODEL", "START", "COST", "")]
    for one in planned:
        start = "-" if one.starts_at is None else f"+{duration(one.starts_at)}"
        cost = "?" if one.usd is None else money(one.usd)
        rows.append((one.task_id, one.agent or "-", models[one.agent], start, cost, one.reason))
    print_table(rows if planned else [])
    running = [one for one in planned if one.starts_at is not None]
    said = f"{len(running)} tasks would run, {len(planned) - len(running)} would not"
    if known:
        said += (
            f"; about {money(forecast.total_usd(planned))} and "
            f"{duration(forecast.wall_seconds(planned))} with {jobs} at once, "
            f"as the {known} tasks before"
        )
    say(f"{said}." if known else f"{said}; nothing ran before, so cost and time are not known.")
    for line in (line for account in accounts for line in account.lines()):
        say(line)
