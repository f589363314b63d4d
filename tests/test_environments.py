"""Environments: built once for what they are made of, in real cages, then nobody's to change."""

from __future__ import annotations

import dataclasses
import json
import os
import socketserver
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from aifactory import config
from aifactory.environments import Environments, recipe
from aifactory.errors import EnvironmentUnusable, GateBroken, Interrupted
from aifactory.gate import Room, run
from aifactory.gate.fake import room as fake_room
from aifactory.git import Repository, discover
from aifactory.installation import Recipe, Watcher
from aifactory.layout import Layout
from aifactory.model import CommandRecord
from aifactory.sandbox import FakeNetwork, FakeSandbox, Sandbox, owner
from aifactory.sandbox.confined import BACKENDS
from aifactory.workspace import Workspaces
from tests.conftest import Checkout
from tests.patience import PATIENCE
from tests.sandbox.loopback import WRAP, Secret

ADDRESS = "93.184.215.14"
LOCK = {"requirements.txt": "thing==1\n", "web/package-lock.json": "{}\n"}
# What pip and npm come down to: fetch something by the proxy and put it where it is looked for.
FETCH = f"""{WRAP}
import http.client, os, pathlib, sys, urllib.parse
proxy = urllib.parse.urlsplit(os.environ["https_proxy"])
connection = http.client.HTTPConnection(proxy.hostname, proxy.port, timeout=60)
connection.set_tunnel(sys.argv[1], 443)
connection.connect()
connection.sock = context.wrap_socket(connection.sock, server_hostname=sys.argv[1])
connection.request("GET", "/thing.py")
data = connection.getresponse().read()
pathlib.Path(sys.argv[2]).mkdir(parents=True, exist_ok=True)
pathlib.Path(sys.argv[2], "thing.py").write_bytes(data)
"""
USES = (
    "python -c 'import thing; assert thing.VALUE == 42'",
    "python -c 'import os; assert os.environ.get(\"https_proxy\") is None'",
    ".venv/bin/python test.py",
    "test -f web/node_modules/thing.py",
    "sh -c '! touch .venv/x && ! rm web/node_modules/thing.py'",
)
MADE = "sh -c 'mkdir -p .venv/bin web/node_modules; echo made > web/node_modules/x; env > .tmp/e'"


class Index(Secret, BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"VALUE = 42\n")

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def network() -> Iterator[FakeNetwork]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Index) as made:
        made.daemon_threads = True
        threading.Thread(target=made.serve_forever, args=(0.01,), daemon=True).start()
        host, port = made.server_address[:2]
        yield FakeNetwork({"index.test": [[ADDRESS]]}, {ADDRESS: (str(host), int(port))})
        made.shutdown()


@pytest.fixture
def repository(
    make_checkout: Callable[..., Checkout], scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Repository]:
    monkeypatch.setenv("AIFACTORY_CACHE_DIR", str(scratch / "cache"))
    found = discover(make_checkout(files={**LOCK, "test.py": "import thing\n"}).root)
    yield found
    found.close()


def wanted(repository: Repository, *install: str, **more: object) -> Recipe:
    section = {"install": list(install), "lock": list(LOCK), "hosts": ["index.test"], **more}
    lines = ["[environment]", *(f"{key} = {json.dumps(value)}" for key, value in section.items())]
    settings = config.parse("\n".join(lines).encode(), environ={})
    commit = repository.resolve("HEAD") or ""
    found = recipe(repository, commit, settings, Path(sys.executable))
    assert found
    return found


def environments(
    repository: Repository, sandbox: Sandbox, network: FakeNetwork | None = None
) -> Environments:
    layout = Layout(repository.root, repository.git_dir)
    return Environments(layout, lambda: sandbox, network)


def left(repository: Repository) -> set[str]:
    """What lies in the place of the environments, but for the notes."""
    home = Layout(repository.root, repository.git_dir).environments
    return {path.name for path in home.iterdir() if path.is_dir()} - {"trash"}


@pytest.fixture(params=BACKENDS, ids=lambda backend: backend.name)
def cage(request: pytest.FixtureRequest) -> Sandbox:
    backend: Sandbox = request.param
    return backend


