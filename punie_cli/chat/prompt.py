"""The prompt that stays open: messages are typed while a turn runs, questions take it over and give it back."""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

from prompt_toolkit import PromptSession
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.enums import EditingMode
from prompt_toolkit.input import Input
from prompt_toolkit.output import Output
from prompt_toolkit.output.vt100 import Vt100_Output
from prompt_toolkit.styles import Style

from punie_cli.approvals import visible
from punie_cli.chat.above import Above
from punie_cli.chat.editing import Editing
from punie_cli.chat.history import History
from punie_cli.chat.keys import bindings
from punie_cli.chat.screen import Screen
from punie_cli.chat.toolbar import Bar, toolbar
from punie_cli.render import View

PROMPT = "> "
# A question waits until nobody has typed for so long: what was meant for the message is no answer.
PAUSE_S = 0.8


class Person(Protocol):
    """The conversation, as a prompt knows it."""

    view: View

    @property
    def busy(self) -> bool:
        """Whether a turn or a command runs."""
        ...

    @property
    def bar(self) -> Bar:
        """What the toolbar tells."""
        ...

    def at_once(self, text: str) -> bool:
        """Do what need not wait for the turn; False where it is none of that."""
        ...

    def interrupt(self) -> bool:
        """Stop what runs; False where nothing does."""
        ...

    def leave(self) -> None:
        """End; what runs is stopped."""
        ...

    def next_mode(self) -> None:
        """Change what asks first."""
        ...


