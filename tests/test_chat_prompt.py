"""The prompt that stays open: the queue, questions, Ctrl-C, Ctrl-D, !command; keys through a pipe."""

import asyncio
import os
import sys
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

import pytest

from punie_cli.chat import bang, repl
from punie_cli.chat.prompt import PromptReader
from punie_cli.engine.base import Prompt, Reply, Text
from tests.chatting import CTRL_C, CTRL_D, ENTER, Keys, keys, until
from tests.command_line import program
from tests.fake import QueueEngine

OPENED = "fake, adapter none; /help shows the commands\n"

pytestmark = pytest.mark.usefixtures("project")


class Held(QueueEngine):
    """Begins its first reply, and goes on when `go` is set."""

    def __init__(self, replies: list[str]) -> None:
        super().__init__(replies)
        self.go = asyncio.Event()

    async def generate(self, prompt: Prompt, *, max_tokens: int = 512) -> AsyncGenerator[Text | Reply]:
        if not self.prompts:
            yield Text("")
            await self.go.wait()
        async for event in super().generate(prompt, max_tokens=max_tokens):
            yield event


async def held(replies: list[str], typing: Callable[[PromptReader, Callable[[str], None], Held], Any]) -> Keys:
    """A chat whose first turn waits while a test types."""
    engine = Held(replies)
    chat = Keys(engine)

    async def hands(reader: PromptReader, send: Callable[[str], None], ready: Callable[[], bool]) -> None:
        send(f"one{ENTER}")
        await until(lambda: reader.busy)
        await typing(reader, send, engine)
        await until(ready)
        send(CTRL_D)

    await chat.talk(hands)
    return chat


ENDING = "to go on: punie chat --session SESSION\n"


async def test_what_is_typed_during_a_turn_is_sent_afterwards_in_order() -> None:
    async def typing(reader: PromptReader, send: Callable[[str], None], engine: Held) -> None:
        send(f"two{ENTER}three\nlines{ENTER}half")
        await until(lambda: reader.queued == 2 and reader.session.default_buffer.text == "half")
        assert reader.chat is not None
        assert reader.chat.bar.queued == 2
        engine.go.set()
        await until(lambda: len(engine.prompts) == 3 and not reader.busy)
        assert reader.session.default_buffer.text == "half"
        send("\x15")

    chat = await held(["1.", "2.", "3."], typing)
    assert chat.asked == ["one", "two", "three\nlines"]
    assert (chat.stdout, chat.stderr) == ("1.\n2.\n3.\n", f"{OPENED}(queued: two)\n(queued: three …)\n{ENDING}")


async def test_control_c_stops_the_turn_and_keeps_what_is_typed() -> None:
    async def typing(reader: PromptReader, send: Callable[[str], None], engine: Held) -> None:
        send(f"two{ENTER}half{CTRL_C}")
        engine.go.set()
        await until(lambda: len(engine.prompts) == 1 and not reader.busy)
        assert reader.session.default_buffer.text == "half"
        send("\x15")

    chat = await held(["2."], typing)
    # The turn that was stopped never reached the queue of replies.
    assert (chat.asked, chat.stdout) == (["two"], "2.\n")
    assert chat.stderr == f"{OPENED}(queued: two)\n(stopped)\n{ENDING}"


async def test_control_d_during_a_turn_stops_it_and_says_what_was_not_sent() -> None:
    async def typing(reader: PromptReader, send: Callable[[str], None], engine: Held) -> None:
        send(f"two{ENTER}{CTRL_D}")

    chat = await held([], typing)
    assert chat.stderr == f"{OPENED}(queued: two)\n(1 queued message not sent)\n(stopped)\n{ENDING}"


async def test_commands_that_need_not_wait_and_one_that_must() -> None:
    async def typing(reader: PromptReader, send: Callable[[str], None], engine: Held) -> None:
        send(f"/output{ENTER}/new{ENTER}")
        await until(lambda: reader.queued == 1)
        engine.go.set()
        await until(lambda: reader.queued == 0 and not reader.busy)

    chat = await held(["1."], typing)
    assert chat.stderr.startswith(f"{OPENED}(queued: /new)\nthere is no output yet\na new conversation")


async def test_leaving_by_command_during_a_turn() -> None:
    async def typing(reader: PromptReader, send: Callable[[str], None], engine: Held) -> None:
        send(f"/exit{ENTER}")

    assert (await held([], typing)).stderr == f"{OPENED}(stopped)\n{ENDING}"


