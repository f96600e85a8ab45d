"""typecheck: run ty on a file or folder. A run that failed never looks like a clean one."""

import json
import os
import re
from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict

from punie_cli.builtins.registry import Result, builtin
from punie_cli.find_tool import python_environment, tool_command
from punie_cli.tool_output import counted, how_it_ended, last_words
from punie_cli.workspace import Completed, Workspace

TIMEOUT_S = 120.0
OUTPUT_BYTES = 32 * 1024 * 1024
SHOWN = 20
LINE = 240
KEPT = 2000
INSTALL = "ty was not found; install it with: uv tool install ty"
_NO_FILES = "No python files found under the given path"
_CONCISE = re.compile(
    r"^(?P<file>.*?):(?P<line>[0-9]{1,9}):(?P<column>[0-9]{1,9}): "
    r"(?P<severity>error|warning|info|fatal)\[(?P<code>[\w-]+)\] (?P<message>.*)$"
)
_CONCISE_IO = re.compile(r"^(?P<severity>error|warning|info|fatal)\[(?P<code>[\w-]+)\] (?P<message>.*)$")
_FOUND = re.compile(r"^Found ([0-9]{1,9}) diagnostics?$")
_SEVERITIES: dict[str, Literal["error", "warning", "info"]] = {
    "minor": "warning",
    "warning": "warning",
    "info": "info",
}


