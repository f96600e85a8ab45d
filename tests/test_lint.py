"""The contract with ruff: the real binary for what it does, a stand-in script for what it should never do."""

from pathlib import Path
from typing import Any

import pytest

from punie_cli import find_tool
from punie_cli.builtins.registry import Outcome, Registry
from punie_cli.workspace import Workspace

registry = Registry()
BAD = "import os\nimport sys\n\n\ndef f():\n    x = sys.path\n"
FIELDS = ["count", "files", "findings", "fixable"]


async def lint(root: Path, path: str = ".", **settings: Any) -> Outcome:
    outcome = await registry.call("lint", {"path": path}, Workspace(root, **settings))
    assert outcome.approval is None
    return outcome


def write(root: Path, **files: str) -> Path:
    for name, text in files.items():
        path = root / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    # Without one, a configuration above the temporary folder or the user's own would count.
    (root / "ruff.toml").write_text('lint.select = ["F"]\n')
    return root


def tree(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


async def test_clean(tmp_path: Path) -> None:
    outcome = await lint(write(tmp_path, a="x = 1\n"))
    fields = {
        "success": True,
        "count": 0,
        "fixable": 0,
        "files": [],
        "findings": [],
        "note": None,
        "tool_error": None,
    }
    assert (outcome.ok, outcome.error, outcome.result) == (True, None, fields)
    assert outcome.wire == {"$record": "LintResult", "fields": fields, "text": "no lint findings", "blocked": {}}


async def test_findings(tmp_path: Path) -> None:
    write(tmp_path, shop__cart=BAD, app="import os\n", ok="")
    outcome = await lint(tmp_path)
    assert outcome.ok is True
    unused = {"line": 1, "column": 8, "code": "F401", "message": "`os` imported but unused"}
    local = "Local variable `x` is assigned to but never used"
    assert outcome.result == {
        "success": False,
        "count": 3,
        "fixable": 2,
        "files": ["app.py", "shop/cart.py"],
        "findings": [
            {"file": "app.py", **unused},
            {"file": "shop/cart.py", **unused},
            {"file": "shop/cart.py", "line": 6, "column": 5, "code": "F841", "message": local},
        ],
        "note": None,
        "tool_error": None,
    }
    assert outcome.wire["text"] == (
        "3 findings in 2 files (2 fixable)\n"
        "app.py:1: F401 `os` imported but unused\n"
        "shop/cart.py:1: F401 `os` imported but unused\n"
        f"shop/cart.py:6: F841 {local}"
    )
    one = await lint(tmp_path, "app.py")
    assert one.wire["text"] == "1 finding in 1 file (1 fixable)\napp.py:1: F401 `os` imported but unused"


async def test_many_findings_are_counted(tmp_path: Path) -> None:
    write(tmp_path, a="".join(f"import m{i}\n" for i in range(23)))
    lines = (await lint(tmp_path)).wire["text"].splitlines()
    assert (lines[0], len(lines), lines[-1]) == (
        "23 findings in 1 file (23 fixable)",
        22,
        "(3 more findings not shown)",
    )


async def test_a_syntax_error_is_a_finding(tmp_path: Path) -> None:
    outcome = await lint(write(tmp_path, a="x = = 1\n"), "a.py")
    (finding,) = outcome.result["findings"]
    assert (outcome.ok, outcome.result["success"], outcome.result["tool_error"]) == (True, False, None)
    assert (finding["file"], finding["line"], finding["code"]) == ("a.py", 1, "invalid-syntax")


@pytest.mark.parametrize(
    ("path", "kind", "message"),
    [
        ("cart.py", "FileNotFoundError", "no file or folder 'cart.py'; did you mean 'shop/cart.py'?"),
        ("README.md", "ValueError", "README.md is not a Python file"),
        ("/etc", "PermissionError", "'/etc' is outside the workspace"),
        ("--fix", "FileNotFoundError", "no file or folder '--fix'"),
    ],
)
async def test_what_is_not_checked(tmp_path: Path, path: str, kind: str, message: str) -> None:
    write(tmp_path, shop__cart="")
    (tmp_path / "README.md").write_text("")
    outcome = await lint(tmp_path, path)
    assert (outcome.ok, outcome.result, outcome.error) == (False, None, {"kind": kind, "message": message})


async def test_empty_folder(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "empty").mkdir()
    outcome = await lint(tmp_path, "empty")
    assert (outcome.ok, outcome.result["success"]) == (True, True)
    assert outcome.wire["text"] == "no lint findings\n(no Python file was checked)"


async def test_broken_configuration(tmp_path: Path) -> None:
    write(tmp_path, a=BAD)
    (tmp_path / "ruff.toml").write_text("nonsense = 1\n")
    outcome = await lint(tmp_path)
    assert (outcome.ok, outcome.error, outcome.result["success"]) == (False, None, False)
    error = outcome.result["tool_error"]
    assert error.endswith("Failed to parse ruff.toml; TOML parse error at line 1, column 1; unknown field `nonsense`")
    assert outcome.wire["text"] == f"lint failed: {error}"
    assert outcome.wire["blocked"] == dict.fromkeys(FIELDS, f"the lint failed: {error}")
    assert [outcome.wire["fields"][name] for name in FIELDS] == [None] * 4


async def test_a_file_that_cannot_be_read_is_not_clean(tmp_path: Path) -> None:
    """ruff itself says nothing and ends with 0 where E902 is not selected."""
    write(tmp_path)
    (tmp_path / "a.py").write_bytes(b"\xff\xfe")
    outcome = await lint(tmp_path)
    assert outcome.wire["text"] == ("1 finding in 1 file (0 fixable)\na.py:1: E902 stream did not contain valid UTF-8")


async def test_nothing_is_written(tmp_path: Path) -> None:
    """Also where the project asks for fixes, a cache and another format."""
    write(tmp_path, a=BAD)
    text = 'fix = true\nfix-only = true\nunsafe-fixes = true\nshow-fixes = true\noutput-format = "full"\n'
    (tmp_path / "ruff.toml").write_text(f'{text}cache-dir = "cache"\nlint.select = ["F"]\n')
    before = tree(tmp_path)
    assert (await lint(tmp_path)).result["count"] == 2
    assert tree(tmp_path) == before


async def test_environment_of_the_user_does_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, a=BAD)
    for name, value in {
        "RUFF_OUTPUT_FORMAT": "concise",
        "RUFF_OUTPUT_FILE": str(tmp_path / "out"),
        "RUFF_CONFIG": "/nowhere/ruff.toml",
        "RUFF_NO_CACHE": "false",
        "RUFF_CACHE_DIR": str(tmp_path / "cache"),
        "FORCE_COLOR": "1",
    }.items():
        monkeypatch.setenv(name, value)
    before = tree(tmp_path)
    assert (await lint(tmp_path)).result["count"] == 2
    assert tree(tmp_path) == before


