"""`aifactory agents`: who can do work here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from aifactory.cli.options import Json, Repo

if TYPE_CHECKING:
    from aifactory.prompts import Prompts

Name = Annotated[str | None, typer.Argument(metavar="[NAME]", help="Show this one in full.")]


def agents(name: Name = None, repo: Repo = None, json: Json = False) -> None:
    """List the agents, or show one in full. With model, scope and the hash of their file."""
    from aifactory.cli.output import print_json, print_table, say
    from aifactory.cli.place import opened
    from aifactory.narration import printable
    from aifactory.prompts import Prompts

    with opened(repo) as place:
        prompts = Prompts(place.layout)
    if name is not None:
        shown = _row(prompts, name) | {"template": prompts.load(name).template}
        print_json(shown) if json else say(printable(_text(shown)), end="")
        return
    rows = [_checked(prompts, known) for known in prompts.names()]
    if json:
        print_json(rows)
        return
    table = [("AGENT", "MODEL", "SCOPE", "HASH", "")]
    for row in rows:
        scope = ", ".join(row.get("scope", ())) or "-"
        said = row.get("error") or row.get("description", "")
        known = (row["name"], row.get("model") or "-", scope, row.get("sha256", "")[:10])
        table.append((*known, said))
    print_table(table, ["dim"])


def _checked(prompts: Prompts, name: str) -> dict[str, Any]:
    """The agent, or why its file does not load."""
    from aifactory.errors import AifactoryError

    try:
        return _row(prompts, name)
    except AifactoryError as error:
        return {"name": name, "error": error.message}


def _row(prompts: Prompts, name: str) -> dict[str, Any]:
    prompt = prompts.load(name)
    known = {"name": name, "file": str(prompt.path), "sha256": prompt.sha256}
    return known | prompt.settings.model_dump(mode="json")


def _text(shown: dict[str, Any]) -> str:
    facts = [f"{key}: {value}" for key, value in shown.items() if key != "template"]
    return "\n".join([*facts, "", shown["template"]])
