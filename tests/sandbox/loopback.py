"""A server on the host's loopback: what a proxy is let through to, and a cage never reaches."""

from __future__ import annotations

import contextlib
import socketserver
import ssl
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


# For a client in a cage: TLS that asks for a name, without certificates, as `Secret` answers it.
WRAP = """
import ssl
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
context.maximum_version = ssl.TLSVersion.TLSv1_2
context.set_ciphers("AECDH-AES256-SHA:@SECLEVEL=0")
"""


class Secret(socketserver.BaseRequestHandler):
    """Before any other handler: TLS that needs no certificate. Whatever name is asked for is right,
    as at a server of many names."""

    def setup(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers("AECDH-AES256-SHA:@SECLEVEL=0")
        self.request = context.wrap_socket(self.request, server_side=True)
        super().setup()

    def finish(self) -> None:
        super().finish()
        self.request.close()


def first_message(name: str | None) -> bytes:
    """What a real client says first when it asks for a name."""
    told, said = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(told, said, server_hostname=name).do_handshake()
    return said.read()
