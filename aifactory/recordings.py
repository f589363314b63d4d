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
    named = (re.fullmatch(r"response-(\d+)(?:-(\d+))?\.json", name) for name in history.artifacts)
    ordered = sorted(filter(None, named), key=lambda found: (int(found[1]), int(found[2] or 1)))
    task_id = history.record.task_id
    data = (ledger.artifact(task_id, found[0]) or b"" for found in ordered)
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
