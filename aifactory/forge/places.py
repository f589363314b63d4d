"""Where a repository is on a forge, as its Git remote and the settings say."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from aifactory.config import Config
from aifactory.errors import ForgeRefused

FILE = "aifactory.toml"
LOOPBACK = ("localhost", "127.0.0.1", "::1")
_SCP = re.compile(r"(?:[^/@:]+@)?(?P<host>[^/:]+):(?P<path>[^/].*)")  # git@github.com:owner/name


@dataclass(frozen=True)
class Place:
    """`api_url` has no slash at its end. `git_host`: whom Git may give the token, `""`: nobody."""

    owner: str
    name: str
    api_url: str
    token_variable: str = "GITHUB_TOKEN"
    git_host: str = ""

    @property
    def full_name(self) -> str:
        return f"{self.owner}/{self.name}"


def place_of(config: Config, remote_url: str) -> Place:
    """ForgeRefused where neither the remote nor the settings say which repository is meant.

    The remote is the user's. aifactory.toml comes with the repository and sends no token elsewhere.
    """
    settings = config.forge
    host, path = located(remote_url)
    full_name = settings.repository or path
    api_url = settings.api_url or (api_of(host) if host else "")
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", full_name):
        raise ForgeRefused(
            f"the remote {settings.remote!r} names no repository of a forge",
            next_step='set [forge] repository = "owner/name"',
        )
    if not api_url:
        raise ForgeRefused(
            f"the remote {settings.remote!r} names no host of a forge",
            next_step="set [forge] api_url",
        )
    api_host = urlsplit(checked(api_url)).hostname or ""
    belongs = bool(host) and api_host in (host, f"api.{host}")
    if not belongs and api_host not in LOOPBACK and config.origin("forge.api_url") == FILE:
        raise ForgeRefused(
            f"{FILE} names the forge {api_host}, the remote {settings.remote!r} another host",
            next_step="if you trust it, say so yourself: AIFACTORY_FORGE_API_URL, or your own file",
        )
    public = api_host == "api.github.com" or api_host in LOOPBACK
    variable = settings.token_variable or ("GITHUB_TOKEN" if public else "GH_ENTERPRISE_TOKEN")
    owner, _, name = full_name.partition("/")
    return Place(owner, name, api_url.rstrip("/"), variable, host if belongs else "")


def located(remote_url: str) -> tuple[str, str]:
    """Host and `owner/name` in the address of a remote, each `""` where there is none."""
    if "://" in remote_url:
        parts = urlsplit(remote_url)
        host, path = parts.hostname or "", parts.path
        if parts.scheme == "file":
            return "", ""
    elif found := _SCP.fullmatch(remote_url):
        host, path = found["host"], found["path"]
    else:
        return "", ""
    return host, path.strip("/").removesuffix(".git")


def api_of(host: str) -> str:
    """The API of github.com, else of a GitHub Enterprise Server."""
    return "https://api.github.com" if host == "github.com" else f"https://{host}/api/v3"


def checked(api_url: str) -> str:
    """The address, or ForgeRefused where a token would travel in the clear."""
    parts = urlsplit(api_url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
        raise ForgeRefused(
            f"{api_url!r} is no https address: the token would be sent in the clear",
            next_step="set [forge] api_url to an address that begins with https://",
        )
    return api_url
