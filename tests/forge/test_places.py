"""Where a repository is on a forge, by the address of its remote."""

from __future__ import annotations

from pathlib import Path

import pytest

from aifactory.config import Config, load, parse
from aifactory.errors import ForgeDenied, ForgeRefused, InvalidConfig
from aifactory.forge import Place, connected, place_of

GITHUB = Place("ada", "repo", "https://api.github.com", "GITHUB_TOKEN", "github.com")
SERVER = Place(
    "ada", "repo", "https://git.example.org/api/v3", "GH_ENTERPRISE_TOKEN", "git.example.org"
)


def settings(**values: str) -> Config:
    """As they stand in the repository's aifactory.toml."""
    lines = [f'{key} = "{value}"' for key, value in values.items()]
    return parse("\n".join(["[forge]", *lines]).encode())


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
    assert place_of(settings(), url) == place


@pytest.mark.parametrize("url", ["/srv/repo.git", "file:///srv/r.git", "https://github.com/a", ""])
def test_a_remote_that_names_no_repository_is_refused(url: str) -> None:
    with pytest.raises(ForgeRefused, match="names no repository") as raised:
        place_of(settings(), url)
    assert "[forge] repository" in raised.value.next_step


def test_settings_win() -> None:
    chosen = settings(repository="b/c", api_url="http://localhost:1/api/")
    assert place_of(chosen, "/srv/x") == Place("b", "c", "http://localhost:1/api")


def test_no_token_travels_in_the_clear() -> None:
    with pytest.raises(ForgeRefused, match="in the clear"):
        place_of(settings(api_url="http://api.example.org"), "git@github.com:ada/repo.git")


@pytest.mark.parametrize("url", ["git@github.com:ada/repo.git", "/srv/repo.git"])
def test_a_repository_sends_no_token_elsewhere(url: str, tmp_path: Path) -> None:
    named = {"repository": "ada/repo", "api_url": "https://evil.example"}
    with pytest.raises(ForgeRefused, match=r"evil\.example"):
        place_of(settings(**named), url)
    variables = {"AIFACTORY_FORGE_API_URL": "https://mine.example"}
    own = load(tmp_path, flags={"forge.repository": "ada/repo"}, environ=variables)
    place = place_of(own, url)
    assert (place.api_url, place.git_host) == ("https://mine.example", "")
    assert place.token_variable == "GH_ENTERPRISE_TOKEN"


def test_a_repository_names_no_variable_of_the_users() -> None:
    with pytest.raises(InvalidConfig, match="the user's own file"):
        settings(token_variable="AWS_SECRET_ACCESS_KEY")


def test_a_missing_token_is_named() -> None:
    with pytest.raises(ForgeDenied, match="GITHUB_TOKEN is not set") as raised:
        connected(settings(), "git@github.com:ada/repo.git", {})
    assert raised.value.exit_code == 4
