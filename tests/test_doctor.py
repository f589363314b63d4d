"""The doctor: every look on a real repository, healthy and broken."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from aifactory import doctor, git
from aifactory.doctor import Finding, Ground, examine, machine
from aifactory.files import Lock
from aifactory.journal import Journal
from aifactory.layout import Layout
from aifactory.models.fake_provider import FakeProvider
from tests.conftest import IDENTITY, Checkout

CONFIG = '[model]\ndefault = "scripted/answers.json"\n[gate]\ncommands = ["true"]\n'


def look(name: str, ground: Ground) -> list[Finding]:
    return list(doctor.LOOKS[name](ground))


def ground_of(checkout: Checkout, config: str = CONFIG, **environ: str) -> Ground:
    checkout.write({"aifactory.toml": config})
    return Ground(checkout.root, environ)


@pytest.fixture
def layout(checkout: Checkout) -> Iterator[Layout]:
    repository = git.discover(checkout.root)
    yield Layout(repository.root, repository.git_dir)
    repository.close()


def test_a_healthy_repository_has_no_complaint(checkout: Checkout, scratch: Path) -> None:
    checkout.write({"answers.json": json.dumps({"tasks": {}})})
    ground = ground_of(checkout, PATH=os.environ["PATH"], HOME=str(scratch), **IDENTITY)
    findings = list(examine(ground))
    assert [found for found in findings if found.level == "fail"] == []
    names = {found.name for found in findings}
    assert names >= {"git", "repository", "gate", "sandbox", "python", "model", "agents"}
    assert names >= {"disk", "cache", "clock", "daemon"}
    assert all(found.remedy for found in findings if found.level != "ok")


def test_outside_a_repository_every_look_says_so_and_none_crashes(scratch: Path) -> None:
    findings = list(examine(Ground(scratch, {})))
    failed = {found.name: found for found in findings if found.level == "fail"}
    assert "not a git repository" in failed["repository"].message
    assert "git init" in failed["repository"].remedy


def test_an_old_git_is_refused_and_a_less_durable_one_named(
    monkeypatch: pytest.MonkeyPatch, checkout: Checkout
) -> None:
    for said, level in (("2.30.1", "fail"), ("2.34.0", "warn"), ("2.36.0", "ok")):
        version = f"git version {said}\n".encode()
        monkeypatch.setattr(git.Repository, "run", lambda *_, version=version, **__: version)
        assert [found.level for found in look("git", ground_of(checkout))] == [level]


def test_a_detached_head_and_an_unfinished_merge_are_seen(checkout: Checkout) -> None:
    (checkout.root / ".git" / "MERGE_HEAD").write_text("x")
    levels = [(found.name, found.level) for found in look("repository", ground_of(checkout))]
    assert levels == [("repository", "ok"), ("checkout", "warn")]
    checkout.git("checkout", "--quiet", "--detach")
    failed = next(f for f in examine(ground_of(checkout)) if f.name == "repository")
    assert failed.level == "fail" and "[land] branch" in failed.remedy
    config = CONFIG + '[land]\nbranch = "main"\n'
    assert look("repository", ground_of(checkout, config))[0].level == "ok"


def test_identity_is_the_repository_s_or_the_user_s(checkout: Checkout, scratch: Path) -> None:
    assert look("identity", ground_of(checkout))[0].message == "Ada <ada@example.org>"
    checkout.git("config", "--unset", "user.name")
    assert look("identity", ground_of(checkout))[0].level == "warn"
    (scratch / ".gitconfig").write_text("[user]\nname = Eve\n")
    found = look("identity", ground_of(checkout, HOME=str(scratch)))[0]
    assert (found.level, found.message) == ("ok", "Eve <ada@example.org>")


def test_a_bad_configuration_is_a_finding_with_the_key(checkout: Checkout) -> None:
    findings = {f.name: f for f in examine(ground_of(checkout, "[gate]\ntimeuot = 1\n"))}
    assert findings["config"].level == "fail" and "timeuot" in findings["config"].message
    assert look("config", ground_of(checkout, "[model]\n"))[0].name == "gate"
    (checkout.root / "aifactory.toml").unlink()
    missing = look("config", Ground(checkout.root, {"AIFACTORY_MODLE": "x"}))
    assert [(f.level, f.name) for f in missing] == [("warn", "config"), ("warn", "config")]
    assert "AIFACTORY_MODEL" in missing[0].message and "init" in missing[1].remedy


@pytest.mark.parametrize(
    ("model", "environ", "level", "said"),
    [
        ("anthropic/x", {"ANTHROPIC_API_KEY": "canary"}, "ok", "key in ANTHROPIC_API_KEY"),
        ("anthropic/x", {}, "fail", "no key in ANTHROPIC_API_KEY"),
        ("gpt-x", {}, "fail", "no key in OPENAI_API_KEY"),
        ("newcomer/x", {}, "warn", "no key in NEWCOMER_API_KEY"),
        ("ollama/x", {}, "ok", "a local server"),
        ("scripted/missing.json", {}, "fail", "there is no missing.json"),
        ("scripted/README.md", {}, "ok", "README.md"),
    ],
)
def test_the_model_needs_a_key_or_a_file(
    checkout: Checkout, model: str, environ: dict[str, str], level: str, said: str
) -> None:
    [found] = look("model", ground_of(checkout, f'[model]\ndefault = "{model}"\n', **environ))
    assert (found.level, said in found.message) == (level, True), found
    assert bool(found.remedy) is (level != "ok")
    assert all(value not in found.message for value in environ.values())


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({}, "GITHUB_TOKEN is not set"),
        ({"GITHUB_TOKEN": "canary_0123456789"}, "cannot be reached"),
    ],
)
def test_a_forge_that_cannot_be_worked_with(
    checkout: Checkout, environ: dict[str, str], said: str
) -> None:
    assert look("forge", ground_of(checkout))[0].level == "ok"  # nothing lands by it
    config = '[land]\nmode = "pr"\n[forge]\nrepository = "a/b"\napi_url = "http://localhost:9"\n'
    found = {one.name: one for one in examine(ground_of(checkout, config, **environ))}["forge"]
    assert (found.level, said in found.message) == ("fail", True), found
    assert found.remedy and "canary" not in found.message


def test_no_model_and_an_own_server(checkout: Checkout) -> None:
    assert look("model", ground_of(checkout, ""))[0].level == "fail"
    with FakeProvider({}) as provider:
        base = provider.api_base
        config = f'[model]\ndefault = "openai/x"\napi_base = "{base}"\n'
        (found,) = look("model", ground_of(checkout, config))
        assert found.level == "ok" and base in found.message
    found = next(one for one in examine(ground_of(checkout, config)) if one.name == "model")
    assert found.level == "fail" and f"{base} cannot be reached" in found.message


def test_a_broken_agent_and_an_unknown_default_are_named(checkout: Checkout) -> None:
    checkout.write({"prompts/bad.md": "---\nscope: 7\n---\nx\n"})
    findings = look("agents", ground_of(checkout))
    assert [found.level for found in findings] == ["fail", "ok"]
    assert "bad.md" in findings[0].message
    config = CONFIG + '[agents]\ndefault = "codr"\n'
    failed = [f for f in examine(ground_of(checkout, config)) if f.name == "agents"][-1]
    assert failed.level == "fail" and "did you mean 'coder'" in failed.message


def test_no_sandbox_is_a_failure_with_what_to_install(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    from aifactory import sandbox
    from aifactory.errors import SandboxUnusable

    def nothing_works(preferred: str | None) -> sandbox.Sandbox:
        raise SandboxUnusable("no sandbox works here: firejail is missing")

    monkeypatch.setattr(sandbox, "choose_strongest", nothing_works)
    failed = next(f for f in examine(ground_of(checkout)) if f.name == "sandbox")
    assert failed.level == "fail" and "install firejail or bubblewrap" in failed.remedy


def test_little_space_is_told(checkout: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    for free, level in ((machine.LEAST_BYTES - 1, "fail"), (machine.FEW_BYTES - 1, "warn")):
        monkeypatch.setattr(shutil, "disk_usage", lambda _, free=free: Usage(free))
        assert {found.level for found in look("disk", ground_of(checkout))} == {level}


class Usage:
    def __init__(self, free: int) -> None:
        self.free = free


def test_a_clock_behind_the_newest_commit_is_told(checkout: Checkout) -> None:
    assert look("clock", ground_of(checkout))[0].level == "ok"
    tree = checkout.git("rev-parse", "HEAD^{tree}")
    late = f"tree {tree}\nauthor a <b> 9999999999 +0000\ncommitter a <b> 9999999999 +0000\n\nlate"
    path = checkout.root / "late"
    path.write_text(late)
    commit = checkout.git("hash-object", "-t", "commit", "-w", "late")
    checkout.git("update-ref", "refs/heads/late", commit)
    assert look("clock", ground_of(checkout))[0].level == "warn"


def test_the_daemon_runs_does_not_run_or_was_cut_off(checkout: Checkout, layout: Layout) -> None:
    ground = ground_of(checkout)
    assert "none runs" in look("daemon", ground)[0].message
    lock = Lock(layout.lock)
    lock.acquire("pid 7")
    layout.heartbeat.write_text('{"pid": 7, "at": "2026-01-01T00:00:00Z"}')
    assert "process 7" in look("daemon", ground)[0].message
    lock.release()
    with Journal(layout.journal) as journal:
        journal.begin("op-1", {})
    found = look("daemon", ground)[0]
    assert found.level == "warn" and "aifactory recover" in found.remedy


def test_a_server_that_cannot_start_is_told(checkout: Checkout) -> None:
    program = Path(__file__).parent / "mcp" / "server.py"
    command = f'command = ["{sys.executable}", "server.py"'
    config = f"{CONFIG}[mcp.servers.good]\n{command}]\n[mcp.servers.poor]\n{command}, 'dead']\n"
    checkout.commit({"aifactory.toml": config, "server.py": program.read_bytes()})
    good, poor = look("servers", ground_of(checkout, config))
    assert good.level == "ok" and "good starts in the sandbox; its tools: big" in good.message
    assert poor.level == "fail" and poor.message.endswith("it said: no licence key")
    assert "[mcp.servers]" in poor.remedy
    first, *_ = look("servers", ground_of(checkout, CONFIG))
    assert first.level == "warn" and "not as on the target branch" in first.message
