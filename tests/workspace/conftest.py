"""A repository with its pool of workspaces."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from aifactory.git import Repository, discover
from aifactory.workspace import Workspace, Workspaces
from tests.conftest import Checkout
from tests.workspace.helpers import pool


@pytest.fixture
def repository(
    make_checkout: Callable[..., Checkout], scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Repository]:
    monkeypatch.setenv("AIFACTORY_CACHE_DIR", str(scratch / "cache"))
    made = make_checkout(files={"README.md": "# A repository\n", "src/app.py": "print(1)\n"})
    repository = discover(made.root)
    yield repository
    repository.close()


@pytest.fixture
def workspaces(repository: Repository) -> Workspaces:
    return pool(repository)


@pytest.fixture
def workspace(workspaces: Workspaces) -> Iterator[Workspace]:
    with workspaces.lease() as leased:
        yield leased
