"""A chat at which a test types: keys through a pipe, replies from a queue, one thing after the other."""

import asyncio
import io
import re
import select
from collections.abc import Callable, Iterable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from punie_cli.agent.open import Connected
from punie_cli.chat import prompt
from punie_cli.chat.approve import person
from punie_cli.chat.prompt import PromptReader
from punie_cli.chat.readers import history_file
from punie_cli.chat.repl import chat
from punie_cli.chat.screen import Screen
from punie_cli.engine.base import Finish
from punie_cli.permits import Standing
from punie_cli.session import Recorder
from punie_cli.settings import Settings
from punie_cli.store import Store
from punie_cli.workspace import Workspace
from tests.command_line import CharTokenizer
from tests.fake import QueueEngine

ENTER, ALT_ENTER, CTRL_C, CTRL_D, CTRL_J = "\r", "\x1b\r", "\x03", "\x04", "\n"
# Something happens after each of these; what comes behind is typed when it has happened.
_ENDS = re.compile(r"(?<!\x1b)(?<=[\r\x03\x04])")


class Keys:
    """Types keys into a chat; `engine.prompts` tells afterwards what the model was asked.

    After Enter, Ctrl-C and Ctrl-D it waits until the chat is idle or asks something; `ahead` types without waiting.
    """

    def __init__(self, engine: QueueEngine) -> None:
        self.engine = engine
        self.stdout = ""
        self.stderr = ""

    async def type(self, keys: str, *ahead: str) -> None:
        """Type `keys` one after the other, then each of `ahead` at once; to the end of the chat."""

        async def typing(reader: PromptReader, send: Callable[[str], None], ready: Callable[[], bool]) -> None:
            for part in filter(None, _ENDS.split(keys)):
                send(part)
                await until(ready)
            for part in ahead:
                send(part)

        await self.talk(typing)

    async def talk(self, typing: Callable) -> None:
        """Run a chat with `typing(reader, send, ready)` at its keys."""

        async def connect(settings: Settings) -> Connected:
            return Connected(self.engine, CharTokenizer())

        out, err = io.StringIO(), io.StringIO()
        with (
            pytest.MonkeyPatch.context() as patch,
            create_pipe_input() as pipe,
            redirect_stdout(out),
            redirect_stderr(err),
        ):
            patch.setattr(prompt, "PAUSE_S", 0.0)
            view = Screen()
            reader = PromptReader(history_file(Path.cwd()), Path.cwd(), input=pipe, output=DummyOutput())

            def ready() -> bool:
                # Keys that lie in the pipe are not yet read.
                if select.select([pipe.fileno()], [], [], 0)[0] or not reader.session.app.is_running:
                    return work.done()
                return reader.asking or (reader.queued == 0 and not reader.busy)

            recorder = Recorder("chat", Store(warn=view.note))
            standing = Standing(Path.cwd(), warn=view.note)
            workspace = Workspace(Path.cwd(), person(view, reader.answer, standing))
            work = asyncio.create_task(chat(workspace, Settings(), recorder, view, reader, connect, standing))
            hands = asyncio.create_task(typing(reader, pipe.send_text, ready))
            await asyncio.wait([work, hands], return_when=asyncio.FIRST_COMPLETED)
            if hands.done():
                await hands
            try:
                await asyncio.wait_for(work, 60)
            finally:
                hands.cancel()
            recorder.close()
        self.stdout, self.stderr = out.getvalue(), err.getvalue().replace(recorder.session, "SESSION")

    @property
    def asked(self) -> list[str]:
        """The last message of each prompt."""
        return [prompt.messages[-1]["content"] for prompt in self.engine.prompts]


def keys(replies: Iterable[str | tuple[str, Finish]] = ()) -> Keys:
    """A chat with these replies."""
    return Keys(QueueEngine(replies))


async def until(ready: Callable[[], bool]) -> None:
    """Wait for something that happens in this process."""
    async with asyncio.timeout(60):
        while not ready():  # noqa: ASYNC110
            await asyncio.sleep(0.002)
