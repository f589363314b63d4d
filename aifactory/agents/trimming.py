"""A prompt that is too long for its model is cut by one rule, and says what was left out.

First files that are for reading only, the largest first; then what earlier attempts answered, the
oldest first, but never the last one. Files to work on are never cut.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from aifactory.agents.base import Turn

BYTES_PER_TOKEN = 3  # of code; the model host counts exactly before it sends
Messages = tuple[dict[str, Any], ...]


@dataclass(frozen=True)
class Material:
    """What a prompt is made of: a template's values and earlier attempts; and what was cut."""

    values: Mapping[str, Any]
    history: tuple[Turn, ...]
    cut: tuple[str, ...] = ()

    @property
    def note(self) -> str:
        """What the model is told of it."""
        listed = "".join(f"- {one}\n" for one in self.cut)
        return f"\n\nLeft out of this prompt, to fit the model:\n{listed}" if self.cut else ""


def fitting(
    material: Material, room: int | None, build: Callable[[Material], Messages]
) -> Material:
    """The material, cut until the messages made of it fit into `room` tokens; None: any number."""
    less = material
    for less in shorter(material):
        if room is None or tokens(build(less)) <= room:
            break
    return less


def shorter(material: Material) -> Iterator[Material]:
    """Ever less, one thing cut after the other."""
    yield material
    shown = [file for file in material.values["context_files"] if file["text"]]
    for file in sorted(shown, key=lambda file: -file["bytes"]):
        material = without_file(material, file["path"])
        yield material
    for turn in material.history[:-1]:
        cut = (*material.cut, f"what attempt {turn.attempt} answered")
        material = replace(material, history=material.history[1:], cut=cut)
        yield material


def without_file(material: Material, path: str) -> Material:
    """The same with one file for reading only named, and not shown."""
    files = material.values["context_files"]
    size = next(file["bytes"] for file in files if file["path"] == path)
    left = [{**file, "text": None} if file["path"] == path else file for file in files]
    cut = (*material.cut, f"{path} ({size} bytes)")
    return replace(material, values={**material.values, "context_files": left}, cut=cut)


def tokens(messages: Messages) -> int:
    return len(json.dumps(messages, ensure_ascii=False).encode()) // BYTES_PER_TOKEN
