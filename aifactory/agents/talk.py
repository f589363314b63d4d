"""What a wrapped program asks of models in one attempt: within its bounds, one after the other."""

from __future__ import annotations

import json
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from aifactory.agents.base import Job, Question
from aifactory.agents.bench import Bench
from aifactory.agents.dialects import Asked, Said
from aifactory.agents.endpoint import Desk, serve
from aifactory.errors import AifactoryError, AnswerUnusable, Cancelled
from aifactory.model import sha256
from aifactory.prompts import Prompt

SAME = 3  # equal questions that end an attempt
MOST_ASIDE = 500  # requests that are none for a model
POLL_SECONDS = 0.2
NOISE = re.compile(r"\b0x[0-9a-f]+|\b[0-9a-f]{6,64}\b|\d+")  # times, process ids, random names
Messages = tuple[dict[str, Any], ...]


class Talk:
    """Answers a program until something is wrong: then `stop` is set, which ends the program, and
    `check` raises it."""

    def __init__(self, prompt: Prompt, job: Job, bench: Bench, cut: tuple[str, ...]) -> None:
        self._prompt, self._job, self._bench, self._cut = prompt, job, bench, cut
        self._turn = threading.Lock()
        self._seen: Counter[str] = Counter()
        self._unheard: dict[str, Said] = {}  # what the program did not wait for
        self._last: Messages = ()
        self._aside = 0
        self._failure: BaseException | None = None
        self._over = threading.Event()
        self.stop = threading.Event()
        self.model = ""

    def __enter__(self) -> Self:
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()
        return self

    def __exit__(self, *raised: object) -> None:
        """Cut what is still asked: nobody hears the answer."""
        self._over.set()
        self.stop.set()
        self._watcher.join()
        with self._turn:
            pass

    def _watch(self) -> None:
        while not self._over.wait(POLL_SECONDS):
            if self._bench.stop.is_set():
                self.stop.set()

    @contextmanager
    def open(self, place: Path) -> Iterator[None]:
        """Answer at the socket until the end of the block, then hang up."""
        with serve(place, Desk(self.answer, self.aside), self._bench.owner):
            yield
            self._over.set()
            self.stop.set()

    def check(self) -> None:
        if self._failure is not None:
            raise self._failure

    def aside(self, why: str) -> None:
        self._aside += 1
        if self._aside >= MOST_ASIDE:
            times = f"{MOST_ASIDE} requests that are none for a model"
            self._end(AnswerUnusable(f"the program made {times}; the last one: {why}"))

    def answer(self, asked: Asked, gone: Callable[[], bool]) -> Said:
        with self._turn:
            try:
                return self._answer(asked, gone)
            except BaseException as error:
                self._end(error)
                if isinstance(error, AifactoryError):
                    raise
                raise Cancelled("the attempt is over") from error

    def _end(self, error: BaseException) -> None:
        """The first thing that is wrong counts; what comes of ending the program does not."""
        if self._failure is None and not self.stop.is_set():
            self._failure = error
        self.stop.set()

    def _answer(self, asked: Asked, gone: Callable[[], bool]) -> Said:
        if self.stop.is_set():
            raise Cancelled("the attempt is over")
        digest = self._digest(asked)
        said = self._unheard.pop(digest, None) or self._ask(asked, digest)
        if gone():
            self._unheard[digest] = said
        return said

    def _ask(self, asked: Asked, digest: str) -> Said:
        exactly = json.dumps([asked.messages, asked.tools])
        self._seen[exactly] += 1
        number, most = self._seen.total(), self._prompt.settings.steps
        if number > most:
            raise AnswerUnusable(f"the work was not finished after {most} answers")
        if self._seen[exactly] >= SAME:
            raise AnswerUnusable(f"goes in circles: the same question was asked {SAME} times")
        answer = self._job.ask(self._question(asked, digest, number))
        self.model, self._last = answer.model, asked.messages
        return Said(answer, number)

    def _question(self, asked: Asked, digest: str, number: int) -> Question:
        settings = self._prompt.settings
        known = len(self._last) if asked.messages[: len(self._last)] == self._last else 0
        return Question(
            messages=asked.messages,
            model=settings.model,
            parameters=dict(settings.parameters),
            prompt_sha256=self._prompt.sha256,
            budget=settings.budget,
            step=0,
            new=asked.messages[known:],
            tools=asked.tools,
            cut=self._cut if number == 1 else (),
            digest=digest,
            stop=self.stop,
        )

    def _digest(self, asked: Asked) -> str:
        """The same for a question that is asked anew after a crash: in another workspace, and with
        other numbers in what the program's own tools said."""
        told = [
            {**one, "content": NOISE.sub("#", one["content"])} if one["role"] == "tool" else one
            for one in asked.messages
        ]
        text = json.dumps([told, asked.tools], sort_keys=True)
        return sha256(text.replace(str(self._bench.place.parent), "").encode())
