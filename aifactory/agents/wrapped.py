"""An agent that wraps a program with a talk of its own, such as aider: it works in the cage, and
asks models through us; what differs in the workspace at its end is the proposal.

That it ends well says nothing: the difference is judged like any other. Its keys are worth
nothing, and a model is the only thing it reaches.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

from aifactory.agents.base import FileAgent, Job
from aifactory.agents.bench import Bench
from aifactory.agents.installed import tools_for
from aifactory.agents.material import variables
from aifactory.agents.one_shot import opening
from aifactory.agents.talk import Talk
from aifactory.agents.tool_loop import earlier
from aifactory.agents.trimming import Material, fitting
from aifactory.errors import AnswerUnusable, DeadlinePassed, Interrupted
from aifactory.gate import Equipment
from aifactory.gate.execution import evidence, outcome
from aifactory.model import Change, CommandRecord, Proposal, Work
from aifactory.paths import match
from aifactory.prompts import BrokenPrompt, Prompt
from aifactory.sandbox import PROXY_PORT

ADDRESS = f"http://127.0.0.1:{PROXY_PORT}"
FILE, TEXT, FILES = "{prompt}", "{text}", "{files}"
MOST_TEXT = 100_000  # bytes of one word of a command; the kernel takes 131,072
KEY = "none"  # programs want one; it opens nothing
VARIABLES = {
    "OPENAI_BASE_URL": f"{ADDRESS}/v1",
    "OPENAI_API_BASE": f"{ADDRESS}/v1",
    "OPENAI_API_KEY": KEY,
    "ANTHROPIC_BASE_URL": ADDRESS,
    "ANTHROPIC_API_KEY": KEY,
    "GOOGLE_GEMINI_BASE_URL": ADDRESS,
    "GOOGLE_VERTEX_BASE_URL": ADDRESS,
    "GEMINI_API_KEY": KEY,
    "NO_PROXY": "127.0.0.1",
    "no_proxy": "127.0.0.1",
}


class Wrapped(FileAgent):
    def __init__(self, prompt: Prompt) -> None:
        if len(prompt.settings.commands) != 1:
            raise BrokenPrompt(f"{prompt.path}: front matter: kind wrapped needs one of `commands`")
        super().__init__(prompt)

    def propose(self, job: Job) -> Proposal:
        work = job.do(1, lambda: self.work(job))
        if not work.changes:
            said = "\n".join(evidence(one.argv[0], one) for one in work.commands)
            raise AnswerUnusable("the program changed nothing", evidence=said)
        return Proposal(
            task_id=job.task.task_id,
            attempt=job.attempt,
            agent=self.name,
            model=work.told[0],
            prompt_sha256=self.prompt.sha256,
            base=job.base,
            changes=work.changes,
        )

    def work(self, job: Job) -> Work:
        with job.bench() as bench:
            try:
                model = self.run(job, bench)
            except AnswerUnusable as error:
                error.commands = tuple(bench.commands)
                raise
            changes = tuple(self.taken(bench))
        return Work(commands=tuple(bench.commands), changes=changes, told=(model,))

    def run(self, job: Job, bench: Bench) -> str:
        """Let the program work; gives the model that answered it last."""
        text, cut = self.text(job)
        door = bench.door()
        (door / "prompt.md").write_text(text, encoding="utf-8")
        words = [*self.words(job, text, door / "prompt.md")]
        tools = tools_for(words[0], bench.programs)
        seconds = self.seconds(job)
        equipment = Equipment(
            readable=tools.readable,
            path=tools.path,
            variables={**VARIABLES, **self.prompt.settings.environment},
            network=door / "models",
            seconds=seconds,
        )
        with Talk(self.prompt, job, bench, cut) as talk:
            try:
                with talk.open(door / "models"):
                    record = bench.wrap(shlex.join(words), equipment, talk.stop)
            except Interrupted:
                talk.check()
                raise
            talk.check()
        self.check(record, seconds)
        return talk.model

    def check(self, record: CommandRecord, seconds: float) -> None:
        """Raises what its end says against it."""
        if record.ok:
            return
        shown = evidence(record.argv[0], record)
        message = f"`{record.argv[0]}` {outcome(record, seconds)}"
        if record.timed_out and seconds < self.prompt.settings.seconds:
            raise DeadlinePassed(message, evidence=shown)
        raise AnswerUnusable(message, evidence=shown)

    def seconds(self, job: Job) -> float:
        """How long the program may take: what the agent or the task allows."""
        own, given = self.prompt.settings.seconds, job.task.budget.seconds
        return own if given is None else min(own, given)

    def text(self, job: Job) -> tuple[str, tuple[str, ...]]:
        """What the program is told to do, and what was left out of that to fit the model."""
        settings = self.prompt.settings
        whole, room = Material(variables(job, settings), ()), job.room(settings.model)
        less = fitting(whole, room, lambda one: tuple(opening(self.prompt, job, one)))
        told = [*opening(self.prompt, job, less), *earlier(job.history)]
        return "\n\n".join(str(one["content"]) for one in told), less.cut

    def words(self, job: Job, text: str, place: Path) -> Iterator[str]:
        """The command with the task in it: as a word, or as the file that it stands in."""
        files = [path for path in sorted(job.tree.paths()) if match(job.task.files, path)]
        for word in shlex.split(self.prompt.settings.commands[0]):
            if word == FILES:
                yield from files if job.task.files else ()
            elif word == TEXT:
                yield short(text)
            else:
                yield word.replace(FILE, str(place))

    def taken(self, bench: Bench) -> Iterator[Change]:
        """What differs, but for what the program leaves behind for itself."""
        changes, left = bench.changes()
        droppings = self.prompt.settings.droppings
        if strange := [path for path in left if not (droppings and match(droppings, path))]:
            told = "; ".join(f"{path!r} {left[path]}" for path in strange)
            raise AnswerUnusable(f"the program left what cannot be proposed: {told}"[:1000])
        for change in changes:
            if change.base_sha256 or not (droppings and match(droppings, change.path)):
                yield change


def short(text: str) -> str:
    """A text that a command can take as a word."""
    if (size := len(text.encode())) > MOST_TEXT:
        raise AnswerUnusable(
            f"the prompt has {size} bytes, a word of a command has {MOST_TEXT} at most",
            next_step=f"let the agent's command read the file {FILE} in place of {TEXT}",
        )
    return text
