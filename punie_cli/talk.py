"""One question (`punie ask`) and one program (`punie exec`): events to the screen and the store, then an exit code."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path

from punie_cli.agent.events import Answered, Approved, Event, Noted, Output, Program, Started
from punie_cli.agent.execute import run_program
from punie_cli.agent.loop import Agent
from punie_cli.agent.notes import NAME
from punie_cli.agent.open import Connect, open_agent
from punie_cli.approvals import Approver, Decision, Question
from punie_cli.builtins.registry import Registry
from punie_cli.enclosure.enclosure import enclosure
from punie_cli.errors import Exit, UsageError
from punie_cli.event_text import error_text
from punie_cli.render import View
from punie_cli.sandbox.host import Sandbox
from punie_cli.session import Recorder
from punie_cli.settings import Settings
from punie_cli.workspace import Workspace

EXAMPLE = 'punie ask "typecheck src/"'


@dataclass
class Ending:
    """What decides the exit code of a turn."""

    finish: str | None = None
    error: str | None = None
    refused: bool = False
    unanswered: dict[str, None] = field(default_factory=dict)
    """Words for `--allow` that would have answered the questions that had nobody to answer them."""

    def note(self, event: Event) -> None:
        """Take one event into account."""
        match event:
            case Approved(decision="refused"):
                self.refused = True
            case Output():
                self.error = event.error["kind"] if event.error else None
            case Answered():
                self.finish = event.finish

    @property
    def of_ask(self) -> Exit:
        """The exit code of `punie ask`: a refusal by a person is no failure."""
        if self.unanswered:
            return Exit.REFUSED
        return Exit.OK if self.finish == "stop" else Exit.FAILED

    @property
    def of_exec(self) -> Exit:
        """The exit code of `punie exec`."""
        if self.refused or self.error == "PolicyError":
            return Exit.REFUSED
        return Exit.FAILED if self.error else Exit.OK


def join_prompt(prompt: str | None, piped: str) -> str:
    """What came through stdin, then the prompt; `-` stands for stdin alone. UsageError when both are empty."""
    parts = [piped.strip("\n"), "" if prompt in (None, "-") else str(prompt)]
    text = "\n\n".join(part for part in parts if part.strip())
    if not text:
        raise UsageError("the prompt is empty", EXAMPLE)
    return text


def open_workspace(
    root: Path, settings: Settings, approver: Approver, warn: Callable[[str], None] = lambda text: None
) -> Workspace:
    """The workspace of a session; `warn` hears of its enclosure. UsageError when `root` is no folder."""
    try:
        return Workspace(
            root,
            approver,
            ty=settings.ty,
            ruff=settings.ruff,
            python=settings.python,
            enclosure=enclosure(settings.commands, warn),
        )
    except NotADirectoryError as error:
        raise UsageError(str(error), "punie ask --root DIR …") from error


async def follow(agent: Agent, text: str, recorder: Recorder, view: View) -> Ending:
    """One turn: each event is stored and shown. A cancelled turn ends with an answer that says so."""
    ending = Ending()
    approver = agent.workspace.approver
    agent.workspace = agent.workspace.with_approver(_watched(approver, ending))
    answered = False
    view.parse, view.begun = agent.renderer.parse, agent.renderer.dialect.begun
    try:
        async with aclosing(agent.turn(text)) as events:
            async for event in events:
                answered = answered or isinstance(event, Answered)
                recorder.note(event)
                view.show(event)
                ending.note(event)
    except asyncio.CancelledError:
        if not answered:
            recorder.note(Answered("", "cancelled"))
        raise
    finally:
        view.idle()
        agent.workspace = agent.workspace.with_approver(approver)
    return ending


async def ask(
    text: str, workspace: Workspace, settings: Settings, recorder: Recorder, view: View, connect: Connect
) -> Exit:
    """Answer one question."""
    view.busy("loading the model")
    try:
        async with open_agent(settings, workspace, connect, notes=True) as (agent, started):
            recorder.note(started)
            if agent.notes is not None and agent.notes.cut:
                view.show(Noted(f"{NAME}: {agent.notes.summary}"))
            ending = await follow(agent, text, recorder, view)
    finally:
        view.idle()
    if ending.unanswered:
        view.unanswered("ask", ending.unanswered)
    return ending.of_ask


async def execute(code: str, workspace: Workspace, recorder: Recorder, view: View, *, text: bool = True) -> Exit:
    """Run one program without a model; with `text` its output goes to stdout and its error to stderr."""
    registry, ending = Registry(), Ending()

    def note(event: Event) -> None:
        recorder.note(event)
        ending.note(event)

    workspace = workspace.with_approver(_watched(workspace.approver, ending))
    recorder.note(Started(None, None, None, str(workspace.root)))
    note(Program(code))
    async with Sandbox(registry.specs()) as sandbox, await sandbox.turn() as turn:
        result = await run_program(code, turn, registry, workspace, note)
    if text:
        view.write(result.text)
        if result.truncated:
            view.note("(the output was longer; its end is not shown)")
        if result.error is not None:
            view.error(error_text(result.error))
    if ending.unanswered:
        view.unanswered("exec", ending.unanswered)
    return ending.of_exec


def _watched(approver: Approver, ending: Ending) -> Approver:
    """The same approver; `ending` learns which questions had nobody to answer them."""

    async def decide(question: Question) -> Decision:
        decision = await approver(question)
        if decision.by == "no-terminal":
            ending.unanswered[question.rule] = None
        return decision

    return decide
