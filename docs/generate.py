"""Writes docs/reference/ from the code: `make docs`. With --check, only says what differs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from aifactory import config, errors, failpoints, narration, states
from aifactory.errors import AifactoryError, FailureClass
from aifactory.layout import shipped
from aifactory.model import State

REFERENCE = Path(__file__).resolve().parent / "reference"
NOTE = "<!-- Written by docs/generate.py from the code. Do not edit. -->\n"
WIDTH = 100


def commands_page() -> str:
    """The help of every command, as the program prints it."""
    import typer

    from aifactory.cli.app import app

    sections = [
        f"## {name}\n\n```\n{text.rstrip()}\n```\n"
        for name, text in helps(typer.main.get_command(app), "aifactory", None)
    ]
    return "# Commands\n\n" + "\n".join(sections)


def helps(command: Any, name: str, parent: Any) -> Iterator[tuple[str, str]]:
    context = command.make_context(
        name.rpartition(" ")[2], [], parent=parent, resilient_parsing=True, terminal_width=WIDTH
    )
    yield name, command.get_help(context)
    for child, below in getattr(command, "commands", {}).items():
        if not below.hidden:
            yield from helps(below, f"{name} {child}", context)


def config_page() -> str:
    rows = (
        (f"`{row.key}`", f"`{json.dumps(row.value, default=vars)}`", row.description)
        for row in config.parse(b"").rows()
    )
    return (
        "# Settings\n\n"
        "Keys of `aifactory.toml`. The first that has a value decides: flag, environment\n"
        "(`AIFACTORY_MODEL`, `AIFACTORY_GATE_TIMEOUT` for `gate.timeout`), `aifactory.toml`,\n"
        "the user's `~/.config/aifactory/config.toml`, default. Keys of providers come from the\n"
        "environment only.\n\n" + table(("key", "default", "meaning"), rows)
    )


def events_page() -> str:
    rows = ((f"`{name}`", words) for name, words in narration.WORDS.items())
    return (
        "# Events\n\n"
        "Everything that happens is an event `{id, at, run, task, attempt, name, data}`.\n"
        "The log, the ledger and the reports read the same stream.\n\n"
        + table(("event", "in words"), rows)
    )


def failpoints_page() -> str:
    rows = ((f"`{name}`", words) for name, words in failpoints.POINTS.items())
    return (
        "# Failpoints\n\n"
        f'`{failpoints.VARIABLE}="landing.begun=kill,landing.file=error@2"` in the\n'
        "environment of the daemon orders a crash, an error or a delay where the point stands in\n"
        "the protocol of landing. Actions: `kill` (SIGKILL), `exit` (code 75), `error` (EIO),\n"
        "`full` (ENOSPC), `delay:SECONDS`; `@N` waits for the N-th time. Without the variable\n"
        "nothing happens.\n\n" + table(("point", "what has just happened"), rows)
    )


def failures_page() -> str:
    kinds = ((f"`{kind}`", yes_no(kind.retryable), yes_no(kind.charged)) for kind in FailureClass)
    classes = (
        (f"`{kind.__name__}`", str(kind.exit_code), f"`{kind.failure_class}`", kind.remedy)
        for kind in families(AifactoryError)
    )
    return (
        "# Failures and exit codes\n\n"
        "The class alone decides whether the daemon tries again by itself, and whether that uses\n"
        "up one of the task's `max_attempts`.\n\n"
        + table(("class", "tried again", "costs an attempt"), kinds)
        + "\n## Errors\n\n"
        + table(("error", "exit code", "class", "what to do"), classes)
    )


def families(root: type[AifactoryError]) -> Iterator[type[AifactoryError]]:
    """The class and all of `errors` below it, in the order of their definition."""
    yield root
    for child in root.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from families(child)


def states_page() -> str:
    rows = ((f"`{state}`", narration.STATE_WORDS[state], yes_no(state.closed)) for state in State)
    return (
        "# States of a task\n\n"
        + table(("state", "in words", "closed"), rows)
        + f"\n```mermaid\n{states.chart()}\n```\n"
    )


def schemas_page() -> str:
    parts = ["# Schemas\n"]
    for path in sorted(shipped("schemas").glob("*.schema.json")):
        schema = json.loads(path.read_text())
        parts.append(f"## {path.name}\n\n{schema.get('description', '')}\n")
        for name, part in objects(schema):
            parts.append(f"### {part.get('title', name)}\n\n{part.get('description', '')}\n")
            parts.append(table(("field", "what", "meaning", "default"), fields(schema, part)))
    return "\n".join(parts)


def objects(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The schema itself and its definitions, those that have fields."""
    for name, part in {"": schema, **schema.get("$defs", {})}.items():
        if part.get("properties"):
            yield name, part


def fields(schema: dict[str, Any], part: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    for name, given in part["properties"].items():
        field = resolved(schema, given)
        needed = "**required**" if name in part.get("required", ()) else shown_default(field)
        what = field.get("title") or shown_kind(field)
        yield f"`{name}`", what, field.get("description", ""), needed


def resolved(schema: dict[str, Any], field: dict[str, Any]) -> dict[str, Any]:
    """The definition that a field refers to, also where null stands for "not set"."""
    field = {**field.get("else", {}), **field}
    name = field.get("$ref", "").removeprefix("#/$defs/")
    return schema["$defs"][name] | field if name else field


def shown_default(field: dict[str, Any]) -> str:
    return f"`{json.dumps(field['default'])}`" if "default" in field else ""


def shown_kind(field: dict[str, Any]) -> str:
    if "enum" in field:
        return " or ".join(f"`{word}`" for word in field["enum"])
    kinds = field.get("type", "")
    return kinds if isinstance(kinds, str) else " or ".join(kinds)


def yes_no(value: bool) -> str:
    return "yes" if value else "no"


def table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [heads, tuple("---" for _ in heads), *rows]
    return "".join(f"| {' | '.join(cell(text) for text in line)} |\n" for line in lines)


def cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


PAGES: dict[str, Callable[[], str]] = {
    "commands.md": commands_page,
    "config.md": config_page,
    "events.md": events_page,
    "failpoints.md": failpoints_page,
    "failures.md": failures_page,
    "schemas.md": schemas_page,
    "states.md": states_page,
}


def pages() -> dict[Path, str]:
    """Every generated page with its text."""
    return {REFERENCE / name: f"{NOTE}\n{page()}" for name, page in PAGES.items()}


def differing() -> list[Path]:
    """The pages that are not as the code says, those that should not exist included."""
    wanted = pages()
    found = {path: path.read_text() for path in REFERENCE.glob("*.md")}
    return sorted(path for path in wanted | found if wanted.get(path) != found.get(path))


def write() -> None:
    REFERENCE.mkdir(exist_ok=True)
    for path in differing():
        path.unlink(missing_ok=True)
    for path, text in pages().items():
        path.write_text(text)


def main() -> int:
    if sys.argv[1:] != ["--check"]:
        write()
        return 0
    stale = differing()
    for path in stale:
        sys.stderr.write(f"{path}: differs from the code, run `make docs`\n")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
