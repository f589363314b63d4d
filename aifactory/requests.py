"""Wishes of other processes for the daemon: one file each, complete on delivery, taken in order.

A file is removed only after what it asks for stands in the ledger, so a crash repeats a wish, never
loses it; every wish may safely be repeated.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from aifactory import files
from aifactory.layout import Layout
from aifactory.model import Value, now

Verb = Literal["cancel", "retry", "approve", "reject", "answer", "free", "revert"]


class Request(Value):
    verb: Verb
    task_id: str
    at: str
    by: str = ""
    data: Mapping[str, Any] = {}


def post(layout: Layout, verb: Verb, task_id: str, data: Mapping[str, Any], by: str = "") -> Path:
    """Leave a wish; it lasts when this returns."""
    request = Request(verb=verb, task_id=task_id, at=now(), by=by, data=data)
    files.make_dir(layout.requests)
    path = layout.requests / f"{time.time_ns():020d}-{secrets.token_hex(4)}.json"
    files.atomic_write(path, request.model_dump_json().encode(), 0o600)
    return path


def pending(layout: Layout) -> list[tuple[Path, Request | None]]:
    """The wishes that wait, oldest first; None for a file that cannot be read as one."""
    found: list[tuple[Path, Request | None]] = []
    if not layout.requests.is_dir():
        return found
    for path in sorted(layout.requests.glob("[!.]*.json")):
        try:
            found.append((path, Request.model_validate_json(path.read_bytes())))
        except (ValidationError, json.JSONDecodeError):
            found.append((path, None))
    return found
