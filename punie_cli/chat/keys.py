"""The keys of the prompt, in one table: the bindings and `/help` are made from it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Key:
    """A key as people call it, what it does, the names that prompt-toolkit has for it, and the binding."""

    label: str
    doc: str
    names: tuple[tuple[str, ...], ...] = ()
    press: Callable[[Any], None] | None = None


def _send(event: Any) -> None:
    event.current_buffer.validate_and_handle()


def _new_line(event: Any) -> None:
    event.current_buffer.insert_text("\n")


def _clear(event: Any) -> None:
    event.current_buffer.reset()


def _leave(event: Any) -> None:
    if event.current_buffer.text:
        event.current_buffer.delete()
    else:
        event.app.exit(exception=EOFError)


KEYS = (
    Key("Enter", "send the message", (("enter",),), _send),
    Key("Alt-Enter, Ctrl-J", "begin a new line", (("escape", "enter"), ("c-j",)), _new_line),
    Key("Ctrl-C", "clear the line; while a reply comes, stop it and its program", (("c-c",),), _clear),
    Key("Ctrl-D", "leave, on an empty line", (("c-d",),), _leave),
    Key("Up, Ctrl-R", "earlier messages; search in them"),
)


def bindings() -> Any:
    """prompt-toolkit's KeyBindings for the table."""
    from prompt_toolkit.key_binding import KeyBindings

    made = KeyBindings()
    for key in KEYS:
        if key.press is not None:
            for names in key.names:
                made.add(*names)(key.press)
    return made
