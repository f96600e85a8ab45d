"""A turn: the model replies, its program runs, it reads the output, until it answers.

What ends a turn early is told: the step limit, a reply cut at its token limit, the same program with the same output
twice in a row, Ctrl-C.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from punie_cli.agent.compact import Plan, compact, shown
from punie_cli.agent.dialects import output_body
from punie_cli.agent.events import Answered, Compacted, Delta, Event, Noted, Output, Program, Prompted, Tailed, Used
from punie_cli.agent.execute import as_message, run_program
from punie_cli.agent.messages import Message, answer, expand, program, user
from punie_cli.agent.names import names_for
from punie_cli.agent.notes import Notes
from punie_cli.agent.precheck import Precheck
from punie_cli.agent.prompt import Renderer
from punie_cli.builtins.registry import Registry
from punie_cli.engine.base import Engine, Prompt, Reply, Text
from punie_cli.errors import PunieError, UsageError
from punie_cli.sandbox.host import Sandbox, Turn
from punie_cli.workspace import Workspace

MAX_STEPS = 8
MAX_TOKENS = 512


@dataclass
class Agent:
    """One conversation over one workspace. `messages` is what the model has seen; a failed turn leaves it unchanged."""

    engine: Engine
    renderer: Renderer
    registry: Registry
    workspace: Workspace
    sandbox: Sandbox
    tail: str | None = None
    max_steps: int = MAX_STEPS
    max_tokens: int = MAX_TOKENS
    context: int | None = None
    """Tokens that the model can hold; None where it is not known."""
    check_programs: bool = True
    """Whether ty looks at each program before it runs, and the engine at its paths while it is written."""
    messages: list[Message] = field(default_factory=list)
    reading: Callable[[int], None] | None = None
    """Told before each reply how many tokens its prompt has."""
    notes: Notes | None = None
    """What `tail` is made of at the start of each turn; None leaves it as it is."""
    plan: Plan = field(default_factory=Plan)
    """How much of `messages` the model still reads."""

    async def turn(self, text: str) -> AsyncGenerator[Event]:
        """Answer one user message. The last event is Answered; closing the iterator stops reply and program."""
        if not text.strip():
            raise UsageError("the prompt is empty", 'punie ask "typecheck src/"')
        messages = [*self.messages, user(text)]
        yield Prompted(text)
        if self.notes is not None:
            if (line := self.notes.refresh()) is not None:
                yield Noted(line)
            self.tail = self.notes.tail
            yield Tailed(self.tail, self.notes.system or None)
        async with await self.sandbox.turn() as worker, aclosing(self._steps(messages, worker)) as steps:
            async for event in steps:
                if isinstance(event, Answered) and event.finish != "cancelled":
                    written = event.text if event.written is None else event.written
                    self.messages = [*messages, answer(written)]
                yield event

    async def _steps(self, messages: list[Message], worker: Turn) -> AsyncGenerator[Event]:
        """The steps of a turn; extends `messages` with programs and outputs."""
        last: tuple[str, Message] | None = None
        check = Precheck(self.registry) if self.check_programs else None
        ran: list[str] = []
        for _ in range(self.max_steps):
            reply = None
            async with aclosing(self._reply(messages)) as events:
                async for event in events:
                    if isinstance(event, Reply):
                        reply = event
                        yield Used(event.usage)
                    elif isinstance(event, Compacted):
                        yield event
                    else:
                        yield Delta(event.text)
            if reply is None:
                raise PunieError("the engine ended without a reply", "punie doctor")
            step = self.renderer.parse(reply.text)
            if reply.finish == "cancelled":
                yield Answered(reply.text if step.kind == "answer" else "", "cancelled")
                return
            if step.kind == "answer":
                written = step.text.strip()
                text = expand(written, output_body(last[1]) if last else None)
                finish = "length" if reply.finish == "length" else "stop"
                yield Answered(text, finish, None if text == written else written)
                return
            if not step.closed and reply.finish == "length":
                yield Answered(f"(a program longer than {self.max_tokens} tokens was not run)", "length")
                return
            yield Program(step.text)
            output = None
            if check is not None and (error := await check.look(step.text, ran, self.workspace)) is not None:
                output = Output("", {**error, "ran": False}, truncated=False)
                yield output
            else:
                ran.append(step.text)
                async with aclosing(self._run(step.text, worker)) as events:
                    async for event in events:
                        output = event if isinstance(event, Output) else output
                        yield event
            if output is None:
                raise PunieError("the program ended without an output", "punie doctor")
            done = as_message(output)
            messages += [program(step.text), done]
            if last == (step.text, done):
                yield Answered("(stopped: the same program gave the same output twice)", "loop")
                return
            last = (step.text, done)
        yield Answered(f"(stopped after {self.max_steps} steps without an answer)", "steps")

    def shown(self, messages: list[Message]) -> tuple[list[Message], str | None]:
        """What the model reads of a conversation, with its tail: all, until it was compacted."""
        return shown(self.plan, messages, self.tail)

    def make_short(self, messages: list[Message]) -> Compacted | None:
        """Compact to half of what there is room for or, where there is room, to half; None if nothing can go."""
        before = self._count(*self.shown(messages))
        room = before if self.context is None else self.context - self.max_tokens
        fixed = self._count([], None) + (self.renderer.count(self.tail) if self.tail else 0)
        target = fixed + max(0, min(room, before) - fixed) // 2
        plan = compact(self.plan, messages, self.tail, self._count, target, room)
        after = self._count(*shown(plan, messages, self.tail))
        if after >= before:
            return None
        self.plan = plan
        return Compacted(before, after, plan.shortened, plan.told, plan.forgotten)

    def _count(self, messages: Sequence[Message], tail: str | None) -> int:
        return len(self.renderer.tokens(messages, tail=tail)) if messages else len(self.renderer.core_tokens)

    async def _reply(self, messages: list[Message]) -> AsyncGenerator[Text | Reply | Compacted]:
        said, tail = self.shown(messages)
        tokens = self.renderer.tokens(said, tail=tail)
        full = None if self.context is None else self.context - self.max_tokens
        if full is not None and len(tokens) > full and (made := self.make_short(messages)) is not None:
            yield made
            said, tail = self.shown(messages)
            tokens = self.renderer.tokens(said, tail=tail)
        if full is not None and len(tokens) > full:
            raise UsageError(
                f"the conversation has {len(tokens)} tokens; with {self.max_tokens} for the reply that is more than "
                f"the model's {self.context}",
                "punie chat",
            )
        chat = self.renderer.chat(said, tail=tail)
        tags = self.renderer.dialect.tags
        names = None
        if self.check_programs and tags is not None:
            names = await asyncio.to_thread(names_for, self.registry, self.workspace, messages, self.tail)
        if self.reading is not None:
            self.reading(len(tokens))
        prompt = Prompt(chat, self.registry.names, tokens, tags, names)
        async with aclosing(self.engine.generate(prompt, max_tokens=self.max_tokens)) as events:
            async for event in events:
                yield event

    async def _run(self, code: str, worker: Turn) -> AsyncGenerator[Event]:
        """Events of one program while it runs."""
        events: asyncio.Queue[Event | None] = asyncio.Queue()

        async def work() -> None:
            try:
                await run_program(code, worker, self.registry, self.workspace, events.put_nowait)
            finally:
                events.put_nowait(None)

        running = asyncio.create_task(work())
        try:
            while (event := await events.get()) is not None:
                yield event
            await running
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
