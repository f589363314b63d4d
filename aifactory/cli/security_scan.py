"""`aifactory security-scan`: what is dangerous to run in the files that are committed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from aifactory.cli.options import Json, Repo

if TYPE_CHECKING:
    from aifactory.cli.place import Place
    from aifactory.security import Finding

Paths = Annotated[list[str] | None, typer.Argument(metavar="[PATH...]", help="Globs; else all.")]
Least = Annotated[
    Literal["low", "medium", "high"], typer.Option(help="Do not show what is less severe.")
]


def security_scan(
    paths: Paths = None, severity: Least = "medium", repo: Repo = None, json: Json = False
) -> int:
    """Look for what is dangerous to run in the commit that is checked out. 1: something is.

    Rules of our own everywhere, and bandit in the sandbox for Python where it is installed
    (`pip install aifactory[security]`).
    """
    from dataclasses import asdict

    from aifactory.cli.output import note, print_json, say
    from aifactory.cli.place import opened
    from aifactory.security import at_least, bandit_version

    with opened(repo) as place:
        found = at_least(severity, _found(place, paths or ["**"]))
    if json:
        print_json([asdict(one) for one in found])
    else:
        for one in found:
            say(str(one))
    version = bandit_version()
    note(f"{len(found)} found by own rules" + (f" and bandit {version}." if version else "."))
    return 1 if found else 0


def _found(place: Place, globs: list[str]) -> list[Finding]:
    import os

    from aifactory import config, sandbox
    from aifactory.paths import match, tidied
    from aifactory.security import bandit_version, by_bandit, by_rules
    from aifactory.tree import GitTree
    from aifactory.workspace import Workspaces

    commit = place.repository.resolve("HEAD") or ""
    tree = GitTree(place.repository, commit)
    wanted = [path for path in tree.paths() if match(map(tidied, globs), path)]
    found = [one for path in wanted for one in by_rules(path, tree.read(path) or b"")]
    python = [path for path in wanted if path.endswith((".py", ".pyi")) and tree.read(path)]
    if python and bandit_version():
        settings = config.load(place.layout.root, environ=os.environ)
        cage = sandbox.choose(settings.sandbox.backend)
        with Workspaces(place.repository, place.layout, sandbox.owner).lease() as workspace:
            workspace.checkout(place.repository, place.repository.tree_of(commit))
            found += by_bandit(workspace.path, python, cage.run)
    return found
