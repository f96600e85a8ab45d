"""`/help` and `/keys`, and the groups in which they and docs/chat.md show the commands."""

import textwrap
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
# A narrower column would be harder to read than lines that the terminal breaks.
_LEAST = 16
BANG = ("!COMMAND", "run a command of your own; the model is not told")


def grouped() -> list[tuple[str, list[Command]]]:
    """All commands by group, each in the order of its group."""
    left = {command.name: command for command in commands()}
    groups = [(title, [left.pop(name) for name in names if name in left]) for title, names in _GROUPS]
    return [(title, found) for title, found in (*groups, (_OTHERS, list(left.values()))) if found]


def _help(chat: "Chat", argument: str) -> None:
    sections = [(title, [(command.usage, command.doc) for command in group]) for title, group in grouped()]
    sections[-1][1].append(BANG)
    _show(chat, sections)


def _keys(chat: "Chat", argument: str) -> None:
    _show(chat, [("", [(key.label, key.doc) for key in KEYS])])


def _show(chat: "Chat", sections: list[tuple[str, list[tuple[str, str]]]]) -> None:
    out = chat.view.out
    chat.view.write(table(sections, out.width if out.is_terminal else None))


def table(sections: Iterable[tuple[str, list[tuple[str, str]]]], columns: int | None = None) -> str:
    """Names with what they are, under titles. In so many columns what they are is broken at words, under itself."""
    found = list(sections)
    width = max(len(name) for _, rows in found for name, _ in rows)
    parts = []
    for title, rows in found:
        indent = "  " if title else ""
        behind = " " * (len(indent) + width + 2)
        room = max(columns - len(behind), _LEAST) if columns else 0
        lines = ""
        for name, doc in rows:
            told = textwrap.wrap(doc, room, break_on_hyphens=False) if room else [doc]
            lines += f"{indent}{name:{width}}  " + f"\n{behind}".join(told) + "\n"
        parts.append(f"{title}\n{lines}" if title else lines)
    return "\n".join(parts)


COMMANDS = (
    Command("/help", "show the commands", _help, at_once=True),
    Command("/keys", "show the keys", _keys, at_once=True),
)
