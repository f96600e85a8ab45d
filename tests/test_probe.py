"""The executed probe: queued replies and a tiny live model play rows in the real sandbox, on real files."""

import asyncio
from collections.abc import Sequence
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlx.utils import tree_flatten
from mlx_lm.tuner.utils import linear_to_lora_layers

from punie_cli.agent.messages import answer, output, program, user
from punie_cli.agent.prompt import PromptCore, Renderer
from punie_cli.builtins.registry import Registry
from punie_cli.errors import InterruptedByUser
from punie_cli.evaluation.effects import Effects, effects, named, not_done, same_answer, same_calls
from punie_cli.evaluation.probe import Known, LeftOut, ProbeResult, probe, probe_score
from punie_cli.evaluation.score import Part
from punie_cli.models.load import load
from punie_cli.rows.generate import generate
from punie_cli.rows.row import Row, Setting
from tests.command_line import program as code
from tests.fake import QueueEngine
from tests.tiny import make_tiny_model

FAULTY = "def total(prices: list[int]) -> int:\n    return str(sum(prices))\n"
CORE = PromptCore.build(Registry(), "tags")


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    model, tokenizer, _ = load(make_tiny_model(tmp_path_factory.mktemp("model"), dtype="float32"))
    model.freeze()
    linear_to_lora_layers(model, 2, {"rank": 4, "scale": 2.0, "dropout": 0.5, "keys": ["self_attn.q_proj"]})
    return model, tokenizer


def row(*messages: Any, **setting: Any) -> Row:
    made = Setting(files={"shop/cart.py": FAULTY, "notes.txt": "one\ntwo\n"}, **setting)
    return Row(source="check", intent="count", project="p", messages=messages, setting=made)


CHECK = row(
    user("How many type errors are in shop?"),
    program('print(typecheck("shop").error_count)'),
    output("1\n"),
    answer("shop has 1 type error."),
)
WRITE = row(
    user("Put bread into notes.txt"),
    program('print(write_file("notes.txt", "bread\\n"))'),
    output("wrote notes.txt (1 line)\n"),
    answer("notes.txt now says bread."),
)
REFUSED = row(
    user("Put four into notes.txt"),
    program('print(write_file("notes.txt", "four\\n"))'),
    output("", "PermissionError: refused by the user"),
    answer("notes.txt was not changed: you refused it."),
    approval="refused",
)
DIRECT = Row(source="direct", intent="d", project="", messages=(user("What is ty?"), answer("A type checker.")))
TWO = row(
    user("Show notes.txt"),
    program('print(read_file("notes.txt"))'),
    output("one\ntwo\n\n"),
    answer("<output/>"),
    user("How many lines has it?"),
    answer("notes.txt has 2 lines."),
)


def play(rows: Sequence[Row], replies: Sequence[str], tokenizer: Any, **options: Any) -> ProbeResult:
    engine = QueueEngine(replies)
    result = asyncio.run(probe(engine, Renderer(CORE, tokenizer), rows, **options))
    assert engine.left == 0
    return result


@pytest.mark.parametrize(
    "played, replies",
    [
        (CHECK, [code('result = typecheck("./shop/")\nprint(len(result.errors))'), "One type error in shop."]),
        (WRITE, [code('write_file("notes.txt", "bread")'), "notes.txt has the word now, as you asked."]),
        (REFUSED, [code('write_file("notes.txt", "four")'), "You declined the change of notes.txt."]),
        (DIRECT, ["ty checks types, in no time."]),
        (TWO, [code('print(read_file("notes.txt"))'), "<output/>", "notes.txt has two lines."]),
    ],
    ids=["check", "write", "refused", "direct", "two turns"],
)
def test_other_programs_with_the_same_effects_pass(played: Row, replies: list[str], live: tuple[Any, Any]) -> None:
    result = play([played], replies, live[1])
    assert [verdict.reason for verdict in result.verdicts] == [""]
    assert (result.n, result.passed, result.share, result.left_out) == (1, 1, 1.0, ())


