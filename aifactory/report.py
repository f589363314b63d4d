"""What came of a task, and of all of them: Markdown for people, rows for programs."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

from aifactory.accounts import Account, spending
from aifactory.model import Event, Record, State, Usage, Verdict
from aifactory.narration import STATE_WORDS, describe, duration, money, one_line, printable

OPENING = ("attempt.started",)


def row(record: Record) -> dict[str, Any]:
    """One task as `status --json` shows it."""
    names = {"task_id", "state", "agent", "attempts", "commit", "failure", "cost_usd", "tokens"}
    more = {"pull", "created_at", "started_at", "finished_at", "charged", "payments", "reason"}
    return record.model_dump(mode="json", by_alias=True, include=names | more)


def totals(records: Sequence[Record]) -> dict[str, Any]:
    """How many tasks are in each state, and what all of them cost."""
    states = [record.state for record in records]
    tokens = sum((record.tokens for record in records), Usage())
    cost = round(sum((record.cost_usd for record in records), 0.0), 9)
    counts: dict[str, Any] = {state.value: states.count(state) for state in State}
    return counts | {"cost_usd": cost, "tokens": tokens.model_dump()}


def markdown(record: Record, events: Sequence[Event], verdicts: Sequence[Verdict] = ()) -> str:
    """The report of one task: outcome, why, attempts with their checks, and what happened when."""
    parts = [
        [f"# {_cell(record.task_id)}: {STATE_WORDS[record.state]}", *_title(record)],
        ["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in _facts(record))],
        list(_payments(record)),
        list(_failure(record)),
        list(_verdicts(verdicts)),
        list(_attempts(events)),
        ["## What happened", "", *(_moment(event) for event in events)] if events else [],
    ]
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def overview(records: Sequence[Record], accounts: Sequence[Account] = ()) -> str:
    """The report of all tasks as one Markdown table, what needs a person first; then the money."""
    lines = ["# Report", "", summary(records) if records else "No task yet.", ""]
    if records:
        lines += ["| task | state | agent | attempts | time | cost | commit or reason |"]
        lines += ["|---|---|---|---|---|---|---|", *map(_line, by_urgency(records))]
    lines += _money(records, accounts)
    return "\n".join(lines).rstrip("\n") + "\n"


def summary(records: Sequence[Record]) -> str:
    """`1 failed, 2 done, $0.0123, 900 tokens in, 80 out`."""
    sums = totals(records)
    counts = [f"{sums[state]} {words}" for state, words in STATE_WORDS.items() if sums[state]]
    return ", ".join([*counts, money(sums["cost_usd"]), _tokens(Usage(**sums["tokens"]))])


def by_urgency(records: Iterable[Record]) -> list[Record]:
    """What went wrong or waits for a person first; within a state the newest last."""
    order = list(STATE_WORDS)
    return sorted(records, key=lambda r: (order.index(r.state), r.created_at, r.task_id))


def reason(record: Record) -> str:
    """Why a task is where it is, in one line; empty when there is nothing to say."""
    if record.failure and record.state is not State.DONE:
        return one_line(f"{record.failure.failure_class}: {record.failure.message}")
    return one_line(record.reason)


def _title(record: Record) -> list[str]:
    return ["", _cell(record.title)] if record.title else []


def _facts(record: Record) -> Iterator[tuple[str, str]]:
    yield "agent", _cell(record.agent) or "-"
    yield "attempts", f"{record.attempts} ({record.charged} charged)"
    yield "model calls", str(record.calls)
    yield "cost", f"{money(record.cost_usd)}, {_tokens(record.tokens)}"
    yield "time at work", duration(record.seconds)
    yield "taken in", record.created_at or "-"
    yield "finished", record.finished_at or "-"
    if record.pull and record.pull.url:
        yield "pull request", f"#{record.pull.number} {_cell(record.pull.url)}"
    if record.commit:
        yield "commit", f"`{record.commit}`"
    if record.reason and not record.state.closed:
        yield "waits", _cell(record.reason)
    if record.reason and record.state is State.DONE:
        yield "note", _cell(record.reason)


def _payments(record: Record) -> Iterator[str]:
    if record.payments:
        yield from ("## Calls", "", "| day | agent | model | calls | tokens | time | cost |")
        yield "|---|---|---|---|---|---|---|"
        for one in record.payments:
            spent = (one.calls, _tokens(one.tokens), duration(one.seconds), money(one.usd))
            yield "| " + " | ".join(map(str, (one.day, *map(_cell, one.of[1:]), *spent))) + " |"


def _money(records: Sequence[Record], accounts: Sequence[Account]) -> Iterator[str]:
    """What every agent, model and day took, and where every budget stands."""
    rows = [
        f"| {kind} {_cell(name)} | {sums['calls']} | {_tokens(Usage(**sums['tokens']))} | "
        f"{duration(sums['seconds'])} | {money(sums['usd'])} |"
        for kind, totals in spending(records).items()
        for name, sums in totals.items()
    ]
    if rows:
        yield from ("", "## Spent", "", "| by | calls | tokens | time | cost |")
        yield from ("|---|---|---|---|---|", *rows)
    if budgets := [f"- {_cell(line)}" for account in accounts for line in account.lines()]:
        yield from ("", "## Budgets", "", *budgets)


def _failure(record: Record) -> Iterator[str]:
    if failure := record.failure:
        yield f"## Why it failed: `{failure.failure_class}` in {failure.stage}"
        yield ""
        yield from _quoted(failure.message)
        if failure.next_step:
            yield from ("", f"Next: {_cell(failure.next_step)}")


def _verdicts(verdicts: Sequence[Verdict]) -> Iterator[str]:
    if not verdicts:
        return
    yield from ("## Checks", "", "| check | verdict | time | |", "|---|---|---|---|")
    for verdict in verdicts:
        said = "passed" if verdict.ok else "**failed**"
        seconds = duration(verdict.seconds)
        yield f"| {_cell(verdict.check)} | {said} | {seconds} | {_cell(verdict.message)} |"
    for verdict in verdicts:
        if verdict.evidence and not verdict.ok:
            yield from ("", f"What `{one_line(verdict.check)}` said:", "")
            yield from _quoted(verdict.evidence)


def _attempts(events: Sequence[Event]) -> Iterator[str]:
    numbered = sorted((e for e in events if e.attempt), key=lambda event: event.attempt or 0)
    for number, group in groupby(numbered, key=lambda event: event.attempt):
        inside = list(group)
        if number == numbered[0].attempt:
            yield from ("## Attempts", "", "| attempt | model calls | commands | ended |")
            yield "|---|---|---|---|"
        calls = sum(event.name == "model.answered" for event in inside)
        commands = "<br>".join(map(_command, (e for e in inside if e.name == "command.finished")))
        yield f"| {number} | {calls} | {commands or '-'} | {_cell(describe(_last(inside)))} |"


def _last(events: Sequence[Event]) -> Event:
    """The event that says how an attempt ended: the last one that changed the task's state."""
    steps = [event for event in events if "state" in event.data and event.name not in OPENING]
    return (steps or list(events))[-1]


