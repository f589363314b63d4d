"""From the document of a task file, of any of the three kinds, to a Task."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from aifactory import paths, schedule, schema
from aifactory.errors import Problem
from aifactory.model import Task
from aifactory.policy import split

_PRIORITIES = {"critical": 1, "high": 5, "medium": 10, "low": 15}
_NOT_LOOKED_AT = ("$schema", "id", "status", "retry_count", "updated_at")


def faults(document: Mapping[str, Any], file: str) -> Iterator[Problem]:
    """What a schema cannot say: paths stay inside the repository, commands can be split."""
    for field, name in _named_paths(document):
        if reason := paths.refusal(paths.tidied(name).rstrip("/")):
            yield Problem(
                file, field, "a path inside the repository", f"{schema.show(name)}, which {reason}"
            )
    for index, command in enumerate(document.get("acceptance_commands") or ()):
        try:
            split(command)
        except ValueError as error:
            yield Problem(
                file,
                f"acceptance_commands[{index}]",
                "a command",
                f"{schema.show(command)}: {error}",
            )
    line = document.get("schedule")
    if line is not None and (wrong := schedule.problem(line)):
        yield Problem(file, "schedule", "a cron line", f"{schema.show(line)}: {wrong}")
    own = document.get("task_id")
    if own is not None and document.get("id", own) != own:
        yield Problem(file, "task_id", f"the same as `id`, {document['id']!r}", repr(own))


def _named_paths(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for field in ("files", "allowed_files", "context_files"):
        yield from ((f"{field}[{i}]", path) for i, path in enumerate(document.get(field) or ()))
    for field in ("preconditions", "postconditions", "forbidden"):
        for index, item in enumerate(document.get(field) or ()):
            if isinstance(item, dict):
                yield f"{field}[{index}].path", item["path"]


def normalised(document: Mapping[str, Any]) -> Task:
    """The task that a document without faults describes."""
    said = {name: value for name, value in document.items() if value is not None}
    fields: dict[str, Any] = {
        name: value for name, value in said.items() if name not in _NOT_LOOKED_AT
    }
    fields["task_id"] = said.get("id", said.get("task_id"))
    fields["description"] = "\n\n".join(
        said[name] for name in ("intent", "description") if name in said
    )
    fields["files"] = _tidied([*said.get("files", ()), *said.get("allowed_files", ())])
    fields["context_files"] = _tidied(said.get("context_files", ()))
    fields["depends_on"] = tuple(dict.fromkeys(said.get("depends_on", ())))
    fields["created_at"] = utc(said.get("created_at"))
    fields["closed_before"] = said.get("status") == "completed"
    if isinstance(word := said.get("priority"), str):
        fields["priority"] = _PRIORITIES[word]
    for name in ("intent", "allowed_files"):
        fields.pop(name, None)
    return Task(**fields)


def _tidied(globs: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(map(paths.tidied, globs)))


def utc(value: str | float | None) -> str | None:
    """A time as the ledger writes it; None where the file names none that can be understood."""
    try:
        if isinstance(value, int | float):
            return _written(datetime.fromtimestamp(value, UTC))
        return _written(datetime.fromisoformat(value)) if value else None
    except (ValueError, OverflowError, OSError):
        return None


def _written(moment: datetime) -> str:
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
