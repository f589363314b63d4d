"""Task files in, tasks out: what lies in `tasks/`, read without trust, all problems at once."""

from __future__ import annotations

import errno
import json
import os
import re
import stat
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from aifactory import schema, taskfile
from aifactory.errors import EnvironmentUnusable, InvalidTask, Problem
from aifactory.model import Task, sha256
from aifactory.strictjson import MOST_BYTES, parse

_SETTLED_NS = 100_000_000  # a stamp younger than this may hide a second write in the same tick
_GROWTH = 4096  # what a writer may add between the look at a file's size and the reading
_TEMPORARY = ("~", ".tmp", ".swp", ".part")

_OPEN = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_NOCTTY | os.O_CLOEXEC

Stamp = tuple[int, int, int, int]
Over = Mapping[str, tuple[Stamp, str]]  # by name, of tasks that are closed: the stamp and the id


@dataclass(frozen=True)
class Found:
    """One file of `tasks/`: the task, or the error that says why it is none.

    `task_id` is known even of a bad file where its id can be read. `seen_at` is the file's time,
    for tasks that name none. `stamp` tells whether the file changed since; None: look again.
    `file_sha256` is of the bytes, where they could be read.
    """

    path: Path
    task: Task | None
    error: InvalidTask | None
    digest: str
    task_id: str | None = None
    seen_at: str = ""
    stamp: Stamp | None = None
    file_sha256: str = ""


def read(path: Path, data: bytes | None = None) -> Task:
    """The task in the file, or in `data` where the bytes are at hand. Raises InvalidTask.

    Never waits and never follows a symbolic link: only a regular file is opened.
    """
    try:
        content = _content(path) if data is None else data
    except (FileNotFoundError, NotADirectoryError):
        raise InvalidTask.of([Problem(_shown(path), "", "a file", "nothing")]) from None
    task, problems, _ = _examine(content, _shown(path))
    if task is None:
        raise InvalidTask.of(problems)
    return task


def digest(data: bytes) -> str:
    """The identity of a task's content: white space, order of keys and defaults do not change it.

    That the file says the work is `completed` does not either. Of an invalid file: its bytes.
    """
    task, _, _ = _examine(data, "")
    return sha256(data) if task is None else identity(task)


def identity(task: Task) -> str:
    """The digest of a task that is already read."""
    said = task.model_dump(mode="json", exclude_defaults=True, exclude={"closed_before"})
    return sha256(json.dumps(said, sort_keys=True, separators=(",", ":")).encode())


def scan(
    tasks_dir: Path, earlier: Mapping[Path, Found] | None = None, over: Over | None = None
) -> list[Found]:
    """Every task of the folder, by file name. What did not change is taken from `earlier`, and
    left out where it is `over`."""
    known, past = earlier or {}, over or {}
    new = (name for name in names(tasks_dir) if not _is_over(tasks_dir, name, past.get(name)))
    looked = (_again(path, known.get(path)) for path in map(tasks_dir.joinpath, new))
    return merged(found for found in looked if found)


def merged(found: Iterable[Found]) -> list[Found]:
    """The same with each id once: copies are one task, ids with different contents are none."""
    files = sorted(found, key=lambda one: one.path.name)
    by_id: defaultdict[str, list[Found]] = defaultdict(list)
    for one in files:
        if one.task_id and one.task:
            by_id[one.task_id].append(one)
    shared = [same for same in by_id.values() if len(same) > 1]
    if not shared:
        return files
    refused = {one.path: _clash(one, same) for same in shared for one in same if _differ(same)}
    copies = {one.path for same in shared if not _differ(same) for one in same[1:]}
    return [refused.get(one.path, one) for one in files if one.path not in copies]