class PromptReader:
    """A prompt with editing, history and several lines, open from `open` to its end.

    What Enter sends is kept until `message` asks for it. `person` tells that someone is there.
    """

    person = True

    def __init__(
        self,
        history: Path,
        root: Path,
        *,
        vi: bool = False,
        input: Input | None = None,
        output: Output | None = None,
    ) -> None:
        self._asking = asyncio.Lock()
        self.editing = Editing(self, root, self._asking)
        plain = bool(os.environ.get("NO_COLOR"))
        self.session: PromptSession[None] = PromptSession(
            history=History(history),
            key_bindings=bindings(self),
            editing_mode=EditingMode.VI if vi else EditingMode.EMACS,
            multiline=True,
            completer=self.editing.completer,
            complete_while_typing=self.editing.while_typing,
            prompt_continuation="",
            style=Style([("bottom-toolbar", "noreverse")]) if plain else None,
            enable_suspend=True,
            erase_when_done=True,
            input=input,
            output=output or _Terminal.from_pty(sys.stdout, term=os.environ.get("TERM")),
        )
        self.session.default_buffer.accept_handler = self._accept
        self.session.default_buffer.on_text_changed += self._typed
        self._on_terminal = output is None
        self.chat: Person | None = None
        self._above: Above | None = None
        self._sent: asyncio.Queue[str | None] = asyncio.Queue()
        self._question: tuple[str, asyncio.Future[str | None]] | None = None
        self._last_key = 0.0
        self._presses = 0

    @asynccontextmanager
    async def open(self, chat: Person) -> AsyncGenerator[None]:
        """Show the prompt; what is printed meanwhile, by anyone, appears above it."""
        self.chat = chat
        view, app = chat.view, self.session.app
        above = self._above = Above(app, terminal=self._on_terminal)
        out, err = view.out.file, view.err.file
        view.out.file, view.err.file = above.stream(out), above.stream(err)
        if isinstance(view, Screen):
            view.prompted, view.changed = True, app.invalidate
        running = asyncio.create_task(
            self.session.prompt_async(
                self._message, bottom_toolbar=self._toolbar, handle_sigint=False, set_exception_handler=False
            )
        )
        running.add_done_callback(lambda task: self._sent.put_nowait(None))
        try:
            with contextlib.redirect_stdout(view.out.file), contextlib.redirect_stderr(view.err.file):
                yield
        finally:
            if app.is_running and app.future is not None and not app.future.done():
                app.exit()
            else:
                running.cancel()
            await asyncio.wait([running])
            above.close()
            view.out.file, view.err.file = out, err
            if isinstance(view, Screen):
                view.prompted, view.changed = False, lambda: None
        if not running.cancelled() and (error := running.exception()) is not None and not isinstance(error, EOFError):
            raise error

    async def message(self) -> str | None:
        """The next message, in the order in which they were sent; None when the person leaves."""
        text = await self._sent.get()
        if text is not None:
            self._echo(PROMPT + self.editing.short(text))
        return text

    async def answer(self, prompt: str) -> str | None:
        """One line in answer to a question; None for Ctrl-D. What was typed of a message comes back afterwards."""
        buffer, app = self.session.default_buffer, self.session.app
        async with self._asking:
            loop = asyncio.get_running_loop()
            while True:
                rest = self._last_key + PAUSE_S - loop.time()
                if rest <= 0:
                    break
                await asyncio.sleep(rest)
            draft, answer = buffer.document, loop.create_future()
            buffer.reset()
            if self._above is not None:
                self._above.now()
            self._question = (prompt, answer)
            app.invalidate()
            try:
                text = await answer
                self._echo(prompt + (text or ""))
                return text
            finally:
                self._question = None
                buffer.reset(draft)
                app.invalidate()

    async def edit(self, text: str) -> None:
        """Open what stands in the prompt, else `text`, in the person's editor; the result stands in the prompt."""
        await self.editing.edit(text)

    def interrupt(self, event: Any = None) -> None:
        """Ctrl-C: stop what runs, else clear the line; on an empty line the second one says how to leave."""
        buffer = self.session.default_buffer
        if self.chat is not None and self.chat.interrupt():
            self._presses = 0
        elif self._question is not None:
            self._question[1].cancel()
        elif buffer.text:
            buffer.reset()
        else:
            self._presses += 1
            if self._presses > 1 and self.chat is not None:
                self.chat.view.note("(to leave: Ctrl-D or /exit)")

    def send(self, event: Any) -> None:
        """Enter."""
        buffer = self.session.default_buffer
        if self.editing.accept():
            return
        if self._question is not None:
            text = buffer.text
            buffer.reset()
            self._reply(text)
        else:
            buffer.text = self.editing.whole(buffer.text)
            buffer.validate_and_handle()

    def leave(self, event: Any) -> None:
        """Ctrl-D: no answer, or the end; in a text it deletes."""
        buffer, chat = self.session.default_buffer, self.chat
        if buffer.text:
            buffer.delete()
        elif self._question is not None:
            self._reply(None)
        elif chat is not None:
            chat.leave()
            self._sent.put_nowait(None)

    def next_mode(self, event: Any) -> None:
        """Shift-Tab; in an open menu the entry before."""
        buffer = self.session.default_buffer
        if buffer.complete_state is not None:
            buffer.complete_previous()
        elif self.chat is not None:
            self.chat.next_mode()

    def drop(self) -> int:
        """Forget what waits to be taken up; returns how many messages that were."""
        count = 0
        while not self._sent.empty():
            count += self._sent.get_nowait() is not None
        return count

    def ring(self) -> None:
        """Ring the bell."""
        self.session.output.bell()

    @property
    def busy(self) -> bool:
        """Whether what was sent last is still under way."""
        return self.chat is None or self.chat.busy

    @property
    def queued(self) -> int:
        """Messages that wait for the turn to end."""
        return self._sent.qsize()

    @property
    def asking(self) -> bool:
        """Whether a question waits for its answer."""
        return self._question is not None

    def _accept(self, buffer: Buffer) -> bool:
        text, chat = buffer.text, self.chat
        self._presses = 0
        if not text.strip() or chat is None:
            return False
        if chat.at_once(text):
            return False
        self._sent.put_nowait(text)
        if chat.busy or self.queued > 1:
            first, _, more = self.editing.short(text).strip().partition("\n")
            chat.view.note(f"(queued: {first}{' …' if more else ''})")
        return False

    def _reply(self, text: str | None) -> None:
        if self._question is not None and not self._question[1].done():
            self._question[1].set_result(text)

    def _typed(self, buffer: Buffer) -> None:
        self._presses = 0
        self._last_key = asyncio.get_running_loop().time()

    def _echo(self, text: str) -> None:
        if self._above is not None:
            self._above.add(_Written(self.session.output), f"{visible(text)}\n")

    def _message(self) -> str:
        return self._question[0] if self._question is not None else PROMPT

    def _toolbar(self) -> str:
        width = self.session.output.get_size().columns
        return toolbar(self.chat.bar, width) if self.chat is not None else ""


class _Terminal(Vt100_Output):
    """A terminal that is never asked where its cursor is: the toolbar stays close to the prompt, and nothing jumps."""

    @property
    def responds_to_cpr(self) -> bool:
        return False

    def get_rows_below_cursor_position(self) -> int:
        return 1


class _Written:
    """prompt-toolkit's output as a stream."""

    def __init__(self, output: Output) -> None:
        self._output = output

    def write(self, text: str) -> None:
        self._output.write_raw(text)

    def flush(self) -> None:
        self._output.flush()
