"""What of an interpreter must be visible inside, so that `python` and its scripts work there."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from aifactory.errors import EnvironmentUnusable

_SYSTEM = (Path("/"), Path("/usr"), Path("/bin"), Path("/lib"), Path("/lib64"), Path("/sbin"))


@dataclass(frozen=True)
class Toolchain:
    """Trees for `Spec.readable` and directories for the front of PATH."""

    readable: tuple[Path, ...]
    path: tuple[str, ...]

    @property
    def environment(self) -> dict[str, str]:
        """The addition to `Spec.environment` that puts this interpreter first."""
        return {"PATH": ":".join([*self.path, "/usr/bin", "/bin"])}


def toolchain(python: Path) -> Toolchain:
    """The toolchain of an interpreter or of a virtual environment's.

    Raises EnvironmentUnusable when there is no such interpreter.
    """
    python = Path(python).absolute()
    if not python.is_file():
        raise EnvironmentUnusable(
            f"there is no interpreter at {python}",
            next_step="set [environment] python in aifactory.toml or build the repository's .venv",
        )
    hops = _hops(python)
    prefixes = _prefixes(hops)
    links = [hop for hop in hops if hop.parent.parent not in (*prefixes, *_SYSTEM)]
    entries = dict.fromkeys([str(python.parent), *(str(prefix / "bin") for prefix in prefixes)])
    return Toolchain(tuple(_outermost([*prefixes, *links])), tuple(entries))


def own_toolchain() -> Toolchain:
    """The toolchain of the interpreter that runs this."""
    return toolchain(Path(sys.executable))


def _hops(python: Path) -> list[Path]:
    """The interpreter and every link on the way to the real program."""
    hops = [python]
    while hops[-1].is_symlink() and len(hops) < 20:
        hops.append(Path(os.path.normpath(hops[-1].parent / hops[-1].readlink())))
    return [*hops, python.resolve()]


def _prefixes(hops: list[Path]) -> list[Path]:
    """The installation or environment of every hop, also where `pyvenv.cfg` says it is."""
    prefixes = [hop.parent.parent for hop in hops]
    homes = [home for prefix in prefixes for home in _homes(prefix / "pyvenv.cfg")]
    found = [*prefixes, *(home.parent for home in homes)]
    return [prefix for prefix in dict.fromkeys([*found, *(p.resolve() for p in found)])
            if prefix not in _SYSTEM and _is_prefix(prefix)]  # fmt: skip


def _is_prefix(path: Path) -> bool:
    """Not just any directory with a `bin`: a home has one too, and must not be opened."""
    return (path / "pyvenv.cfg").is_file() or any(path.glob("lib/python3*/os.py"))


def _homes(config: Path) -> list[Path]:
    if not config.is_file():
        return []
    pairs = (line.partition("=") for line in config.read_text(errors="replace").splitlines())
    return [Path(value.strip()) for key, _, value in pairs if key.strip() == "home"]


def _outermost(paths: list[Path]) -> list[Path]:
    return [
        path
        for path in paths
        if not any(path != other and other in path.parents for other in paths)
    ]
