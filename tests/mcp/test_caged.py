"""A real server in every real cage: what it can do, and what becomes of one that misbehaves."""

from __future__ import annotations

import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from aifactory.agents.serving import Place, Serving
from aifactory.errors import Interrupted
from aifactory.mcp import ServerBroken, ToolRefused, told
from aifactory.mcp.client import Patience
from aifactory.model import CommandRecord
from aifactory.sandbox import FakeNetwork, Limits, Spec, own_toolchain, owner
from aifactory.sandbox.confined import Confined
from aifactory.settings import Server
from tests.mcp.server import INJECTION
from tests.patience import once, until
from tests.sandbox.conftest import cage, workspace

__all__ = ["cage", "workspace"]  # fixtures

PROGRAM = Path(__file__).with_name("server.py")
Start = Callable[..., Serving]


@pytest.fixture
def records() -> list[CommandRecord]:
    return []


@pytest.fixture
def start(cage: Confined, workspace: Path, records: list[CommandRecord]) -> Iterator[Start]:
    """Starts the server of the tests in the cage; whatever still runs is ended."""
    shutil.copy(PROGRAM, workspace)
    started: list[Serving] = []

    def begin(how: str = "", **wanted: object) -> Serving:
        limits = Limits(seconds=200, memory_bytes=256 << 20, processes=40)
        tools = own_toolchain()
        argv = (sys.executable, "server.py", *filter(None, [how]))
        spec = Spec(argv, workspace, tools.environment, tools.readable, limits)
        place = Place(cage, spec, owner(41), None, FakeNetwork(), on_command=records.append)
        server = Server.model_validate({"command": argv, "seconds": 30.0, **wanted})
        started.append(Serving("tests", server, place))
        return started[-1]

    yield begin
    for serving in started:
        serving.close()


def call(serving: Serving, tool: str, **arguments: object) -> str:
    return serving.masked(told("tests", serving.client.call(tool, arguments)))


def test_it_is_greeted_listed_called_and_ended(
    start: Start, workspace: Path, records: list[CommandRecord]
) -> None:
    serving = start()
    names = [tool["name"] for tool in serving.client.tools()]
    assert {"echo", "write", "memory"} <= set(names)  # on several pages
    assert call(serving, "echo", text="héllo") == "héllo"
    assert call(serving, "write", path="made.txt", text="made") == "written"
    assert (workspace / "made.txt").read_text() == "made"
    assert call(serving, "fails") == "error: ValueError: no such thing"
    with pytest.raises(ToolRefused, match="unknown tool: 'nothing'"):
        call(serving, "nothing")
    assert call(serving, "echo", text="still there") == "still there"
    serving.close()
    [record] = records
    assert record.exit_code == 0 and record.details["server"] == "tests"
    assert '"tools/call"' not in record.output and "still there" in record.output


@pytest.mark.parametrize(
    ("how", "seconds", "said"),
    [
        ("dead", 30.0, "it ended before it answered initialize; it said: no licence key"),
        ("banner", 30.0, "it sent a line that is no JSON: 'Welcome!'"),
        ("old", 30.0, "protocol version '1999-01-01'; known: 2025-11-25"),
        ("silent", 1.0, "no answer to initialize within 1 s"),
    ],
)
def test_one_that_does_not_start_is_told(start: Start, how: str, seconds: float, said: str) -> None:
    with pytest.raises(ServerBroken) as caught:
        start(how, seconds=seconds)
    assert said in caught.value.message


@pytest.mark.parametrize(
    ("tool", "said"),
    [
        ("die", "it ended before it answered tools/call"),
        ("hang", "no answer to tools/call within 1 s"),
        ("garbage", "it sent a line that is no JSON: 'Loading the model...'"),
        ("long_line", "it sent a line of more than"),
        ("endless_line", "it sent a line of more than"),
        ("flood", "more than 10000 messages before an answer"),
        ("other_id", "an answer to what was not asked: 999999"),
        ("memory", "it ended before it answered tools/call"),
    ],
)
def test_one_that_breaks_in_a_call_is_ended_and_told(
    start: Start, workspace: Path, tool: str, said: str
) -> None:
    serving = start()
    if tool == "hang":
        serving.client.patience = Patience(1.0)
    with pytest.raises(ServerBroken) as caught:
        call(serving, tool)
    assert said in caught.value.message
    serving.close()
    assert ours(workspace) == []
    with pytest.raises(ServerBroken):
        call(serving, "echo", text="a")


def test_one_that_multiplies_is_bounded_and_ended_whole(start: Start, workspace: Path) -> None:
    serving = start()
    with suppress(ServerBroken):  # whichever of its processes answers first
        assert "Resource temporarily unavailable" in call(serving, "doubled")
    serving.close()
    assert ours(workspace) == []


def test_a_list_that_never_ends_is_no_list(start: Start) -> None:
    with pytest.raises(ServerBroken, match="more than 100 pages"):
        start("endless-list").client.tools()


