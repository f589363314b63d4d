"""Pull requests on a forge: GitHub first, behind a Protocol."""

from __future__ import annotations

from collections.abc import Mapping

from aifactory.errors import ForgeDenied
from aifactory.forge.base import (
    Check,
    Forge,
    Method,
    Protection,
    PullRequest,
    Remark,
    Review,
    Standing,
)
from aifactory.forge.fake import FakeForge
from aifactory.forge.places import Place, place_of
from aifactory.settings import Forge as Settings

__all__ = [
    "Check",
    "FakeForge",
    "Forge",
    "Method",
    "Place",
    "Protection",
    "PullRequest",
    "Remark",
    "Review",
    "Standing",
    "connected",
    "place_of",
]


def connected(settings: Settings, remote_url: str, environ: Mapping[str, str]) -> Forge:
    """The forge of a repository. Nothing is asked of it yet."""
    from aifactory.forge.github import GitHub

    place = place_of(settings, remote_url)
    if not (token := environ.get(settings.token, "").strip()):
        raise ForgeDenied(
            f"{settings.token} is not set in the environment",
            next_step=f"export {settings.token}=... for the daemon: a token that may write contents"
            f" and pull requests of {place.full_name}; [forge] token names another variable",
        )
    return GitHub(place, token, settings.reviewers)
