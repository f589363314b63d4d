"""Where every file lives. Nothing else builds these paths."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

TASK_REFS = "refs/aifactory/tasks/"
LEDGER_REF = "refs/aifactory/ledger"
WATCHED_REF = "refs/aifactory/watched"  # the last commit that the owner's later checks passed
FLAKES_REF = "refs/aifactory/flakes"
PACKAGE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Layout:
    """The paths of one repository: its root and its common Git directory."""

    root: Path
    git_dir: Path

    @property
    def tasks(self) -> Path:
        return self.root / "tasks"

    @property
    def prompts(self) -> Path:
        return self.root / "prompts"

    @property
    def allowed_signers(self) -> Path:
        """The public keys of the agents, for Git's `gpg.ssh.allowedSignersFile`."""
        return self.prompts / "allowed_signers"

    @property
    def config(self) -> Path:
        return self.root / "aifactory.toml"

    @property
    def proposals(self) -> Path:
        return self.root / "shared" / "proposals"

    @property
    def state(self) -> Path:
        """Journal, lock, requests, indexes: out of reach of `git clean`, commits and sandboxes."""
        return self.git_dir / "aifactory"

    @property
    def journal(self) -> Path:
        return self.state / "journal"

    @property
    def stage(self) -> Path:
        return self.state / "stage"

    @property
    def kept(self) -> Path:
        """Stages of landings that may hold bytes of the user's; removed after two weeks."""
        return self.state / "kept"

    @property
    def quarantine(self) -> Path:
        """Objects of proposals that are not verified yet."""
        return self.state / "quarantine"

    @property
    def held_out(self) -> Path:
        """What the checks said that no agent may see, for the owner."""
        return self.state / "held-out"

    @property
    def lock(self) -> Path:
        return self.state / "daemon.lock"

    @property
    def heartbeat(self) -> Path:
        return self.state / "heartbeat.json"

    @property
    def requests(self) -> Path:
        """Wishes of other processes (cancel, approve ...), one file each, taken by the daemon."""
        return self.state / "requests"

    @property
    def budgets(self) -> Path:
        """What is spent, put aside and in doubt; what was spent stands in the ledger, too."""
        return self.state / "budgets.json"

    @property
    def forks(self) -> Path:
        """What each fork spends of the day's budget, while it runs and until the day is over."""
        return self.state / "forks"

    @property
    def purses(self) -> list[Path]:
        """Every file that says what was spent here."""
        return [self.budgets, *sorted(self.forks.glob("*.json"))]

    @property
    def shelf(self) -> Path:
        """What was read from task files; a cache."""
        return self.state / "inbox.json"

    @property
    def annals(self) -> Path:
        """Which tasks the target's history names as landed; a cache."""
        return self.state / "annals"

    @property
    def answers(self) -> Path:
        """Answers of models, recorded before the ledger has them."""
        return self.state / "answers"

    @property
    def underway(self) -> Path:
        """Commands that have begun and not ended."""
        return self.state / "commands"

    @property
    def indexes(self) -> Path:
        """What each workspace holds, out of reach of what runs in it."""
        return self.state / "workspaces"

    @property
    def cache(self) -> Path:
        """Workspaces of this repository, in a place that a sandbox user can reach."""
        name = hashlib.sha256(os.fsencode(self.git_dir)).hexdigest()[:16]
        return cache_home() / name

    @property
    def environments(self) -> Path:
        """What was installed for this repository's commands; beside it, what says so."""
        return self.cache / "environments"


def cache_home() -> Path:
    """The user's cache directory; root's must be reachable by the users that sandboxes run as."""
    if chosen := os.environ.get("AIFACTORY_CACHE_DIR"):
        return Path(chosen).resolve()
    if os.geteuid() == 0:
        return Path("/var/cache/aifactory")
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "aifactory"


def key_folder() -> Path:
    """The private keys of the agents: of the user, in no repository, in no cage."""
    home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(home) / "aifactory" / "keys"


def shipped(family: str) -> Path:
    """The folder of `schemas` or `prompts`: beside the package, or inside it in a wheel."""
    inside = PACKAGE / "_data" / family
    return inside if inside.is_dir() else PACKAGE.parent / family


def reports() -> Path:
    """Where reports about unexpected errors go."""
    home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(home) / "aifactory" / "reports"
