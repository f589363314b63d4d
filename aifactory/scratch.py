"""A repository to try things in: the same objects, one commit checked out, gone afterwards."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aifactory import files
from aifactory.errors import InvalidInput
from aifactory.git import Repository
from aifactory.layout import Layout

BRANCH = "refs/heads/scratch"


@contextmanager
def scratch(repository: Repository, commit: str) -> Iterator[Repository]:
    """A new repository with `commit` on its only branch. What is done there stays there."""
    place = Path(tempfile.mkdtemp(prefix="aifactory-scratch-")).resolve()
    made = Repository(place, place / ".git", repository.object_format)
    layout = Layout(made.root, made.git_dir)
    try:
        made.run("init", "--quiet", f"--object-format={repository.object_format}")
        alternates = made.git_dir / "objects" / "info" / "alternates"
        alternates.write_text(f"{repository.git_dir / 'objects'}\n")
        made.run("symbolic-ref", "HEAD", BRANCH)
        if commit:
            made.run("update-ref", BRANCH, commit)
            made.run("read-tree", "-u", "--reset", commit)
        yield made
    finally:
        made.close()
        shutil.rmtree(layout.cache, ignore_errors=True)
        shutil.rmtree(place, ignore_errors=True)


def bring(source: Path, target: Repository, *names: str) -> None:
    """Copy files and folders of a working tree as they are now, also what no commit holds."""
    for name in names:
        if not (target.root / name).resolve().is_relative_to(target.root):
            raise InvalidInput(f"{name} is not inside the repository")
        shutil.rmtree(target.root / name, ignore_errors=True)
        if (source / name).is_dir():
            shutil.copytree(source / name, target.root / name)
        elif (source / name).is_file():
            files.make_dir((target.root / name).parent)
            shutil.copyfile(source / name, target.root / name)


def bring_prompts(repository: Repository, revision: str, target: Repository) -> None:
    """The agents' files as a revision has them."""
    commit = repository.resolve(revision)
    if commit is None:
        raise InvalidInput(f"{revision!r} is no revision", next_step="`git log -- prompts/`")
    shutil.rmtree(target.root / "prompts", ignore_errors=True)
    files.make_dir(target.root / "prompts")
    for path, entry in repository.tree(commit).items():
        if path.startswith("prompts/") and path.endswith(".md") and entry.mode != "120000":
            (target.root / "prompts" / Path(path).name).write_bytes(
                repository.blob(entry.oid) or b""
            )
