"""Plugins: the template works when it is installed, and a broken one is an error with a name."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from aifactory import config
from aifactory.agents import BrokenPlugin, FakeWays, Kinds, OneShot, bare, find, proposed
from aifactory.agents.kinds import pinned
from aifactory.errors import FailureClass, InvalidConfig
from aifactory.git import discover
from aifactory.layout import Layout, shipped
from aifactory.model import State, Task
from aifactory.prompts import Prompts
from aifactory.tree import GitTree
from tests.conftest import Checkout
from tests.house import drop, opened

GOOD = """
from aifactory.agents import Draft
from aifactory.model import Proposal

class Agent:
    protocol = 1

    def __init__(self, prompt):
        self.name, self.scope = prompt.name, prompt.settings.scope

    def propose(self, job):
        draft = Draft(job.tree)
        draft.write("made.txt", b"made\\n")
        known = {"task_id": job.task.task_id, "attempt": job.attempt, "agent": self.name}
        return Proposal(**known, base=job.base, changes=draft.changes())
"""
BROKEN = {
    "unimportable": ("import nowhere_at_all", "ModuleNotFoundError"),
    "leaving": ("raise SystemExit(3)", "SystemExit"),
    "older": (GOOD.replace("protocol = 1", "protocol = 0"), "speaks protocol 0"),
    "idle": (GOOD.replace("def propose", "def suppose"), "no class with a method `propose`"),
    "empty": ("", "AttributeError"),
}


@pytest.fixture
def plugins(checkout: Checkout) -> Path:
    folder = checkout.root / "plugins"
    folder.mkdir()
    (folder / "maker.py").write_text(GOOD)
    return folder


def trust(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = root.parent / "config"
    (home / "aifactory").mkdir(parents=True)
    (home / "aifactory/config.toml").write_text(f"[agents]\ntrusted = [{json.dumps(str(root))}]\n")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home))


def agents_of(checkout: Checkout) -> Prompts:
    repository = discover(checkout.root)
    return Prompts(Layout(repository.root, repository.git_dir))


def test_the_template_installs_and_lands_a_task(checkout: Checkout, tmp_path: Path) -> None:
    place = tmp_path / "site"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps"]
    pip += [
        "--no-build-isolation",
        "--target",
        str(place),
        str(shipped("examples") / "agent_plugin"),
    ]
    subprocess.run(pip, check=True, capture_output=True, text=True)
    checkout.commit({"a.py": "x = 1  # TODO: make it two\n"})
    drop(checkout, "t1", assignee="todo-lister", files=["TODO.md"])
    paths = os.pathsep.join([str(place), str(shipped("examples").parent)])

    def aifactory(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "aifactory", *arguments],
            cwd=checkout.root,
            env=os.environ | {"PYTHONPATH": paths},
            capture_output=True,
            text=True,
            check=False,
        )

    listed = json.loads(aifactory("agents", "--json").stdout)
    assert [row["kind"] for row in listed if row["name"] == "todo-lister"] == ["todo-lister"]
    done = aifactory("run", "--once")
    assert done.returncode == 0, done.stderr
    assert "- a.py:1: make it two" in checkout.git("show", "HEAD:TODO.md")
    assert aifactory("replay", "t1").returncode == 0
    assert aifactory("agents", "todo-lister").returncode == 0


def test_a_plugin_of_a_trusted_repository_works(
    checkout: Checkout, plugins: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trust(checkout.root, monkeypatch)
    drop(checkout, "t1", assignee="maker", files=["made.txt"])
    with opened(checkout, agents__plugins="plugins") as house:
        house.work()
        assert house.state("t1") is State.DONE
    assert checkout.git("show", "HEAD:made.txt") == "made"


def test_the_code_of_a_plugin_is_in_the_hash_of_its_agents(plugins: Path) -> None:
    prompt = bare("maker")
    first, same = (Kinds(plugins, trusted=True).kind("maker").sha256 for _ in range(2))
    (plugins / "_helper.py").write_text("WAY = 2\n")
    other = Kinds(plugins, trusted=True).kind("maker").sha256
    assert first == same != other
    assert pinned(prompt, first).sha256 not in (prompt.sha256, pinned(prompt, other).sha256)
    assert pinned(prompt, Kinds().kind("model").sha256) == prompt


def test_a_plugin_of_any_other_repository_is_not_loaded(checkout: Checkout, plugins: Path) -> None:
    (plugins / "maker.py").write_text("raise AssertionError('it ran')")
    drop(checkout, "t1", assignee="maker")
    with opened(checkout, agents__plugins="plugins") as house:
        house.work()
        assert house.state("t1") is State.REJECTED
        record = house.factory.queue.record("t1")
        assert record and record.failure
        assert record.failure.failure_class is FailureClass.UNKNOWN_AGENT
        assert "is not trusted" in record.failure.message


def test_a_repository_cannot_trust_itself() -> None:
    with pytest.raises(InvalidConfig, match=r"agents\.trusted"):
        config.parse(b'[agents]\ntrusted = ["/"]\n')


@pytest.mark.parametrize("name", sorted(BROKEN))
def test_a_broken_plugin_is_a_named_error_and_nothing_else_breaks(
    checkout: Checkout, plugins: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, said = BROKEN[name]
    (plugins / f"{name}.py").write_text(text)
    trust(checkout.root, monkeypatch)
    drop(checkout, "t1", assignee=name)
    drop(checkout, "t2", assignee="maker", files=["made.txt"])
    with opened(checkout, agents__plugins="plugins") as house:
        [(broken, why)] = house.factory.kinds.problems()
        assert broken == name and said in why
        house.work()
        record = house.factory.queue.record("t1")
        assert record and record.failure and said in record.failure.message
        assert (record.state, house.state("t2")) == (State.REJECTED, State.DONE)


def test_names_that_clash_are_told(checkout: Checkout, plugins: Path) -> None:
    (plugins / "model.py").write_text(GOOD)
    kinds = Kinds(plugins, trusted=True)
    [(name, why)] = kinds.problems()
    assert name == "model" and "is given by aifactory and by" in why
    assert isinstance(find("coder", agents_of(checkout), kinds), OneShot)


def test_a_kind_that_is_not_there_names_the_nearest(checkout: Checkout) -> None:
    checkout.commit({"prompts/mine.md": "---\nkind: tool\n---\nx\n"})
    with pytest.raises(BrokenPlugin, match="did you mean 'tools'"):
        find("mine", agents_of(checkout))


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ("return 'a proposal'", "gave str, no Proposal"),
        ("job = job.__class__(**{**vars(job), 'attempt': 7})", "another attempt"),
    ],
)
def test_what_is_no_proposal_of_this_attempt_is_refused(
    checkout: Checkout, plugins: Path, broken: str, said: str
) -> None:
    head = "def propose(self, job):\n"
    (plugins / "maker.py").write_text(GOOD.replace(head, f"{head}        {broken}\n"))
    agent = find("maker", agents_of(checkout), Kinds(plugins, trusted=True))
    tree = GitTree(discover(checkout.root), checkout.git("rev-parse", "HEAD"))
    with pytest.raises(BrokenPlugin, match=said):
        proposed(agent, FakeWays().job(Task(task_id="t1", description="d"), tree))


def test_no_agent_changes_what_runs_in_the_daemon(
    checkout: Checkout, make_checkout: Callable[..., Checkout]
) -> None:
    drop(checkout, "t1", files=["**"], max_attempts=1)
    answer = "```python:plugins/maker.py\nmine = 1\n```"
    with opened(checkout, [answer], agents__plugins="plugins") as house:
        house.work()
        record = house.factory.queue.record("t1")
        assert record and record.failure
        assert record.failure.failure_class is FailureClass.POLICY_DENIED
