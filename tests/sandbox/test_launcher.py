"""What runs as root makes nothing on the machine itself, only on what it has just mounted."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from aifactory.sandbox.launcher import make_directory, write_file


def test_nothing_is_made_where_nothing_was_covered(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="not covered"):
        make_directory(str(tmp_path / "a" / "b"), set())
    with pytest.raises(OSError, match="not covered"):
        write_file(str(tmp_path / "file"), b"x", set())
    assert list(tmp_path.iterdir()) == []


def test_no_link_is_followed(tmp_path: Path) -> None:
    fresh = {tmp_path.stat().st_dev}
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / "link").symlink_to(outside)
    with pytest.raises(OSError, match="through a link"):
        make_directory(str(tmp_path / "link" / "b"), fresh)
    assert list(outside.iterdir()) == []


def test_what_was_just_mounted_is_filled(tmp_path: Path) -> None:
    fresh = {tmp_path.stat().st_dev}
    write_file(str(tmp_path / "etc" / "passwd"), b"x", fresh)
    assert (tmp_path / "etc" / "passwd").read_bytes() == b"x"
    with pytest.raises(FileExistsError):
        write_file(str(tmp_path / "etc" / "passwd"), b"y", fresh)
    make_directory(str(tmp_path / "etc"), set())  # it is there: nothing is made
    assert os.listdir(tmp_path) == ["etc"]