# Which ruff


def stand_in(root: Path, script: str) -> Path:
    path = root.parent / f"{root.name}-fake-ruff"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def real_ruff() -> str:
    command = find_tool.tool_command(Workspace(Path(__file__).parent), "ruff")
    assert command is not None
    return command[0]


async def test_ruff_of_the_project_is_never_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, a=BAD, ruff="open('ran', 'w')\n")
    bin_folder = tmp_path / ".venv" / "bin"
    bin_folder.mkdir(parents=True)
    for place in (bin_folder / "ruff", tmp_path / "ruff"):
        place.write_text("#!/bin/sh\ntouch ran\necho '[]'\n")
        place.chmod(0o755)
    monkeypatch.setenv("PATH", f"{bin_folder}:{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert (await lint(tmp_path, "a.py")).result["count"] == 2
    assert not (tmp_path / "ran").exists()


async def test_ruff_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, a=BAD)
    text = "lint failed: ruff was not found; install it with: uv tool install ruff"
    assert (await lint(tmp_path, missing=["ruff"])).wire["text"] == text
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    outcome = await lint(tmp_path)
    assert (outcome.ok, outcome.result["success"], outcome.wire["text"]) == (False, False, text)


async def test_ruff_on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, folder = tmp_path / "project", tmp_path / "tools"
    folder.mkdir()
    write(root, a=BAD)
    (folder / "ruff").symlink_to(real_ruff())
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setenv("PATH", str(folder))
    assert find_tool.tool_command(Workspace(root), "ruff") == [str(folder / "ruff")]
    assert (await lint(root)).result["count"] == 2


async def test_a_setting_that_cannot_be_run(tmp_path: Path) -> None:
    outcome = await lint(tmp_path, ruff=Path("/nowhere/ruff"))
    assert outcome.result["tool_error"] == "the ruff of your settings cannot be run: /nowhere/ruff"


ENTRY = '[{"fix": null, "filename": "a.py", "location": {"row": 1, "column": 1}, "code": null, "message": "m"}]'


@pytest.mark.parametrize(
    ("script", "tool_error"),
    [
        ("echo 'panicked' >&2; exit 101", "ruff ended with exit code 101: panicked"),
        ("kill -9 $$", "ruff ended with signal 9"),
        ("exit 2", "ruff ended with exit code 2"),
        ("exit 0", "cannot read what ruff printed: "),
        ("echo nonsense", "cannot read what ruff printed: nonsense"),
        ("echo '[{}]'; exit 1", "cannot read what ruff printed: [{}]"),
        ("echo '[1]'; exit 1", "cannot read what ruff printed: [1]"),
        ("echo '[]'; exit 1", "ruff's exit code and its findings do not agree"),
        (f"echo '{ENTRY}'; exit 0", "ruff's exit code and its findings do not agree"),
        ("echo '[]'; echo 'warning: Failed to lint a.py: gone' >&2", "Failed to lint a.py: gone"),
        ("head -c 40000000 /dev/zero", "ruff printed more than can be read"),
    ],
)
async def test_a_failed_run_is_never_clean(tmp_path: Path, script: str, tool_error: str) -> None:
    outcome = await lint(write(tmp_path, a=""), ruff=stand_in(tmp_path, script))
    assert (outcome.ok, outcome.error, outcome.result["success"]) == (False, None, False)
    assert outcome.result["tool_error"] == tool_error
    assert sorted(outcome.wire["blocked"]) == FIELDS


async def test_an_older_syntax_error_has_no_code(tmp_path: Path) -> None:
    outcome = await lint(write(tmp_path), ruff=stand_in(tmp_path, f"echo '{ENTRY}'; exit 1"))
    assert outcome.wire["text"] == "1 finding in 1 file (0 fixable)\na.py:1: invalid-syntax m"


async def test_too_slow_and_no_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("punie_cli.builtins.lint.TIMEOUT_S", 0.2)
    script = stand_in(tmp_path, "exec sleep 600")
    assert (await lint(tmp_path, ruff=script)).result["tool_error"] == "ruff took longer than 0.2 s"
    script.write_text("no program")
    assert (await lint(tmp_path, ruff=script)).result["tool_error"] == f"{script} cannot be run: Exec format error"
