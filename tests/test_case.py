"""Cases from prompt to score: real programs in the real sandbox, real ty, ruff and pytest; only the replies are given.

For each key of an expectation a conversation that meets it, and some that must not.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer

from punie_cli.agent.loop import Agent
from punie_cli.agent.prompt import PromptCore, Renderer
from punie_cli.builtins.registry import Registry
from punie_cli.engine.base import Prompt, Reply, Text
from punie_cli.errors import InterruptedByUser, MissingError
from punie_cli.evaluation.case import CaseOutcome, run_case, snapshot
from punie_cli.evaluation.score import Part
from punie_cli.evaluation.suites import Case, Expect
from punie_cli.sandbox.host import Sandbox
from punie_cli.workspace import Workspace
from tests.fake import QueueEngine
from tests.tiny import CHATML, make_tiny_model

CART = "def total(prices: list[int]) -> int:\n    return str(sum(prices))\n"
MENDED = CART.replace("str(sum(prices))", "sum(prices)")
STOCK = "import os\n\n\ndef count(items: list[str]) -> int:\n    return len(items)\n"
CHECK = "from shop.cart import total\n\n\ndef test_total() -> None:\n    assert total([1, 2]) == 3\n"
FILES = {
    "shop/__init__.py": "",
    "shop/cart.py": CART,
    "shop/stock.py": STOCK,
    "tests/test_cart.py": CHECK,
    "pyproject.toml": '[project]\nname = "shop"\nversion = "1"\n\n[tool.pytest.ini_options]\npythonpath = ["."]\n',
    "old.py": "x = 1\n",
}


@pytest.fixture(scope="module")
def renderer(tmp_path_factory: pytest.TempPathFactory) -> Renderer:
    folder = make_tiny_model(tmp_path_factory.mktemp("model") / "model", chat_template=CHATML)
    return Renderer(PromptCore.build(Registry(), "tags"), AutoTokenizer.from_pretrained(folder))


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    box = Sandbox(Registry().specs())
    yield box
    asyncio.run(box.close())


@pytest.fixture
def play(renderer: Renderer, sandbox: Sandbox) -> Any:
    """Run a case with these replies."""

    async def run(case: Case, replies: list[str]) -> CaseOutcome:
        engine = QueueEngine(replies)
        outcome = await run_case(case, lambda place: Agent(engine, renderer, Registry(), place, sandbox))
        assert engine.left == 0
        return outcome

    return run


def case(expect: dict[str, Any], *prompts: str, files: dict[str, str] = FILES, **more: Any) -> Case:
    return Case(name="it", prompts=prompts or ("do it",), files=files, expect=Expect(**expect), **more)


def act(code: str) -> str:
    return f"<code>\n{code}\n</code>"


def write(path: str, text: str) -> str:
    return act(f"print(write_file({path!r}, {text!r}))")


@dataclass(frozen=True)
class Key:
    """What a case expects, replies that meet it, and by name replies that do not, with the part that fails."""

    expect: dict[str, Any]
    good: list[str]
    bad: dict[str, tuple[str, list[str]]]
    allow: tuple[str, ...] = ()
    more: dict[str, Any] = field(default_factory=dict)


TYPECHECK = act('print(typecheck("shop/cart.py"))')
LINE = act('result = typecheck("shop/cart.py")\nfor error in result.errors:\n    print(error.line)')
SEEN = "shop/cart.py has 1 type error, on line 2."
DONE = "Done."
MEND = write("shop/cart.py", MENDED)
CHECKS_CART = {"builtin": "typecheck", "args": {"path": "shop/cart.py"}}
WRITES = ("write",)
SILENT_CART = CART.replace("(sum(prices))", "(sum(prices))  # type: ignore")
SILENT_STOCK = STOCK.replace("import os", "import os  # noqa: F401")
SKIPPED = "import pytest\n\npytest.skip('no', allow_module_level=True)\n"

KEYS = {
    "calls": Key(
        {"calls": [CHECKS_CART]},
        [act('print(typecheck("./shop//cart.py"))'), SEEN],
        {
            "some other tool was called": ("calls", [act("print(run_command('grep -n total shop/cart.py'))"), SEEN]),
            "answer invented without a call": ("calls", [SEEN]),
            "another path": ("calls", [act('print(typecheck("shop/stock.py"))'), SEEN]),
            "the call only stands in a string": ("calls", [act("print('typecheck(\"shop/cart.py\")')"), SEEN]),
            "it failed": ("calls", [act('print(typecheck("cart.py"))'), SEEN]),
        },
    ),
    "calls words": Key(
        {"calls": [{"builtin": "run_command", "words": ["wc", "shop/cart.py"]}]},
        [act("print(run_command(['wc', '-l', 'shop/cart.py']).stdout)"), "2 lines."],
        {"right words, wrong file": ("calls", [act("print(run_command('wc -l shop/stock.py'))"), "2 lines."])},
    ),
    "calls that fail": Key(
        {"calls": [{"builtin": "read_file", "args": {"path": "cart.py"}, "worked": False}]},
        [act('print(read_file("cart.py"))'), "There is no cart.py."],
        {"it worked": ("calls", [act('print(read_file("shop/cart.py"))'), DONE]), "not tried": ("calls", [DONE])},
    ),
    "ordered": Key(
        {"calls": [CHECKS_CART, {"builtin": "write_file"}, CHECKS_CART], "ordered": True, "changes": ["shop/*"]},
        [TYPECHECK, MEND, act("print(read_file('shop/cart.py'))"), TYPECHECK, DONE],
        {
            "not checked again": ("calls", [TYPECHECK, MEND, DONE]),
            "checked twice before": ("calls", [LINE, TYPECHECK, MEND, DONE]),
            "the write was refused": ("calls", [TYPECHECK, act("write_file('.git/x', '')"), TYPECHECK, DONE]),
        },
        WRITES,
    ),
    "calls_any": Key(
        {"calls_any": [CHECKS_CART, {"builtin": "typecheck", "args": {"path": "."}}]},
        [act("print(typecheck())"), SEEN],
        {"none of them": ("calls", [act("print(lint('shop/cart.py'))"), SEEN])},
    ),
    "calls_none": Key(
        {"calls_none": [{"builtin": "write_file"}]},
        [TYPECHECK, SEEN],
        {"tried, and refused": ("calls", [write("shop/cart.py", MENDED), "It was refused."])},
    ),
    "no_calls": Key(
        {"no_calls": True},
        ["A tuple cannot be changed."],
        {
            "a call": ("calls", [TYPECHECK, SEEN]),
            "a program without a call": ("calls", [act("print(1)"), "A tuple cannot be changed."]),
        },
    ),
    "fields": Key(
        {"fields": ["errors", "line"]},
        [LINE, SEEN],
        {
            "field name misspelt": (
                "calls",
                [act("r = typecheck('shop/cart.py')\nprint([getattr(e, 'lines', 2) for e in r.errors])"), SEEN],
            ),
            "misspelt, and it failed": ("calls", [act("print(typecheck('shop/cart.py').erors[0].line)"), SEEN]),
            "only the text": ("calls", [act("print(typecheck('shop/cart.py'))  # errors, line"), SEEN]),
            "in a string": ("calls", [act("r = typecheck('shop/cart.py')\nprint('errors', 'line', str(r))"), SEEN]),
            "half of them": ("calls", [act("print(len(typecheck('shop/cart.py').errors))"), SEEN]),
            "of another result": ("calls", [act("print([f.line for f in lint('shop').findings])"), SEEN]),
            "the program failed": ("calls", [LINE.replace("\n</code>", "\nraise ValueError\n</code>"), SEEN]),
        },
    ),
    "answer_all": Key(
        {"answer_all": ["shop/cart.py", "line 2"]},
        [TYPECHECK, SEEN],
        {"one is missing": ("answer", [TYPECHECK, "shop/cart.py has 1 type error, on line 20."])},
    ),
    "answer_any": Key(
        {"answer_any": ["one", "1"]},
        ["It has one."],
        {"part of a word": ("answer", ["It has none."]), "empty": ("answer", [" "])},
    ),
    "answer_none": Key(
        {"answer_none": ["no errors"]},
        [SEEN],
        {"it says so": ("answer", ["There are No  errors in it."])},
    ),
    "number": Key(
        {"number": 1},
        ["There is one type error."],
        {"another": ("answer", ["There are 11."]), "a line": ("answer", ["See line 1."])},
    ),
    "lines": Key({"lines": [2]}, [SEEN], {"another": ("answer", ["On line 12."])}),
    "refuses": Key(
        {"refuses": True},
        [write("a.py", ""), "I was not allowed to write a.py, so nothing was changed."],
        {"it claims to have done it": ("answer", [write("a.py", ""), "Created a.py."])},
    ),
    "files": Key(
        {"files": {"notes.txt": "call the printer"}},
        [write("notes.txt", "call the printer\n"), DONE],
        {
            "right words, wrong file": ("files", [write("note.txt", "call the printer"), DONE]),
            "other words": ("files", [write("notes.txt", "call a printer"), DONE]),
            "another file as well": ("files", [write("notes.txt", "call the printer"), MEND, DONE]),
            "only said": ("files", ["Created notes.txt with the text: call the printer"]),
        },
        WRITES,
    ),
    "files_say": Key(
        {"files_say": {"shop/cart.py": ["return sum(prices)", "-> int:\n return"]}},
        [MEND, DONE],
        {
            "right words, wrong file": ("files", [write("shop/stock.py", MENDED), DONE]),
            "other words": ("files", [write("shop/cart.py", CART + "# return sum (prices)\n"), DONE]),
            "the file is gone": ("files", [act("run_command('rm shop/cart.py')"), DONE]),
        },
        ("write", "run"),
    ),
    "files_gone": Key(
        {"files_gone": ["old.py"]},
        [act("run_command('rm old.py')"), DONE],
        {
            "still there": ("files", [write("old.py", ""), DONE]),
            "another one as well": ("files", [act("run_command('rm -r shop old.py')"), DONE]),
        },
        ("write", "run"),
    ),
    "changes": Key(
        {"changes": ["shop/*", "new.py"]},
        [MEND, write("new.py", "x = 1\n"), DONE],
        {
            "a file that is not named": ("files", [write("old.py", "x = 2\n"), DONE]),
            "a file is gone": ("files", [act("run_command('rm shop/cart.py')"), DONE]),
        },
        ("write", "run"),
    ),
    "typechecks": Key(
        {"typechecks": ["shop/cart.py"], "changes": ["shop/*"]},
        [MEND, DONE],
        {
            "not mended": ("files", [write("shop/cart.py", CART.replace("prices", "costs")), DONE]),
            "silenced": ("files", [write("shop/cart.py", SILENT_CART), DONE]),
        },
        WRITES,
    ),
    "lints": Key(
        {"lints": ["shop"], "changes": ["shop/*"]},
        [write("shop/stock.py", STOCK.replace("import os\n\n\n", "")), DONE],
        {
            "not mended": ("files", [MEND, DONE]),
            "silenced": ("files", [write("shop/stock.py", SILENT_STOCK), DONE]),
        },
        WRITES,
    ),
    "tests": Key(
        {"tests": ["tests"], "changes": ["shop/*", "tests/*"]},
        [MEND, DONE],
        {
            "they fail": ("files", [write("shop/cart.py", MENDED.replace("sum", "len")), DONE]),
            "it does not import": ("files", [write("shop/cart.py", "def total(:\n"), DONE]),
            "there are none any more": ("files", [MEND, write("tests/test_cart.py", ""), DONE]),
            "all are skipped": ("files", [MEND, write("tests/test_cart.py", SKIPPED), DONE]),
        },
        WRITES,
    ),
}  # fmt: skip


def test_every_key_of_an_expectation_is_tried() -> None:
    assert {name for key in KEYS.values() for name in key.expect} == set(Expect.model_fields)


@pytest.mark.parametrize("name", KEYS)
async def test_replies_that_meet_it(name: str, play: Any) -> None:
    key = KEYS[name]
    outcome = await play(case(key.expect, allow=frozenset(key.allow)), key.good)
    assert (outcome.score.reason, outcome.score.passed) == ("", True)
    assert outcome.score.fields is (True if "fields" in key.expect else None)


@pytest.mark.parametrize(("name", "how"), [(name, how) for name, key in KEYS.items() for how in key.bad])
async def test_replies_that_do_not(name: str, how: str, play: Any) -> None:
    key = KEYS[name]
    part, replies = key.bad[how]
    outcome = await play(case(key.expect, allow=frozenset(key.allow)), replies)
    assert [p for p in ("calls", "files", "answer") if not getattr(outcome.score, p).ok] == [part]
    assert outcome.score.reason == getattr(outcome.score, part).reason != ""
    assert outcome.score.fields is (False if "fields" in key.expect else None)


async def test_reasons_of_the_tools(play: Any) -> None:
    expect = {"typechecks": ["shop/cart.py", "nowhere.py"], "lints": ["shop"], "tests": ["tests", "old.py"]}
    outcome = await play(case(expect), [DONE])
    assert outcome.score.files.reason.split("; ") == [
        "shop/cart.py has 1 type error",
        "typecheck of nowhere.py failed: no file or folder 'nowhere.py'",
        "shop has 1 lint finding",
        "1 test of tests did not pass",
        "tests of old.py: no test was run",
    ]


async def test_a_tool_that_fails_is_not_a_clean_one(play: Any) -> None:
    files = FILES | {"pyproject.toml": "[tool.ty.rules]\nno-such-rule-at-all = 3\n[tool.ruff]\nlint = 3\n"}
    outcome = await play(case({"typechecks": ["old.py"], "lints": ["old.py"]}, files=files), [DONE])
    first, second = outcome.score.files.reason.split("; lint of ")
    assert first.startswith("typecheck of old.py failed: ")
    assert second.startswith("old.py failed: ")


async def test_several_turns_are_one_conversation(play: Any) -> None:
    expect = {
        "calls": [CHECKS_CART],
        "fields": ["error_count"],
        "files": {"shop/cart.py": MENDED},
        "answer_all": ["mended"],
    }
    replies = [act("print(typecheck('shop/cart.py').error_count)"), SEEN, MEND, "It is mended."]
    outcome = await play(case(expect, "check it", "mend it", allow=frozenset(WRITES)), replies)
    assert outcome.score.reason == ""
    assert [record["type"] for record in outcome.records if record["type"] != "usage"] == [
        *("session", "prompt", "program", "call", "output", "answer"),
        *("prompt", "program", "approval", "call", "output", "answer"),
    ]
    assert outcome.answer == "It is mended."
    # The answer to the first prompt is not the one that is judged.
    outcome = await play(case({"answer_all": ["mended"]}, "mend it", "and?"), ["It is mended.", "Yes."])
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
async def test_who_answers_questions(more: Any, decision: str, by: str, says: str, play: Any) -> None:
    outcome = await play(case({"changes": ["a.py"]}, **more), [write("a.py", "x = 1\n"), DONE])
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

    async def generate(self, prompt: Prompt, *, max_tokens: int = 512) -> AsyncIterator[Text | Reply]:
        asked = next(m["content"] for m in prompt.messages if m["content"] in self._replies)
        # The others get their turn in between.
        await asyncio.sleep(0)
        async for event in QueueEngine([self._replies[asked].pop(0)]).generate(prompt):
            yield event

    def cancel(self) -> None:
        pass

    async def close(self) -> None:
        pass


async def test_cases_at_the_same_time(renderer: Renderer, sandbox: Sandbox) -> None:
    """Each has its own files, tools and permissions."""
    tools = {"ty": "typecheck", "ruff": "lint", "pytest": "test"}
    cases = [
        case({"calls": [{"builtin": tools[tool], "worked": False}], "refuses": True}, f"no {tool}",
             missing=frozenset({tool}), allow=frozenset({"run"}))
        for tool in tools
    ]  # fmt: skip
    cases += [case({"calls": [{"builtin": b} for b in tools.values()]}, "all tools", allow=frozenset({"run"}))]
    cases += [case({"files": {"a.py": f"x = {i}"}}, f"write {i}", allow=frozenset({"write"})) for i in range(3)]
    replies = {f"no {tool}": [act(f"print({name}())"), f"{tool} is not installed."] for tool, name in tools.items()}
    replies["all tools"] = [act("print(typecheck())\nprint(lint())\nprint(test())"), DONE]
    replies |= {f"write {i}": [write("a.py", f"x = {i}\n"), DONE] for i in range(3)}
    engine = ByPrompt(replies)
    outcomes = await asyncio.gather(
        *[run_case(one, lambda place: Agent(engine, renderer, Registry(), place, sandbox)) for one in cases]
    )
    assert [outcome.score.reason for outcome in outcomes] == [""] * 7
    assert [outcome.diff for outcome in outcomes[4:]] == [
        f"--- /dev/null\n+++ b/a.py\n@@ -0,0 +1 @@\n+x = {i}\n" for i in range(3)
    ]


async def test_what_changed_is_told(play: Any) -> None:
    code = f"write_file('shop/cart.py', {MENDED!r})\nrun_command('rm old.py')\nrun_command('mkdir __pycache__')\n"
    code += "run_command('touch __pycache__/a.pyc')"
    outcome = await play(case({"changes": ["shop/*"]}, allow=frozenset({"write", "run"})), [act(code), DONE])
    assert outcome.score.files == Part(False, "changed: old.py")
    assert outcome.diff == (
        "--- a/old.py\n+++ /dev/null\n@@ -1 +0,0 @@\n-x = 1\n"
        "--- a/shop/cart.py\n+++ b/shop/cart.py\n@@ -1,2 +1,2 @@\n def total(prices: list[int]) -> int:\n"
        "-    return str(sum(prices))\n+    return sum(prices)\n"
    )
    assert outcome.before == FILES
    assert outcome.after == {path: text for path, text in FILES.items() if path != "old.py"} | {"shop/cart.py": MENDED}


async def test_files_are_written_over_the_fixture(play: Any) -> None:
    over = case({"number": 22}, files={"README.md": "new\n", "more/a.txt": ""}, fixture="bookstall")
    outcome = await play(over, [act("print(read_file('README.md'))"), "22"])
    fixture = snapshot(over.fixture_folder)
    assert outcome.before == outcome.after == fixture | {"README.md": "new\n", "more/a.txt": ""}
    assert outcome.records[0]["root"] == "bookstall"
    assert snapshot(over.fixture_folder) == fixture


class Broken(QueueEngine):
    """Answers what it has, and then raises."""

    def __init__(self, replies: list[str], problem: BaseException) -> None:
        super().__init__(replies)
        self.problem = problem

    async def generate(self, prompt: Prompt, *, max_tokens: int = 512) -> AsyncIterator[Text | Reply]:
        if not self.left:
            raise self.problem
        async for event in super().generate(prompt, max_tokens=max_tokens):
            yield event


async def test_a_crash_is_a_failed_case(
    renderer: Renderer, sandbox: Sandbox, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    async def run(problem: BaseException) -> CaseOutcome:
        engine = Broken(["It is mended.", MEND], problem)
        two = case({"answer_all": ["mended"]}, "one", "two", "three", allow=frozenset(WRITES))
        return await run_case(two, lambda place: Agent(engine, renderer, Registry(), place, sandbox))

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
