"""The tools that a model may call: what they are told to be, and what they do."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from aifactory import edits
from aifactory.agents.bench import Bench
from aifactory.agents.draft import Draft
from aifactory.agents.material import applied
from aifactory.agents.servers import Servers
from aifactory.errors import AnswerUnusable, ScopeViolation
from aifactory.gate.execution import OPERATORS, outcome
from aifactory.leaks import is_secret_file
from aifactory.model import Change, CommandRecord
from aifactory.paths import match

LINES = 400  # of a file at once
Result = tuple[str, tuple[Change, ...]]  # what to tell, and what it changed


class Toolbox:
    """The tools at work on one draft. `bench` gives a workspace that holds the draft."""

    def __init__(
        self,
        draft: Draft,
        bench: Callable[[], Bench],
        scopes: Iterable[Any],
        servers: Servers,
    ) -> None:
        """`scopes`: globs of what may be written, each empty for anything."""
        self._servers = servers
        self._draft = draft
        self._bench = bench
        self._scopes = tuple(filter(None, scopes))

    def call(self, name: str, arguments: Mapping[str, Any]) -> Result:
        """Do it. Raises an AttemptFailed or InvalidInput that says what was wrong."""
        if name in self._servers:
            return self._ask_server(name, arguments)
        tool = TOOLS.get(name)
        if tool is None:
            known = ", ".join([*TOOLS, *self._servers.declared])
            raise AnswerUnusable(f"there is no tool {name!r}; there are {known}")
        known = tool["parameters"]["properties"]
        if strange := [key for key in arguments if key not in known]:
            raise AnswerUnusable(f"{name} takes no {', '.join(strange)}; it takes {list(known)}")
        if missing := [key for key in tool["parameters"]["required"] if key not in arguments]:
            raise AnswerUnusable(f"{name} needs {', '.join(missing)}")
        for key, value in arguments.items():
            kind = {"string": str, "integer": int}[known[key]["type"]]
            if not isinstance(value, kind) or isinstance(value, bool):
                raise AnswerUnusable(f"{name}: {key} is not of type {known[key]['type']}")
        result: Result = getattr(self, name)(**arguments)
        return result

    def _ask_server(self, name: str, arguments: Mapping[str, Any]) -> Result:
        """A call of a server's tool; what it did to the files counts, however it ended."""
        bench = self._bench()
        try:
            said = self._servers.call(name, arguments)
        except AnswerUnusable as error:
            said = f"error: {error.message}"
        changes, left = bench.changes()
        altered = self._draft.become(changes)
        return "\n".join([said, *_notes(altered, left)]), altered

    def read(self, path: str, first: int = 1) -> Result:
        path = path.strip("/").removeprefix("./")
        data = self._draft.read(path)
        if data is None:
            return self._listed(path), ()
        if is_secret_file(path) or b"\0" in data:
            raise AnswerUnusable(f"{path} is not shown: it is secret, or no text")
        lines = data.decode(errors="replace").split("\n")[max(first, 1) - 1 :]
        rest, on = len(lines) - LINES, max(first, 1) + LINES
        more = [f"({rest} more lines; go on with first={on})"] if rest > 0 else []
        return "\n".join([*lines[:LINES], *more]), ()

    def _listed(self, folder: str) -> str:
        inside = f"{folder}/" if folder not in ("", ".") else ""
        found = sorted(
            {p[len(inside) :].partition("/")[0] + "/" * ("/" in p[len(inside) :])
             for p in self._draft.paths() if p.startswith(inside)}
        )  # fmt: skip
        if not found:
            raise AnswerUnusable(f"there is no {folder}")
        return "\n".join(found)

    def search(self, pattern: str, path: str = ".") -> Result:
        command = ["grep", "-rnIE", "--exclude-dir=__pycache__", "-e", pattern, "--", path]
        record = self._bench().run(shlex.join(command))
        return (record.output if record.exit_code != 1 else "nothing found"), ()

    def edit(self, path: str, new: str, old: str | None = None) -> Result:
        wanted: dict[str, Any] = {"op": "write", "path": path, "content": new}
        if old is not None:
            wanted = {"op": "replace", "path": path, "old": old, "new": new}
        parsed = edits.parse(json.dumps({"edits": [wanted]}), format="json")
        changed = applied(parsed, self._draft)
        for name in changed:
            for globs in self._scopes:
                if not match(globs, name):
                    raise ScopeViolation(f"{name} is not to be written, only {', '.join(globs)}")
        return "done", tuple(self._draft.write(*one) for one in changed.items())

    def undo(self, path: str) -> Result:
        change = self._draft.original(path)
        self._draft.put(change)
        return "done", (change,)

    def run(self, command: str) -> Result:
        bench = self._bench()
        words = shlex.split(command) if _is_plain(command) else ["bash", "-c", command]
        record = bench.run(shlex.join(words))
        changes, left = bench.changes()
        altered = self._draft.become(changes)
        return _told(record, altered, left), altered


def _is_plain(command: str) -> bool:
    """Whether no shell is needed; one that cannot be split is left for the shell to refuse."""
    try:
        words = shlex.split(command)
    except ValueError:
        return False
    return bool(words) and not OPERATORS.intersection(words) and "\n" not in command


def _told(record: CommandRecord, altered: Iterable[Change], left: Mapping[str, str]) -> str:
    seconds = record.details["bounds"]["seconds"]
    notes = [f"(the command {outcome(record, seconds)})", *_notes(altered, left)]
    return "\n".join([*filter(None, [record.output.rstrip()]), *notes])


def _notes(altered: Iterable[Change], left: Mapping[str, str]) -> list[str]:
    changed = ", ".join(change.path for change in altered)
    notes = [f"(changed: {changed})"] if changed else []
    return [*notes, *(f"(not taken: {path}, it {why})" for path, why in left.items())]


def _tool(about: str, required: Iterable[str], **properties: tuple[str, str]) -> dict[str, Any]:
    shown = {name: {"type": kind, "description": text} for name, (kind, text) in properties.items()}
    return {
        "description": about,
        "parameters": {"type": "object", "properties": shown, "required": [*required]},
    }


TOOLS: Mapping[str, dict[str, Any]] = {
    "read": _tool(
        "Read a file, or list a directory.",
        ["path"],
        path=("string", "Relative to the root of the repository."),
        first=("integer", f"The line to begin with; {LINES} lines are shown at once."),
    ),
    "search": _tool(
        "Search the files with grep -E.",
        ["pattern"],
        pattern=("string", "An extended regular expression."),
        path=("string", "A file or a directory; all files without it."),
    ),
    "edit": _tool(
        "Replace a text that occurs once in a file, or write a whole file.",
        ["path", "new"],
        path=("string", "Relative to the root of the repository."),
        old=("string", "The text to replace, exactly; leave it out to write the whole file."),
        new=("string", "The new text."),
    ),
    "undo": _tool(
        "Put a file back as it was at the start.",
        ["path"],
        path=("string", "Relative to the root of the repository."),
    ),
    "run": _tool(
        "Run a command in a sandbox without a network, in the root of the repository.",
        ["command"],
        command=("string", "Such as `python -m pytest -q`."),
    ),
    "finish": _tool(
        "Say that the work is done. What differs then is checked and proposed.",
        ["summary"],
        summary=("string", "What was done and why, for the commit."),
    ),
}
