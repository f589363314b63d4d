"""A cage whose totals no kernel holds is for those who accept it, and another goes before it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import nullcontext

import pytest

from aifactory import config
from aifactory.errors import SandboxUnusable
from aifactory.opening import Options, cage_of
from aifactory.sandbox import choice, choose, choose_strong, choose_strongest, unheld, weakness
from aifactory.sandbox.confined import BUBBLEWRAP, FIREJAIL


@pytest.fixture
def ordinary_user(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As an ordinary user on a machine where both backends are proven."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(choice, "_complaint", lambda backend: None)
    for known in (choice._has_groups, choice._can_lay):
        known.cache_clear()
    yield
    for known in (choice._has_groups, choice._can_lay):
        known.cache_clear()


def test_what_the_kernel_does_not_hold_is_named(ordinary_user: None) -> None:
    assert unheld() == ["memory", "disk"]
    assert unheld(BUBBLEWRAP) == ["memory", "disk"]
    assert unheld(FIREJAIL) == ["memory", "disk", "/tmp", "/dev/shm", "the home"]
    assert weakness(BUBBLEWRAP).endswith("not limited by the kernel: memory, disk")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has control groups and layers here")
def test_for_root_the_kernel_holds_everything() -> None:
    assert unheld() == []
    assert weakness(FIREJAIL) == weakness(BUBBLEWRAP) == ""
    assert choose_strong() is FIREJAIL


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has control groups to lose")
def test_a_root_without_control_groups_is_weak(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "_has_groups", lambda: False)
    with pytest.raises(SandboxUnusable, match="not limited by the kernel: memory"):
        choose_strong()


def test_the_backend_that_limits_more_goes_first(ordinary_user: None) -> None:
    assert choose() is FIREJAIL
    assert choose_strongest() is BUBBLEWRAP
    assert choose_strongest("firejail") is FIREJAIL


def test_weak_limits_are_refused_with_the_remedy(ordinary_user: None) -> None:
    for preferred in (None, "firejail", "bubblewrap"):
        with pytest.raises(SandboxUnusable, match="not limited by the kernel") as caught:
            choose_strong(preferred)
        assert "accept_weak_limits = true" in caught.value.next_step
        assert caught.value.exit_code == 5


def test_where_nothing_works_the_remedy_is_to_install(
    ordinary_user: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choice, "_complaint", lambda backend: f"{backend.name}: is missing")
    for pick in (choose, choose_strong, choose_strongest):
        with pytest.raises(SandboxUnusable) as caught:
            pick()
        assert caught.value.next_step == choice.INSTALL


@pytest.mark.parametrize(
    ("accepted", "unattended", "fine"),
    [(False, True, False), (False, False, True), (True, True, True), (True, False, True)],
)
def test_only_an_unattended_daemon_needs_the_owners_word(
    ordinary_user: None, accepted: bool, unattended: bool, fine: bool
) -> None:
    text = f"[policy]\naccept_weak_limits = {str(accepted).lower()}\n"
    settings = config.parse(text.encode(), environ={})
    with nullcontext() if fine else pytest.raises(SandboxUnusable):
        assert cage_of(settings, Options(unattended=unattended)) is BUBBLEWRAP


@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user is refused before that")
@pytest.mark.parametrize(
    ("text", "when"),
    [
        ('[gate]\nkeep = ["build/**"]\n', "for what [gate] keep lets stay"),
        ('[environment]\ninstall = ["true"]\n', "while [environment] install runs"),
    ],
)
def test_root_has_to_accept_what_only_a_watch_bounds(text: str, when: str) -> None:
    refused = config.parse(text.encode(), environ={})
    with pytest.raises(SandboxUnusable) as caught:
        cage_of(refused, Options(unattended=True))
    assert caught.value.message.endswith(when)
    accepted = config.parse(f"{text}[policy]\naccept_weak_limits = true\n".encode(), environ={})
    for settings, unattended in ((refused, False), (accepted, True)):
        assert cage_of(settings, Options(unattended=unattended)).name == "firejail"
