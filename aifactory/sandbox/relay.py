"""Bytes between two connections."""

from __future__ import annotations

import contextlib
import selectors
import socket

CHUNK = 65_536


def head(client: socket.socket, limit: int) -> bytes:
    """The head of a request; what follows belongs to the connection and is not read.

    Raises OSError when it is longer than `limit`, or does not come.
    """
    read = b""
    while not read.endswith(b"\r\n\r\n"):
        if len(read) > limit or not (byte := client.recv(1)):
            raise OSError("no request")
        read += byte
    return read


def carry(one: socket.socket, other: socket.socket, patience: float) -> tuple[int, int]:
    """Carry bytes both ways until both ends are done, or nothing came for `patience` seconds.

    Gives how many came from each.
    """
    counts = {one: 0, other: 0}
    pairs = {one: other, other: one}
    with selectors.DefaultSelector() as selector:
        for end in pairs:
            end.settimeout(patience)
            selector.register(end, selectors.EVENT_READ, end)
        while selector.get_map():
            ready = selector.select(patience)
            if not ready:
                break
            for key, _ in ready:
                end = key.data
                if data := _received(end):
                    pairs[end].sendall(data)
                    counts[end] += len(data)
                else:
                    selector.unregister(end)
                    with contextlib.suppress(OSError):
                        pairs[end].shutdown(socket.SHUT_WR)
    return counts[one], counts[other]


def _received(end: socket.socket) -> bytes:
    try:
        return end.recv(CHUNK)
    except OSError:
        return b""
