"""What can be done with the text in the prompt: menus, pasted text, the person's own editor."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prompt_toolkit.document import Document
from prompt_toolkit.filters import Condition

from punie_cli.chat.completion import ChatCompleter, accept
from punie_cli.chat.editor import edit_text
from punie_cli.chat.paste import Pastes, clean
from punie_cli.errors import PunieError

if TYPE_CHECKING:
    from punie_cli.chat.prompt import PromptReader

_AS_IT_WAS = "(the text is as it was; an editor with a window must wait, as `code --wait` does)"


class Editing:
    """The keys of one prompt that change its text; `root` is the project that `@` completes from.

    While an editor is open, `held` is too: a question must not take the prompt then.
    """

    def __init__(self, prompt: "PromptReader", root: Path, held: asyncio.Lock) -> None:
        self.pastes = Pastes()
        self.completer = ChatCompleter(root, lambda: prompt.chat)
        self._prompt = prompt
        self._held = held
        self._task: asyncio.Task[None] | None = None

    @property
    def open(self) -> bool:
        """Whether an editor is open."""
        return self._held.locked() and not self._prompt.asking

    @property
    def while_typing(self) -> Condition:
        """Whether a menu opens by itself for what is typed now."""
        return Condition(
            lambda: not self._prompt.asking and self.completer.wanted(self._prompt.session.default_buffer.document)
        )

    def accept(self) -> bool:
        """Enter on an open menu takes its chosen entry and does nothing else; False where none is chosen."""
        return accept(self._prompt.session.default_buffer)

    def whole(self, text: str) -> str:
        """The text with what was pasted in full."""
        return self.pastes.expand(text)

    def short(self, text: str) -> str:
        """The text as the prompt shows it."""
        return self.pastes.fold_again(text)

    def paste(self, event: Any) -> None:
        """Pasted text is never sent by itself; in an answer it is one line."""
        if self._prompt.asking:
            event.current_buffer.insert_text(" ".join(clean(event.data).split()))
        else:
            event.current_buffer.insert_text(self.pastes.fold(event.data))

    def unfold(self, event: Any) -> None:
        """Show the pasted text that the cursor is at, or the last one."""
        buffer = event.current_buffer
        found = self.pastes.at(buffer.text, buffer.cursor_position)
        if found is None:
            event.app.output.bell()
            return
        start, end, text = found
        buffer.document = Document(buffer.text[:start] + text + buffer.text[end:], start + len(text))

    def open_editor(self, event: Any) -> None:
        """Open the text of the prompt in the editor."""
        if self._prompt.asking or self._held.locked():
            event.app.output.bell()
        else:
            self._task = event.app.create_background_task(self._tried())

    async def edit(self, text: str) -> None:
        """Open what stands in the prompt, else `text`; what becomes of it stands in the prompt, and is not sent."""
        buffer, chat = self._prompt.session.default_buffer, self._prompt.chat
        async with self._held:
            after = await edit_text(self.whole(buffer.text) or text)
            if after is not None:
                buffer.save_to_undo_stack()
                after = after.rstrip("\n")
                buffer.document = Document(after, len(after))
            elif chat is not None:
                chat.view.note(_AS_IT_WAS)

    async def _tried(self) -> None:
        try:
            await self.edit("")
        except PunieError as error:
            if self._prompt.chat is not None:
                self._prompt.chat.view.error(error.message, error.hint)
