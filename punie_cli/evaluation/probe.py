"""An executed probe: a model plays held-back rows in their settings; the effects of the rows' own programs are wanted.

    result = probe_score(model, tokenizer, core, rows)      # a live model, in this thread
    result = await probe(engine, renderer, rows)            # any engine

A row's own programs run again in a second copy of its setting; calls, files and answer are then compared. Rows without
programs want an answer and no call. Rows that no setting belongs to, or whose outputs are others today, are left out.
"""

import asyncio
import tempfile
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from inspect import Parameter
from pathlib import Path
from typing import Any

from punie_cli.agent.dialects import output_body
from punie_cli.agent.events import Answered, Called, Event, record
from punie_cli.agent.execute import as_message, run_program
from punie_cli.agent.loop import MAX_TOKENS, Agent
from punie_cli.agent.messages import Message, expand
from punie_cli.agent.prompt import PromptCore, Renderer
from punie_cli.builtins.registry import Registry
from punie_cli.engine.base import Engine
from punie_cli.errors import InterruptedByUser, PunieError
from punie_cli.evaluation.effects import Effects, effects, same_answers, same_calls, same_files
from punie_cli.evaluation.score import Part, Record, Score, interval
from punie_cli.evaluation.scratch import snapshot
from punie_cli.rows.replay import open_setting
from punie_cli.rows.row import Row
from punie_cli.sandbox.host import Sandbox
from punie_cli.workspace import Workspace

# Steps that a model may take beyond those of the row: it may look twice, but not wander.
_MORE_STEPS = 3


@dataclass(frozen=True)
class Verdict:
    """One row that was played: its score, and all records of the model's turns."""

    row: str
    source: str
    intent: str
    score: Score
    records: tuple[Record, ...]

    @property
    def passed(self) -> bool:
        return self.score.passed

    @property
    def reason(self) -> str:
        """What was missing; empty for a row that passed."""
        return self.score.reason


@dataclass(frozen=True)
class LeftOut:
    """A row that could not be played, and why."""

    row: str
    reason: str


