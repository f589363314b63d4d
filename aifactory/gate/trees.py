"""Trees that nobody proposed, put together for one check and forgotten after it."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from aifactory.git import Entry, Repository
from aifactory.layout import Layout
from aifactory.quarantine import rebuilt


@contextmanager
def scratch(repository: Repository) -> Iterator[Repository]:
    """The repository with a place of its own for new objects, which goes with the block."""
    home = Layout(repository.root, repository.git_dir).quarantine
    folder = home / f"check.{secrets.token_hex(4)}"
    (folder / "info").mkdir(parents=True)
    if repository.quarantine:
        (folder / "info" / "alternates").write_text(f"{repository.quarantine}\n")
    inside = Repository(repository.root, repository.git_dir, repository.object_format, folder)
    try:
        yield inside
    finally:
        inside.close()
        shutil.rmtree(folder, ignore_errors=True)


def with_entries(inside: Repository, tree: str, entries: Mapping[str, Entry | None]) -> str:
    """A tree with these files in the place of what stands there; None for none."""
    return rebuilt(inside, inside, tree, dict(entries))
