"""`/context`, `/compact`, `/system` and `/cost`: what the model reads, and what it costs."""

from itertools import groupby
from typing import TYPE_CHECKING

from punie_cli.agent.compact import shown, turns_of
from punie_cli.agent.loop import Agent
from punie_cli.agent.messages import Message
from punie_cli.chat.commands import Command
from punie_cli.costs import Cost, cost_of, usages
from punie_cli.errors import UsageError
from punie_cli.event_text import compacted_text

if TYPE_CHECKING:
    from punie_cli.chat.repl import Chat

_BAR = 40
_KINDS = {"user": "prompt", "program": "programs", "output": "outputs", "answer": "answers"}


def _context(chat: "Chat", argument: str) -> None:
    chat.view.write(context_text(chat.agent))


def context_text(agent: Agent) -> str:
    """What the next prompt is made of so far, in tokens, and what is left."""
    renderer, messages = agent.renderer, agent.messages
    said, tail = shown(agent.plan, messages, agent.tail)
    rows = [("core", len(renderer.core_tokens), "system text and builtins")]
    if agent.tail:
        rows.append(("tail", renderer.count(agent.tail), "AGENTS.md and /system"))
    told = tail.removeprefix(agent.tail or "").strip() if tail else ""
    if told:
        rows.append(("earlier", renderer.count(told), "old turns, a line each"))
    turns = turns_of(said)
    for number, turn in enumerate(turns, len(turns_of(messages)) - len(turns) + 1):
        parts = _parts(agent, turn)
        what = ", ".join(f"{kind} {tokens}" for kind, tokens in parts.items())
        rows.append((f"turn {number}", sum(parts.values()), what))
    used = len(renderer.tokens(said, tail=tail)) if said else sum(tokens for _, tokens, _ in rows)
    if marks := used - sum(tokens for _, tokens, _ in rows):
        rows.append(("marks", marks, "who speaks, where a text ends"))
    width, digits = max(len(name) for name, _, _ in rows), max(len(str(tokens)) for _, tokens, _ in rows)
    table = "".join(f"{name:{width}}  {tokens:{digits}}  {what}\n" for name, tokens, what in rows)
    return _head(agent, used) + table


def _head(agent: Agent, used: int) -> str:
    if agent.context is None:
        return f"{used} tokens; the model does not say how many it holds\n"
    left = max(0, agent.context - agent.max_tokens - used)
    filled = min(_BAR, round(_BAR * used / agent.context))
    kept = min(_BAR - filled, round(_BAR * agent.max_tokens / agent.context))
    bar = "█" * filled + "░" * (_BAR - filled - kept) + "▒" * kept
    share = f"{used / agent.context:.0%}".replace("%", " %")
    said = f"{used} of {agent.context} tokens ({share}); {left} left, {agent.max_tokens} kept for a reply"
    return f"{said}\n[{bar}]\n"


def _parts(agent: Agent, turn: list[Message]) -> dict[str, int]:
    parts: dict[str, int] = {}
    for message in turn:
        entry = agent.renderer.dialect.to_chat(message)
        calls = [call["function"]["arguments"]["code"] for call in entry.get("tool_calls", [])]
        kind = _KINDS[message.role]
        parts[kind] = parts.get(kind, 0) + sum(
            agent.renderer.count(text) for text in (entry["content"], *calls) if text
        )
    return parts


def _compact(chat: "Chat", argument: str) -> None:
    done = chat.agent.make_short(chat.agent.messages)
    if done is None:
        chat.view.note("there is nothing to compact: the last turn stays whole")
        return
    chat.recorder.note(done)
    chat.view.note(compacted_text(done))


def _system(chat: "Chat", argument: str) -> None:
    notes = chat.agent.notes
    if notes is None:
        raise UsageError("this conversation has no text of its own", "punie chat")
    if not argument:
        chat.view.write(f"{notes.system}\n" if notes.system else "")
        if not notes.system:
            chat.view.note("no text is set; /system TEXT sets one")
        return
    notes.say("" if argument == "clear" else argument)
    chat.agent.tail = notes.tail
    again = "; the conversation is read again" if chat.agent.messages else ""
    chat.view.note(f"{'cleared' if argument == 'clear' else 'set'}: the tail has {notes.tokens} tokens now{again}")


def _cost(chat: "Chat", argument: str) -> None:
    found = usages(chat.recorder.session) if chat.recorder.begun else []
    if not found:
        chat.view.note("no reply yet, or this session is not kept")
        return
    rows = [("turn", "read", "cached", "written", "seconds", "tokens/s")]
    for turn, group in groupby(found, lambda each: each[0]):
        rows.append((str(turn), *_cells(cost_of(usage for _, usage in group))))
    rows.append(("all", *_cells(cost_of(usage for _, usage in found))))
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    lines = ("  ".join(f"{cell:>{width}}" for cell, width in zip(row, widths, strict=True)) for row in rows)
    chat.view.write("".join(f"{line}\n" for line in lines))


def _cells(cost: Cost) -> tuple[str, ...]:
    speed = f"{cost.tokens_per_s:.1f}" if cost.tokens_per_s else "-"
    return str(cost.read), str(cost.cached), str(cost.written), f"{cost.seconds:.1f}", speed


COMMANDS = (
    Command("/context", "show what fills the context, in tokens", _context, at_once=True),
    Command("/compact", "shorten the conversation for the model; the store has all", _compact),
    Command(
        "/system", "add TEXT to what the model is told, or show it", _system, "[TEXT|clear]", lambda chat: ["clear"]
    ),
    Command("/cost", "show tokens and seconds of this session, by turn", _cost, at_once=True),
)
