"""Generated paths, links and modes on the whole way of a change: nothing outside is ever touched.

GENERATED_EXAMPLES sets how many are tried.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aifactory import landing, policy
from aifactory.errors import AifactoryError
from aifactory.git import Entry, format_tree
from aifactory.model import Change, Proposal, Task
from aifactory.settings import Policy
from aifactory.tree import GitTree
from aifactory.workspace import Workspace, Workspaces
from tests.conftest import Checkout
from tests.landing.conftest import AGENT, AT, Desk
from tests.memory import scratch

__all__ = ["scratch"]  # a fixture

EXAMPLES = int(os.environ.get("GENERATED_EXAMPLES", "60"))
pytestmark = pytest.mark.timeout(300 + EXAMPLES // 2)
CANARY = b"the bytes of somebody else"
START = {"a.txt": "a\n", "src/m.py": "m\n", "run.sh": "#!/bin/sh\n"}
# In the tree, and in the checkout only, as the user left them there.
LINKS = {"out": "../outside", "secret": "../outside/secret.txt", "me": ".", "up": ".."}
UNTRACKED = {"mine": "../outside", "deep/mine": "../../outside", "file": "../outside/secret.txt"}

KNOWN = (*START, *LINKS, *UNTRACKED, "src", "new", "outside", "secret.txt", "x")
ODD = ("..", ".", "", "...", ".git", ".GIT", "git~1", ".g\u200cit", "hooks", "config", "HEAD")
UGLY = ("a\\b", "..\\outside", "nul\0", "new\nline", "\u202e", "~", "C:", "-rf", "*", "\udcff")
PARTS = st.sampled_from((*KNOWN, *ODD, *UGLY))
PATHS = st.lists(PARTS, min_size=1, max_size=4).map("/".join)
ABSOLUTE = (
    st.just("{outside}/secret.txt") | st.just("{outside}/new") | st.just("/tmp/../{outside}/x")
)
CHANGES = st.lists(
    st.builds(
        Change,
        path=PATHS | ABSOLUTE,
        content=st.sampled_from([b"written\n", None, b"\0binary", CANARY[:4]]),
        mode=st.sampled_from(["100644", "100755"]),
    ),
    min_size=1,
    max_size=3,
)
TARGETS = st.sampled_from(
    ["../../../outside", "/", "..", "a.txt", "{outside}", "{outside}/secret.txt"]
)
ENTRIES = st.dictionaries(
    st.sampled_from(["link", "a.txt", "x", "..", ".git", "secret.txt", "deep"]),
    st.tuples(st.sampled_from(["100644", "100755", "120000", "160000", "040000"]), TARGETS),
    min_size=1,
    max_size=3,
)
TRIED = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture
def outside(scratch: Path) -> Path:
    place = scratch / "outside"
    place.mkdir()
    (place / "secret.txt").write_bytes(CANARY)
    return place


@pytest.fixture
def desk(
    outside: Path,
    scratch: Path,
    make_checkout: Callable[..., Checkout],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Desk]:
    monkeypatch.setenv("AIFACTORY_CACHE_DIR", str(scratch / "cache"))
    checkout = make_checkout(files=START)
    for name, target in LINKS.items():
        (checkout.root / name).symlink_to(target)
    checkout.commit({}, "links")
    for name, target in UNTRACKED.items():
        (checkout.root / name).parent.mkdir(exist_ok=True)
        (checkout.root / name).symlink_to(target)
    made = Desk.at(checkout)
    yield made
    made.close()


@pytest.fixture
def workspace(desk: Desk) -> Iterator[Workspace]:
    with Workspaces(desk.repository, desk.layout, lambda slot: None).lease() as leased:
        yield leased


def stands(place: Path) -> dict[str, Any]:
    """Everything in a directory, with what tells whether it was written."""
    found = {}
    for path in (place, *place.rglob("*")):
        status = path.lstat()
        kept = (status.st_ino, status.st_mode, status.st_mtime_ns, status.st_ctime_ns)
        found[str(path)] = (kept, path.read_bytes() if path.is_file() else b"")
    return found


def pointed(changes: list[Change], outside: Path) -> tuple[Change, ...]:
    """The changes, with the place of `outside` in their paths."""
    return tuple(
        change.model_copy(update={"path": change.path.replace("{outside}", str(outside))})
        for change in changes
    )


def allowed(proposal: Proposal, modes: Mapping[str, str]) -> bool:
    task = Task(task_id="t1", description="d", files=("**",))
    try:
        policy.check(task, proposal.changes, base_paths=modes, policy=Policy())
    except AifactoryError:
        return False
    return True


def go(desk: Desk, workspace: Workspace, proposal: Proposal) -> None:
    """All the way to the user's checkout, whatever the policy says: every layer holds by itself."""
    who: dict[str, Any] = {"author": AGENT, "committer": AGENT, "at": AT, "message": "Do t1"}
    target = "refs/heads/main"
    candidate = landing.prepare(desk.repository, desk.layout, proposal, target=target, **who)
    try:
        workspace.checkout(candidate.repository, candidate.tree)
        for change in proposal.changes:
            assert CANARY not in (workspace.read(change.path, 1000) or b"")
        landing.publish(desk.repository, candidate)
        desk.lander().land(candidate)
    finally:
        landing.discard(candidate)


