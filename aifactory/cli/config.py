"""`aifactory config`: every setting, and where its value came from."""

from __future__ import annotations

from aifactory.cli.options import Json, Repo


def show(repo: Repo = None, json: Json = False) -> None:
    """Print every setting with its value, where that came from, and what it means."""
    import json as json_module
    import os

    from aifactory import config
    from aifactory.cli.output import note, print_json, print_table
    from aifactory.cli.place import opened

    with opened(repo) as place:
        settings = config.load(place.layout.root, environ=os.environ)
    for warning in settings.warnings:
        note(f"warning: {warning}")
    rows = [(row.key, _plain(row.value), row.origin, row.description) for row in settings.rows()]
    if json:
        names = ("key", "value", "origin", "description")
        print_json([dict(zip(names, row, strict=True)) for row in rows])
        return
    shown = [
        (key, json_module.dumps(value, ensure_ascii=False)[:60], origin, said)
        for key, value, origin, said in rows
    ]
    print_table([("KEY", "VALUE", "FROM", ""), *shown], ["dim"])


def _plain(value: object) -> object:
    """The value as JSON has it."""
    from pydantic import TypeAdapter

    return TypeAdapter(object).dump_python(value, mode="json")