async def test_a_question_gives_the_prompt_back_with_what_was_typed(project: Path) -> None:
    async def typing(reader: PromptReader, send: Callable[[str], None], engine: Held) -> None:
        buffer = reader.session.default_buffer
        send("two words\x1b[D\x1b[D")
        await until(lambda: buffer.cursor_position == len("two wor"))
        engine.go.set()
        await until(lambda: reader.asking)
        assert buffer.text == ""
        send("y")
        await until(lambda: buffer.text == "y")
        send(ENTER)
        await until(lambda: not reader.busy)
        assert (buffer.text, buffer.cursor_position) == ("two words", len("two wor"))
        send(f"\x05 more{ENTER}")
        await until(lambda: len(engine.prompts) == 3 and not reader.busy)

    chat = await held([program("write_file('a.txt', 'x')"), "Done.", "Ok."], typing)
    assert (chat.asked[2], (project / "a.txt").read_text()) == ("two words more", "x")


async def test_a_question_waits_until_nobody_types(monkeypatch: pytest.MonkeyPatch) -> None:
    chat = keys([program("write_file('a.txt', 'x')"), "Ok."])

    async def typing(reader: PromptReader, send: Callable[[str], None], ready: Callable[[], bool]) -> None:
        monkeypatch.setattr("punie_cli.chat.prompt.PAUSE_S", 3600.0)
        send(f"write{ENTER}no answer")
        await until(lambda: reader._asking.locked())
        # Time alone decides, and an hour has not passed.
        send(f" to a question{ENTER}")
        await until(lambda: reader.queued == 1)
        assert not reader.asking
        send(CTRL_C)
        await until(ready)
        send(CTRL_D)

    await chat.talk(typing)
    assert chat.asked == ["write", "no answer to a question"]


async def test_control_c_twice_says_how_to_leave() -> None:
    chat = keys()
    await chat.type(f"text{CTRL_C}{CTRL_C}a\x08{CTRL_C}{CTRL_C}{CTRL_D}")
    assert chat.stderr == f"{OPENED}(to leave: Ctrl-D or /exit)\n"


async def test_a_search_in_the_history_ends_with_enter_and_sends_nothing() -> None:
    chat = keys(["Yes."] * 2)
    await chat.type(f"first{ENTER}\x12fir{ENTER}\x05 again{ENTER}{CTRL_D}")
    assert chat.asked == ["first", "first again"]


async def test_a_command_of_ones_own(monkeypatch: pytest.MonkeyPatch, project: Path) -> None:
    monkeypatch.setenv("SHELL", "/bin/sh")
    (project / "a.txt").touch()
    chat = keys()
    await chat.type(f"!ls; echo; echo no >&2; exit 3{ENTER}!seq 20{ENTER}/output{ENTER}!{ENTER}{CTRL_D}")
    seq = [str(number) for number in range(1, 21)]
    folded = [*seq[:10], "… 6 lines; /output shows all …", *seq[-4:]]
    assert chat.stderr == (
        f"{OPENED}  a.txt\n  \n  no\n(exit code 3)\n"
        + "".join(f"  {line}\n" for line in folded)
        + "Error: there is no command behind the !\nTry: !git status\n"
    )
    assert (chat.stdout, chat.asked) == ("\n".join(seq) + "\n", [])


async def test_control_c_stops_a_command_and_what_it_started(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELL", "/bin/sh")
    monkeypatch.setattr(bang, "_GRACE_S", 0.1)
    chat = keys()

    async def typing(reader: PromptReader, send: Callable[[str], None], ready: Callable[[], bool]) -> None:
        send(f"!echo begun; sleep 1000 & echo $! > pid; wait{ENTER}")
        await until(lambda: (project / "pid").exists() and (project / "pid").read_text().endswith("\n"))
        # Lines are shown as they come.
        stderr: Any = sys.stderr
        await until(lambda: stderr.getvalue().endswith("  begun\n"))
        send(CTRL_C)
        await until(ready)
        send(CTRL_D)

    await chat.talk(typing)
    assert chat.stderr == f"{OPENED}  begun\n(stopped)\n"

    def gone() -> bool:
        try:
            os.kill(int((project / "pid").read_text()), 0)
        except ProcessLookupError:
            return True
        return False

    await until(gone)


async def test_the_bell_rings_after_a_long_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    rung = []
    monkeypatch.setattr(PromptReader, "ring", lambda self: rung.append(self))
    await keys(["Yes."]).type(f"hi{ENTER}{CTRL_D}")
    assert rung == []
    monkeypatch.setattr(repl, "RING_S", -1.0)
    await keys(["Yes."]).type(f"hi{ENTER}{CTRL_D}")
    assert len(rung) == 1