def look(path: Path) -> Found | None:
    """What the file holds; None if it is gone or no task file by its name."""
    if not is_task_file(path):
        return None
    try:
        before = path.lstat()
        data = _content(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except InvalidTask as error:
        if stat.S_ISDIR(before.st_mode):
            return None
        return Found(path, None, error, sha256(error.message.encode()), seen_at=_at(before))
    task, problems, task_id = _examine(data, _shown(path))
    return Found(
        path,
        task,
        InvalidTask.of(problems) if task is None else None,
        sha256(data) if task is None else identity(task),
        task_id,
        _at(before),
        _settled(before),
        sha256(data),
    )


def recognised(tasks_dir: Path, names: Iterable[str], known: Mapping[str, str]) -> Over:
    """Those of the files that hold, byte by byte, what was taken in as a task.

    `known` gives the id of a task by the digest of its file's bytes.
    """
    found: dict[str, tuple[Stamp, str]] = {}
    for name in names:
        path = f"{tasks_dir}/{name}"
        try:
            stamp, task_id = _settled(os.lstat(path)), known.get(sha256(_content(path)))
        except (FileNotFoundError, NotADirectoryError, InvalidTask):
            continue
        if stamp and task_id:
            found[name] = stamp, task_id
    return found


def is_task_file(path: Path) -> bool:
    """Whether the name is one a task file may have: `*.json`, `*.JSON`, not hidden or temporary."""
    return _is_task_name(path.name)


def _is_task_name(given: str) -> bool:
    name = given.lower()
    return name.endswith(".json") and not name.startswith(".") and not name.endswith(_TEMPORARY)


def id_of_file(path: Path) -> str:
    """An id made of the file's name, for a file in which none can be read."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", path.stem).lstrip("._-")[:100] or "task"


def names(tasks_dir: Path) -> list[str]:
    """The names of the task files there, in order."""
    try:
        return sorted(filter(_is_task_name, os.listdir(tasks_dir)))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise EnvironmentUnusable(f"{tasks_dir} cannot be listed: {error.strerror}") from error


def _is_over(tasks_dir: Path, name: str, before: tuple[Stamp, str] | None) -> bool:
    try:
        return before is not None and before[0] == _stamp(os.lstat(f"{tasks_dir}/{name}"))
    except FileNotFoundError:
        return True


def _again(path: Path, before: Found | None) -> Found | None:
    try:
        unchanged = before and before.stamp and before.stamp == _stamp(path.lstat())
    except FileNotFoundError:
        return None
    return before if unchanged else look(path)


def _stamp(status: os.stat_result) -> Stamp:
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _settled(status: os.stat_result) -> Stamp | None:
    """What tells whether the file changes, once a second write would be seen in its times."""
    return _stamp(status) if time.time_ns() - status.st_ctime_ns > _SETTLED_NS else None


def _at(status: os.stat_result) -> str:
    return taskfile.utc(status.st_mtime) or ""


def _shown(path: Path | str) -> str:
    given = Path(path)
    return schema.printable(str(Path(given.parent.name, given.name)))


def _differ(same: list[Found]) -> bool:
    return len({one.digest for one in same}) > 1


def _clash(one: Found, same: list[Found]) -> Found:
    others = ", ".join(_shown(other.path) for other in same if other.path != one.path)
    problem = Problem(
        _shown(one.path),
        "task_id",
        "an id that no other task has",
        f"{one.task_id!r}, also in {others} with other content",
    )
    error = InvalidTask.of([problem])
    return replace(one, task=None, error=error, digest=sha256(str(problem).encode()), stamp=None)


def _content(path: Path | str) -> bytes:
    try:
        handle = os.open(path, _OPEN)
        try:
            return _regular(handle, path)
        finally:
            os.close(handle)
    except (FileNotFoundError, NotADirectoryError):
        raise
    except OSError as error:
        got = "a symbolic link" if error.errno == errno.ELOOP else error.strerror or str(error)
        raise InvalidTask.of([Problem(_shown(path), "", "a regular file", got)]) from error


def _regular(handle: int, path: Path | str) -> bytes:
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode):
        kind = "a directory" if stat.S_ISDIR(status.st_mode) else "a pipe, socket or device"
        raise InvalidTask.of([Problem(_shown(path), "", "a regular file", kind)])
    if status.st_size > MOST_BYTES:
        limit, size = f"at most {MOST_BYTES} bytes", f"{status.st_size} bytes"
        raise InvalidTask.of([Problem(_shown(path), "", limit, size)])
    return os.read(handle, min(status.st_size + _GROWTH, MOST_BYTES + 1))


def _examine(data: bytes, file: str) -> tuple[Task | None, list[Problem], str | None]:
    """The task or what is wrong, and the id where one can be read."""
    document, problems = parse(data, file)
    task_id = _id_of(document)
    problems += schema.check(document, "task", file) if not problems else []
    if problems:
        return None, problems, task_id
    problems = list(taskfile.faults(document, file))
    return (None, problems, task_id) if problems else (taskfile.normalised(document), [], task_id)


def _id_of(document: object) -> str | None:
    if not isinstance(document, dict):
        return None
    given = document.get("id", document.get("task_id"))
    return None if schema.check(given, "task#id") else str(given)
