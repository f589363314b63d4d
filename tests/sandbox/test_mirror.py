"""Whatever a command leaves, nothing outside the directory is read or written."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from aifactory.sandbox.mirror import (
    copy_back,
    copy_in,
    leads_out,
    marks,
    measure,
    other_names,
)

NAMES = st.sampled_from(["a", "b", ".git", ".GIT", "c d", "é", "..."])
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
TARGETS = st.sampled_from(
    ["a", "../a", "../../secret", "/etc/passwd", "a/../../secret", ".", "b/c"]
)
ENTRIES = st.one_of(
    st.tuples(st.just("file"), st.binary(max_size=20), st.integers(0, 0o7777)),
    st.tuples(st.just("link"), TARGETS, st.just(0)),
    st.tuples(st.just("fifo"), st.just(b""), st.just(0)),
    st.tuples(st.just("directory"), st.just(b""), st.just(0)),
)
TREES = st.dictionaries(PATHS, ENTRIES, max_size=6)


def grow(top: Path, tree: dict[str, tuple[str, bytes | str, int]]) -> None:
    """Put a tree on disk; what does not fit onto what is there is left out."""
    for name, (kind, content, mode) in tree.items():
        path = top / name
        if any(parent.is_symlink() for parent in (path, *path.parents) if parent != top):
            continue
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if kind == "file" and isinstance(content, bytes):
                path.write_bytes(content)
                path.chmod(mode | 0o600)
            elif kind == "link" and isinstance(content, str):
                path.symlink_to(content)
            elif kind == "fifo":
                os.mkfifo(path)
            else:
                path.mkdir()
        except OSError:
            continue


def snapshot(top: Path) -> dict[str, object]:
    """What is there: content, link, or kind, by relative path."""
    found: dict[str, object] = {}
    for path in sorted(top.rglob("*")):
        name = str(path.relative_to(top))
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            found[name] = ("link", str(path.readlink()))
        elif stat.S_ISREG(mode):
            found[name] = (path.read_bytes(), mode & 0o777)
        else:
            found[name] = stat.S_IFMT(mode)
    return found


def visible(found: dict[str, object]) -> dict[str, object]:
    """What a mirror carries."""
    git = [name for name in found if ".git" in name.lower().split("/")]
    return {n: v for n, v in found.items() if n not in git and v != stat.S_IFIFO}


@settings(max_examples=100, deadline=None)
@given(before=TREES, after=TREES)
def test_only_the_directory_changes_and_it_ends_as_the_command_left_it(
    before: dict[str, tuple[str, bytes | str, int]], after: dict[str, tuple[str, bytes | str, int]]
) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        base = Path(scratch)
        top, work, outside = base / "deep" / "top", base / "work", base / "secret"
        for path in (top, work):
            path.mkdir(parents=True)
        outside.write_text("untouched")
        grow(top, before)
        hidden = {n: v for n, v in snapshot(top).items() if n not in visible(snapshot(top))}

        copy_in(top, work, None, frozenset())
        assert snapshot(work) == visible(snapshot(top))
        at_start = marks(work, frozenset())
        grow(work, after)
        copy_back(work, top, at_start, frozenset())

        assert outside.read_text() == "untouched"
        assert sorted(path.name for path in base.iterdir()) == ["deep", "secret", "work"]
        assert {n: snapshot(top).get(n) for n in hidden} == hidden
        for name, value in visible(snapshot(work)).items():
            stays = isinstance(value, tuple) and value[0] == "link" and leads_out(name, value[1])
            if not stays and not leads_through(name, hidden):
                assert snapshot(top)[name] == value


def leads_through(name: str, hidden: dict[str, object]) -> bool:
    """Whether something that is never touched stands in the way."""
    return any(name == other or name.startswith(f"{other}/") or other.startswith(f"{name}/")
               for other in hidden)  # fmt: skip


@given(name=PATHS, link=st.lists(st.sampled_from(["..", "a", ".", ""]), max_size=6).map("/".join))
def test_a_link_leads_out_exactly_when_its_path_does(name: str, link: str) -> None:
    path = os.path.normpath(os.path.join("/top", os.path.dirname(name), link))  # noqa: PTH118, PTH120 - lexical
    below = path == "/top" or path.startswith("/top/")
    if link.startswith("/") or not below:
        assert leads_out(name, link)


LINKS = st.lists(st.sampled_from(["..", "a", "b", "z", "."]), min_size=1, max_size=5).map("/".join)


@settings(max_examples=300, deadline=None)
@given(links=st.dictionaries(st.sampled_from(["z", "w", "a/b", "a/c", "b/a/z"]), LINKS))
def test_no_link_that_comes_back_leads_out_whatever_the_others_are(links: dict[str, str]) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        work, top = Path(scratch, "1/2/3/work"), Path(scratch, "1/2/3/top")
        for path in (work / "a", work / "b/a", top):
            path.mkdir(parents=True)
        for name, link in links.items():
            (work / name).symlink_to(link)
        copy_back(work, top, {}, frozenset())
        for name in links:
            if (top / name).is_symlink():
                assert Path(os.path.realpath(top / name)).is_relative_to(top)


def test_marks_notice_a_change_that_hides_its_time(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("one")
    before = marks(tmp_path, frozenset())
    times = file.stat()
    file.write_text("two")
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert marks(tmp_path, frozenset()) != before


def test_measure_counts_what_would_be_carried(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * 10_000)
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "big").write_bytes(b"x" * 1_000_000)
    size, count = measure(tmp_path, frozenset())
    assert (10_000 <= size < 100_000, count) == (True, 1)


def test_other_names_are_those_outside(tmp_path: Path) -> None:
    top = tmp_path / "top"
    (top / "sub").mkdir(parents=True)
    for name in ("alone", "twice", "shared"):
        (top / name).write_text(name)
    (top / "sub/twice").hardlink_to(top / "twice")
    (tmp_path / "outside").hardlink_to(top / "shared")
    assert other_names(top, frozenset()) == ["shared"]
    assert other_names(top, frozenset({"shared"})) == []
