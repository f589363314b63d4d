"""The applier as a program: JSON lines in, JSON lines out."""

from __future__ import annotations

import base64
import json
import sys
from typing import Any

from aifactory.edits import FORMATS, MemoryTree, apply, parse
from aifactory.errors import AifactoryError


def main() -> None:
    """Answer every request line of stdin with a reply line on stdout, in the same order."""
    for line in sys.stdin.buffer:
        if line.strip():
            sys.stdout.write(json.dumps(reply(line)) + "\n")
            sys.stdout.flush()


def reply(line: bytes) -> dict[str, Any]:
    """The reply to one request; whatever goes wrong is a reply, too."""
    try:
        return _applied(json.loads(line))
    except AifactoryError as refusal:
        reason = refusal.message + (f"; {refusal.next_step}" if refusal.next_step else "")
        return {"status": "refused", "reason": reason, "files": {}}
    except Exception as error:  # a request that breaks us must not end the program
        return {"status": "error", "reason": f"{type(error).__name__}: {error}", "files": {}}


def _applied(request: dict[str, Any]) -> dict[str, Any]:
    format = request.get("format") or "auto"
    if format not in ("auto", *FORMATS):
        known = ", ".join(FORMATS)
        reason = f"{format!r} is no format of answers; known: {known} and auto"
        return {"status": "unsupported", "reason": reason, "files": {}}
    finish_reason = request.get("finish_reason") or "stop"
    edits = parse(request["answer"], finish_reason=finish_reason, format=format)
    files = {path: base64.b64decode(data) for path, data in request["files"].items()}
    seen = {path: _bytes(data) for path, data in (request.get("seen") or {}).items()}
    changes = apply(edits, MemoryTree(files, request.get("symlinks")), seen=seen)
    texts = {path: _text(data) for path, data in changes.items()}
    return {"status": "applied", "files": texts}


def _bytes(data: str | None) -> bytes | None:
    return None if data is None else base64.b64decode(data)


def _text(data: bytes | None) -> str | None:
    return None if data is None else base64.b64encode(data).decode()


if __name__ == "__main__":
    main()
