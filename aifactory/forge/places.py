"""Where a repository is on a forge, as its Git remote and the settings say."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from aifactory.errors import ForgeRefused
from aifactory.settings import Forge as Settings

LOOPBACK = ("localhost", "127.0.0.1", "::1")
_SCP = re.compile(r"(?:[^/@:]+@)?(?P<host>[^/:]+):(?P<path>[^/].*)")  # git@github.com:owner/name


@dataclass(frozen=True)
class Place:
    """`api_url` has no slash at its end."""

    owner: str
    name: str
    api_url: str

    @property
    def full_name(self) -> str:
        return f"{self.owner}/{self.name}"


def place_of(settings: Settings, remote_url: str) -> Place:
    """ForgeRefused where neither the remote nor the settings say which repository is meant."""
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
    owner, _, name = full_name.partition("/")
    return Place(owner, name, checked(api_url))


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
    return api_url.rstrip("/")
