"""Sessions in a chat: taken up again, also after kill -9, by two chats at once; /resume, /fork, /rewind, /export."""

import asyncio
import io
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from punie_cli import sessions
from punie_cli.agent.open import Connected
from punie_cli.chat.memory import take_up
from punie_cli.chat.prompt import PromptReader
from punie_cli.cli import App, run
from punie_cli.holding import Hold
from punie_cli.recall import CUT_OFF, recall
from punie_cli.settings import Settings
from tests.chatting import CTRL_D, ENTER, keys, until
from tests.command_line import CharTokenizer, Ran, program, punie
from tests.fake import QueueEngine
from tests.talks import talk

OPENED = "fake, adapter none; /help shows the commands\n"
_SESSION = re.compile(r"[0-9a-f]{8}")
_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d")

pytestmark = pytest.mark.usefixtures("project")


def plain(text: str) -> str:
    return _TIME.sub("TIME", _SESSION.sub("SESSION", text))


def chat(*args: str, said: str, replies: list[str]) -> tuple[Ran, QueueEngine]:
    """`punie chat ARGS` with lines from a file, and the engine that was asked."""
    engine, out, err = QueueEngine(replies), io.StringIO(), io.StringIO()

    async def connect(settings: Settings) -> Connected:
        return Connected(engine, CharTokenizer())

    with tempfile.TemporaryFile("w+") as file, pytest.MonkeyPatch.context() as patch:
        file.write(said)
        file.seek(0)
        patch.setattr(sys, "stdin", file)
        with redirect_stdout(out), redirect_stderr(err):
            code = run(["chat", *args], App(connect=connect))
    return Ran(int(code), out.getvalue(), err.getvalue()), engine


def contents(engine: QueueEngine) -> list[str]:
    return [message["content"] for message in engine.prompts[-1].messages[1:]]


def test_on_with_the_last_session() -> None:
    ran, _ = chat(said="one\n", replies=[program("print(1)"), "Line.\n" * 9])
    session = re.findall("punie chat --session ([0-9a-f]{8})", ran.stderr)[0]
    assert ran.stderr.endswith(f"\nto go on: punie chat --session {session}\n")
    ran, engine = chat("-c", said="two\n", replies=["Two."])
    assert plain(ran.stderr) == (
        f"{OPENED}session SESSION, 1 turn, last used TIME\n> one\n  (1 program)\n"
        + "  Line.\n" * 6
        + "  … 3 lines\nto go on: punie chat --session SESSION\n"
    )
    code, output = program("print(1)"), "<output>\n1\n</output>"
    assert contents(engine) == ["one", code, output, ("Line.\n" * 9).strip(), "two"]
    ran, engine = chat("--session", session[:7], said="three\nfour\n", replies=["Three.", "Four."])
    assert ran.stderr.endswith(f"to go on: punie chat --session {session}\n")
    assert contents(engine)[4:] == ["two", "Two.", "three", "Three.", "four"]
    assert [(each.id, each.turns) for each in sessions.recent()] == [(session, 4)]


def test_a_look_at_a_session_leaves_nothing_in_the_store_and_the_way_back_to_it() -> None:
    session = re.findall("--session ([0-9a-f]{8})", chat(said="one\n", replies=["One."])[0].stderr)[0]
    before = sessions.lines(session)
    ran, _ = chat("-c", said="", replies=[])
    assert ran.stderr.endswith(f"\nto go on: punie chat --session {session}\n")
    assert (sessions.lines(session), len(sessions.recent())) == (before, 1)


def test_sessions_that_are_not_there(project: Path) -> None:
    assert punie("chat", "-c") == Ran(
        3, "", f"Error: there is no session in {project} to go on with\nTry: punie chat\n"
    )
    missing = "Error: there is no session '{}'\nTry: punie logs --all\n"
    for name in ("abcdef01", "ABC", "../x", "%"):
        assert punie("chat", "--session", name) == Ran(3, "", missing.format(name))
    assert punie("chat", "-c", "--session", "a").code == 2
    punie("exec", "-", stdin="print(1)")
    assert punie("chat", "-c").code == 3
    session = sessions.recent()[0].id
    assert punie("chat", "--session", session).stderr == (
        f"Error: session {session} has no turn to go on with\nTry: punie logs show {session}\n"
    )


