"""One declaration a builtin: stubs, signatures, specs, the docs page, and what a call can go wrong with."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any

import pytest

from punie_cli.builtins import registry as module
from punie_cli.builtins.docs import builtins_page
from punie_cli.builtins.registry import Registry, Result, builtin, wire
from punie_cli.errors import UsageError
from punie_cli.paths import shipped
from punie_cli.workspace import Decision, Question, Workspace

STUBS = """\
typecheck(path: str = ".") -> TypecheckResult: check types with ty
  .success .error_count .warning_count .files .errors .warnings .note .tool_error
  .errors[i], .warnings[i]: .file .line .column .code .message .severity
lint(path: str = ".") -> LintResult: check style and common mistakes with ruff
  .success .count .fixable .files .findings .note .tool_error
  .findings[i]: .file .line .column .code .message
test(path: str = ".") -> TestResult: run tests with pytest
  .success .passed .failed .errors .skipped .failures .note .tool_error
  .failures[i]: .test .file .line .message
read_file(path: str) -> str: read a text file
write_file(path: str, text: str) -> WriteResult: write a whole text file
  .path .lines .created .changed
run_command(command: str | list[str], timeout_s: float = 60) -> CommandResult: run a command
  .success .exit_code .stdout .stderr .timed_out .truncated"""


def test_stubs() -> None:
    assert Registry().stubs() == STUBS
    assert Registry(["read_file"]).stubs() == "read_file(path: str) -> str: read a text file"


def test_signatures() -> None:
    finding = (
        'Finding(file: str, line: int, column: int, code: str, message: str, severity: "error" | "warning" | "info")'
    )
    assert Registry().signatures() == {
        "typecheck": 'typecheck(path: str = ".") -> TypecheckResult(success: bool, error_count: int, '
        f"warning_count: int, files: list[str], errors: list[{finding}], warnings: list[{finding}], "
        "note: str | None, tool_error: str | None)",
        "lint": 'lint(path: str = ".") -> LintResult(success: bool, count: int, fixable: int, files: list[str], '
        "findings: list[LintFinding(file: str, line: int, column: int, code: str, message: str)], "
        "note: str | None, tool_error: str | None)",
        "test": 'test(path: str = ".") -> TestResult(success: bool, passed: int, failed: int, errors: int, '
        "skipped: int, failures: list[Failure(test: str, file: str, line: int, message: str)], "
        "note: str | None, tool_error: str | None)",
        "read_file": "read_file(path: str) -> str",
        "write_file": "write_file(path: str, text: str) -> "
        "WriteResult(path: str, lines: int, created: bool, changed: bool)",
        "run_command": "run_command(command: str | list[str], timeout_s: float = 60) -> CommandResult("
        "success: bool, exit_code: int, stdout: str, stderr: str, timed_out: bool, truncated: bool)",
    }


def test_specs() -> None:
    assert Registry().specs() == [
        {"name": "typecheck", "parameters": [{"name": "path", "default": "."}]},
        {"name": "lint", "parameters": [{"name": "path", "default": "."}]},
        {"name": "test", "parameters": [{"name": "path", "default": "."}]},
        {"name": "read_file", "parameters": [{"name": "path"}]},
        {"name": "write_file", "parameters": [{"name": "path"}, {"name": "text"}]},
        {"name": "run_command", "parameters": [{"name": "command"}, {"name": "timeout_s", "default": 60}]},
    ]


def test_unknown_name() -> None:
    with pytest.raises(UsageError) as caught:
        Registry(["read_file", "lint_all"])
    known = ", ".join(sorted(module.declared()))
    assert caught.value.message == f"no builtin 'lint_all'; there are: {known}"


def test_docs_page_is_current() -> None:
    page = shipped().parent / "docs" / "builtins.md"
    assert page.read_text() == builtins_page(), "run: python -m punie_cli.builtins.docs > docs/builtins.md"


@pytest.mark.parametrize(
    ("name", "args", "kind", "message"),
    [
        (
            "format",
            {},
            "NameError",
            "no builtin 'format'; there are: typecheck, lint, test, read_file, write_file, run_command",
        ),
        ("read_file", {}, "TypeError", "read_file() needs 'path'"),
        ("read_file", {"file": "a"}, "TypeError", "read_file() has no argument 'file'; it takes: path"),
        ("read_file", {"path": 5}, "TypeError", "read_file() argument 'path' must be str, not int"),
        ("read_file", {"path": None}, "TypeError", "read_file() argument 'path' must be str, not NoneType"),
        (
            "run_command",
            {"command": "ls", "timeout_s": "5"},
            "TypeError",
            "run_command() argument 'timeout_s' must be float, not str",
        ),
        (
            "run_command",
            {"command": "ls", "timeout_s": True},
            "TypeError",
            "run_command() argument 'timeout_s' must be float, not bool",
        ),
        (
            "run_command",
            {"command": ["ls", 1]},
            "TypeError",
            "run_command() argument 'command' must be str | list[str], not list[str | int]",
        ),
    ],
)
async def test_wrong_calls(tmp_path: Path, name: str, args: dict[str, Any], kind: str, message: str) -> None:
    outcome = await Registry().call(name, args, Workspace(tmp_path))
    assert (outcome.builtin, outcome.args, outcome.ok) == (name, args, False)
    assert (outcome.result, outcome.wire, outcome.approval) == (None, None, None)
    assert outcome.error == {"kind": kind, "message": message}


class Sample(Result):
    """What `sample` returns."""

    names: list[str]
    extra: dict[str, int]

    def blocked(self) -> dict[str, str]:
        return {"names": "not now"} if self.extra else {}

    def __str__(self) -> str:
        return f"{len(self.names)} names"


@pytest.fixture
def sample(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A builtin declared for one test; its `how` says what it does."""
    monkeypatch.setattr(module, "_declared", dict(module.declared()))

    @builtin
    async def sample(workspace: Workspace, how: Annotated[str, "what to do"] = "go") -> Sample:
        """do as told"""
        if how == "ask":
            await workspace.require(Question("sample", {"how": how}, "do it", rule="run"))
        elif how == "errno":
            (workspace.root / "nowhere" / "a.txt").read_text()
        elif how == "bug":
            raise KeyError("oops")
        elif how == "deep":
            raise UnicodeError("bad text")
        elif how == "cancel":
            raise asyncio.CancelledError
        return Sample(names=["a"], extra={"b": 1} if how == "block" else {})

    yield "sample"


