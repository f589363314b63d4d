"""`aifactory agents keys`: the keys that sign what agents land."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from aifactory.cli.options import DryRun, Json, Repo

Names = Annotated[
    list[str] | None, typer.Argument(metavar="[NAME]...", help="These agents; default: all.")
]


def keys(
    names: Names = None, repo: Repo = None, json: Json = False, dry_run: DryRun = False
) -> None:
    """Make the missing SSH keys of agents, and list the public ones for everybody's Git.

    Private keys stay in ~/.config/aifactory/keys, readable by you alone. The public ones go into
    prompts/allowed_signers, which is yours to commit.
    """
    from aifactory import files, signing
    from aifactory.cli.output import note, print_json, print_table
    from aifactory.cli.place import opened
    from aifactory.prompts import Prompts

    with opened(repo) as place:
        path = place.layout.allowed_signers
        prompts = Prompts(place.layout)
    for name in names or ():
        prompts.load(name)
    chosen = names or prompts.names()
    missing = [name for name in chosen if not signing.key_path(name).exists()]
    if not dry_run:
        for name in missing:
            signing.make_key(name)
        known = path.read_text() if path.exists() else ""
        if (wanted := signing.allowed(known, chosen)) != known:
            files.make_dir(path.parent)
            files.atomic_write(path, wanted.encode())
            note(f"commit {path.relative_to(place.layout.root)}, then anybody can verify:")
            note(f"git -c gpg.ssh.allowedSignersFile={path} verify-commit HEAD")
    rows = [_row(name, made=name in missing) for name in chosen]
    if json:
        print_json({"allowed_signers": str(path), "keys": rows})
    else:
        print_table([(row["agent"], row["public_key"] or "would be made", "") for row in rows])


def _row(agent: str, *, made: bool) -> dict[str, Any]:
    from aifactory import signing

    path = signing.key_path(agent)
    public_key = signing.public_key(agent) if path.exists() else None
    return {"agent": agent, "file": str(path), "public_key": public_key, "made": made}
