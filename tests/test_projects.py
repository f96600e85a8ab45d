"""Settings of a project: what counts before its folder is trusted, what after, what never."""

import json
import os
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punie_cli import projects, trust
from punie_cli.errors import UsageError
from punie_cli.projects import admit, tightens, undecided, wish
from punie_cli.settings import MODES, Layer, Settings, config_file, load, merge, resolve


@pytest.fixture(autouse=True)
def no_variables(punie_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in [v for v in os.environ if v.startswith("PUNIE_") and v != "PUNIE_HOME"]:
        monkeypatch.delenv(variable)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = Path(os.path.realpath(tmp_path)) / "project"
    (folder / ".punie").mkdir(parents=True)
    return folder


def user(text: str) -> None:
    config_file().parent.mkdir(parents=True, exist_ok=True)
    config_file().write_text(text)


def own(root: Path, text: str) -> None:
    (root / ".punie" / "config.toml").write_text(text)


def pyproject(root: Path, text: str) -> None:
    (root / "pyproject.toml").write_text(text)


def give_trust(root: Path) -> None:
    found = wish(root)
    trust.decide(found.root, found.digest, trusted=True)


def test_the_order_of_all_layers(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("max_steps", "max_tokens", "color", "model", "adapter", "blas")
    user("max_steps = 1\nmax_tokens = 1\ncolor = 'never'\nmodel = 'user'\nadapter = 'user'\n")
    pyproject(root, "[tool.punie]\nmax_tokens = 2\ncolor = 'always'\nmodel = 'pyproject'\nadapter = 'pyproject'\n")
    own(root, "color = 'auto'\nmodel = 'own'\nadapter = 'own'\n")
    monkeypatch.setenv("PUNIE_MODEL", "environment")
    monkeypatch.setenv("PUNIE_ADAPTER", "environment")
    give_trust(root)
    found = resolve({"adapter": "flag"}, root)
    assert {name: getattr(found.settings, name) for name in names} == {
        "max_steps": 1,
        "max_tokens": 2,
        "color": "auto",
        "model": "environment",
        "adapter": "flag",
        "blas": None,
    }
    assert {name: layer.origin for name, layer in found.origins.items()} == {
        "max_steps": str(config_file()),
        "max_tokens": str(root / "pyproject.toml"),
        "color": str(root / ".punie" / "config.toml"),
        "model": "the environment",
        "adapter": "the command line",
    }
    assert load() != load(None, root)


def test_until_it_is_trusted_a_project_may_only_tighten(root: Path, tmp_path: Path) -> None:
    user("allow = ['write', 'run']\n")
    pyproject(root, "[tool.punie]\nmax_steps = 4\nmax_tokens = 9999\nallow = ['run']\nmodel = 'theirs'\n")
    own(root, "mode = 'read-only'\nmax_steps = 6\nnotify = '/bin/evil'\ncheck_programs = true\n")
    notes: list[str] = []
    settings = load(None, root, notes.append)
    assert settings == Settings(max_steps=4, allow=("run",), mode="read-only")
    assert notes == [
        "not applied, because this folder is not trusted: max_tokens and model of pyproject.toml, max_steps and "
        f"notify of .punie/config.toml; punie config trust --root {root}"
    ]


def test_trust_is_for_a_folder_with_these_settings(root: Path, tmp_path: Path) -> None:
    pyproject(root, "[tool.punie]\nmodel = 'theirs'\n")
    found = undecided(root)
    assert found is not None
    assert (found.root, found.lines) == (root, ("model = 'theirs' (pyproject.toml)",))
    give_trust(root)
    assert (load(None, root).model, undecided(root)) == ("theirs", None)
    # What is not for punie does not matter; a link to the folder is the folder.
    pyproject(root, "[project]\nname = 'x'\n\n[tool.punie]\nmodel = 'theirs'\n")
    (tmp_path / "link").symlink_to(root)
    assert load(None, tmp_path / "link").model == "theirs"
    pyproject(root, "[tool.punie]\nmodel = 'others'\n")
    assert (load(None, root).model, undecided(root) is None) == (None, False)
    pyproject(root, "[tool.punie]\nmodel = 'theirs'\n")
    own(root, "max_steps = 9\n")
    assert (load(None, root).model, load(None, root).max_steps) == (None, 8)
    assert (trust.forget(root), trust.forget(root)) == (True, False)
    assert trust.trust_file().stat().st_mode & 0o777 == 0o600


def test_a_no_is_kept_too(root: Path) -> None:
    own(root, "mode = 'edits'\n")
    found = wish(root)
    trust.decide(found.root, found.digest, trusted=False)
    assert (undecided(root), load(None, root).mode) == (None, "ask")


def test_a_copy_elsewhere_is_not_trusted(root: Path, tmp_path: Path) -> None:
    own(root, "mode = 'edits'\n")
    give_trust(root)
    root.rename(tmp_path / "moved")
    assert load(None, tmp_path / "moved").mode == "ask"


def test_what_only_tightens_is_no_question(root: Path) -> None:
    own(root, "mode = 'read-only'\nmax_steps = 2\n")
    assert undecided(root) is None


@pytest.mark.parametrize(
    "line",
    [
        "ty = 'bin/ty'",
        "ty = './bin/ty'",
        "ruff = 'tools/../bin/ruff'",
        "ruff = 'out/../project/bin/ruff'",
        "python = '.venv'",
        "blas = 'libblas.so'",
        "blas = './lib/x.so'",
        "notify = './tell'",
        "notify = 'sh ./tell'",
        "notify = 'tell'",
        "notify = '\"'",
        "allow = ['run']",
        "ty = '~nobody-of-this-name/ty'",
    ],
)
def test_what_no_trust_allows(line: str, root: Path) -> None:
    (root / "tell").write_text("#!/bin/sh\n")
    (root / "out").symlink_to(root.parent)
    own(root, f"{line}\nmodel = 'theirs'\n")
    name = line.partition(" ")[0]
    try:
        give_trust(root)
        notes: list[str] = []
        settings = load(None, root, notes.append)
        assert (getattr(settings, name), settings.model) == (getattr(Settings(), name), "theirs")
        assert notes == [f"never taken from a project: {name} of .punie/config.toml"]
    except UsageError as error:
        assert "there is no such home folder" in error.message


def test_a_tool_outside_the_project_is_for_a_trusted_one(root: Path, tmp_path: Path) -> None:
    own(root, f"ty = '{tmp_path}/ty'\nmodel = './model'\nnotify = 'beep now'\nsuites = ['core', 'mine.toml']\n")
    assert load(None, root) == Settings()
    give_trust(root)
    assert load(None, root) == Settings(
        ty=tmp_path / "ty", model=str(root / "model"), notify="beep now", suites=("core", str(root / "mine.toml"))
    )


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        (".punie/config.toml", "modle = 1", "which is no setting; did you mean model?"),
        ("pyproject.toml", "[tool.punie]\nmax_step = 1", "which is no setting; did you mean max_steps?"),
        (".punie/config.toml", "mode = 'yolo'", "mode in {file} is 'yolo': it must be 'ask', 'edits' or 'read-only'"),
        (".punie/config.toml", "model =", "{file} cannot be read: Invalid value (at end of document)"),
    ],
)
def test_what_is_wrong_names_its_file(file: str, text: str, message: str, root: Path) -> None:
    (root / file).write_text(text)
    with pytest.raises(UsageError) as caught:
        load(None, root)
    assert caught.value.message.startswith(str(root / file)) or "in " + str(root / file) in caught.value.message
    assert caught.value.message.endswith(message.format(file=root / file))


