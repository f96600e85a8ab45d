"""Conversations that get too long: old turns are compacted, the last one stays, and the prefix holds."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punie_cli.agent.compact import EARLIER, LINE_CHARS, OUTPUT_CHARS, Plan, compact, line_of, shown, turns_of
from punie_cli.agent.events import Compacted
from punie_cli.agent.messages import Message, answer, output, program, user
from tests.command_line import program as reply
from tests.talks import talk


def count(messages: Sequence[Message], tail: str | None) -> int:
    """A token for each word, and some for each message."""
    return len((tail or "").split()) + sum(len(f"{m.text} {m.error or ''}".split()) + 4 for m in messages)


_WORDS = st.lists(st.sampled_from(["a", "bb", "ccc", "\n", "<output/>"]), max_size=300).map(" ".join)
_STEP = st.builds(lambda code, text, error: [program(code), output(text, error)], _WORDS, _WORDS, st.none() | _WORDS)
_TURN = st.builds(
    lambda asked, steps, said: [user(asked), *(message for step in steps for message in step), answer(said)],
    _WORDS,
    st.lists(_STEP, max_size=2),
    _WORDS,
)
_TURNS = st.lists(_TURN, min_size=1, max_size=6)


def flat(turns: Sequence[Sequence[Message]]) -> list[Message]:
    return [message for turn in turns for message in turn]


@given(_TURNS, st.none() | _WORDS, st.integers(10, 1500))
def test_it_fits_with_the_last_turn_whole_and_all_in_order(turns, tail, room):
    messages = flat(turns)
    target = room // 2
    plan = compact(Plan(), messages, tail, count, target, room)
    said, told = shown(plan, messages, tail)
    last = turns[-1]
    assert said[-len(last) :] == last
    assert turns_of(said) == [
        [s if m.role == "output" else m for m, s in zip(turn, short, strict=True)]
        for turn, short in zip(turns[plan.told :], turns_of(said), strict=True)
    ]
    least, _ = shown(Plan(messages[0], len(turns) - 1, len(turns) - 1, len(turns) - 1), messages, tail)
    if count(least, tail) <= room:
        assert count(said, told) <= room
    if count(least, tail) <= target:
        assert count(said, told) <= (target + room) // 2
    if plan.forgotten:
        # There were more lines than there was room for.
        assert count(*shown(replace(plan, forgotten=0), messages, tail)) > (target + room) // 2
    # The tail comes first, whole; then lines in their order, each of a turn.
    lines = [line_of(turn) for turn in turns[plan.forgotten : plan.told]]
    assert (told or "") == "\n\n".join(filter(None, [tail, "\n".join([EARLIER, *lines]) if lines else ""]))
    assert compact(plan, messages, tail, count, target, room) == plan


@given(_TURNS, _TURNS, st.integers(50, 800))
def test_a_plan_only_grows_and_what_was_told_stays_told(turns, more, room):
    messages = flat(turns)
    first = compact(Plan(), messages, None, count, room // 2, room)
    messages += flat(more)
    second = compact(first, messages, None, count, room // 2, room)
    assert (second.shortened, second.told, second.forgotten) >= (first.shortened, first.told, first.forgotten)
    assert second.told >= first.told and second.shortened >= first.shortened
    before, after = shown(first, messages, None)[1], shown(second, messages, None)[1]
    if second.forgotten == first.forgotten:
        assert (after or "").startswith(before or "")


@given(_TURNS, st.integers(0, 400))
def test_what_fits_is_left_alone(turns, spare):
    messages = flat(turns)
    room = count(messages, None) + spare
    said, tail = shown(compact(Plan(), messages, None, count, room, room), messages, None)
    assert (said, tail) == (messages, None)


@given(_TURN)
def test_lines_and_short_outputs_have_a_length(turn):
    line = line_of(turn)
    assert "\n" not in line and len(line) <= 2 * LINE_CHARS + 10
    for message in shown(Plan(turn[0], 1), turn, None)[0]:
        if message.role == "output":
            assert len(message.text) <= OUTPUT_CHARS and len(message.error or "") <= OUTPUT_CHARS


def test_the_line_of_a_turn():
    turn = [user("check\nsrc"), program("x"), output("\n2 errors\nmore", "OSError: no"), answer("<output/>\nSo it is.")]
    assert line_of(turn) == "- check → 2 errors"
    assert line_of([user("hi"), answer("")]) == "- hi → (no answer)"
    assert line_of([user("a" * 100), answer("Yes.")]) == f"- {'a' * 89}… → Yes."


def test_a_long_output_keeps_its_ends():
    long = "\n".join(f"line {n}" for n in range(200))
    messages = [user("a"), program("p"), output(long), answer("b"), user("c")]
    short = shown(Plan(messages[0], 1), messages, None)[0][2].text
    lines = short.splitlines()
    assert (lines[0], lines[-1]) == ("line 0", "line 199")
    kept = [line for line in lines if line.startswith("line")]
    head, _, rest = short.partition("\n[... ")
    number, _, end = rest.partition(" characters left out ...]\n")
    assert len(head) + int(number) + len(end) == len(long)
    assert kept == [line for line in long.splitlines() if line in kept]


def test_another_conversation_is_read_whole():
    messages = [user("a"), answer("b"), user("c")]
    plan = Plan(messages[0], 1, 1)
    assert shown(plan, messages, None) == ([messages[2]], f"{EARLIER}\n- a → b")
    again = [user("a"), answer("b"), user("c")]
    assert shown(plan, again, "tail") == (again, "tail")
    assert shown(plan, [], None) == ([], None)


def _system(prompt) -> str:
    return prompt.messages[0]["content"]


async def test_a_talk_goes_on_when_the_context_is_full(tmp_path):
    replies = [reply("print('x' * 900)"), "Long.", "Short.", "Third."]
    async with talk(tmp_path, replies) as chat:
        agent = chat.chat.agent
        core = len(agent.renderer.core_tokens)
        agent.max_tokens = 100
        # One token is one character here.
        agent.context = core + 100 + 1500
        await chat.say("first question")
        await chat.say("second question")
        agent.context = core + 100 + 1200
        shown_text = await chat.say("third question")
        [record] = chat.records("compact")
        assert agent.messages[-1].text == "Third."
        prompts = chat.engines["fake"].prompts
        assert len(prompts[-1].tokens) == record["after"] <= core + 600
        last = [m["content"] for m in prompts[-1].messages[1:]]
        assert last[-1] == "third question" or last[-1].endswith("\n\nthird question")
        assert "conversation compacted from" in shown_text
        assert [m.text for m in agent.messages if m.role == "user"] == [
            "first question",
            "second question",
            "third question",
        ]
        # All of it is still kept.
        agent.context = None
        agent.plan = Plan()
        assert agent.shown(agent.messages) == (agent.messages, None)


async def test_a_turn_that_is_too_long_by_itself_is_an_error(tmp_path):
    async with talk(tmp_path, ["One."]) as chat:
        agent = chat.chat.agent
        agent.max_tokens, agent.context = 100, len(agent.renderer.core_tokens) + 400
        await chat.say("a")
        told = await chat.say("b" * 400)
        assert "Error: the conversation has" in told
        assert [m.text for m in agent.messages] == ["a", "One."]


async def test_by_hand(tmp_path):
    async with talk(tmp_path, ["One.", "Two.", "Three."]) as chat:
        agent = chat.chat.agent
        assert agent.make_short(agent.messages) is None
        for text in ("a" * 500, "b" * 500, "c"):
            await chat.say(text)
        done = agent.make_short(agent.messages)
        assert isinstance(done, Compacted)
        assert (done.shortened, done.told, done.forgotten) == (2, 2, 0)
        assert done.after < done.before
        with pytest.raises(AssertionError):
            await chat.say("the queue is empty")
        tail = chat.engines["fake"].prompts[-1].messages[1]["content"]
        assert tail == f"<context>\n{EARLIER}\n- {'a' * 89}… → One.\n- {'b' * 89}… → Two.\n</context>\n\nc"


def test_no_messages():
    assert compact(Plan(), [], None, count, 0, 0) == Plan()
