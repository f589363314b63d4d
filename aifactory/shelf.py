"""What was read from task files before, kept so that a start reads only what is new.

A cache: it may be deleted at any time. A file is known by inode, size and times; whether the
ledger has closed its task holds for one state of the ledger only.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path

from pydantic import BaseModel, ValidationError

from aifactory import __version__, files, schema
from aifactory.intake import Found
from aifactory.model import Task, sha256


class _Entry(BaseModel):
    name: str
    task: Task
    digest: str
    seen_at: str
    stamp: tuple[int, int, int, int]
    closed: bool


class _Shelf(BaseModel):
    made_by: str
    ledger: str
    entries: list[_Entry]


def load(shelf_at: Path, tasks: Path, ledger: str) -> tuple[dict[Path, Found], set[Path]]:
    """The files in `tasks` as they were read, and those whose tasks `ledger` is known to close."""
    try:
        shelf = _Shelf.model_validate_json(shelf_at.read_bytes())
    except (OSError, ValidationError):
        return {}, set()
    if shelf.made_by != _maker():
        return {}, set()
    found: dict[Path, Found] = {}
    closed: set[Path] = set()
    for one in shelf.entries:
        path = tasks / one.name
        task = one.task
        found[path] = Found(path, task, None, one.digest, task.task_id, one.seen_at, one.stamp)
        if one.closed and shelf.ledger == ledger:
            closed.add(path)
    return found, closed


def save(path: Path, found: Mapping[Path, Found], closed: Collection[Path], ledger: str) -> None:
    """Lost in a crash without harm, so it is not synced."""
    entries = [
        _Entry.model_construct(
            name=one.path.name,
            task=one.task,
            digest=one.digest,
            seen_at=one.seen_at,
            stamp=one.stamp,
            closed=one.path in closed,
        )
        for one in found.values()
        if one.task and one.stamp
    ]
    shelf = _Shelf.model_construct(made_by=_maker(), ledger=ledger, entries=entries)
    temporary = path.with_suffix(".tmp")
    with files.disk_errors(str(path)):
        temporary.write_bytes(shelf.model_dump_json(exclude_defaults=True).encode())
    files.rename(temporary, path)


def _maker() -> str:
    """Another version may read the same file in another way."""
    return f"{__version__} {sha256(json.dumps(schema.load('task')).encode())[:16]}"
