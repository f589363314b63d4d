"""Signatures of commits, made by the daemon outside every cage.

Each agent has one SSH key in the user's configuration directory (`aifactory agents keys` makes it);
where the owner prefers, one GPG key signs for all. The public halves stand in
`prompts/allowed_signers`, so that anybody's Git can verify (ssh-keygen(1), ALLOWED SIGNERS).
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

from aifactory import files
from aifactory.errors import EnvironmentUnusable, InvalidInput
from aifactory.git import Identity
from aifactory.layout import key_folder
from aifactory.prompts import NAME
from aifactory.quarantine import Sign
from aifactory.redaction import public
from aifactory.settings import Land

SECONDS = 60.0  # for one signature: a GPG key may lie on a card
NAMESPACE = "git"  # what Git asks ssh-keygen to verify for


class SigningFailed(EnvironmentUnusable):
    remedy = "make the agent's key with `aifactory agents keys`, or set [land] sign"


def identity_of(agent: str) -> Identity:
    """Under which name an agent is the author of commits."""
    return Identity(agent, f"{agent}@aifactory.localhost")


def signer(land: Land, agent: str) -> Sign | None:
    """What signs the commits of an agent, as `[land] sign` says; None: nothing does."""
    if land.sign == "gpg":
        return partial(_gpg, land.gpg_key)
    path = key_path(agent)
    if land.sign == "off" or (land.sign is None and not path.is_file()):
        return None
    return partial(_ssh, path)


def check(land: Land, agent: str) -> None:
    """SigningFailed where a commit of this agent could not be signed."""
    if sign := signer(land, agent):
        sign(b"")


def key_path(agent: str) -> Path:
    """Where the private key of an agent is kept."""
    if not NAME.fullmatch(agent):
        raise InvalidInput(f"{agent!r} is no name of an agent")
    return key_folder() / f"{agent}.key"


def make_key(agent: str) -> bool:
    """Make the key of an agent, unless it has one; gives whether it was made."""
    path = key_path(agent)
    if path.exists():
        return False
    folder = files.make_dir(path.parent, 0o700)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".new-") as scratch:
        fresh = Path(scratch) / "key"
        email = identity_of(agent).email
        _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", email, "-f", str(fresh))
        files.sync_file(fresh)
        try:
            files.rename_new(fresh, path)
        except FileExistsError:
            return False
    files.sync_dir(folder)
    return True


def public_key(agent: str) -> str:
    """The public half, as it stands in the list of allowed signers: type and base64."""
    told = _run("ssh-keygen", "-y", "-P", "", "-f", str(key_path(agent)))
    return " ".join(told.decode().split()[:2])


def allowed(known: str, agents: Iterable[str]) -> str:
    """The list of allowed signers with the keys of these agents added; what it held stays."""
    lines = known.splitlines()
    for agent in agents:
        line = f'{identity_of(agent).email} namespaces="{NAMESPACE}" {public_key(agent)}'
        if line not in lines:
            lines.append(line)
    return "".join(f"{line}\n" for line in lines)


def _ssh(path: Path, data: bytes) -> str:
    return _run(
        "ssh-keygen", "-q", "-Y", "sign", "-n", NAMESPACE, "-f", str(path), input=data
    ).decode()


def _gpg(key: str | None, data: bytes) -> str:
    if key is None:
        raise SigningFailed(
            "[land] sign = gpg, and no key is named", next_step="set [land] gpg_key"
        )
    quiet = ("--batch", "--no-tty", "--pinentry-mode", "error")
    return _run("gpg", *quiet, "--local-user", key, "-bsa", input=data).decode()


def _run(*command: str, input: bytes = b"") -> bytes:
    """The output of a signer that asks nobody anything."""
    try:
        done = subprocess.run(
            command,
            input=input,
            capture_output=True,
            env={name: value for name, value in public(os.environ).items() if name != "DISPLAY"},
            timeout=SECONDS,
            check=False,
            start_new_session=True,
        )
    except FileNotFoundError as error:
        remedy = f"install {command[0]}, or set [land] sign"
        raise SigningFailed(f"there is no `{command[0]}` on the PATH", next_step=remedy) from error
    except subprocess.TimeoutExpired as error:
        raise SigningFailed(f"{command[0]} took more than {SECONDS:g} s") from error
    if done.returncode:
        raise SigningFailed(f"{command[0]}: {_last_line(done.stderr)}")
    return done.stdout


def _last_line(said: bytes) -> str:
    lines: Sequence[str] = said.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "failed without a word"
