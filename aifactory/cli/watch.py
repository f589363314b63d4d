"""`aifactory watch`: the live view of what a daemon does, from another terminal."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from aifactory.cli.options import Json, Repo

if TYPE_CHECKING:
    from aifactory.cli.follow import Follower
    from aifactory.cli.place import Place
    from aifactory.events import Reader


def watch(repo: Repo = None, json: Json = False) -> int:
    """Show live what happens. Ends, as `wait` does, when nothing moves by itself.

    With --json each event is printed as a line, as it was recorded.
    """
    from aifactory.board import Board
    from aifactory.cli.follow import Follower
    from aifactory.cli.output import say
    from aifactory.cli.place import opened
    from aifactory.narration import printable_json
    from aifactory.view import LiveView

    with opened(repo) as place:
        follower = Follower(place)
        follower.skip()
        if json:
            return _watch(
                place, follower, lambda event: say(printable_json(event.model_dump_json()))
            )
        with LiveView(sys.stdout, Board.of(place.ledger.records())) as view:
            return _watch(place, follower, view)


def _watch(place: Place, follower: Follower, show: Reader) -> int:
    from aifactory.cli.follow import rest
    from aifactory.cli.settled import exit_code, is_settled

    while True:
        began = time.monotonic()
        records = place.records()
        for event in follower.news():
            show(event)
        if is_settled(records, records):
            return exit_code(records)
        rest(began)
