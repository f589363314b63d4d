"""Pull requests on a forge: GitHub first, behind a Protocol."""

from __future__ import annotations

from collections.abc import Mapping

from aifactory.config import Config
from aifactory.errors import ForgeDenied, ForgeRefused
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
from aifactory.git import Remote, Repository

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
    "remote_of",
]


def connected(config: Config, remote_url: str, environ: Mapping[str, str]) -> Forge:
    """The forge of a repository. Nothing is asked of it yet."""
    from aifactory.forge.github import GitHub

    place = place_of(config, remote_url)
    variable = place.token_variable
    if not (token := environ.get(variable, "").strip()):
        raise ForgeDenied(
            f"{variable} is not set in the environment",
            next_step=f"export {variable}=... for the daemon: a token that may write contents and"
            f" pull requests of {place.full_name}",
        )
    return GitHub(place, token, config.forge.reviewers)


def remote_of(repository: Repository, config: Config, environ: Mapping[str, str]) -> Remote:
    """The remote for branches, with the token where it is the forge's own host."""
    remote = Remote(repository, config.forge.remote)
    try:
        place = place_of(config, remote.url)
    except ForgeRefused:
        return remote
    token = environ.get(place.token_variable, "").strip()
    return Remote(repository, remote.name, token, place.git_host)
