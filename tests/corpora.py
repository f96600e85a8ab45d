"""The corpus: programs that try to get out and programs that do honest work, where they run, and how they end."""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from punie_cli.builtins.registry import Registry
from punie_cli.sandbox.host import CallReply, Limits, ProgramOutput, Sandbox
from punie_cli.workspace import Workspace, no_terminal

FOLDER = Path(__file__).parent / "corpus"
TOKEN = "canary-7f3a91"
"""What the files hold that no program may read."""
MARKER = "REACHED"
LIMITS = Limits(cpu_s=0.3, wall_s=10, memory_mb=64, output_bytes=4096, output_total=65536, calls=20)
"""For hostile programs: small, so that those that use all they can get are soon done."""
AT_ONCE = 4
T = TypeVar("T")
_YES = frozenset(["read", "write", "run"])
# It uses what the program before it may have changed.
_PROBE = ("import math\nprint(json.dumps([1]), math.pi > 3.1, 6 * 7, read_file('notes.md')[:5])", "[1] True 42 notes\n")


@dataclass(frozen=True)
class Program:
    """One program of the corpus. `output`: what it must print, of an ordinary one."""

    kind: str
    name: str
    code: str
    plain: bool = False
    allow: frozenset[str] = frozenset()
    output: str = ""

    @property
    def title(self) -> str:
        return f"{self.kind}: {self.name}"


def hostile() -> list[Program]:
    """All programs that try to get out; `@…@` in their code stands for something: see `fill`."""
    found = []
    for path in sorted((FOLDER / "hostile").glob("*.toml")):
        found += [_program(entry) for entry in tomllib.loads(path.read_text("utf-8"))["program"]]
    return found


def ordinary() -> tuple[dict[str, str], list[Program]]:
    """The files of the workspace, and all programs that do honest work in it."""
    content = tomllib.loads((FOLDER / "ordinary.toml").read_text("utf-8"))
    return content["files"], [_program(entry) for entry in content["program"]]


def _program(entry: dict[str, Any]) -> Program:
    return Program(
        entry["class"],
        entry["name"],
        entry["code"],
        entry.get("plain", False),
        frozenset(entry.get("allow", ())),
        entry.get("output", ""),
    )


def fill(code: str, outside: Path) -> str:
    """The code with its `@…@` replaced."""
    for name, value in {"OUT": str(outside), "CANARY": str(outside / "canary.txt")}.items():
        code = code.replace(f"@{name}@", value)
    return code.replace("@DEEP@", "-" * 60_000).replace("@ROW@", ".b" * 60_000)


def lay_out(base: Path) -> tuple[Path, Path]:
    """A workspace with traps in `base/root`, and what it must not reach in `base/outside`."""
    root, outside = base / "root", base / "outside"
    for folder in (root / "src", root / ".git", outside, base / "root_evil"):
        folder.mkdir(parents=True)
    for path in (outside / "canary.txt", base / "root_evil" / "canary.txt", root / ".env", root / "src" / "server.key"):
        path.write_text(f"{TOKEN}\n")
    (root / ".git" / "config").write_text(f'[remote "o"]\n\turl = https://{TOKEN}@example.org/\n')
    (root / "notes.md").write_text("notes\nnotes\nmore\n")
    (root / "src" / "a.py").write_text("x: int = 1\n")
    (root / "link.txt").symlink_to(outside / "canary.txt")
    (root / "linked").symlink_to(outside)
    (root / "env-link").symlink_to(root / ".env")
    # Reading through a hard link is not covered (docs/security.md); a write must not go through it.
    (outside / "kept.txt").write_text("kept\n")
    (root / "hard.txt").hardlink_to(outside / "kept.txt")
    os.mkfifo(root / "pipe")
    return root, outside


def contents(folder: Path) -> dict[str, str]:
    """What a folder holds: names, and the text of the files."""
    found = {}
    for path in sorted(folder.rglob("*")):
        link = f"-> {path.readlink()}" if path.is_symlink() else ""
        found[str(path.relative_to(folder))] = link or (path.read_text() if path.is_file() else "")
    return found


@dataclass(frozen=True)
class Ending:
    """How a hostile program ended: `how` is refused, killed or contained; `reached` is what it should not have got."""

    how: str
    reached: tuple[str, ...]
    output: ProgramOutput


