"""The network and the host's sockets, and shared memory."""

from __future__ import annotations

import ctypes
import socket
from pathlib import Path

from base import Lab, add, attempt, libc, reached


def ask(family: int, address: object, kind: int = socket.SOCK_STREAM) -> bytes:
    with socket.socket(family, kind) as client:
        client.settimeout(5)
        client.connect(address)
        client.sendall(b"?")
        return client.recv(100)


@attempt()
def tcp_to_loopback(lab: Lab) -> object:
    return ask(socket.AF_INET, ("127.0.0.1", lab["port"]))


@attempt()
def tcp6_to_loopback(lab: Lab) -> object:
    return ask(socket.AF_INET6, ("::1", lab["port6"]))


@attempt()
def tcp_to_own_address(lab: Lab) -> object:
    return ask(socket.AF_INET, (lab["address"], lab["port"]))


@attempt()
def udp_to_loopback(lab: Lab) -> object:
    return ask(socket.AF_INET, ("127.0.0.1", lab["udp"]), socket.SOCK_DGRAM)


@attempt()
def abstract_socket(lab: Lab) -> object:
    return ask(socket.AF_UNIX, "\0" + lab["abstract"])


@attempt()
def path_socket_in_tmp(lab: Lab) -> object:
    return ask(socket.AF_UNIX, lab["sockets"]["tmp"])


@attempt()
def path_socket_in_run(lab: Lab) -> object:
    return ask(socket.AF_UNIX, lab["sockets"]["run"])


@attempt()
def path_socket_in_home(lab: Lab) -> object:
    return ask(socket.AF_UNIX, lab["sockets"]["home"])


@attempt()
def have_a_route(lab: Lab) -> object:
    return len(Path("/proc/net/route").read_text().splitlines()) > 1 and "a route"


@attempt()
def have_an_interface(lab: Lab) -> object:
    return {name for _, name in socket.if_nameindex()} - {"lo"} or ""


def make_socket(name: str, family: int, kind: int, protocol: int, needs: str) -> None:
    def run(lab: Lab) -> object:
        with socket.socket(family, kind, protocol):
            return "made"

    add(f"{name}-socket", run, needs)


make_socket("netlink", 16, socket.SOCK_RAW, 0, "user")
make_socket("netfilter", 16, socket.SOCK_RAW, 12, "user")
make_socket("crypto", 38, socket.SOCK_SEQPACKET, 0, "user")
make_socket("vsock", 40, socket.SOCK_STREAM, 0, "user")
make_socket("packet", 17, socket.SOCK_RAW, 0, "root")
make_socket("raw", socket.AF_INET, socket.SOCK_RAW, 1, "root")
make_socket("key", 15, socket.SOCK_RAW, 2, "root")


@attempt()
def netlink_pair(lab: Lab) -> object:
    """The family has no pairs, but says so only once it is reached."""
    return reached(53, 16, socket.SOCK_RAW, 0, (ctypes.c_int * 2)())


@attempt()
def descriptions_of_keys(lab: Lab) -> object:
    return lab["key"] in Path("/proc/keys").read_text()


@attempt("root")
def low_port(lab: Lab) -> object:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 999))
        return "bound"


@attempt()
def shared_memory(lab: Lab) -> object:
    libc.shmat.restype = ctypes.c_void_p
    address = libc.shmat(lab["segment"], None, 0)
    return lab["token"].encode() in ctypes.string_at(address, 100)


@attempt()
def posix_shared_memory(lab: Lab) -> object:
    return lab["token"] in Path(lab["places"]["shm"], "secret").read_text()


@attempt()
def user_keyring(lab: Lab) -> object:
    key = libc.syscall(250, 10, -4, b"user", lab["key"].encode(), 0)  # keyctl(SEARCH, @u)
    buffer = ctypes.create_string_buffer(100)
    libc.syscall(250, 11, key, buffer, 100, 0)  # keyctl(READ)
    return lab["token"].encode() in buffer.raw and "read"


@attempt()
def add_a_key(lab: Lab) -> object:
    return libc.syscall(248, b"user", b"planted", b"x", 1, -3) > 0
