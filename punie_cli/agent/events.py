"""What happens in a turn, as plain data. `ask`, `chat`, `--json` and the store are renderings of these events.

`record()` is one line of the machine interface (version 1) without `session` and `step`, which the writer adds.
"""

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from punie_cli.engine.base import Usage as EngineUsage

INTERFACE_VERSION = 1

AnswerFinish = Literal["stop", "length", "steps", "loop", "cancelled", "error"]


@dataclass(frozen=True)
class Started:
    """First record of a session. Without a model (`punie exec`) the model's fields are None."""

    model: str | None
    adapter: str | None
    prompt_hash: str | None
    root: str
    version: int = INTERFACE_VERSION
    type: str = field(default="session", init=False)


@dataclass(frozen=True)
class Prompted:
    """The user's message."""

    text: str
    type: str = field(default="prompt", init=False)


@dataclass(frozen=True)
class Delta:
    """A piece of a reply while it is written. For the screen only: it has no record."""

    text: str
    type: str = field(default="delta", init=False)


@dataclass(frozen=True)
class Program:
    """The model acts."""

    code: str
    type: str = field(default="program", init=False)


@dataclass(frozen=True)
class Approved:
    """A question that a call led to, and its answer; `edited` is what a person wrote in place of the text."""

    builtin: str
    args: dict[str, Any]
    decision: Literal["allowed", "refused"]
    by: Literal["rule", "person", "no-terminal"]
    edited: str | None = None
    type: str = field(default="approval", init=False)


@dataclass(frozen=True)
class Called:
    """One use of a builtin. `ok` is False with `error` None where the tool behind it failed."""

    builtin: str
    args: dict[str, Any]
    ok: bool
    result: Any
    error: dict[str, str] | None
    seconds: float
    type: str = field(default="call", init=False)


@dataclass(frozen=True)
class Output:
    """What a program printed and how it failed, as the model reads it."""

    text: str
    error: dict[str, Any] | None
    """`kind`, `message` and `line` (of the program, or None); `ran` False where the error was seen before it ran."""
    truncated: bool
    type: str = field(default="output", init=False)


@dataclass(frozen=True)
class Answered:
    """The end of a turn; `finish` other than `stop` says why it was cut short.

    `written` is what the model wrote, where it is not `text` itself: with `<output/>` for the last output.
    """

    text: str
    finish: AnswerFinish
    written: str | None = None
    type: str = field(default="answer", init=False)


@dataclass(frozen=True)
class Used:
    """What one reply of the model cost."""

    usage: EngineUsage
    type: str = field(default="usage", init=False)


@dataclass(frozen=True)
class Failed:
    """The turn ended in an error, with the exit code of the command."""

    exit: int
    message: str
    hint: str | None
    type: str = field(default="error", init=False)


@dataclass(frozen=True)
class Undone:
    """Files that a turn wrote were taken back (`undo`) or put back (`redo`); `of` has its `session` and `turn`."""

    what: Literal["undo", "redo"]
    of: dict[str, Any]
    paths: tuple[str, ...]
    type: str = field(default="undo", init=False)


@dataclass(frozen=True)
class Judged:
    """What the person says of a turn; the last verdict of a turn counts. `details` are further fields."""

    turn: int
    verdict: Literal["good", "bad", "fixed", "preferred"]
    details: dict[str, Any]
    type: str = field(default="verdict", init=False)


@dataclass(frozen=True)
class Tailed:
    """What stands before the first message from this turn on: AGENTS.md and `/system`; None for nothing any more.

    `system` is what of it came by `/system`.
    """

    text: str | None
    system: str | None = None
    type: str = field(default="tail", init=False)


@dataclass(frozen=True)
class Switched:
    """From here on something else answers in the same conversation."""

    model: str | None
    adapter: str | None
    prompt_hash: str | None
    type: str = field(default="switched", init=False)


@dataclass(frozen=True)
class Resumed:
    """Another process, or another chat, goes on with the session from here on, in this folder."""

    root: str
    punie: str
    type: str = field(default="resumed", init=False)


@dataclass(frozen=True)
class Rewound:
    """The last `turns` turns are no part of the conversation any more; `to` is the last one that is, 0 for none."""

    turns: int
    to: int
    type: str = field(default="rewind", init=False)


@dataclass(frozen=True)
class Compacted:
    """The conversation was too long, or asked to be short: tokens before and after it was compacted.

    In all, outputs of the first `shortened` turns are short by now, and `told` turns are a line each or, the first
    `forgotten` of them, left out.
    """

    before: int
    after: int
    shortened: int
    told: int
    forgotten: int
    type: str = field(default="compact", init=False)


@dataclass(frozen=True)
class Noted:
    """A line for the person. For the screen only: it has no record."""

    text: str
    type: str = field(default="note", init=False)


Event = (
    Started | Prompted | Delta | Program | Approved | Called | Output | Answered | Used | Failed | Undone | Judged
    | Tailed | Switched | Resumed | Rewound | Compacted | Noted
)  # fmt: skip


def record(event: Event) -> dict[str, Any] | None:
    """The event as a record, `type` first; None for events that only a screen shows."""
    if isinstance(event, (Delta, Noted)):
        return None
    if isinstance(event, Used):
        return {"type": "usage"} | {
            key: round(value, 4) if isinstance(value, float) else value for key, value in asdict(event.usage).items()
        }
    fields = asdict(event)
    kind = fields.pop("type")
    if isinstance(event, Judged):
        fields |= fields.pop("details")
    for name in ("written", "edited", "system"):
        if fields.get(name, "") is None:
            del fields[name]
    if "seconds" in fields:
        fields["seconds"] = round(fields["seconds"], 4)
    return {"type": kind} | fields
