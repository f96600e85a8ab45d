"""When a conversation gets too long for the context: old outputs are shortened, then old turns told in a line each.

The messages stay as they are; a plan says how much of them the model still reads. It only grows, in big steps, because
what follows a change is read again: core, AGENTS.md and the lines that were told earlier stay a prefix.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from punie_cli.agent.dialects import output_body
from punie_cli.agent.messages import Message, expand

# Of an old output, and of each half of the line that stands for an old turn.
OUTPUT_CHARS = 400
LINE_CHARS = 90
EARLIER = "Earlier in this conversation:"


@dataclass(frozen=True)
class Plan:
    """How much the model reads of a conversation that begins with the very message `of`.

    Outputs of the first `shortened` turns are short; the first `told` turns are a line each, of which the first
    `forgotten` are left out, too.
    """

    of: Message | None = None
    shortened: int = 0
    told: int = 0
    forgotten: int = 0


Count = Callable[[Sequence[Message], str | None], int]
"""Tokens of a conversation with its tail."""


def turns_of(messages: Sequence[Message]) -> list[list[Message]]:
    """The messages by turn; each turn begins with one of the person."""
    turns: list[list[Message]] = []
    for message in messages:
        if message.role == "user" or not turns:
            turns.append([])
        turns[-1].append(message)
    return turns


def shown(plan: Plan, messages: Sequence[Message], tail: str | None) -> tuple[list[Message], str | None]:
    """What the model reads of the conversation, and the tail with the turns that are told in lines."""
    # Another conversation has other messages, also where their texts are the same.
    if not messages or plan.of is not messages[0]:
        return list(messages), tail
    turns = turns_of(messages)
    kept = [
        _short(message) if number < plan.shortened and message.role == "output" else message
        for number, turn in enumerate(turns[plan.told :], plan.told)
        for message in turn
    ]
    lines = [line_of(turn) for turn in turns[plan.forgotten : plan.told]]
    earlier = "\n".join([EARLIER, *lines]) if lines else None
    return kept, "\n\n".join(part for part in (tail, earlier) if part) or None


def line_of(turn: Sequence[Message]) -> str:
    """A turn in one line: what was asked, and the first line of the answer."""
    output = next((output_body(message) for message in reversed(turn) if message.role == "output"), None)
    said = next((message.text for message in turn if message.role == "answer"), "")
    return f"- {_first_line(turn[0].text)} → {_first_line(expand(said, output)) or '(no answer)'}"


def compact(plan: Plan, messages: Sequence[Message], tail: str | None, count: Count, target: int, room: int) -> Plan:
    """The smallest plan after `plan` under which the conversation has at most `target` tokens.

    The last turn stays whole. Where that is not enough with all turns before it in lines, these are kept up to halfway
    between `target` and `room`. What is above `room` without any of them cannot be helped.
    """
    turns = turns_of(messages)
    if not turns:
        return plan
    old = len(turns) - 1
    if plan.of is not messages[0]:
        plan = Plan(messages[0])
    steps = [replace(plan, shortened=n) for n in range(plan.shortened, old + 1)]
    steps += [replace(steps[-1], told=n) for n in range(plan.told + 1, old + 1)]
    told = len(steps) - 1
    steps += [replace(steps[told], forgotten=n) for n in range(plan.forgotten + 1, steps[told].told + 1)]

    def size(index: int) -> int:
        return count(*shown(steps[index], messages, tail))

    end = len(steps) - 1
    if size(told) <= target:
        return steps[_first(lambda n: size(n) <= target, 0, told)]
    # Lines are small, and what they tell would be lost: they go only where there is little room with them.
    if size(told) <= (target + room) // 2:
        return steps[told]
    goal = target if size(end) <= target else room
    return steps[_first(lambda n: size(n) <= goal, told, end)]


def _first(holds: Callable[[int], bool], low: int, high: int) -> int:
    """The first index that holds, where none after it fails; `high` for none."""
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return low


def _short(message: Message) -> Message:
    error = message.error if message.error is None else _cut(message.error, OUTPUT_CHARS // 2)
    return message.model_copy(update={"text": _middle_out(message.text), "error": error})


def _middle_out(text: str) -> str:
    """Head and tail of an output, at most OUTPUT_CHARS, with the number of characters left out between them."""
    if len(text) <= OUTPUT_CHARS:
        return text
    # Room for the line between them.
    half = (OUTPUT_CHARS - 50) // 2
    head = text[:half].rpartition("\n")[0] or text[:half]
    end = text[-half:].partition("\n")[2] or text[-half:]
    return f"{head}\n[... {len(text) - len(head) - len(end)} characters left out ...]\n{end}"


def _first_line(text: str) -> str:
    return _cut(next((line.strip() for line in text.splitlines() if line.strip()), ""), LINE_CHARS)


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1].rstrip()}…"
