"""Where the lines of a chat come from: an open prompt in a terminal, plain lines elsewhere (a pipe, TERM=dumb)."""

import asyncio
import os
import sys
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Protocol, TextIO

from punie_cli.chat.history import history_file
from punie_cli.chat.prompt import PROMPT, Person, PromptReader
from punie_cli.errors import UsageError
from punie_cli.settings import Settings
from punie_cli.talk import EXAMPLE
from punie_cli.terminal import Lines, is_interactive

__all__ = ["PlainReader", "PromptReader", "Reader", "history_file", "open_reader"]


class Reader(Protocol):
    """Reads what the person types. `person` tells whether someone is there, `queued` how many messages wait."""

    @property
    def person(self) -> bool: ...

    @property
    def queued(self) -> int: ...

    def open(self, chat: Person) -> AbstractAsyncContextManager[None]:
        """Read for this conversation; around all other calls."""
        ...

    async def message(self) -> str | None:
        """The next message; None when the person leaves."""
        ...

    async def answer(self, prompt: str) -> str | None:
        """One line in answer to a question; None for none. Ctrl-C raises CancelledError: the turn is over."""
        ...

    async def edit(self, text: str) -> None:
        """Open what stands in the prompt, else `text`, in an editor; UsageError where there is no prompt."""
        ...

    def interrupt(self) -> None:
        """Ctrl-C came as a signal."""
        ...

    def drop(self) -> int:
        """Forget the messages that wait; returns how many there were."""
        ...

    def ring(self) -> None:
        """Call the person, who may have gone on with something else."""
        ...


class PlainReader:
    """Lines of stdin, each a message. The prompt is shown on `prompt_on`, on none when that is None.

    It reads no line while a turn runs.
    """

    queued = 0

    def __init__(self, prompt_on: TextIO | None) -> None:
        self.person = prompt_on is not None
        self._chat: Person | None = None
        self._lines = Lines(sys.stderr)
        self._prompt_on = prompt_on
        self._reading: asyncio.Task[str | None] | None = None

    @asynccontextmanager
    async def open(self, chat: Person) -> AsyncGenerator[None]:
        self._chat = chat
        yield

    async def message(self) -> str | None:
        if self._prompt_on is not None:
            self._prompt_on.write(PROMPT)
            self._prompt_on.flush()
        self._reading = asyncio.create_task(self._lines.read())
        try:
            return await self._reading
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            return ""
        finally:
            self._reading = None

    async def answer(self, prompt: str) -> str | None:
        return await self._lines.ask(prompt)

    async def edit(self, text: str) -> None:
        raise UsageError("there is no prompt here that could take the text", "punie chat, in a terminal")

    def interrupt(self) -> None:
        if self._chat is not None and self._chat.interrupt():
            return
        if self._reading is not None:
            self._reading.cancel()
            if self._prompt_on is not None:
                self._prompt_on.write("\n")

    def drop(self) -> int:
        return 0

    def ring(self) -> None:
        if self._prompt_on is not None:
            self._prompt_on.write("\a")
            self._prompt_on.flush()


def open_reader(root: Path, settings: Settings) -> Reader:
    """The reader that suits this terminal; `root` names the history. UsageError when stdin is closed."""
    if sys.stdin is None or sys.stdin.closed:
        raise UsageError("there is no stdin to read messages from", EXAMPLE)
    if is_interactive() and os.environ.get("TERM", "dumb") not in ("dumb", "unknown"):
        return PromptReader(history_file(root), root, vi=settings.keys == "vi")
    return PlainReader(sys.stderr if sys.stdin.isatty() else None)
