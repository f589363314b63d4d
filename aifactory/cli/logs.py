"""`aifactory logs`: what happened to one task or to all, from the ledger."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from aifactory.cli.options import Json, Repo, SomeTask
from aifactory.errors import InvalidInput

if TYPE_CHECKING:
    from aifactory.cli.follow import Follower
    from aifactory.cli.place import Place
    from aifactory.model import Event

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
Follow = Annotated[bool, typer.Option("--follow", "-f", help="Go on until the task is closed.")]
Since = Annotated[
    str | None, typer.Option(metavar="TIME", help="Only later ones: 10m, 2h, 1d or an ISO time.")
]
Tail = Annotated[int | None, typer.Option(min=0, metavar="N", help="Only the last N.")]


def logs(
    task: SomeTask = None,
    follow: Follow = False,
    since: Since = None,
    tail: Tail = None,
    repo: Repo = None,
    json: Json = False,
) -> None:
    """Print what happened, oldest first. --json: one event a line, as it was recorded."""
    from aifactory.cli.place import opened

    start = _time(since) if since else ""
    with opened(repo) as place:
        task_id = place.find(task).record.task_id if task else None
        follower = _follower(place, task_id) if follow else None
        events = [event for event in _recorded(place, task_id) if event.at >= start]
        _print(events if tail is None else events[len(events) - min(tail, len(events)) :], json)
        if follower:
            _follow(place, follower, {event.id for event in events}, json)


def _follower(place: Place, task_id: str | None) -> Follower:
    from aifactory.cli.follow import Follower

    follower = Follower(place, task_id)
    follower.skip()
    return follower


def _recorded(place: Place, task_id: str | None) -> list[Event]:
    found = place.every_event() if task_id is None else place.events(place.find(task_id))
    return sorted(found, key=lambda event: (event.at, event.id))


def _follow(place: Place, follower: Follower, printed: set[str], json: bool) -> None:
    """Print what comes; of one task until it is closed, of all without end."""
    import time

    from aifactory.cli.follow import rest

    while True:
        began = time.monotonic()
        _print([event for event in follower.news() if event.id not in printed], json)
        if follower.task_id and _is_closed(place, follower.task_id):
            _print([event for event in follower.news() if event.id not in printed], json)
            return
        rest(began)


def _is_closed(place: Place, task_id: str) -> bool:
    history = place.ledger.find(task_id)
    return history is None or history.record.state.closed


def _print(events: Iterable[Event], json: bool) -> None:
    from aifactory.cli.output import say
    from aifactory.narration import printable_json
    from aifactory.view import spoken

    for event in events:
        say(printable_json(event.model_dump_json()) if json else spoken(event))


def _time(given: str) -> str:
    """The start as the ledger writes times."""
    if found := re.fullmatch(r"(\d+)([smhdw])", given):
        moment = datetime.now(UTC) - timedelta(**{UNITS[found[2]]: int(found[1])})
    else:
        try:
            moment = datetime.fromisoformat(given).astimezone(UTC)
        except ValueError as error:
            raise InvalidInput(
                f"--since {given}: neither a span like 10m nor an ISO time",
                next_step="write 30s, 10m, 2h, 1d, or 2026-01-31T12:00:00Z",
            ) from error
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
