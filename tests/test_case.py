"""Cases from prompt to score: real programs in the real sandbox, real ty, ruff and pytest; the replies are given."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from punie_cli.agent.loop import Agent
from punie_cli.agent.prompt import PromptCore, Renderer
from punie_cli.builtins.registry import Registry
from punie_cli.engine.base import Prompt, Reply, Text
from punie_cli.errors import InterruptedByUser, MissingError
from punie_cli.evaluation.case import CaseOutcome, run_case, snapshot
from punie_cli.evaluation.score import Part
from punie_cli.evaluation.suites import load
from punie_cli.sandbox.host import Sandbox
from punie_cli.workspace import Workspace
from tests.command_line import CharTokenizer, program
from tests.fake import QueueEngine
from tests.shop import CHECKS_CART, DONE, FILES, MEND, MENDED, SEEN, WRITES, case, write
from tests.solved import play

FOUNDATION = {case.name: case for case in load("foundation").case}
RENDERER = Renderer(PromptCore.build(Registry(), "tags"), CharTokenizer())


def test_several_turns_are_one_conversation(sandbox: Sandbox) -> None:
    expect = {
        "calls": [CHECKS_CART],
        "fields": ["error_count"],
        "files": {"shop/cart.py": MENDED},
        "answer_all": ["mended"],
    }
    replies = [program("print(typecheck('shop/cart.py').error_count)"), SEEN, MEND, "It is mended."]
    [outcome] = play(sandbox, [(case(expect, "check it", "mend it", allow=WRITES), replies)])
    assert outcome.score.reason == ""
    assert [record["type"] for record in outcome.records if record["type"] != "usage"] == [
        *("session", "prompt", "program", "call", "output", "answer"),
        *("prompt", "program", "approval", "call", "output", "answer"),
    ]
    assert outcome.answer == "It is mended."
    # The answer to the first prompt is not the one that is judged.
    [outcome] = play(sandbox, [(case({"answer_all": ["mended"]}, "mend it", "and?"), ["It is mended.", "Yes."])])
    assert outcome.score.answer == Part(False, "the answer lacks mended")


@pytest.mark.parametrize(
    ("more", "decision", "by", "says"),
    [
        ({"allow": frozenset({"write"})}, "allowed", "rule", "created a.py (1 line)"),
        ({"allow": frozenset({"write"}), "refused": True}, "allowed", "rule", "created a.py (1 line)"),
        ({"refused": True}, "refused", "person", "PermissionError: refused by the user"),
        ({"allow": frozenset({"run"})}, "refused", "no-terminal", "PermissionError: refused: write a.py (nobody"),
    ],
)
def test_who_answers_questions(more: Any, decision: str, by: str, says: str, sandbox: Sandbox) -> None:
    [outcome] = play(sandbox, [(case({"changes": ["a.py"]}, **more), [write("a.py", "x = 1\n"), DONE])])
    [asked] = [record for record in outcome.records if record["type"] == "approval"]
    [output] = [record for record in outcome.records if record["type"] == "output"]
    text = f"{output['error']['kind']}: {output['error']['message']}" if output["error"] else output["text"]
    assert (asked["decision"], asked["by"], text.startswith(says)) == (decision, by, True)
    assert outcome.score.passed


class ByPrompt:
    """An engine that answers by what was asked; several may ask at the same time."""

    name, adapter = "fake", None

    def __init__(self, replies: dict[str, list[str]]) -> None:
        self._replies = replies

    async def generate(self, prompt: Prompt, *, max_tokens: int = 512) -> AsyncGenerator[Text | Reply]:
        asked = next(m["content"] for m in prompt.messages if m["content"] in self._replies)
        # The others get their turn in between.
        await asyncio.sleep(0)
        async for event in QueueEngine([self._replies[asked].pop(0)]).generate(prompt):
            yield event

    def cancel(self) -> None:
        pass

    async def close(self) -> None:
        pass


async def test_cases_at_the_same_time(sandbox: Sandbox) -> None:
    """Each has its own files, tools and permissions."""
    tools = {"ty": "typecheck", "ruff": "lint", "pytest": "test"}
    cases = [
        case({"calls": [{"builtin": tools[tool], "worked": False}], "refuses": True}, f"no {tool}",
             missing=frozenset({tool}), allow=frozenset({"run"}))
        for tool in tools
    ]  # fmt: skip
    cases += [case({"calls": [{"builtin": b} for b in tools.values()]}, "all tools", allow=frozenset({"run"}))]
    cases += [case({"files": {"a.py": f"x = {i}"}}, f"write {i}", allow=frozenset({"write"})) for i in range(3)]
    replies = {f"no {tool}": [program(f"print({name}())"), f"{tool} is not installed."] for tool, name in tools.items()}
    replies["all tools"] = [program("print(typecheck())\nprint(lint())\nprint(test())"), DONE]
    replies |= {f"write {i}": [write("a.py", f"x = {i}\n"), DONE] for i in range(3)}
    engine = ByPrompt(replies)
    outcomes = await asyncio.gather(
        *[run_case(one, lambda place: Agent(engine, RENDERER, Registry(), place, sandbox)) for one in cases]
    )
    assert [outcome.score.reason for outcome in outcomes] == [""] * 7
    assert [outcome.diff for outcome in outcomes[4:]] == [
        f"--- /dev/null\n+++ b/a.py\n@@ -0,0 +1 @@\n+x = {i}\n" for i in range(3)
    ]


def test_what_changed_is_told(sandbox: Sandbox) -> None:
    code = f"write_file('shop/cart.py', {MENDED!r})\nrun_command('rm old.py')\nrun_command('mkdir __pycache__')\n"
    code += "run_command('touch __pycache__/a.pyc')"
    [outcome] = play(
        sandbox, [(case({"changes": ["shop/*"]}, allow=frozenset({"write", "run"})), [program(code), DONE])]
    )
    assert outcome.score.files == Part(False, "changed: old.py")
    assert outcome.diff == (
        "--- a/old.py\n+++ /dev/null\n@@ -1 +0,0 @@\n-x = 1\n"
        "--- a/shop/cart.py\n+++ b/shop/cart.py\n@@ -1,2 +1,2 @@\n def total(prices: list[int]) -> int:\n"
        "-    return str(sum(prices))\n+    return sum(prices)\n"
    )
    assert outcome.before == FILES
    assert outcome.after == {path: text for path, text in FILES.items() if path != "old.py"} | {"shop/cart.py": MENDED}


def test_files_are_written_over_the_fixture(sandbox: Sandbox) -> None:
    over = case({"number": 22}, files={"README.md": "new\n", "more/a.txt": ""}, fixture="bookstall")
    [outcome] = play(sandbox, [(over, [program("print(read_file('README.md'))"), "22"])])
    fixture = snapshot(over.fixture_folder)
    assert outcome.before == outcome.after == fixture | {"README.md": "new\n", "more/a.txt": ""}
    assert outcome.records[0]["root"] == "bookstall"
    assert snapshot(over.fixture_folder) == fixture


class Broken(QueueEngine):
    """Answers what it has, and then raises."""

    def __init__(self, replies: list[str], problem: BaseException) -> None:
        super().__init__(replies)
        self.problem = problem

    async def generate(self, prompt: Prompt, *, max_tokens: int = 512) -> AsyncGenerator[Text | Reply]:
        if not self.left:
            raise self.problem
        async for event in super().generate(prompt, max_tokens=max_tokens):
            yield event


async def test_a_crash_is_a_failed_case(sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    async def run(problem: BaseException) -> CaseOutcome:
        engine = Broken(["It is mended.", MEND], problem)
        two = case({"answer_all": ["mended"]}, "one", "two", "three", allow=WRITES)
        return await run_case(two, lambda place: Agent(engine, RENDERER, Registry(), place, sandbox))

    outcome = await run(RuntimeError("boom"))
    assert outcome.score.answer == Part(False, "no answer: RuntimeError: boom")
    assert [record["type"] for record in outcome.records][-3:] == ["call", "output", "error"]
    # What it did until then is known.
    assert outcome.score.files == Part(False, "changed: shop/cart.py")
    [logged] = [line for line in caplog.records if line.levelno == logging.ERROR]
    assert (logged.getMessage(), logged.exc_info is not None) == ("case it crashed", True)

    outcome = await run(MissingError("the model is gone", "punie models"))
    assert outcome.score.answer == Part(False, "no answer: the model is gone")
    assert outcome.records[-1] == {"type": "error", "exit": 3, "message": "the model is gone", "hint": "punie models"}

    with pytest.raises(InterruptedByUser):
        await run(InterruptedByUser("stopped"))
    with pytest.raises(asyncio.CancelledError):
        await run(asyncio.CancelledError())

    def no_agent(place: Workspace) -> Agent:
        raise OSError("no room")

    outcome = await run_case(case({"number": 1}), no_agent)
    assert outcome.score.answer == Part(False, "no answer: OSError: no room")
    blocked = case({"number": 1}, files={"a": "", "a/b": ""})
    outcome = await run_case(blocked, no_agent)
    assert outcome.score.answer.reason.startswith("no answer: FileExistsError: ")


def test_snapshot(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a").write_bytes(b"x\xff\n")
    (tmp_path / "link").symlink_to("sub/a")
    assert snapshot(tmp_path) == {"link": "-> sub/a", "sub/a": "x\udcff\n"}


def test_a_case_is_run_in_a_copy_of_its_fixture(sandbox: Sandbox) -> None:
    replies = {
        "count-lines": [
            '<code>\nprint(len(read_file("src/billing.py").splitlines()))\n</code>',
            "src/billing.py has 22 lines.",
        ],
        "create-note": ['<code>\nprint(write_file("notes.txt", "call the printer"))\n</code>', "Created notes.txt."],
        "read-setting": [
            '<code>\nwrite_file("config.json", "")\n</code>',
            '<code>\nprint(read_file("config.json"))\n</code>',
            "The currency is CHF.",
        ],
    }
    fixture = FOUNDATION["count-lines"].fixture_folder
    before = snapshot(fixture)
    done = play(sandbox, [(FOUNDATION[name], queue) for name, queue in replies.items()])
    assert [outcome.score.reason for outcome in done] == ["", "", ""]
    assert [outcome.answer for outcome in done] == [queue[-1] for queue in replies.values()]
    assert [record["type"] for record in done[2].records if record["type"] != "usage"] == [
        *("session", "prompt"),
        *("program", "approval", "call", "output"),
        *("program", "call", "output"),
        "answer",
    ]
    assert done[2].records[0] == {
        "type": "session",
        "model": "fake",
        "adapter": None,
        "prompt_hash": RENDERER.core.hash,
        "root": "bookstall",
        "version": 1,
    }
    assert snapshot(fixture) == before


async def test_an_error_of_a_turn_is_a_failed_case(sandbox: Sandbox) -> None:
    def make_agent(workspace: Workspace) -> Agent:
        return Agent(QueueEngine([]), RENDERER, Registry(), workspace, sandbox, context=10)

    result = await run_case(FOUNDATION["explain-optional"], make_agent)
    assert [record["type"] for record in result.records] == ["session", "prompt", "error"]
    assert result.score.answer.reason.startswith("no answer: the conversation has ")
    assert (result.answer, result.score.calls, result.score.files) == ("", Part(True), Part(True))