@pytest.mark.parametrize("text", ["[tool.punie", "[tool]\npunie = 1", "tool = 1", "\xff"])
def test_a_pyproject_that_cannot_be_read_is_left_out(text: str, root: Path) -> None:
    (root / "pyproject.toml").write_text(text, encoding="latin-1")
    notes: list[str] = []
    assert load(None, root, notes.append) == Settings()
    assert len(notes) == 1
    assert notes[0].startswith(f"{root / 'pyproject.toml'} cannot be read, so its [tool.punie] does not count: ")


def test_files_that_are_none(root: Path, tmp_path: Path) -> None:
    (tmp_path / "outside.toml").write_text("[tool.punie]\nmode = 'edits'\n")
    (root / "pyproject.toml").symlink_to(tmp_path / "outside.toml")
    os.mkfifo(root / ".punie" / "config.toml")
    with pytest.raises(UsageError, match="is not a regular file"):
        load(None, root)
    (root / ".punie" / "config.toml").unlink()
    notes: list[str] = []
    assert load(None, root, notes.append) == Settings()
    assert notes[0].endswith("'pyproject.toml' is outside the workspace")


VALUES: dict[str, st.SearchStrategy[Any]] = {
    "model": st.sampled_from(["a", "./b"]),
    "adapter": st.sampled_from(["a", "none"]),
    "ty": st.sampled_from(["/usr/bin/ty", "bin/ty"]),
    "ruff": st.sampled_from(["/usr/bin/ruff"]),
    "python": st.sampled_from(["/usr", ".venv"]),
    "max_steps": st.integers(1, 100),
    "max_tokens": st.integers(1, 1000),
    "allow": st.lists(st.sampled_from(["write", "run", "read"])),
    "mode": st.sampled_from(MODES),
    "suites": st.lists(st.sampled_from(["core", "x.toml"])),
    "check_programs": st.booleans(),
    "blas": st.sampled_from(["none", "/lib/x.so", "x.so"]),
    "color": st.sampled_from(["always", "never"]),
    "notify": st.sampled_from(["beep"]),
}
LAYER = st.fixed_dictionaries({}, optional=VALUES)
STRICTER = {"mode": ("read-only", "ask", "edits")}


