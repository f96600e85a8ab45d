"""The contract with ty: the real binary for what it does, a stand-in script for what it should never do."""

import json
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

import pytest

from punie_cli import find_tool
from punie_cli.builtins.registry import Outcome, Registry
from punie_cli.workspace import Workspace

registry = Registry()


async def check(root: Path, path: str = ".", **settings: Any) -> Outcome:
    outcome = await registry.call("typecheck", {"path": path}, Workspace(root, **settings))
    assert outcome.approval is None
    return outcome


def places(outcome: Outcome, kind: str = "errors") -> list[tuple[str, int, str]]:
    return [(f["file"], f["line"], f["severity"]) for f in outcome.result[kind]]


def write(root: Path, **files: str) -> None:
    for name, text in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_suffix(".py").write_text(text)


BAD = 'def f() -> int:\n    return "a"\n'
GOOD = "def f() -> int:\n    return 1\n"


async def test_clean(tmp_path: Path) -> None:
    write(tmp_path, a=GOOD)
    outcome = await check(tmp_path)
    fields = {
        "success": True,
        "error_count": 0,
        "warning_count": 0,
        "files": [],
        "errors": [],
        "warnings": [],
        "note": None,
        "tool_error": None,
    }
    assert (outcome.ok, outcome.error, outcome.result) == (True, None, fields)
    assert outcome.wire == {
        "$record": "TypecheckResult",
        "fields": fields,
        "text": "no type errors",
        "blocked": {},
    }


async def test_errors(tmp_path: Path) -> None:
    write(tmp_path, shop__cart=BAD, shop__ok=GOOD, app=f"{BAD}\nf().x\n")
    outcome = await check(tmp_path)
    assert outcome.ok is True
    assert places(outcome) == [("app.py", 2, "error"), ("app.py", 4, "error"), ("shop/cart.py", 2, "error")]
    assert (outcome.result["success"], outcome.result["error_count"]) == (False, 3)
    assert outcome.result["files"] == ["app.py", "shop/cart.py"]
    first, second, third = (finding["message"] for finding in outcome.result["errors"])
    assert outcome.wire["text"] == (
        f"3 errors in 2 files\napp.py:2: {first}\napp.py:4: {second}\nshop/cart.py:2: {third}"
    )
    record = outcome.wire["fields"]["errors"][0]
    assert (record["$record"], record["text"]) == ("Finding", f"app.py:2: {first}")
    one = await check(tmp_path, "shop/cart.py")
    assert one.wire["text"] == f"1 error in 1 file\nshop/cart.py:2: {third}"


async def test_warnings_are_no_errors(tmp_path: Path) -> None:
    write(tmp_path, a=BAD)
    (tmp_path / "ty.toml").write_text('[rules]\nall = "warn"\n')
    outcome = await check(tmp_path)
    assert (outcome.result["success"], places(outcome)) == (True, [])
    assert places(outcome, "warnings") == [("a.py", 2, "warning")]
    message = outcome.result["warnings"][0]["message"]
    assert outcome.wire["text"] == f"no type errors\n1 warning in 1 file\na.py:2: {message}"


async def test_info_counts_as_a_warning(tmp_path: Path) -> None:
    write(tmp_path, a="from typing import reveal_type\nreveal_type(1)\n")
    outcome = await check(tmp_path)
    assert (outcome.result["success"], places(outcome, "warnings")) == (True, [("a.py", 2, "info")])


async def test_syntax_error(tmp_path: Path) -> None:
    write(tmp_path, a="def f(:\n")
    outcome = await check(tmp_path, "a.py")
    assert outcome.result["success"] is False
    assert places(outcome)[0] == ("a.py", 1, "error")
    assert {finding["code"] for finding in outcome.result["errors"]} == {"invalid-syntax"}


@pytest.mark.parametrize(
    ("path", "kind", "message"),
    [
        ("cart.py", "FileNotFoundError", "no file or folder 'cart.py'; did you mean 'shop/cart.py'?"),
        ("README.md", "ValueError", "README.md is not a Python file"),
        ("/etc", "PermissionError", "'/etc' is outside the workspace"),
        ("--python=/bin/sh", "FileNotFoundError", "no file or folder '--python=/bin/sh'"),
    ],
)
async def test_what_is_not_checked(tmp_path: Path, path: str, kind: str, message: str) -> None:
    write(tmp_path, shop__cart=GOOD)
    (tmp_path / "README.md").write_text("")
    outcome = await check(tmp_path, path)
    assert (outcome.ok, outcome.result, outcome.error) == (False, None, {"kind": kind, "message": message})


async def test_a_name_like_an_option_is_a_path(tmp_path: Path) -> None:
    (tmp_path / "--exit-zero").mkdir()
    (tmp_path / "--exit-zero" / "a.py").write_text(BAD)
    assert places(await check(tmp_path, "--exit-zero")) == [("--exit-zero/a.py", 2, "error")]


