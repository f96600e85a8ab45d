"""The corpus: programs that try to get out and programs that do honest work, the folder they run in, and how they end."""

import json
import os
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "corpus"
TOKEN = "canary-7f3a91"
"""What the files hold that no program may read."""
MARKER = "REACHED"


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
    (root / "hard.txt").hardlink_to(outside / "canary.txt")
    os.mkfifo(root / "pipe")
    return root, outside


def contents(folder: Path) -> dict[str, str]:
    """What a folder holds: names, and the text of the files."""
    found = {}
    for path in sorted(folder.rglob("*")):
        link = f"-> {path.readlink()}" if path.is_symlink() else ""
        found[str(path.relative_to(folder))] = link or (path.read_text() if path.is_file() else "")
    return found


_PLAIN = """
import contextlib, io, json, os, sys, warnings
warnings.simplefilter("ignore")
out = os.fdopen(os.dup(1), "w")
os.dup2(os.open(os.devnull, os.O_RDWR), 1)
for code in json.load(sys.stdin):
    reader, writer = os.pipe()
    if os.fork() == 0:
        sys.stdout = printed = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="replace")
        with contextlib.suppress(BaseException):
            exec(compile(code, "<plain>", "exec", dont_inherit=True), {"__name__": "__main__", "json": json})
        printed.flush()
        os.write(writer, printed.buffer.getvalue())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, encoding="utf-8") as file:
        print(json.dumps(file.read()), file=out, flush=True)
    os.wait()
"""


def in_plain_python(codes: list[str], cwd: Path) -> list[str]:
    """What each program prints in plain Python, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-I", "-c", _PLAIN],
        input=json.dumps(codes),
        capture_output=True,
        text=True,
        cwd=cwd,
        check=True,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]
