"""Recorded answers as a file for `scripted/<file>`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aifactory.ledger import History, Ledger
from aifactory.model import Answer
from aifactory.models.request import SCRIPTED

FILE = ".aifactory-recorded.json"
MODEL = f"{SCRIPTED}{FILE}"
Script = Mapping[str, list[dict[str, Any]]]


def of_task(ledger: Ledger, history: History) -> list[dict[str, Any]]:
    """Every answer that a task got, in order."""
    numbers = sorted(
        int(found[1])
        for name in history.artifacts
        if (found := re.fullmatch(r"response-(\d+)\.json", name))
    )
    task_id = history.record.task_id
    data = (ledger.artifact(task_id, f"response-{number}.json") or b"" for number in numbers)
    return [scripted(Answer.model_validate_json(one)) for one in data]


def scripted(answer: Answer) -> dict[str, Any]:
    usage = {
        "prompt_tokens": answer.usage.prompt,
        "completion_tokens": answer.usage.completion,
    }
    return {
        "text": answer.text,
        "finish_reason": answer.finish_reason,
        "usage": usage,
        "tool_calls": list(answer.tool_calls),
    }


def write(root: Path, script: Script) -> None:
    """Leave the answers where `MODEL` reads them."""
    (root / FILE).write_text(json.dumps({"tasks": dict(script)}), encoding="utf-8")
