"""/good, /bad and /fix: what they keep of a turn."""

from pathlib import Path

import pytest

from punie_cli import journal
from tests.command_line import program
from tests.talks import talk

FAILS = program("print(1 / 0)")


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(journal, "_SYNCHRONOUS", "OFF")
    monkeypatch.delenv("VISUAL", raising=False)
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


async def test_the_last_verdict_counts(project: Path) -> None:
    async with talk(project, ["Hello.", program("print(2)"), "Two."]) as chat:
        assert (await chat.say("/good")).startswith("Error: there is no turn yet\n")
        await chat.say("hi")
        assert await chat.say("/good short") == "turn 1 is good: short\n"
        assert await chat.say("/bad too short") == "turn 1 is bad, no longer good: too short\n"
        session = chat.chat.recorder.session
        assert chat.records("verdict") == [
            {"type": "verdict", "session": session, "step": 1, "turn": 1, "verdict": "good", "why": "short"},
            {"type": "verdict", "session": session, "step": 1, "turn": 1, "verdict": "bad", "why": "too short"},
        ]
        assert await chat.say("/fix") == "Error: the last turn ran no program\nTry: /bad WHY\n"
        await chat.say("two")
        assert await chat.say("/bad") == (
            "turn 2 is bad\n/fix opens its program in your editor, and keeps what you make of it\n"
        )
        assert [(each["turn"], each["why"]) for each in chat.records("verdict")] == [(2, None)]


async def test_a_fix_keeps_both_programs_with_their_outputs(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDITOR", "sed -i s/0)/2)/;s/^#//")
    bad = program("#write_file('a.txt', 'x')\nprint(1 / 0)")
    async with talk(project, [bad, program("print(3)"), "It fails."]) as chat:
        await chat.say("divide")
        asked = len(chat.engines["fake"].prompts)
        assert await chat.say("/fix 7") == (
            "Error: the last turn has no program of step '7'; there are: 1, 2\nTry: /fix 2\n"
        )
        assert await chat.say("/fix 1") == (
            "│ write_file('a.txt', 'x')\n│ print(1 / 2)\n"
            "• write_file(path='a.txt', text='x') → lines 1, new\n  0.5\n"
            "kept: the program of the model and yours, each with its output; the model is not told\n"
        )
        assert [question.summary for question in chat.questions] == ["create a.txt (1 line)"]
        assert (project / "a.txt").read_text() == "x"
        assert len(chat.engines["fake"].prompts) == asked
        (kept,) = chat.records("verdict")
        error = {"kind": "ZeroDivisionError", "message": "division by zero", "line": 2}
        kinds = [each["type"] for each in kept["fixed"]["records"]]
        assert (kept["turn"], kept["verdict"], kept["prompt"]) == (1, "fixed", "divide")
        assert kept["bad"] == {
            "step": 1,
            "records": [
                {"type": "program", "code": "#write_file('a.txt', 'x')\nprint(1 / 0)"},
                {"type": "output", "text": "", "error": error, "truncated": False},
            ],
        }
        assert kinds == ["program", "approval", "call", "output"]
        assert kept["fixed"]["records"][0] == {"type": "program", "code": "write_file('a.txt', 'x')\nprint(1 / 2)"}
        assert kept["fixed"]["records"][-1] == {"type": "output", "text": "0.5\n", "error": None, "truncated": False}
        # What the fix wrote belongs to the turn.
        assert "took back turn 1: a.txt" in await chat.say("/undo")


async def test_an_unchanged_program_is_not_kept(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDITOR", "true")
    async with talk(project, [FAILS, "It fails."]) as chat:
        await chat.say("divide")
        assert await chat.say("/fix") == "the program is as it was; nothing is kept\n"
        assert chat.records("verdict") == []


async def test_a_fix_that_fails_is_edited_again_or_not_kept(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Each round makes one more step towards a program that works.
    monkeypatch.setenv("EDITOR", "sed -i s/none/2/;s/0)/none)/")
    async with talk(project, [FAILS, "It fails."], ["n", "y"]) as chat:
        await chat.say("divide")
        failed = "│ print(1 / none)\n  NameError: name 'none' is not defined (line 1)\n"
        assert await chat.say("/fix") == f"{failed}nothing is kept\n"
        assert chat.records("verdict") == []
        assert (await chat.say("/fix")).startswith(f"{failed}│ print(1 / 2)\n  0.5\nkept: ")
        assert [each["verdict"] for each in chat.records("verdict")] == ["fixed"]


async def test_a_session_that_is_not_stored(project: Path, punie_home: Path) -> None:
    (punie_home / "data/sessions.db").mkdir(parents=True)
    async with talk(project, ["Hello."]) as chat:
        assert "this session is not stored" in await chat.say("hi")
        assert (await chat.say("/good")).startswith("Error: ")
