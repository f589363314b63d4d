"""What was read from task files before, kept so that a start reads only what is new.

A cache: it may be deleted at any time. A file is known by inode, size and times. One whose task is
closed is known by these alone, and left out for as long as the ledger goes on from where it was.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path

from pydantic import BaseModel, ValidationError

from aifactory import __version__, files, schema
from aifactory.intake import Found, Over, Stamp
from aifactory.model import Task, sha256

FORMAT = 3


class _Entry(BaseModel):
    name: str
    task: Task
    digest: str
    seen_at: str
    stamp: Stamp
    file_sha256: str


class _Shelf(BaseModel):
    made_by: str
    ledger: str
    entries: list[_Entry]
    over: dict[str, tuple[Stamp, str]]


def load(
    shelf_at: Path, tasks: Path, goes_on_from: Callable[[str], bool]
) -> tuple[dict[Path, Found], Over]:
    """The files in `tasks` as they were read, and those whose tasks are closed.

    `goes_on_from` says whether the ledger holds all that it held at a commit.
    """
    try:
        shelf = _Shelf.model_validate_json(shelf_at.read_bytes())
    except (OSError, ValidationError):
        return {}, {}
    if shelf.made_by != _maker():
        return {}, {}
    found: dict[Path, Found] = {}
    for one in shelf.entries:
        path, task = tasks / one.name, one.task
        found[path] = Found(
            path,
            task,
            None,
            one.digest,
            task.task_id,
            one.seen_at,
            one.stamp,
            one.file_sha256,
        )
    return found, shelf.over if goes_on_from(shelf.ledger) else {}


def save(path: Path, found: Iterable[Found], over: Over, ledger: str) -> None:
    """Lost in a crash without harm, so it is not synced."""
    entries = [
        _Entry.model_construct(
            name=one.path.name,
            task=one.task,
            digest=one.digest,
            seen_at=one.seen_at,
            stamp=one.stamp,
            file_sha256=one.file_sha256,
        )
        for one in found
        if one.task and one.stamp
    ]
    shelf = _Shelf.model_construct(
        made_by=_maker(), ledger=ledger, entries=entries, over=dict(over)
    )
    temporary = path.with_suffix(".tmp")
    with files.disk_errors(str(path)):
        temporary.write_bytes(shelf.model_dump_json(exclude_defaults=True).encode())
    files.rename(temporary, path)


def _maker() -> str:
    """Another version may read the same file in another way."""
    return f"{__version__} {FORMAT} {sha256(json.dumps(schema.load('task')).encode())[:16]}"
