"""A person in the place of a model: asked in a file, answers by a command, whenever that may be."""

from __future__ import annotations

from dataclasses import dataclass

from aifactory import proposals
from aifactory.agents import Question
from aifactory.errors import AifactoryError, InputNeeded
from aifactory.factory import Factory
from aifactory.model import Answer, Record, State, Task
from aifactory.prompts import fence
from aifactory.redaction import masked

PERSON = "person"


@dataclass(frozen=True)
class Person:
    """An `Asker` for one attempt: the reply that is recorded, else InputNeeded."""

    factory: Factory
    task: Task
    attempt: int

    def __call__(self, question: Question) -> Answer:
        known = self.factory.ledger.artifact(self.task.task_id, f"response-{self.attempt}.json")
        if known is not None:
            return Answer.model_validate_json(known)
        raise InputNeeded(f"{self.task.task_id} waits for a person's answer", question=question)


def request(factory: Factory, task: Task, attempt: int, needed: InputNeeded) -> None:
    """Leave the question where a person finds it; the task waits."""
    text = masked(letter(needed.question)).encode(errors="replace")
    shown = proposals.question_at(factory.layout, task.task_id).relative_to(factory.layout.root)
    answer = f"`aifactory answer {task.task_id} FILE`"
    factory.queue.change(
        task.task_id,
        "input.requested",
        attempt=attempt,
        data={"file": str(shown)},
        artifacts={f"prompt-{attempt}.md": text},
        failure=None,
        reason=f"give {shown} to a chat and bring its reply with {answer}",
    )
    proposals.ask(factory.layout, task.task_id, text)


def show_again(factory: Factory) -> None:
    """Write the questions that wait but whose files are gone."""
    for record in factory.queue.in_state(State.AWAITING_INPUT):
        path = proposals.question_at(factory.layout, record.task_id)
        if not path.exists() and (text := asked(factory, record)):
            proposals.ask(factory.layout, record.task_id, text)


def asked(factory: Factory, record: Record) -> bytes | None:
    """The question of the attempt that a task is at, if that was put to a person."""
    return factory.ledger.artifact(record.task_id, f"prompt-{record.attempts}.md")


def reply(factory: Factory, record: Record, text: str, data: dict[str, object]) -> None:
    """Take a person's answer, once: as the attempt's, else as a word for all that follow."""
    answer = Answer(text=masked(text), model=PERSON).model_dump_json(indent=1).encode() + b"\n"
    of_attempt, word = f"response-{record.attempts}.json", f"input-{record.attempts + 1}.txt"
    given = factory.ledger.artifact(record.task_id, of_attempt)
    if record.state is State.AWAITING_INPUT:
        waits = given is None and asked(factory, record) is not None
        kept = {of_attempt: answer} if waits else {word: text.encode()}
        factory.queue.change(record.task_id, "input.given", data=data, artifacts=kept, reason="")
    elif given != answer and factory.ledger.artifact(record.task_id, word) != text.encode():
        raise AifactoryError(f"{record.task_id} is {record.state}: it asks for no answer")
    # else a crash repeats the wish


def said(factory: Factory, record: Record) -> tuple[str, ...]:
    """What people told a task while it waited for them, oldest first."""
    names = (f"input-{number}.txt" for number in range(1, record.attempts + 2))
    found = (factory.ledger.artifact(record.task_id, name) for name in names)
    return tuple(text.decode(errors="replace") for text in found if text)


def letter(question: Question) -> str:
    """The whole question as one text, to be pasted into a chat."""
    parts = []
    for message in question.messages:
        text = str(message["content"]).strip()
        if message["role"] == "assistant":
            text = f"Your earlier answer was:\n\n{fence(text)}\n{text}\n{fence(text)}"
        parts.append(text)
    return "\n\n".join(parts) + "\n"
