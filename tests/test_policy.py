"""What an agent may change and what may be run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aifactory.errors import FailureClass, PolicyDenied, ScopeViolation
from aifactory.fields import TOOLS
from aifactory.model import Change, ForbiddenPath, Task
from aifactory.policy import Before, check, command_refusal, split
from aifactory.settings import Policy

BASE = {
    "src/a.py": "100644",
    "tests/test_a.py": "100644",
    "scripts/run.sh": "100755",
    "logo.png": "100644",
    "uv.lock": "100644",
}


def attempt(
    files: Sequence[str],
    *changes: Change | str,
    base: Mapping[str, str] = BASE,
    policy: Policy | None = None,
    agent_scope: Sequence[str] = (),
    gate_commands: Sequence[str] = (),
    before: Before = lambda path: None,
    **more: Any,
) -> None:
    check(
        Task(task_id="t", description="d", files=tuple(files), **more),
        [Change(path=c, content=b"x") if isinstance(c, str) else c for c in changes],
        base_paths=base,
        policy=policy or Policy(),
        agent_scope=agent_scope,
        gate_commands=gate_commands,
        before=before,
    )


def test_within_scope() -> None:
    attempt(["src", "tests/*.py"], "src/a.py", "src/new/b.py", "tests/test_b.py")
    attempt([], "anything.py", agent_scope=["**"])
    attempt(["uv.lock"], "uv.lock")
    attempt([], Change(path="src/a.py", content=None))


@pytest.mark.parametrize("path", ["lib/a.py", "src2/a.py", "Src/a.py", "README.md"])
def test_outside_of_the_task(path: str) -> None:
    with pytest.raises(ScopeViolation, match=r"is not among the task's files \(src\)"):
        attempt(["src"], path)


def test_outside_of_the_agent() -> None:
    with pytest.raises(ScopeViolation, match=r"is outside of the agent's scope \(docs\)"):
        attempt([], "src/a.py", agent_scope=["docs"])
    with pytest.raises(ScopeViolation, match="agent's scope"):
        attempt(["src/a.py"], "src/a.py", agent_scope=["docs"])


def test_forbidden_paths_are_enforced_and_prose_is_not() -> None:
    rules = (ForbiddenPath(path="src/secret*"), "Do not modify src/a.py")
    attempt(["src"], "src/a.py", forbidden=rules)
    with pytest.raises(ScopeViolation, match=r"is forbidden by the task \(src/secret\*\)"):
        attempt(["src"], "src/SECRET.py", forbidden=rules)


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", ".git/config", "a\\b", "src/../../x", ""])
def test_unsafe_paths_even_if_everything_is_in_scope(path: str) -> None:
    with pytest.raises(ScopeViolation):
        attempt(["**", path], path, agent_scope=["**"])


@pytest.mark.parametrize("path", ["uv.lock", "aifactory.toml", ".github/workflows/ci.yml"])
def test_protected_files_wait_for_the_owner(path: str) -> None:
    with pytest.raises(PolicyDenied, match="is protected") as caught:
        attempt(["**"], "src/a.py", path)
    assert caught.value.failure_class is FailureClass.POLICY_DENIED
    assert repr(path) in caught.value.message
    assert "src/a.py" not in caught.value.message


def test_removing_a_protected_file_is_a_change() -> None:
    with pytest.raises(PolicyDenied, match="is protected"):
        attempt([], Change(path="uv.lock", content=None))


def test_owner_protects_more() -> None:
    policy = Policy(protected=("src/core",))
    with pytest.raises(PolicyDenied, match=r"'src/core/x.py' is protected \(src/core\)"):
        attempt(["src"], "src/core/x.py", policy=policy)
    attempt(["src/core/x.py"], "src/core/x.py", policy=policy)


def test_the_judges_are_protected_while_they_exist() -> None:
    commands = ("python -m pytest tests/test_a.py",)
    with pytest.raises(PolicyDenied, match=r"tests/test_a.py"):
        attempt(["tests/**"], "tests/test_a.py", acceptance_commands=commands)
    with pytest.raises(PolicyDenied, match=r"scripts/run.sh"):
        attempt([], "scripts/run.sh", gate_commands=["bash scripts/run.sh"])
    attempt(["tests/test_a.py"], "tests/test_a.py", acceptance_commands=commands)
    attempt(["tests/**"], "tests/test_a.py", acceptance_commands=commands, base={})


@pytest.mark.parametrize(
    ("files", "path", "denied"),
    [
        ([], "tool.sh", True),
        (["*.sh"], "tool.sh", True),
        (["tool.sh"], "tool.sh", False),
        ([], "scripts/run.sh", False),
        ([], "src/a.py", True),
    ],
)
def test_executable_only_where_it_was_or_is_asked_for(
    files: list[str], path: str, denied: bool
) -> None:
    change = Change(path=path, content=b"#!/bin/sh\n", mode="100755")
    if not denied:
        attempt(files, change)
        return
    with pytest.raises(PolicyDenied, match="becomes executable"):
        attempt(files, change)


@pytest.mark.parametrize("path", ["blob.bin", "src/a.py"])
def test_what_becomes_binary_has_to_be_asked_for(path: str) -> None:
    change = Change(path=path, content=b"\x7fELF\0")
    with pytest.raises(PolicyDenied, match="becomes a binary file"):
        attempt([], change, before={"src/a.py": b"text"}.get)
    attempt([path], change)


def test_what_was_binary_may_stay_so() -> None:
    attempt([], Change(path="logo.png", content=b"\x89PNG\0"), before={"logo.png": b"\0old"}.get)


def test_limits() -> None:
    with pytest.raises(PolicyDenied, match=r"3 files, more than \[policy\] max_files = 2"):
        attempt([], "a", "b", "c", policy=Policy(max_files=2))
    with pytest.raises(PolicyDenied, match=r"11 bytes, more than \[policy\] max_bytes = 10"):
        attempt([], Change(path="a", content=b"x" * 11), policy=Policy(max_bytes=10))


def test_every_breach_is_named_and_another_answer_may_help() -> None:
    with pytest.raises(ScopeViolation) as caught:
        attempt(["src"], "../x", "lib/a", "uv.lock", "src/a.py/b")
    lines = caught.value.evidence.splitlines()
    assert [line.split()[0] for line in lines] == [
        *("'../x'", "'lib/a'", "'uv.lock'", "'src/a.py/b'", "'uv.lock'")
    ]


def test_long_lists_are_cut_in_the_message_alone() -> None:
    with pytest.raises(ScopeViolation, match=r"; and 80 more$") as caught:
        attempt(["src"], *(f"lib/{n}" for n in range(100)))
    assert len(caught.value.evidence.splitlines()) == 100


NAMES = st.lists(st.sampled_from(["src", "tests", "a.py", ".git", "..", "uv.lock"]), max_size=4)


@given(NAMES.map("/".join), st.lists(NAMES.map("/".join).filter(bool), min_size=1, max_size=3))
def test_what_passes_is_in_scope_and_safe(path: str, files: list[str]) -> None:
    try:
        attempt(files, path, base={})
    except (ScopeViolation, PolicyDenied):
        return
    assert ".." not in path.split("/") and ".git" not in path.split("/")
    assert any(path == name or path.startswith(f"{name}/") for name in files)
    assert not path.endswith("uv.lock") or any("uv.lock" in name.split("/") for name in files)


@pytest.mark.parametrize(
    ("command", "allowlist"),
    [
        ("pytest -q", ["pytest"]),
        ("python3.12 -c 1", ["python3.*"]),
        ("npm test -- --ci", ["npm test"]),
        ("scripts/check.sh", ["scripts/*"]),
        ("./scripts/check.sh", ["scripts/check.sh"]),
        ("/usr/bin/true", ["/usr/bin/true"]),
        ("/usr/bin/true", ["/usr/bin/*"]),
        ("./a..b", ["./a*"]),
    ],
)
def test_command_is_allowed(command: str, allowlist: list[str]) -> None:
    assert command_refusal(split(command), allowlist) is None


@pytest.mark.parametrize(
    ("command", "allowlist"),
    [
        ("curl http://x", TOOLS),
        ("sudo true", TOOLS),
        ("pytest", []),
        ("./pytest", ["pytest"]),
        ("/tmp/pytest", ["pytest"]),
        ("/usr/bin/../../tmp/x", ["/usr/bin/**"]),
        ("scripts/../x.sh", ["scripts/**"]),
        ("pytest", ["/usr/bin/*", "scripts/*"]),
        ("npm install", ["npm test"]),
        ("npm", ["npm test"]),
        ("/scripts/x", ["scripts/*"]),
    ],
)
def test_command_is_refused(command: str, allowlist: Sequence[str]) -> None:
    reason = command_refusal(split(command), allowlist)
    assert reason and command.split()[0] in reason


def test_words_that_are_no_command() -> None:
    assert command_refusal([], ["**"]) == "no program is named"
    assert command_refusal(["", "x"], ["*"]) == "no program is named"
    assert "NUL" in (command_refusal(["ls", "a\0b"], ["ls"]) or "")


def test_split() -> None:
    assert split("python -c 'a b' \"c\"; && $X") == ("python", "-c", "a b", "c;", "&&", "$X")


@pytest.mark.parametrize("command", ["", "  ", "echo 'a", "echo \\", "'' x"])
def test_split_says_why_not(command: str) -> None:
    with pytest.raises(ValueError, match=r"no program|No closing|No escaped"):
        split(command)
