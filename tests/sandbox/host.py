"""A process of the host's that holds what the attempts are after; ends with its standard input.

`host.py host-of-the-lab TOKEN SECRET_FILE SOCKET ...` prints where things are as one line of JSON.
"""

from __future__ import annotations

import ctypes
import json
import os
import socket
import socketserver
import sys
import threading
from pathlib import Path

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
TOKEN, SECRET, *SOCKETS = sys.argv[2:]


class Stream(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        self.request.recv(10)
        self.request.sendall(TOKEN.encode())


class Datagram(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        self.request[1].sendto(TOKEN.encode(), self.client_address)


class Server6(socketserver.TCPServer):
    address_family = socket.AF_INET6


def serve(server: socketserver.BaseServer) -> int:
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = server.server_address
    return address[1] if isinstance(address, tuple) else 0


def segment() -> int:
    """A System V segment with the token; removed at the end."""
    libc.shmat.restype = ctypes.c_void_p
    identity = libc.shmget(0, 4096, 0o600 | 0o1000)
    ctypes.memmove(libc.shmat(identity, None, 0), TOKEN.encode(), len(TOKEN))
    return int(identity)


def main() -> None:
    secret = open(SECRET)  # noqa: SIM115 - stays open: an attempt looks for it
    os.chdir(Path(SECRET).parent)
    abstract = f"lab-{TOKEN}"
    for path in ("\0" + abstract, *SOCKETS):
        serve(socketserver.UnixStreamServer(path, Stream))
    libc.syscall(248, b"user", f"lab-{TOKEN}".encode(), TOKEN.encode(), len(TOKEN), -4)
    shared = segment()
    facts = {
        "port": serve(socketserver.TCPServer(("0.0.0.0", 0), Stream)),
        "port6": serve(Server6(("::", 0), Stream)) if socket.has_ipv6 else 0,
        "udp": serve(socketserver.UDPServer(("127.0.0.1", 0), Datagram)),
        "abstract": abstract,
        "segment": shared,
        "key": f"lab-{TOKEN}",
        "pid": os.getpid(),
    }
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()
    sys.stdin.read()
    libc.shmctl(shared, 0, None)
    secret.close()


main()