def test_a_question_of_ask_goes_on_in_a_chat() -> None:
    punie("ask", "one", replies=["One."])
    _, engine = chat("-c", said="two\n", replies=["Two."])
    assert contents(engine) == ["one", "One.", "two"]


_KILLED = """
import os, signal, sys
from punie_cli.agent.open import Connected
from punie_cli.cli import App, run
from tests.command_line import CharTokenizer, program
from tests.fake import QueueEngine

class Killed(QueueEngine):
    async def generate(self, prompt, *, max_tokens=512):
        if not self.left:
            os.kill(os.getpid(), signal.SIGKILL)
        async for event in super().generate(prompt, max_tokens=max_tokens):
            yield event

engine = Killed(["One.", program("write_file('a.txt', 'x')"), program("print(2)")])

async def connect(settings):
    return Connected(engine, CharTokenizer())

sys.exit(run(sys.argv[1:], App(connect=connect)))
"""


def test_after_kill_9_everything_up_to_the_last_finished_step_is_there(project: Path) -> None:
    root = str(Path(__file__).resolve().parent.parent)
    killed = subprocess.run(
        [sys.executable, "-c", _KILLED, "chat", "--allow", "write"],
        input="one\ntwo\n",
        text=True,
        capture_output=True,
        env={**os.environ, "PYTHONPATH": root},
    )
    assert (killed.returncode, (project / "a.txt").read_text()) == (-signal.SIGKILL, "x")
    ran, engine = chat("-c", said="three\n", replies=["Three."])
    cut = "the last turn was cut off; its finished steps are part of the conversation: two\n"
    assert plain(ran.stderr) == (
        f"{OPENED}session SESSION, 2 turns, last used TIME\n> one\n  One.\n> two\n  (2 programs)\n  {CUT_OFF}\n{cut}"
        "to go on: punie chat --session SESSION\n"
    )
    first, second = program("write_file('a.txt', 'x')"), program("print(2)")
    nothing, two = "<output>\n(no output)\n</output>", "<output>\n2\n</output>"
    assert contents(engine) == ["one", "One.", "two", first, nothing, second, two, CUT_OFF, "three"]
    assert len(sessions.recent()) == 1


async def test_a_session_that_another_chat_has_is_forked(project: Path) -> None:
    async with talk(project, ["One.", "Two."]) as first:
        await first.say("one")
        session = first.chat.recorder.session
        async with talk(project, ["Other."]) as second:
            take_up(second.chat, session)
            fork = second.chat.recorder.session
            assert fork != session
            await second.say("other")
            await first.say("two")
    assert [turn.prompt for turn in recall(sessions.records(session)).talk] == ["one", "two"]
    assert [turn.prompt for turn in recall(sessions.records(fork)).talk] == ["one", "other"]
    assert (sessions.find(fork, project).parent, sessions.find(fork, project).parent_turn) == (session, 1)


async def test_a_fork_leaves_out_the_turn_that_the_other_chat_is_at(project: Path) -> None:
    async with talk(project, ["One.", program("print(1)")]) as first:
        await first.say("one")
        session = first.chat.recorder.session
        agent, recorder = first.chat.agent, first.chat.recorder
        agent.engine = QueueEngine([program("print(1)")])
        with pytest.raises(AssertionError):
            async for event in agent.turn("two"):
                recorder.note(event)
        async with talk(project) as second:
            take_up(second.chat, session)
            assert [message.text for message in second.chat.agent.messages] == ["one", "One."]


def test_a_fork_that_nobody_asked_for_and_nobody_used_is_deleted() -> None:
    chat(said="one\n", replies=["One."])
    (session,) = sessions.recent()
    hold = Hold(session.id)
    assert hold.take()
    back = "to go on: punie chat --session SESSION\n"
    told = "session SESSION is open in another chat; this one goes on with a fork of it, SESSION\n"
    ran, _ = chat("-c", said="", replies=[])
    assert plain(ran.stderr) == f"{OPENED}{told}session SESSION, 1 turn, last used TIME\n> one\n  One.\n{back}"
    assert len(sessions.recent()) == 1
    chat("-c", said="two\n", replies=["Two."])
    hold.release()
    assert [each.parent for each in sessions.recent()] == [session.id, None]


