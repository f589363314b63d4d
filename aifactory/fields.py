"""What a setting can hold: types of values with their bounds."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints

from aifactory.model import Value

Positive = Annotated[float, Field(gt=0, le=31_536_000, allow_inf_nan=False)]
Amount = Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)]
Percent = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1, le=1_000_000_000_000)]
Text = Annotated[str, StringConstraints(max_length=10_000, pattern=r"^[^\x00]*\S[^\x00]*$")]
Texts = Annotated[tuple[Text, ...], Field(max_length=1000)]
# A name with at least one dot, and a port where it is not 443; an address is no name.
Host = Annotated[str, StringConstraints(
    max_length=260, pattern=r"^(?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z][A-Za-z0-9-]{0,62}(?::\d{1,5})?$"
)]  # fmt: skip
Hosts = Annotated[tuple[Host, ...], Field(max_length=100)]
Variable = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,99}$")]
ServerName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,23}$")]

# Ordinary tools of building and testing. Nothing that fetches: the sandbox has no network anyway.
# The last are programs of the repository itself.
TOOLS = (
    "python", "python3", "python3.*", "pytest", "ruff", "mypy", "tox", "nox", "uv", "pip", "make",
    "cmake", "ctest", "ninja", "gcc", "g++", "cc", "c++", "clang", "cargo", "rustc", "go", "node",
    "npm", "npx", "pnpm", "yarn", "deno", "bun", "tsc", "java", "javac", "mvn", "gradle", "dotnet",
    "ruby", "bundle", "rake", "php", "perl", "bash", "sh", "true", "false", "test", "[", "echo",
    "printf", "cat", "head", "tail", "wc", "sort", "uniq", "cut", "tr", "ls", "find", "grep",
    "sed", "awk", "diff", "cmp", "mkdir", "touch", "cp", "mv", "rm", "chmod", "stat", "sha256sum",
    "md5sum", "git", "jq", "sleep", "timeout", "seq", "tee", "date", "basename", "dirname",
    "realpath", "readlink", "id", "uname", "expr", "xargs", "./**",
)  # fmt: skip


class Section(Value):
    """A table of aifactory.toml. A wrong type is an error, never converted."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
