"""Commands that start with a slash, in one table: `/help`, completion and the docs page are made from it."""

import difflib
import inspect
import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from punie_cli.chat.repl import Chat

# A path such as /etc/hosts is no command.
_COMMAND = re.compile(r"/[a-z?]+(?=\s|$)")


@dataclass(frozen=True)
class Command:
    """One command; `run` gets the conversation and what stands behind the name, stripped.

    `argument` is how help shows what may stand there, as `[N]`; `choices` gives words that complete it. `at_once`
    is for commands that may run while a turn does; others wait for its end.
    Errors of punie that `run` raises are shown, and the conversation goes on.
    """

    name: str
    doc: str
    run: Callable[["Chat", str], Awaitable[None] | None]
    argument: str = ""
    choices: Callable[["Chat"], Iterable[str]] | None = None
    at_once: bool = False

    @property
    def usage(self) -> str:
        """The name with its argument."""
        return f"{self.name} {self.argument}".rstrip()


@dataclass(frozen=True)
class Typed:
    """A command as it was typed."""

    command: Command
    argument: str

    async def run(self, chat: "Chat") -> None:
        """Do it. An argument for a command that takes none is said, not ignored."""
        if self.argument and not self.command.argument:
            chat.view.error(f"{self.command.name} takes no argument, not '{self.argument}'", self.command.name)
            return
        done = self.command.run(chat, self.argument)
        if inspect.isawaitable(done):
            await done


def _new(chat: "Chat", argument: str) -> None:
    chat.renew()
    chat.view.note("a new conversation; the model has forgotten the last one")


def _output(chat: "Chat", argument: str) -> None:
    if chat.view.whole:
        chat.view.write(f"{chat.view.whole}\n")
    else:
        chat.view.note("there is no output yet")


def _exit(chat: "Chat", argument: str) -> None:
    chat.leave()


_OWN = (
    Command("/output", "show the last output whole", _output, at_once=True),
    Command("/new", "forget the conversation and start another session", _new),
    Command("/exit", "leave; a turn that runs is stopped", _exit, at_once=True),
)


def commands() -> tuple[Command, ...]:
    """All commands, in the order of `/help`."""
    from punie_cli.chat import comparing, context, editor, helping, memory, permits, switching, undo, verdicts

    return (
        *helping.COMMANDS,
        *memory.COMMANDS,
        *editor.COMMANDS,
        *switching.COMMANDS,
        *context.COMMANDS,
        *undo.COMMANDS,
        *comparing.COMMANDS,
        *verdicts.COMMANDS,
        *permits.COMMANDS,
        *_OWN,
    )


def find(text: str) -> Typed | str | None:
    """The command that a message is; a text about it when it is none of ours; None for a message to the model."""
    line = text.strip()
    match = _COMMAND.match(line)
    if match is None:
        return None
    by_name = {command.name: command for command in commands()}
    name = match[0]
    if name in by_name:
        return Typed(by_name[name], line[match.end() :].strip())
    if name != line and "\n" in line:
        return None
    near = difflib.get_close_matches(name, by_name, 1)
    return f"there is no {name}; " + (f"did you mean {near[0]}?" if near else f"there are: {', '.join(by_name)}")
