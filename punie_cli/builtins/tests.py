"""test: run pytest in the project's environment. Its exit code decides; what it found comes from its XML report."""

import os
import re
import shlex
import tempfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict

from punie_cli.builtins.registry import Result, builtin
from punie_cli.find_tool import pytest_python
from punie_cli.processes import search_path
from punie_cli.tool_output import counted
from punie_cli.workspace import Completed, Question, Workspace, visible

TIMEOUT_S = 300.0
SHOWN = 20
LINE = 240
KEPT = 500
REPORT_BYTES = 32 * 1024 * 1024
INSTALL = "pytest was not found; install it with: uv pip install pytest"
# xunit1 is the form with file and line. A broken module must not hide the tests of the others (exit code 2).
_FLAGS = (
    "-q", "--color=no", "--tb=short", "--continue-on-collection-errors", "-p", "no:cacheprovider",
    "-o", "junit_family=xunit1",
)  # fmt: skip
_FRAME = re.compile(r"^(\S.*?):(\d+): in ", re.MULTILINE)
_SYNTAX = re.compile(r'^E? +File "(.+?)", line (\d+)', re.MULTILINE)
_RAISED = re.compile(r"^E +(\w[\w.]*(?:Error|Exception|Warning|Exit|Interrupt)\b.*)$", re.MULTILINE)
_NO_PYTEST = re.compile(r"No module named '?pytest'?\.?$", re.MULTILINE)


