"""An interpreter works inside wherever it lies, with its environment and its scripts."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from aifactory.errors import EnvironmentUnusable
from aifactory.sandbox import Spec, own_toolchain, toolchain
from aifactory.sandbox.confined import Confined
from tests.sandbox.conftest import Run


def environment(path: Path, program: Path) -> Path:
    """A directory that looks like a virtual environment of `program`."""
    (path / "bin").mkdir(parents=True)
    (path / "pyvenv.cfg").write_text(f"home = {program.parent}\nversion = 3.11\n")
    (path / "bin" / "python").symlink_to(program)
    return path / "bin" / "python"


def test_the_systems_needs_nothing_more() -> None:
    found = toolchain(Path("/usr/bin/python3"))
    assert found.readable == ()
    assert found.environment == {"PATH": "/usr/bin:/usr/bin:/bin"}


def test_an_environment_comes_first_and_its_base_is_readable(tmp_path: Path) -> None:
    base = tmp_path / "versions" / "3.11"
    (base / "bin").mkdir(parents=True)
    (base / "bin" / "python3.11").write_text("")
    (base / "lib" / "python3.11").mkdir(parents=True)
    (base / "lib" / "python3.11" / "os.py").write_text("")
    named = tmp_path / "current"
    named.symlink_to(base)
    found = toolchain(environment(tmp_path / "venv", named / "bin" / "python3.11"))
    assert found.path[0] == str(tmp_path / "venv" / "bin")
    assert {tmp_path / "venv", base, named} <= set(found.readable)


def test_a_home_is_never_opened_because_it_has_a_bin(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to("/usr/bin/python3")
    found = toolchain(tmp_path / "bin" / "python")
    assert found.readable == (tmp_path / "bin" / "python",)
    assert toolchain(Path("/bin/python3")).readable == ()


def test_a_missing_interpreter_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentUnusable, match="no interpreter"):
        toolchain(tmp_path / "python")


def test_scripts_and_packages_of_our_own_work_inside(run: Run) -> None:
    record = run("sh", "-c", "command -v python; python -c 'import pytest, sys; print(sys.prefix)'")
    program, prefix = record.output.split()
    assert Path(program) == Path(own_toolchain().path[0], "python")
    assert Path(prefix) == Path(sys.prefix)


def test_python_is_there_where_the_system_has_only_python3(cage: Confined, workspace: Path) -> None:
    record = cage.run(Spec(("python", "-c", "import sys; print(sys.prefix)"), workspace))
    assert record.output == "/usr\n"
