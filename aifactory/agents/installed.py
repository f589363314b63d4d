"""Programs that agents wrap, where their user has installed them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from aifactory.errors import PreconditionFailed
from aifactory.sandbox import Toolchain, toolchain

ENTRIES = ("bin", "node_modules/.bin")
SYSTEM = ("/usr/bin", "/bin")


def tools_for(program: str, places: Sequence[Path]) -> Toolchain:
    """What a cage must show for a program, by its name, to run.

    Raises PreconditionFailed where it is in none of the places, nor one of the system's.
    """
    for place in places:
        for entry in ENTRIES:
            if _runs(place / entry / program):
                return _of(place, entry)
    if any(_runs(Path(folder, program)) for folder in SYSTEM):
        return Toolchain((), ())
    looked = ", ".join(map(str, places)) or "no directory"
    raise PreconditionFailed(
        f"{program} is not installed where programs may be wrapped: [agents] programs has {looked}",
        next_step=f"install {program}, then name its directory under [agents] programs of your "
        "own file, ~/.config/aifactory/config.toml",
    )


def _runs(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)


def _of(place: Path, entry: str) -> Toolchain:
    """The place, and the interpreter of its virtual environment."""
    python = place / "bin" / "python"
    below = toolchain(python).readable if _runs(python) else ()
    return Toolchain((place, *below), (str(place / entry),))
