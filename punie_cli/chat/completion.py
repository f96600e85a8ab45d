"""Completion while a message is typed: commands, their arguments, `@path`."""

import logging
from collections.abc import AsyncGenerator, Callable, Iterable
from pathlib import Path
from typing import Any

from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document

from punie_cli.approvals import visible
from punie_cli.chat.commands import Command, commands
from punie_cli.chat.files import ProjectFiles
from punie_cli.chat.fuzzy import search, search_in_turns
from punie_cli.chat.mentions import mention, typed

_log = logging.getLogger(__name__)


class ChatCompleter(Completer):
    """Commands at the start of a message, what may stand behind them, and the files of `root` behind an `@`.

    `chat` gives the conversation, which the choices of a command are asked about; None while there is none.
    """

    def __init__(self, root: Path, chat: Callable[[], Any]) -> None:
        self.files = ProjectFiles(root)
        self._chat = chat
        # The choices of a command are made once for the time that it stands in the prompt.
        self._choices: tuple[str, list[str]] | None = None

    def wanted(self, document: Document) -> bool:
        """Whether a menu may open while this is typed."""
        before = document.text_before_cursor
        return (before.startswith("/") and "\n" not in before) or typed(before) is not None

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        """All of them at once; `get_completions_async` does not hold up the event loop."""
        before = document.text_before_cursor
        path = typed(before)
        if path is not None:
            return self._files(path, search(path.removeprefix('"'), self.files.entries))
        return self._commands(before)

    async def get_completions_async(
        self, document: Document, complete_event: CompleteEvent
    ) -> AsyncGenerator[Completion]:
        before = document.text_before_cursor
        path = typed(before)
        if path is None:
            found = self._commands(before)
        else:
            entries = await self.files.ready()
            found = self._files(path, await search_in_turns(path.removeprefix('"'), entries))
        for completion in found:
            yield completion

    def _files(self, path: str, entries: list[str]) -> list[Completion]:
        asked = path.removeprefix('"').removeprefix("./")
        return [
            Completion(mention(entry), -len(path) - 1, display=visible(entry))
            for entry in entries
            if not (entry == asked and entry.endswith("/"))
        ]

    def _commands(self, before: str) -> list[Completion]:
        if not before.startswith("/") or "\n" in before:
            return []
        name, space, argument = before.partition(" ")
        if not space:
            self._choices = None
            return [_completion(command, name) for command in _fitting(name)]
        words, asked = self._words(name), argument.lstrip()
        # As the command gives them, until something is looked for: the newest session may come first.
        return [Completion(word, -len(asked)) for word in (search(asked, words, len(words)) if asked else words)]

    def _words(self, name: str) -> list[str]:
        if self._choices is None or self._choices[0] != name:
            self._choices = (name, self._made(name))
        return self._choices[1]

    def _made(self, name: str) -> list[str]:
        chat = self._chat()
        command = next((each for each in commands() if each.name == name), None)
        if chat is None or command is None or command.choices is None:
            return []
        try:
            return list(command.choices(chat))
        except Exception:
            # No menu is better than no prompt.
            _log.exception("the choices of %s failed", name)
            return []


def _fitting(name: str) -> list[Command]:
    """Commands that begin with `name` in the order of the table, then those that have its letters."""
    every = commands()
    first = [command for command in every if command.name.startswith(name)]
    by_name = {command.name[1:]: command for command in every if command not in first}
    return [*first, *(by_name[found] for found in search(name[1:], by_name))]


def _completion(command: Command, name: str) -> Completion:
    text = f"{command.name} " if command.choices is not None else command.name
    return Completion(text, -len(name), display=command.usage, display_meta=command.doc)


def accept(buffer: Any) -> bool:
    """Take the chosen entry of an open menu, as Enter does; False where none is chosen.

    The menu opens again for what comes next: the argument of a command, the content of a folder.
    """
    state = buffer.complete_state
    if state is None or state.current_completion is None:
        return False
    buffer.complete_state = None
    if state.current_completion.text.endswith((" ", "/")):
        buffer.start_completion(select_first=False)
    return True
