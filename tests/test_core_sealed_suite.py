"""The suite core-sealed: a good model's replies pass every case, an invented answer passes none that needs a call.

Programs, ty, ruff and pytest are real; only the model is a queue of replies. Nothing here quotes what the suite asks.
"""

import asyncio
import os
import re
import tomllib
from collections import Counter
from pathlib import Path

import pytest

from punie_cli.agent.loop import MAX_STEPS, Agent
from punie_cli.agent.prompt import PromptCore, Renderer
from punie_cli.builtins import tests as pytest_builtin
from punie_cli.builtins.registry import Registry
from punie_cli.evaluation.case import CaseOutcome, run_case
from punie_cli.evaluation.score import score
from punie_cli.evaluation.suites import Case, load
from punie_cli.sandbox.host import Sandbox
from punie_cli.workspace import Workspace
from tests.command_line import CharTokenizer
from tests.fake import QueueEngine

SUITE = load("core-sealed")
ROOT = Path(__file__).parents[1]
REPLIES: dict[str, list[str]] = tomllib.loads(
    (Path(__file__).parent / "solutions" / "core-sealed.toml").read_text(encoding="utf-8")
)
LEAST = {
    "typecheck": 6, "lint": 5, "test": 5, "read_file": 6, "write_file": 6, "run_command": 5, "direct": 9, "failure": 7,
    "chain": 9, "fix": 5,
}  # fmt: skip
NO_PLUGINS = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
# Numbers that only a field of a result, or much more than what a result prints, tells.
HIDDEN = {"test-last-of-many", "run-exit-code", "run-error-stream"}


async def play(plays: list[tuple[Case, list[str]]]) -> list[CaseOutcome]:
    """Run cases with the replies of each, a few at a time over one sandbox; every reply must have been asked for."""
    renderer = Renderer(PromptCore.build(Registry(), "tags"), CharTokenizer())
    gate = asyncio.Semaphore(min(4, (os.cpu_count() or 1) + 1))
    async with Sandbox(Registry().specs()) as sandbox:

        async def one(case: Case, replies: list[str]) -> CaseOutcome:
            engine = QueueEngine(replies)

            def make_agent(workspace: Workspace) -> Agent:
                return Agent(engine, renderer, Registry(), workspace, sandbox)

            async with gate:
                outcome = await run_case(case, make_agent)
            assert engine.left == 0, case.name
            return outcome

        return await asyncio.gather(*(one(case, replies) for case, replies in plays))


@pytest.fixture(scope="module")
def good() -> list[CaseOutcome]:
    assert list(REPLIES) == [case.name for case in SUITE.case]
    variables = pytest_builtin._variables
    with pytest.MonkeyPatch.context() as patch:
        # The fixtures use no plugins, and to load those of this environment takes five times as long as their tests.
        patch.setattr(pytest_builtin, "_variables", lambda *args: variables(*args) | NO_PLUGINS)
        return asyncio.run(play([(case, REPLIES[case.name]) for case in SUITE.case]))


def test_good_replies_pass(good: list[CaseOutcome]) -> None:
    assert {outcome.case.name: outcome.score.reason for outcome in good if not outcome.score.passed} == {}


def test_invented_answers_do_not(good: list[CaseOutcome]) -> None:
    """The same answers, but nothing was called and no file changed; the tools would have nothing against the files."""
    for case, records, before in [(o.case, o.records, o.before) for o in good if not o.case.expect.no_calls]:
        found = score(case.expect, [r for r in records if r["type"] in ("prompt", "answer")], before, before)
        # It is the calls or the files that are missing, not the words.
        assert (found.calls.ok and found.files.ok, found.answer.ok) == (False, True), case.name


def test_groups(good: list[CaseOutcome]) -> None:
    assert SUITE.sealed
    groups = Counter(case.group for case in SUITE.case)
    assert set(groups) == set(LEAST)
    assert {group: n for group, n in groups.items() if n < LEAST[group]} == {}
    assert len({case.fixture for case in SUITE.case}) == 6
    assert len({case.name for case in SUITE.case if case.expect.fields} | HIDDEN) >= 12
    called = Counter(
        builtin for outcome in good for builtin in {r["builtin"] for r in outcome.records if r["type"] == "call"}
    )
    assert {name: n for name, n in called.items() if n < 6} == {} and set(called) == set(Registry().names)
    assert max(len(replies) for replies in REPLIES.values()) <= MAX_STEPS


def test_no_row_knows_a_name_of_the_fixtures() -> None:
    names: set[str] = set()
    for folder in {case.fixture_folder for case in SUITE.case}:
        names.add(folder.name)
        for path in folder.rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            names |= {path.stem, *re.findall(r"^(?:(?:async )?def|class) (\w+)", text, re.MULTILINE)}
    rows = (ROOT / "data" / "rows" / "phase-24").glob("*.jsonl")
    known = {word for path in rows for word in re.findall(r"[A-Za-z_]\w*", path.read_text("utf-8").replace("\\n", " "))}
    assert (names - {"__init__"}) & known == set()
