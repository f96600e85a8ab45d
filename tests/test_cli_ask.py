"""punie ask: the answer on stdout, the rest on stderr, JSON lines, exit codes, the stored session."""

import json
import os
import sqlite3
import sys
from pathlib import Path

import pexpect
import pytest

from punie_cli import paths
from punie_cli.agent.open import Connected
from punie_cli.cli import App
from punie_cli.engine.base import Finish
from punie_cli.errors import MissingError
from punie_cli.settings import Settings
from punie_cli.store import session_file
from tests.command_line import Ran, app, program, punie

HASH_LENGTH = 64


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: a project with one file."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "notes.txt").write_text("one\ntwo\n")
    monkeypatch.chdir(folder)
    return folder


def test_answer() -> None:
    assert punie("ask", "hello", replies=["Hello."]) == Ran(0, "Hello.\n", "")


def test_program_call_output_and_answer() -> None:
    code = 'print(read_file("notes.txt").upper())\nread_file("note.txt")'
    ran = punie("ask", "shout the notes", replies=[program(code), "ONE, TWO."])
    progress = """\
│ print(read_file("notes.txt").upper())
│ read_file("note.txt")
• read_file(path='notes.txt') → 2 lines
• read_file(path='note.txt') → FileNotFoundError: no file or folder 'note.txt'; did you mean 'notes.txt'?
  ONE
  TWO
  FileNotFoundError: no file or folder 'note.txt'; did you mean 'notes.txt'? (line 2)
"""
    assert ran == Ran(0, "ONE, TWO.\n", progress)


def test_quiet_shows_the_answer_alone() -> None:
    assert punie("ask", "-q", "go", replies=[program("print(1)"), "Done."]) == Ran(0, "Done.\n", "")


def test_long_output_is_folded() -> None:
    ran = punie("ask", "count", replies=[program("for i in range(100): print(i)"), "Done."])
    numbers = "".join(f"  {i}\n" for i in range(10)) + "  … 86 lines …\n" + "".join(f"  {i}\n" for i in range(96, 100))
    assert ran == Ran(0, "Done.\n", f"│ for i in range(100): print(i)\n{numbers}")


def test_control_characters_are_shown_not_sent() -> None:
    ran = punie("ask", "go", replies=[program(r'print("\x1b[2J")'), "Done."])
    assert ran.stderr == '│ print("\\x1b[2J")\n  \\x1b[2J\n'


def test_json_lines(project: Path) -> None:
    code = 'read_file("notes.txt")\nwrite_file("new.txt", "x")'
    ran = punie("ask", "--json", "write", replies=[program(code), "No."])
    message = "refused: write new.txt (nobody at the terminal; run again with --allow write)"
    args = {"path": "new.txt", "text": "x"}
    usage = {
        "prompt_tokens": 0,
        "cached_tokens": 0,
        "completion_tokens": 0,
        "first_token_s": 0.0,
        "tokens_per_s": 0.0,
        "peak_gb": 0.0,
        "dropped_tokens": 0,
    }
    records = ran.records
    assert len(records[0].pop("prompt_hash")) == HASH_LENGTH
    assert records == [
        {"type": "session", "step": 0, "version": 1, "model": "fake", "adapter": None, "root": str(project)},
        {"type": "prompt", "step": 0, "text": "write"},
        {"type": "usage", "step": 1, **usage},
        {"type": "program", "step": 1, "code": code},
        {
            "type": "call",
            "step": 1,
            "builtin": "read_file",
            "args": {"path": "notes.txt"},
            "ok": True,
            "result": "one\ntwo\n",
            "error": None,
        },
        {
            "type": "approval",
            "step": 1,
            "builtin": "write_file",
            "args": args,
            "decision": "refused",
            "by": "no-terminal",
        },
        {
            "type": "call",
            "step": 1,
            "builtin": "write_file",
            "args": args,
            "ok": False,
            "result": None,
            "error": {"kind": "PermissionError", "message": message},
        },
        {
            "type": "output",
            "step": 1,
            "text": "",
            "error": {"kind": "PermissionError", "message": message, "line": 2},
            "truncated": False,
        },
        {"type": "usage", "step": 2, **usage},
        {"type": "answer", "step": 2, "text": "No.", "finish": "stop"},
    ]
    assert (ran.code, ran.stderr) == (5, "Refused: nobody is at the terminal\nTry: punie ask --allow write …\n")


