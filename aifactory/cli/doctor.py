"""`aifactory doctor`: is everything there that the work needs, and if not, what to do."""

from __future__ import annotations

from aifactory.cli.options import Json, Repo
from aifactory.errors import EnvironmentUnusable

MARKS = {"ok": "green", "warn": "yellow", "fail": "red"}


def doctor(repo: Repo = None, json: Json = False) -> int:
    """Look whether everything is there; say what to mend.

    Looks at Git, repository, sandbox, model, agents, disk and daemon. Calls no model. Ends with 5
    when something is missing without which nothing can run.
    """
    import os
    from dataclasses import asdict
    from pathlib import Path

    from aifactory.cli.output import paint, print_json, say
    from aifactory.doctor import FAIL, Ground, examine
    from aifactory.narration import one_line

    findings = []
    for found in examine(Ground(repo or Path(), os.environ)):
        findings.append(found)
        if not json:
            mark = paint(f"{found.level:4}", MARKS[found.level])
            say(f"{mark}  {found.name:<10}  {one_line(found.message)}")
            if found.remedy:
                say(f"{'':18}{paint('-> ' + one_line(found.remedy), 'bold')}")
    if json:
        print_json({"schema": "aifactory/doctor@1", "findings": [asdict(f) for f in findings]})
    failed = any(found.level == FAIL for found in findings)
    return EnvironmentUnusable.exit_code if failed else 0
