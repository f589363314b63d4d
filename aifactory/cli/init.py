"""`aifactory init`: prepare a repository. Never overwrites anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aifactory.cli.options import DryRun, Repo

if TYPE_CHECKING:
    from pathlib import Path

    from aifactory.layout import Layout

CONFIG = """\
# What aifactory does in this repository. `aifactory config show` lists every key with its meaning,
# its value and where that came from. Keys of providers come from the environment, never from here.

[model]
# Any model name that LiteLLM knows; scripted/<file> needs no network and no key.
# default = "anthropic/claude-sonnet-4-5"
# api_base = "http://127.0.0.1:8000/v1"   # an OpenAI-compatible server of your own

[gate]
# Run in the sandbox on exactly what would land; all must exit with 0.
{gate}
# timeout = 600                           # seconds for one command

[land]
# mode = "auto"                           # or "approve": a person looks at every change first

[budget.task]
# usd = 1.0                               # a hard stop for each task
{policy}"""
WEAK = """
[policy]
# For this user the kernel does not limit {totals} of a command in total: the cage watches
# them and kills what goes over. Without this line only `aifactory run --once` works here.
accept_weak_limits = true
"""
EXAMPLE = """\
{
  "task_id": "example",
  "description": "Say what to do, in words. Rename this file to *.json to have it taken up.",
  "files": ["src/**"],
  "acceptance_commands": ["python -m pytest -q"]
}
"""
PYTHON_SIGNS = ("pyproject.toml", "setup.py", "setup.cfg", "pytest.ini", "tox.ini", "tests")


def init(repo: Repo = None, dry_run: DryRun = False) -> None:
    """Write aifactory.toml and an example task. What exists is left as it is."""
    from aifactory.cli.output import note, say
    from aifactory.cli.place import opened
    from aifactory.files import atomic_write, make_dir

    with opened(repo) as place:
        layout = place.layout
    for path, content in _files(layout).items():
        shown = path.relative_to(layout.root)
        if path.exists() or path.is_symlink():
            say(f"kept   {shown}")
            continue
        if not dry_run:
            make_dir(path.parent)
            atomic_write(path, content.encode())
        say(f"{'would write' if dry_run else 'wrote'}  {shown}")
        if "accept_weak_limits = true" in content:
            note("It accepts limits that are watched, not held by the kernel: see [policy] there.")
    note("Next: set [model] default in aifactory.toml, then `aifactory doctor`.")


def _files(layout: Layout) -> dict[Path, str]:
    return {
        layout.config: CONFIG.format(gate=_gate(layout.root), policy=_policy()),
        layout.tasks / "example.json.sample": EXAMPLE,
    }


def _gate(root: Path) -> str:
    """The gate that the files of the repository suggest; a comment where nothing does."""
    if any((root / name).exists() for name in PYTHON_SIGNS):
        return 'commands = ["python -m pytest -q"]'
    return '# commands = ["python -m pytest -q"]'


def _policy() -> str:
    """What the owner has to accept on this machine, to be read and committed by the owner."""
    from aifactory.sandbox import unheld

    totals = unheld()
    return WEAK.format(totals=" and ".join(totals)) if totals else ""
