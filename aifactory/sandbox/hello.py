"""The name that a TLS client asks for, read from the first message of its handshake.

A proxy that only looks at the name in CONNECT lets through whatever is said inside: a server of
many names would answer to another one (domain fronting). RFC 8446 (4.1.2) and RFC 6066 (3).
"""

from __future__ import annotations

import socket

MOST = 65_536  # bytes of a first message; real ones have a few thousand at most
_RECORD, _HELLO = 22, 1
_SERVER_NAME, _HIDDEN = 0, 0xFE0D  # extensions: the name; a second, encrypted first message


class Refused(Exception):
    """It is no first message of TLS for the one name, and why."""


class _Bytes:
    """Reads numbers and parts with their length before them; Refused when there is too little."""

    def __init__(self, data: bytes) -> None:
        self.left = data

    def take(self, size: int) -> bytes:
        if size > len(self.left):
            raise Refused("the TLS handshake is cut off")
        data, self.left = self.left[:size], self.left[size:]
        return data

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def part(self, size: int) -> _Bytes:
        return _Bytes(self.take(self.number(size)))


def received(client: socket.socket) -> bytes:
    """The records of the first message as they came, to be passed on, and not a byte more.

    Raises Refused when it is none, OSError when nothing comes.
    """
    came, message = b"", b""
    while len(message) < 4 or len(message) < 4 + int.from_bytes(message[1:4], "big"):
        head = _exactly(client, 5)
        size = int.from_bytes(head[3:], "big")
        if head[0] != _RECORD or head[1] != 3 or not size:
            raise Refused("what is said is not TLS")
        body = _exactly(client, size)
        came, message = came + head + body, message + body
        if len(came) > MOST:
            raise Refused("the TLS handshake is too long")
    return came


def _exactly(client: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = client.recv(size - len(data))
        if not part:
            raise Refused("the TLS handshake is cut off")
        data += part
    return data


def check(records: bytes, host: str) -> None:
    """Raise Refused unless the first message asks for `host`, in the open and for nothing else."""
    message, rest = b"", _Bytes(records)
    while rest.left:
        rest.take(3)
        message += rest.part(2).left
    names, hidden = _asked(_Bytes(message))
    if hidden:
        raise Refused("the TLS handshake hides the name that it asks for")
    if [name.lower().rstrip(".") for name in names] != [host]:
        asked = ", ".join(names) or "no name"
        raise Refused(f"the TLS handshake asks for {asked!r} instead")


def _asked(message: _Bytes) -> tuple[list[str], bool]:
    if message.number(1) != _HELLO:
        raise Refused("what is said is not the start of TLS")
    hello = message.part(3)
    hello.take(2 + 32)  # version, random
    for size in (1, 2, 1):  # session, ciphers, compression
        hello.part(size)
    extensions = hello.part(2) if hello.left else _Bytes(b"")
    names, hidden = list[str](), False
    while extensions.left:
        kind, data = extensions.number(2), extensions.part(2)
        hidden = hidden or kind == _HIDDEN
        entries = data.part(2) if kind == _SERVER_NAME else _Bytes(b"")
        while entries.left:
            entries.take(1)
            names.append(entries.part(2).left.decode("ascii", "replace"))
    return names, hidden