def test_what_is_installed_is_used_by_the_gate_and_by_nobody_changed(
    repository: Repository, cage: Sandbox, network: FakeNetwork
) -> None:
    records: list[CommandRecord] = []
    pool = environments(repository, cage, network)
    made = wanted(
        repository,
        "python -m venv --without-pip .venv",
        f"python -c '{FETCH}' index.test .venv/lib/python3/site-packages",
        f"python -c '{FETCH}' index.test web/node_modules",
        "sh -c 'mv .venv/lib/python3/site-packages/thing.py .venv/lib/python3.*/site-packages/'",
    )
    found = pool.ready(made, Watcher(on_command=records.append))
    assert [record.ok for record in records] == [True] * 4, records[-1].output
    assert [one["host"] for one in records[1].details["requests"]] == ["index.test"]
    assert found.links == (".venv", "web/node_modules")
    assert pool.ready(made, Watcher(on_start=pytest.fail)) == found
    parts = {"sandbox": cage, "python": found.python, "environment": found}
    with gate_room(repository, *USES, **parts) as room:
        result = run(room)
    assert result.ok, result.evidence()
    assert "removed" not in result.commands[0].details
    assert {"network": "none"}.items() <= result.commands[0].details.items()


@contextmanager
def gate_room(repository: Repository, *commands: str, **parts: object) -> Iterator[Room]:
    layout = Layout(repository.root, repository.git_dir)
    with Workspaces(repository, layout, owner).lease() as workspace:
        tree = repository.tree_of(repository.resolve("HEAD") or "")
        yield fake_room(repository, workspace, tree, commands=commands, **parts)


def test_home_and_temporary_files_lie_on_the_disk_and_go(
    repository: Repository, cage: Sandbox
) -> None:
    look = "sh -c 'echo $HOME $TMPDIR > .venv; ls -a > files; touch $TMPDIR/t; id -u > uid'"
    found = environments(repository, cage).ready(wanted(repository, look), Watcher())
    scratch = str(found.place / ".tmp")
    assert (found.place / ".venv").read_text().split() == [scratch, scratch]
    assert (found.place / "files").read_text().split() == [
        *(".", "..", ".tmp", ".venv", "files", "requirements.txt", "web"),
    ]
    assert not Path(scratch).exists()
    assert (found.place / "uid").read_text().strip() != "0"
    assert {path.stat().st_uid for path in found.place.rglob("*")} == {os.geteuid()}


def test_no_link_that_was_installed_opens_another_tree(
    repository: Repository, cage: Sandbox, scratch: Path
) -> None:
    secret = scratch / "secret" / "bin" / "python"
    secret.parent.mkdir(parents=True)
    secret.write_text("the user's")
    (scratch / "secret" / "pyvenv.cfg").write_text("home = /usr/bin\n")
    trap = f"mkdir -p .venv/bin; ln -s {secret} .venv/bin/python; echo home = {secret.parent}"
    found = environments(repository, cage).ready(
        wanted(repository, f"sh -c '{trap} > .venv/pyvenv.cfg'"), Watcher()
    )
    shown = found.tools.readable
    assert not any(path.is_relative_to(scratch / "secret") for path in shown), shown


@pytest.mark.parametrize(
    ("act", "same"),
    [
        (lambda one: dataclasses.replace(one, locks={**one.locks, "web/x": b""}), False),
        (lambda one: dataclasses.replace(one, locks={**one.locks, "requirements.txt": b""}), False),
        (lambda one: dataclasses.replace(one, commands=(*one.commands, "true")), False),
        (lambda one: dataclasses.replace(one, python=Path("/usr/bin/env")), False),
        (lambda one: dataclasses.replace(one, hosts=()), True),
    ],
)
def test_another_lock_is_another_environment(
    repository: Repository, act: Callable[[Recipe], Recipe], same: bool
) -> None:
    one = wanted(repository, MADE)
    assert (act(one).key == one.key) is same


