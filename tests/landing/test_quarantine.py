"""A proposal becomes a commit in quarantine: the tree that Git itself would write, or a refusal."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aifactory import landing
from aifactory.errors import EditRefused, ScopeViolation, StaleBase
from aifactory.git import Identity
from aifactory.landing import Landed
from aifactory.model import Change, Proposal, sha256
from tests.memory import scratch

__all__ = ["scratch"]  # a fixture

AGENT = Identity("coder", "coder@example.org")
PARTS = st.sampled_from(["a", "b", "c.txt", "ü", "with space"])
PATHS = st.lists(PARTS, min_size=1, max_size=3).map("/".join)
MODES = st.sampled_from(["100644", "100755"])


def prepared(desk: Any, *changes: Change, **more: Any) -> landing.Candidate:
    base = more.pop("base", desk.tip())
    proposal = Proposal(task_id="t1", attempt=2, agent="coder", base=base, changes=changes)
    given = {"target": "refs/heads/main", "message": "Do it", "at": 1, "author": AGENT}
    return landing.prepare(
        desk.repository, desk.layout, proposal, committer=AGENT, **(given | more)
    )


def test_nothing_is_visible_before_it_is_published(desk: Any) -> None:
    candidate = prepared(desk, Change(path="a.txt", content=b"new\n"))
    assert desk.repository.object(candidate.commit) is None
    assert candidate.repository.tree(candidate.commit).keys() == desk.repository.tree("main").keys()
    assert candidate.changed.keys() == {"a.txt"}
    landing.discard(candidate)
    assert not candidate.quarantine.exists()


def test_it_is_published_as_one_pack_as_often_as_one_likes(desk: Any) -> None:
    candidate = prepared(desk, Change(path="lib/x", content=b"x"))
    for _ in range(2):
        landing.publish(desk.repository, candidate)
    landing.discard(candidate)
    landing.publish(desk.repository, candidate)
    assert len(list(desk.repository.git_dir.glob("objects/pack/*.pack"))) == 1
    assert desk.repository.object(candidate.commit)
    assert desk.checkout.git("fsck", "--strict", "--no-dangling") == ""


def test_a_published_candidate_can_be_opened_again(desk: Any) -> None:
    first = desk.candidate({"a.txt": None, "lib/x": "x", "tool.sh": ("go\n", "100755")})
    again = landing.reopened(
        desk.repository,
        desk.layout,
        first.commit,
        target=first.target,
        task_id=first.task_id,
        attempt=first.attempt,
    )
    assert (again.base, again.tree, again.changed) == (first.base, first.tree, first.changed)
    assert isinstance(desk.lander().land(again), Landed)


def test_what_does_not_change_is_no_change(desk: Any) -> None:
    candidate = prepared(
        desk, Change(path="a.txt", content=b"a\n"), Change(path="none", content=None)
    )
    assert candidate.changed == {}
    assert candidate.tree == desk.repository.tree_of("main")
    landing.discard(candidate)


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("", ScopeViolation),
        ("/etc/passwd", ScopeViolation),
        ("../out", ScopeViolation),
        ("a/../../out", ScopeViolation),
        (".git/config", ScopeViolation),
        ("sub/.GIT/hooks/x", ScopeViolation),
        ("a.txt/below", EditRefused),
        ("src", EditRefused),
        ("link", EditRefused),
        ("link/below", EditRefused),
    ],
)
def test_paths_that_no_change_may_have(desk: Any, path: str, error: type[Exception]) -> None:
    (desk.root / "link").symlink_to("src")
    desk.checkout.commit({})
    with pytest.raises(error):
        prepared(desk, Change(path=path, content=b"x"))
    assert not list(desk.layout.quarantine.glob("*"))


def test_other_bytes_below_than_the_change_was_made_on(desk: Any) -> None:
    right = prepared(desk, Change(path="a.txt", content=b"x", base_sha256=sha256(b"a\n")))
    landing.discard(right)
    with pytest.raises(StaleBase):
        prepared(desk, Change(path="a.txt", content=b"x", base_sha256=sha256(b"other")))
    with pytest.raises(StaleBase):
        prepared(desk, Change(path="none", content=b"x", base_sha256=sha256(b"other")))


def test_the_trailers_are_there_once(desk: Any) -> None:
    said = {}
    for message in ("Do it", "Do it\n\nWhy.", "Do it\n\nAifactory-Agent: c\nAifactory-Task: t1\n"):
        candidate = prepared(desk, Change(path="a.txt", content=b"x"), message=message)
        landing.publish(desk.repository, candidate)
        landing.discard(candidate)
        form = "--format=%(trailers:only,unfold)"
        said[message] = desk.checkout.git("log", "-1", form, candidate.commit).split()
    ours = ["Aifactory-Task:", "t1", "Aifactory-Attempt:", "2"]
    assert list(said.values()) == [ours, ours, ["Aifactory-Agent:", "c", *ours]]


def test_a_signature_is_where_git_looks_for_it(desk: Any) -> None:
    signed: list[bytes] = []

    def sign(commit: bytes) -> str:
        signed.append(commit)
        return "-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----\n"

    candidate = prepared(desk, Change(path="a.txt", content=b"x"), sign=sign)
    landing.publish(desk.repository, candidate)
    landing.discard(candidate)
    body = desk.repository.object(candidate.commit)[1]
    assert b"\ngpgsig -----BEGIN SSH SIGNATURE-----\n AAAA\n -----END" in body
    assert body.replace(body[body.index(b"\ngpgsig") : body.index(b"\n\n")], b"") == signed[0]
    assert desk.checkout.git("fsck", "--strict", "--no-dangling") == ""


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    before=st.dictionaries(PATHS, MODES, max_size=6),
    after=st.dictionaries(PATHS, MODES, max_size=6),
)
def test_the_tree_is_the_one_that_git_would_write(
    desk: Any, before: dict[str, str], after: dict[str, str]
) -> None:
    """From any tree to any other: every path that is not in the second one is deleted."""
    old, new = sane(before), sane(after)
    base = git_commit(desk, old)
    changes = [Change(path=path, content=None) for path in old.keys() - new.keys()]
    changes += [
        Change.model_validate({"path": path, "content": path.encode(), "mode": mode})
        for path, mode in new.items()
    ]
    candidate = prepared(desk, *changes, base=base)
    try:
        assert candidate.tree == git_tree(desk, new)
        gone = {path for path, (_, entry) in candidate.changed.items() if entry is None}
        assert gone == old.keys() - new.keys()
    finally:
        landing.discard(candidate)


def sane(files: dict[str, str]) -> dict[str, str]:
    """Without the files that would have to be directories at the same time."""
    return {
        path: mode
        for path, mode in files.items()
        if not any(other.startswith(f"{path}/") for other in files)
    }


def git_tree(desk: Any, files: dict[str, str]) -> str:
    """The tree by Git's own commands."""
    index = desk.root.parent / "index"
    index.unlink(missing_ok=True)
    env = {"GIT_INDEX_FILE": str(index), "PATH": "/usr/bin:/bin"}

    def git(*arguments: str, text: str = "") -> str:
        command = ["git", *arguments]
        done = subprocess.run(
            command, cwd=desk.root, env=env, input=text, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    lines = "".join(
        f"{mode} {git('hash-object', '-w', '--stdin', text=path)}\t{path}\0"
        for path, mode in files.items()
    )
    git("read-tree", "--empty")
    git("update-index", "-z", "--index-info", text=lines)
    return git("write-tree")


def git_commit(desk: Any, files: dict[str, str]) -> str:
    commit: str = desk.checkout.git("commit-tree", git_tree(desk, files), "-m", "base")
    return commit


def test_a_path_with_a_colon_in_front_of_the_repository(
    make_checkout: Callable[..., Any], make_desk: Callable[[Any], Any], scratch: Path
) -> None:
    """Git splits its list of object directories at colons."""
    (scratch / "a:b").mkdir()
    desk = make_desk(make_checkout("a:b/repo", {"a.txt": "a\n", "b.txt": "b\n"}))
    candidate = prepared(desk, Change(path="a.txt", content=b"new\n"))
    assert candidate.repository.run("show", f"{candidate.commit}:b.txt") == b"b\n"
    landing.discard(candidate)
    assert isinstance(desk.land({"a.txt": "new\n"}), Landed)
