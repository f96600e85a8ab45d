"""The keys of the prompt, in one table: the bindings and `/help` are made from it."""

from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import Any


@dataclass(frozen=True)
class Key:
    """A key as people call it, what it does, the names that prompt-toolkit has for it, and the binding.

    `act` is the method of the prompt, or of its `editing`, that the key stands for; others have a function of their
    own in `press`.
    """

    label: str
    doc: str
    names: tuple[tuple[str, ...], ...] = ()
    press: Callable[[Any], None] | None = None
    act: str = ""


def _new_line(event: Any) -> None:
    event.current_buffer.insert_text("\n")


KEYS = (
    Key("Enter", "send the message; while a turn runs it is sent afterwards", (("enter",),), act="send"),
    Key("Alt-Enter, Ctrl-J", "begin a new line", (("escape", "enter"), ("c-j",)), _new_line),
    Key("Ctrl-C", "stop the turn or the command that runs; else clear the line", (("c-c",),), act="interrupt"),
    Key("Ctrl-D", "leave, on an empty line; a turn that runs is stopped", (("c-d",),), act="leave"),
    Key("Shift-Tab", "the next mode: ask, edits, read-only", (("s-tab",),), act="next_mode"),
    Key("Up, Ctrl-R", "earlier messages; search in them"),
    Key("/, @, Tab", "a menu of commands, of files; Enter takes the chosen entry and does not send"),
    Key("a paste", "never sends; long text is folded until then", (("<bracketed-paste>",),), act="editing.paste"),
    Key("Ctrl-X Ctrl-V", "unfold pasted text", (("c-x", "c-v"),), act="editing.unfold"),
    Key("Ctrl-X Ctrl-E", "write the message in $EDITOR", (("c-x", "c-e"),), act="editing.open_editor"),
)


def bindings(prompt: Any) -> Any:
    """prompt-toolkit's KeyBindings for the table; `prompt` has the methods that keys act on."""
    from prompt_toolkit.filters import is_searching, vi_mode
    from prompt_toolkit.key_binding import KeyBindings

    made = KeyBindings()
    for key in KEYS:
        press = attrgetter(key.act)(prompt) if key.act else key.press
        if press is None:
            continue
        for names in key.names:
            # In vi mode Escape alone must not wait for another key.
            escape = names[0] == "escape" and len(names) > 1
            made.add(*names, filter=~is_searching & ~vi_mode if escape else ~is_searching)(press)
    return made
