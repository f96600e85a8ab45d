"""A conversation in the terminal: `punie chat`. Nothing but /exit, Ctrl-D or the end of input ends it."""

import asyncio
import contextlib
import logging
import signal
from collections.abc import Coroutine, Generator
from typing import Any

from punie_cli import paths, sessions
from punie_cli.agent.events import Failed, Started
from punie_cli.agent.loop import Agent
from punie_cli.agent.notes import NAME
from punie_cli.agent.open import Connect, connect_mlx, open_agent
from punie_cli.chat import memory, permits
from punie_cli.chat.bang import run_command
from punie_cli.chat.bar import Stand
from punie_cli.chat.commands import Typed, find
from punie_cli.chat.editor import lent
from punie_cli.chat.mentions import plain
from punie_cli.chat.readers import Reader
from punie_cli.chat.screen import Screen
from punie_cli.chat.toolbar import Bar
from punie_cli.errors import Exit, PunieError
from punie_cli.permits import Standing
from punie_cli.render import View
from punie_cli.session import Recorder
from punie_cli.settings import Settings
from punie_cli.talk import follow
from punie_cli.terminal import typed_for_later
from punie_cli.workspace import Workspace

_log = logging.getLogger(__name__)

# After so long a turn the person may look elsewhere.
RING_S = 10.0


