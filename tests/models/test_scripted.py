from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from aifactory.errors import ModelPermanent
from aifactory.models import Gateway, Request


def script(root: Path, tasks: Any) -> None:
    (root / "answers.json").write_text(json.dumps({"tasks": tasks}))


def ask(root: Path, task_id: str = "t1", *, turn: int = 0, model: str = "answers.json") -> Any:
    request = Request("c1", task_id, f"scripted/{model}", ({"role": "user", "content": "x"},))
    request = Request(**{**vars(request), "turn": turn})
    return Gateway(root).complete(request)


def test_the_nth_request_for_a_task_gets_its_nth_answer_and_the_last_repeats(
    tmp_path: Path,
) -> None:
    script(tmp_path, {"t1": [{"text": "one"}, {"text": "two"}], "t2": [{"text": "other"}]})
    assert [ask(tmp_path, turn=turn).text for turn in range(4)] == ["one", "two", "two", "two"]
    assert ask(tmp_path, "t2").text == "other"


def test_an_answer_carries_its_finish_reason_and_usage_and_costs_nothing(tmp_path: Path) -> None:
    usage = {"prompt_tokens": 7, "completion_tokens": 3}
    script(tmp_path, {"t1": [{"text": "cut", "finish_reason": "length", "usage": usage}]})
    answer = ask(tmp_path)
    assert (answer.finish_reason, answer.usage.prompt, answer.usage.completion) == ("length", 7, 3)
    assert (answer.cost_usd, answer.cost_known) == (0.0, True)
    assert answer.model == "scripted/answers.json"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "expected JSON"),
        ("[" * 100_000, "expected JSON"),
        ("[]", "`tasks` must be an object"),
        ('{"tasks": {"t2": []}}', "tasks.t1: expected a list of answers that is not empty, got no"),
        ('{"tasks": {"t1": []}}', "expected a list of answers that is not empty, got []"),
        ('{"tasks": {"t1": [{"text": 5}]}}', "tasks.t1[0].text: Input should be a valid string"),
        ('{"tasks": {"t1": [{"usage": {"prompt_tokens": "x"}}]}}', "usage.prompt_tokens"),
    ],
)
def test_a_bad_file_is_named_with_field_and_what_was_found(
    tmp_path: Path, content: str, said: str
) -> None:
    (tmp_path / "answers.json").write_text(content)
    with pytest.raises(ModelPermanent) as caught:
        ask(tmp_path)
    assert "answers.json" in caught.value.message
    assert said in caught.value.message


def test_a_missing_file_and_one_outside_the_repository_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelPermanent, match="No such file"):
        ask(tmp_path, model="none.json")
    with pytest.raises(ModelPermanent, match="inside the repository"):
        ask(tmp_path, model="../../etc/passwd")
