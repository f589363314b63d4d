"""Settings: where each value comes from, and what is said of one that is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aifactory.config import Config, load, parse
from aifactory.errors import InvalidConfig
from aifactory.settings import keys

EVERYTHING = b"""
[model]
default = "openai/gpt"
api_base = "http://127.0.0.1:8000/v1"
fallbacks = ["openai/other"]
seconds = 30
parameters = {temperature = 0.2, stop = ["x"]}
[model.prices]
"openai/gpt" = {prompt = 1.5, completion = 6}

[gate]
commands = ["python -m pytest -q", "ruff check"]
timeout = 12.5

[agents]
default = "writer"

[land]
mode = "pr"
branch = "main"

[environment]
python = ".venv/bin/python"

[policy]
commands = ["pytest"]
protected = ["src/core"]
max_files = 9
accept_weak_limits = true

[budget.task]
usd = 2
tokens = 100_000
[budget.day]
seconds = 3600

[run]
jobs = 2

[sandbox]
backend = "bubblewrap"
limits = {processes = 50}
"""


def problems(text: str) -> list[str]:
    with pytest.raises(InvalidConfig) as caught:
        parse(text.encode())
    assert caught.value.exit_code == 2
    assert caught.value.problems
    return [str(problem).removeprefix("aifactory.toml: ") for problem in caught.value.problems]


def test_defaults() -> None:
    settings = parse(b"")
    assert settings.model.default is None
    assert (settings.gate.commands, settings.gate.timeout) == ((), 600.0)
    assert (settings.agents.default, settings.land.mode, settings.run.jobs) == ("coder", "auto", 4)
    assert settings.budget.task.usd is None
    assert settings == Config()


def test_everything_can_be_set() -> None:
    settings = parse(EVERYTHING)
    assert settings.model.prices["openai/gpt"].completion == 6.0
    assert settings.model.parameters == {"temperature": 0.2, "stop": ["x"]}
    assert settings.gate.commands == ("python -m pytest -q", "ruff check")
    assert (settings.budget.task.usd, settings.budget.day.seconds) == (2.0, 3600.0)
    assert settings.sandbox.limits.processes == 50
    assert settings.sandbox.limits.open_files == 1024
    assert settings.origin("policy.max_files") == "aifactory.toml"
    assert settings.origin("policy.max_bytes") == "default"


def test_precedence(tmp_path: Path) -> None:
    """The same key everywhere, then taken away from the top, layer by layer."""
    user = tmp_path / "xdg" / "aifactory" / "config.toml"
    user.parent.mkdir(parents=True)
    user.write_text("run.jobs = 5")
    (tmp_path / "aifactory.toml").write_text("run.jobs = 6")
    home = {"XDG_CONFIG_HOME": str(tmp_path / "xdg")}
    environ = home | {"AIFACTORY_RUN_JOBS": "7"}

    def seen(settings: Config) -> tuple[int, str]:
        return settings.run.jobs, settings.origin("run.jobs")

    assert seen(load(tmp_path, flags={"run.jobs": 8}, environ=environ)) == (8, "--jobs")
    assert seen(load(tmp_path, flags={"run.jobs": None}, environ=environ)) == (
        7,
        "AIFACTORY_RUN_JOBS",
    )
    assert seen(load(tmp_path, environ=home)) == (6, "aifactory.toml")
    (tmp_path / "aifactory.toml").unlink()
    assert seen(load(tmp_path, environ=home)) == (5, str(user))
    user.unlink()
    assert seen(load(tmp_path, environ=home)) == (4, "default")


def test_user_file_below_the_home(tmp_path: Path) -> None:
    user = tmp_path / ".config" / "aifactory" / "config.toml"
    user.parent.mkdir(parents=True)
    user.write_text("[model]\ndefault = 'mine'")
    assert load(tmp_path, environ={"HOME": str(tmp_path)}).model.default == "mine"


def test_layers_mix_within_a_section() -> None:
    settings = parse(
        b"[model]\nseconds = 9", environ={"AIFACTORY_MODEL": "x", "AIFACTORY_API_BASE": "y"}
    )
    assert (settings.model.default, settings.model.api_base, settings.model.seconds) == (
        "x",
        "y",
        9,
    )
    assert settings.origin("model.default") == "AIFACTORY_MODEL"


@pytest.mark.parametrize(
    ("name", "text", "key", "value"),
    [
        ("AIFACTORY_MODEL_DEFAULT", "123", "model.default", "123"),
        (
            "AIFACTORY_GATE_COMMANDS",
            "python -m pytest -q",
            "gate.commands",
            ("python -m pytest -q",),
        ),
        ("AIFACTORY_GATE_COMMANDS", '["a b", "c"]', "gate.commands", ("a b", "c")),
        ("AIFACTORY_GATE_TIMEOUT", "90", "gate.timeout", 90.0),
        ("AIFACTORY_BUDGET_DAY_USD", "1.5", "budget.day.usd", 1.5),
        ("AIFACTORY_POLICY_ACCEPT_WEAK_LIMITS", "true", "policy.accept_weak_limits", True),
        ("AIFACTORY_LAND_MODE", "approve", "land.mode", "approve"),
        ("AIFACTORY_MODEL_PARAMETERS", "{seed = 1}", "model.parameters", {"seed": 1}),
    ],
)
def test_environment(name: str, text: str, key: str, value: object) -> None:
    settings = parse(b"", environ={name: text})
    assert settings.value(key) == value
    assert settings.origin(key) == name


def test_short_name_goes_before_the_long_one() -> None:
    environ = {"AIFACTORY_MODEL": "short", "AIFACTORY_MODEL_DEFAULT": "long"}
    assert parse(b"", environ=environ).model.default == "short"


def test_empty_variable_is_not_set() -> None:
    assert parse(b"", environ={"AIFACTORY_MODEL": ""}).origin("model.default") == "default"


def test_strange_variables_only_warn() -> None:
    settings = parse(b"", environ={"AIFACTORY_MODLE": "x", "AIFACTORY_CACHE_DIR": "/c", "HOME": ""})
    assert settings.warnings == ("AIFACTORY_MODLE is no setting (did you mean AIFACTORY_MODEL?)",)


def test_wrong_variable_is_an_error_that_names_it() -> None:
    with pytest.raises(
        InvalidConfig, match=r"^AIFACTORY_RUN_JOBS: run.jobs: expected a whole number"
    ):
        parse(b"", environ={"AIFACTORY_RUN_JOBS": "many"})


def test_unknown_flag_is_an_error() -> None:
    with pytest.raises(InvalidConfig, match=r"--job: run.job: .*did you mean `jobs`"):
        parse(b"", flags={"run.job": 1})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("modle = 1", "modle: expected a known name (did you mean `model`?), got an unknown name"),
        ("[gate]\ncomands = []", "gate.comands: expected a known name (did you mean `commands`?)"),
        ("timeout = 5", "timeout: expected a known name (did you mean `gate.timeout`?)"),
        ("model = 'x'", "model: expected a table with api_base, default"),
        ("[gate]\ntimeout = '5'", 'gate.timeout: expected a number, got "5"'),
        ("[gate]\ntimeout = 0", "gate.timeout: expected greater than 0, got 0"),
        ("[gate]\ntimeout = nan", "gate.timeout: expected a finite number"),
        ("[gate]\ncommands = 'x'", 'gate.commands: expected a list, got "x"'),
        ("[gate]\ncommands = ['a', 1]", "gate.commands[1]: expected text in quotes, got 1"),
        ("[gate]\ncommands = [' ']", 'gate.commands[0]: expected text that is not blank, got " "'),
        ("[run]\njobs = true", "run.jobs: expected a whole number, got true"),
        ("[run]\njobs = 1.0", "run.jobs: expected a whole number, got 1.0"),
        ("[land]\nmode = 'now'", "land.mode: expected 'auto', 'approve', 'branch' or 'pr'"),
        ("[land]\nbranch = 2024-01-01", "land.branch: expected no date or time"),
        ("[budget.day]\nusd = -1", "budget.day.usd: expected greater than or equal to 0, got -1"),
        (
            "[model.prices]\nm = {prompt = 1}",
            "model.prices.m.completion: expected a value (required)",
        ),
        ("[model]\nparameters = {api_key = 'sk'}", "model.parameters.api_key: expected no key"),
        ("[sandbox]\nbackend = 'none'", "sandbox.backend: expected 'firejail' or 'bubblewrap'"),
        ("a = ", "expected valid TOML, got Invalid value (at end of document)"),
        ("a = 1\na = 2", "expected valid TOML, got Cannot overwrite a value (at"),
        ("x = " + "[" * 5000, "expected valid TOML"),
        ("# " + "x" * (1 << 20), "expected valid TOML, got more than 1048576 bytes"),
        ('"a\\nb\u202e" = 1', "a\\nb\\u202e: expected one of agents"),
    ],
)
def test_wrong_settings(text: str, said: str) -> None:
    (only,) = problems(text)
    assert only.startswith(said)


def test_all_problems_of_all_layers_at_once(tmp_path: Path) -> None:
    user = tmp_path / "aifactory" / "config.toml"
    user.parent.mkdir()
    user.write_text("[gate]\ntimout = 1")
    with pytest.raises(InvalidConfig) as caught:
        parse(
            b"[run]\njobs = 0\n[land]\nmode = 3",
            environ={"XDG_CONFIG_HOME": str(tmp_path), "AIFACTORY_GATE_TIMEOUT": "x"},
        )
    assert [(p.file, p.field) for p in caught.value.problems] == [
        (str(user), "gate.timout"),
        ("aifactory.toml", "run.jobs"),
        ("aifactory.toml", "land.mode"),
        ("AIFACTORY_GATE_TIMEOUT", "gate.timeout"),
    ]


def test_no_secret_is_repeated() -> None:
    (only,) = problems("[model.parameters.extra_headers]\nAuthorization = 'sk-canary'")
    assert only.startswith("model.parameters.extra_headers.Authorization: expected no key")
    assert "canary" not in only


def test_text_that_is_no_utf8() -> None:
    with pytest.raises(InvalidConfig, match="expected valid TOML"):
        parse(b"\xff\xfe")


def test_file_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "aifactory.toml").mkdir()
    with pytest.raises(InvalidConfig, match="a file that can be read, got Is a directory"):
        load(tmp_path, environ={})


def test_rows_name_every_key_with_its_meaning() -> None:
    rows = {row.key: row for row in parse(EVERYTHING).rows()}
    assert set(rows) == set(keys())
    assert all(row.description.endswith(".") for row in rows.values())
    assert rows["gate.timeout"][1:3] == (12.5, "aifactory.toml")
    assert rows["gate.timeout"].description == "Limit of one command, in seconds."


def test_unknown_key_asked_for() -> None:
    with pytest.raises(InvalidConfig, match=r"did you mean `gate.timeout`"):
        parse(b"").origin("gate.timout")


def test_variables_of_different_keys_differ() -> None:
    known = keys()
    assert len({"AIFACTORY_" + key.replace(".", "_").upper() for key in known}) == len(known)


@given(
    st.dictionaries(
        st.sampled_from(sorted(keys())),
        st.integers()
        | st.booleans()
        | st.text("a1 ", max_size=4)
        | st.lists(st.text("a", max_size=2)),
        max_size=4,
    )
)
def test_any_values_are_settings_or_problems(flags: dict[str, object]) -> None:
    try:
        settings = parse(b"", flags=flags)
    except InvalidConfig as error:
        assert {problem.field.partition("[")[0] for problem in error.problems} <= set(flags)
    else:
        assert all(settings.origin(key).startswith("--") for key in flags)
