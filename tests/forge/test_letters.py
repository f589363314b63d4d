"""What stands on the forge calls nobody and closes nothing."""

from __future__ import annotations

from aifactory.forge.letters import description
from aifactory.model import Proposal, Record, State, Task


def test_a_report_mentions_nobody_and_closes_nothing() -> None:
    report = "| red | ask @grace, Fixes #1, GH-2, closes https://forge.test/o/r/issues/3 |"
    task = Task(task_id="t1", description="Do it")
    proposal = Proposal(task_id="t1", attempt=1, agent="coder", base="", changes=())
    said = description(task, Record(task_id="t1", state=State.READY, digest=""), proposal, report)
    assert not any(sign in said for sign in ("@grace", "#1", "GH-2", "https://"))
    assert "ask @\u200bgrace" in said
