"""A server on the host's loopback: what a proxy is let through to, and a cage never reaches."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def serving(handler: type[socketserver.BaseRequestHandler]) -> Iterator[tuple[str, int]]:
    """Host and port of a server that gives each connection to `handler`."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as made:
        made.daemon_threads = True
        threading.Thread(target=made.serve_forever, args=(0.01,), daemon=True).start()
        host, port = made.server_address[:2]
        yield str(host), int(port)
        made.shutdown()
