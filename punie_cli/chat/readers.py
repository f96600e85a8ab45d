"""Where the lines of a chat come from: prompt-toolkit in a terminal, plain lines elsewhere (a pipe, TERM=dumb)."""

import asyncio
import contextlib
import hashlib
import os
import sys
from pathlib import Path
from typing import Any, Protocol, TextIO

from prompt_toolkit import PromptSession
from prompt_toolkit.history import FileHistory
from prompt_toolkit.input import Input
from prompt_toolkit.input.typeahead import clear_typeahead
from prompt_toolkit.key_binding import KeyBindings
from prompt_toolkit.output import Output

from punie_cli import paths
from punie_cli.chat.keys import bindings
from punie_cli.errors import UsageError
from punie_cli.talk import EXAMPLE
from punie_cli.terminal import Lines, drop_typed_ahead, is_interactive

PROMPT = "> "


class Reader(Protocol):
    """Reads what the person types."""

    async def message(self) -> str | None:
        """The next message; None when the person leaves."""
        ...

    async def answer(self, prompt: str) -> str | None:
        """One line in answer to a question; None for none. Ctrl-C raises CancelledError: the turn is over."""
        ...

    def interrupt(self) -> None:
        """Ctrl-C came as a signal while nothing runs."""
        ...


class PromptReader:
    """A prompt with editing, history and several lines."""

    def __init__(self, history: Path, *, input: Input | None = None, output: Output | None = None) -> None:
        self._session: PromptSession[str] = PromptSession(
            history=History(history),
            key_bindings=bindings(),
            multiline=True,
            prompt_continuation="",
            input=input,
            output=output,
        )
        self._on_terminal = input is None
        # Answers do not belong in the history of messages.
        keys = KeyBindings()
        keys.add("c-c")(_cancel)
        self._answers: PromptSession[str] = PromptSession(key_bindings=keys, input=input, output=output)

    async def message(self) -> str | None:
        # A signal while the prompt is open is the REPL's to handle; the key Ctrl-C is a key.
        with contextlib.suppress(EOFError):
            return await self._session.prompt_async(PROMPT, handle_sigint=False)
        return None

    async def answer(self, prompt: str) -> str | None:
        if self._on_terminal:
            drop_typed_ahead()
            clear_typeahead(self._answers.input)
        with contextlib.suppress(EOFError):
            return await self._answers.prompt_async(prompt, handle_sigint=False)
        return None

    def interrupt(self) -> None:
        self._session.default_buffer.reset()


class PlainReader:
    """Lines of stdin, each a message. The prompt is shown on `prompt_on`, on none when that is None."""

    def __init__(self, prompt_on: TextIO | None) -> None:
        self._lines = Lines(sys.stderr)
        self._prompt_on = prompt_on
        self._reading: asyncio.Task[str | None] | None = None

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

    def interrupt(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            if self._prompt_on is not None:
                self._prompt_on.write("\n")


class History(FileHistory):
    """Messages in a private file; one that starts with a space is not kept. A file that fails is left alone."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))

    def load_history_strings(self) -> Any:
        with contextlib.suppress(OSError):
            return super().load_history_strings()
        return []

    def store_string(self, string: str) -> None:
        if not string.startswith(" "):
            with contextlib.suppress(OSError):
                super().store_string(string)


def open_reader(root: Path) -> Reader:
    """The reader that suits this terminal; `root` names the history. UsageError when stdin is closed."""
    if sys.stdin is None or sys.stdin.closed:
        raise UsageError("there is no stdin to read messages from", EXAMPLE)
    if is_interactive() and os.environ.get("TERM", "dumb") not in ("dumb", "unknown"):
        return PromptReader(history_file(root))
    return PlainReader(sys.stderr if sys.stdin.isatty() else None)


def history_file(root: Path) -> Path:
    """The history of one project."""
    name = hashlib.sha256(os.fsencode(root)).hexdigest()[:16]
    return paths.state_dir() / "history" / name


def _cancel(event: Any) -> None:
    event.app.exit(exception=asyncio.CancelledError)