async def test_ty_calls_a_missing_path_an_io_error(tmp_path: Path) -> None:
    """The file goes between our own check and ty's."""
    write(tmp_path, a=BAD)
    script = stand_in(tmp_path, f'rm -f a.py; exec {real_ty()} "$@"')
    outcome = await check(tmp_path, "a.py", ty=script)
    assert (outcome.ok, outcome.result["success"]) == (False, False)
    assert outcome.result["tool_error"].startswith("`a.py`: No such file")


async def test_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    outcome = await check(tmp_path, "empty")
    assert (outcome.ok, outcome.result["success"]) == (True, True)
    assert outcome.result["note"] == "no Python file was checked"
    assert outcome.wire["text"] == "no type errors\n(no Python file was checked)"


async def test_broken_configuration(tmp_path: Path) -> None:
    write(tmp_path, a=GOOD)
    (tmp_path / "ty.toml").write_text("nonsense = [")
    outcome = await check(tmp_path)
    assert (outcome.ok, outcome.error, outcome.result["success"]) == (False, None, False)
    assert outcome.result["tool_error"].startswith("ty.toml is not a valid `ty.toml`; TOML parse error")
    reason = f"the type check failed: {outcome.result['tool_error']}"
    assert outcome.wire == {
        "$record": "TypecheckResult",
        "fields": {
            "success": False,
            "error_count": None,
            "warning_count": None,
            "files": None,
            "errors": None,
            "warnings": None,
            "note": None,
            "tool_error": outcome.result["tool_error"],
        },
        "text": f"type check failed: {outcome.result['tool_error']}",
        "blocked": dict.fromkeys(["error_count", "warning_count", "files", "errors", "warnings"], reason),
    }


async def test_environment_of_the_user_does_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, a=BAD)
    for name, value in {
        "VIRTUAL_ENV": "/nowhere",
        "CONDA_PREFIX": "/nowhere",
        "TY_OUTPUT_FORMAT": "full",
        "TY_CONFIG_FILE": "/nowhere/ty.toml",
        "CLICOLOR_FORCE": "1",
        "FORCE_COLOR": "1",
        "TY_LOG": "trace",
    }.items():
        monkeypatch.setenv(name, value)
    assert places(await check(tmp_path)) == [("a.py", 2, "error")]


def test_json_is_no_format_and_a_bad_flag_prints_nothing(tmp_path: Path) -> None:
    """The reasons for gitlab, and for taking exit code 2 as a failure."""
    for flags in (["--output-format", "json"], ["--no-such-flag"]):
        done = subprocess.run([real_ty(), "check", *flags, "."], cwd=tmp_path, capture_output=True, check=False)
        assert (done.returncode, done.stdout) == (2, b"")


# Which ty, which environment


def real_ty() -> str:
    command = find_tool.tool_command(Workspace(Path(__file__).parent), "ty")
    assert command is not None
    return command[0]


def stand_in(root: Path, script: str, name: str = "fake-ty") -> Path:
    path = root.parent / f"{root.name}-{name}"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


async def test_ty_of_the_project_is_never_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, a=BAD, ty="open('ran', 'w')\n")
    bin_folder = tmp_path / ".venv" / "bin"
    bin_folder.mkdir(parents=True)
    for place in (bin_folder / "ty", tmp_path / "ty"):
        place.write_text("#!/bin/sh\ntouch ran\necho '[]'\n")
        place.chmod(0o755)
    monkeypatch.setenv("PATH", f"{bin_folder}:{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert places(await check(tmp_path, "a.py")) == [("a.py", 2, "error")]
    assert not (tmp_path / "ran").exists()


async def test_ty_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, a=GOOD)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    outcome = await check(tmp_path)
    assert (outcome.ok, outcome.result["success"]) == (False, False)
    assert outcome.wire["text"] == "type check failed: ty was not found; install it with: uv tool install ty"


async def test_ty_on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, folder = tmp_path / "project", tmp_path / "tools"
    folder.mkdir()
    write(root, a=BAD)
    (folder / "ty").symlink_to(real_ty())
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setenv("PATH", str(folder))
    assert find_tool.tool_command(Workspace(root), "ty") == [str(folder / "ty")]
    assert places(await check(root)) == [("a.py", 2, "error")]


@pytest.mark.parametrize("setting", ["/nowhere/ty", "ty", "/"])
async def test_a_setting_that_cannot_be_run(tmp_path: Path, setting: str) -> None:
    outcome = await check(tmp_path, ty=Path(setting))
    assert outcome.result["tool_error"] == f"the ty of your settings cannot be run: {setting}"


def test_python_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, active = tmp_path / "project", tmp_path / "active"
    root.mkdir()
    active.mkdir()
    workspace = Workspace(root)
    monkeypatch.delenv("CONDA_PREFIX", raising=False)
    monkeypatch.setenv("VIRTUAL_ENV", sys.prefix)
    assert find_tool.python_environment(workspace) is None
    monkeypatch.setenv("VIRTUAL_ENV", str(active))
    assert find_tool.python_environment(workspace) == active
    (root / ".venv").mkdir()
    (root / ".venv" / "pyvenv.cfg").write_text("")
    assert find_tool.python_environment(workspace) == root / ".venv"
    assert find_tool.python_environment(Workspace(root, python=active)) == active


