"""A conversation in the terminal: `punie chat`. Nothing but /exit, Ctrl-D or the end of input ends it."""

import asyncio
import contextlib
import logging
import signal
from collections.abc import Generator

from punie_cli import paths
from punie_cli.agent.events import Failed, Started
from punie_cli.agent.loop import Agent
from punie_cli.agent.open import Connect, connect_mlx, open_agent
from punie_cli.chat.commands import Typed, find
from punie_cli.chat.readers import Reader
from punie_cli.errors import Exit, PunieError
from punie_cli.permits import Standing
from punie_cli.render import View
from punie_cli.session import Recorder
from punie_cli.settings import Settings
from punie_cli.store import session_file
from punie_cli.talk import follow
from punie_cli.workspace import Workspace

_log = logging.getLogger(__name__)


class Chat:
    """One conversation: reads a message or a command, answers it, goes on."""

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
        self.turns = 0
        self._turn: asyncio.Task[object] | None = None
        self._left = False

    async def run(self) -> None:
        """Until the person leaves."""
        with self._interrupts():
            while not self._left:
                text = await self.reader.message()
                if text is None:
                    return
                if not text.strip():
                    continue
                command = find(text)
                if isinstance(command, str):
                    self.view.error(command, "/help")
                elif command is not None:
                    await self._command(command)
                else:
                    await self._answer(text)

    def renew(self) -> None:
        """Forget the conversation; what follows is another session."""
        self.agent.messages = []
        self.recorder.restart()

    def leave(self) -> None:
        """End after this command."""
        self._left = True

    async def _command(self, typed: Typed) -> None:
        try:
            await typed.run(self)
        except PunieError as error:
            self.view.error(error.message, error.hint)
        except Exception as error:
            _log.exception("a command failed")
            self.view.error(f"{type(error).__name__}: {error}", f"see {paths.log_file()}")

    async def _answer(self, text: str) -> None:
        if not self.recorder.begun:
            self.recorder.note(self.started)
        self.turns += 1
        self._turn = asyncio.create_task(follow(self.agent, text, self.recorder, self.view))
        try:
            ending = await self._turn
            if ending.unanswered:
                self.view.unanswered("chat", ending.unanswered)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            self.view.note("(stopped)")
        except PunieError as error:
            self._failed(error)
        except Exception as error:
            _log.exception("a turn failed")
            self._failed(PunieError(f"{type(error).__name__}: {error}", f"see {paths.log_file()}"))
        finally:
            self._turn = None

    def _failed(self, error: PunieError) -> None:
        self.recorder.note(Failed(int(error.exit_code), error.message, error.hint))
        self.view.error(error.message, error.hint)

    @contextlib.contextmanager
    def _interrupts(self) -> Generator[None]:
        """Ctrl-C stops the turn, or clears what is typed; it never ends the chat."""
        loop = asyncio.get_running_loop()
        # Only the main thread has signals.
        with contextlib.suppress(RuntimeError, ValueError):
            loop.add_signal_handler(signal.SIGINT, self._interrupt)
        try:
            yield
        finally:
            with contextlib.suppress(RuntimeError, ValueError):
                loop.remove_signal_handler(signal.SIGINT)

    def _interrupt(self) -> None:
        if self._turn is not None:
            self._turn.cancel()
        else:
            self.reader.interrupt()


async def chat(
    workspace: Workspace,
    settings: Settings,
    recorder: Recorder,
    view: View,
    reader: Reader,
    connect: Connect,
    standing: Standing | None = None,
) -> Exit:
    """Open the model and talk; at the end say where the session is."""
    view.busy("loading the model")
    try:
        async with open_agent(settings, workspace, connect) as (agent, started):
            view.idle()
            view.note(f"{started.model}, adapter {started.adapter or 'none'}; /help shows the commands")
            conversation = Chat(agent, started, recorder, view, reader, settings, standing)
            conversation.connect = connect
            await conversation.run()
    finally:
        view.idle()
    if conversation.turns:
        turns = f"{conversation.turns} turn{'' if conversation.turns == 1 else 's'}"
        view.note(f"{turns}; the last session is {recorder.session} in {session_file()}")
    return Exit.OK
