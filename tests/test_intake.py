"""What lies in `tasks/`: good files, bad files and things that are no files at all."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aifactory import intake
from aifactory.errors import EnvironmentUnusable, InvalidTask
from tests.patience import until

GOOD = {"task_id": "t1", "description": "Do it"}


@pytest.fixture
def tasks(tmp_path: Path) -> Path:
    folder = tmp_path / "tasks"
    folder.mkdir()
    return folder


def put(folder: Path, name: str, document: object = GOOD) -> Path:
    path = folder / name
    path.write_bytes(document if isinstance(document, bytes) else json.dumps(document).encode())
    return path


def refusal(path: Path) -> str:
    with pytest.raises(InvalidTask) as caught:
        intake.read(path)
    assert caught.value.problems
    return caught.value.message


def test_read(tasks: Path) -> None:
    assert intake.read(put(tasks, "any name.json")).task_id == "t1"
    assert (
        intake.read(Path("tasks/x.json"), b'{"task_id": "t2", "description": "d"}').task_id == "t2"
    )


def test_error_lists_every_problem_on_a_line(tasks: Path) -> None:
    path = put(tasks, "bad.json", {"task_id": 5, "files": ["a", {}], "descripton": "d"})
    assert refusal(path) == (
        "tasks/bad.json: description: expected text that says what to do (required), got nothing\n"
        "tasks/bad.json: descripton: expected a known name (did you mean `description`?), "
        "got an unknown name\n"
        "tasks/bad.json: files[1]: expected a path or glob relative to the root of the repository, "
        "got an object of 0\n"
        "tasks/bad.json: task_id: expected an id of 1 to 100 letters, digits, '.', '_' or '-', "
        "the first a letter or a digit, got 5"
    )


def test_only_regular_files_are_opened_and_nothing_is_waited_for(
    tasks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tasks)
    os.mkfifo(tasks / "pipe.json")
    (tasks / "folder.json").mkdir()
    (tasks / "link.json").symlink_to("/etc/passwd")
    (tasks / "device.json").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.json")  # short: its length is limited
        assert "a pipe, socket or device" in refusal(tasks / "pipe.json")
        assert "expected a regular file" in refusal(tasks / "socket.json")
        assert "expected a regular file, got a directory" in refusal(tasks / "folder.json")
        assert "got a symbolic link" in refusal(tasks / "link.json")
        assert "got a symbolic link" in refusal(tasks / "device.json")
        assert "expected a file, got nothing" in refusal(tasks / "gone.json")
        found = intake.scan(tasks)
    assert [one.path.name for one in found if one.error] == [
        "device.json",
        "link.json",
        "pipe.json",
        "socket.json",
    ]


def test_a_terabyte_of_nesting_is_refused_unread(tasks: Path) -> None:
    path = put(tasks, "deep.json", b"[" * 10_000_000)
    os.truncate(path, 10**12)  # nobody could read that
    assert "expected at most 1048576 bytes, got 1000000000000 bytes" in refusal(path)


def test_suffix_in_capitals_is_no_reason_for_silence(tasks: Path) -> None:
    put(tasks, "A.JSON")
    assert [found.path.name for found in intake.scan(tasks)] == ["A.JSON"]


def test_names_that_are_no_task_files(tasks: Path) -> None:
    for name in (".a.json", "a.json~", "a.json.tmp", "a.json.swp", "a.json.part", "a.txt", "json"):
        put(tasks, name)
    (tasks / "below").mkdir()
    put(tasks / "below", "b.json")
    assert intake.scan(tasks) == []


def test_bad_files_stop_nothing(tasks: Path) -> None:
    put(tasks, "1.json", b"{")
    put(tasks, "2.json", b"")
    put(tasks, "3.json", GOOD)
    put(tasks, "4.json", {"task_id": "t4"})
    put(tasks, "5.json", b"[" * 400_000)
    found = intake.scan(tasks)
    assert [bool(one.task) for one in found] == [False, False, True, False, False]
    assert [one.task_id for one in found] == [None, None, "t1", "t4", None]
    assert all(one.error is None or one.error.problems for one in found)


def test_copies_are_one_task(tasks: Path) -> None:
    put(tasks, "b.json", {"description": "Do it", "priority": 10, "task_id": "t1"})
    put(tasks, "a.json", GOOD)
    (only,) = intake.scan(tasks)
    assert only.path.name == "a.json"


def test_one_id_with_two_contents_is_none(tasks: Path) -> None:
    put(tasks, "a.json", GOOD)
    put(tasks, "b.json", GOOD | {"priority": 1})
    put(tasks, "c.json", GOOD | {"task_id": "t2"})
    first, second, other = intake.scan(tasks)
    assert first.task is None and second.task is None and other.task
    assert "'t1', also in tasks/b.json with other content" in str(first.error)
    assert "'t1', also in tasks/a.json with other content" in str(second.error)
    assert first.digest != intake.digest(json.dumps(GOOD).encode())


def test_mending_one_of_two_mends_both(tasks: Path) -> None:
    put(tasks, "a.json", GOOD)
    wrong = put(tasks, "b.json", GOOD | {"priority": 1})
    settle(tasks)
    before = {one.path: one for one in intake.scan(tasks)}
    wrong.unlink()
    (only,) = intake.scan(tasks, before)
    assert only.task and only.error is None


def settle(tasks: Path) -> None:
    """Wait until the files are old enough that their stamps are believed."""
    until(lambda: all(one.stamp for one in map(intake.look, tasks.iterdir()) if one))


def test_unchanged_files_are_not_read_again(tasks: Path) -> None:
    path = put(tasks, "a.json")
    settle(tasks)
    (before,) = intake.scan(tasks)
    (same,) = intake.scan(tasks, {path: before})
    assert same is before
    put(tasks, "a.json", GOOD | {"priority": 3})
    (changed,) = intake.scan(tasks, {path: before})
    assert changed.task and changed.task.priority == 3


def test_fresh_files_are_looked_at_again(tasks: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "_SETTLED_NS", 3600 * 10**9)  # so that this one is fresh for sure
    found = intake.look(put(tasks, "a.json"))
    assert found and found.stamp is None


def test_age_is_that_of_the_file(tasks: Path) -> None:
    path = put(tasks, "a.json")
    os.utime(path, (0, 0))
    found = intake.look(path)
    assert found and found.seen_at == "1970-01-01T00:00:00.000000Z"


def test_folder_that_is_missing_or_none(tmp_path: Path) -> None:
    assert intake.scan(tmp_path / "tasks") == []
    (tmp_path / "file").touch()
    with pytest.raises(EnvironmentUnusable, match="cannot be listed"):
        intake.scan(tmp_path / "file")


def test_name_that_is_no_text(tasks: Path) -> None:
    name = os.fsdecode(b"\xff\n.json")
    put(tasks, name, b"{")
    (found,) = intake.scan(tasks)
    assert str(found.error).startswith("tasks/\\udcff\\n.json: expected valid JSON")
    assert intake.id_of_file(found.path) == "task"
    assert intake.id_of_file(Path("Mend it, now!.json")) == "Mend-it-now-"


@pytest.mark.parametrize(
    "same",
    [
        b'{"description":"Do it","task_id":"t1"}',
        b'\n{ "task_id" : "t1", "priority": 10,\t"description": "Do it", "files": [] }\n',
        b'{"task_id":"t1","description":"Do it","status":"completed","depends_on":null}',
        b'{"id":"t1","intent":"Do it"}',
        b'\xef\xbb\xbf{"task_id":"t1","description":"Do it"}',
    ],
)
def test_digest_is_that_of_the_meaning(same: bytes) -> None:
    assert intake.digest(same) == intake.digest(json.dumps(GOOD).encode())


@pytest.mark.parametrize("other", [{"description": "Do it!"}, {"priority": 9}, {"inputs": [1]}])
def test_digest_changes_with_the_meaning(other: dict[str, Any]) -> None:
    assert intake.digest(json.dumps(GOOD | other).encode()) != intake.digest(
        json.dumps(GOOD).encode()
    )


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    [
        *("task_id", "id", "description", "intent", "title", "files", "allowed_files"),
        *("depends_on", "priority", "status", "budget", "forbidden", "preconditions"),
        *("created_at", "acceptance_commands", "inputs", "land", "schedule", "other"),
    ]
)


@given(st.dictionaries(FIELDS, ANYTHING, max_size=8))
def test_any_document_is_a_task_or_a_list_of_problems(document: dict[str, Any]) -> None:
    whole = {"task_id": "t1", "description": "d"} | document
    for candidate in (document, whole):
        data = json.dumps(candidate).encode()
        try:
            task = intake.read(Path("tasks/t.json"), data)
        except InvalidTask as error:
            assert error.problems
            assert all(line.isprintable() for line in error.message.split("\n"))
        else:
            assert task.task_id in (candidate.get("task_id"), candidate.get("id"))
        assert len(intake.digest(data)) == 64


@given(st.binary(max_size=300))
def test_any_bytes_have_a_digest(data: bytes) -> None:
    assert len(intake.digest(data)) == 64
