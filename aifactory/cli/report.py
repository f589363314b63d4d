"""`aifactory report`: what came of one task or of all, as Markdown or JSON."""

from __future__ import annotations

from aifactory.cli.options import Json, Repo, SomeTask


def report(task: SomeTask = None, repo: Repo = None, json: Json = False) -> None:
    """Print the report of a task, or of all, as Markdown."""
    from aifactory import report as reports
    from aifactory.accounts import spending
    from aifactory.cli.output import print_json, say
    from aifactory.cli.place import opened
    from aifactory.cli.standing import standing
    from aifactory.flakes import Flakes

    with opened(repo) as place:
        if task is None:
            records, flakes = place.records(), Flakes(place.repository).active()
            if json:
                rows = [record.model_dump(mode="json", by_alias=True) for record in records]
                budgets = [account.row() for account in standing(place)]
                sums = {"totals": reports.totals(records), "spending": spending(records)}
                aside = [flake.model_dump() for flake in flakes]
                print_json({**sums, "budgets": budgets, "quarantined": aside, "tasks": rows})
            else:
                say(reports.overview(records, standing(place)), end="")
                say("".join(f"\n- flaky: {flake}\n" for flake in flakes), end="")
            return
        history = place.find(task)
        if json:
            print_json(history.record.model_dump(mode="json", by_alias=True))
        else:
            verdicts = place.verdicts(history)
            say(reports.markdown(history.record, place.events(history), verdicts), end="")
