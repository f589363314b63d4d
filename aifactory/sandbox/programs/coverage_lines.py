"""Runs commands under coverage.py and prints which statements of some files they ran.

A start-up module on PYTHONPATH measures every Python that the commands start, in scripts too.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

START = "import coverage\ncoverage.process_startup()\n"
SETTINGS = """\
[run]
parallel = true
data_file = {home}/data
include =
    {files}
[report]
exclude_lines =
    if TYPE_CHECKING:
    if __name__ == .__main__.:
"""


def main(request: dict[str, Any]) -> dict[str, Any]:
    try:
        import coverage
    except ImportError:
        return {"error": f"coverage is not installed for {sys.executable}"}
    paths = {name: str(Path(name).resolve()) for name in request["files"]}
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        settings = home / "settings"
        settings.write_text(SETTINGS.format(home=home, files="\n    ".join(paths.values())))
        (home / "sitecustomize.py").write_text(START)
        search = os.pathsep.join(filter(None, [folder, os.environ.get("PYTHONPATH")]))
        more = {"PYTHONPATH": search, "COVERAGE_PROCESS_START": str(settings)}
        for words in request["commands"]:
            subprocess.run(
                words,
                env={**os.environ, **more},
                check=False,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        measured = coverage.Coverage(config_file=str(settings))
        if any(home.glob("data.*")):
            measured.combine([folder])
        return {"files": {name: lines(measured, path) for name, path in paths.items()}}


def lines(measured: Any, path: str) -> dict[str, list[int]]:
    _, statements, _, missing, _ = measured.analysis2(path)
    return {"statements": statements, "missing": missing}


given = json.loads(sys.argv[1])
sys.stdout.write(f"\n{given['mark']}{json.dumps(main(given))}\n")
