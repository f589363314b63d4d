"""`aifactory report`: what came of one task or of all, as Markdown or JSON."""

from __future__ import annotations

from aifactory.cli.options import Json, Repo, SomeTask


def report(task: SomeTask = None, repo: Repo = None, json: Json = False) -> None:
    """Print the report of a task, or of all, as Markdown."""
    from aifactory import report as reports
    from aifactory.cli.output import print_json, say
    from aifactory.cli.place import opened

    with opened(repo) as place:
        if task is None:
            records = place.records()
            if json:
                rows = [record.model_dump(mode="json", by_alias=True) for record in records]
                print_json({"totals": reports.totals(records), "tasks": rows})
            else:
                say(reports.overview(records), end="")
            return
        history = place.find(task)
        if json:
            print_json(history.record.model_dump(mode="json", by_alias=True))
        else:
            verdicts = place.verdicts(history)
            say(reports.markdown(history.record, place.events(history), verdicts), end="")
