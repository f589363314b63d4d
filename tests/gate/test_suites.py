"""What a test file lost, Python by its syntax tree and other languages by their words."""

from __future__ import annotations

import pytest

from aifactory.gate.suites import losses

BEFORE = """\
import pytest
from calc import add


def test_add():
    assert add(2, 2) == 4
    assert add(0, 0) == 0


@pytest.mark.parametrize("a", [1, 2, 3])
def test_more(a):
    assert add(a, 0) == a


class TestCalc:
    def test_error(self):
        with pytest.raises(TypeError):
            add(None, 1)
"""


def lost(after: str, before: str = BEFORE, path: str = "tests/test_calc.py") -> str:
    return "; ".join(losses(path, before.encode(), after.encode(), ()))


def edited(old: str, new: str) -> str:
    assert old in BEFORE
    return lost(BEFORE.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("def test_add():", "def add_test():", "test_add is gone"),
        ("def test_add():", "@pytest.mark.skip\ndef test_add():", "test_add is skipped"),
        ("def test_add():", "@pytest.mark.xfail(reason='x')\ndef test_add():", "is skipped"),
        ("def test_add():", "@unittest.skipIf(1, '')\ndef test_add():", "is skipped"),
        ("def test_add():\n", "def test_add():\n    pytest.skip('later')\n", "is skipped"),
        ("def test_add():\n", "def test_add():\n    return\n", "test_add asserts less"),
        ("import pytest", "import pytest\npytestmark = pytest.mark.skip", "is skipped"),
        ("import pytest", "import pytest\npytest.skip(allow_module_level=True)", "is skipped"),
        ("class TestCalc:\n", "class TestCalc:\n    __test__ = False\n", "test_error is skipped"),
        ("    assert add(0, 0) == 0\n", "", "test_add asserts less: 1 equalities"),
        ("assert add(0, 0) == 0", "assert add(0, 0) is not None", "asserts less"),
        ("assert add(0, 0) == 0", "assert True", "asserts what is true whatever"),
        ("assert add(0, 0) == 0", "assert 0 == 0", "asserts what is true whatever"),
        ("assert add(0, 0) == 0", "assert add(0, 0) == add(0, 0)", "asserts less"),
        ("assert add(0, 0) == 0", "assert add(0, 0) == 0 or True", "is true whatever"),
        ("assert add(0, 0) == 0", "assert (add(0, 0) == 0, 'zero')", "is true whatever"),
        (
            "    assert add(0, 0) == 0\n",
            "    try:\n        assert add(0, 0) == 0\n    except Exception:\n        pass\n",
            "is true whatever",
        ),
        ("    assert add(0, 0) == 0\n", "    if False:\n        assert add(0, 0) == 0\n", "less"),
        ("[1, 2, 3]", "[1]", "test_more has 1 cases instead of 3"),
        ("[1, 2, 3]", "[]", "test_more is skipped"),
        ("with pytest.raises(TypeError):\n            ", "", "test_error asserts less"),
        ("import pytest\n", "import pytest (\n", "is no Python any more"),
        ("def test_add():\n", "def test_add():\n    if 1:\n        return\n", "asserts less"),
        (
            "def test_add():\n",
            "def test_add():\n    if add:\n        raise SkipTest\n",
            "is skipped",
        ),
        (
            "    assert add(0, 0) == 0\n",
            "    with contextlib.suppress(AssertionError):\n        assert add(0, 0) == 0\n",
            "is true whatever",
        ),
        (
            "    assert add(0, 0) == 0\n",
            "    with pytest.raises(AssertionError):\n        assert add(0, 0) == 0\n",
            "is true whatever",
        ),
        (
            "    assert add(0, 0) == 0\n",
            "    zero = add(0, 0)\n    assert add(0, 0) == zero\n",
            "asserts less",
        ),
        ("def test_add():", "later = pytest.mark.skip\n\n@later\ndef test_add():", "is skipped"),
    ],
)
def test_python_that_proves_less(old: str, new: str, told: str) -> None:
    assert told in edited(old, new)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("def test_add():", "def test_sums():"),
        ("assert add(0, 0) == 0", "assert add(0, 0) == 0, 'zero'"),
        ("assert add(0, 0) == 0", "assert 0 == add(0, 0)\n    assert add(1, 1) == 2"),
        ("[1, 2, 3]", "range(100)"),
        (
            "def test_add():\n    assert add(2, 2) == 4\n    assert add(0, 0) == 0\n",
            (
                "@pytest.mark.parametrize('a, b', [(2, 4), (0, 0)])\n"
                "def test_add(a, b):\n    assert add(a, a) == b\n"
            ),
        ),
        ("import pytest\n", "import pytest\nfrom helpers import make\n"),
        ("class TestCalc:\n", "class TestCalc:\n    def test_new(self): assert add(1, 2) == 3\n"),
        ("    assert add(0, 0) == 0\n", "    for n in range(9):\n        assert add(n, 0) == n\n"),
        (
            "    assert add(0, 0) == 0\n",
            "    try:\n        assert add(0, 0) == 0\n    except Exception:\n        raise\n",
        ),
    ],
)
def test_python_that_proves_as_much(old: str, new: str) -> None:
    assert edited(old, new) == ""