class Chat:
    """One conversation: reads a message or a command, answers it, goes on.

    What is taken up runs as a task of its own: Ctrl-C stops the task, never the conversation.
    """

    def __init__(
        self,
        agent: Agent,
        started: Started,
        recorder: Recorder,
        view: View,
        reader: Reader,
        settings: Settings,
        standing: Standing | None = None,
    ) -> None:
        self.agent = agent
        self.started = started
        self.recorder = recorder
        self.view = view
        self.reader = reader
        self.settings = settings
        self.standing = standing or Standing(agent.workspace.root, settings.mode)
        self.connect: Connect = connect_mlx
        """Opens the model of other settings."""
        self.said = ""
        """The last message to the model, as it was typed."""
        self.resumable: str | None = None
        """The last session of this conversation that something was said in."""
        self.forked: str | None = None
        """The session, if it is a fork that was made because another chat has the first one, and nothing was said."""
        self._stand = Stand()
        self._task: asyncio.Task[None] | None = None
        # What runs beside a turn; a task that nobody holds may be collected.
        self._beside: set[asyncio.Task[None]] = set()
        self._left = False
        agent.reading = lambda count: self._stand.reading(self, count)

    async def run(self) -> None:
        """Until the person leaves."""
        with self._interrupts():
            self._stand.look()
            async with self.reader.open(self):
                while not self._left:
                    text = await self.reader.message()
                    if text is None:
                        return
                    if text.strip():
                        await self._take(text)

    def next_mode(self) -> None:
        """Change what asks first."""
        permits.next_mode(self)

    @property
    def busy(self) -> bool:
        """Whether a turn or a command runs."""
        return self._task is not None

    @property
    def bar(self) -> Bar:
        """What the toolbar tells."""
        return self._stand.bar(self)

    def renew(self) -> None:
        """Forget the conversation; what follows is another session."""
        self.agent.messages = []
        if isinstance(self.view, Screen):
            self.view.usage = None
        self.drop_fork()
        self.recorder.restart()
        self.standing.forget_session()

    def drop_fork(self) -> None:
        """Delete a fork that nobody asked for and that nothing was said in."""
        if self.forked is not None:
            forked, self.forked = self.forked, None
            self.recorder.restart()
            sessions.delete([forked])

    def leave(self) -> None:
        """End after this command. A turn that runs is stopped; messages that wait are dropped, and that is said."""
        self._left = True
        if count := self.reader.drop():
            self.view.note(f"({count} queued message{'' if count == 1 else 's'} not sent)")
        if self._task is not asyncio.current_task():
            self.interrupt()

    def interrupt(self) -> bool:
        """Stop what runs; False where nothing does. While an editor is open, Ctrl-C is its own."""
        if lent():
            return True
        if self._task is None:
            return False
        self._task.cancel()
        return True

    def at_once(self, text: str) -> bool:
        """Run a command beside the turn; False where none runs, or the text must wait for its end."""
        command = find(text)
        if not self.busy or not isinstance(command, Typed) or not command.command.at_once:
            return False
        task = asyncio.create_task(self._command(command))
        self._beside.add(task)
        task.add_done_callback(self._beside.discard)
        return True

    async def _take(self, text: str) -> None:
        command = find(text)
        if text.startswith("!") and self.reader.person:
            work = self._guarded(run_command(text[1:].strip(), self.agent.workspace.root, self.view))
        elif isinstance(command, str):
            self.view.error(command, "/help")
            return
        else:
            work = self._answer(text) if command is None else self._command(command)
        loop = asyncio.get_running_loop()
        began = loop.time()
        self._task = asyncio.create_task(work)
        try:
            await self._task
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            self.view.note("(stopped)")
        finally:
            self._task = None
            self._stand.look()
            self.view.rest()
        if loop.time() - began > RING_S:
            self.reader.ring()

    async def _command(self, typed: Typed) -> None:
        await self._guarded(typed.run(self))

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except PunieError as error:
            self.view.error(error.message, error.hint)
        except Exception as error:
            _log.exception("a command failed")
            self.view.error(f"{type(error).__name__}: {error}", f"see {paths.log_file()}")

    async def _answer(self, text: str) -> None:
        if not self.recorder.begun:
            self.recorder.note(self.started)
        self.said = text
        if self.reader.person:
            text = plain(text, self.agent.workspace.root)
        self.resumable, self.forked = self.recorder.session, None
        try:
            ending = await follow(self.agent, text, self.recorder, self.view)
            if ending.unanswered:
                self.view.unanswered("chat", ending.unanswered)
        except PunieError as error:
            self._failed(error)
        except Exception as error:
            _log.exception("a turn failed")
            self._failed(PunieError(f"{type(error).__name__}: {error}", f"see {paths.log_file()}"))

    def _failed(self, error: PunieError) -> None:
        self.recorder.note(Failed(int(error.exit_code), error.message, error.hint))
        self.view.error(error.message, error.hint)

    @contextlib.contextmanager
    def _interrupts(self) -> Generator[None]:
        """Ctrl-C as a signal is the reader's, as the key is; it never ends the chat."""
        loop = asyncio.get_running_loop()
        # Only the main thread has signals.
        with contextlib.suppress(RuntimeError, ValueError):
            loop.add_signal_handler(signal.SIGINT, self.reader.interrupt)
        try:
            yield
        finally:
            with contextlib.suppress(RuntimeError, ValueError):
                loop.remove_signal_handler(signal.SIGINT)


async def chat(
    workspace: Workspace,
    settings: Settings,
    recorder: Recorder,
    view: View,
    reader: Reader,
    connect: Connect,
    standing: Standing | None = None,
    *,
    session: str | None = None,
) -> Exit:
    """Open the model and talk, on with a stored `session` if one is named; at the end say how to go on.

    `standing` is what the workspace's approver goes by.
    """
    conversation = None
    view.busy("loading the model")
    try:
        async with contextlib.AsyncExitStack() as opened:
            with typed_for_later():
                agent, started = await opened.enter_async_context(open_agent(settings, workspace, connect, notes=True))
            view.idle()
            view.note(f"{started.model}, adapter {started.adapter or 'none'}; /help shows the commands")
            if agent.notes is not None and agent.notes.summary:
                view.note(f"{NAME}: {agent.notes.summary}")
            conversation = Chat(agent, started, recorder, view, reader, settings, standing)
            conversation.connect = connect
            if session is not None:
                memory.take_up(conversation, session)
            await conversation.run()
    finally:
        view.idle()
        if conversation is not None:
            conversation.drop_fork()
    if conversation.resumable is not None:
        view.note(f"to go on: punie chat --session {conversation.resumable}")
    return Exit.OK
