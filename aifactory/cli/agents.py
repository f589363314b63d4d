"""`aifactory agents`: who can do work here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from aifactory.cli.options import Json, Repo

if TYPE_CHECKING:
    from aifactory.agents import Kinds
    from aifactory.prompts import Prompts

Name = Annotated[str | None, typer.Argument(metavar="[NAME]", help="Show this one in full.")]


def agents(name: Name = None, repo: Repo = None, json: Json = False) -> None:
    """List the agents, or show one in full. With kind, model, scope and the hash of their file.

    A plugin that cannot be used is listed with the reason.
    """
    import os

    from aifactory import config
    from aifactory.agents import Kinds
    from aifactory.cli.output import print_json, print_table, say
    from aifactory.cli.place import opened
    from aifactory.narration import printable
    from aifactory.prompts import Prompts

    with opened(repo) as place:
        prompts = Prompts(place.layout)
        settings = config.load(place.layout.root, environ=os.environ)
        kinds = Kinds.of(settings.agents, place.layout.root)
    if name is not None:
        shown = _row(prompts, kinds, name)
        print_json(shown) if json else say(printable(_text(shown)), end="")
        return
    names = [*prompts.names(), *(one for one in kinds.names() if one not in prompts.names())]
    rows = [_checked(prompts, kinds, known) for known in names]
    rows += [{"name": known, "error": why} for known, why in kinds.problems()]
    shown_rows = [row for at, row in enumerate(rows) if row not in rows[:at]]
    if json:
        print_json([{k: v for k, v in row.items() if k != "template"} for row in shown_rows])
        return
    table = [("AGENT", "KIND", "MODEL", "SCOPE", "HASH", "")]
    for row in shown_rows:
        scope = ", ".join(row.get("scope", ())) or "-"
        said = row.get("error") or row.get("description", "")
        known = (row["name"], row.get("kind", "-"), row.get("model") or "-", scope)
        table.append((*known, row.get("sha256", "")[:10], said))
    print_table(table, ["dim"])


def _checked(prompts: Prompts, kinds: Kinds, name: str) -> dict[str, Any]:
    """The agent, or why it does not load."""
    from aifactory.errors import AifactoryError

    try:
        return _row(prompts, kinds, name)
    except AifactoryError as error:
        return {"name": name, "error": error.message}


def _row(prompts: Prompts, kinds: Kinds, name: str) -> dict[str, Any]:
    from aifactory.agents import bare, find

    find(name, prompts, kinds)
    prompt = prompts.load(name) if name in prompts.names() else bare(name)
    known = {"name": name, "file": str(prompt.path), "sha256": prompt.sha256}
    return known | prompt.settings.model_dump(mode="json") | {"template": prompt.template}


def _text(shown: dict[str, Any]) -> str:
    facts = [f"{key}: {value}" for key, value in shown.items() if key != "template"]
    return "\n".join([*facts, "", shown["template"]])
