"""What the attempts are after, planted on the real machine and taken away again."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aifactory.layout import cache_home
from aifactory.sandbox import Limits, Spec, owner

HERE = Path(__file__).parent
ATTEMPTS = HERE / "attempts"
PYTHON = "/usr/bin/python3"
SLOT = 40
ROOT = os.geteuid() == 0


def user() -> dict[str, Any]:
    """For Popen: the user that the cage gives a command."""
    ids = owner(SLOT)
    return {"user": ids[0], "group": ids[1], "extra_groups": []} if ids else {}


def _give(*paths: Path) -> None:
    if ids := owner(SLOT):
        for path in paths:
            os.chown(path, *ids)


@dataclass
class Lab:
    base: Path
    token: str = field(default_factory=lambda: secrets.token_hex(12))
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def workspace(self) -> Path:
        return self.base / "workspace"

    @property
    def toolchain(self) -> Path:
        return self.base / "toolchain"

    def spec(self, *argv: str, limits: Limits | None = None) -> Spec:
        """A caged command in the lab's workspace that sees the attempts and the toolchain."""
        readable = (ATTEMPTS, self.toolchain)
        return Spec(argv, self.workspace, readable=readable, limits=limits or Limits(seconds=200))

    def control(self, *names: str, as_root: bool = False) -> dict[str, str]:
        """The same attempts without a cage; as root in a mount namespace of its own."""
        facts = {**self.facts, "parent": self.facts["pid"]}
        line = [PYTHON, str(self.attempts), json.dumps(facts), *names]
        environment = {"PATH": "/usr/bin:/bin", "DAEMON_KEY": self.token}
        with open(self.base / "daemon-file") as inherited:
            ran = subprocess.run(
                ["unshare", "-m", *line] if as_root else line,
                env=environment,
                pass_fds=(inherited.fileno(),),
                stdout=subprocess.PIPE,
                check=True,
                **({} if as_root else user()),
            )
        return dict(json.loads(ran.stdout))

    @property
    def attempts(self) -> Path:
        """The script, where the sandbox user can reach it without a cage."""
        return self.base / "attempts" / "run.py"


def places(base: Path, token: str) -> dict[str, Path]:
    """Where secrets are planted; an ordinary user can only plant in its own places."""
    name, home = f"lab-{token}", Path.home()
    own = {
        "vartmp": Path("/var/tmp", name),
        "shm": Path("/dev/shm", name),
        "tmp": Path("/tmp", name),
        "neighbour": base / "neighbour",
        "repository": base / "repository" / ".git",
        "state": base / "repository" / ".git" / "aifactory",
    }
    if not ROOT:
        mine = {"home": home / name, "ssh": home / name / ".ssh", "cache": home / ".cache" / name}
        return own | mine
    tops = {top: Path("/", top, name) for top in ("opt", "srv", "mnt", "media", "run")}
    rooted = {
        "home": Path("/home", name),
        "ssh": Path("/home", name, ".ssh"),
        "other-home": Path("/home", f"other-{name}"),
        "varlib": Path("/var/lib", name),
        "cache": Path("/var/cache", name),
        "local": Path("/usr/local/share", name),
    }
    return own | tops | rooted


def plant(lab: Lab) -> dict[str, Path]:
    """Fill every place with a secret of the sandbox user's."""
    found = places(lab.base, lab.token)
    for path in found.values():
        path.mkdir(parents=True, exist_ok=True)
        (path / "secret").write_text(lab.token)
        (path / "secret").chmod(0o600)
        _give(path, path / "secret")
    git = found["repository"]
    (git / "hooks").mkdir(exist_ok=True)
    (git / "config").write_text("[core]\n")
    lab.workspace.mkdir()
    lab.toolchain.mkdir()
    (lab.toolchain / "module.py").write_text("")
    (lab.base / "daemon-file").write_text(lab.token)
    shutil.copytree(ATTEMPTS, lab.base / "attempts")
    own = (git / "hooks", git / "config", lab.workspace, lab.toolchain, lab.toolchain / "module.py")
    _give(*own)
    if ROOT:
        shutil.copy("/usr/bin/id", lab.toolchain / "id")
        (lab.toolchain / "id").chmod(0o4755)
        Path("/root", f".lab-{lab.token}").write_text(lab.token)
    return found


@contextlib.contextmanager
def laboratory() -> Iterator[Lab]:
    """A planted machine with a host process; everything is gone afterwards."""
    cache_home().mkdir(parents=True, exist_ok=True)
    base = Path(tempfile.mkdtemp(prefix="lab-", dir=cache_home()))
    base.chmod(0o755)
    lab = Lab(base)
    found = places(base, lab.token)
    os.environ["DAEMON_KEY"] = lab.token
    try:
        plant(lab)
        with host(lab, found) as facts:
            lab.facts = facts
            yield lab
    finally:
        del os.environ["DAEMON_KEY"]
        for path in (*found.values(), base):
            shutil.rmtree(path, ignore_errors=True)
        if ROOT:
            Path("/root", f".lab-{lab.token}").unlink(missing_ok=True)


@contextlib.contextmanager
def host(lab: Lab, found: dict[str, Path]) -> Iterator[dict[str, Any]]:
    sockets = {
        name: str(found[name] / "socket") for name in ("tmp", "run", "home") if name in found
    }
    secret = str(found["tmp"] / "secret")
    line = [
        PYTHON,
        str(lab.base / "host.py"),
        "host-of-the-lab",
        lab.token,
        secret,
        *sockets.values(),
    ]
    shutil.copy(HERE / "host.py", lab.base)
    with subprocess.Popen(
        line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={"HOST_KEY": lab.token}, **user()
    ) as process:
        assert process.stdin and process.stdout
        facts = json.loads(process.stdout.readline())
        yield {
            **facts,
            "token": lab.token,
            "places": {name: str(path) for name, path in found.items()},
            "sockets": sockets,
            "workspace": str(lab.workspace),
            "toolchain": str(lab.toolchain),
            "setuid": str(lab.toolchain / "id"),
            "root_secret": f"/root/.lab-{lab.token}",
            "address": own_address(),
        }
        process.stdin.close()


def own_address() -> str:
    """The machine's address on its network, found without sending anything."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return "127.0.0.2"
        return str(probe.getsockname()[0])


sys.path.insert(0, str(ATTEMPTS))
