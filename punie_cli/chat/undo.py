"""`/undo`, `/redo` and `/diff`: the files that punie wrote, from the journal of the project."""

from typing import TYPE_CHECKING

from punie_cli.agent.events import Undone
from punie_cli.chat.commands import Command
from punie_cli.errors import PunieError, UsageError
from punie_cli.journal import Journal
from punie_cli.turns import ran_commands, turn_records
from punie_cli.undo import ChangedSince, Done, changes_of, path_in, put_back, take_back
from punie_cli.undo_text import COMMANDS_TOO, diff_text, done_text

if TYPE_CHECKING:
    from punie_cli.chat.repl import Chat


def _undo(chat: "Chat", argument: str) -> None:
    try:
        done = take_back(_journal(chat), chat.recorder.session, _path(chat, argument))
    except ChangedSince as error:
        # Only the files that are as punie left them can be taken back, one by one.
        hint = f"/undo {error.others[0]}" if error.others and not argument else "/diff"
        raise PunieError(error.message, hint) from error
    _tell(chat, done, "undo")
    if ran_commands(turn_records(done.session, done.turn)):
        chat.view.note(COMMANDS_TOO)


def _redo(chat: "Chat", argument: str) -> None:
    _tell(chat, put_back(_journal(chat), _path(chat, argument)), "redo")


def _diff(chat: "Chat", argument: str) -> None:
    if argument and not argument.isdecimal():
        raise UsageError(f"'{argument}' is no number of a turn", "/diff 2")
    turn = int(argument) if argument else None
    changes = changes_of(_journal(chat), chat.recorder.session, turn)
    if changes:
        chat.view.diff(diff_text(changes))
    else:
        chat.view.note(f"punie changed no file in {'this session' if turn is None else f'turn {turn}'}")


def _tell(chat: "Chat", done: Done, what: str) -> None:
    if not chat.recorder.begun:
        chat.recorder.note(chat.started)
    of = {"session": done.session, "turn": done.turn}
    chat.recorder.note(Undone("undo" if what == "undo" else "redo", of, done.paths))
    chat.view.diff(diff_text(done.changes))
    verb, back = ("took back", "/redo") if what == "undo" else ("put back", "/undo")
    chat.view.note(f"{done_text(done, verb, chat.recorder.session)}; {back} reverses it; the model is not told")


def _journal(chat: "Chat") -> Journal:
    workspace = chat.agent.workspace
    return workspace.journal or Journal(workspace.root)


def _path(chat: "Chat", argument: str) -> str | None:
    return path_in(_journal(chat), argument, chat.agent.workspace.root) if argument else None


def _paths(chat: "Chat") -> list[str]:
    return sorted({write.path for write in _journal(chat).writes("undone IS NULL")})


def _undone(chat: "Chat") -> list[str]:
    return sorted({write.path for write in _journal(chat).writes("undone IS NOT NULL")})


COMMANDS = (
    Command("/undo", "take back what the last turn wrote, or its part of PATH", _undo, "[PATH]", _paths),
    Command("/redo", "put back what /undo took back", _redo, "[PATH]", _undone),
    Command("/diff", "show what this session changed, or one turn", _diff, "[TURN]"),
)
