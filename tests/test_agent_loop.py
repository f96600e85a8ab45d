"""A turn from prompt to answer: queued replies, the real sandbox, the real ty, real files."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

import psutil
import pytest

from punie_cli.agent.events import Answered, Called, Delta, Event, Output, Program, record
from punie_cli.agent.execute import UNCHANGED, run_program, shorten
from punie_cli.agent.loop import Agent
from punie_cli.agent.messages import Message, answer, output, program, user
from punie_cli.agent.prompt import PromptCore, Renderer
from punie_cli.approvals import no_terminal
from punie_cli.builtins.registry import Registry
from punie_cli.engine.base import Finish, Prompt, Reply, Text
from punie_cli.errors import UsageError
from punie_cli.models.load import load_tokenizer
from punie_cli.sandbox.host import Sandbox
from punie_cli.workspace import Workspace
from tests.fake import QueueEngine
from tests.tiny import make_tiny_model


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return load_tokenizer(make_tiny_model(tmp_path_factory.mktemp("model")))


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(Registry().specs()) as opened:
        yield opened


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / "app").mkdir(parents=True)
    (folder / "app" / "a.py").write_text("def f() -> int:\n    return 'x'\n")
    return folder


def make_agent(
    replies: Sequence[str | tuple[str, Finish]], root: Path, sandbox: Sandbox, tokenizer: Any, **options: Any
) -> Agent:
    registry = Registry()
    renderer = Renderer(PromptCore.build(registry, "tags"), tokenizer)
    workspace = Workspace(root, options.pop("approver", None) or no_terminal())
    return Agent(QueueEngine(replies), renderer, registry, workspace, sandbox, **options)


async def play(agent: Agent, text: str = "go") -> list[dict[str, Any]]:
    """The records of a turn, without seconds and usage."""
    found = []
    async with aclosing(agent.turn(text)) as events:
        async for event in events:
            line = record(event)
            if line is not None and line["type"] != "usage":
                line.pop("seconds", None)
                found.append(line)
    return found


def code(text: str) -> str:
    return f"<code>\n{text}\n</code>"


async def test_check_and_answer(root: Path, sandbox: Sandbox, tokenizer: Any) -> None:
    agent = make_agent([code('print(typecheck("app").error_count)'), "One error."], root, sandbox, tokenizer)
    prompt, step, call, printed, end = await play(agent, "how many errors?")
    assert prompt == {"type": "prompt", "text": "how many errors?"}
    assert step == {"type": "program", "code": 'print(typecheck("app").error_count)'}
    assert (call["type"], call["builtin"], call["args"], call["ok"], call["error"]) == (
        "call", "typecheck", {"path": "app"}, True, None,
    )  # fmt: skip
    assert [(e["file"], e["line"]) for e in call["result"]["errors"]] == [("app/a.py", 2)]
    assert printed == {"type": "output", "text": "1\n", "error": None, "truncated": False}
    assert end == {"type": "answer", "text": "One error.", "finish": "stop"}
    assert agent.messages == [
        user("how many errors?"),
        program('print(typecheck("app").error_count)'),
        output("1\n"),
        answer("One error."),
    ]


async def test_an_answer_may_stand_for_the_output(root: Path, sandbox: Sandbox, tokenizer: Any) -> None:
    replies = [code("print(1)"), code("print(2)\nprint(3)"), "Printed:\n\n<output/>", "Nothing ran:\n<output/>"]
    agent = make_agent(replies, root, sandbox, tokenizer)
    assert (await play(agent))[-1] == {
        "type": "answer",
        "text": "Printed:\n\n2\n3",
        "finish": "stop",
        "written": "Printed:\n\n<output/>",
    }
    # The model goes on from what it wrote.
    assert agent.messages[-1] == answer("Printed:\n\n<output/>")
    assert (await play(agent, "again"))[-1]["text"] == "Nothing ran:"


async def test_an_answer_may_stand_for_an_error(root: Path, sandbox: Sandbox, tokenizer: Any) -> None:
    agent = make_agent([code("1 / 0"), "<output/>"], root, sandbox, tokenizer)
    assert (await play(agent))[-1]["text"] == "Error: ZeroDivisionError: division by zero (line 1)"


async def test_an_error_goes_back_to_the_model(root: Path, sandbox: Sandbox, tokenizer: Any) -> None:
    replies = [code('read_file("a.py")'), code("print(1)\n1 / 0"), "Done."]
    agent = make_agent(replies, root, sandbox, tokenizer)
    await play(agent)
    assert [m for m in agent.messages if m.role == "output"] == [
        output("", "FileNotFoundError: no file or folder 'a.py'; did you mean 'app/a.py'?"),
        output("1\n", "ZeroDivisionError: division by zero (line 2)"),
    ]


async def test_names_survive_the_steps_of_a_turn_only(root: Path, sandbox: Sandbox, tokenizer: Any) -> None:
    agent = make_agent([code("x = 7"), code("print(x)"), "7", code("print(x)"), "gone"], root, sandbox, tokenizer)
    await play(agent)
    await play(agent, "again")
    outputs = [m for m in agent.messages if m.role == "output"]
    assert outputs == [output(""), output("7\n"), output("", "NameError: name 'x' is not defined (line 1)")]


async def test_a_refused_write_ends_no_turn(root: Path, sandbox: Sandbox, tokenizer: Any) -> None:
    agent = make_agent([code('write_file("b.txt", "x\\n")'), "It was refused."], root, sandbox, tokenizer)
    kinds = [(r["type"], r.get("decision"), r.get("by")) for r in await play(agent)]
    assert kinds == [
        ("prompt", None, None),
        ("program", None, None),
        ("approval", "refused", "no-terminal"),
        ("call", None, None),
        ("output", None, None),
        ("answer", None, None),
    ]
    assert not (root / "b.txt").exists()


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("write_file('app/a.py', read_file('app/a.py').replace('zz', 'yy'))", f"{UNCHANGED.format(path='app/a.py')}\n"),
        ("print(1)\nwrite_file('./app/a.py', read_file('app/a.py'))", f"1\n{UNCHANGED.format(path='app/a.py')}\n"),
        ("print(write_file('app/a.py', read_file('app/a.py')))", "unchanged app/a.py (2 lines)\n"),
        ("write_file('app/a.py', 'x: int = 2\\n')\nwrite_file('c.py', '')", ""),
    ],
)
async def test_a_write_that_changes_nothing_is_told(root: Path, sandbox: Sandbox, source: str, text: str) -> None:
    workspace = Workspace(root, no_terminal(frozenset({"write"})))
    async with await sandbox.turn() as turn:
        done = await run_program(source, turn, Registry(), workspace)
    assert (done.text, done.error) == (text, None)


async def test_an_allowed_write_happens(root: Path, sandbox: Sandbox, tokenizer: Any) -> None:
    approver = no_terminal(frozenset({"write"}))
    agent = make_agent([code('write_file("b.txt", "x\\n")'), "Done."], root, sandbox, tokenizer, approver=approver)
    await play(agent)
    assert (root / "b.txt").read_text() == "x\n"


@pytest.mark.parametrize(
    "replies, options, end",
    [
        (
            [code("print(1)"), code("print(1)"), "never"],
            {},
            {"type": "answer", "text": "(stopped: the same program gave the same output twice)", "finish": "loop"},
        ),
        (
            [code("print(1)"), code("print(2)"), "never"],
            {"max_steps": 2},
            {"type": "answer", "text": "(stopped after 2 steps without an answer)", "finish": "steps"},
        ),
        (
            [("half an ans", "length")],
            {},
            {"type": "answer", "text": "half an ans", "finish": "length"},
        ),
        (
            [("<code>\nprint(1", "length")],
            {"max_tokens": 9},
            {"type": "answer", "text": "(a program longer than 9 tokens was not run)", "finish": "length"},
        ),
        (["<code>\nprint(1)", "ok"], {}, {"type": "answer", "text": "ok", "finish": "stop"}),
        (["  \n"], {}, {"type": "answer", "text": "", "finish": "stop"}),
    ],
)
async def test_how_turns_end(
    replies: list[str | tuple[str, Finish]], options: dict, end: dict, root: Path, sandbox: Sandbox, tokenizer: Any
) -> None:
    agent = make_agent(replies, root, sandbox, tokenizer, **options)
    assert (await play(agent))[-1] == end


async def test_the_pieces_are_the_reply(root: Path, sandbox: Sandbox, tokenizer: Any) -> None:
    agent = make_agent(["Hello there."], root, sandbox, tokenizer)
    events: list[Event] = [event async for event in agent.turn("hi")]
    assert "".join(e.text for e in events if isinstance(e, Delta)) == "Hello there."
    assert events[-1] == Answered("Hello there.", "stop")


@pytest.mark.parametrize("text", ["", "  \n"])
async def test_an_empty_prompt_is_refused(text: str, root: Path, sandbox: Sandbox, tokenizer: Any) -> None:
    agent = make_agent([], root, sandbox, tokenizer)
    with pytest.raises(UsageError, match="the prompt is empty"):
        await play(agent, text)


async def test_a_conversation_that_does_not_fit_is_refused(root: Path, sandbox: Sandbox, tokenizer: Any) -> None:
    agent = make_agent(["never"], root, sandbox, tokenizer, context=100)
    with pytest.raises(UsageError, match="more than the model's 100"):
        await play(agent)
    assert agent.messages == []


async def test_the_second_prompt_begins_with_the_first(root: Path, sandbox: Sandbox, tokenizer: Any) -> None:
    agent = make_agent([code("print(1)"), "One.", "Two."], root, sandbox, tokenizer, tail="Use tabs.")
    await play(agent)
    await play(agent, "and then?")
    assert isinstance(agent.engine, QueueEngine)
    first, second, third = (p.tokens for p in agent.engine.prompts)
    assert second[: len(first)] == first and third[: len(second)] == second
    assert agent.engine.prompts[0].builtins == Registry().names


async def test_the_engine_is_told_the_names_as_they_are_at_each_reply(
    root: Path, sandbox: Sandbox, tokenizer: Any
) -> None:
    approver = no_terminal(frozenset({"write"}))
    replies = [code('write_file("app/b.py", "")\nprint("seen.txt")'), "Done."]
    agent = make_agent(replies, root, sandbox, tokenizer, approver=approver, tail="AGENTS.md")
    await play(agent, "write app/b.py")
    assert isinstance(agent.engine, QueueEngine)
    first, second = (prompt.names for prompt in agent.engine.prompts)
    assert first is not None and second is not None
    assert (first.files, second.files) == ({"app/a.py"}, {"app/a.py", "app/b.py"})
    assert first.words == {"write", "app/b.py", "AGENTS.md"}
    assert second.words == {*first.words, "seen.txt"}


async def test_without_program_checks_there_are_no_names(root: Path, sandbox: Sandbox, tokenizer: Any) -> None:
    agent = make_agent(["One."], root, sandbox, tokenizer, check_programs=False)
    await play(agent)
    assert isinstance(agent.engine, QueueEngine)
    assert [prompt.names for prompt in agent.engine.prompts] == [None]


async def test_leaving_a_turn_stops_its_program(root: Path, sandbox: Sandbox, tokenizer: Any) -> None:
    agent = make_agent([code("while True:\n    pass"), "never"], root, sandbox, tokenizer)
    before = set(_workers())
    async with aclosing(agent.turn("go")) as events:
        async for event in events:
            if isinstance(event, Program):
                break
    assert len(set(_workers()) - before) <= 1  # the zygote
    assert agent.messages == []


async def test_nothing_of_a_turn_goes_on_when_it_was_left(root: Path, sandbox: Sandbox, tokenizer: Any) -> None:
    class Watched(QueueEngine):
        under_way = 0

        async def generate(self, prompt: Prompt, *, max_tokens: int = 512) -> AsyncGenerator[Text | Reply]:
            self.under_way += 1
            try:
                async for event in super().generate(prompt, max_tokens=max_tokens):
                    yield event
            finally:
                self.under_way -= 1

    program = code("read_file('app/a.py')\nrun_command('sleep 60')")
    approver = no_terminal(frozenset({"run"}))
    agent = make_agent([], root, sandbox, tokenizer, approver=approver)
    for kind in (Delta, Called):
        agent.engine = engine = Watched([program])
        before = asyncio.all_tasks()
        async with aclosing(agent.turn("go")) as events:
            async for event in events:
                if isinstance(event, kind):
                    break
        assert (engine.under_way, asyncio.all_tasks() - before) == (0, set())


async def test_cancelling_a_turn_stops_its_program(root: Path, sandbox: Sandbox, tokenizer: Any) -> None:
    agent = make_agent([code("while True:\n    typecheck('app')"), "never"], root, sandbox, tokenizer)
    called = asyncio.Event()
    before = set(_workers())

    async def run() -> None:
        async for event in agent.turn("go"):
            if isinstance(event, Called):
                called.set()

    task = asyncio.create_task(run())
    await called.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(set(_workers()) - before) <= 1  # the zygote


def _workers() -> list[psutil.Process]:
    return psutil.Process().children(recursive=True)


async def test_a_flood_is_told_and_the_turn_goes_on(root: Path, sandbox: Sandbox, tokenizer: Any) -> None:
    agent = make_agent([code("while True:\n    print('x' * 99)"), "Too much."], root, sandbox, tokenizer)
    events = [event async for event in agent.turn("go")]
    (printed,) = [e for e in events if isinstance(e, Output)]
    assert printed.error is not None and printed.error["kind"] == "LimitError" and printed.truncated
    assert events[-1] == Answered("Too much.", "stop")
    assert len(agent.messages[2].text) < 7000


@pytest.mark.parametrize(
    "text, limit, short",
    [
        ("abc", 3, "abc"),
        ("aa\nbb\ncc\ndd", 8, "aa\n[... 7 characters left out ...]\ndd"),
        ("a" * 10, 4, "aa\n[... 6 characters left out ...]\naa"),
    ],
)
def test_long_outputs_lose_their_middle(text: str, limit: int, short: str) -> None:
    assert shorten(text, limit) == short


def test_a_message_keeps_what_an_output_said() -> None:
    assert Message.model_validate_json(output("a", "E: b").model_dump_json()) == output("a", "E: b")
