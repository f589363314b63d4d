"""Where Git converts bytes on the way to the disk, a landing leaves what Git would leave."""

from __future__ import annotations

from typing import Any

import pytest

from aifactory.errors import EnvironmentUnusable
from aifactory.landing import Landed, Waiting

CRLF = "* text=auto eol=crlf\n"


def converting(desk: Any, attributes: str) -> None:
    """The same checkout under these attributes, every file as Git checks it out."""
    desk.checkout.commit({".gitattributes": attributes})
    desk.checkout.git("rm", "--quiet", "--cached", "-r", ".")
    desk.checkout.git("reset", "--quiet", "--hard")


def test_line_ends_follow_the_attributes(desk: Any) -> None:
    converting(desk, CRLF)
    assert (desk.root / "a.txt").read_bytes() == b"a\r\n"
    assert isinstance(desk.land({"a.txt": "1\n2\n", "lib/x": "x\n", "raw": b"\x00\n"}), Landed)
    assert (desk.root / "a.txt").read_bytes() == b"1\r\n2\r\n"
    assert (desk.root / "lib/x").read_bytes() == b"x\r\n"
    assert (desk.root / "raw").read_bytes() == b"\x00\n"
    assert desk.checkout.git("show", "HEAD:a.txt") == "1\n2"
    assert desk.status() == []
    assert desk.is_clean_and_quick()


def test_an_edit_under_attributes_is_an_edit(desk: Any) -> None:
    converting(desk, CRLF)
    (desk.root / "a.txt").write_bytes(b"mine\r\n")
    outcome = desk.land({"a.txt": "new\n"})
    assert outcome == Waiting("a.txt has uncommitted changes", ("a.txt",))


def test_a_file_that_git_takes_for_the_same_is_no_edit(desk: Any) -> None:
    """Committed with other line ends than Git would give it, and left so."""
    desk.checkout.commit({".gitattributes": CRLF, "a.txt": "other\n"})
    assert desk.status() == []
    assert isinstance(desk.land({"a.txt": "new\n"}), Landed)
    assert (desk.root / "a.txt").read_bytes() == b"new\r\n"


def test_new_attributes_are_in_force_for_what_comes_with_them(desk: Any) -> None:
    desk.land({".gitattributes": CRLF, "a.txt": "new\n"})
    assert (desk.root / "a.txt").read_bytes() == b"new\r\n"
    assert (desk.root / "b.txt").read_bytes() == b"b\n"
    assert desk.status() == []


@pytest.mark.parametrize("key", ["core.autocrlf", "core.eol"])
def test_the_users_own_settings_count(desk: Any, key: str) -> None:
    converting(desk, "*.txt text\n")
    desk.checkout.git("config", key, "true" if key == "core.autocrlf" else "crlf")
    desk.checkout.git("rm", "--quiet", "--cached", "-r", ".")
    desk.checkout.git("reset", "--quiet", "--hard")
    assert isinstance(desk.land({"a.txt": "new\n"}), Landed)
    assert (desk.root / "a.txt").read_bytes() == b"new\r\n"
    assert desk.status() == []


def test_ident_and_encodings(desk: Any) -> None:
    converting(desk, "a.txt ident\nb.txt text working-tree-encoding=UTF-16LE\n")
    assert isinstance(desk.land({"a.txt": "$Id$\n", "b.txt": "ü\n"}), Landed)
    oid = desk.checkout.git("rev-parse", "HEAD:a.txt")
    assert (desk.root / "a.txt").read_text() == f"$Id: {oid} $\n"
    assert (desk.root / "b.txt").read_bytes() == "ü\n".encode("utf-16-le")
    assert desk.status() == []


def test_a_filter_is_never_run_and_waited_for(desk: Any) -> None:
    ran = desk.root.parent / "ran"
    desk.checkout.git("config", "filter.lfs.smudge", f"touch {ran}; cat")
    desk.checkout.git("config", "filter.lfs.clean", f"touch {ran}; cat")
    desk.checkout.commit({".gitattributes": "*.bin filter=lfs -text\n", "x.bin": "x"})
    ran.unlink()
    outcome = desk.land({"x.bin": "y", "a.txt": "new\n"})
    assert outcome == Waiting("x.bin needs the filter `lfs`, and no filter is run", ("x.bin",))
    assert isinstance(desk.land({"a.txt": "new\n"}, "t2"), Landed)
    assert not ran.exists()


def test_a_filter_that_comes_with_the_change_is_waited_for_too(desk: Any) -> None:
    outcome = desk.land({".gitattributes": "*.txt filter=lfs\n", "a.txt": "new\n"})
    assert isinstance(outcome, Waiting)
    assert outcome.paths == ("a.txt",)


def test_a_crash_under_attributes_comes_out_the_same(
    desk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even when the stage is lost, with the converted bytes in it."""
    converting(desk, CRLF)
    candidate = desk.candidate({"a.txt": "new\n", "b.txt": None})
    monkeypatch.setenv("AIFACTORY_FAILPOINTS", "landing.files=error,landing.index=error")
    with pytest.raises(EnvironmentUnusable):
        desk.lander().land(candidate)
    (stage,) = desk.layout.stage.iterdir()
    for path in stage.glob("*.old"):
        path.unlink()
    monkeypatch.delenv("AIFACTORY_FAILPOINTS")
    assert "undone" in desk.recover()
    assert (desk.root / "a.txt").read_bytes() == b"a\r\n"
    assert (desk.root / "b.txt").read_bytes() == b"b\r\n"
    assert desk.status() == []
