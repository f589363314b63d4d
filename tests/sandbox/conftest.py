"""The real cages, and a workspace that belongs to the user they run as."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from aifactory.layout import cache_home
from aifactory.model import CommandRecord
from aifactory.sandbox import Limits, Spec, own_toolchain, owner
from aifactory.sandbox.confined import BACKENDS, Confined

Run = Callable[..., CommandRecord]


@pytest.fixture(params=BACKENDS, ids=lambda backend: backend.name)
def cage(request: pytest.FixtureRequest) -> Confined:
    """Each backend in turn; both are required here, so that none goes untested."""
    backend: Confined = request.param
    return backend


@pytest.fixture
def workspace() -> Iterator[Path]:
    cache_home().mkdir(parents=True, exist_ok=True)
    parent = Path(tempfile.mkdtemp(prefix="test-", dir=cache_home()))
    parent.chmod(0o755)
    directory = parent / "workspace"
    directory.mkdir()
    if ids := owner(41):
        os.chown(directory, *ids)
    yield directory
    subprocess.run(["chmod", "-R", "u+rwx", parent], check=True)  # a command may have shut it
    shutil.rmtree(parent)


@pytest.fixture
def run(cage: Confined, workspace: Path) -> Run:
    """Run a command in the cage with this interpreter's toolchain."""
    tools = own_toolchain()

    def in_cage(*argv: str, limits: Limits | None = None, **more: str) -> CommandRecord:
        limits = limits or Limits(seconds=60)
        environment = tools.environment | more
        return cage.run(Spec(argv, workspace, environment, tools.readable, limits))

    return in_cage
