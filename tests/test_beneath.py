"""Directories that untrusted code may have written in."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from aifactory import beneath


def test_folder_follows_no_link(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/file").write_text("x")
    (tmp_path / "link").symlink_to("a")
    with beneath.opened(tmp_path) as root:
        with beneath.folder(root, "a/b") as fd:
            assert os.listdir(fd) == ["file"]
        with beneath.folder(root, "") as fd:
            assert sorted(os.listdir(fd)) == ["a", "link"]
        for path in ("link", "link/b", "a/b/file", "none"):
            with pytest.raises(OSError), beneath.folder(root, path):
                pass
    with pytest.raises(OSError), beneath.opened(tmp_path / "link"):
        pass


def test_claim_opens_what_is_closed_but_no_link(tmp_path: Path) -> None:
    (tmp_path / "dark").mkdir(mode=0)
    (tmp_path / "outside").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to("outside")
    with beneath.opened(tmp_path) as root:
        beneath.claim(root, "dark", 0o755)
        with pytest.raises(OSError):
            beneath.claim(root, "link", 0o777)
    assert (tmp_path / "dark").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "outside").stat().st_mode & 0o777 == 0o700


def test_discard_and_empty(tmp_path: Path) -> None:
    place, trash, kept = (tmp_path / name for name in ("place", "trash", "kept"))
    for directory in (place / "a/b/c", trash, kept):
        directory.mkdir(parents=True)
    (kept / "file").write_text("x")
    (place / "link").symlink_to(kept)
    (place / "a/b/link").symlink_to(kept)
    (place / "a/b").chmod(0)
    with beneath.opened(place) as fd, beneath.opened(trash) as bin:
        for name in ("a", "link", "none"):
            beneath.discard(fd, name, bin)
        assert len(os.listdir(bin)) == 1
        beneath.empty(bin)
    assert list(place.iterdir()) == list(trash.iterdir()) == []
    assert (kept / "file").read_text() == "x"


def test_read_is_bounded_by_what_the_file_was(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    (tmp_path / "empty").touch()
    with beneath.opened(tmp_path) as root:
        assert beneath.read(root, "file", 5) == b"12345"
        assert beneath.read(root, "file", 4) is None
        assert beneath.read(root, "empty", 0) == b""
        assert beneath.read(root, "../" + tmp_path.name + "/file", 5) is None


def test_a_directory_is_no_file_and_costs_no_descriptor(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with beneath.opened(tmp_path) as root:
        before = len(os.listdir("/proc/self/fd"))
        assert beneath.read(root, "folder", 1000) is None
        assert len(os.listdir("/proc/self/fd")) == before
