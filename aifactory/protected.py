"""Files that decide what is run or believed: changed only by a task that names them."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterable, Iterator, Sequence

from aifactory.paths import match, tidied, wild

_FACTORY = (
    "aifactory.toml",
    "prompts",
    "schemas",
    "tasks",
    "shared/proposals",
    "scripts/verify.sh",
)
_GIT = ("**/.gitattributes", "**/.gitmodules", ".githooks", ".husky", "lefthook.yml", "hooks/pre-*")
_CI = (
    *(".github", ".gitlab", ".gitlab-ci.yml", ".gitea", ".forgejo", ".ci", ".circleci"),
    *(".buildkite", ".woodpecker", ".woodpecker.yml", ".drone.yml", ".travis.yml", ".semaphore"),
    *("azure-pipelines.yml", "appveyor.yml", ".appveyor.yml", "bitbucket-pipelines.yml"),
    *("Jenkinsfile", "cloudbuild.yaml", ".pre-commit-config.yaml", ".teamcity", "CODEOWNERS"),
)
_LOCKS = tuple(
    f"**/{name}"
    for name in (
        *("uv.lock", "poetry.lock", "pdm.lock", "pixi.lock", "Pipfile.lock", "pylock*.toml"),
        *("conda-lock.yml", "package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "bun.lock"),
        *("bun.lockb", "pnpm-lock.yaml", "deno.lock", "Cargo.lock", "go.sum", "Gemfile.lock"),
        *("composer.lock", "mix.lock", "pubspec.lock", "Podfile.lock", "flake.lock"),
        *("gradle.lockfile", "packages.lock.json", "paket.lock", "Package.resolved"),
    )
)
_INSTALLED = tuple(
    f"**/{name}" for name in (".venv", "node_modules", ".npmrc", ".pnp.cjs", ".yarnrc.yml")
)
ALWAYS = (*_FACTORY, *_GIT, *_CI, *_LOCKS, *_INSTALLED)

# What a runner reads to learn what to run.
_READS = {
    "make": ("Makefile", "makefile", "GNUmakefile"),
    "just": ("justfile", "Justfile"),
    "nox": ("noxfile.py",),
    "pytest": ("pytest.ini",),
    "tox": ("tox.ini",),
}


def guards(commands: Iterable[str], base: Collection[str]) -> Iterator[str]:
    """The files of the base that these commands run or read by name: scripts, tests, make files."""
    for command in commands:
        try:
            words = shlex.split(command)
        except ValueError:  # it cannot run either, and is reported where it would
            continue
        for word in words:
            yield from (name for name in _READS.get(word, ()) if name in base)
            name = tidied(word.partition("::")[0].rpartition("=")[2])
            if name in base:
                yield name


def rule(path: str, globs: Sequence[str]) -> str | None:
    """The first glob that protects `path`, in any spelling of upper and lower case."""
    folded = path.casefold()
    return next((glob for glob in globs if match([glob.casefold()], folded)), None)


def named(path: str, files: Iterable[str], globs: Sequence[str]) -> bool:
    """Whether the task asks for the protected `path`: by itself or by a protected directory.

    A wildcard asks for nothing that is protected. A directory asks for what the same glob protects
    below it: `.github` for its workflows, not for a `.gitattributes` in it.
    """
    asked = tuple(files)
    against = (glob for glob in globs if rule(path, [glob]))
    return all(any(_asks(name, path, glob) for name in asked) for glob in against)


def _asks(name: str, path: str, glob: str) -> bool:
    if name == path:
        return True
    return not wild(name) and bool(match([name], path) and rule(name.rstrip("/"), [glob]))