class Finding(BaseModel):
    """One thing that ty reports; line and column count from 1, `severity` is error, warning or info."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: str
    line: int
    column: int
    code: str
    message: str
    severity: Literal["error", "warning", "info"]

    def __str__(self) -> str:
        first = self.message.partition("\n")[0]
        if len(first) > LINE:
            first = f"{first[:LINE]}…"
        return f"{self.file}:{self.line}: {first}" if self.file else first


class TypecheckResult(Result):
    """What ty found. `warnings` holds every finding that is not an error; `files` are those with errors.

    With `tool_error` set the check did not happen: `success` is False and the findings cannot be read.
    """

    success: bool
    error_count: int
    warning_count: int
    files: list[str]
    errors: list[Finding]
    warnings: list[Finding]
    note: str | None = None
    tool_error: str | None = None

    def blocked(self) -> dict[str, str]:
        if self.tool_error is None:
            return {}
        reason = f"the type check failed: {self.tool_error}"
        return dict.fromkeys(("error_count", "warning_count", "files", "errors", "warnings"), reason)

    def __str__(self) -> str:
        if self.tool_error is not None:
            return f"type check failed: {self.tool_error}"
        blocks = []
        shown = SHOWN
        for word, count, findings in (
            ("error", self.error_count, self.errors),
            ("warning", self.warning_count, self.warnings),
        ):
            if not count:
                continue
            files = len(self.files) if word == "error" else len({finding.file for finding in findings})
            lines = [str(finding) for finding in findings[: max(shown, 0)]]
            left = count - len(lines)
            shown -= len(lines)
            blocks.append(f"{counted(count, word)} in {counted(files, 'file')}")
            blocks += lines
            if left:
                blocks.append(f"({left} more {word}s not shown)" if left > 1 else f"(1 more {word} not shown)")
        if not self.error_count:
            blocks.insert(0, "no type errors")
        if self.note:
            blocks.append(f"({self.note})")
        return "\n".join(blocks)


@builtin
async def typecheck(
    workspace: Workspace, path: Annotated[str, "file or folder, relative to the workspace"] = "."
) -> TypecheckResult:
    """check types with ty

    `str(result)` lists the first 20 findings. Raises FileNotFoundError for a path that is not there and
    ValueError for a file that is not Python. If ty cannot run, `tool_error` says why and the findings cannot
    be read.
    """
    relative = workspace.resolve_python(path)
    try:
        command = tool_command(workspace, "ty")
    except FileNotFoundError as problem:
        return failed(str(problem))
    if command is None:
        return failed(INSTALL)
    first = await _run(command, "gitlab", workspace, relative)
    return await _judge(first, command, workspace, relative)


async def _run(command: list[str], form: str, workspace: Workspace, relative: str) -> Completed | str:
    python = python_environment(workspace)
    argv = [*command, "check", "--output-format", form, "--color", "never", "--no-progress"]
    argv += ["--python", str(python)] if python else []
    try:
        return await workspace.run([*argv, "--", relative], timeout_s=TIMEOUT_S, output_bytes=OUTPUT_BYTES)
    except OSError as problem:
        return f"{command[0]} cannot be run: {problem.strerror or problem}"


async def _judge(done: Completed | str, command: list[str], workspace: Workspace, relative: str) -> TypecheckResult:
    root = f"{workspace.root}{os.sep}"
    stopped = _stopped(done, root)
    if stopped is not None or isinstance(done, str):
        return failed(stopped or str(done))
    findings = parse_gitlab(done.stdout, root) if done.stdout else None
    if done.exit_code == 2:
        return failed(_cause(findings or [], done.stderr, root), findings or [])
    if findings is None:
        again = await _run(command, "concise", workspace, relative)
        stopped = _stopped(again, root)
        if stopped is not None or isinstance(again, str):
            return failed(stopped or str(again))
        findings = parse_concise(again.stdout, root)
        if again.exit_code == 2:
            return failed(_cause(findings or [], again.stderr, root), findings or [])
        if findings is None:
            return failed(f"cannot read what ty printed: {last_words(again.stdout or done.stdout, root)}")
        done = again
    if done.exit_code == 1 and not findings:
        return failed("ty reported a failure without a finding")
    note = "no Python file was checked" if _NO_FILES in done.stderr else None
    return result(findings, note=note)


def result(findings: Iterable[Finding], *, note: str | None = None, tool_error: str | None = None) -> TypecheckResult:
    """The result of a run; at most 2,000 findings of each kind are kept, the counts are of all."""
    ordered = sorted(findings, key=lambda f: (f.file, f.line, f.column, f.code, f.message))
    errors = [finding for finding in ordered if finding.severity == "error"]
    warnings = [finding for finding in ordered if finding.severity != "error"]
    return TypecheckResult(
        success=tool_error is None and not errors,
        error_count=len(errors),
        warning_count=len(warnings),
        files=sorted({finding.file for finding in errors}),
        errors=errors[:KEPT],
        warnings=warnings[:KEPT],
        note=note,
        tool_error=tool_error,
    )


def failed(tool_error: str, findings: Iterable[Finding] = ()) -> TypecheckResult:
    """A check that did not happen; findings that did parse are kept for the record."""
    return result(findings, tool_error=tool_error)


def parse_gitlab(stdout: str, root: str) -> list[Finding] | None:
    """Findings of a GitLab report; None if it is anything else. `root` ends with a slash."""
    try:
        entries = json.loads(stdout)
        return [_from_gitlab(entry, root) for entry in entries] if isinstance(entries, list) else None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _from_gitlab(entry: dict[str, Any], root: str) -> Finding:
    begin = entry["location"]["positions"]["begin"]
    code = entry["check_name"]
    return Finding(
        file=entry["location"]["path"].removeprefix(root),
        line=begin["line"],
        column=begin["column"],
        code=code,
        message=entry["description"].removeprefix(f"{code}: "),
        severity=_SEVERITIES.get(entry["severity"], "error"),
    )


def parse_concise(stdout: str, root: str) -> list[Finding] | None:
    """Findings of the concise format; None unless every line parses and the count in the trailer agrees."""
    lines = [line for line in stdout.split("\n") if line]
    if lines == ["All checks passed!"]:
        return []
    trailer = _FOUND.match(lines[-1]) if lines else None
    if trailer is None or int(trailer[1]) != len(lines) - 1:
        return None
    findings = []
    for line in lines[:-1]:
        match = _CONCISE.match(line) or _CONCISE_IO.match(line)
        if match is None:
            return None
        parts = {"file": "", "line": "1", "column": "1", **match.groupdict()}
        findings.append(
            Finding(
                file=parts["file"].removeprefix(root),
                line=int(parts["line"]),
                column=int(parts["column"]),
                code=parts["code"],
                message=parts["message"],
                severity=_SEVERITIES.get(parts["severity"], "error"),
            )
        )
    return findings


def _stopped(done: Completed | str, root: str) -> str | None:
    return done if isinstance(done, str) else how_it_ended(done, "ty", TIMEOUT_S, root)


def _cause(findings: list[Finding], stderr: str, root: str) -> str:
    texts = [finding.message for finding in findings if finding.code == "io"]
    if texts:
        return texts[0].replace(root, "")
    return last_words(stderr, root) or "ty ended with exit code 2"
