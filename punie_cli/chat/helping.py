"""`/help` and `/keys`, and the groups in which they and docs/chat.md show the commands."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from punie_cli.chat.commands import Command, commands
from punie_cli.chat.keys import KEYS

if TYPE_CHECKING:
    from punie_cli.chat.repl import Chat

# A command that is in none of them is shown at the end, among others.
_GROUPS = (
    ("The conversation", ("/new", "/resume", "/fork", "/rewind", "/export", "/edit", "/output", "/exit")),
    ("What answers", ("/model", "/phase", "/compare", "/system")),
    ("What it reads and costs", ("/context", "/compact", "/cost")),
    ("What it did", ("/diff", "/undo", "/redo", "/good", "/bad", "/fix")),
    ("What it may do", ("/mode", "/permissions")),
    ("Help", ("/help", "/keys")),
)
_OTHERS = "Others"
BANG = ("!COMMAND", "run a command of your own; the model is not told")


def grouped() -> list[tuple[str, list[Command]]]:
    """All commands by group, each in the order of its group."""
    left = {command.name: command for command in commands()}
    groups = [(title, [left.pop(name) for name in names if name in left]) for title, names in _GROUPS]
    return [(title, found) for title, found in (*groups, (_OTHERS, list(left.values()))) if found]


def _help(chat: "Chat", argument: str) -> None:
    sections = [(title, [(command.usage, command.doc) for command in group]) for title, group in grouped()]
    sections[-1][1].append(BANG)
    chat.view.write(_table(sections))


def _keys(chat: "Chat", argument: str) -> None:
    chat.view.write(_table([("", [(key.label, key.doc) for key in KEYS])]))


def _table(sections: Iterable[tuple[str, list[tuple[str, str]]]]) -> str:
    found = list(sections)
    width = max(len(name) for _, rows in found for name, _ in rows)
    parts = []
    for title, rows in found:
        indent = "  " if title else ""
        lines = "".join(f"{indent}{name:{width}}  {doc}\n" for name, doc in rows)
        parts.append(f"{title}\n{lines}" if title else lines)
    return "\n".join(parts)


COMMANDS = (
    Command("/help", "show the commands", _help, at_once=True),
    Command("/keys", "show the keys", _keys, at_once=True),
)
