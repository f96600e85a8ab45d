"""lint: run ruff on a file or folder, without changing one. A run that failed never looks like a clean one."""

import json
import os
import re
from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict

from punie_cli.builtins.registry import Result, builtin
from punie_cli.find_tool import tool_command
from punie_cli.tool_output import counted, how_it_ended, last_words
from punie_cli.workspace import Workspace

TIMEOUT_S = 120.0
OUTPUT_BYTES = 32 * 1024 * 1024
SHOWN = 20
LINE = 240
KEPT = 2000
INSTALL = "ruff was not found; install it with: uv tool install ruff"
# A project's configuration may ask for fixes and choose formats; E902 (cannot be read) would be silent unselected.
_FLAGS = (
    "--output-format=json", "--no-cache", "--no-fix", "--no-fix-only", "--no-show-fixes", "--extend-select=E902",
)  # fmt: skip
_NO_FILES = "No Python files found under the given path"
_SKIPPED = re.compile(r"^(?:warning|error): (Failed to lint .*)$", re.MULTILINE)


class LintFinding(BaseModel):
    """One thing that ruff reports; line and column count from 1. A syntax error has the code `invalid-syntax`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: str
    line: int
    column: int
    code: str
    message: str

    def __str__(self) -> str:
        text = f"{self.file}:{self.line}: {self.code} {self.message.partition(chr(10))[0]}"
        return text if len(text) <= LINE else f"{text[:LINE]}…"


class LintResult(Result):
    """What ruff found under the project's own rules. `fixable` of the `count` findings have a safe fix.

    With `tool_error` set the check did not happen: `success` is False and the findings cannot be read.
    """

    success: bool
    count: int
    fixable: int
    files: list[str]
    findings: list[LintFinding]
    note: str | None = None
    tool_error: str | None = None

    def blocked(self) -> dict[str, str]:
        if self.tool_error is None:
            return {}
        return dict.fromkeys(("count", "fixable", "files", "findings"), f"the lint failed: {self.tool_error}")

    def __str__(self) -> str:
        if self.tool_error is not None:
            return f"lint failed: {self.tool_error}"
        if not self.count:
            return "no lint findings" + (f"\n({self.note})" if self.note else "")
        lines = [f"{counted(self.count, 'finding')} in {counted(len(self.files), 'file')} ({self.fixable} fixable)"]
        lines += [str(finding) for finding in self.findings[:SHOWN]]
        left = self.count - min(SHOWN, len(self.findings))
        if left:
            lines.append(f"({counted(left, 'more finding')} not shown)")
        return "\n".join(lines)


@builtin
async def lint(
    workspace: Workspace, path: Annotated[str, "file or folder, relative to the workspace"] = "."
) -> LintResult:
    """check style and common mistakes with ruff

    Changes nothing. `str(result)` lists the first 20 findings. Raises FileNotFoundError for a path that is not
    there and ValueError for a file that is not Python. If ruff cannot run, `tool_error` says why and the findings
    cannot be read.
    """
    relative = workspace.resolve_python(path)
    try:
        command = tool_command(workspace, "ruff")
    except FileNotFoundError as problem:
        return failed(str(problem))
    if command is None:
        return failed(INSTALL)
    argv = [*command, "check", *_FLAGS, "--", relative]
    try:
        done = await workspace.run(argv, timeout_s=TIMEOUT_S, output_bytes=OUTPUT_BYTES)
    except OSError as problem:
        return failed(f"{command[0]} cannot be run: {problem.strerror or problem}")
    root = f"{workspace.root}{os.sep}"
    stopped = how_it_ended(done, "ruff", TIMEOUT_S, root)
    if stopped is None and done.exit_code == 2:
        stopped = last_words(done.stderr, root) or "ruff ended with exit code 2"
    if stopped is not None:
        return failed(stopped)
    found = parse(done.stdout, root)
    if found is None:
        return failed(f"cannot read what ruff printed: {last_words(done.stdout, root)}")
    findings, fixable = found
    if (done.exit_code == 1) != bool(findings):
        return failed("ruff's exit code and its findings do not agree")
    skipped = _SKIPPED.search(done.stderr)
    if skipped and not any(finding.code == "E902" for finding in findings):
        return failed(skipped[1].replace(root, ""))
    note = "no Python file was checked" if _NO_FILES in done.stderr else None
    return result(findings, fixable, note=note)


def result(
    findings: Iterable[LintFinding], fixable: int = 0, *, note: str | None = None, tool_error: str | None = None
) -> LintResult:
    """The result of a run; at most 2,000 findings are kept, the count is of all."""
    ordered = sorted(findings, key=lambda f: (f.file, f.line, f.column, f.code, f.message))
    return LintResult(
        success=tool_error is None and not ordered,
        count=len(ordered),
        fixable=fixable,
        files=sorted({finding.file for finding in ordered}),
        findings=ordered[:KEPT],
        note=note,
        tool_error=tool_error,
    )


def failed(tool_error: str) -> LintResult:
    """A check that did not happen."""
    return result((), tool_error=tool_error)


def parse(stdout: str, root: str) -> tuple[list[LintFinding], int] | None:
    """Findings of ruff's JSON and how many have a safe fix; None if it is anything else. `root` ends with a slash."""
    try:
        entries = json.loads(stdout)
        if not isinstance(entries, list):
            return None
        safe = sum(1 for entry in entries if (entry["fix"] or {}).get("applicability") == "safe")
        return [_finding(entry, root) for entry in entries], safe
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _finding(entry: dict[str, Any], root: str) -> LintFinding:
    return LintFinding(
        file=entry["filename"].removeprefix(root),
        line=entry["location"]["row"],
        column=entry["location"]["column"],
        # Older versions give a syntax error no code.
        code=entry["code"] or "invalid-syntax",
        message=entry["message"],
    )
