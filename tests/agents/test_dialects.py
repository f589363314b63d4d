"""Dialects over HTTP on a real socket: what a model is asked, and what its program reads."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from aifactory.agents import endpoint
from aifactory.agents.dialects import Asked, Said
from aifactory.agents.endpoint import Desk, serve
from aifactory.model import Answer, Usage
from aifactory.models import calling

# As gemini 0.61.0 sent it, with most of its instructions and tools left out.
RECORDED = Path(__file__).with_name("gemini.json").read_bytes().strip()
HEAD = """POST {path} HTTP/1.1\r
host: 127.0.0.1:3128\r
connection: keep-alive\r
User-Agent: GeminiCLI-tui/0.61.0/aifactory (linux; x64; terminal)\r
x-goog-api-client: google-genai-sdk/1.30.0 gl-node/v20.20.2\r
Content-Type: application/json\r
x-goog-api-key: none\r
accept: */*\r
accept-language: *\r
sec-fetch-mode: cors\r
accept-encoding: gzip, deflate\r
content-length: {length}\r
\r
"""
MODEL = "/v1beta/models/aifactory"
EXPRESS = "/v1beta1/publishers/google/models/aifactory"
GOOGLES_PATTERN = re.compile(r"^\s*data: (.*)(?:\n\n|\r\r|\r\n\r\n)")  # of its own client


class Place:
    """An endpoint at work, whose model says one thing."""

    def __init__(self, socket: Path) -> None:
        self.socket = socket
        self.answer = Answer(text="fine", model="any", usage=Usage(prompt=7, completion=3))
        self.seconds = 0.0
        self.asked: list[Asked] = []
        self.aside: list[str] = []

    def say(self, asked: Asked, gone: Callable[[], bool]) -> Said:
        self.asked.append(asked)
        time.sleep(self.seconds)
        return Said(self.answer, len(self.asked))

    def post(self, path: str, body: Any) -> tuple[int, str]:
        """The status and the body of the answer."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(20)
            line.connect(str(self.socket))
            line.sendall(HEAD.format(path=path, length=len(data)).encode() + data)
            came = b"".join(iter(lambda: line.recv(65536), b"")).decode()
        head, _, rest = came.partition("\r\n\r\n")
        return int(head.split()[1]), rest


@contextmanager
def opened(folder: Path) -> Iterator[Place]:
    place = Place(folder / "models")
    with serve(place.socket, Desk(place.say, place.aside.append), None):
        yield place


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with opened(tmp_path) as place:
        yield place


def user(*parts: Any) -> dict[str, Any]:
    return {"role": "user", "parts": [*parts]}


def test_what_gemini_really_sends(place: Place) -> None:
    place.answer = calling("run_shell_command", command="ls")
    status, came = place.post(f"{EXPRESS}:streamGenerateContent?alt=sse", RECORDED)
    [asked] = place.asked
    roles = [message["role"] for message in asked.messages]
    assert (status, roles) == (200, ["system", "user", "assistant", "tool"])
    assert "TASK-ID: t1" in asked.messages[1]["content"]
    [called], result = asked.messages[2]["tool_calls"], asked.messages[3]
    assert called["id"] == result["tool_call_id"]
    assert json.loads(called["function"]["arguments"])["command"] == "printf 'A = 2\\n' > a.py"
    assert result["content"].startswith("<untrusted_context>\nOutput: (empty)")
    [tool] = asked.tools
    assert tool["function"]["name"] == "run_shell_command"
    assert tool["function"]["parameters"]["required"] == ["command"]
    found = GOOGLES_PATTERN.match(came)
    assert found and found.end() == len(came)
    [candidate] = json.loads(found[1])["candidates"]
    [part] = candidate["content"]["parts"]
    assert part["functionCall"]["args"] == {"command": "ls"}
    assert candidate["finishReason"] == "STOP"


def test_a_program_that_waits_is_sent_what_its_reader_passes_over(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoint, "WAIT_SECONDS", 0.05)
    place.seconds = 0.3
    _, came = place.post(f"{MODEL}:streamGenerateContent?alt=sse", {"contents": [user()]})
    assert came.startswith("\n\n") and GOOGLES_PATTERN.match(came)
    _, came = place.post("/v1/messages", {"messages": [], "stream": True})
    assert came.startswith(": wait\n\n")


def test_an_answer_at_once_says_what_it_took(place: Place) -> None:
    place.answer = place.answer.model_copy(update={"finish_reason": "length"})
    _, came = place.post(f"{MODEL}:generateContent", {"contents": [user({"text": "hi"})]})
    said = json.loads(came)
    [candidate] = said["candidates"]
    assert candidate["content"] == {"role": "model", "parts": [{"text": "fine"}]}
    assert candidate["finishReason"] == "MAX_TOKENS"
    assert said["usageMetadata"]["totalTokenCount"] == 10


def test_results_without_an_id_are_of_the_calls_in_their_order(place: Place) -> None:
    calls = [{"functionCall": {"name": name, "args": {}}} for name in ("look", "edit", "look")]
    results = [
        {"functionResponse": {"name": name, "response": {"output": said}}}
        for name, said in (("look", "one"), ("look", "two"), ("edit", "done"))
    ]
    turns = [{"role": "model", "parts": calls}, user(*results, {"text": "go on"})]
    place.post(f"{MODEL}:generateContent", {"contents": turns})
    made, *told = place.asked[0].messages
    first, second, third = (one["id"] for one in made["tool_calls"])
    assert [(one.get("tool_call_id"), one["content"]) for one in told] == [
        (first, "one"), (third, "two"), (second, "done"), (None, "go on"),
    ]  # fmt: skip
    assert len({first, second, third}) == 3


def test_a_form_that_is_asked_for_is_told(place: Place) -> None:
    schema = {"type": "OBJECT", "properties": {"type": {"type": "STRING"}}}
    form = {"responseMimeType": "application/json", "responseSchema": schema}
    body = {
        "systemInstruction": user({"text": "be brief"}),
        "contents": [user({"text": "hi"}, {"text": "a thought", "thought": True})],
        "generationConfig": form,
        "tools": [{"googleSearch": {}}, {"functionDeclarations": [
            {"name": "look", "parameters": schema}, {"name": "stop"}]}],
    }  # fmt: skip
    place.post(f"{MODEL}:generateContent", body)
    [asked] = place.asked
    system, told = asked.messages
    small = {"type": "object", "properties": {"type": {"type": "string"}}}
    assert system["content"].startswith("be brief\n\nAnswer with one JSON value")
    assert json.dumps(small) in system["content"] and told["content"] == "hi"
    assert [tool["function"]["parameters"] for tool in asked.tools] == [
        small, {"type": "object", "properties": {}},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "name", "body"),
    [
        (f"{MODEL}:countTokens", "totalTokens", {"contents": [user({"text": "x" * 4000})]}),
        (
            f"{MODEL}:countTokens",
            "totalTokens",
            {"generateContentRequest": {"contents": [user({"text": "x" * 4000})]}},
        ),
        (
            "/v1/messages/count_tokens?beta=true",
            "input_tokens",
            {"messages": [{"role": "user", "content": "x" * 4000}]},
        ),
    ],
)
def test_tokens_are_counted_without_a_model(
    place: Place, path: str, name: str, body: dict[str, Any]
) -> None:
    status, came = place.post(path, body)
    assert status == 200 and 1000 <= json.loads(came)[name] < 1100
    assert place.asked == [] and place.aside == ["how many tokens there are"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (
            "/v1/chat/completions",
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"schema": {"type": "array"}},
                }
            },
        ),
        ("/v1/chat/completions", {"response_format": {"type": "json_object"}}),
        (
            "/v1/responses",
            {"text": {"format": {"type": "json_schema", "schema": {"type": "array"}}}},
        ),
    ],
)
def test_a_form_is_told_in_openais_dialects(place: Place, path: str, body: dict[str, Any]) -> None:
    asks = [{"role": "user", "content": "list them"}]
    assert place.post(path, {"messages": asks, "input": asks, **body})[0] == 200
    system, _ = place.asked[0].messages
    assert system["content"].startswith("Answer with one JSON value")
    assert ('{"type": "array"}' in system["content"]) == ("array" in json.dumps(body))


def test_a_talk_is_told_in_the_order_that_every_provider_takes(place: Place) -> None:
    """As claude 2.1.197 says what skills there are, and codex what its developer wants."""
    asks, tells = {"role": "user", "content": "do it"}, {"role": "system", "content": "a skill"}
    calls = {"role": "assistant", "content": [
        {"type": "tool_use", "id": "c1", "name": "look", "input": {}}]}  # fmt: skip
    sees = {"role": "user", "content": [
        {"type": "tool_result", "tool_use_id": "c1", "content": "seen"}]}  # fmt: skip
    talk = [asks, tells, calls, sees, tells]
    place.post("/v1/messages", {"system": "be good", "messages": talk})
    developer = {"role": "developer", "content": "be quick"}
    place.post("/v1/responses", {"instructions": "be good", "input": [developer, asks]})
    first, second = (
        [(one["role"], one["content"]) for one in asked.messages] for asked in place.asked
    )
    assert first == [
        ("system", "be good"),
        ("user", "do it\n\na skill"),
        ("assistant", None),
        ("tool", "seen"),
        ("user", "a skill"),
    ]
    assert second == [("system", "be good\n\nbe quick"), ("user", "do it")]


PNG = {"mimeType": "image/png", "data": "AA=="}
BLOCK = {"type": "image", "source": {"type": "base64", "data": "AA=="}}
LOOK = {"name": "look", "args": {}}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (f"{MODEL}:generateContent", {"contents": [user({"inlineData": PNG})]}),
        (
            f"{MODEL}:generateContent",
            {
                "contents": [
                    {"role": "model", "parts": [{"functionCall": LOOK}]},
                    user(
                        {
                            "functionResponse": LOOK
                            | {"response": {}, "parts": [{"inlineData": PNG}]}
                        }
                    ),
                ]
            },
        ),
        ("/v1/messages", {"messages": [{"role": "user", "content": [BLOCK]}]}),
        (
            "/v1/messages",
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [
                            {"type": "tool_result", "tool_use_id": "c1", "content": [BLOCK]}
                        ],
                    }
                ]
            },
        ),
        (
            "/v1/chat/completions",
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]},
        ),
        (
            "/v1/responses",
            {
                "input": [
                    {"role": "user", "content": [{"type": "input_image", "image_url": "data:"}]}
                ]
            },
        ),
    ],
)
def test_a_picture_is_left_out_and_its_model_is_told(
    place: Place, path: str, body: dict[str, Any]
) -> None:
    assert place.post(path, body)[0] == 200
    assert "(left out: i" in place.asked[0].messages[-1]["content"]


@pytest.mark.parametrize(
    "body",
    [
        {"contents": [user({"executableCode": {"language": "PYTHON", "code": "1"}})]},
        {"contents": [user({"functionResponse": {"name": "look", "response": {}}})]},
        {"contents": [user({})]},
        {"contents": 5},
        {},
        [],
        b"no JSON",
    ],
)
def test_what_is_no_text_is_refused_in_googles_form(place: Place, body: Any) -> None:
    status, came = place.post(f"{MODEL}:generateContent", body)
    error = json.loads(came)["error"]
    assert (status, error["code"], error["status"]) == (400, 400, "INVALID_ARGUMENT")
    assert place.aside == [error["message"]] and place.asked == []
