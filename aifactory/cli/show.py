"""`aifactory show`: one task with its attempts, commands, failure and what was kept."""

from __future__ import annotations

import json as json_module
from typing import Any

from aifactory.cli.options import Json, Repo, TaskId

EVIDENCE_LINES = 30


def show(task: TaskId, repo: Repo = None, json: Json = False) -> None:
    """Why a task is where it is. Record, failure with evidence, attempts, what was kept."""
    from aifactory import report
    from aifactory.cli.output import print_json, say
    from aifactory.cli.place import opened
    from aifactory.narration import printable

    with opened(repo) as place:
        history = place.find(task)
        record, events = history.record, place.events(history)
        evidence = str(place.gate(history).get("evidence", ""))
        verdicts = place.verdicts(history)
        if json:
            commands = _lines(place.blob(history, "commands.jsonl"))
            print_json(
                record.model_dump(mode="json", by_alias=True)
                | {"evidence": evidence, "commands": commands}
                | {"events": [event.model_dump(mode="json") for event in events]}
                | {"artifacts": sorted(history.artifacts)}
            )
            return
    say(report.markdown(record, events, verdicts), end="")
    if evidence and record.failure and not verdicts:
        say("\n## Evidence\n")
        say(printable("\n".join(f"    {line}" for line in _tail(evidence))))
    say(f"\nKept: {', '.join(sorted(history.artifacts))}")


def _tail(text: str) -> list[str]:
    lines = text.splitlines()
    left_out = len(lines) - EVIDENCE_LINES
    return lines if left_out <= 0 else [f"... {left_out} lines before", *lines[-EVIDENCE_LINES:]]


def _lines(data: bytes | None) -> list[Any]:
    return [json_module.loads(line) for line in (data or b"").splitlines()]
