"""Who may write and run what. Checked on what an agent proposes, before anything is written."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

from aifactory import protected
from aifactory.clashes import clashes
from aifactory.errors import PolicyDenied, ScopeViolation
from aifactory.model import Change, ForbiddenPath, Task
from aifactory.paths import match, matches, refusal
from aifactory.settings import Policy

SYMLINK, SUBMODULE, EXECUTABLE = "120000", "160000", "100755"
_SHOWN = 20  # breaches that the message spells out; the evidence has all
Before = Callable[[str], bytes | None]
_LOOKED_AT = 8000  # bytes in which Git looks for a NUL to call a file binary


class Breach(NamedTuple):
    """One rule that one path breaks. `by_owner`: only the owner can allow it."""

    path: str
    rule: str
    by_owner: bool = False

    def __str__(self) -> str:
        return f"{self.path!r} {self.rule}" if self.path else self.rule


def check(
    task: Task,
    changes: Sequence[Change],
    *,
    base_paths: Mapping[str, str],
    policy: Policy,
    agent_scope: Sequence[str] = (),
    gate_commands: Sequence[str] = (),
    before: Before = lambda path: None,
) -> None:
    """Raise if the task may not make these changes; the error names every path and rule.

    `base_paths` are the paths of the base with their Git modes, `agent_scope` the globs of the
    agent (empty: anywhere), `before` reads a file of the base. ScopeViolation where another
    answer can be better, PolicyDenied where only the owner can allow it.
    """
    found = [
        *_limit_breaches(changes, policy),
        *_path_breaches(task, changes, base_paths, agent_scope),
        *_owner_breaches(task, changes, base_paths, policy, gate_commands),
        *_content_breaches(task, changes, base_paths, before),
    ]
    if not found:
        return
    lines = [str(breach) for breach in found]
    more = [f"and {len(lines) - _SHOWN} more"] if len(lines) > _SHOWN else []
    message, evidence = "; ".join([*lines[:_SHOWN], *more]), "\n".join(lines)
    if all(breach.by_owner for breach in found):
        raise PolicyDenied(message, evidence=evidence)
    raise ScopeViolation(message, evidence=evidence, next_step="leave these paths as they are")


def command_refusal(argv: Sequence[str], allowlist: Iterable[str]) -> str | None:
    """Why the command may not run, or None if the allowlist has it.

    An entry is a program (`pytest`, `python3.*`), a path (`scripts/*`) or a program with its first
    words (`npm test`). A program that is named by a path needs an entry that is a path.
    """
    if not argv or not argv[0]:
        return "no program is named"
    if any("\0" in word for word in argv):
        return "a word of the command holds a NUL character"
    if any(_allows(entry.split(), argv) for entry in allowlist):
        return None
    return f"`{argv[0]}` is not among the programs of [policy] commands"


def split(command: str) -> tuple[str, ...]:
    """The words of a command, as a shell splits them. Raises ValueError that says why not."""
    words = tuple(shlex.split(command))
    if not words or not words[0]:
        raise ValueError("no program is named")
    return words


def _allows(entry: Sequence[str], argv: Sequence[str]) -> bool:
    if not entry or list(entry[1:]) != list(argv[1 : len(entry)]):
        return False
    if "/" in entry[0] and "/" in argv[0]:
        return _same_place(entry[0], argv[0])
    return "/" not in entry[0] + argv[0] and fnmatchcase(argv[0], entry[0])


def _same_place(glob: str, program: str) -> bool:
    if glob.startswith("/") != program.startswith("/"):
        return False
    wanted, given = (text.removeprefix("./").lstrip("/") for text in (glob, program))
    return refusal(given) is None and matches(wanted, given)


def _limit_breaches(changes: Sequence[Change], policy: Policy) -> Iterator[Breach]:
    if len(changes) > policy.max_files:
        rule = f"{len(changes)} files, more than [policy] max_files = {policy.max_files}"
        yield Breach("", rule, by_owner=True)
    total = sum(len(change.content or b"") for change in changes)
    if total > policy.max_bytes:
        rule = f"{total} bytes, more than [policy] max_bytes = {policy.max_bytes}"
        yield Breach("", rule, by_owner=True)


def _path_breaches(
    task: Task, changes: Sequence[Change], base: Mapping[str, str], agent_scope: Sequence[str]
) -> Iterator[Breach]:
    for change in changes:
        if reason := refusal(change.path):
            yield Breach(change.path, reason)
        else:
            yield from _scope_breaches(task, change.path, agent_scope)
    yield from (Breach(path, rule) for path, rule in clashes(changes, base))


def _scope_breaches(task: Task, path: str, agent_scope: Sequence[str]) -> Iterator[Breach]:
    if task.files and not match(task.files, path):
        yield Breach(path, f"is not among the task's files ({_listed(task.files)})")
    if agent_scope and not match(agent_scope, path):
        yield Breach(path, f"is outside of the agent's scope ({_listed(agent_scope)})")
    forbidden = [rule.path for rule in task.forbidden if isinstance(rule, ForbiddenPath)]
    if glob := protected.rule(path, forbidden):
        yield Breach(path, f"is forbidden by the task ({glob})")


def _owner_breaches(
    task: Task,
    changes: Sequence[Change],
    base: Mapping[str, str],
    policy: Policy,
    gate_commands: Sequence[str],
) -> Iterator[Breach]:
    guards = tuple(protected.guards((*gate_commands, *task.acceptance_commands), base))
    globs = (*protected.ALWAYS, *policy.protected, *guards)
    for change in changes:
        glob = protected.rule(change.path, globs)
        if glob and not protected.named(change.path, task.files, globs):
            yield Breach(change.path, f"is protected ({glob}); the task must name it", True)
        if change.path not in task.files:
            yield from _kind_breaches(change, base)


def _kind_breaches(change: Change, base: Mapping[str, str]) -> Iterator[Breach]:
    """What a path that the task does not name by itself may not become."""
    before = base.get(change.path)
    if change.content is None:
        return
    if change.mode == EXECUTABLE and before != EXECUTABLE:
        yield Breach(change.path, "becomes executable; the task must name it", True)


def _content_breaches(
    task: Task, changes: Sequence[Change], base: Mapping[str, str], before: Before
) -> Iterator[Breach]:
    """What the bytes of a path that the task does not name by itself may not become."""
    for change in changes:
        if change.path in task.files or refusal(change.path):
            continue
        old = before(change.path) if change.path in base else None
        if _is_binary(change.content) and not _is_binary(old):
            yield Breach(change.path, "becomes a binary file; the task must name it", True)


def _is_binary(content: bytes | None) -> bool:
    return b"\0" in (content or b"")[:_LOOKED_AT]


def _listed(globs: Sequence[str]) -> str:
    shown = ", ".join(globs[:5])
    return f"{shown}, ..." if len(globs) > 5 else shown
