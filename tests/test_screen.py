"""What a talk shows while a prompt is open: programs as they are written, calls, outputs."""

import io
import re
from contextlib import redirect_stderr, redirect_stdout
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punie_cli.agent.dialects import Native, Tags
from punie_cli.agent.events import Answered, Called, Delta, Output, Program, Prompted, Used
from punie_cli.agent.messages import program
from punie_cli.chat.screen import Screen
from punie_cli.engine.base import Usage


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Screen:
    """A screen of 40 columns without colours, above an open prompt."""
    for name, value in (("TERM", "xterm"), ("COLUMNS", "40"), ("NO_COLOR", "1")):
        monkeypatch.setenv(name, value)
    return made()


def made() -> Screen:
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        view = Screen(color="always")
    view.parse, view.begun, view.prompted = Tags().parse, Tags().begun, True
    return view


def shown(file: object) -> str:
    assert isinstance(file, io.StringIO)
    return re.sub(r"\x1b\[[0-9;]*m", "", file.getvalue())


def test_lines_of_a_program_appear_when_they_are_finished(screen: Screen) -> None:
    screen.show(Prompted("go"))
    seen = []
    for piece in ("<code>\n", "for a in b:", "\n\n", "    print(", "a)\n</co", "de>"):
        screen.show(Delta(piece))
        seen.append(shown(screen.err.file))
    first, whole = "│ for a in b:\n│ \n", "│ for a in b:\n│ \n│     print(a)\n"
    assert seen == ["", "", first, first, whole, whole]
    screen.show(Program("for a in b:\n\n    print(a)"))
    assert (shown(screen.err.file), screen.activity) == (whole, "running")


def test_lines_of_a_program_in_a_models_own_format(screen: Screen) -> None:
    from mlx_lm.tool_parsers.qwen3_coder import parse_tool_call

    native = Native(parse_tool_call, "<tool_call>", "</tool_call>")
    screen.parse, screen.begun = native.parse, native.begun
    seen = []
    for piece in ("<tool_call>\n<function=execute_code>\n", "<parameter=code>\na = 1\nb", " = '<\\/parameter>'\n</par"):
        screen.show(Delta(piece))
        seen.append(shown(screen.err.file))
    assert seen == ["", "│ a = 1\n", "│ a = 1\n│ b = '</parameter>'\n"]
    screen.show(Delta("ameter>\n</function>\n</tool_call>"))
    screen.show(Program("a = 1\nb = '</parameter>'"))
    assert shown(screen.err.file) == seen[-1]
    assert native.begun('<tool_call>\n{"name"\n') is None


def test_a_program_that_was_not_seen_coming_is_shown_whole(screen: Screen) -> None:
    screen.begun = None
    for event in (Prompted("go"), Delta("<code>\na = 1\n</code>"), Program("a = 1\nb = 2")):
        screen.show(event)
    assert shown(screen.err.file) == "│ a = 1\n│ b = 2\n"


_LINES = st.lists(
    st.sampled_from(["a = 1", "", "  ", "'''", "</code>", "\\</code>", "é = '日本'", "if a:"]), max_size=6
)


@given(_LINES, st.data())
def test_a_program_reads_the_same_however_it_came(lines: list[str], data: st.DataObject) -> None:
    code = "\n".join(lines)
    reply = Tags().to_chat(program(code))["content"]
    cuts = sorted(data.draw(st.sets(st.integers(0, len(reply)), max_size=8)) | {0, len(reply)})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NO_COLOR", "1")
        screen = made()
        for begin, end in pairwise(cuts):
            screen.show(Delta(reply[begin:end]))
        screen.show(Program(code))
    assert shown(screen.err.file).rstrip("│ \n") == "".join(f"│ {line}\n" for line in lines).rstrip("│ \n")


def test_a_call_is_one_line(screen: Screen) -> None:
    screen.show(Called("read_file", {"path": "a" * 50}, True, "one\ntwo\n", None, 0.0))
    assert shown(screen.err.file) == "• read_file(path='aaaaaaaaaaa… → 2 lines\n"


def test_long_outputs_are_folded_and_kept(screen: Screen) -> None:
    text = "".join(f"{number}\n" for number in range(20))
    screen.show(Output(text, {"kind": "ValueError", "message": "no", "line": 2}, False))
    lines = shown(screen.err.file).splitlines()
    assert (lines[10], lines[-1], len(lines)) == ("  … 6 lines; /output shows all …", "  ValueError: no (line 2)", 16)
    assert screen.whole == f"{text}ValueError: no (line 2)"


def test_text_has_no_blanks_at_its_end(screen: Screen) -> None:
    screen.show(Prompted("go"))
    screen.show(Answered("A **word**.\n\n- one\n- two", "stop"))
    assert shown(screen.out.file) == "A word.\n\n • one\n • two\n"


def test_what_goes_on_is_told_when_it_changes(screen: Screen) -> None:
    told = []
    screen.changed = lambda: told.append(screen.activity)
    for event in (Prompted("go"), Delta("a"), Delta("b"), Used(Usage(prompt_tokens=3)), Answered("ab", "stop")):
        screen.show(event)
    screen.rest()
    assert told == ["thinking", "writing", "writing", ""]
    assert screen.usage == Usage(prompt_tokens=3)