async def test_two_chats_in_one_project_at_once(project: Path) -> None:
    async with talk(project, map(str, range(20))) as first, talk(project, map(str, range(20))) as second:
        for number in range(20):
            await asyncio.gather(*(each.say(f"ask {number}") for each in (first, second)))
    found = sessions.recent()
    assert [each.turns for each in found] == [20, 20]
    for each in found:
        texts = [message.text for message in recall(sessions.records(each.id)).messages]
        assert texts == [text for number in range(20) for text in (f"ask {number}", str(number))]


async def test_what_is_not_as_it_was(project: Path, tmp_path: Path) -> None:
    moved = tmp_path / "moved"
    (project / "AGENTS.md").write_text("Use tabs.")
    async with talk(project, ["One."]) as first:
        await first.say("one")
        session = first.chat.recorder.session
    (project / "AGENTS.md").unlink()
    project.rename(moved)  # noqa: ASYNC240
    async with talk(moved, ["Two."]) as second:
        second.chat.started = replace(second.chat.started, model="other")
        shown = await second.say(f"/resume {session}")
        assert shown.splitlines()[3:] == [
            f"the session worked in {project}, which is gone; this chat works in {moved}: files may differ",
            "fake, adapter none answered so far; now other, adapter none does (/model)",
            "AGENTS.md is not as it was; the model reads it as it is now",
        ]
        await second.say("two")
        new = [record.fields["type"] for record in sessions.records(session)][5:]
        assert new == ["resumed", "switched", "prompt", "tail", "usage", "answer"]
    found = recall(sessions.records(session))
    assert (found.root, found.model, found.tail) == (str(moved), "other", None)


async def test_what_was_allowed_for_a_session_is_asked_again(project: Path) -> None:
    typed = keys([program("write_file('a.txt', 'x')"), "Ok.", program("write_file('a.txt', 'y')"), "Ok."])
    await typed.type(f"one{ENTER}s{ENTER}/fork{ENTER}two{ENTER}n{ENTER}{CTRL_D}")
    assert typed.asked[3] == "<output>\nError: PermissionError: refused by the user\n</output>"


async def test_resume_lists_searches_and_switches(project: Path) -> None:
    async with talk(project, ["One.", "Two.", "Three.", "Four."]) as chat:
        assert await chat.say("/resume") == "this project has no session yet\n"
        ids = []
        for text in ("fix the cart", "fix the tax", "what is new?"):
            await chat.say("/new")
            await chat.say(text)
            ids.append(chat.chat.recorder.session)
        assert plain(await chat.say("/resume")) == (
            "SESSION* TIME  1 turn  what is new?\nSESSION  TIME  1 turn  fix the tax\n"
            "SESSION  TIME  1 turn  fix the cart\n/resume ID goes on with one of them; * is this session\n"
        )
        assert (await chat.say("/resume fix")).count("\n") == 3
        assert await chat.say(f"/resume {ids[2]}") == f"Error: {ids[2]} is this session\nTry: /resume\n"
        assert (await chat.say("/resume nothing")).startswith("Error: no session of this project has 'nothing'")
        assert plain(await chat.say("/resume cart")) == (
            "session SESSION, 1 turn, last used TIME\n> fix the cart\n  One.\n"
        )
        assert (chat.chat.recorder.session, chat.chat.recorder.turns) == (ids[0], 1)
        # As the menu writes it.
        await chat.say(f"/resume {ids[1]} fix the tax")
        await chat.say("and?")
        assert [message.text for message in chat.chat.agent.messages] == ["fix the tax", "Two.", "and?", "Four."]
    assert not list((Path(os.environ["PUNIE_HOME"]) / "data/locks").iterdir())


async def test_sessions_complete_the_newest_first() -> None:
    typed = keys(["One.", "Two."])

    async def typing(reader: PromptReader, send: Callable[[str], None], ready: Callable[[], bool]) -> None:
        buffer: Any = reader.session.default_buffer
        for part in (f"first one{ENTER}", f"/new{ENTER}", f"second one{ENTER}", f"/new{ENTER}"):
            send(part)
            await until(ready)
        send("/resume ")
        await until(lambda: buffer.complete_state is not None and len(buffer.complete_state.completions) == 2)
        titles = [plain(each.text) for each in buffer.complete_state.completions]
        assert titles == ["SESSION second one", "SESSION first one"]
        send("frst")
        await until(lambda: buffer.complete_state is not None and len(buffer.complete_state.completions) == 1)
        send(f"\t{ENTER}{ENTER}")
        await until(lambda: buffer.text == "" and ready())
        send(CTRL_D)

    await typed.talk(typing)
    assert "> first one\n  One.\n" in typed.stderr