@pytest.mark.parametrize(
    "played, replies, reason",
    [
        (CHECK, ["shop has 1 type error."], "no call typecheck(shop) worked"),
        (
            CHECK,
            [code('print(typecheck("shop/cart.py").error_count)'), "shop has 1 type error."],
            "no call typecheck(shop) worked",
        ),
        (
            CHECK,
            [code('print(typecheck("shop").error_count, read_file("notes.txt"))'), "shop has 1 type error."],
            "also called read_file(notes.txt)",
        ),
        (
            CHECK,
            [code('print(typecheck("shop").error_count)'), "shop has no type errors."],
            "answered 'shop has no type errors.', not 'shop has 1 type error.'",
        ),
        (WRITE, [code('write_file("notes.txt", "3")'), "notes.txt is set."], "notes.txt has other content"),
        (
            REFUSED,
            [code('write_file("notes.txt", "four\\n")'), "notes.txt now says four."],
            "answered 'notes.txt now says four.', not 'notes.txt was not changed: you refused it.'",
        ),
        (
            DIRECT,
            [code("print(1)"), "A type checker."],
            "a program was run for a question that needs none",
        ),
        (DIRECT, [" "], "no answer"),
        (TWO, [code('print(read_file("notes.txt"))'), "<output/>", " "], "answered '', not 'notes.txt has 2 lines.'"),
    ],
)
def test_other_effects_fail(played: Row, replies: list[str], reason: str, live: tuple[Any, Any]) -> None:
    result = play([played], replies, live[1])
    assert [verdict.reason for verdict in result.verdicts] == [reason]
    assert (result.n, result.passed) == (1, 0)


def test_rows_that_cannot_be_played_are_left_out(live: tuple[Any, Any]) -> None:
    elsewhere = CHECK.model_copy(update={"setting": None})
    stale = CHECK.model_copy(update={"setting": Setting(files={"shop/cart.py": ""})})
    result = play([elsewhere, stale], [], live[1])
    assert result.left_out == (
        LeftOut(elsewhere.id, "it does not say in what its programs ran"),
        LeftOut(stale.id, "its programs print something else today"),
    )
    assert (result.n, result.share, result.interval) == (0, 0.0, (0.0, 1.0))


async def test_generated_rows_pass_with_their_own_replies_and_fail_with_another_answer(live: tuple[Any, Any]) -> None:
    renderer = Renderer(CORE, live[1])
    known: Known = {}
    for made in await generate({"check": 1, "write": 1, "failure": 1, "flow": 1}, 9, []):
        for end in (made.messages[-1], answer("Line 3 of other.py was not read.")):
            messages = [*made.messages[:-1], end]
            replies = [renderer.dialect.to_chat(message)["content"] for message in messages if message.from_model]
            result = await probe(QueueEngine(replies), renderer, [made], known=known)
            assert ((result.n, result.passed), end) == ((1, end is made.messages[-1]), end)


def test_own_effects_are_kept_for_the_next_checkpoint(live: tuple[Any, Any]) -> None:
    known: Known = {}
    replies = [code('print(typecheck("shop").error_count)'), "shop has 1 type error."]
    first = play([CHECK], replies, live[1], known=known)
    assert list(known) == [CHECK.id]
    second = play([CHECK], replies, live[1], known=known)
    assert [v.score for v in first.verdicts] == [v.score for v in second.verdicts]


