"""Inside a cage with a way out: from a port of its own loopback to the daemon's proxy.

A process of its own beside the command, as confined as that, which knows nothing of what it
carries. The proxy decides what is let through.
"""

# ruff: noqa: PTH119, PTH120 - starts for a command, and pathlib would cost as much as the rest

from __future__ import annotations

import os

from aifactory.sandbox.inside.hardening import restrict_calls, restrict_paths

TYPE_CHECKING = False
if TYPE_CHECKING:
    from socket import socket

    from aifactory.sandbox.inside.kernel import Plan

CHUNK = 65_536


def start_forwarding(plan: Plan) -> None:
    """Listen, then carry in a child until everything inside is killed."""
    import socket

    listener = socket.create_server(("127.0.0.1", plan["proxy_port"]), backlog=64)
    if os.fork():
        listener.close()
        return
    try:
        os.close(plan["status"])
        if plan["source"]:
            os.close(plan["source"])
        os.setsid()
        folder = os.open(os.path.dirname(plan["proxy"]), os.O_PATH | os.O_DIRECTORY)
        confine(plan)
        serve(listener, f"/proc/self/fd/{folder}/{os.path.basename(plan['proxy'])}")
    finally:
        os._exit(1)


def confine(plan: Plan) -> None:
    """The walls that stand round the command."""
    restrict_paths(plan)
    restrict_calls(plan)


def serve(listener: socket, proxy: str) -> None:
    import socket
    import threading

    threading.stack_size(CHUNK * 4)
    while True:
        one = listener.accept()[0]
        other = socket.socket(socket.AF_UNIX)
        try:
            other.connect(proxy)
        except OSError:
            one.close()
            continue
        for pair in ((one, other), (other, one)):
            threading.Thread(target=carry, args=pair, daemon=True).start()


def carry(source: socket, target: socket) -> None:
    """Carry one direction to its end, and pass the end on."""
    try:
        while data := source.recv(CHUNK):
            target.sendall(data)
        target.shutdown(1)
    except OSError:
        for end in (source, target):
            try:  # noqa: SIM105 - the import would take longer than all else
                end.shutdown(2)
            except OSError:
                pass  # it is closed already
