"""What is examined, and what one look found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Final, Literal

from aifactory import config as configuration
from aifactory.git import Repository, discover
from aifactory.layout import Layout

Level = Literal["ok", "warn", "fail"]
OK: Final = "ok"
WARN: Final = "warn"
FAIL: Final = "fail"


@dataclass(frozen=True)
class Finding:
    """What one look found; `remedy` says what to do about it."""

    name: str
    level: Level
    message: str
    remedy: str = ""


@dataclass
class Ground:
    """What is examined: the directory it starts from and the environment of the process."""

    start: Path
    environ: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def repository(self) -> Repository:
        return discover(self.start)

    @cached_property
    def layout(self) -> Layout:
        return Layout(self.repository.root, self.repository.git_dir)

    @cached_property
    def config(self) -> configuration.Config:
        return configuration.load(self.repository.root, environ=self.environ)
