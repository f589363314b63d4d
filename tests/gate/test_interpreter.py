"""Which Python runs a project's commands."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from aifactory.errors import InvalidConfig
from aifactory.gate.interpreter import installed_in_place, interpreter


def program(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(sys.executable)
    return path


def test_own_then_venv_then_named(tmp_path: Path) -> None:
    assert interpreter(None, tmp_path) == Path(sys.executable)
    venv = program(tmp_path / ".venv/bin/python")
    assert interpreter(None, tmp_path) == venv
    named = program(tmp_path / "tools/python")
    assert interpreter("tools/python", tmp_path) == named
    assert interpreter(str(named), tmp_path) == named


def test_by_name_and_by_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    special = program(tmp_path / "bin/python-special")
    monkeypatch.setenv("PATH", str(special.parent))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert interpreter("python-special", Path("/")) == special
    assert interpreter("~/bin/python-special", Path("/")) == special


@pytest.mark.parametrize("chosen", ["no-such-python", "bin/python", "/nowhere/python", "./", "/"])
def test_what_is_no_program(tmp_path: Path, chosen: str) -> None:
    with pytest.raises(InvalidConfig, match=r"\[environment\] python"):
        interpreter(chosen, tmp_path)


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("pkg.pth", "{root}/src\n", True),
        ("__editable___pkg_finder.py", "MAPPING = {{'pkg': '{root}/pkg'}}", True),
        ("other.pth", "/somewhere/else\n", False),
        ("other.pth", "{root}-of-another-name/src\n", False),
        ("pkg.py", "'{root}'", False),
    ],
)
def test_installed_in_place(tmp_path: Path, name: str, text: str, found: bool) -> None:
    root, site = tmp_path / "repo", tmp_path / "venv/lib/python3.11/site-packages"
    site.mkdir(parents=True)
    (site / name).write_text(text.format(root=root))
    assert installed_in_place(tmp_path / "venv/bin/python", root) is found
