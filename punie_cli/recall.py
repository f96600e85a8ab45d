"""Records of a session → the conversation as the model knew it, message by message.

A turn counts when it was answered. One that was stopped or failed is no part of the conversation, as it was none when
it happened. Of one that a kill cut off the finished steps count: they are closed by a line, as at the step limit.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from punie_cli.agent.compact import Plan
from punie_cli.agent.events import Output
from punie_cli.agent.execute import as_message
from punie_cli.agent.messages import Message, answer, program, user
from punie_cli.sessions import Kept
from punie_cli.turns import Record

CUT_OFF = "(stopped: punie was ended before the answer)"

State = Literal["answered", "stopped", "failed", "cut off"]


@dataclass
class Turn:
    """One turn: its records and how it ended. `messages` are its part of the conversation, none for none."""

    number: int
    first: int
    """Where its prompt stands in the session."""
    prompt: str
    records: list[Record] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    state: State = "cut off"
    dropped: bool = False
    """Whether a rewind took it out of the conversation."""
    _program: str | None = None

    def take(self, fields: Record) -> None:
        """One record of the turn."""
        self.records.append(fields)
        if self.state != "cut off":
            return
        match fields:
            case {"type": "program", "code": str(code)}:
                self._program = code
            case {"type": "output", "text": str(text)} if self._program is not None:
                done = as_message(Output(text, _error(fields.get("error")), bool(fields.get("truncated"))))
                self.messages += [program(self._program), done]
                self._program = None
            case {"type": "answer", "finish": "cancelled"}:
                self.messages, self.state = [], "stopped"
            case {"type": "answer", "text": str(text)}:
                written = fields.get("written")
                said = answer(written if isinstance(written, str) else text)
                self.messages, self.state = [user(self.prompt), *self.messages, said], "answered"
            case {"type": "error"}:
                self.messages, self.state = [], "failed"

    def end(self) -> None:
        """Nothing more comes of it."""
        if self.state == "cut off" and self.messages:
            self.messages = [user(self.prompt), *self.messages, answer(CUT_OFF)]


@dataclass
class Recalled:
    """A conversation from its records. `turns` are all that were asked, `talk` those that the model knows."""

    turns: list[Turn] = field(default_factory=list)
    talk: list[Turn] = field(default_factory=list)
    model: str | None = None
    adapter: str | None = None
    prompt_hash: str | None = None
    root: str = ""
    tail: str | None = None
    system: str = ""
    next: int = 0
    """Where the next record stands."""
    turn: int = 0
    """The turn that the session is at; after a rewind the one that it went back to."""
    last: int = 0
    """The highest number of a turn."""
    loose: list[Record] = field(default_factory=list)
    """What belongs to no turn: the program of `punie exec`."""
    _plan: Plan = field(default_factory=Plan)

    @property
    def messages(self) -> list[Message]:
        """What the model has seen."""
        return [message for turn in self.talk for message in turn.messages]

    def plan(self, messages: list[Message]) -> Plan:
        """How much of these, which came from `messages`, the model still reads."""
        return replace(self._plan, of=messages[0]) if messages and self._plan != Plan() else Plan()

    @property
    def cut_off(self) -> Turn | None:
        """The last turn, if a kill cut it off."""
        last = self.turns[-1] if self.turns else None
        return last if last is not None and last.state == "cut off" and not last.dropped else None


def recall(kept: Iterable[Kept]) -> Recalled:
    """The conversation of these records; types that are not known are left out."""
    found = Recalled()
    for each in kept:
        fields = each.fields
        found.next = each.n + 1
        found.last = max(found.last, each.turn)
        match fields:
            case {"type": "prompt", "text": str(text)}:
                _end(found)
                found.turns.append(Turn(each.turn, each.n, text, [fields]))
                found.turn = each.turn
            case {"type": "session" | "switched" | "resumed"}:
                for name in ("model", "adapter", "prompt_hash", "root"):
                    if name in fields:
                        setattr(found, name, fields[name])
            case {"type": "tail"}:
                found.tail, found.system = fields.get("text"), fields.get("system") or ""
            case {"type": "compact", "shortened": int(shortened), "told": int(told), "forgotten": int(forgotten)}:
                found._plan = Plan(None, shortened, told, forgotten)
            case {"type": "rewind", "to": int(to)}:
                _end(found)
                for turn in found.turns:
                    turn.dropped = turn.dropped or turn.number > to
                found.talk = [turn for turn in found.talk if not turn.dropped]
                found.turn, found._plan = to, Plan()
            case _:
                turn = next((turn for turn in reversed(found.turns) if turn.number == each.turn), None)
                if turn is None:
                    found.loose.append(fields)
                else:
                    turn.take(fields)
                    if turn.state == "answered":
                        _end(found)
    _end(found)
    return found


def _end(found: Recalled) -> None:
    """The last turn is over: it joins the conversation, once."""
    if not found.turns:
        return
    turn = found.turns[-1]
    if turn.dropped or (found.talk and found.talk[-1] is turn):
        return
    turn.end()
    if turn.messages:
        found.talk.append(turn)


def _error(value: Any) -> dict[str, Any] | None:
    """The error of an output with all that a message needs of it."""
    return {"kind": "Error", "message": "", "line": None} | value if isinstance(value, dict) else None
