"""Python files as bandit sees them, run in the cage: it parses what nobody trusts."""

from __future__ import annotations

import json
import posixpath
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

from aifactory.errors import GateBroken
from aifactory.model import CommandRecord
from aifactory.sandbox import Limits, Spec, own_toolchain
from aifactory.security.findings import SEVERITIES, Finding, Severity

# `-I`: no module of the tree takes its place. A comment silences nothing, no path is left out.
_LINE = (
    *("-I", "-m", "bandit", "--quiet", "--format", "json", "--exit-zero"),
    *("--ignore-nosec", "--exclude=//"),
)
_OUTPUT_BYTES = 32 << 20
MOST_FILES = 500  # of one run; a command line has an end


def bandit_version() -> str:
    """The version that is installed beside us; "" where there is none."""
    try:
        return metadata.version("bandit")
    except metadata.PackageNotFoundError:
        return ""


def by_bandit(
    workspace: Path,
    paths: Sequence[str],
    run: Callable[[Spec], CommandRecord],
    limits: Limits | None = None,
) -> list[Finding]:
    """What bandit finds in these files of a workspace.

    Raises GateBroken when it says nothing that can be read, and what `run` raises.
    """
    found: list[Finding] = []
    for start in range(0, len(paths), MOST_FILES):
        part = list(paths[start : start + MOST_FILES])
        record = run(_spec(workspace, part, limits or Limits()))
        found += _findings(record, part)
    return found


def _spec(workspace: Path, paths: list[str], limits: Limits) -> Spec:
    tools = own_toolchain()
    return Spec(
        argv=(sys.executable, *_LINE, "--", *paths),
        workspace=workspace,
        environment=tools.environment,
        readable=tools.readable,
        limits=replace(limits, output_bytes=_OUTPUT_BYTES),
    )


def _findings(record: CommandRecord, paths: Sequence[str]) -> list[Finding]:
    """What was found, when every file was looked at; one that is no Python cannot run either."""
    remedy = "see that `python -m bandit` works, or set [gate] security"
    told = {"evidence": record.output[-2000:], "next_step": remedy}
    try:
        said = json.loads(record.output[record.output.index("{") :])
        seen = {*said["metrics"], *(one["filename"] for one in said["errors"])}
        seen = set(map(posixpath.normpath, seen))
        odd = [one for one in said["errors"] if "syntax error" not in one["reason"]]
        found = [_finding(result) for result in said["results"]]
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise GateBroken("bandit gave no findings that can be read", **told) from error
    if odd or not seen.issuperset(paths):
        raise GateBroken("bandit did not look at every file", **told)
    return found


def _finding(result: dict[str, Any]) -> Finding:
    severity: Severity = next(
        name for name in SEVERITIES if name == result["issue_severity"].lower()
    )
    return Finding(
        path=posixpath.normpath(result["filename"]),
        line=result["line_number"],
        rule=result["test_id"],
        severity=severity,
        message=result["issue_text"],
        text=_line(result),
    )


def _line(result: dict[str, Any]) -> str:
    """The line itself, of the numbered lines that bandit shows."""
    for shown in result.get("code", "").splitlines():
        number, _, text = shown.partition(" ")
        if number == str(result["line_number"]):
            return str(text).strip()
    return ""
