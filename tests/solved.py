"""Plays cases of the shipped suites with replies that are given: those of tests/solutions, and wrong ones.

Programs, ty, ruff and pytest are real; only the model is a queue of replies.
"""

import asyncio
import functools
import os
import re
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from punie_cli.agent.loop import Agent
from punie_cli.agent.prompt import PromptCore, Renderer
from punie_cli.builtins import tests as pytest_builtin
from punie_cli.builtins.registry import Registry
from punie_cli.evaluation.case import CaseOutcome, run_case
from punie_cli.evaluation.score import Score, score
from punie_cli.evaluation.suites import Case, Suite
from punie_cli.sandbox.host import Sandbox
from punie_cli.workspace import Workspace
from tests.command_line import CharTokenizer, program
from tests.fake import QueueEngine

ROOT = Path(__file__).parents[1]
# Each case waits for one process after the other, and two of them may run on each core.
_AT_ONCE = 2 * (os.cpu_count() or 1)
# The fixtures use none, and to load those of this environment takes five times as long as their tests.
_NO_PLUGINS = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
_PROGRAM = re.compile(r"(?:print|text|rules|result|write_file|run_command)\b")


def solutions(suite: str) -> dict[str, list[str]]:
    """What a good model would reply, by case."""
    return tomllib.loads((ROOT / "tests" / "solutions" / f"{suite}.toml").read_text(encoding="utf-8"))


def play(
    sandbox: Sandbox, plays: Iterable[tuple[Case, Sequence[str]]], registry: Registry | None = None
) -> list[CaseOutcome]:
    """Run cases with the replies of each, several at a time; every reply must have been asked for."""
    variables = pytest_builtin._variables
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pytest_builtin, "_variables", lambda *args: variables(*args) | _NO_PLUGINS)
        return asyncio.run(_play(sandbox, plays, registry or Registry()))


async def _play(sandbox: Sandbox, plays: Iterable[tuple[Case, Sequence[str]]], registry: Registry) -> list[CaseOutcome]:
    renderer = Renderer(PromptCore.build(registry, "tags"), CharTokenizer())
    places = asyncio.Semaphore(_AT_ONCE)

    async def one(case: Case, replies: Sequence[str]) -> CaseOutcome:
        engine = QueueEngine(replies)

        def make_agent(workspace: Workspace) -> Agent:
            return Agent(engine, renderer, registry, workspace, sandbox)

        async with places:
            outcome = await run_case(case, make_agent)
        assert engine.left == 0, case.name
        return outcome

    return await asyncio.gather(*(one(case, replies) for case, replies in plays))


def misjudged(sandbox: Sandbox, suites: Sequence[Suite], wrong: Sequence[tuple[str, Sequence[str], str]]) -> list[str]:
    """Of replies that look right, those that passed or failed for another reason than the one they come with."""
    cases = {case.name: case for suite in suites for case in suite.case}
    outcomes = play(sandbox, [(cases[name], replies) for name, replies, _ in wrong])
    return [
        f"{name}: {outcome.score.reason!r}, not {reason!r}"
        for outcome, (name, _, reason) in zip(outcomes, wrong, strict=True)
        if outcome.score.passed or reason not in outcome.score.reason
    ]


def invented(outcome: CaseOutcome) -> Score:
    """The score of a good run's answers, given at once and without a program. No check is needed to refuse them."""
    said = [record for record in outcome.records if record["type"] in ("prompt", "answer")]
    return score(outcome.case.expect, said, outcome.before, outcome.before)


def as_replies(texts: Iterable[str]) -> list[str]:
    """Programs in the dialect, known by how they begin; answers as they are."""
    return [program(text) if _PROGRAM.match(text) else text for text in texts]


@functools.cache
def known_words() -> frozenset[str]:
    """Every word of the rows of all phases."""
    rows = (ROOT / "data" / "rows").glob("phase-*/*.jsonl")
    # In JSON a line end would be the first letter of the word after it.
    texts = [path.read_text(encoding="utf-8").replace("\\n", " ") for path in rows]
    return frozenset(word for text in texts for word in re.findall(r"[A-Za-z_]\w*", text))
