"""The model host as a process: what it may see, how it ends, and what happens when it hangs."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from aifactory.errors import CredentialsMissing, Interrupted, ModelPermanent, ModelTransient
from aifactory.models import Request
from aifactory.models.fake_provider import FakeProvider, Reply
from aifactory.models.remote import Remote
from tests.patience import once, until

HELLO = {"t1": [Reply("hello")], "slow": [Reply(fault="hang")]}


@pytest.fixture(scope="module")
def provider() -> Iterator[FakeProvider]:
    with FakeProvider(HELLO) as served:
        yield served


@pytest.fixture(scope="module")
def own_remote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Remote]:
    """A host that these tests may stop and kill, started where somebody has planted files."""
    place = tmp_path_factory.mktemp("planted")
    (place / ".env").write_text("ANTHROPIC_API_KEY=sk-planted\n")
    (place / "litellm.py").write_text("raise SystemExit('planted')\n")
    environment = {"OPENAI_API_KEY": "sk-very-secret", "HTTP_PROXY": "http://127.0.0.1:9"}
    remote = Remote(environment, grace=0.5)
    with contextlib.chdir(place):
        remote.warm()
    yield remote
    remote.close()


def request(provider: FakeProvider, task_id: str = "t1", *, padding: str = "") -> Request:
    message = {"role": "user", "content": f"TASK-ID: {task_id}\n{padding}"}
    base = provider.api_base
    return Request(task_id, task_id, "x", (message,), api_base=base, seconds=60)


def ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z"
    except FileNotFoundError:
        return True


def test_the_key_goes_to_the_provider_and_not_into_errors(own_remote: Remote) -> None:
    refusal = Reply("the key sk-very-secret has no access", status=404)
    with FakeProvider({"t1": [refusal]}) as provider:
        with pytest.raises(ModelPermanent, match=r"\[redacted secret\] has no access") as caught:
            own_remote.complete(request(provider))
        assert provider.seen[0].headers["authorization"] == "Bearer sk-very-secret"
    assert "very-secret" not in caught.value.message


def test_planted_files_are_not_read(own_remote: Remote) -> None:
    with pytest.raises(CredentialsMissing):
        own_remote.check("anthropic/claude-sonnet-4-5", None)


def test_a_host_that_hangs_is_ended_and_the_next_call_has_a_new_one(
    own_remote: Remote, provider: FakeProvider
) -> None:
    own_remote.complete(request(provider))
    pid = own_remote.warm().pid
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(ModelTransient, match="did not answer in time") as caught:
        longer_than_a_pipe = request(provider, padding="x" * 1_000_000)
        own_remote.complete(dataclasses.replace(longer_than_a_pipe, seconds=0.5))
    assert caught.value.in_doubt
    assert ended(pid)
    assert own_remote.complete(request(provider)).text == "hello"


def test_a_host_that_dies_under_a_call_is_a_transient_failure_in_doubt(
    own_remote: Remote, provider: FakeProvider
) -> None:
    own_remote.complete(request(provider))
    pid = own_remote.warm().pid
    with (
        once(lambda: provider.seen[-1].task_id == "slow", lambda: os.kill(pid, signal.SIGKILL)),
        pytest.raises(ModelTransient, match="the model host ended under way") as caught,
    ):
        own_remote.complete(request(provider, "slow"))
    assert caught.value.in_doubt


DAEMON = """
import sys, time
from pathlib import Path
from aifactory.models import Gateway
gateway = Gateway(Path())
gateway.warm()
print(gateway.remote.warm().pid, "litellm" in sys.modules, flush=True)
time.sleep(60)
"""


def test_a_daemon_never_imports_litellm_and_its_host_dies_with_it() -> None:
    command = [sys.executable, "-c", DAEMON]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as daemon:
        assert daemon.stdout is not None
        pid, imported = daemon.stdout.readline().split()
        daemon.kill()
    assert imported == "False"
    until(lambda: ended(int(pid)), "the host outlives its daemon")


def test_after_the_end_no_call_is_made(provider: FakeProvider) -> None:
    remote = Remote({})
    remote.close()
    with pytest.raises(Interrupted):
        remote.complete(request(provider))
