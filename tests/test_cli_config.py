"""punie config: every subcommand, comments that stay, what is refused; punie completion."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from punie_cli.config import template
from punie_cli.settings import Settings, config_file, load, merge, user_layer
from tests.command_line import Ran, punie


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for variable in [v for v in os.environ if v.startswith("PUNIE_") and v != "PUNIE_HOME"]:
        monkeypatch.delenv(variable)
    folder = Path(os.path.realpath(tmp_path)) / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def user(text: str) -> Path:
    config_file().parent.mkdir(parents=True, exist_ok=True)
    config_file().write_text(text)
    return config_file()


def test_show(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    user("max_steps = 12\nallow = ['write']\n")
    (project / "pyproject.toml").write_text("[tool.punie]\nmode = 'read-only'\nmodel = 'theirs'\n")
    monkeypatch.setenv("PUNIE_CHECK_PROGRAMS", "false")
    ran = punie("config", "show", "--origin")
    rows = [line.split("\t") for line in ran.stdout.splitlines()]
    assert {row[0]: row[1:] for row in rows if row[-1] != "default"} == {
        "max_steps": ["12", str(config_file())],
        "allow": ["write", str(config_file())],
        "mode": ["read-only", str(project / "pyproject.toml")],
        "check_programs": ["false", "the environment, PUNIE_CHECK_PROGRAMS"],
    }
    assert [row[0] for row in rows] == list(Settings.model_fields)
    note = "Note: not applied, because this folder is not trusted: model of pyproject.toml; punie config trust\n"
    assert (ran.code, ran.stderr) == (0, note)
    items = {item["name"]: item for item in json.loads(punie("config", "show", "--json").stdout)}
    assert items["allow"] == {"name": "allow", "value": ["write"], "origin": str(config_file())}
    assert items["color"] == {"name": "color", "value": "auto", "origin": "default"}


def test_set_and_unset_keep_comments() -> None:
    file = user("# mine\nmax_steps = 12  # enough\n\n# last\n")
    assert punie("config", "set", "max_steps", "5") == Ran(0, f"max_steps = 5 in {file}\n", "")
    assert punie("config", "set", "allow", "write, run").code == 0
    assert punie("config", "set", "check_programs", "no").code == 0
    assert punie("config", "set", "ty", "tools/ty").code == 0
    ty = Path.cwd() / "tools" / "ty"
    assert file.read_text() == (
        f'# mine\nmax_steps = 5  # enough\n\n# last\nallow = ["write", "run"]\ncheck_programs = false\nty = "{ty}"\n'
    )
    assert load() == Settings(max_steps=5, allow=("write", "run"), check_programs=False, ty=ty)
    assert punie("config", "unset", "ty") == Ran(0, f"ty is no longer set in {file}\n", "")
    assert punie("config", "unset", "ty") == Ran(0, f"ty was not set in {file}\n", "")
    assert "ty" not in file.read_text()


def test_the_first_value_makes_a_private_file(punie_home: Path) -> None:
    assert punie("config", "set", "model", "-x").code == 0
    assert (config_file().read_text(), config_file().stat().st_mode & 0o777) == ('model = "-x"\n', 0o600)
    assert [path.name for path in config_file().parent.iterdir()] == ["config.toml"]


def test_a_linked_file_stays_a_link(tmp_path: Path) -> None:
    dotfile = tmp_path / "dotfiles.toml"
    dotfile.write_text("max_steps = 1\n")
    dotfile.chmod(0o640)
    config_file().parent.mkdir(parents=True)
    config_file().symlink_to(dotfile)
    assert punie("config", "set", "max_steps", "2").code == 0
    assert (config_file().is_symlink(), dotfile.read_text(), dotfile.stat().st_mode & 0o777) == (
        True,
        "max_steps = 2\n",
        0o640,
    )


@pytest.mark.parametrize(
    ("args", "message", "hint"),
    [
        (["modle", "x"], "there is no setting 'modle'; did you mean model?", "punie config show"),
        (["max_steps", "0"], "max_steps is '0': input should be greater than or equal to 1",
         "punie config set max_steps VALUE"),
        (["mode", "yolo"], "mode is 'yolo': it must be 'ask', 'edits' or 'read-only'", "punie config set mode VALUE"),
    ],
)  # fmt: skip
def test_a_wrong_value_changes_nothing(args: list[str], message: str, hint: str) -> None:
    file = user("max_steps = 3\n")
    assert punie("config", "set", *args) == Ran(2, "", f"Error: {message}\nTry: {hint}\n")
    assert file.read_text() == "max_steps = 3\n"


@pytest.mark.parametrize("text", ["max_steps =\n", "modle = 1\n"])
def test_a_file_that_is_wrong_already_is_not_made_worse(text: str) -> None:
    file = user(text)
    ran = punie("config", "set", "max_tokens", "9")
    assert (ran.code, ran.stdout, file.read_text()) == (2, "", text)
    assert ran.stderr.startswith(f"Error: {file} ")


def test_the_file_of_a_project(project: Path) -> None:
    file = project / ".punie" / "config.toml"
    assert punie("config", "path", "--project") == Ran(0, f"{file}\n", "")
    assert punie("config", "set", "--project", "mode", "read-only") == Ran(0, f"mode = 'read-only' in {file}\n", "")
    ran = punie("config", "set", "--project", "suites", "core,tests/mine.toml")
    assert ran.stderr == (
        "Note: not applied, because this folder is not trusted: suites of .punie/config.toml; punie config trust\n"
    )
    assert file.read_text() == 'mode = "read-only"\nsuites = ["core", "./tests/mine.toml"]\n'
    assert punie("config", "trust") == Ran(
        0, f"trusted: {project}\n  suites = ['core', './tests/mine.toml'] (.punie/config.toml)\n", ""
    )
    assert load(None, project) == Settings(mode="read-only", suites=("core", str(project / "tests" / "mine.toml")))
    assert punie("config", "untrust") == Ran(0, f"no longer trusted: {project}\n", "")
    assert punie("config", "untrust") == Ran(0, f"was not trusted: {project}\n", "")


def test_a_project_file_is_never_written_through_a_link(project: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside.toml"
    outside.write_text("max_steps = 1\n")
    (project / ".punie").mkdir()
    (project / ".punie" / "config.toml").symlink_to(outside)
    ran = punie("config", "set", "--project", "max_steps", "2")
    assert (ran.code, outside.read_text()) == (2, "max_steps = 1\n")
    assert ran.stderr.startswith(f"Error: {project}/.punie/config.toml cannot be written: ")


def test_edit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\nprintf "max_steps = $STEPS\\n" >> "$1"\n')
    editor.chmod(0o755)
    monkeypatch.setenv("EDITOR", str(editor))
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("STEPS", "0")
    ran = punie("config", "edit")
    message = f"max_steps in {config_file()} is 0: input should be greater than or equal to 1"
    assert (ran.code, ran.stderr.splitlines()[0], config_file().exists()) == (2, f"Error: {message}", False)
    monkeypatch.setenv("STEPS", "7")
    assert punie("config", "edit") == Ran(0, f"{config_file()}\n", "")
    assert config_file().read_text() == template() + "max_steps = 7\n"
    monkeypatch.setenv("EDITOR", "true")
    assert punie("config", "edit") == Ran(0, f"{config_file()} is as it was\n", "")


def test_every_line_of_the_template_can_be_switched_on() -> None:
    lines = [line for line in template().splitlines() if line.startswith("# ") and " = " in line]
    names = [line[2:].partition(" ")[0] for line in lines]
    assert names == list(Settings.model_fields)
    wanted = [line[2:] for line in lines if not line.endswith('= ""')]
    user("\n".join(wanted))
    assert merge([user_layer()])[0] == Settings()


def test_a_project_that_is_read_only_binds_exec(project: Path) -> None:
    (project / "pyproject.toml").write_text("[tool.punie]\nmode = 'read-only'\n")
    code = "for f in (lambda: write_file('a.txt', 'x'), lambda: run_command('touch b'), lambda: run_command('ls')):\n"
    code += "    try:\n        print(f())\n    except OSError as e:\n        print(e)\n"
    ran = punie("exec", "--allow", "write,run", "-", stdin=code)
    why = "(the mode is read-only: nothing is written, and only reading commands run)"
    assert ran == Ran(5, f"refused: write a.txt {why}\nrefused: run touch b {why}\npyproject.toml\n", "")
    assert sorted(path.name for path in project.iterdir()) == ["pyproject.toml"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(shell: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for variable in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "BASH_COMPLETION_USER_DIR"):
        monkeypatch.delenv(variable, raising=False)
    script = punie("completion", shell)
    assert (script.code, "_PUNIE_COMPLETE" in script.stdout) == (0, True)
    # The bash of macOS is so old that click warns.
    assert script.stderr == "" or shell == "bash"
    file = (
        tmp_path
        / {
            "bash": ".local/share/bash-completion/completions/punie",
            "zsh": ".local/share/zsh/site-functions/_punie",
            "fish": ".config/fish/completions/punie.fish",
        }[shell]
    )
    ran = punie("completion", shell, "--install")
    assert (ran.code, ran.stdout.partition(": ")[0], file.read_text() + "\n") == (0, str(file), script.stdout)


def test_what_a_shell_asks_for() -> None:
    root = str(Path(__file__).resolve().parent.parent)
    done = subprocess.run(
        [sys.executable, "-c", "from punie_cli.cli import main; main()"],
        capture_output=True,
        text=True,
        env={
            **os.environ,
            "PYTHONPATH": root,
            "_PUNIE_COMPLETE": "bash_complete",
            "COMP_WORDS": "punie config u",
            "COMP_CWORD": "2",
        },
    )
    assert (done.stdout, done.stderr) == ("plain,unset\nplain,untrust\n", "")
