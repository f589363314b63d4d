"""Messages of JSON-RPC 2.0, one on a line: strict, and bounded in bytes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

MOST_BYTES = 4 << 20  # of one message
DEEPEST = 100  # objects and arrays in one another
SHOWN = 120  # characters of what is none
Message = dict[str, Any]


class NotAMessage(ValueError):
    """What a program wrote is no message of the protocol."""


class Lines:
    """Cuts a stream of bytes into lines."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def add(self, data: bytes) -> Iterator[bytes]:
        """The lines that are complete now; raises NotAMessage for one that is too long."""
        self._rest += data
        *whole, rest = self._rest.split(b"\n")
        self._rest = rest
        if any(len(line) > MOST_BYTES for line in (*whole, rest)):
            raise NotAMessage(f"a line of more than {MOST_BYTES} bytes")
        yield from (bytes(line) for line in whole if line.strip())


def line_of(message: Message) -> bytes:
    return json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n"


def parse(line: bytes) -> Message:
    """A request, a notification or a response. Raises NotAMessage."""
    try:
        value = json.loads(line, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise NotAMessage(f"a line that is no JSON: {_shown(line)}") from error
    if not _is_flat(value, DEEPEST):
        raise NotAMessage(f"a line that is nested more than {DEEPEST} deep")
    if not isinstance(value, dict) or value.get("jsonrpc") != "2.0":
        raise NotAMessage(f"a line that is no message of JSON-RPC 2.0: {_shown(line)}")
    if isinstance(value.get("method"), str):
        return value
    if "id" in value and ("result" in value) is not ("error" in value):
        return value
    raise NotAMessage(f"neither a request nor a response: {_shown(line)}")


def plain(text: str) -> str:
    """Text that can be stored: halves of characters, which JSON may escape, are replaced."""
    return text.encode("utf-8", "replace").decode()


def _is_flat(value: Any, levels: int) -> bool:
    if not isinstance(value, dict | list):
        return True
    inner = value.values() if isinstance(value, dict) else value
    return levels > 0 and all(_is_flat(one, levels - 1) for one in inner)


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _shown(line: bytes) -> str:
    return repr(line[:SHOWN].decode(errors="replace"))