def test_stored_records_are_those_of_json(project: Path) -> None:
    ran = punie("ask", "--json", "go", replies=[program("print(1)"), "Done."])
    with sqlite3.connect(session_file()) as store:
        (session,) = store.execute("SELECT id, command, model, adapter, root FROM sessions").fetchall()
        rows = store.execute("SELECT session, n, turn, step, type, json FROM records ORDER BY n").fetchall()
    assert session[1:] == ("ask", "fake", None, str(project))
    assert [row[5] for row in rows] == ran.stdout.splitlines()
    assert [row[:5] for row in rows] == [
        (session[0], 0, 0, 0, "session"),
        (session[0], 1, 1, 0, "prompt"),
        (session[0], 2, 1, 1, "usage"),
        (session[0], 3, 1, 1, "program"),
        (session[0], 4, 1, 1, "output"),
        (session[0], 5, 1, 2, "usage"),
        (session[0], 6, 1, 2, "answer"),
    ]


def test_allowed_writes(project: Path) -> None:
    ran = punie("ask", "--allow", "write", "go", replies=[program('write_file("new.txt", "x")'), "Done."])
    assert (ran.code, (project / "new.txt").read_text()) == (0, "x")


def test_a_question_with_nobody_there_is_5() -> None:
    ran = punie("ask", "go", replies=[program('try:\n    write_file("a", "x")\nexcept OSError: pass'), "Done."])
    assert (ran.code, ran.stdout) == (5, "Done.\n")
    assert ran.stderr.endswith(
        "• write_file(path='a', text='x') → PermissionError: refused: write a (nobody at the terminal; run again "
        "with --allow write)\nRefused: nobody is at the terminal\nTry: punie ask --allow write …\n"
    )


@pytest.mark.parametrize(
    ("replies", "finish", "answer"),
    [
        ([("half", "length")], "length", "half"),
        ([program("print(1)")] * 2, "loop", "(stopped: the same program gave the same output twice)"),
        ([program("print(1)"), program("print(2)")], "steps", "(stopped after 2 steps without an answer)"),
    ],
)
def test_an_answer_that_was_cut_short_is_1(replies: list[str | tuple[str, Finish]], finish: str, answer: str) -> None:
    ran = punie("ask", "--json", "--max-steps", "2", "go", replies=replies)
    step = ran.records[-1]["step"]
    assert (ran.code, ran.records[-1]) == (1, {"type": "answer", "step": step, "text": answer, "finish": finish})


@pytest.mark.parametrize(
    ("args", "stdin", "prompt"),
    [
        (["what is this?"], "a diff\n", "a diff\n\nwhat is this?"),
        (["-"], "from stdin\n", "from stdin"),
        ([], "\n  from stdin", "  from stdin"),
        (["hello"], "", "hello"),
        (["hello"], "\ufeffwith a mark", "with a mark\n\nhello"),
    ],
)
def test_stdin_comes_before_the_prompt(args: list[str], stdin: str, prompt: str) -> None:
    ran = punie("ask", "--json", *args, stdin=stdin, replies=["Yes."])
    assert ran.records[1] == {"type": "prompt", "step": 0, "text": prompt}


@pytest.mark.parametrize(
    ("args", "stdin", "message", "hint"),
    [
        (["ask"], b"", "the prompt is empty", 'punie ask "typecheck src/"'),
        (["ask", "-"], b" \n", "the prompt is empty", 'punie ask "typecheck src/"'),
        (["ask", "hi"], b"\xff\xfe", "stdin is not text (UTF-8)", 'punie ask "typecheck src/"'),
        (["ask", "hi"], b"a\0b", "stdin is not text (UTF-8)", 'punie ask "typecheck src/"'),
        (["ask", "hi", "--jsn"], b"", "No such option '--jsn'. Did you mean '--json'?", "punie ask --help"),
        (["ask", "hi", "--allow", "wirte"], b"", "--allow in the command line is 'wirte': it must be 'write', 'run', "
         "'read', 'network' or 'outside'", "punie --help"),
        (["ask", "hi", "--max-steps", "0"], b"", "--max-steps in the command line is 0: input should be greater than "
         "or equal to 1", "punie --help"),
    ],
)  # fmt: skip
def test_usage_errors(args: list[str], stdin: bytes, message: str, hint: str) -> None:
    assert punie(*args, stdin=stdin) == Ran(2, "", f"Error: {message}\nTry: {hint}\n")


