"""A repository elsewhere: what its branches hold, and the way of commits there and back.

The token travels in the environment of one Git command, to the host that asks for it: never in
an argument, a file or a setting.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from aifactory.errors import ForgeDenied, ForgeDown, ForgeFailed, ForgeRefused
from aifactory.git.repository import Repository
from aifactory.redaction import redacted

SECONDS = 300.0  # for one command
NETWORK = (
    "http_proxy", "https_proxy", "all_proxy", "no_proxy", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "GIT_SSL_CAINFO",
)  # fmt: skip
TOKEN = "AIFACTORY_PUSH_TOKEN"
HELPER = (
    f'!f() {{ test "$1" = get && echo username=x-access-token && echo "password=${TOKEN}"; }}; f'
)
DENIED = re.compile(
    r"Authentication failed|could not read (?:Username|Password)|Permission denied|"
    r"returned error: 40[13]|Invalid username or (?:password|token)",
    re.IGNORECASE,
)
REFUSED = re.compile(
    r"\[(?:remote )?rejected\]|stale info|protected branch|hook declined|returned error: 404|"
    r"does not appear to be a git repository|Repository not found|couldn't find remote ref",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Remote:
    """One remote of the repository, by name; `token` is for `host` alone, by HTTPS."""

    repository: Repository
    name: str
    token: str = field(default="", repr=False)
    host: str = ""

    @property
    def url(self) -> str:
        """Its address as the user's Git has it, `""` where there is none."""
        pattern = rf"^remote\.{re.escape(self.name)}\.url$"
        return next(iter(self.repository.user_settings(pattern).values()), "")

    def tip(self, branch: str) -> str:
        """The commit that a branch holds there, `""` where there is no such branch."""
        out = self._run("ls-remote", "--end-of-options", self.name, f"refs/heads/{branch}")
        return out.decode().partition("\t")[0].strip()

    def fetch(self, branch: str) -> str:
        """Bring a branch here, into a ref of its own; gives the commit."""
        into = f"refs/aifactory/remote/{branch}"
        self._run(
            "fetch", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--quiet",
            "--end-of-options", self.name, f"+refs/heads/{branch}:{into}",
        )  # fmt: skip
        return self.repository.resolve(into) or ""

    def push(self, branch: str, commit: str, expected: str) -> None:
        """Set a branch there, where it still holds `expected`; `""` stands for no branch."""
        ref = f"refs/heads/{branch}"
        self._run(
            "push", "--porcelain", "--no-follow-tags", "--recurse-submodules=no",
            f"--force-with-lease={ref}:{expected}", "--end-of-options", self.name,
            f"{commit}:{ref}",
        )  # fmt: skip

    def delete(self, branch: str, expected: str) -> None:
        """Delete a branch there, where it still holds `expected`."""
        self.push(branch, "", expected)

    def _run(self, *arguments: str) -> bytes:
        if not (url := self.url):
            raise ForgeRefused(
                f"there is no remote {self.name!r}",
                next_step=f"git remote add {self.name} URL, or set [forge] remote",
            )
        try:
            done = subprocess.run(
                ["git", *arguments],
                capture_output=True,
                stdin=subprocess.DEVNULL,
                env=self.repository.environment() | self._way(url),
                cwd=self.repository.root,
                timeout=SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise ForgeDown(f"git {arguments[0]} had no end after {SECONDS:.0f} s") from None
        if done.returncode:
            raise told(arguments[0], done.stdout + done.stderr, self.token)
        return done.stdout

    def _way(self, url: str) -> dict[str, str]:
        """What the network needs, and the token where it would not travel in the clear."""
        env = {name: os.environ[name] for name in NETWORK if name in os.environ}
        env |= {"GIT_SSH_COMMAND": "ssh -o BatchMode=yes -o ConnectTimeout=20"}
        parts = urlsplit(url)
        if self.token and parts.scheme == "https" and parts.hostname == self.host:
            host = parts.netloc.rpartition("@")[2]
            settings = {"credential.helper": "", f"credential.https://{host}.helper": HELPER}
            env |= more_settings(self.repository.environment(), settings) | {TOKEN: self.token}
        return env


def more_settings(env: Mapping[str, str], settings: Mapping[str, str]) -> dict[str, str]:
    """Git settings on top of those that an environment has."""
    first = int(env.get("GIT_CONFIG_COUNT", "0"))
    told = {"GIT_CONFIG_COUNT": str(first + len(settings))}
    for number, (key, value) in enumerate(settings.items(), first):
        told |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return told


def told(command: str, output: bytes, token: str) -> ForgeFailed:
    """The error that the words of a command that failed are."""
    said = " ".join(output.decode(errors="replace").split())
    said = redacted(said.replace(token, "[redacted secret]") if token else said)[-500:]
    if DENIED.search(said):
        return ForgeDenied(f"git {command}: the remote does not let us in: {said}")
    if REFUSED.search(said):
        return ForgeRefused(f"git {command}: the remote refuses: {said}")
    return ForgeDown(f"git {command}: the remote cannot be reached: {said}")
