"""The small parts: output, owners, the fake, the choice, groups."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aifactory.errors import GitFailed, Interrupted, SandboxUnusable
from aifactory.model import CommandRecord
from aifactory.sandbox import FakeSandbox, Limits, Spec, choose, owner, self_test
from aifactory.sandbox.cgroups import group
from aifactory.sandbox.confined import BACKENDS
from aifactory.sandbox.output import Output
from tests.sandbox.lab import ROOT


@given(st.lists(st.binary(max_size=50), max_size=20), st.integers(0, 60))
def test_output_keeps_head_and_tail_and_says_how_much_is_gone(
    chunks: list[bytes], keep: int
) -> None:
    output, everything = Output(keep), b"".join(chunks)
    for chunk in chunks:
        output.add(chunk)
    assert output.bytes_seen == len(everything)
    half = keep // 2
    if len(everything) <= 2 * half:
        assert output.text == everything.decode(errors="replace")
    else:
        assert f"{len(everything) - 2 * half} bytes left out" in output.text
        head, tail = everything[:half], everything[len(everything) - half :]
        assert output.text.startswith(head.decode(errors="replace")[:-4])
        assert output.text.endswith(tail.decode(errors="replace")[4:])


@pytest.mark.skipif(not ROOT, reason="only root has users to give")
def test_each_slot_has_a_user_that_nobody_else_has() -> None:
    users = {owner(slot) for slot in range(20)}
    assert len(users) == 20
    assert owner(3) == owner(3)
    other = "from aifactory.sandbox import owner; print(owner(3)[0])"
    elsewhere = subprocess.run(
        [sys.executable, "-c", other], capture_output=True, text=True, check=True
    )
    ours = owner(3)
    assert ours is not None
    assert int(elsewhere.stdout) not in (ours[0], 0)
    with pytest.raises(SandboxUnusable):
        owner(1000)


def test_the_fake_answers_from_its_script_and_remembers() -> None:
    record = CommandRecord(argv=("b",), exit_code=5, output="five")
    fake = FakeSandbox({"a x": 3, "b": record, "c": GitFailed("no"), "d": lambda spec: record})
    specs = {name: Spec(tuple(name.split()), Path("/w")) for name in ("a x", "b", "c", "d", "e")}
    assert fake.run(specs["a x"]).exit_code == 3
    assert fake.run(specs["b"]) == fake.run(specs["d"]) == record
    assert fake.run(specs["e"]).ok
    with pytest.raises(GitFailed):
        fake.run(specs["c"])
    assert [spec.argv[0] for spec in fake.ran] == ["a", "b", "d", "e", "c"]
    stop = threading.Event()
    stop.set()
    with pytest.raises(Interrupted):
        fake.run(specs["e"], stop)


def test_firejail_comes_first_and_each_can_be_named() -> None:
    assert choose().name == "firejail"
    assert choose("bubblewrap").name == "bubblewrap"
    with pytest.raises(SandboxUnusable, match="no sandbox is called none"):
        choose("none")


def test_the_self_test_makes_real_attempts() -> None:
    for backend in BACKENDS:
        findings = self_test(backend)
        assert len(findings) > 5
        assert all(finding.ok for finding in findings), findings


@pytest.mark.skipif(not ROOT, reason="only root can make control groups here")
def test_a_group_bounds_and_is_gone_with_its_processes() -> None:
    with group(Limits(processes=10)) as made:
        if made is None:
            pytest.skip("this machine has no memory and pids controllers to give")
        child = subprocess.Popen(["sleep", "60"])
        for directory in made.directories:
            Path(directory, "cgroup.procs").write_text(str(child.pid))
        assert made.members() == {child.pid}
    assert child.wait() == -9
    assert not any(Path(directory).exists() for directory in made.directories)