def test_one_that_dies_between_calls_is_noticed_at_the_next(start: Start) -> None:
    serving = start()
    assert call(serving, "die_later") == "fine so far"
    with pytest.raises(ServerBroken):  # it stands still until then, so it dies in the call
        until(lambda: not call(serving, "echo", text="a"))


@pytest.mark.parametrize("wish", ["sampling", "roots", "elicitation"])
def test_what_a_server_wants_is_refused_by_name(start: Start, wish: str) -> None:
    said = call(start(), wish)
    assert "-32601" in said and f"{wish}/" in said and "is refused" in said


def test_a_ping_is_answered(start: Start) -> None:
    assert '"result": {}' in call(start(), "pinged")


def test_it_stands_still_but_for_a_call(start: Start, workspace: Path) -> None:
    serving = start()
    call(serving, "survivor")
    ticks = workspace / "ticks"
    before = ticks.read_text()
    time.sleep(0.3)  # it writes hundreds of times in that while it runs
    assert ticks.read_text() == before
    call(serving, "echo", text="a")
    serving.close()
    assert ours(workspace) == []


def test_a_change_of_its_tools_is_noticed(start: Start) -> None:
    serving = start()
    before = len(serving.client.tools())
    assert call(serving, "grow") == "grown"
    assert serving.client.changed and len(serving.client.tools()) == before + 1


def test_the_cage_holds_it_as_any_command(start: Start, workspace: Path) -> None:
    serving = start()
    outside = workspace.parent / "outside.txt"
    for path in (Path("/etc/made"), Path("/usr/made"), Path("/made")):
        assert call(serving, "write", path=str(path), text="x").startswith("error: ")
    call(serving, "write", path=str(outside), text="x")  # may succeed on a /tmp of its own
    assert not outside.exists()
    for path in (f"/proc/{os.getpid()}/environ", "/proc/1/environ", "/etc/shadow"):
        assert call(serving, "read", path=path).startswith(("error: ", "(nothing)"))
    seen = call(serving, "neighbours")
    assert "server.py" in seen and "pytest" not in seen


def test_it_gets_the_variables_that_it_is_given_and_no_other(
    start: Start, monkeypatch: pytest.MonkeyPatch, records: list[CommandRecord]
) -> None:
    monkeypatch.setenv("ISSUES_PAT", "s3cret-of-ada")
    monkeypatch.setenv("OTHER_TOKEN", "an0ther-secret")
    serving = start(environment=("ISSUES_PAT",))
    assert call(serving, "env", name="OTHER_TOKEN").startswith("(unset)")
    assert "s3cret" not in (said := call(serving, "env", name="ISSUES_PAT"))
    assert said.startswith("[redacted secret]")
    serving.close()
    assert "s3cret" not in records[0].model_dump_json()


@pytest.mark.parametrize(
    ("variable", "said"), [("ANTHROPIC_API_KEY", "is a model's key"), ("NOT_THERE", "is not set")]
)
def test_a_variable_that_it_cannot_have_is_told(
    start: Start, monkeypatch: pytest.MonkeyPatch, variable: str, said: str
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-0123456789abcdef")
    with pytest.raises(ServerBroken, match=said):
        start(environment=(variable,))


def test_it_reaches_the_hosts_that_it_has_and_no_other(
    start: Start, workspace: Path, records: list[CommandRecord]
) -> None:
    assert call(start(), "env", name="https_proxy").startswith("(unset)")
    serving = start(hosts=("tracker.example.org",))
    said = call(serving, "connect", host="tracker.example.org")
    assert said == "HTTP/1.1 502 tracker.example.org: no such name: tracker.example.org"
    assert call(serving, "connect", host="evil.example").startswith("HTTP/1.1 403")
    serving.close()
    hosts = [request["host"] for request in records[-1].details["requests"]]
    assert hosts == ["tracker.example.org", "evil.example"]


def test_what_it_says_is_text_and_nothing_more(start: Start) -> None:
    serving = start()
    assert call(serving, "injection") == INJECTION
    assert call(serving, "surrogate") == "half ? a character"


def test_a_stop_ends_the_waiting(cage: Confined, workspace: Path) -> None:
    shutil.copy(PROGRAM, workspace)
    stop, tools = threading.Event(), own_toolchain()
    argv = (sys.executable, "server.py", "silent")
    spec = Spec(argv, workspace, tools.environment, tools.readable, Limits(seconds=60))
    place = Place(cage, spec, stop=stop)
    with once(lambda: ours(workspace), stop.set), pytest.raises(Interrupted):
        Serving("tests", Server(command=argv, seconds=60), place)
    assert ours(workspace) == []


def ours(workspace: Path) -> list[str]:
    """Processes of the machine that work in the workspace."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if (place / "cwd").readlink() == workspace:
                found.append((place / "cmdline").read_text())
        except OSError:
            continue
    return found
