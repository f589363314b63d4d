"""The history of tasks in Git: what is saved is there for everybody who has the refs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aifactory import git
from aifactory.errors import GitFailed
from aifactory.events import Stream
from aifactory.ledger import Ledger, id_of, ref_of
from aifactory.model import Record, State, now
from tests.conftest import Checkout

IDS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", fullmatch=True)


@pytest.fixture
def repository(checkout: Checkout) -> Iterator[git.Repository]:
    found = git.discover(checkout.root)
    yield found
    found.close()


def record(task_id: str, state: State = State.QUEUED, **fields: object) -> Record:
    return Record(task_id=task_id, state=state, created_at=now()).model_copy(update=fields)


def test_a_task_is_a_chain_of_commits_that_git_log_reads(
    checkout: Checkout, repository: git.Repository
) -> None:
    ledger, stream = Ledger(repository), Stream()
    stream.subscribe(ledger.note)
    for state, event in ((State.QUEUED, "task.accepted"), (State.RUNNING, "attempt.started")):
        stream.emit(event, "t1")
        ledger.save(record("t1", state), {"task.json": b"{}\n"})
    log = checkout.git("log", "--format=%s", "refs/aifactory/tasks/t1")
    assert log == "running\nqueued"
    files = checkout.git("ls-tree", "--name-only", "refs/aifactory/tasks/t1").splitlines()
    assert files == ["events.jsonl", "report.json", "task.json"]
    assert [event.name for event in ledger.events("t1")] == ["task.accepted", "attempt.started"]


def test_closed_tasks_move_to_one_ref_and_can_come_back(
    checkout: Checkout, repository: git.Repository
) -> None:
    ledger = Ledger(repository)
    for number in range(5):
        ledger.save(record(f"t{number}", State.DONE if number else State.QUEUED))
    assert ledger.archive() == 4
    assert checkout.git("for-each-ref", "--format=%(refname)", "refs/aifactory") == (
        "refs/aifactory/ledger\nrefs/aifactory/tasks/t0"
    )
    other = Ledger(repository)
    assert {one.task_id for one in other.records()} == {f"t{number}" for number in range(5)}
    other.save(record("t3", State.QUEUED))
    assert other.load().keys() == {"t0", "t3"}
    assert checkout.git("fsck", "--strict", "--no-dangling") == ""


def test_a_second_writer_loses_instead_of_overwriting(repository: git.Repository) -> None:
    one, other = Ledger(repository), Ledger(repository)
    one.save(record("t1"))
    other.load()
    one.save(record("t1", State.RUNNING))
    with pytest.raises(GitFailed):
        other.save(record("t1", State.CANCELLED))
    assert Ledger(repository).load()["t1"].state is State.RUNNING


def test_commits_that_are_kept_survive_a_clean_up(
    checkout: Checkout, repository: git.Repository
) -> None:
    tree = checkout.git("rev-parse", "HEAD^{tree}")
    kept = checkout.git("commit-tree", "-m", "pending", tree)
    Ledger(repository).save(record("t1", State.READY, pending=kept), keep=[kept])
    checkout.git("reflog", "expire", "--expire=now", "--all")
    checkout.git("gc", "--quiet", "--prune=now")
    assert checkout.git("cat-file", "-t", kept) == "commit"


@given(IDS)
def test_every_id_has_a_ref_that_git_takes_and_that_names_it(task_id: str) -> None:
    import subprocess

    ref = ref_of(task_id)
    assert id_of(ref) == task_id
    done = subprocess.run(["git", "check-ref-format", ref], check=False)
    assert done.returncode == 0
