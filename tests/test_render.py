"""Views: what a terminal is shown while a reply is written, and what stays of long things."""

import io
import re
from contextlib import redirect_stderr, redirect_stdout

import pytest

from punie_cli.agent.dialects import Tags
from punie_cli.agent.events import Answered, Called, Delta, Output, Program, Prompted
from punie_cli.event_text import call_text, error_text, folded, outcome_text
from punie_cli.render import View, finished_blocks


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> View:
    """A view whose stdout takes itself for a terminal."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("NO_COLOR", "1")
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        view = View(color="always", quiet=True)
    view.parse = Tags().parse
    return view


def shown(view: View) -> list[str]:
    """Lines of stdout without styles and without blanks at their ends."""
    assert isinstance(view.out.file, io.StringIO)
    return [line.rstrip() for line in re.sub(r"\x1b\[[0-9;]*m", "", view.out.file.getvalue()).splitlines()]


def test_blocks_appear_when_they_are_finished(terminal: View) -> None:
    terminal.show(Prompted("go"))
    seen = []
    for piece in ("One", " **word**.\n", "\nTwo", " words.\n\n", "Three"):
        terminal.show(Delta(piece))
        seen.append(shown(terminal))
    assert seen == [[], [], ["One word."], ["One word.", "", "Two words."], ["One word.", "", "Two words."]]
    terminal.show(Answered("One **word**.\n\nTwo words.\n\nThree words.", "stop"))
    assert shown(terminal) == ["One word.", "", "Two words.", "", "Three words."]


def test_a_program_is_not_shown_as_an_answer(terminal: View) -> None:
    terminal.show(Prompted("go"))
    for piece in ("<code>\n", "x = 1\n\n", "print(x)\n\n", "</code>"):
        terminal.show(Delta(piece))
    terminal.show(Program("x = 1\n\nprint(x)"))
    terminal.show(Output("1\n", None, False))
    terminal.show(Delta("Done."))
    terminal.show(Answered("Done.", "stop"))
    assert shown(terminal) == ["Done."]


def test_a_terminal_gets_no_control_characters(terminal: View) -> None:
    terminal.show(Answered("a\x1b]0;title\x07b \u202e", "stop"))
    assert shown(terminal) == ["a\\x1b]0;title\\x07b \\u202e"]


def test_a_short_list_is_not_folded() -> None:
    assert folded([str(n) for n in range(16)]) == [str(n) for n in range(16)]
    assert folded([str(n) for n in range(17)]) == [*(str(n) for n in range(10)), "… 3 lines …", "13", "14", "15", "16"]


@pytest.mark.parametrize(
    ("args", "text"),
    [
        ({}, "f()"),
        ({"path": "a.py", "n": 1}, "f(path='a.py', n=1)"),
        ({"text": "x" * 100}, f"f(text='{'x' * 59}…')"),
        ({"words": ["y" * 200]}, f"f(words=['{'y' * 117}…)"),
        ({"text": "a\x1b\n"}, "f(text='a\\x1b\\n')"),
    ],
)
def test_calls(args: dict[str, object], text: str) -> None:
    assert call_text("f", args) == text


@pytest.mark.parametrize(
    ("result", "error", "text"),
    [
        ("one\n", None, "1 line"),
        ("one\ntwo", None, "2 lines"),
        ({"success": True, "error_count": 2, "files": ["a"]}, None, "error count 2"),
        ({"success": False, "tool_error": "ty crashed", "error_count": 0}, None, "ty crashed"),
        (None, {"kind": "OSError", "message": "a\nb"}, "OSError: a b"),
        (None, None, ""),
    ],
)
def test_outcomes(result: object, error: dict[str, str] | None, text: str) -> None:
    assert outcome_text(Called("f", {}, error is None, result, error, 0.0)) == text


def test_errors() -> None:
    assert error_text({"kind": "KeyError", "message": "'a'", "line": 3}) == "KeyError: 'a' (line 3)"
    assert error_text({"kind": "LimitError", "message": "stopped", "line": None}) == "LimitError: stopped"


@pytest.mark.parametrize(
    ("text", "finished"),
    [
        ("one", ""),
        ("one\n\ntwo", "one\n\n"),
        ("one\n \ntwo\n\n", "one\n \ntwo\n\n"),
        ("```\na\n\nb", ""),
        ("```\na\n\nb\n```\n\nc", "```\na\n\nb\n```\n\n"),
        ("~~~~\n```\n\n~~~\n\n~~~~\n\n", "~~~~\n```\n\n~~~\n\n~~~~\n\n"),
    ],
)
def test_finished_blocks(text: str, finished: str) -> None:
    assert text[: finished_blocks(text)] == finished
