"""Which Python a project's commands run under, and what it takes the project to be."""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path

from aifactory.errors import InvalidConfig

_VENV = Path(".venv", "bin", "python")
_HOOKS = ("*.pth", "__editable__*.py")


def interpreter(chosen: str | None, root: Path) -> Path:
    """The interpreter that the project names, else that of the checkout's `.venv`, else our own.

    `chosen` is a path, relative to `root` or with `~`, or the name of a program on the PATH.
    Links are kept: a virtual environment is known by the path of its interpreter.
    Raises InvalidConfig when there is no such program.
    """
    if chosen:
        return _named(chosen, root)
    own = root / _VENV
    return own if os.access(own, os.X_OK) else Path(sys.executable)


def _named(chosen: str, root: Path) -> Path:
    path = root / Path(chosen).expanduser()
    found = str(path) if "/" in chosen else shutil.which(chosen)
    if not found or not os.access(found, os.X_OK) or Path(found).is_dir():
        raise InvalidConfig(
            f"[environment] python names {chosen}, which is no program here",
            next_step="name an interpreter that exists, or build it first",
        )
    return Path(found)


def installed_in_place(python: Path, root: Path) -> bool:
    """Whether the environment of an interpreter imports something from `root` itself.

    Such an editable install is a path in a `.pth` file, or in a finder that one loads.
    """
    names = "|".join(re.escape(str(path)) for path in (root, root.resolve()))
    below = re.compile(rf"(?:{names})(?![\w.-])")
    packages = python.parent.parent.glob("lib/python*/site-packages")
    hooks = (hook for folder in packages for form in _HOOKS for hook in folder.glob(form))
    return any(below.search(hook.read_text(errors="replace")) for hook in hooks)
