"""The output of a command as it comes: counted, hashed, its head and its tail kept."""

from __future__ import annotations

import hashlib


class Output:
    """Keeps at most `keep` bytes, half from the start and half from the end."""

    def __init__(self, keep: int) -> None:
        self.bytes_seen = 0
        self._half = keep // 2
        self._head = bytearray()
        self._tail = bytearray()
        self._hash = hashlib.sha256()

    def add(self, data: bytes) -> None:
        self.bytes_seen += len(data)
        self._hash.update(data)
        room = self._half - len(self._head)
        self._head += data[:room]
        self._tail += data[room:]
        if len(self._tail) > 2 * self._half:
            del self._tail[: -self._half]

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    @property
    def text(self) -> str:
        tail = bytes(self._tail[-self._half :]) if self._half else b""
        left_out = self.bytes_seen - len(self._head) - len(tail)
        gap = f"\n[... {left_out} bytes left out ...]\n".encode() if left_out else b""
        return (bytes(self._head) + gap + tail).decode(errors="replace")
