"""Trees that nobody proposed, put together for one check."""

from __future__ import annotations

from collections.abc import Mapping

from aifactory.git import Entry, Repository
from aifactory.quarantine import rebuilt


def with_entries(repository: Repository, tree: str, entries: Mapping[str, Entry]) -> str:
    """A tree with these files in the place of what stands there."""
    return rebuilt(repository, repository, tree, dict(entries))
