"""The way out: which hosts, which addresses, and that every request is told."""

from __future__ import annotations

import socket
import socketserver
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from aifactory.sandbox import FakeNetwork, Request, serve
from aifactory.sandbox.internet import Internet, is_public
from tests.sandbox.loopback import serving

PUBLIC, OTHER = "93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"
Ask = Callable[[str], bytes]


def told(log: list[Request], count: int = 1) -> Request:
    """The last of so many requests, each of which is told when it has ended."""
    until = time.monotonic() + 5
    while len(log) < count and time.monotonic() < until:
        time.sleep(0.005)
    return log[count - 1]


class Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        while data := self.request.recv(1000):
            self.request.sendall(data.upper())


@pytest.fixture
def server() -> Iterator[tuple[str, int]]:
    with serving(Echo) as address:
        yield address


@pytest.fixture
def log() -> list[Request]:
    return []


@pytest.fixture
def proxy(
    tmp_path: Path, server: tuple[str, int], log: list[Request]
) -> Iterator[Callable[..., tuple[Ask, FakeNetwork]]]:
    """Starts a proxy for hosts, with names as they are given; asks it one thing."""
    stack = ExitStack()

    def start(*hosts: str, **names: list[list[str]]) -> tuple[Ask, FakeNetwork]:
        dotted = {name.replace("_", "."): answers for name, answers in names.items()}
        network = FakeNetwork(dotted, {PUBLIC: server, OTHER: server})
        place = tmp_path / "proxy"
        stack.enter_context(serve(hosts, place, log.append, network))

        def ask(text: str) -> bytes:
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(5)
                client.connect(str(place))
                client.sendall(text.encode())
                client.shutdown(socket.SHUT_WR)
                with suppress(ConnectionResetError):  # it does not listen to the end of that
                    return b"".join(iter(lambda: client.recv(1000), b""))
                return b""

        return ask, network

    with stack:
        yield start


def connect(host: str, port: int = 443, said: str = "hello") -> str:
    return f"CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}\r\n\r\n{said}"


def test_a_named_host_is_reached_and_told(
    proxy: Callable[..., tuple[Ask, FakeNetwork]], log: list[Request]
) -> None:
    ask, network = proxy("pypi.test", pypi_test=[[PUBLIC]])
    assert ask(connect("PyPI.test")).endswith(b"\r\n\r\nHELLO")
    assert network.connected == [(PUBLIC, 443)]
    one = told(log)
    assert (one.host, one.port, one.address) == ("pypi.test", 443, PUBLIC)
    assert (one.sent, one.received, one.refused, one.failed) == (5, 5, "", "")


@pytest.mark.parametrize(
    ("text", "status", "why"),
    [
        (connect("evil.test"), b"403", "not among the hosts"),
        (connect("pypi.test", 22), b"403", "not among the hosts"),
        (connect("sub.pypi.test"), b"403", "not among the hosts"),
        (connect(PUBLIC), b"403", "not among the hosts"),
        (connect("[::1]"), b"405", "not a CONNECT"),
        ("GET http://pypi.test/ HTTP/1.1\r\n\r\n", b"405", "not a CONNECT"),
        ("CONNECT pypi.test:443 HTTP/1.1\n\n", b"", ""),
        ("\0" * 20_000, b"", ""),
    ],
)
def test_nothing_else_is_reached(
    proxy: Callable[..., tuple[Ask, FakeNetwork]],
    log: list[Request],
    text: str,
    status: bytes,
    why: str,
) -> None:
    ask, network = proxy("pypi.test", pypi_test=[[PUBLIC]])
    answer = ask(text)
    assert answer[9:12] == status
    assert network.connected == []
    one = told(log)
    assert why in one.refused
    assert one.refused or one.failed


@pytest.mark.parametrize("address", ["127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "fd00::1"])
def test_a_name_that_leads_inside_is_refused(
    proxy: Callable[..., tuple[Ask, FakeNetwork]], log: list[Request], address: str
) -> None:
    ask, network = proxy("pypi.test", pypi_test=[[PUBLIC, address]])
    assert b" 403 " in ask(connect("pypi.test"))
    assert network.connected == []
    assert address in told(log).refused


def test_a_name_is_resolved_once(proxy: Callable[..., tuple[Ask, FakeNetwork]]) -> None:
    ask, network = proxy("pypi.test", pypi_test=[[PUBLIC], ["127.0.0.1"]])
    assert ask(connect("pypi.test")).endswith(b"HELLO")
    assert (network.asked, network.connected) == (["pypi.test"], [(PUBLIC, 443)])
    assert b" 403 " in ask(connect("pypi.test"))
    assert network.connected == [(PUBLIC, 443)]


def test_the_next_address_is_tried(
    proxy: Callable[..., tuple[Ask, FakeNetwork]], log: list[Request]
) -> None:
    ask, _ = proxy("pypi.test:8443", "none.test", pypi_test=[["93.184.215.1", OTHER]])
    assert ask(connect("pypi.test", 8443)).endswith(b"HELLO")
    assert told(log).address == OTHER
    assert b" 502 " in ask(connect("none.test"))
    assert "no such name" in told(log, 2).failed


def test_the_end_cuts_what_is_open(tmp_path: Path, server: tuple[str, int]) -> None:
    log: list[Request] = []
    network = FakeNetwork({"pypi.test": [[PUBLIC]]}, {PUBLIC: server})
    with socket.socket(socket.AF_UNIX) as client:
        with serve(["pypi.test"], tmp_path / "proxy", log.append, network):
            client.connect(str(tmp_path / "proxy"))
            client.sendall(connect("pypi.test").encode())
            assert client.recv(1000)
            assert (tmp_path / "proxy").stat().st_mode & 0o777 == 0o600
        client.settimeout(5)
        while client.recv(1000):
            pass
    assert [one.host for one in log] == ["pypi.test"]
    assert not (tmp_path / "proxy").exists()


@pytest.mark.parametrize(
    "address",
    [
        *("0.0.0.0", "127.0.0.1", "127.9.9.9", "10.0.0.1", "172.16.0.1", "192.168.1.1"),
        *("169.254.169.254", "100.64.0.1", "192.0.0.8", "192.0.2.1", "198.18.0.1", "224.0.0.1"),
        *("240.0.0.1", "255.255.255.255", "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1"),
        *("fec0::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1"),
        *("64:ff9b:1::1", "2002:7f00:1::", "2001:0:7f00:1::1", "2001:db8::1", "localhost", ""),
        *("0177.0.0.1", "2130706433"),
    ],
)
def test_no_address_of_somebodys_own_is_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", [PUBLIC, OTHER, "::ffff:93.184.215.14", "1.1.1.1"])
def test_the_others_are(address: str) -> None:
    assert is_public(address)


def test_the_real_network_does_not_lead_back_to_this_machine(server: tuple[str, int]) -> None:
    with pytest.raises(OSError, match="this machine itself"):
        Internet().connect(*server)
    assert set(Internet().resolve("localhost", 443)) <= {"127.0.0.1", "::1"}
