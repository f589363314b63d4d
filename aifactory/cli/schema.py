"""`aifactory schema`: the JSON Schemas of what goes in and comes out."""

from __future__ import annotations

from typing import Annotated

import typer

from aifactory.cli.options import Json
from aifactory.errors import InvalidInput

ENDING = ".schema.json"
Name = Annotated[str | None, typer.Argument(metavar="[NAME]", help="Such as `task`.")]


def schema(name: Name = None, json: Json = False) -> None:
    """Print a JSON Schema; without a name list them."""
    from aifactory.cli.output import print_json, say
    from aifactory.layout import shipped
    from aifactory.schema import nearest

    folder = shipped("schemas")
    known = sorted(path.name.removesuffix(ENDING) for path in folder.glob(f"*{ENDING}"))
    if name is None:
        print_json(known) if json else say("\n".join(known))
    elif name in known:
        say((folder / f"{name}{ENDING}").read_text(encoding="utf-8"), end="")
    else:
        guess = nearest(name, known)
        hint = f"; did you mean {guess!r}?" if guess else ""
        raise InvalidInput(
            f"there is no schema {name!r}{hint}", next_step=f"known: {', '.join(known)}"
        )
