"""What the target's history names as landed: found wherever it came from, read once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from aifactory.annals import Annals
from aifactory.git import Repository, discover
from tests.conftest import Checkout

MAIN = "refs/heads/main"


@pytest.fixture
def repository(checkout: Checkout) -> Iterator[Repository]:
    found = discover(checkout.root)
    yield found
    found.close()


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    return tmp_path / "annals"


def land(checkout: Checkout, task_id: str) -> str:
    return checkout.commit({}, f"do it\n\nAifactory-Task: {task_id}\nAifactory-Attempt: 1")


def test_a_landing_is_found_as_soon_as_the_target_has_it(
    checkout: Checkout, repository: Repository, kept: Path
) -> None:
    annals = Annals(repository, MAIN, kept)
    assert annals.commit_of("t1") is None
    first = land(checkout, "t1")
    assert annals.commit_of("t1") == first
    again = land(checkout, "t1")
    land(checkout, "t2")
    assert annals.commit_of("t1") == again
    assert annals.commit_of("t") is None


def test_the_next_start_reads_only_what_is_new(
    checkout: Checkout, repository: Repository, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = land(checkout, "t1")
    assert Annals(repository, MAIN, kept).commit_of("t1") == first
    second = land(checkout, "t2")
    ranges: list[tuple[str, ...]] = []
    run = Repository.run

    def seen(self: Repository, *arguments: str, **options: object) -> bytes:
        ranges.extend([arguments[-2:]] if arguments[0] == "log" else [])
        return run(self, *arguments, **options)

    monkeypatch.setattr(Repository, "run", seen)
    annals = Annals(repository, MAIN, kept)
    assert (annals.commit_of("t1"), annals.commit_of("t2")) == (first, second)
    assert ranges == [(second, f"^{first}")]


def test_what_was_taken_out_of_the_history_has_not_landed(
    checkout: Checkout, repository: Repository, kept: Path
) -> None:
    land(checkout, "t1")
    annals = Annals(repository, MAIN, kept)
    assert annals.commit_of("t1")
    checkout.git("reset", "--quiet", "--hard", "HEAD~1")
    assert annals.commit_of("t1") is None
    assert Annals(repository, MAIN, kept).commit_of("t1") is None


@pytest.mark.parametrize("damage", ["", "x", "torn", "changed"])
def test_a_file_that_is_damaged_is_not_believed(
    checkout: Checkout, repository: Repository, kept: Path, damage: str
) -> None:
    commit = land(checkout, "t1")
    Annals(repository, MAIN, kept).commit_of("t1")
    whole = kept.read_text()
    damaged = {"torn": whole[:-1], "changed": whole.replace("t1", "t9")}
    kept.write_text(damaged.get(damage, damage))
    annals = Annals(repository, MAIN, kept)
    assert (annals.commit_of("t1"), annals.commit_of("t9")) == (commit, None)


def test_of_a_branch_without_a_commit_nothing_is_known(repository: Repository, kept: Path) -> None:
    assert Annals(repository, "refs/heads/none", kept).commit_of("t1") is None
