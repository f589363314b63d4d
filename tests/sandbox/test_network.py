"""A caged command that needs a host reaches it through the proxy, and nothing besides."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from aifactory.layout import cache_home
from aifactory.model import CommandRecord
from aifactory.sandbox import FakeNetwork, Request, Spec, own_toolchain, serve
from aifactory.sandbox.confined import Confined
from tests.sandbox.loopback import WRAP, Secret, serving

ADDRESS = "93.184.215.14"
# As any client does: CONNECT to the proxy that the environment names, then HTTPS through it.
CLIENT = f"""{WRAP}
import http.client, os, sys, urllib.parse
proxy = urllib.parse.urlsplit(os.environ["https_proxy"])
for host in sys.argv[1:]:
    connection = http.client.HTTPConnection(proxy.hostname, proxy.port, timeout=60)
    connection.set_tunnel(host, 443)
    try:
        connection.connect()
        connection.sock = context.wrap_socket(connection.sock, server_hostname=host)
        connection.request("GET", "/" + host)
        print(host, connection.getresponse().read().decode())
    except OSError as error:
        print(host, "refused:", error)
"""
DIRECT = """
import socket, sys
for family, address in ((2, ("{address}", 443)), (2, ("127.0.0.1", {port})), (1, "\\0lab")):
    try:
        socket.socket(family).connect(address)
        print("reached", address)
    except OSError:
        pass
"""


# The other child of the guard, beside the command: how the kernel holds each of the two.
SIBLINGS = """
import json, os, pathlib
def facts(pid):
    lines = pathlib.Path("/proc", str(pid), "status").read_text().splitlines()
    return dict(line.split(":\\t", 1) for line in lines if ":\\t" in line)
def held(found):
    return {k: found[k] for k in ("Uid", "CapEff", "NoNewPrivs", "Seccomp", "Seccomp_filters")}
own = facts("self")
others = [facts(pid) for pid in os.listdir("/proc") if pid.isdigit() and int(pid) != os.getpid()]
print(json.dumps([[held(own), held(one)] for one in others if one["PPid"] == own["PPid"]]))
"""


class Server(Secret, BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"got {self.path}".encode())

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[tuple[str, int]]:
    with serving(Server) as address:
        yield address


@pytest.fixture
def door() -> Iterator[Path]:
    """The socket's own directory, with a name as long as a deep home makes it."""
    with tempfile.TemporaryDirectory(prefix="door-", dir=cache_home()) as top:
        Path(top).chmod(0o755)
        folder = Path(top, "x" * 120)
        folder.mkdir(mode=0o755)
        yield folder / "proxy"


def run(cage: Confined, workspace: Path, door: Path | None, *argv: str) -> CommandRecord:
    tools = own_toolchain()
    return cage.run(Spec(argv, workspace, tools.environment, tools.readable, network=door))


def test_only_what_is_named_is_reached(
    cage: Confined, workspace: Path, door: Path, server: tuple[str, int]
) -> None:
    log: list[Request] = []
    network = FakeNetwork({"pypi.test": [[ADDRESS]], "in.test": [["10.0.0.1"]]}, {ADDRESS: server})
    owner = (workspace.stat().st_uid, workspace.stat().st_gid) if os.geteuid() == 0 else None
    hosts = ("pypi.test", "evil.test", "in.test", "127.0.0.1", "pypi.test")
    with serve(["pypi.test", "in.test"], door, log.append, network, owner):
        record = run(cage, workspace, door, "python", "-c", CLIENT, *hosts)
        direct = DIRECT.format(address=ADDRESS, port=server[1])
        beside = run(cage, workspace, door, "python", "-c", direct)
    said = record.output.splitlines()
    assert said[0] == said[4] == "pypi.test got /pypi.test"
    assert all("refused: Tunnel connection failed: 403" in line for line in said[1:4]), said
    refused = {one.host: bool(one.refused) for one in log}  # told in the order of their ends
    assert len(log) == 5
    assert refused == {host: host != "pypi.test" for host in hosts}
    assert beside.output == ""
    assert record.details["network"] == "proxy"
    assert record.details.get("survivors", 0) == 0


def test_without_a_socket_there_is_no_way(
    cage: Confined, workspace: Path, door: Path, server: tuple[str, int]
) -> None:
    network = FakeNetwork({"pypi.test": [[ADDRESS]]}, {ADDRESS: server})
    with serve(["pypi.test"], door, lambda request: None, network):
        record = run(cage, workspace, None, "sh", "-c", f"env | grep -i proxy; ls {door}")
    assert record.exit_code != 0
    assert "http" not in record.output
    assert record.details["network"] == "none"


def test_the_forwarder_is_as_confined_as_the_command(
    cage: Confined, workspace: Path, door: Path
) -> None:
    with serve(["pypi.test"], door, lambda request: None, FakeNetwork()):
        record = run(cage, workspace, door, "python", "-c", SIBLINGS)
    found = json.loads(record.output)
    assert len(found) == 1, found
    own, sibling = found[0]
    assert sibling == own
    assert int(sibling["CapEff"], 16) == 0