async def test_imports_are_resolved_in_the_environment_of_the_project(tmp_path: Path) -> None:
    write(tmp_path, a="import flumph\n")
    assert places(await check(tmp_path)) == [("a.py", 1, "error")]
    venv.create(tmp_path / ".venv", with_pip=False)
    packages = next((tmp_path / ".venv").glob("lib/python*/site-packages"))
    (packages / "flumph.py").write_text("")
    assert places(await check(tmp_path)) == []


async def test_a_bad_environment_setting_is_a_tool_error(tmp_path: Path) -> None:
    write(tmp_path, a=GOOD)
    outcome = await check(tmp_path, python=Path("/nowhere"))
    assert outcome.result["success"] is False
    assert outcome.result["tool_error"].startswith("Invalid `--python` argument `/nowhere`")


def gitlab_entry(path: str, line: int, description: str, severity: str = "major") -> dict[str, Any]:
    begin = {"line": line, "column": 3}
    location = {"path": path, "positions": {"begin": begin, "end": begin}}
    return {"check_name": "x", "description": description, "severity": severity, "location": location}


# What ty should never do


def by_format(concise: str) -> str:
    """A ty that says nothing in the gitlab format."""
    return f'case "$*" in *concise*) {concise};; *) exit 0;; esac'


@pytest.mark.parametrize(
    ("script", "tool_error"),
    [
        ("exit 101", "ty ended with exit code 101"),
        ("echo 'thread main panicked' >&2; exit 101", "ty ended with exit code 101: thread main panicked"),
        ("kill -9 $$", "ty ended with signal 9"),
        ("exit 2", "ty ended with exit code 2"),
        ("echo '[]'; exit 1", "ty reported a failure without a finding"),
        ("exit 0", "cannot read what ty printed: "),
        ("echo nonsense", "cannot read what ty printed: nonsense"),
        ("echo '{}'", "cannot read what ty printed: {}"),
        ("echo '[{}]'; exit 1", "cannot read what ty printed: [{}]"),
        ("echo '[1]'; exit 1", "cannot read what ty printed: [1]"),
        ("head -c 40000000 /dev/zero", "ty printed more than can be read"),
        (by_format("echo 'Found 1 diagnostic'; exit 1"), "cannot read what ty printed: Found 1 diagnostic"),
        (by_format("exit 2"), "ty ended with exit code 2"),
        (by_format("kill -11 $$"), "ty ended with signal 11"),
        (by_format("echo 'All checks passed!'; exit 1"), "ty reported a failure without a finding"),
    ],
)
async def test_a_failed_run_is_never_clean(tmp_path: Path, script: str, tool_error: str) -> None:
    write(tmp_path, a=GOOD)
    outcome = await check(tmp_path, ty=stand_in(tmp_path, script))
    assert (outcome.ok, outcome.error, outcome.result["success"]) == (False, None, False)
    assert outcome.result["tool_error"] == tool_error
    assert outcome.wire["text"] == f"type check failed: {tool_error}"
    assert set(outcome.wire["blocked"]) == {"error_count", "warning_count", "files", "errors", "warnings"}


async def test_ty_that_is_no_program(tmp_path: Path) -> None:
    binary = stand_in(tmp_path, "")
    binary.write_text("not a program")
    outcome = await check(tmp_path, ty=binary)
    assert outcome.result["tool_error"] == f"{binary} cannot be run: Exec format error"


async def test_too_slow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("punie_cli.builtins.typecheck.TIMEOUT_S", 0.2)
    outcome = await check(tmp_path, ty=stand_in(tmp_path, "exec sleep 600"))
    assert outcome.result["tool_error"] == "ty took longer than 0.2 s"


@pytest.mark.parametrize(
    ("concise", "text"),
    [
        ("echo 'All checks passed!'", "no type errors"),
        (
            "echo 'a.py:2:3: error[x-y] wrong'; echo 'Found 1 diagnostic'; exit 1",
            "1 error in 1 file\na.py:2: wrong",
        ),
    ],
)
async def test_older_output_is_read_from_the_concise_format(tmp_path: Path, concise: str, text: str) -> None:
    """ty 0.0.6 printed nothing for a clean run in the gitlab format."""
    script = stand_in(tmp_path, by_format(concise))
    assert (await check(tmp_path, ty=script)).wire["text"] == text


async def test_findings_before_a_failure_are_kept_for_the_record(tmp_path: Path) -> None:
    entry = gitlab_entry("a.py", 2, "x: wrong")
    io = {**gitlab_entry("", 1, f"io: `{tmp_path}/b.py`: gone"), "check_name": "io"}
    script = stand_in(tmp_path, f"echo '{json.dumps([entry, io])}'; exit 2")
    outcome = await check(tmp_path, ty=script)
    assert outcome.result["tool_error"] == "`b.py`: gone"
    assert places(outcome) == [("", 1, "error"), ("a.py", 2, "error")]
    assert outcome.wire["fields"]["errors"] is None
