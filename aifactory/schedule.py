"""When a task with a cron line runs next. Times of day are those of the machine."""

from __future__ import annotations

from datetime import UTC, datetime

NICKNAMES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}


def problem(line: str) -> str | None:
    """What is wrong with a cron line, or None."""
    try:
        next_time(line)
    except ValueError as error:
        return str(error)
    return None


def next_time(line: str, after: datetime | None = None) -> str:
    """The first moment of the schedule after `after` (default: now), as UTC, ISO 8601.

    Raises ValueError for a line that no moment fits.
    """
    from cronsim import CronSim, CronSimError

    start = after or datetime.now(UTC).astimezone()
    try:
        moment = next(CronSim(NICKNAMES.get(line.strip(), line), start))
    except CronSimError as error:
        raise ValueError(f"not a cron line: {error}") from error
    except StopIteration:
        raise ValueError("no moment ever fits it") from None
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def seconds_until(moment: str) -> float:
    """Seconds from now to a moment; negative when it is past."""
    then = datetime.fromisoformat(moment.replace("Z", "+00:00"))
    return (then - datetime.now(UTC)).total_seconds()
