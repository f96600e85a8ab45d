"""Runs the programs of rows again: do they still give the recorded outputs? Several rows at once, one for each core.

A row from elsewhere may ask for anything: its programs are held by the sandbox, and what it wants of commands and
tests is only run for rows of punie's own folders, or where the user allows it.
"""

import ast
import asyncio
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath

from punie_cli.agent.dialects import output_body
from punie_cli.builtins.registry import Registry
from punie_cli.errors import PunieError
from punie_cli.paths import data_dir, shipped
from punie_cli.rows.check import Finding
from punie_cli.rows.formats import Entry, scan
from punie_cli.rows.replay import replay
from punie_cli.rows.row import Row
from punie_cli.sandbox.host import Sandbox

# Rows that are under way or waiting, for each core: findings come in the order of the rows.
_AHEAD = 16
_RUNS_COMMANDS = {"run_command", "test"}


@dataclass
class Ran:
    """Rows whose programs ran, rows that do not say in what they ran, rows that would run commands; seconds."""

    rows: int = 0
    no_setting: int = 0
    commands: int = 0
    findings: int = 0
    seconds: float = 0.0


async def rerun(
    files: Sequence[Path],
    report: Callable[[Finding], None],
    note: Callable[[int], None] = lambda done: None,
    *,
    allow_commands: bool = False,
) -> Ran:
    """Run every row that has programs and a setting; `report` gets what differs, in order, `note` the rows so far."""
    ran, start = Ran(), time.monotonic()
    jobs = os.cpu_count() or 1
    free = asyncio.Semaphore(jobs)
    async with Sandbox(Registry().specs()) as sandbox:

        async def one(entry: Entry) -> str | None:
            async with free:
                return await _difference(entry.row, sandbox)

        rows = _can_run(files, ran, allow_commands)
        while batch := list(islice(rows, _AHEAD * jobs)):
            for entry, problem in zip(batch, await asyncio.gather(*map(one, batch)), strict=True):
                ran.rows += 1
                if problem is not None:
                    ran.findings += 1
                    report(Finding(entry.file, entry.line, "output", problem))
            note(ran.rows)
    ran.seconds = time.monotonic() - start
    return ran


def _can_run(files: Iterable[Path], ran: Ran, allow_commands: bool) -> Iterator[Entry]:
    for path in files:
        own = allow_commands or _is_own(path)
        for entry in scan(path):
            programs = [m.text for m in entry.row.messages if m.role == "program"] if isinstance(entry, Entry) else []
            if not isinstance(entry, Entry) or not programs:
                continue
            if entry.row.setting is None:
                ran.no_setting += 1
            elif not own and any(map(_may_run_commands, programs)):
                ran.commands += 1
            else:
                yield entry


def _is_own(path: Path) -> bool:
    """Is this a file of rows that shipped with punie, or that punie built?"""
    place = path.resolve()
    return any(place.is_relative_to(folder.resolve()) for folder in (shipped("rows"), data_dir() / "rows"))


def _may_run_commands(code: str) -> bool:
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        # It is not run either.
        return False
    return any(isinstance(node, ast.Name) and node.id in _RUNS_COMMANDS for node in ast.walk(tree))


async def _difference(row: Row, sandbox: Sandbox) -> str | None:
    """What is other today than in the row; None where nothing is."""
    if row.setting is not None and (outside := next(filter(_leaves, row.setting.files), None)) is not None:
        return f"its setting has a file outside its project: {outside!r}"
    try:
        outputs = await replay(row, sandbox)
    except PunieError:
        raise
    except (OSError, ValueError) as problem:
        return f"its setting cannot be made: {problem}"
    recorded = [m for m in row.messages if m.role == "output"]
    if len(outputs) != len(recorded):
        return f"{len(outputs)} programs, {len(recorded)} recorded outputs"
    for number, (now, then) in enumerate(zip(outputs, recorded, strict=True), start=1):
        one, other = output_body(now), output_body(then)
        if one != other:
            return f"program {number} gives {_where(one, other)}"
    return None


def _leaves(path: str) -> bool:
    pure = PurePosixPath(path)
    return pure.is_absolute() or ".." in pure.parts or not pure.parts


def _where(now: str, then: str) -> str:
    """The first line that differs, today and as recorded."""
    ours, theirs = now.split("\n"), then.split("\n")
    for one, other in zip(ours, theirs, strict=False):
        if one != other:
            return f"{_cut(one)}, recorded is {_cut(other)}"
    more = len(ours) - len(theirs)
    return f"{abs(more)} lines {'more' if more > 0 else 'less'} than recorded"


def _cut(line: str, limit: int = 80) -> str:
    return repr(line if len(line) <= limit else f"{line[:limit]}…")
