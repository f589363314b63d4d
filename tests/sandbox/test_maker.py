"""What a dead process left is known by its name; what another namespace's made is not ours."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from aifactory.sandbox.maker import is_left, maker
from tests.sandbox.lab import ROOT

MAKER = "from aifactory.sandbox.maker import is_left, maker; print(maker())"
IS_LEFT = "import sys; from aifactory.sandbox.maker import is_left; print(is_left(sys.argv[1]))"
APART = ("unshare", "--pid", "--fork", "--mount-proc")


def said(*line: str) -> str:
    done = subprocess.run(line, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_what_this_process_makes_is_not_left() -> None:
    assert not is_left(f"{maker()}-1")
    assert not is_left(f"{os.getpid()}-1"), "a name that tells no namespace is nobody's"


def test_what_a_dead_process_made_is_left() -> None:
    assert is_left(f"{said(sys.executable, '-c', MAKER)}-1")


@pytest.mark.skipif(not ROOT, reason="only root can make a pid namespace here")
@pytest.mark.parametrize("words", [APART, APART[:-1]], ids=["its own /proc", "ours"])
def test_nothing_of_another_namespace_is_left(words: tuple[str, ...]) -> None:
    """There our process id means nobody; the group of a living daemon went with that once."""
    assert said(*words, sys.executable, "-c", IS_LEFT, f"{maker()}-1") == "False"
    assert not is_left(f"{said(*words, sys.executable, '-c', MAKER)}-1")
