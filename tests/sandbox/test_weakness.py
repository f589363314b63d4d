"""A cage whose totals no kernel holds is for those who accept it, and another goes before it."""

from __future__ import annotations

import os

import pytest

from aifactory.errors import SandboxUnusable
from aifactory.sandbox import choice, choose, choose_strong, weakness
from aifactory.sandbox.confined import BUBBLEWRAP, FIREJAIL, Confined


@pytest.fixture
def ordinary_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """As an ordinary user on a machine where both backends are proven."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(choice, "_complaint", lambda backend: None)


def test_only_firejail_of_an_ordinary_user_is_weak(ordinary_user: None) -> None:
    assert "no limit of size" in weakness(FIREJAIL)
    assert weakness(BUBBLEWRAP) == ""


@pytest.mark.skipif(os.geteuid() != 0, reason="says what root's launcher makes of firejail")
def test_root_gives_firejail_filesystems_of_fixed_size() -> None:
    assert weakness(FIREJAIL) == ""


def test_the_backend_that_limits_goes_before_the_one_that_watches(ordinary_user: None) -> None:
    assert choose() is FIREJAIL
    assert choose_strong() is BUBBLEWRAP


def test_a_weak_cage_alone_is_refused_with_the_remedy(
    ordinary_user: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def complaint(backend: Confined) -> str | None:
        return "bubblewrap: is not installed" if backend is BUBBLEWRAP else None

    monkeypatch.setattr(choice, "_complaint", complaint)
    for preferred in (None, "firejail"):
        with pytest.raises(SandboxUnusable, match="no limit of size") as caught:
            choose_strong(preferred)
        assert "accept_weak_limits = true" in caught.value.next_step
        assert choose(preferred) is FIREJAIL


def test_where_nothing_works_the_remedy_is_to_install(
    ordinary_user: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choice, "_complaint", lambda backend: f"{backend.name}: is missing")
    with pytest.raises(SandboxUnusable) as caught:
        choose_strong()
    assert caught.value.next_step == choice.INSTALL
