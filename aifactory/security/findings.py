"""What was found where, how bad it is, and whether it is new."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

Severity = Literal["low", "medium", "high"]
SEVERITIES: tuple[Severity, ...] = ("low", "medium", "high")


@dataclass(frozen=True)
class Finding:
    """One line of one file. `text` is the line, without the space around it."""

    path: str
    line: int
    rule: str
    severity: Severity
    message: str
    text: str = ""

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.severity}: {self.message} ({self.rule})"


def at_least(severity: Severity, found: Iterable[Finding]) -> list[Finding]:
    """Those that are as bad as this, in the order of the files."""
    wanted = SEVERITIES[SEVERITIES.index(severity) :]
    return sorted(
        (one for one in found if one.severity in wanted),
        key=lambda one: (one.path, one.line, one.rule),
    )


def new(found: Iterable[Finding], before: Callable[[str], bytes | None]) -> Iterator[Finding]:
    """Those whose line did not stand in the file before, wherever in it."""
    lines: dict[str, set[str]] = {}
    for one in found:
        if one.path not in lines:
            text = (before(one.path) or b"").decode(errors="replace")
            lines[one.path] = {line.strip() for line in text.splitlines()}
        if one.text not in lines[one.path]:
            yield one
