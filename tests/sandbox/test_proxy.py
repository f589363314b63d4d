"""The way out: which hosts, which addresses, and that every request is told."""

from __future__ import annotations

import socket
import socketserver
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aifactory.sandbox import FakeNetwork, Request, hello, serve
from aifactory.sandbox.internet import Internet, is_public
from tests.patience import PATIENCE, until
from tests.sandbox.loopback import first_message, serving

PUBLIC, OTHER = "93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"
HELLO = first_message("pypi.test")
Ask = Callable[[bytes], bytes]


def told(log: list[Request], count: int = 1) -> Request:
    """The last of so many requests, each of which is told when it has ended."""
    until(lambda: len(log) >= count)
    return log[count - 1]


class Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        while data := self.request.recv(1000):
            self.request.sendall(data[::-1])


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

        def ask(text: bytes) -> bytes:
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(PATIENCE)
                client.connect(str(place))
                client.sendall(text)
                client.shutdown(socket.SHUT_WR)
                with suppress(ConnectionResetError):  # it does not listen to the end of that
                    return b"".join(iter(lambda: client.recv(1000), b""))
                return b""

        return ask, network

    with stack:
        yield start


def connect(host: str, port: int = 443, said: bytes = HELLO) -> bytes:
    return f"CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode() + said


def test_a_named_host_is_reached_and_told(
    proxy: Callable[..., tuple[Ask, FakeNetwork]], log: list[Request]
) -> None:
    ask, network = proxy("pypi.test", pypi_test=[[PUBLIC]])
    assert ask(connect("PyPI.test", said=HELLO + b"more")).find(b"erom") > 0
    assert network.connected == [(PUBLIC, 443)]
    one = told(log)
    assert (one.host, one.port, one.address) == ("pypi.test", 443, PUBLIC)
    size = len(HELLO) + 4
    assert (one.sent, one.received, one.refused, one.failed) == (size, size, "", "")


def spoilt(at: int, byte: int) -> bytes:
    return HELLO[:at] + bytes([byte]) + HELLO[at + 1 :]


def in_two_records() -> bytes:
    """The same message, cut in the middle, as a client may send it."""
    body = HELLO[5:]
    parts = (body[:50], body[50:])
    return b"".join(HELLO[:3] + len(part).to_bytes(2, "big") + part for part in parts)


def test_a_message_in_several_records_is_read(
    proxy: Callable[..., tuple[Ask, FakeNetwork]], log: list[Request]
) -> None:
    ask, _ = proxy("pypi.test", pypi_test=[[PUBLIC]])
    assert ask(connect("pypi.test", said=in_two_records())).endswith(in_two_records()[::-1])
    assert told(log).refused == ""


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (first_message("evil.test"), "asks for 'evil.test' instead"),
        (first_message("sub.pypi.test"), "asks for 'sub.pypi.test' instead"),
        (first_message(None), "asks for 'no name' instead"),
        (HELLO.replace(b"\0\0\0", b"\xfe\x0d\0", 1), "TLS handshake"),
        (b"GET / HTTP/1.1\r\nHost: pypi.test\r\n\r\n", "not TLS"),
        (b"SSH-2.0-OpenSSH\r\n", "not TLS"),
        (spoilt(0, 23), "not TLS"),
        (spoilt(5, 2), "not the start of TLS"),
        (HELLO[:40], "cut off"),
        (spoilt(43, 255), "cut off"),
        (b"\x16\x03\x01\xff\xff\x01\xff\xff\xff" + b"x" * 200_000, "too long"),
        (b"", "cut off"),
    ],
)
def test_nothing_is_said_but_tls_for_the_same_name(
    proxy: Callable[..., tuple[Ask, FakeNetwork]], log: list[Request], said: bytes, why: str
) -> None:
    """A server of many names answers to the one inside, whatever stood in CONNECT."""
    ask, _ = proxy("pypi.test", pypi_test=[[PUBLIC]])
    assert said[::-1] not in ask(connect("pypi.test", said=said)) or not said
    one = told(log)
    assert why in one.refused
    assert (one.sent, one.received) == (0, 0)


def test_a_hidden_name_is_refused() -> None:
    """Encrypted ClientHello: the name in the open is not the one that is asked for."""
    body = HELLO[9:]
    extension = b"\xfe\x0d\0\1\0"
    at = 34 + 1 + body[34]
    at += 2 + int.from_bytes(body[at : at + 2], "big")
    at += 1 + body[at]
    size = int.from_bytes(body[at : at + 2], "big") + len(extension)
    body = body[:at] + size.to_bytes(2, "big") + extension + body[at + 2 :]
    message = b"\1" + len(body).to_bytes(3, "big") + body
    with pytest.raises(hello.Refused, match="hides the name"):
        hello.check(HELLO[:3] + len(message).to_bytes(2, "big") + message, "pypi.test")


@given(st.binary(max_size=300), st.integers(0, 600))
def test_no_bytes_confuse_the_reader(noise: bytes, at: int) -> None:
    said = HELLO[:at] + noise + HELLO[at + len(noise) :]
    with suppress(hello.Refused):
        hello.check(said, "evil.test")
        pytest.fail("passed")


@pytest.mark.parametrize(
    ("text", "status", "why"),
    [
        (connect("evil.test"), b"403", "not among the hosts"),
        (connect("pypi.test", 22), b"403", "not among the hosts"),
        (connect("sub.pypi.test"), b"403", "not among the hosts"),
        (connect(PUBLIC), b"403", "not among the hosts"),
        (connect("[::1]"), b"405", "not a CONNECT"),
        (b"GET http://pypi.test/ HTTP/1.1\r\n\r\n", b"405", "not a CONNECT"),
        (b"CONNECT pypi.test:443 HTTP/1.1\n\n", b"", ""),
        (b"\0" * 20_000, b"", ""),
    ],
)
def test_nothing_else_is_reached(
    proxy: Callable[..., tuple[Ask, FakeNetwork]],
    log: list[Request],
    text: bytes,
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
    assert ask(connect("pypi.test")).endswith(HELLO[::-1])
    assert (network.asked, network.connected) == (["pypi.test"], [(PUBLIC, 443)])
    assert b" 403 " in ask(connect("pypi.test"))
    assert network.connected == [(PUBLIC, 443)]


def test_the_next_address_is_tried(
    proxy: Callable[..., tuple[Ask, FakeNetwork]], log: list[Request]
) -> None:
    ask, _ = proxy("pypi.test:8443", "none.test", pypi_test=[["93.184.215.1", OTHER]])
    assert ask(connect("pypi.test", 8443)).endswith(HELLO[::-1])
    assert told(log).address == OTHER
    assert b" 502 " in ask(connect("none.test"))
    assert "no such name" in told(log, 2).failed


def test_the_end_cuts_what_is_open(tmp_path: Path, server: tuple[str, int]) -> None:
    log: list[Request] = []
    network = FakeNetwork({"pypi.test": [[PUBLIC]]}, {PUBLIC: server})
    with socket.socket(socket.AF_UNIX) as client:
        with serve(["pypi.test"], tmp_path / "proxy", log.append, network):
            client.connect(str(tmp_path / "proxy"))
            client.sendall(connect("pypi.test"))
            assert client.recv(1000)
            assert (tmp_path / "proxy").stat().st_mode & 0o777 == 0o600
        client.settimeout(PATIENCE)
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