@dataclass(frozen=True)
class ProbeResult:
    """All rows that were played, in order; `seconds` is the time it took."""

    verdicts: tuple[Verdict, ...]
    left_out: tuple[LeftOut, ...]
    seconds: float

    @property
    def n(self) -> int:
        return len(self.verdicts)

    @property
    def passed(self) -> int:
        return sum(verdict.passed for verdict in self.verdicts)

    @property
    def share(self) -> float:
        """Share of the rows that passed, 0 to 1; 0 without rows."""
        return self.passed / self.n if self.n else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the share."""
        return interval(self.passed, self.n)


# Effects of rows by id, so that a training replays its held-back rows once; None for a row that is left out.
Known = dict[str, Effects | LeftOut]


def probe_score(
    model: Any,
    tokenizer: Any,
    core: PromptCore,
    rows: Sequence[Row],
    *,
    known: Known | None = None,
    note: Callable[[Verdict], None] = lambda verdict: None,
    stopped: Callable[[], bool] = lambda: False,
) -> ProbeResult:
    """Probe a live model between two steps of its training; weights, mode and random state stay as they were.

    `known` keeps the rows' own effects from one call to the next. Raises InterruptedByUser when `stopped` says so.
    """
    from punie_cli.engine.live import LiveEngine

    engine = LiveEngine(model, tokenizer, stopped=stopped)
    return asyncio.run(probe(engine, Renderer(core, tokenizer), rows, known=known, note=note, stopped=stopped))


async def probe(
    engine: Engine,
    renderer: Renderer,
    rows: Sequence[Row],
    *,
    known: Known | None = None,
    note: Callable[[Verdict], None] = lambda verdict: None,
    stopped: Callable[[], bool] = lambda: False,
) -> ProbeResult:
    """Play every row, one after the other; `note` gets each verdict as it comes."""
    start = time.monotonic()
    known = {} if known is None else known
    registry = renderer.core.check("the probe")
    verdicts: list[Verdict] = []
    left_out: list[LeftOut] = []
    async with Sandbox(registry.specs()) as sandbox:
        for row in rows:
            if stopped():
                break
            own = known.get(row.id) or await _own(row, registry, sandbox)
            known[row.id] = own
            if isinstance(own, LeftOut):
                left_out.append(own)
                continue
            verdict = await _judge(row, own, engine, renderer, registry, sandbox)
            if stopped():
                break
            verdicts.append(verdict)
            note(verdict)
        else:
            return ProbeResult(tuple(verdicts), tuple(left_out), time.monotonic() - start)
    raise InterruptedByUser(f"the probe was stopped after {len(verdicts)} of {len(rows)} rows")


async def _judge(
    row: Row, own: Effects, engine: Engine, renderer: Renderer, registry: Registry, sandbox: Sandbox
) -> Verdict:
    async with _opened(row) as workspace:
        mask = renderer.row(row.messages, tail=row.tail)[1]
        agent = Agent(
            engine,
            renderer,
            registry,
            workspace,
            sandbox,
            tail=row.tail,
            max_steps=max(len(turn) for turn in _turns(row)) // 2 + _MORE_STEPS,
            # A reply that is much longer than the whole row will not end as the row does.
            max_tokens=min(MAX_TOKENS, 2 * sum(mask) + 64),
        )
        records: list[Record] = []
        for turn in _turns(row):
            try:
                async for event in agent.turn(turn[0].text):
                    if line := record(event):
                        records.append(line)
            except PunieError as error:
                records.append({"type": "error", "message": error.message})
                break
        done = effects(records, snapshot(workspace.root), _defaults(registry))
    if own.calls or any(message.role == "program" for message in row.messages):
        score = Score(same_calls(done, own), same_files(done, own), same_answers(done, own))
    else:
        score = _direct(done, len(own.answers), records)
    return Verdict(row.id, row.source, row.intent, score, tuple(records))


def _direct(done: Effects, wanted: int, records: Sequence[Record]) -> Score:
    """A question that needs no program: many answers are right, and none is compared."""
    acted = any(line["type"] == "program" for line in records)
    calls = Part(not acted, "a program was run for a question that needs none" if acted else "")
    answered = sum(bool(text.strip()) for text in done.answers) >= wanted
    return Score(calls, Part(True), Part(answered, "" if answered else "no answer"))


async def _own(row: Row, registry: Registry, sandbox: Sandbox) -> Effects | LeftOut:
    """The effects of the row's own programs, run in a fresh copy of its setting."""
    acts = any(message.role == "program" for message in row.messages)
    if acts and row.setting is None:
        return LeftOut(row.id, "it does not say in what its programs ran")
    records: list[Record] = []

    def keep(event: Event) -> None:
        if isinstance(event, Called) and (line := record(event)):
            records.append(line)

    async with _opened(row) as workspace:
        for turn in _turns(row):
            async with await sandbox.turn() as worker:
                last: Message | None = None
                for message in turn:
                    if message.role == "program":
                        last = as_message(await run_program(message.text, worker, registry, workspace, keep))
                    elif message.role == "output" and message != last:
                        return LeftOut(row.id, "its programs print something else today")
                    elif message.role == "answer":
                        text = expand(message.text, output_body(last) if last else None)
                        records.append(record(Answered(text, "stop")) or {})
        return effects(records, snapshot(workspace.root), _defaults(registry))


@asynccontextmanager
async def _opened(row: Row) -> AsyncGenerator[Workspace]:
    if row.setting is not None:
        async with open_setting(row.setting) as workspace:
            yield workspace
    else:
        with tempfile.TemporaryDirectory(prefix="punie-probe-") as empty:
            yield Workspace(Path(empty))


def _turns(row: Row) -> list[list[Message]]:
    """The messages of a row, each turn beginning with the user's."""
    turns: list[list[Message]] = []
    for message in row.messages:
        if message.role == "user":
            turns.append([])
        turns[-1].append(message)
    return turns


def _defaults(registry: Registry) -> dict[str, dict[str, Any]]:
    return {
        name: {p.name: p.default for p in registry[name].parameters if p.default is not Parameter.empty}
        for name in registry.names
    }
