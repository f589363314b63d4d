"""`aifactory agents keys`, as its user runs it."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Shop


def test_keys_are_made_once_and_their_public_halves_listed(shop: Shop) -> None:
    done = shop.run("agents", "keys", "coder", "reviewer", "--json")
    assert done.code == 0 and "verify-commit" in done.err
    assert [row["made"] for row in done.json["keys"]] == [True, True]
    listed = (shop.checkout.root / "prompts/allowed_signers").read_text()
    for row in done.json["keys"]:
        assert Path(row["file"]).stat().st_mode & 0o077 == 0
        assert shop.home in Path(row["file"]).parents
        assert f'{row["agent"]}@aifactory.localhost namespaces="git" {row["public_key"]}' in listed
    again = shop.run("agents", "keys", "coder", "--json")
    assert again.json["keys"] == [done.json["keys"][0] | {"made": False}]
    assert (shop.checkout.root / "prompts/allowed_signers").read_text() == listed


def test_a_dry_run_makes_nothing(shop: Shop) -> None:
    done = shop.run("agents", "keys", "--dry-run")
    assert done.code == 0 and "coder" in done.out and "would be made" in done.out
    assert not (shop.checkout.root / "prompts").exists()
    assert not (shop.home / ".config").exists()


def test_an_agent_that_is_not_there_gets_no_key(shop: Shop) -> None:
    done = shop.run("agents", "keys", "codr")
    assert (done.code, done.out) == (2, "") and "did you mean 'coder'" in done.err