class Failure(BaseModel):
    """A test that failed, or an error outside of one; `line` counts from 1 and is that of the failing statement.

    `test` is empty for a file that could not be imported.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    test: str
    file: str
    line: int
    message: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}: " + (f"{self.test}: " if self.test else "")
        text = where + self.message.partition("\n")[0]
        return text if len(text) <= LINE else f"{text[:LINE]}…"


class TestResult(Result):
    """What pytest found. `errors` counts fixtures that failed and files that could not be imported.

    With `tool_error` set the tests did not run to their end: `success` is False and the rest cannot be read.
    """

    # pytest would take a class of this name for tests.
    __test__ = False

    success: bool
    passed: int
    failed: int
    errors: int
    skipped: int
    failures: list[Failure]
    note: str | None = None
    tool_error: str | None = None

    def blocked(self) -> dict[str, str]:
        if self.tool_error is None:
            return {}
        reason = f"the tests did not run: {self.tool_error}"
        return dict.fromkeys(("passed", "failed", "errors", "skipped", "failures"), reason)

    def __str__(self) -> str:
        if self.tool_error is not None:
            return f"tests did not run: {self.tool_error}"
        counts = [(self.failed, "failed"), (self.errors, "errors"), (self.passed, "passed"), (self.skipped, "skipped")]
        lines = [", ".join(f"{number} {word}" for number, word in counts if number or word == "passed")]
        lines += [str(failure) for failure in self.failures[:SHOWN]]
        left = self.failed + self.errors - min(SHOWN, len(self.failures))
        if left > 0:
            lines.append(f"({counted(left, 'more failure')} not shown)")
        if self.note:
            lines.append(f"({self.note})")
        return "\n".join(lines)


@builtin
async def test(
    workspace: Workspace, path: Annotated[str, "file, folder or FILE::TEST; `.` is what the project says"] = "."
) -> TestResult:
    """run tests with pytest

    Asks first, with the exact command. Runs in the environment of the project (`.venv`, an active one, else
    punie's own) for at most 300 seconds; leaves no caches behind. `str(result)` lists the first 20 failures.
    Raises FileNotFoundError for a path that is not there and ValueError for a file that is not Python. If pytest
    cannot run to its end, `tool_error` says why and the rest cannot be read.
    """
    name, mark, inside = path.partition("::")
    relative = workspace.resolve_python(name, (".py",))
    python = pytest_python(workspace)
    if python is None:
        return did_not_run(INSTALL)
    with tempfile.TemporaryDirectory(prefix="punie-tests-") as folder:
        report = Path(folder) / "report.xml"
        argv = [python[0], "-m", "pytest", *_FLAGS, f"--rootdir={workspace.root}", f"--junitxml={report}"]
        if relative != ".":
            # With ./ no name is taken for an option or for a file of arguments.
            argv.append(f"./{relative}{mark}{inside}")
        terms = workspace.terms()
        summary = f"run {visible(shlex.join(argv))}{terms.words}"
        await workspace.require(Question("test", {"path": path}, summary, rule=terms.rule))
        variables = _variables(workspace, python[1])
        try:
            done = await workspace.run(argv, timeout_s=TIMEOUT_S, variables=variables, terms=terms, tmp=Path(folder))
        except OSError as problem:
            return did_not_run(f"{argv[0]} cannot be run: {problem.strerror or problem}")
        return _judge(done, report, workspace.root, python[1])


def _variables(workspace: Workspace, environment: Path | None) -> dict[str, str]:
    variables = {"PYTHONDONTWRITEBYTECODE": "1"}
    if environment is not None:
        # As in a shell where it is active: tests start the console scripts of their own project.
        path = f"{environment / 'bin'}{os.pathsep}{search_path(workspace.root)}"
        variables |= {"VIRTUAL_ENV": str(environment), "PATH": path}
    return variables


def _judge(done: Completed, report: Path, root: Path, environment: Path | None) -> TestResult:
    said = f"{done.stdout}\n{done.stderr}".replace(f"{root}{os.sep}", "")
    if done.timed_out:
        return did_not_run(f"pytest took longer than {TIMEOUT_S:g} s")
    if done.exit_code < 0:
        return did_not_run(f"pytest ended with signal {-done.exit_code}")
    if not report.exists() and _NO_PYTEST.search(done.stderr):
        place = environment or "punie's own environment"
        shown = place.relative_to(root) if isinstance(place, Path) and place.is_relative_to(root) else place
        return did_not_run(f"{shown} has no pytest; install it with: uv pip install --python {shown} pytest")
    if done.exit_code not in (0, 1, 5):
        reason = _reason(said) or f"pytest ended with exit code {done.exit_code}"
        return did_not_run(f"{reason} ({done.refused})" if done.refused else reason)
    try:
        if report.stat().st_size > REPORT_BYTES:
            return did_not_run("the report of pytest is larger than can be read")
        suites = ElementTree.parse(report).getroot()
    except (OSError, ElementTree.ParseError):
        return did_not_run(f"pytest ended with exit code {done.exit_code} and without a report")
    return _result(done, suites, f"{root}{os.sep}")


def _result(done: Completed, suites: ElementTree.Element, root: str) -> TestResult:
    counts = dict.fromkeys(("passed", "failed", "errors", "skipped"), 0)
    failures = []
    for case in suites.iter("testcase"):
        kinds = [(child, child.tag) for child in case if child.tag in ("failure", "error", "skipped")]
        if not kinds:
            counts["passed"] += 1
        for child, tag in kinds:
            counts[{"failure": "failed", "error": "errors"}.get(tag, tag)] += 1
            if tag != "skipped":
                failures.append(_failure(case, child, root))
    bad = bool(counts["failed"] or counts["errors"])
    note = None
    if done.exit_code == 5:
        note = "no test was run"
    elif bad and done.refused:
        note = done.refused
    elif done.exit_code == 1 and not bad:
        note = f"pytest ended with exit code 1: {_last_line(done.stdout)}"
    ordered = sorted(failures, key=lambda failure: (failure.file, failure.line, failure.test))
    return TestResult(
        success=done.exit_code == 0 and not bad,
        passed=counts["passed"],
        failed=counts["failed"],
        errors=counts["errors"],
        skipped=counts["skipped"],
        failures=ordered[:KEPT],
        note=note,
    )


def _failure(case: ElementTree.Element, child: ElementTree.Element, root: str) -> Failure:
    text, file = child.text or "", case.get("file", "").removeprefix(root)
    places = [*_FRAME.findall(text), *((name.removeprefix(root), line) for name, line in _SYNTAX.findall(text))]
    lines = [int(line) for name, line in places if name == file]
    module, owner = file.removesuffix(".py").replace("/", "."), case.get("classname", "")
    # The class comes after the module; a file that could not be imported has neither.
    classes = [part for part in owner.removeprefix(module).split(".") if part]
    message = child.get("message", "")
    if not owner:
        raised = _RAISED.findall(text)
        message = raised[-1] if raised else text.strip().rpartition("\n")[2].removeprefix("E").strip() or message
    return Failure(
        test="::".join([*classes, case.get("name", "")]) if owner else "",
        file=file,
        line=lines[-1] if lines else int(case.get("line") or 0) + 1,
        # Where the project lies says nothing about it.
        message=message.replace(root, ""),
    )


def did_not_run(tool_error: str) -> TestResult:
    """A run of which nothing is known."""
    return TestResult(success=False, passed=0, failed=0, errors=0, skipped=0, failures=[], tool_error=tool_error)


def _reason(said: str) -> str:
    """Why pytest gave up, on one line."""
    return "; ".join(dict.fromkeys(_reasons(said)))[:600]


def _reasons(said: str) -> Iterator[str]:
    lines = [line.strip() for line in said.splitlines()]
    for line in lines:
        if line.startswith("ERROR: usage: "):
            continue
        if line.startswith(("ImportError while loading conftest", "ERROR: ", "!!!")):
            yield line.removeprefix("ERROR: ").strip("! ").rstrip(".")
        elif ": error: " in line:
            yield line.partition(": error: ")[2]
    yield from _RAISED.findall(said)[-1:]
    inner = [line.removeprefix("INTERNALERROR>").strip() for line in lines if line.startswith("INTERNALERROR>")]
    yield from [line for line in inner if line][-1:]


def _last_line(text: str) -> str:
    """The last line before pytest's own summary that says something."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    wanted = [line for line in lines if not re.match(r"\d+ \w+.* in [\d.]+s", line)]
    return wanted[-1][:200] if wanted else ""
