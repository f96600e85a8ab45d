"""Settings: which place wins, what is refused and how that is said, the docs page."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punie_cli.docs import settings_page
from punie_cli.errors import UsageError
from punie_cli.paths import shipped
from punie_cli.settings import Settings, config_file, load


@pytest.fixture(autouse=True)
def no_variables(punie_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in [v for v in os.environ if v.startswith("PUNIE_") and v != "PUNIE_HOME"]:
        monkeypatch.delenv(variable)


def write_config(text: str) -> Path:
    config_file().parent.mkdir(parents=True, exist_ok=True)
    config_file().write_text(text)
    return config_file()


def test_defaults() -> None:
    assert load() == Settings()
    assert Settings().model_dump() == {
        "model": None,
        "adapter": None,
        "ty": None,
        "ruff": None,
        "python": None,
        "notify": None,
        "max_steps": 8,
        "max_tokens": 512,
        "allow": (),
        "mode": "ask",
        "commands": "enclosed",
        "suites": (),
        "check_programs": True,
        "agents_md": True,
        "blas": None,
        "keys": "emacs",
        "color": "auto",
    }


def test_suites_are_names_or_files_that_count_from_where_they_are_written(monkeypatch: pytest.MonkeyPatch) -> None:
    file = write_config('suites = ["core", "own/mine.toml"]')
    assert load().suites == ("core", str(file.parent / "own" / "mine.toml"))
    monkeypatch.setenv("PUNIE_SUITES", "core,~/mine.toml,foundation")
    assert load().suites == ("core", str(Path.home() / "mine.toml"), "foundation")


def test_file_then_environment_then_flags(monkeypatch: pytest.MonkeyPatch) -> None:
    write_config('model = "file"\nadapter = "file"\nmax_steps = 3\nallow = ["write"]\n')
    monkeypatch.setenv("PUNIE_MODEL", "environment")
    monkeypatch.setenv("PUNIE_MAX_STEPS", "4")
    monkeypatch.setenv("PUNIE_ADAPTER", "")
    settings = load({"max_steps": 5, "model": None})
    chosen = (settings.model, settings.adapter, settings.max_steps, settings.allow)
    assert chosen == ("environment", "file", 5, ("write",))


@pytest.mark.parametrize(
    ("value", "allow"),
    [("write,run", ("write", "run")), (" run , run", ("run",)), (["read"], ("read",)), ("", ())],
)
def test_rules(value: object, allow: tuple[str, ...]) -> None:
    assert load({"allow": value}).allow == allow


def test_nothing_is_read_from_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("config.toml").write_text('allow = ["run"]\n')
    Path("pyproject.toml").write_text('[tool.punie]\nallow = ["run"]\n')
    Path(".punie").mkdir()
    Path(".punie/config.toml").write_text('allow = ["run"]\n')
    assert load() == Settings()


def test_relative_paths_count_from_where_they_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = write_config('ty = "bin/ty"\nmodel = "./models/mine"\nadapter = "named"\n')
    settings = load({"python": ".venv"})
    assert settings.ty == file.parent / "bin" / "ty"
    assert settings.model == str(file.parent / "models" / "mine")
    assert settings.adapter == "named"
    assert settings.python == tmp_path / ".venv"
    assert load({"ty": "~/ty"}).ty == Path.home() / "ty"


@pytest.mark.parametrize(
    ("config", "variables", "flags", "message"),
    [
        ("modle = 'x'", {}, {}, "{file} has modle, which is no setting; did you mean model?"),
        ("zzz = 1", {}, {}, "{file} has zzz, which is no setting; there are: model, adapter, ty, ruff, python, "
         "max_steps, max_tokens, allow, mode, commands, suites, check_programs, agents_md, blas, keys, color, notify"),
        ("", {"PUNIE_MODLE": "x"}, {}, "the environment has PUNIE_MODLE, which is no setting; did you mean "
         "PUNIE_MODEL?"),
        ("max_steps = 0", {}, {}, "max_steps in {file} is 0: input should be greater than or equal to 1"),
        ("color = 'pink'", {}, {}, "color in {file} is 'pink': it must be 'auto', 'always' or 'never'"),
        ("", {"PUNIE_MAX_TOKENS": "many"}, {}, "PUNIE_MAX_TOKENS in the environment is 'many': input should be a valid "
         "integer, unable to parse string as an integer"),
        ("", {}, {"allow": "all"}, "--allow in the command line is 'all': it must be 'write', 'run', 'read', "
         "'network' or 'outside'"),
        ("model =", {}, {}, "{file} cannot be read: Invalid value (at end of document)"),
    ],
)  # fmt: skip
def test_refused(
    config: str, variables: dict[str, str], flags: dict[str, str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write_config(config)
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    with pytest.raises(UsageError) as caught:
        load(flags)
    assert caught.value.message == message.format(file=file)
    assert caught.value.hint is not None


def test_other_variables_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUNIE_EMBEDDED_WHEEL", "x.whl")
    assert load() == Settings()


@given(st.dictionaries(st.sampled_from([*Settings.model_fields, "else"]), st.text(max_size=20), max_size=3))
def test_any_text_is_a_setting_or_a_usage_error(flags: dict[str, str]) -> None:
    try:
        load(flags)
    except UsageError as error:
        assert error.message


def test_page_is_current() -> None:
    page = shipped().parent / "docs" / "settings.md"
    assert page.read_text(encoding="utf-8") == settings_page(), "run: python -m punie_cli.docs"