async def test_a_builtin_is_one_declaration(sample: str, tmp_path: Path) -> None:
    registry = Registry([sample])
    assert registry.stubs() == 'sample(how: str = "go") -> Sample: do as told\n  .names .extra'
    assert registry.signatures() == {
        "sample": 'sample(how: str = "go") -> Sample(names: list[str], extra: dict[str, int])'
    }
    outcome = await registry.call(sample, {}, Workspace(tmp_path))
    assert (outcome.ok, outcome.result) == (True, {"names": ["a"], "extra": {}})
    blocked = await registry.call(sample, {"how": "block"}, Workspace(tmp_path))
    assert blocked.wire == {
        "$record": "Sample",
        "fields": {"names": None, "extra": {"$dict": [["b", 1]]}},
        "text": "1 names",
        "blocked": {"names": "not now"},
    }


@pytest.mark.parametrize(
    ("how", "kind", "message"),
    [
        ("errno", "FileNotFoundError", "No such file or directory: 'a.txt'"),
        ("bug", "RuntimeError", "KeyError: 'oops'"),
        ("deep", "ValueError", "bad text"),
    ],
)
async def test_errors_have_a_kind_that_programs_know(
    sample: str, tmp_path: Path, how: str, kind: str, message: str
) -> None:
    outcome = await Registry([sample]).call(sample, {"how": how}, Workspace(tmp_path))
    assert outcome.error == {"kind": kind, "message": message}


async def test_cancel_is_passed_on(sample: str, tmp_path: Path) -> None:
    with pytest.raises(asyncio.CancelledError):
        await Registry([sample]).call(sample, {"how": "cancel"}, Workspace(tmp_path))


async def test_seconds_leave_out_the_person(sample: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = 100.0
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: clock))

    async def thinking(question: Question) -> Decision:
        nonlocal clock
        clock += 60
        return Decision(True, "person")

    outcome = await Registry([sample]).call(sample, {"how": "ask"}, Workspace(tmp_path, thinking))
    assert (outcome.ok, outcome.seconds) == (True, 0.0)
    assert outcome.approval == module.Approval("sample", {"how": "ask"}, "allowed", "person")


def test_only_async_functions_of_a_workspace_are_builtins() -> None:
    async def no_workspace(path: Annotated[str, "p"]) -> str:
        return path

    with pytest.raises(TypeError) as caught:
        builtin(no_workspace)
    assert str(caught.value) == "no_workspace must be async and take a Workspace first"


def test_wire() -> None:
    assert wire([1, 2.5, None, True, "a", {"k": [1]}, (1, 2)]) == [
        1,
        2.5,
        None,
        True,
        "a",
        {"$dict": [["k", [1]]]},
        [1, 2],
    ]
