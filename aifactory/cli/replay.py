"""`aifactory replay`: make a task's trees again from its recorded answers."""

from __future__ import annotations

from aifactory.cli.options import Json, Repo, TaskId


def replay(task: TaskId, repo: Repo = None, json: Json = False) -> int:
    """Make the trees of a task's attempts again from its recorded answers, without a model.

    Exits with 1 when one of them comes out differently than it did then.
    """
    import dataclasses

    from aifactory import replay as engine
    from aifactory.cli.output import print_json, print_table
    from aifactory.cli.place import opened

    with opened(repo) as place:
        task_id = place.find(task).record.task_id
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