async def test_fork_and_rewind(project: Path) -> None:
    async with talk(project, ["One.", "Two.", "Three.", "Other."]) as chat:
        for command in ("/fork", "/rewind", "/export"):
            assert (await chat.say(command)).startswith("Error: ")
        for text in ("one", "two", "three\nlines"):
            await chat.say(text)
        old = chat.chat.recorder.session
        assert plain(await chat.say("/fork")) == (
            "from here on this is session SESSION; SESSION stays as it is (/resume SESSION)\n"
        )
        assert await chat.say("/rewind 2") == (
            "2 turns taken back, from: two\n1 turn left; files stay as they are (/undo), the store keeps everything\n"
        )
        for wrong in ("0", "-1", "two", "2"):
            assert (await chat.say(f"/rewind {wrong}")).startswith("Error: ")
        assert (await chat.say("/good")) == "turn 1 is good\n"
        await chat.say("other")
        new = chat.chat.recorder.session
        assert await chat.say("/good") == "turn 4 is good\n"
        assert chat.engines["fake"].prompts[-1].messages[1:] == [
            {"role": "user", "content": "one"},
            {"role": "assistant", "content": "One."},
            {"role": "user", "content": "other"},
        ]
    assert [turn.number for turn in recall(sessions.records(old)).talk] == [1, 2, 3]
    found = recall(sessions.records(new))
    assert [(turn.number, turn.dropped) for turn in found.turns] == [(1, False), (2, True), (3, True), (4, False)]


async def test_everything_is_taken_back(project: Path) -> None:
    async with talk(project, ["One.", "Two."]) as chat:
        await chat.say("one")
        await chat.say("/rewind")
        assert (await chat.say("/rewind")).startswith("Error: there is no turn")
        assert (await chat.say("/good")).startswith("Error: there is no turn yet")
        await chat.say("two")
        assert [message.text for message in chat.chat.agent.messages] == ["two", "Two."]
        session = chat.chat.recorder.session
    assert [message.text for message in recall(sessions.records(session)).messages] == ["two", "Two."]


async def test_export_replaces_nothing_but_an_export(project: Path) -> None:
    async with talk(project, [program("print('```')"), "It is *done*.", "Two."]) as chat:
        await chat.say("run `this`\nplease")
        assert plain(await chat.say("/export")) == "written to punie-SESSION.md\n"
        await chat.say("two")
        await chat.say("/rewind")
        file = project / "out.md"
        file.write_text("mine")
        assert (await chat.say("/export out.md")).startswith("Error: out.md is there already")
        file.unlink()
        await chat.say("/export out.md")
        assert await chat.say("/export out.md") == "written to out.md\n"
        session = chat.chat.recorder.session
    assert _TIME.sub("TIME", file.read_text()) == (
        f"<!-- punie session {session} -->\n\n# run \\`this\\` please\n\n"
        f"session {session}; TIME; fake, adapter none; {project}\n\n## Turn 1\n\n> run `this`\n> please\n\n"
        "````python\nprint('```')\n````\n\n````text\n```\n````\n\nIt is *done*.\n\n"
        "(1 turn taken back by /rewind: left out)\n"
    )


async def test_a_store_that_cannot_be_written(project: Path, punie_home: Path) -> None:
    (punie_home / "data/sessions.db").mkdir(parents=True)
    async with talk(project, ["One.", "Two."]) as chat:
        assert "this session is not stored" in await chat.say("one")
        for command in ("/resume", "/fork", "/export"):
            assert "sessions.db cannot be used" in await chat.say(command)
        assert (await chat.say("/rewind")).startswith("1 turn taken back")
        assert await chat.say("two") == "Two.\n"
        assert [message.text for message in chat.chat.agent.messages] == ["two", "Two."]
