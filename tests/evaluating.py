"""What the tests of evaluations share: a small suite, and an engine that knows its answers."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from pathlib import Path

from punie_cli.agent.open import Connect, Connected
from punie_cli.engine.base import Prompt, Reply, Text, Usage
from punie_cli.evaluation.suites import Suite, load
from punie_cli.settings import Settings
from tests.command_line import CharTokenizer

SUITE = """
{head}
fixture = "bookstall"
"""

CASE = """
[[case]]
name = "{name}"
group = "{group}"
prompt = "say {name}"
[case.expect]
answer_all = ["{name}"]
no_calls = true
"""


def write_suite(path: Path, names: Sequence[str] = ("one", "two", "three"), group: str = "", head: str = "") -> Suite:
    """A suite of direct questions: the prompt is `say NAME`, and NAME is the right answer."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = SUITE.format(head=head) + "".join(CASE.format(name=name, group=group) for name in names)
    path.write_text(text, encoding="utf-8")
    return load(path)


class EchoEngine:
    """Answers `say X` with X, unless `wrong` names it. `asked` are the prompts in order, `most` how many at once.

    `on` is called with the prompt before it is answered, and may wait or raise.
    """

    def __init__(self, wrong: Sequence[str] = (), on: Callable[[str], object] = lambda text: None) -> None:
        self.name, self.adapter = "echo", None
        self.asked: list[str] = []
        self.most = self._now = 0
        self._wrong, self._on = wrong, on

    async def generate(self, prompt: Prompt, *, max_tokens: int = 512) -> AsyncGenerator[Text | Reply]:
        text = prompt.messages[-1]["content"].removeprefix("say ")
        self.asked.append(text)
        self._now += 1
        self.most = max(self.most, self._now)
        try:
            waits = self._on(text)
            if asyncio.iscoroutine(waits):
                await waits
        finally:
            self._now -= 1
        reply = "something else" if text in self._wrong else text
        yield Text(reply)
        yield Reply(reply, [1, 2], "stop", Usage(prompt_tokens=100, completion_tokens=2))

    def cancel(self) -> None:
        """Nothing is ever under way for long."""

    async def close(self) -> None:
        """It holds nothing."""


def connecting(engine: EchoEngine) -> Connect:
    """Opens this engine, whatever the settings say."""

    async def connect(settings: Settings) -> Connected:
        return Connected(engine, CharTokenizer())

    return connect
