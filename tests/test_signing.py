"""Who signed a commit: real keys, real commits, verified by the user's own Git."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from aifactory import signing
from aifactory.errors import FailureClass, InvalidInput
from aifactory.model import State
from aifactory.sandbox import Spec, choose, owner
from aifactory.settings import Land
from aifactory.signing import SigningFailed
from tests.conftest import Checkout
from tests.house import drop, opened, whole


@pytest.fixture(autouse=True)
def home(scratch: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's configuration of our own."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(scratch / "config"))
    return scratch / "config" / "aifactory" / "keys"


def verify(checkout: Checkout, signers: Path, revision: str = "HEAD") -> bool:
    command = ["git", "-c", f"gpg.ssh.allowedSignersFile={signers}", "verify-commit", revision]
    return not subprocess.run(
        command, cwd=checkout.root, capture_output=True, check=False
    ).returncode


def allow(checkout: Checkout, *agents: str) -> Path:
    path = checkout.root / "prompts" / "allowed_signers"
    path.parent.mkdir(exist_ok=True)
    path.write_text(signing.allowed("", agents))
    return path


def land(checkout: Checkout, task_id: str = "t1", **flags: object) -> State:
    drop(checkout, task_id, files=["a.py"])
    with opened(checkout, [whole(a_py=f"'{task_id}'\n")], **flags) as house:
        house.work()
        return house.state(task_id)


def test_what_an_agent_lands_is_signed_by_its_key(checkout: Checkout, home: Path) -> None:
    assert signing.make_key("coder")
    assert signing.make_key("reviewer")
    assert land(checkout) is State.DONE
    assert verify(checkout, allow(checkout, "coder"))
    assert not verify(checkout, allow(checkout, "reviewer"))
    assert checkout.git("log", "-1", "--format=%an <%ae>") == "coder <coder@aifactory.localhost>"


def test_a_key_is_made_once_and_is_the_users_alone(home: Path) -> None:
    assert signing.make_key("coder")
    first = signing.public_key("coder")
    assert not signing.make_key("coder")
    assert signing.public_key("coder") == first
    assert [path.name for path in home.iterdir()] == ["coder.key"]
    assert (home / "coder.key").stat().st_mode & 0o777 == 0o600
    assert home.stat().st_mode & 0o777 == 0o700
    with pytest.raises(InvalidInput, match="no name"):
        signing.make_key("../evil")


def test_no_cage_reads_a_key(home: Path, scratch: Path) -> None:
    signing.make_key("coder")
    workspace = scratch / "workspace"
    workspace.mkdir()
    if user := owner(1):
        os.chown(workspace, *user)
        os.chown(home / "coder.key", *user)  # even a key that its user owns
    record = choose().run(Spec(("cat", str(home / "coder.key")), workspace))
    assert record.exit_code != 0
    assert "No such file" in record.output


def test_the_list_of_signers_keeps_what_it_held() -> None:
    signing.make_key("coder")
    known = "# people\nada@example.org ssh-ed25519 AAAA\n"
    once = signing.allowed(known, ["coder"])
    assert once.startswith(known)
    assert once.count("coder@aifactory.localhost") == 1
    assert signing.allowed(once, ["coder"]) == once


def test_without_a_key_nothing_is_signed_unless_the_owner_asks(checkout: Checkout) -> None:
    assert land(checkout) is State.DONE
    assert "gpgsig" not in checkout.git("cat-file", "commit", "HEAD")


def test_a_key_that_is_asked_for_and_missing_stops_before_a_model_is_paid(
    checkout: Checkout,
) -> None:
    drop(checkout, "t1", files=["a.py"])
    with opened(checkout, [whole(a_py="a\n")], land__sign="ssh") as house:
        house.take_in()
        assert house.attempt("t1") is State.QUEUED
        assert house.model.requests == []
        assert house.factory.trouble is not None
        assert house.factory.trouble.error.failure_class is FailureClass.ENVIRONMENT
        assert "aifactory agents keys" in house.factory.trouble.error.next_step


def test_off_means_off(checkout: Checkout) -> None:
    signing.make_key("coder")
    assert land(checkout, land__sign="off") is State.DONE
    assert "gpgsig" not in checkout.git("cat-file", "commit", "HEAD")


def test_a_commit_that_is_made_again_on_a_new_base_is_signed_again(checkout: Checkout) -> None:
    signing.make_key("coder")
    drop(checkout, "t1", files=["a.py"])
    with opened(checkout, [whole(a_py="a\n")]) as house:
        house.take_in()
        assert house.attempt("t1") is State.READY
        checkout.git("commit", "--quiet", "--allow-empty", "-m", "by a person")
        assert house.land("t1") is State.DONE
    assert verify(checkout, allow(checkout, "coder"))


def test_what_is_signed_and_pending_lands_as_it_is_after_a_restart(checkout: Checkout) -> None:
    """The signature is made once: the pending commit has it, whatever becomes of the key."""
    signing.make_key("coder")
    signers = allow(checkout, "coder")
    drop(checkout, "t1", files=["a.py"])
    with opened(checkout, [whole(a_py="a\n")]) as house:
        house.take_in()
        assert house.attempt("t1") is State.READY
        record = house.factory.queue.record("t1")
        assert record
    signing.key_path("coder").unlink()
    with opened(checkout) as house:
        assert house.land("t1") is State.DONE
    assert checkout.git("rev-parse", "HEAD") == record.pending
    assert verify(checkout, signers)


def test_the_owners_gpg_key(
    checkout: Checkout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.chmod(0o700)
    monkeypatch.setenv("GNUPGHOME", str(tmp_path))
    make = ("gpg", "--batch", "--passphrase", "", "--quick-gen-key", "owner@example.org")
    subprocess.run([*make, "ed25519", "sign"], capture_output=True, check=True)
    try:
        asked = {"land__sign": "gpg", "land__gpg_key": "owner@example.org"}
        assert land(checkout, **asked) is State.DONE
        checkout.git("verify-commit", "HEAD")
        with pytest.raises(SigningFailed, match="gpg: "):
            signing.check(Land(sign="gpg", gpg_key="nobody@example.org"), "coder")
        with pytest.raises(SigningFailed, match="no key is named"):
            signing.check(Land(sign="gpg"), "coder")
    finally:
        subprocess.run(["gpgconf", "--kill", "gpg-agent"], env=dict(os.environ), check=False)


@pytest.mark.parametrize(
    ("policy", "line"),
    [
        ("off", None),
        ("Co-authored-by", "Co-authored-by: fake <noreply@aifactory.localhost>"),
        ("Assisted-by", "Assisted-by: coder:fake"),
    ],
)
def test_the_model_is_named_as_the_owner_wants_it(
    checkout: Checkout, policy: str, line: str | None
) -> None:
    said = "Signed-off-by: a machine <m@example.org>\n\n" + whole(a_py="a\n")
    drop(checkout, "t1", files=["a.py"], description="Signed-off-by: me <m@example.org>")
    with opened(checkout, [said], land__co_author=policy) as house:
        house.work()
        assert house.state("t1") is State.DONE
    trailers = checkout.git("log", "-1", "--format=%(trailers:only,unfold)").splitlines()
    named = [one for one in trailers if not one.startswith("Aifactory-")]
    assert named == ([line] if line else [])
    assert "signed-off-by:" not in checkout.git("log", "-1", "--format=%B").lower()
