"""What may not be written into a repository, and which files no model is shown."""

from __future__ import annotations

import pytest

from aifactory.leaks import is_secret_file, leaks
from aifactory.model import Change
from aifactory.redaction import MASK

KEY = "ghp_" + "a1B2c3D4e5" * 4
ENVIRON = {"MY_API_KEY": "correct-horse-battery"}


def found(text: str, before: str | None = None) -> list[tuple[str, int]]:
    change = Change(path="a.py", content=text.encode())
    old = None if before is None else before.encode()
    return list(leaks([change], lambda path: old, ENVIRON))


def test_the_line_of_every_secret_is_named() -> None:
    text = f"x = 1\nkey = '{KEY}'\n\npassword = 'correct-horse-battery'\n"
    assert found(text) == [("a.py", 2), ("a.py", 4)]


def test_ordinary_code_is_no_secret() -> None:
    lines = ("url = 'https://example.org'", "token = sk - task", "kind = 'sk-spinner-wave-dots'")
    assert found("\n".join(lines)) == []


def test_what_stood_there_before_may_stay_and_move() -> None:
    before = f"key = '{KEY}'\n"
    assert found(f"# a note\n{before}", before) == []
    moved = [Change(path="old.py", content=None), Change(path="new.py", content=before.encode())]
    assert list(leaks(moved, {"old.py": before.encode()}.get, ENVIRON)) == []
    assert list(leaks(moved[1:], {"old.py": before.encode()}.get, ENVIRON)) == [("new.py", 1)]


def test_the_mask_of_a_secret_is_not_written_in_its_place() -> None:
    assert found(f"key = '{MASK}'\n") == [("a.py", 1)]


@pytest.mark.parametrize("path", [".env", "app/.env.production", "deploy/Server.PEM", "id_rsa"])
def test_files_that_are_secret_by_name(path: str) -> None:
    assert is_secret_file(path)


@pytest.mark.parametrize("path", [".env.example", "src/keys.py", "environment.md", "tokens.json"])
def test_files_that_are_not(path: str) -> None:
    assert not is_secret_file(path)
