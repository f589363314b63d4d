"""The programs of this folder as tests call them: each is a process of its own, since it forks."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


def tool(name: str, *options: str) -> Any:
    """What a program found, as JSON."""
    command = [sys.executable, "-W", "error", str(HERE / f"{name}.py"), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def mutants() -> Mapping[str, Any]:
    """Every broken rule by its name."""
    spec = importlib.util.spec_from_file_location("mutants", HERE / "mutants.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["mutants"] = module
    spec.loader.exec_module(module)
    found: Mapping[str, Any] = module.MUTANTS
    return found


def found_by(means: str) -> list[str]:
    """The names of those that one kind of test has to find."""
    return [name for name, one in mutants().items() if one.found_by == means]
