"""Finding the repository that a directory belongs to, and the branch that work lands on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from aifactory.errors import GitFailed, NotARepository
from aifactory.git import discover
from tests.conftest import Checkout


def target(folder: Path) -> str:
    repository = discover(folder)
    try:
        return repository.target()
    finally:
        repository.close()


def test_the_target_is_the_branch_of_the_checkout_that_was_named(checkout: Checkout) -> None:
    other = checkout.root.with_name("other")
    checkout.git("worktree", "add", "--quiet", "-b", "side", str(other))
    assert target(other) == "refs/heads/side"
    assert target(checkout.root) == "refs/heads/main"


def test_a_detached_head_has_no_target(checkout: Checkout) -> None:
    checkout.git("checkout", "--quiet", "--detach")
    with pytest.raises(GitFailed, match="detached"):
        target(checkout.root)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_a_strangers_repository_is_refused_with_what_git_wants(checkout: Checkout) -> None:
    for path in (checkout.root, checkout.root / ".git"):
        os.chown(path, 65534, 65534)
    with pytest.raises(NotARepository, match="dubious ownership") as refused:
        discover(checkout.root)
    assert refused.value.next_step.endswith(f"safe.directory {checkout.root}")
