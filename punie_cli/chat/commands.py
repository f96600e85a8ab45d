"""Commands that start with a slash, in one table: `/help` and the docs are made from it."""

import difflib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from punie_cli.chat.keys import KEYS

if TYPE_CHECKING:
    from punie_cli.chat.repl import Chat

# A path such as /etc/hosts is no command.
_COMMAND = re.compile(r"/[a-z?]+")


@dataclass(frozen=True)
class Command:
    """One command; `run` gets the conversation."""

    name: str
    doc: str
    run: Callable[["Chat"], None]


def _help(chat: "Chat") -> None:
    rows = [(command.name, command.doc) for command in COMMANDS]
    rows += [(key.label, key.doc) for key in KEYS]
    width = max(len(name) for name, _ in rows)
    chat.view.write("".join(f"{name:{width}}  {doc}\n" for name, doc in rows))


def _model(chat: "Chat") -> None:
    agent, started = chat.agent, chat.started
    rows = [
        ("model", started.model or "none"),
        ("adapter", started.adapter or "none"),
        ("prompt", (started.prompt_hash or "")[:12]),
        ("context", f"{agent.context} tokens" if agent.context else "not known"),
    ]
    chat.view.write("".join(f"{name:8} {value}\n" for name, value in rows))


def _new(chat: "Chat") -> None:
    chat.renew()
    chat.view.note("a new conversation; the model has forgotten the last one")


def _exit(chat: "Chat") -> None:
    chat.leave()


COMMANDS = (
    Command("/help", "show the commands and the keys", _help),
    Command("/model", "show the model, its adapter and its prompt", _model),
    Command("/new", "forget the conversation and start another session", _new),
    Command("/exit", "leave", _exit),
)


def find(text: str) -> Command | str | None:
    """The command that a line is; a text about it when it is none of ours; None for a message to the model."""
    line = text.strip()
    if not _COMMAND.fullmatch(line):
        return None
    by_name = {command.name: command for command in COMMANDS}
    if line in by_name:
        return by_name[line]
    near = difflib.get_close_matches(line, by_name, 1)
    return f"there is no {line}; " + (f"did you mean {near[0]}?" if near else f"there are: {', '.join(by_name)}")
