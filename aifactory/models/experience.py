"""What the last answers of a model took, so that the next estimate does not fall short.

A provider may count more tokens in a prompt than we do, and may not keep to the longest completion
that it was told.
"""

from __future__ import annotations

from aifactory.model import Usage, Value

REMEMBERED = 32  # answers
LEAST_COMPLETION = 256  # with fewer tokens left, an answer would only be cut short


class Experience(Value):
    """Of one model: `factor` is how many times more tokens its provider counted in a prompt than
    we did, `overrun` the longest completion that went past its limit."""

    completions: tuple[int, ...] = ()
    factor: float = 1.0
    overrun: int = 0

    def expecting(self, estimate: Usage) -> Usage:
        """The most that a call may take, as this model counts."""
        return Usage(
            prompt=round(estimate.prompt * self.factor),
            completion=max(estimate.completion, self.overrun),
        )

    @property
    def least(self) -> int:
        """Tokens of completion below which an answer like the last ones would be cut short."""
        return max((LEAST_COMPLETION, *self.completions))

    def learn(self, estimate: Usage, actual: Usage) -> Experience:
        """What is known after one more answer."""
        over = actual.completion > estimate.completion
        return Experience(
            completions=(*self.completions, actual.completion)[-REMEMBERED:],
            factor=max(self.factor, actual.prompt / max(1, estimate.prompt)),
            overrun=max(self.overrun, actual.completion if over else 0),
        )