def _command(event: Event) -> str:
    argv = event.data.get("argv") or ()
    words = shlex.join(map(str, argv)) if isinstance(argv, list | tuple) else str(argv)
    ended = "ok" if event.data.get("exit_code") == 0 else f"exit {event.data.get('exit_code')}"
    code = one_line(words).replace("|", "\\|").replace("`", "'")
    return f"`{code}` {ended}"


def _moment(event: Event) -> str:
    attempt = f" ({event.attempt})" if event.attempt else ""
    return f"- {event.at[11:19]} `{event.name}`{attempt} {_cell(describe(event))}"


def _line(record: Record) -> str:
    result = f"`{record.commit[:10]}`" if record.commit else _cell(reason(record)) or "-"
    cells = (record.task_id, STATE_WORDS[record.state], _cell(record.agent) or "-", record.attempts)
    spent = (duration(record.seconds), money(record.cost_usd), result)
    return "| " + " | ".join(map(str, (*cells, *spent))) + " |"


def _tokens(usage: Usage) -> str:
    return f"{usage.prompt} tokens in, {usage.completion} out"


def _cell(text: str) -> str:
    """Text that stays within a cell of a table and is no markup of its own."""
    line = one_line(text).replace("<", "&lt;")
    return re.sub(r"[\\|\[]", r"\\\g<0>", line)


def _quoted(text: str) -> Iterator[str]:
    """Text as an indented block: whatever it holds, it cannot end the block."""
    yield from (f"    {line}" for line in printable(text.strip("\n")).split("\n"))
