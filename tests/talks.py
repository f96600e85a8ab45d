"""A conversation without a terminal: messages and slash commands one by one, replies and answers from queues."""

import io
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

from punie_cli.agent.open import Connected, open_agent
from punie_cli.approvals import Decision, Question
from punie_cli.chat.commands import Typed, find
from punie_cli.chat.repl import Chat
from punie_cli.errors import PunieError
from punie_cli.journal import Journal
from punie_cli.render import View
from punie_cli.session import Recorder
from punie_cli.settings import Settings
from punie_cli.store import Store
from punie_cli.talk import follow
from punie_cli.turns import turn_records
from punie_cli.workspace import Workspace
from tests.command_line import CharTokenizer
from tests.fake import QueueEngine


class Answers:
    """A reader that only answers questions, each with the next of `texts`."""

    def __init__(self, texts: Iterable[str | None]) -> None:
        self.texts = list(texts)
        self.asked: list[str] = []

    async def answer(self, prompt: str) -> str | None:
        self.asked.append(prompt)
        return self.texts.pop(0)


class Talk:
    """One chat; `questions` are the approvals that were asked for, all answered with yes."""

    def __init__(
        self, chat: Chat, engines: dict[str, QueueEngine], out: io.StringIO, questions: list[Question]
    ) -> None:
        self.chat = chat
        self.engines = engines
        self.questions = questions
        self._out = out

    async def say(self, text: str) -> str:
        """What is shown for a message or a command; an error of punie as the chat shows it."""
        before, command = len(self._out.getvalue()), find(text)
        chat = self.chat
        try:
            if isinstance(command, Typed):
                await command.run(chat)
            else:
                assert command is None, command
                if not chat.recorder.begun:
                    chat.recorder.note(chat.started)
                await follow(chat.agent, text, chat.recorder, chat.view)
        except PunieError as error:
            chat.view.error(error.message, error.hint)
        return self._out.getvalue()[before:]

    def records(self, *types: str) -> list[dict[str, Any]]:
        """The records of the present turn that have one of these types."""
        records = turn_records(self.chat.recorder.session, self.chat.recorder.turns)
        return [record for record in records if record["type"] in types]


@asynccontextmanager
async def talk(
    root: Path, replies: Iterable[str] = (), answers: Iterable[str | None] = (), **others: Iterable[str]
) -> AsyncGenerator[Talk]:
    """A chat over `root` whose model, `fake`, has these replies; `others` are further models with theirs."""
    engines = {name: QueueEngine(texts, name=name) for name, texts in {"fake": replies, **others}.items()}
    questions: list[Question] = []

    async def yes(question: Question) -> Decision:
        questions.append(question)
        return Decision(True, "person")

    async def connect(settings: Settings) -> Connected:
        engine = engines[settings.model or "fake"]
        engine.closed = False
        return Connected(engine, CharTokenizer())

    out = io.StringIO()
    with redirect_stdout(out), redirect_stderr(out):
        view = View()
        recorder = Recorder("chat", Store(warn=view.note))
        workspace = Workspace(root, yes, journal=Journal(root, recorder.place, view.note))
        async with open_agent(Settings(), workspace, connect, notes=True) as (agent, started):
            reader: Any = Answers(answers)
            chat = Chat(agent, started, recorder, view, reader, Settings())
            chat.connect = connect
            yield Talk(chat, engines, out, questions)
        recorder.close()
