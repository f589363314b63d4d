"""A pool of workspaces for the tests of it, and what stands in a directory."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from aifactory.git import Entry, Repository, format_tree
from aifactory.layout import Layout
from aifactory.workspace import Workspaces

OWNER = (54321, 54321) if os.geteuid() == 0 else None


def pool(repository: Repository) -> Workspaces:
    return Workspaces(repository, Layout(repository.root, repository.git_dir), lambda slot: OWNER)


def tree(repository: Repository) -> str:
    return repository.tree_of("HEAD")


def content(root: Path) -> dict[str, bytes | str]:
    """What stands below a directory, without following anything; folders are not listed."""
    found: dict[str, bytes | str] = {}
    for where, folders, names in os.walk(root):
        for name in [*names, *folders]:
            path = Path(where, name)
            if path.is_symlink():
                found[str(path.relative_to(root))] = f"-> {path.readlink()}"
            elif path.is_file():
                found[str(path.relative_to(root))] = path.read_bytes()
    return found


BOTH = {"README.md": b"# A repository\n", "src/app.py": b"print(1)\n"}


def plant(repository: Repository, files: Mapping[str, bytes]) -> str:
    """The id of a tree that holds these files."""
    here: dict[str, Entry] = {}
    below: dict[str, dict[str, bytes]] = {}
    for path, data in files.items():
        name, _, rest = path.partition("/")
        if rest:
            below.setdefault(name, {})[rest] = data
        else:
            here[name] = Entry("100644", repository.write("blob", data))
    for name, inner in below.items():
        here[name] = Entry("040000", plant(repository, inner))
    return repository.write("tree", format_tree(here))
