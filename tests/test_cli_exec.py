"""punie exec: programs without a model, from files and stdin; exit codes; Ctrl-C in a real process."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from punie_cli.store import session_file
from tests.command_line import Ran, punie

# Far more than any machine needs; a wait ends when what it waits for is there.
PATIENCE_S = 120

pytestmark = pytest.mark.usefixtures("project")


@pytest.mark.parametrize(
    ("code", "ran"),
    [
        ("print(6 * 7)", Ran(0, "42\n", "")),
        ("print('a', end='')", Ran(0, "a", "")),
        ("print(1)\n1 / 0", Ran(1, "1\n", "Error: ZeroDivisionError: division by zero (line 2)\n")),
        ("open('x')", Ran(5, "", "")),
        ("try:\n    write_file('a', 'b')\nexcept OSError:\n    print('no')", Ran(5, "no\n",
         "Refused: nobody is at the terminal\nTry: punie exec --allow write …\n")),
    ],
)  # fmt: skip
def test_programs(code: str, ran: Ran) -> None:
    found = punie("exec", "-", stdin=code)
    if ran.code == 5 and not ran.stderr:
        # How the policy puts it is the policy's.
        assert (found.code, found.stdout, found.stderr.partition(":")[0]) == (5, "", "Error")
    else:
        assert found == ran


def test_files(project: Path) -> None:
    (project / "p.py").write_text("print(read_file('p.py'))")
    assert punie("exec", "p.py") == Ran(0, "print(read_file('p.py'))\n", "")
    assert punie("exec", "--allow", "write", "-", stdin="write_file('new.txt', 'x')") == Ran(0, "", "")
    assert (project / "new.txt").read_text() == "x"


@pytest.mark.parametrize(
    ("args", "stdin", "message"),
    [
        (["nothing.py"], b"", "nothing.py cannot be read: No such file or directory\nTry: punie exec FILE"),
        (["."], b"", ". cannot be read: Is a directory\nTry: punie exec FILE"),
        (["-"], b"\xff", "stdin is not text (UTF-8)\nTry: punie exec FILE"),
        ([], b"", "Missing argument 'FILE'.\nTry: punie exec --help"),
    ],
)
def test_usage_errors(args: list[str], stdin: bytes, message: str) -> None:
    assert punie("exec", *args, stdin=stdin) == Ran(2, "", f"Error: {message}\n")


def test_root(project: Path) -> None:
    (project / "sub").mkdir()
    (project / "sub" / "a.txt").write_text("inside")
    assert punie("exec", "-", "--root", "sub", stdin="print(read_file('a.txt'))") == Ran(0, "inside\n", "")


def test_json_lines_and_the_store(project: Path) -> None:
    ran = punie("exec", "--json", "-", stdin="print(1)\nprint(len([1]))")
    assert (ran.code, ran.stderr, ran.records) == (0, "", [
        {"type": "session", "step": 0, "model": None, "adapter": None, "prompt_hash": None, "root": str(project),
         "version": 1},
        {"type": "program", "step": 1, "code": "print(1)\nprint(len([1]))"},
        {"type": "output", "step": 1, "text": "1\n1\n", "error": None, "truncated": False},
    ])  # fmt: skip
    with sqlite3.connect(session_file()) as store:
        kept = [row[0] for row in store.execute("SELECT json FROM records ORDER BY n")]
        assert store.execute("SELECT command, model, root FROM sessions").fetchall() == [("exec", None, str(project))]
    assert kept == ran.stdout.splitlines()


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_program_and_command(sent: signal.Signals, project: Path) -> None:
    code = "run_command(['/bin/sh', '-c', 'echo $$ > part; mv part pid; exec sleep 600'])"
    root = str(Path(__file__).resolve().parent.parent)
    process = subprocess.Popen(
        [sys.executable, "-m", "punie_cli", "exec", "--allow", "run", "--json", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": root},
    )
    assert process.stdin is not None
    process.stdin.write(code)
    process.stdin.close()
    process.stdin = None
    deadline = time.monotonic() + PATIENCE_S
    while not (project / "pid").exists() and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.02)
    assert (project / "pid").exists()
    # Not the number in the file: enclosed, a command has numbers of its own.
    started = {p.pid for p in psutil.Process(process.pid).children(recursive=True)}
    process.send_signal(sent)
    stdout, stderr = process.communicate(timeout=PATIENCE_S)
    message = {signal.SIGINT: "interrupted", signal.SIGTERM: "stopped by SIGTERM"}[sent]
    # A layer that this machine lacks is told before.
    assert (process.returncode, stderr.splitlines()[-1]) == (130, f"Error: {message}")
    last = stdout.splitlines()[-1]
    assert last.startswith('{"type": "error", ') and last.endswith(
        f'"exit": 130, "message": "{message}", "hint": null}}'
    )
    assert [pid for pid in started if _runs(pid)] == []


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_reader_that_went_away() -> None:
    root = str(Path(__file__).resolve().parent.parent)
    line = f"{sys.executable} -m punie_cli exec - <<'END' | true\nprint('x' * 60000)\nEND\necho ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": root})
    assert done.stderr == ""