async def run_hostile(sandbox: Sandbox, program: Program) -> Ending:
    """Run one in a folder of traps, then an honest program in the same turn, and look at what changed."""
    with tempfile.TemporaryDirectory() as folder:
        root, outside = lay_out(Path(folder))
        before = contents(outside), contents(root)
        calls: list[Any] = []
        caller = _caller(Workspace(root, no_terminal(program.allow)), calls)
        async with await sandbox.turn() as turn:
            output = await turn.run(fill(program.code, outside), caller)
            after = await turn.run(_PROBE[0], caller)
        reached = _reached(output, calls)
        changed = contents(outside), contents(root)
        if changed[0] != before[0]:
            reached.append("changed a file outside")
        if changed[1] != before[1] and not program.allow:
            reached.append("changed a file without a yes")
        if any(part in name.casefold() for name in set(changed[1]) - set(before[1]) for part in (".git", ".punie")):
            reached.append("wrote a protected file")
        if (after.text, after.error) != (_PROBE[1], None):
            reached.append(f"broke the next program: {after.text!r} {after.error}")
    refused = output.error is not None and not output.killed
    return Ending("killed" if output.killed else "refused" if refused else "contained", tuple(reached), output)


def _reached(output: ProgramOutput, calls: list[Any]) -> list[str]:
    found = ["printed the marker"] if MARKER in output.text else []
    if TOKEN in output.text or TOKEN in str(output.error) or TOKEN in str(calls):
        found.append("read what is secret")
    if len(output.text) > LIMITS.output_bytes + 100:
        found.append("printed more than is kept")
    return found


def lay_out_files(root: Path, files: dict[str, str]) -> None:
    """The files that ordinary programs find."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


async def run_ordinary(
    sandbox: Sandbox, files: dict[str, str], program: Program
) -> tuple[ProgramOutput, list[CallReply]]:
    """The output of one, and what its calls were answered."""
    replies: list[CallReply] = []
    with tempfile.TemporaryDirectory() as folder:
        lay_out_files(Path(folder), files)
        caller = _caller(Workspace(Path(folder), no_terminal(_YES)), replies)
        async with await sandbox.turn() as turn:
            return await turn.run(program.code, caller), replies


def _caller(workspace: Workspace, replies: list[Any]) -> Callable[[str, dict[str, Any]], Awaitable[CallReply]]:
    registry = Registry()

    async def call(name: str, args: dict[str, Any]) -> CallReply:
        outcome = await registry.call(name, args, workspace)
        replies.append({"error": outcome.error} if outcome.error else {"ok": outcome.wire})
        return replies[-1]

    return call


async def gather(awaitables: Iterable[Awaitable[T]]) -> list[T]:
    """The results in order, with `AT_ONCE` running."""
    room = asyncio.Semaphore(AT_ONCE)

    async def one(awaitable: Awaitable[T]) -> T:
        async with room:
            return await awaitable

    return await asyncio.gather(*map(one, awaitables))


_PLAIN = """
import contextlib, io, json, os, sys, warnings
sys.path.insert(0, sys.argv.pop())
from punie_cli.sandbox.records import decode
warnings.simplefilter("ignore")
out = os.fdopen(os.dup(1), "w")
os.dup2(os.open(os.devnull, os.O_RDWR), 1)
for code, replies in json.load(sys.stdin):
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.close(reader)
        sys.stdout = printed = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="replace")
        waiting = iter(replies)
        def call(*args, **kwargs):
            reply = next(waiting)
            if "error" in reply:
                raise getattr(__builtins__, reply["error"]["kind"])(reply["error"]["message"])
            return decode(reply["ok"])
        names = ("typecheck", "lint", "test", "read_file", "write_file", "run_command")
        with contextlib.suppress(BaseException):
            scope = {"__name__": "__main__", "json": json, **dict.fromkeys(names, call)}
            exec(compile(code, "<plain>", "exec", dont_inherit=True), scope)
        printed.flush()
        os.write(writer, printed.buffer.getvalue())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, encoding="utf-8") as file:
        print(json.dumps(file.read()), file=out, flush=True)
    os.wait()
"""


def in_plain_python(programs: list[tuple[str, list[CallReply]]], cwd: Path) -> list[str]:
    """What each code prints in plain Python, in a process of its own; its calls get the replies, in order."""
    done = subprocess.run(
        [sys.executable, "-I", "-c", _PLAIN, str(Path(__file__).parents[1])],
        input=json.dumps(programs),
        capture_output=True,
        text=True,
        cwd=cwd,
        check=True,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]
