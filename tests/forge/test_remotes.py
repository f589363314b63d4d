"""Branches go to another repository, each over the very commit that we left there."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from aifactory.errors import ForgeDenied, ForgeDown, ForgeRefused
from aifactory.git import Remote, discover
from aifactory.git.remotes import told
from tests.conftest import Checkout

HOSTS = ("git.example.org", "elsewhere.org")
TOKEN = "push_token_0123456789"


@pytest.fixture
def remote(checkout: Checkout, scratch: Path) -> Remote:
    checkout.git("init", "--quiet", "--bare", str(scratch / "bare.git"))
    checkout.git("remote", "add", "origin", str(scratch / "bare.git"))
    return Remote(discover(checkout.root), "origin", TOKEN)


def test_push_look_and_fetch(checkout: Checkout, remote: Remote) -> None:
    first, second = checkout.git("rev-parse", "HEAD"), checkout.commit({"a": "a"})
    assert remote.tip("aifactory/t1") == ""
    remote.push("aifactory/t1", first, "")
    assert remote.tip("aifactory/t1") == first
    remote.push("aifactory/t1", second, first)
    assert remote.fetch("aifactory/t1") == second
    remote.push("aifactory/t1", first, second)  # back again: it is ours
    assert remote.tip("aifactory/t1") == first


def test_what_somebody_else_pushed_is_not_overwritten(checkout: Checkout, remote: Remote) -> None:
    first, second = checkout.git("rev-parse", "HEAD"), checkout.commit({"a": "a"})
    third = checkout.commit({"a": "b"})
    remote.push("aifactory/t1", second, "")
    for expected in ("", first):
        with pytest.raises(ForgeRefused, match="refuses"):
            remote.push("aifactory/t1", third, expected)
    assert remote.tip("aifactory/t1") == second


def test_a_missing_remote_is_named(checkout: Checkout) -> None:
    with pytest.raises(ForgeRefused, match="no remote 'upstream'"):
        Remote(discover(checkout.root), "upstream").tip("main")


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (b"fatal: Authentication failed for 'https://github.com/a/b/'", ForgeDenied),
        (
            b"fatal: unable to access 'https://h/': The requested URL returned error: 403",
            ForgeDenied,
        ),
        (b"! [remote rejected] x -> x (protected branch hook declined)", ForgeRefused),
        (b"! [rejected] x -> x (stale info)", ForgeRefused),
        (b"remote: Repository not found.", ForgeRefused),
        (b"fatal: unable to access 'https://h/': Could not resolve host: h", ForgeDown),
        (b"fatal: the remote end hung up unexpectedly", ForgeDown),
        (b"error: RPC failed; HTTP 502", ForgeDown),
    ],
)
def test_what_git_says_is_an_error_of_its_class(said: bytes, kind: type[Exception]) -> None:
    error = told("push", said + b" for https://u:" + TOKEN.encode() + b"@h", TOKEN)
    assert type(error) is kind
    assert TOKEN not in str(error)


def test_the_token_goes_to_the_host_alone_that_asks(
    checkout: Checkout, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Git is asked for the credentials of hosts as it asks itself when a server wants them."""
    (scratch / "bin").mkdir()
    spy, log = scratch / "bin" / "git", scratch / "log"
    real = str(shutil.which("git"))
    asked = "".join(f"protocol=https\\nhost={host}\\n\\n " for host in HOSTS)
    spy.write_text(
        f'#!/bin/sh\ncase $1 in ls-remote) ;; *) exec {real} "$@";; esac\n'
        f'echo "$*" >{log}\n'
        f"for one in '{asked.split()[0]}' '{asked.split()[1]}'; do\n"
        f'printf "$one" | {real} credential fill >>{log} 2>&1\ndone\nexit 0\n'
    )
    spy.chmod(0o755)
    monkeypatch.setenv("PATH", f"{spy.parent}:{os.environ['PATH']}")
    checkout.git("remote", "add", "origin", "https://git.example.org/ada/repo.git")
    Remote(discover(checkout.root), "origin", TOKEN, HOSTS[0]).tip("main")
    arguments, rest = log.read_text().split("\n", 1)
    mine, _, other = rest.partition("fatal")
    assert TOKEN not in arguments
    assert f"host=git.example.org\nusername=x-access-token\npassword={TOKEN}" in mine
    assert TOKEN not in other and "could not read Username" in other
