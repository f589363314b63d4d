"""The report about an unexpected error: Markdown, ready to paste into an issue."""

from __future__ import annotations

import platform
import secrets
import shlex
import sys
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import aifactory
from aifactory.errors import AifactoryError, Bug
from aifactory.git import Repository
from aifactory.layout import reports
from aifactory.redaction import redacted


def defect(error: BaseException, arguments: Sequence[str] = ()) -> Bug:
    """The error that tells of a bug and names the report that was written about it."""
    said = f"unexpected {type(error).__name__}: {error}"
    try:
        path = write_report(error, arguments or sys.argv[1:])
    except OSError as second:
        return Bug(f"{said} (and its report could not be written: {second})")
    return Bug(said, next_step=f"please hand in the report {path}")


def write_report(error: BaseException, arguments: Sequence[str]) -> Path:
    """Write what happened, without secrets, and give the file's path."""
    folder = reports()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    at = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    path = folder / f"{at}-{secrets.token_hex(3)}.md"
    path.write_text(redacted(text_of(error, arguments)), encoding="utf-8", errors="replace")
    path.chmod(0o600)
    return path


def text_of(error: BaseException, arguments: Sequence[str]) -> str:
    """The report as Markdown, secrets still in it."""
    trace = "".join(traceback.format_exception(error))
    return f"""# aifactory: unexpected {type(error).__name__}

| | |
|---|---|
| command | `aifactory {shlex.join(arguments)}` |
| aifactory | {aifactory.__version__} |
| git | {git_version()} |
| python | {sys.version.split()[0]} ({platform.python_implementation()}) |
| platform | {platform.platform()} |

```
{trace}```
"""


def git_version() -> str:
    """What Git says of itself, or that there is none."""
    try:
        return Repository(Path("/"), Path("/")).run("--version").decode().strip()
    except (OSError, AifactoryError) as error:
        return f"none ({error})"
