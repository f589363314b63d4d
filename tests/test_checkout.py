"""Trees as directories should hold them, and blobs a bounded number at a time."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from aifactory import checkout
from aifactory.errors import GitFailed
from aifactory.git import Entry, discover
from tests.conftest import Checkout


def test_blobs_in_bounded_pieces(
    make_checkout: Callable[..., Checkout], monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = [b"", b"\n\n", b"x" * 90, b"y" * 300, b"a blob\nwith lines\n", b"\0" * 120]
    made = make_checkout(files={f"f{n}": data for n, data in enumerate(contents)})
    repository = discover(made.root)
    oids = [repository.tree("HEAD")[f"f{n}"].oid for n in range(len(contents))]
    for most in (1, 100, 1000):
        monkeypatch.setattr(checkout, "_READ_AT_ONCE", most)
        assert list(checkout.blobs(repository, oids)) == list(zip(oids, contents, strict=True))
    assert list(checkout.blobs(repository, [])) == []
    for wrong in ("1" * 40, repository.tree_of("HEAD")):
        with pytest.raises(GitFailed, match="cannot be read"):
            list(checkout.blobs(repository, [*oids, wrong]))
    repository.close()


def test_listing(make_checkout: Callable[..., Checkout]) -> None:
    made = make_checkout(files={"a/b/c.txt": "1", "d.txt": "2"})
    made.git("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},deps/module")
    made.git("commit", "-qm", "module")
    repository = discover(made.root)
    found = checkout.listing(repository, repository.tree_of("HEAD"))
    assert sorted(found.files) == ["a/b/c.txt", "d.txt"]
    assert found.folders == {"a", "a/b", "deps", "deps/module"}
    empty = checkout.listing(repository, "")
    assert (empty.files, empty.folders) == ({}, frozenset())
    repository.close()


def test_index_survives_json() -> None:
    index = {"odd \udcff name": checkout.Known(Entry("100644", "1" * 40), (1, 2, 3))}
    assert checkout.thaw(json.loads(json.dumps(checkout.freeze(index)))) == index