@given(user_says=LAYER, pyproject_says=LAYER, own_says=LAYER)
def test_without_trust_a_project_never_loosens(
    user_says: dict[str, Any], pyproject_says: dict[str, Any], own_says: dict[str, Any]
) -> None:
    here = Path("/project-of-nobody")
    weakest = Layer("user", user_says, Path("/user"), "")
    project = [Layer(name, says, here, "", here) for name, says in (("p", pyproject_says), ("o", own_says)) if says]
    before, _ = merge([weakest])
    after, origins = merge(admit([weakest, *project], trusted=False)[0] if project else [weakest])
    assert STRICTER["mode"].index(after.mode) <= STRICTER["mode"].index(before.mode)
    assert (after.max_steps <= before.max_steps, after.max_tokens <= before.max_tokens) == (True, True)
    assert set(after.allow) <= set(before.allow)
    assert after.check_programs or not before.check_programs
    for name in ("model", "adapter", "ty", "ruff", "python", "suites", "blas", "color", "notify"):
        assert getattr(after, name) == getattr(before, name)
    # With trust neither tools of the project nor more in `allow`.
    trusted, _ = merge(admit([weakest, *project], trusted=True)[0] if project else [weakest])
    assert set(trusted.allow) <= set(before.allow)
    for name in ("ty", "python"):
        assert getattr(trusted, name) in (getattr(before, name), Path("/usr/bin/ty"), Path("/usr"))
    assert trusted.blas in (before.blas, "none", "/lib/x.so")
    assert all(layer.origin in ("user", "p", "o") for layer in origins.values())


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_a_new_setting_is_not_taken_from_a_project_by_itself(name: str) -> None:
    tightening = {"mode", "max_steps", "max_tokens", "allow", "check_programs", "agents_md"}
    assert tightens(name, "a", "b") is False if name not in tightening else True


def test_what_is_kept_of_trust_is_readable(root: Path) -> None:
    own(root, "mode = 'edits'\nmax_steps = 20\n")
    give_trust(root)
    said = tomllib.loads("mode = 'edits'\nmax_steps = 20\n")
    digest = projects.digest([Layer(str(root / ".punie/config.toml"), said, root, "", root)])
    assert json.loads(trust.trust_file().read_text()) == {str(root): {"settings": digest, "trusted": True}}