def test_a_live_model_is_probed_and_left_as_it_was(live: tuple[Any, Any]) -> None:
    model, tokenizer = live
    model.train()
    parameters: Any = tree_flatten(model.parameters())
    before = {name: np.array(value) for name, value in parameters}
    mx.random.seed(3)
    random: Any = mx.random.state
    state = [np.array(part) for part in random]
    seen: list[str] = []
    result = probe_score(model, tokenizer, CORE, [CHECK, DIRECT], note=lambda verdict: seen.append(verdict.row))
    assert (seen, result.n) == ([CHECK.id, DIRECT.id], 2)
    assert {part["type"] for part in result.verdicts[1].records} >= {"prompt", "usage", "answer"}
    # Dropout was off: the same model gives the same replies, and afterwards it is on again.
    again = probe_score(model, tokenizer, CORE, [CHECK, DIRECT])
    texts = [
        [r["text"] for v in found.verdicts for r in v.records if r["type"] == "answer"] for found in (result, again)
    ]
    assert texts[0] == texts[1]
    assert model.training and model.layers[0].self_attn.q_proj.dropout.training
    after: Any = tree_flatten(model.parameters())
    assert [name for name, _ in after] == list(before)
    for name, value in after:
        np.testing.assert_array_equal(np.array(value), before[name], err_msg=name)
    for ours, theirs in zip(random, state, strict=True):
        np.testing.assert_array_equal(np.array(ours), theirs)


def test_a_probe_can_be_stopped(live: tuple[Any, Any]) -> None:
    with pytest.raises(InterruptedByUser, match="the probe was stopped after 1 of 2 rows"):
        seen: list[str] = []
        probe_score(
            *live, CORE, [DIRECT, DIRECT], note=lambda verdict: seen.append(verdict.row), stopped=lambda: bool(seen)
        )


@pytest.mark.parametrize(
    "text, facts",
    [
        ("No type errors in a/b.py.", {"0", "a/b.py"}),
        ("app/ has three errors, on lines 4 and 12.", {"app", "3", "4", "12"}),
        ("`total` and read_cart are in CartStore, see a.toml:7", {"total", "read_cart", "CartStore", "a.toml", "7"}),
        ('It is "blue one".', {"blue one"}),
        ("Don't worry, it isn't.", set()),
        ("Version 3.11 of e2e.", {"3.11"}),
    ],
)  # fmt: skip
def test_facts_of_an_answer(text: str, facts: set[str]) -> None:
    assert named(text) == facts


@pytest.mark.parametrize(
    "one, other, same",
    [
        ("Yes.", "yes", True),
        ("Yes.", "No.", False),
        ("Yes, a.py has 1 error.", "No, a.py has 1 error.", False),
        ("It has 1 error.", "There is one error.", True),
        ("It is fine.", "All is well.", False),
        ("a.py could not be checked.", "a.py is checked.", False),
        ("a.py was not found.", "There is no such file as a.py.", True),
    ],
)
def test_same_answer(one: str, other: str, same: bool) -> None:
    assert same_answer(one, other) is same


@pytest.mark.parametrize(
    "text, said",
    [
        ("Nothing was written.", True),
        ("It was not written.", True),
        ("2 tests failed.", False),
        ("a.py is read.", False),
    ],
)
def test_not_done(text: str, said: bool) -> None:
    assert not_done(text) is said


WORDS = st.lists(
    st.sampled_from(["a/b.py", "3", "three", "no errors", "`name`", "Yes,", "No,", "was not changed", "is"]), max_size=6
).map(" ".join)


@given(WORDS, WORDS)
def test_sameness_of_answers_has_no_direction(one: str, other: str) -> None:
    assert same_answer(one, one)
    assert same_answer(one, other) is same_answer(other, one)


CALLS = st.lists(st.tuples(st.sampled_from(["read_file", "typecheck"]), st.sampled_from(["a", "./a", "b"])), max_size=5)


@given(CALLS, st.randoms(use_true_random=False))
def test_the_order_of_calls_is_free(calls: list[tuple[str, str]], random: Any) -> None:
    def made(calls: list[tuple[str, str]]) -> Effects:
        records = [{"type": "call", "builtin": name, "args": {"path": path}, "ok": True} for name, path in calls]
        return effects(records, {}, {})

    own = made(calls)
    shuffled = random.sample(calls, len(calls))
    assert same_calls(made(shuffled), own) == Part(True)
    assert same_calls(made(shuffled + shuffled[:1]), own) == Part(True)
    other = same_calls(made([*shuffled, ("lint", "c")]), own)
    assert other.reason == ("also called lint(c)" if calls else "called lint(c); none is needed")
    if calls:
        assert not same_calls(made(shuffled[1:]), own).ok
