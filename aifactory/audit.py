"""`commands.jsonl`: a line for every command that ran or was refused, as they ended."""

from __future__ import annotations

from collections.abc import Iterable

from aifactory.ledger import Ledger
from aifactory.model import CommandRecord
from aifactory.redaction import masked_bytes

NAME = "commands.jsonl"


def with_records(
    ledger: Ledger, task_id: str, records: Iterable[CommandRecord]
) -> dict[str, bytes]:
    """The artifact with these records behind the others; one that it has already is not added."""
    held = set((ledger.artifact(task_id, NAME) or b"").splitlines())
    lines = [record.model_dump_json().encode() for record in records]
    new = [line + b"\n" for line in lines if masked_bytes(line) not in held]
    return {NAME: ledger.append(task_id, NAME, b"".join(new))} if new else {}