def test_cases_that_have_a_name_are_counted() -> None:
    named = BEFORE.replace('"a", [1, 2, 3]', '"a", CASES').replace(
        "from calc", "CASES = [1, 2, 3]\nfrom calc"
    )
    assert lost(named) == ""
    emptied = lost(named.replace("[1, 2, 3]", "[]"))
    assert emptied.startswith("test_more is skipped; test_more asserts less")
    assert emptied.endswith("assertions in 3 cases; test_more has 0 cases instead of 3")


def test_a_new_file_has_to_prove_something() -> None:
    assert lost("def test_a():\n    assert f(1) == 2\n", before="") == ""
    mocked = "def test_a():\n    f(asked)\n    asked.assert_called_once_with(6, 2)\n"
    assert lost(mocked, before="") == ""
    assert lost("def test_a(page):\n    page.assert_text('Hello')\n", before="") == ""
    assert "whatever the code does" in lost("def test_a():\n    assert 1 == 1\n", before="")
    assert "is skipped" in lost("import pytest\n@pytest.mark.skip\ndef test_a(): ...\n", before="")


@pytest.mark.parametrize(
    ("mark", "dead"),
    [
        ("@pytest.mark.skip", True),
        ("@unittest.skip('later')", True),
        ("@pytest.mark.skipif(True, reason='x')", True),
        ("@pytest.mark.xfail", True),
        ("@pytest.mark.parametrize('a', [])", True),
        ("@pytest.mark.skipif(sys.platform == 'win32', reason='x')", False),
        ("@unittest.skipUnless(os.geteuid(), 'x')", False),
    ],
)
def test_a_new_test_may_depend_on_the_machine(mark: str, dead: bool) -> None:
    new = f"{mark}\ndef test_a():\n    assert f(1) == 2\n"
    assert lost(new, before="") == ("test_a is skipped" if dead else "")
    inside = "def test_a():\n    {}pytest.skip('x')\n    assert f(1) == 2\n"
    assert lost(inside.format("if not have():\n        "), before="") == ""
    assert lost(inside.format(""), before="") == "test_a is skipped"


def test_a_test_that_moves_to_another_file_is_not_gone() -> None:
    assert losses("tests/test_calc.py", b"def test_a(): assert f()", b"", ["test_a"]) == []
    assert losses("tests/test_calc.py", b"def test_a(): assert f()", None, []) == ["test_a is gone"]


JS = "describe('calc', () => {\n  it('adds', () => { expect(add(2, 2)).toBe(4); });\n});\n"
GO = 'func TestAdd(t *testing.T) {\n\tif Add(2, 2) != 4 { t.Fatal("no") }\n}\n'
RUST = "#[test]\nfn adds() { assert_eq!(add(2, 2), 4); }\n"


@pytest.mark.parametrize(
    ("path", "before", "after", "told"),
    [
        ("a.test.js", JS, JS.replace("it(", "it.skip("), "skipped or singled out"),
        ("a.test.js", JS, JS.replace("it(", "xit("), "skipped or singled out"),
        ("a.test.js", JS, JS.replace("describe(", "describe.only("), "singled out"),
        ("a.test.js", JS, JS.replace("expect(add(2, 2)).toBe(4);", ""), "0 assertions instead"),
        ("a.test.js", JS, JS.replace("  it", "  // it"), "0 tests instead of 1"),
        ("a.test.js", JS, JS.replace("add(2, 2)).toBe(4)", "true).toBe(true)"), "true"),
        ("a_test.go", GO, GO.replace("{\n", "{\n\tt.Skip()\n", 1), "skipped or singled out"),
        ("a_test.go", GO, "", "0 tests instead of 1"),
        ("tests/a.rs", RUST, RUST.replace("fn", "#[ignore]\nfn"), "skipped or singled out"),
        ("tests/a.rs", RUST, RUST.replace("add(2, 2), 4", "4, 4"), "always true"),
        ("a.test.js", JS, JS + JS.replace("adds", "adds more"), ""),
        ("a_test.go", GO, GO + GO.replace("TestAdd", "TestMore"), ""),
        ("tests/a.rs", RUST, RUST + RUST.replace("adds", "more"), ""),
    ],
)  # fmt: skip
def test_other_languages(path: str, before: str, after: str, told: str) -> None:
    found = lost(after, before, path)
    assert told in found if told else found == ""


@pytest.mark.parametrize("source", ["(" * 5000, "x = " + "-" * 100_000 + "1", "\0", "a\r\n\tb"])
def test_hostile_sources_are_told_not_raised(source: str) -> None:
    assert "is no Python any more" in lost(source)