def test_a_command_that_fails_breaks_the_gate_and_is_not_repeated_at_once(
    repository: Repository,
) -> None:
    failed = CommandRecord(argv=("x",), exit_code=1, output="no such package\n")
    sandbox = FakeSandbox({"install it": failed})
    pool = environments(repository, sandbox)
    for _ in range(2):
        with pytest.raises(GateBroken, match="`install it` ended with exit code 1") as caught:
            pool.ready(wanted(repository, "install it"), Watcher())
        assert "no such package" in caught.value.evidence
    assert len(sandbox.ran) == 1
    assert left(repository) == set()
    pool.ready(wanted(repository, MADE), Watcher())


def test_a_host_that_is_not_named_is_told_with_the_remedy(
    repository: Repository, network: FakeNetwork
) -> None:
    pool = environments(repository, BACKENDS[1], network)
    command = f"python -c '{FETCH}' other.test .venv"
    with pytest.raises(GateBroken, match=r"other\.test:443 not among the hosts") as caught:
        pool.ready(wanted(repository, command), Watcher())
    assert "[environment] hosts" in caught.value.next_step


def test_a_network_that_is_down_is_the_machines_fault(repository: Repository) -> None:
    down = FakeNetwork({"index.test": [[ADDRESS]]})
    pool = environments(repository, BACKENDS[1], down)
    command = f"python -c '{FETCH}' index.test .venv"
    for _ in range(2):  # and is tried again
        with pytest.raises(EnvironmentUnusable, match="nobody answers"):
            pool.ready(wanted(repository, command), Watcher())
    assert len(down.connected) == 2


def test_a_lock_file_that_is_not_there_is_told(repository: Repository) -> None:
    with pytest.raises(GateBroken, match=r"names poetry\.lock"):
        wanted(repository, MADE, lock=["poetry.lock"])


def test_a_building_site_of_a_crash_is_built_anew(repository: Repository) -> None:
    pool, made = environments(repository, FakeSandbox()), wanted(repository, MADE)
    place = pool.ready(made, Watcher()).place
    (place / "half").write_text("x")
    place.with_suffix(".json").unlink()
    again = environments(repository, FakeSandbox())
    assert again.find(made) is None
    again.ready(made, Watcher())
    assert not (place / "half").exists()


def test_one_is_built_while_others_wait_for_it(repository: Repository) -> None:
    started, go_on = threading.Event(), threading.Event()

    def slow(spec: object) -> CommandRecord:
        started.set()
        go_on.wait(PATIENCE)
        return CommandRecord(argv=("x",), exit_code=0)

    sandbox = FakeSandbox({"slow": slow})
    pool, made = environments(repository, sandbox), wanted(repository, "slow")
    first = threading.Thread(target=pool.ready, args=(made, Watcher()))
    first.start()
    assert started.wait(PATIENCE)
    stop = threading.Event()
    stop.set()
    with pytest.raises(Interrupted):
        pool.ready(made, Watcher(stop=stop))
    later = threading.Timer(0.3, go_on.set)
    later.start()
    pool.ready(made, Watcher())
    assert go_on.is_set()
    for thread in (first, later):
        thread.join()
    assert len(sandbox.ran) == 1


def test_a_stopped_installation_leaves_nothing(repository: Repository) -> None:
    stopped = CommandRecord(argv=("x",), signal=9, killed_by="shutdown")
    pool = environments(repository, FakeSandbox({"x": stopped}))
    with pytest.raises(Interrupted):
        pool.ready(wanted(repository, "x"), Watcher())
    assert left(repository) == set()


def test_old_ones_are_put_away_and_the_current_one_stays(repository: Repository) -> None:
    pool = environments(repository, FakeSandbox())
    made = [wanted(repository, command) for command in ("a", "b", "c")]
    places = [pool.ready(one, Watcher()).place for one in made]
    for place in places[:2]:
        os.utime(place.with_suffix(".json"), (1, 1))
    assert list(pool.stale(made[0].key)) == [places[1]]
    pool.remove(places[1])
    assert pool.find(made[1]) is None
    assert left(repository) == {places[0].name, places[2].name}