def test_an_error_is_the_last_json_line() -> None:
    async def connect(settings: Settings) -> Connected:
        raise MissingError("no model", "punie models list")

    ran = punie("ask", "--json", "hi", use=App(connect=connect))
    assert json.loads(ran.stdout) == {
        "type": "error",
        "session": None,
        "step": 0,
        "exit": 3,
        "message": "no model",
        "hint": "punie models list",
    }
    assert (ran.code, ran.stderr) == (3, "Error: no model\nTry: punie models list\n")


def test_an_error_within_a_session_belongs_to_it() -> None:
    ran = punie("ask", "--json", "hi", use=app(["Hello."], context=100))
    assert [record["type"] for record in ran.records] == ["session", "prompt", "error"]
    assert ran.records[-1]["exit"] == ran.code == 2
    with sqlite3.connect(session_file()) as store:
        kept = [row[0] for row in store.execute("SELECT json FROM records ORDER BY n")]
    assert kept == ran.stdout.splitlines()


def test_without_a_model() -> None:
    message = "Error: the embedded model smollm2-135m is not here yet\nTry: punie models pull embedded\n"
    assert punie("ask", "hi", use=App()) == Ran(3, "", message)


def test_a_crash_goes_to_the_log() -> None:
    async def connect(settings: Settings) -> Connected:
        raise ZeroDivisionError("by zero")

    log = paths.log_file()
    message = f"Error: punie crashed: ZeroDivisionError: by zero; the traceback is in {log}\n"
    hint = "Try: punie --debug … shows the traceback\n"
    assert punie("ask", "hi", use=App(connect=connect)) == Ran(1, "", message + hint)
    assert log.read_text().splitlines()[1] == "Traceback (most recent call last):"
    shown = punie("--debug", "ask", "hi", use=App(connect=connect)).stderr
    assert shown.startswith("Traceback (most recent call last):\n") and shown.endswith(message + hint)


def test_a_broken_store_never_ends_a_turn() -> None:
    session_file().parent.mkdir(parents=True)
    session_file().write_bytes(b"not a database, but long enough to be looked at as one " * 40)
    ran = punie("ask", "hi", replies=[program("print(1)"), "Hello."])
    warning = f"this session is not stored: {session_file()}: file is not a database\n"
    assert ran == Ran(0, "Hello.\n", f"{warning}│ print(1)\n  1\n")


_TERMINAL = """
import sys
from punie_cli.cli import run
from tests.command_line import app, program
sys.exit(run(sys.argv[1:], app([program("write_file('a.txt', 'x')"), "As you wish."])))
"""


@pytest.mark.parametrize(
    ("typed", "written", "code"), [("y\r", True, 0), ("n not now\r", False, 0), ("\x03", False, 130)]
)
def test_a_person_is_asked_in_a_terminal(typed: str, written: bool, code: int, project: Path) -> None:
    root = str(Path(__file__).resolve().parent.parent)
    child = pexpect.spawn(
        sys.executable,
        ["-c", _TERMINAL, "ask", "write it"],
        env={**os.environ, "PYTHONPATH": root, "TERM": "xterm", "NO_COLOR": "1"},
        encoding="utf-8",
        timeout=120,
        dimensions=(40, 100),
    )
    child.expect_exact("A program wants to create a.txt (1 line)")
    child.expect_exact("Allow it? [y/s/a/e/n/?] ")
    child.send(typed)
    child.expect_exact("Error: interrupted" if code else "As you wish.")
    child.expect(pexpect.EOF)
    child.close()
    assert (child.exitstatus, (project / "a.txt").exists()) == (code, written)
