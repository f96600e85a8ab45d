"""Commands about what needs no question: the stored rules of the project and the mode."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from punie_cli.chat.commands import Command
from punie_cli.errors import UsageError
from punie_cli.permits import Permits
from punie_cli.settings import MODES, Mode

if TYPE_CHECKING:
    from punie_cli.chat.repl import Chat

_MEANINGS = {
    "ask": "writes, commands and tests ask first",
    "edits": "files are written without a question; commands and tests ask",
    "read-only": "nothing is written, and only reading commands run",
}


def _permissions(chat: "Chat", argument: str) -> None:
    stored = Permits(chat.agent.workspace.root)
    rules = stored.all()
    word, _, number = argument.partition(" ")
    if word == "remove":
        at = int(number) if number.strip().isdecimal() else 0
        if not 1 <= at <= len(rules):
            raise UsageError(f"there is no rule '{number}'", "/permissions")
        stored.remove(rules[at - 1])
        chat.view.note(f"removed: {rules[at - 1]}")
    elif argument:
        raise UsageError(f"/permissions takes `remove N`, not '{argument}'", "/permissions")
    elif not rules:
        chat.view.note("no rules are stored for this project; `a` at a question stores one")
    else:
        chat.view.write("".join(f"{at:2}  {rule}\n" for at, rule in enumerate(rules, 1)))
        chat.view.note(f"kept in {stored.file}; /permissions remove N takes one away")


def _removable(chat: "Chat") -> Iterable[str]:
    return [f"remove {at}" for at, _ in enumerate(Permits(chat.agent.workspace.root).all(), 1)]


def next_mode(chat: "Chat") -> None:
    """Change to the mode that comes after the present one."""
    _set(chat, MODES[(MODES.index(chat.standing.mode) + 1) % len(MODES)])


def _mode(chat: "Chat", argument: str) -> None:
    wanted = next((mode for mode in MODES if mode == (argument or chat.standing.mode)), None)
    if wanted is None:
        raise UsageError(f"there is no mode '{argument}'; there are: {', '.join(MODES)}", f"/mode {MODES[0]}")
    _set(chat, wanted)


def _set(chat: "Chat", mode: Mode) -> None:
    chat.standing.mode = mode
    # The toolbar reads it there.
    chat.settings = chat.settings.model_copy(update={"mode": mode})
    chat.view.note(f"{chat.standing.mode}: {_MEANINGS[chat.standing.mode]}")


COMMANDS = (
    Command(
        "/permissions", "list the stored rules, or take one away", _permissions, "[remove N]", _removable, at_once=True
    ),
    Command("/mode", "show or set what asks first", _mode, "[ask|edits|read-only]", lambda chat: MODES, at_once=True),
)