def put_back(desk: Desk, start: str) -> None:
    """The checkout as it was, by the user's own means."""
    desk.checkout.git("reset", "--hard", "--quiet", start)
    desk.checkout.git("clean", "-fdq", "--exclude=mine", "--exclude=file")


def test_no_change_reaches_beyond_the_repository(
    desk: Desk, workspace: Workspace, outside: Path
) -> None:
    before, start = stands(outside), desk.tip()
    git_before = {name: (desk.layout.git_dir / name).read_bytes() for name in ("config", "HEAD")}
    modes = {path: entry.mode for path, entry in GitTree(desk.repository, start).entries.items()}
    seen = {"landed": 0, "refused": 0, "allowed": 0}

    @TRIED
    @given(CHANGES)
    def tried(changes: list[Change]) -> None:
        pointing = pointed(changes, outside)
        proposal = Proposal(task_id="t1", attempt=1, agent="coder", base=start, changes=pointing)
        seen["allowed"] += allowed(proposal, modes)
        try:
            go(desk, workspace, proposal)
        except AifactoryError:
            seen["refused"] += 1
        landed = desk.tip() != start
        seen["landed"] += landed
        assert stands(outside) == before
        assert sorted(path.name for path in desk.root.parent.iterdir()) == [
            "cache",
            "outside",
            "repo",
        ]
        for name, data in git_before.items():
            assert (desk.layout.git_dir / name).read_bytes() == data
        assert not list((desk.layout.git_dir / "hooks").glob("x"))
        if landed:
            put_back(desk, start)

    tried()
    assert seen["refused"] and (EXAMPLES < 50 or (seen["landed"] and seen["allowed"]))


def test_no_tree_of_links_opens_a_way_out(desk: Desk, workspace: Workspace, outside: Path) -> None:
    before = stands(outside)
    repository = desk.repository
    blob = repository.write("blob", b"written\n")
    below = repository.write("tree", format_tree({"secret.txt": Entry("100644", blob)}))
    through = {name: Entry("040000", below) for name in ("link", "deep", "x")}
    plain = repository.write("tree", format_tree(through))
    commit = desk.tip()

    def entry(mode: str, target: str) -> Entry:
        if mode == "040000":
            return Entry(mode, below)
        if mode == "160000":
            return Entry(mode, commit)
        text = target.replace("{outside}", str(outside))
        return Entry(mode, repository.write("blob", text.encode()))

    @TRIED
    @given(ENTRIES)
    def tried(entries: dict[str, tuple[str, str]]) -> None:
        made = {name: entry(*kind) for name, kind in entries.items()}
        tree = repository.write("tree", format_tree(made))
        for wanted in (tree, plain):  # what was a link is a directory in the second
            with contextlib.suppress(AifactoryError):
                workspace.checkout(repository, wanted)
            for name in (*entries, "link/secret.txt", "link"):
                assert CANARY not in (workspace.read(name, 1000) or b"")
            workspace.restore()
        assert stands(outside) == before
        assert (workspace.path / "link/secret.txt").read_bytes() == b"written\n"

    tried()


def test_the_canary_can_be_reached_where_nothing_holds(desk: Desk, outside: Path) -> None:
    """The control: the same names lead out when they are simply joined."""
    before = stands(outside)
    assert (desk.root / "secret").read_bytes() == CANARY
    (desk.root / "mine" / "new").write_bytes(b"written\n")
    assert stands(outside) != before
