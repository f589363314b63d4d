"""Where a repository is on a forge, by the address of its remote."""

from __future__ import annotations

import pytest

from aifactory.errors import ForgeDenied, ForgeRefused
from aifactory.forge import Place, connected, place_of
from aifactory.settings import Forge

GITHUB = Place("ada", "repo", "https://api.github.com")
SERVER = Place("ada", "repo", "https://git.example.org/api/v3")


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("https://github.com/ada/repo.git", GITHUB),
        ("https://x:token@github.com/ada/repo", GITHUB),
        ("git@github.com:ada/repo.git", GITHUB),
        ("ssh://git@github.com:22/ada/repo.git", GITHUB),
        ("https://git.example.org/ada/repo/", SERVER),
    ],
)
def test_the_remote_says_where(url: str, place: Place) -> None:
    assert place_of(Forge(), url) == place


@pytest.mark.parametrize("url", ["/srv/repo.git", "file:///srv/r.git", "https://github.com/a", ""])
def test_a_remote_that_names_no_repository_is_refused(url: str) -> None:
    with pytest.raises(ForgeRefused, match="names no repository") as raised:
        place_of(Forge(), url)
    assert "[forge] repository" in raised.value.next_step


def test_settings_win() -> None:
    settings = Forge(repository="b/c", api_url="http://localhost:1/api/")
    assert place_of(settings, "/srv/x") == Place("b", "c", "http://localhost:1/api")


def test_no_token_travels_in_the_clear() -> None:
    with pytest.raises(ForgeRefused, match="in the clear"):
        place_of(Forge(api_url="http://api.example.org"), "git@github.com:ada/repo.git")


def test_a_missing_token_is_named() -> None:
    with pytest.raises(ForgeDenied, match="MY_TOKEN is not set") as raised:
        connected(Forge(token="MY_TOKEN"), "git@github.com:ada/repo.git", {})
    assert raised.value.exit_code == 4
