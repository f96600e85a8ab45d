"""Calls, errors and long outputs as lines of text, without style; `render` prints them."""

from collections.abc import Sequence
from typing import Any

from punie_cli.agent.events import Called, Compacted
from punie_cli.approvals import visible

# A longer output is folded to its first and last lines; the store has all of it.
_FOLD_LINES = 16
HEAD_LINES, _TAIL_LINES = 10, 4
_ARGUMENT_CHARS = 60


def call_text(name: str, args: dict[str, Any]) -> str:
    """A call as it would be written, on one line, long arguments cut."""
    return f"{name}({', '.join(f'{key}={_short(value)}' for key, value in args.items())})"


def outcome_text(event: Called) -> str:
    """What a call came to, in a few words."""
    if event.error is not None:
        return visible(f"{event.error['kind']}: {event.error['message']}").replace("\n", " ")
    if isinstance(event.result, str):
        count = len(event.result.splitlines())
        return f"{count} line{'' if count == 1 else 's'}"
    if not isinstance(event.result, dict):
        return ""
    if event.result.get("tool_error"):
        return visible(str(event.result["tool_error"]))
    numbers = [
        f"{key.replace('_', ' ')} {value}"
        for key, value in event.result.items()
        if isinstance(value, int) and not isinstance(value, bool)
    ]
    # Of a file that was written, what became of it.
    if "changed" in event.result:
        numbers.append("new" if event.result.get("created") else "changed" if event.result["changed"] else "unchanged")
    return ", ".join(numbers)


def compacted_text(event: Compacted) -> str:
    """What was done to a conversation that became too long."""
    parts = []
    if event.shortened > event.told:
        turns = f"turn{'' if event.shortened == 1 else 's'} up to {event.shortened}"
        parts.append(f"outputs of {turns} are shortened")
    if event.told > event.forgotten:
        parts.append(f"turns up to {event.told} are told in a line each")
    if event.forgotten:
        parts.append(f"turns up to {event.forgotten} are left out")
    return f"conversation compacted from {event.before} to {event.after} tokens: {', '.join(parts)}; the store has all"


def error_text(error: dict[str, Any]) -> str:
    """How a program failed, with the line of it where known."""
    place = f" (line {error['line']})" if error.get("line") is not None else ""
    return visible(f"{error['kind']}: {error['message']}{place}")


def folded(lines: Sequence[str], unfold: str = "") -> list[str]:
    """The lines, or the first and last of many; `unfold` says how to see them all."""
    if len(lines) <= _FOLD_LINES:
        return list(lines)
    left_out = len(lines) - HEAD_LINES - _TAIL_LINES
    return [*lines[:HEAD_LINES], f"… {left_out} lines{unfold} …", *lines[-_TAIL_LINES:]]


def _short(value: Any) -> str:
    if isinstance(value, str) and len(value) > _ARGUMENT_CHARS:
        value = f"{value[: _ARGUMENT_CHARS - 1]}…"
    text = visible(repr(value))
    return text if len(text) <= 2 * _ARGUMENT_CHARS else f"{text[: 2 * _ARGUMENT_CHARS - 1]}…"
