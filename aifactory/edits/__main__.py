"""The applier as a program: JSON lines in, JSON lines out."""

from __future__ import annotations

import base64
import binascii
import json
import os
import sys
from collections.abc import Mapping
from typing import Any

from aifactory.edits import FORMATS, MemoryTree, apply, parse
from aifactory.errors import AifactoryError


class BadRequest(Exception):
    """A line that is no request; the message says what is wrong with it."""


def main() -> None:
    """Answer every request line of stdin with a reply line on stdout, in the same order."""
    try:
        for line in sys.stdin.buffer:
            if line.strip():
                sys.stdout.write(json.dumps(reply(line)) + "\n")
                sys.stdout.flush()
    except BrokenPipeError:  # nobody reads any more: that is the end, and no error
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def reply(line: bytes) -> dict[str, Any]:
    """The reply to one request; whatever goes wrong is a reply, too."""
    try:
        return _applied(_read(line))
    except AifactoryError as refusal:
        reason = refusal.message + (f"; {refusal.next_step}" if refusal.next_step else "")
        return {"status": "refused", "reason": reason, "files": {}}
    except BadRequest as problem:
        return {"status": "error", "reason": f"no request: {problem}", "files": {}}
    except Exception as error:  # a request that breaks us must not end the program
        return {"status": "error", "reason": f"{type(error).__name__}: {error}", "files": {}}


def _read(line: bytes) -> Mapping[str, Any]:
    try:
        request = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"not JSON ({error})") from None
    if not isinstance(request, dict):
        raise BadRequest("not an object")
    return request


def _applied(request: Mapping[str, Any]) -> dict[str, Any]:
    format = request.get("format") or "auto"
    if format not in ("auto", *FORMATS):
        known = ", ".join(FORMATS)
        reason = f"{format!r} is no format of answers; known: {known} and auto"
        return {"status": "unsupported", "reason": reason, "files": {}}
    finish_reason = _text(request.get("finish_reason") or "stop", "finish_reason")
    files = {path: _bytes(data, path) for path, data in _object(request, "files").items()}
    links = {path: _text(to, path) for path, to in _object(request, "symlinks", {}).items()}
    seen = {
        path: None if data is None else _bytes(data, path)
        for path, data in _object(request, "seen", {}).items()
    }
    answer = _text(request.get("answer"), "answer")
    edits = parse(answer, finish_reason=finish_reason, format=format)
    changes = apply(edits, MemoryTree(files, links), seen=seen)
    texts = {path: _base64(data) for path, data in changes.items()}
    return {"status": "applied", "files": texts}


def _object(
    request: Mapping[str, Any], key: str, default: dict[str, Any] | None = None
) -> dict[str, Any]:
    value = request.get(key)
    value = default if value is None else value
    if not isinstance(value, dict):
        raise BadRequest(f"`{key}` is missing or not an object")
    return value


def _text(value: Any, key: str) -> str:
    if not isinstance(value, str):
        raise BadRequest(f"`{key}` is missing or not a text")
    return value


def _bytes(data: Any, path: str) -> bytes:
    try:
        return base64.b64decode("".join(_text(data, path).split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadRequest(f"`{path}` is not base64 ({error})") from None


def _base64(data: bytes | None) -> str | None:
    return None if data is None else base64.b64encode(data).decode()


if __name__ == "__main__":
    main()
