"""The one way out of a cage that needs one: a proxy on a socket that is bound into it.

It speaks HTTP CONNECT only, to the named hosts only, only to public addresses, and only for TLS
that asks for the same name. The cage keeps its empty network; inside, `inside/forward.py` takes
connections on its loopback to this socket.
"""

from __future__ import annotations

import contextlib
import re
import socket
import socketserver
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from aifactory.sandbox import hello
from aifactory.sandbox.door import Door, opened
from aifactory.sandbox.internet import Internet, Network, reach
from aifactory.sandbox.relay import carry, head

PORT = 443
MOST_AT_ONCE = 64
HEAD_BYTES = 16_384
HEAD_SECONDS, IDLE_SECONDS, HEARD_SECONDS = 20.0, 120.0, 1.0
_CONNECT = re.compile(rb"CONNECT ([A-Za-z0-9.-]{1,253}):(\d{1,5}) HTTP/1\.[01]\r\n")


@dataclass(frozen=True)
class Request:
    """One request for the outside, as it ended. `refused` and `failed` say why nothing came of it:
    it is not allowed, or it did not work out."""

    host: str
    port: int
    address: str = ""
    refused: str = ""
    failed: str = ""
    sent: int = 0
    received: int = 0
    seconds: float = 0.0


Log = Callable[[Request], None]


@contextlib.contextmanager
def serve(
    hosts: Collection[str],
    place: Path,
    log: Log,
    network: Network | None = None,
    owner: tuple[int, int] | None = None,
) -> Iterator[None]:
    """Serve at the socket `place` until the end of the block, then cut what is still open.

    `hosts` are names, with `:port` where it is not 443. Every request is told to `log` when it
    ends, from threads of the proxy's own. Only `owner` (default: our user) may connect.
    """
    allowed = frozenset(_endpoint(host) for host in hosts)
    made = partial(_Server, allowed=allowed, log=log, network=network or Internet())
    with opened(made, place, owner):
        yield


def _endpoint(host: str) -> tuple[str, int]:
    name, _, port = host.partition(":")
    return name.lower().rstrip("."), int(port or PORT)


class _Server(Door):
    def __init__(
        self, place: Path, allowed: frozenset[tuple[str, int]], log: Log, network: Network
    ) -> None:
        self.allowed, self.log, self.network = allowed, log, network
        super().__init__(place, _Handler, MOST_AT_ONCE)

    def overflowed(self) -> None:
        self.log(Request("", 0, refused=f"more than {MOST_AT_ONCE} at once"))


class _Handler(socketserver.BaseRequestHandler):
    server: _Server
    request: socket.socket

    def handle(self) -> None:
        started = time.monotonic()
        with self.server.held(self.request):
            told = self._answer()
            self.server.log(replace(told, seconds=round(time.monotonic() - started, 3)))

    def _answer(self) -> Request:
        self.request.settimeout(HEAD_SECONDS)
        try:
            found = _CONNECT.match(head(self.request, HEAD_BYTES))
        except OSError:
            return Request("", 0, failed="the request did not come")
        if found is None:
            self._say(405, "only CONNECT is spoken here")
            return Request("", 0, refused="not a CONNECT request for a name")
        host, port = found[1].decode().lower().rstrip("."), int(found[2])
        if (host, port) not in self.server.allowed:
            self._say(403, f"{host}:{port} is not among the hosts that are allowed")
            return Request(host, port, refused="not among the hosts that are allowed")
        return self._through(host, port)

    def _through(self, host: str, port: int) -> Request:
        try:
            out, address = reach(self.server.network, host, port)
        except PermissionError as error:
            self._say(403, str(error))
            return Request(host, port, refused=str(error))
        except (OSError, UnicodeError) as error:
            self._say(502, f"{host}: {error}")
            return Request(host, port, failed=str(error))
        with out, self.server.held(out):
            try:
                self.request.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                first = hello.received(self.request)
                hello.check(first, host)
                out.sendall(first)
                sent, received = carry(self.request, out, IDLE_SECONDS)
            except hello.Refused as error:
                return Request(host, port, address, refused=str(error))
            except OSError:
                return Request(host, port, address, failed="the connection broke")
            return Request(host, port, address, sent=len(first) + sent, received=received)

    def _say(self, status: int, text: str) -> None:
        lines = (f"HTTP/1.1 {status} {' '.join(text.split())}", "Connection: close")
        text = "\r\n".join([*lines, "Content-Length: 0", "", ""])
        with contextlib.suppress(OSError):
            self.request.sendall(text.encode("ascii", "replace"))
            self.request.shutdown(socket.SHUT_WR)
            self.request.settimeout(HEARD_SECONDS)
            self.request.recv(HEAD_BYTES)  # what is left unread would take the answer along
