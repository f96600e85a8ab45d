"""Records → the conversation that the model knew, whatever happened: stops, failures, kills, rewinds, forks."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from punie_cli import sessions
from punie_cli.agent.compact import Plan
from punie_cli.agent.events import (
    Answered,
    Called,
    Compacted,
    Event,
    Failed,
    Output,
    Program,
    Prompted,
    Resumed,
    Rewound,
    Started,
    Switched,
    Tailed,
    Used,
)
from punie_cli.agent.execute import as_message
from punie_cli.agent.messages import Message, answer, program, user
from punie_cli.chat.memory import take_up
from punie_cli.engine.base import Usage
from punie_cli.holding import Hold
from punie_cli.recall import CUT_OFF, Recalled, recall
from punie_cli.session import Recorder
from punie_cli.store import Store
from tests.command_line import program as reply
from tests.talks import talk

STARTED = Started("model", "adapter", "abc", "/project")
ERROR = {"kind": "KeyError", "message": "'a'", "line": 2}

_TEXT = st.text(max_size=12)
_STEP = st.tuples(_TEXT, _TEXT, st.sampled_from([None, ERROR]))
_END = st.sampled_from(["answer", "written", "cancelled", "failed"])
_TURN = st.tuples(st.just("turn"), _TEXT, st.lists(_STEP, max_size=2), _END)
# Killed so many events before its end.
_KILL = st.tuples(st.just("kill"), _TURN, st.integers(1, 8))
_OPERATION = st.one_of(
    _TURN,
    _TURN,
    _KILL,
    st.tuples(st.just("rewind"), st.integers(1, 3)),
    st.just(("fork",)),
    st.just(("resume",)),
    st.just(("other",)),
)


def events(asked: str, steps: Iterable[tuple], end: str) -> list[Event]:
    found: list[Event] = [Prompted(asked)]
    for code, text, error in steps:
        call = Called("typecheck", {}, True, {}, None, 0.1)
        found += [Used(Usage()), Program(code), call, Output(text, error, False)]
    endings: dict[str, list[Event]] = {
        "answer": [Used(Usage()), Answered("said", "stop")],
        "written": [Used(Usage()), Answered("the output", "length", "<output/>")],
        "cancelled": [Answered("", "cancelled")],
        "failed": [Failed(1, "no", None)],
    }
    return found + endings[end]


@dataclass
class Model:
    """What should come of it: the turns of the conversation, each as its messages."""

    turns: list[list[Message]] = field(default_factory=list)

    def add(self, done: list[Event]) -> None:
        messages: list[Message] = []
        for at, event in enumerate(done):
            if isinstance(event, Output):
                code = next(each.code for each in reversed(done[:at]) if isinstance(each, Program))
                messages += [program(code), as_message(event)]
            elif isinstance(event, Failed) or (isinstance(event, Answered) and event.finish == "cancelled"):
                return
            elif isinstance(event, Answered):
                messages.append(answer(event.written or event.text))
        first = done[0]
        assert isinstance(first, Prompted)
        if not isinstance(done[-1], Answered) and messages:
            messages.append(answer(CUT_OFF))
        if messages:
            self.turns.append([user(first.text), *messages])


def again(session: str) -> Recorder:
    """Another process that goes on with a session."""
    recorder, found = Recorder("chat", Store()), now(session)
    hold = Hold(session)
    assert hold.take()
    recorder.go_on(hold, found, [Resumed("/project", "0")])
    return recorder


def now(session: str) -> Recalled:
    return recall(sessions.records(session))


@settings(max_examples=50)
@given(st.lists(_OPERATION, max_size=8))
def test_any_history_comes_back(operations) -> None:
    model, recorder = Model(), Recorder("chat", Store(warn=pytest.fail))
    recorder.note(STARTED)
    others: dict[str, list[Message]] = {}
    for operation in operations:
        match operation:
            case ("turn", *turn):
                done = events(*turn)
                for event in done:
                    recorder.note(event)
                model.add(done)
            case ("kill", (_, *turn), count):
                done = events(*turn)
                done = done[: max(1, len(done) - count)]
                for event in done:
                    recorder.note(event)
                model.add(done)
                recorder.close()
                recorder = again(recorder.session)
            case ("rewind", count) if model.turns:
                count = min(count, len(model.turns))
                to = recorder.talk[-count - 1] if count < len(recorder.talk) else 0
                recorder.note(Rewound(count, to))
                del model.turns[-count:]
            case ("fork",):
                others[recorder.session] = [message for turn in model.turns for message in turn]
                hold = Hold(sessions.fork(recorder.session, recorder.talk[-1] if recorder.talk else 0))
                assert hold.take()
                recorder.branch(hold)
            case ("resume",):
                recorder.close()
                recorder = again(recorder.session)
            case ("other",):
                recorder.note(Switched("other", None, "abd"))
        found = now(recorder.session)
        assert found.messages == [message for turn in model.turns for message in turn]
        assert [turn.number for turn in found.talk] == recorder.talk
        assert len(recorder.talk) == len(model.turns)
        assert (found.turn, recorder.session in others) == (recorder.turns, False)
    recorder.close()
    for session, messages in others.items():
        assert now(session).messages == messages


def kept(*found: tuple[int, dict]) -> list[sessions.Kept]:
    return [sessions.Kept(n, turn, fields) for n, (turn, fields) in enumerate(found)]


def test_what_is_not_known_is_left_out() -> None:
    found = recall(
        kept(
            (0, {"type": "session", "model": "m", "root": "/r", "later": 1}),
            (1, {"type": "prompt", "text": "a"}),
            (1, {"type": "dream", "text": "b"}),
            (1, {"type": "program", "code": 3}),
            (1, {"type": "output", "text": "no program"}),
            (1, {"type": "program", "code": "p"}),
            (1, {"type": "damaged"}),
            (1, {"type": "output", "text": "x", "error": {"kind": "NewKind"}}),
            (1, {"type": "answer", "text": "c", "finish": "later"}),
            (1, {"type": "verdict", "turn": 1, "verdict": "good"}),
            (0, {"type": "rewind"}),
            (0, {}),
        )[:-1]
    )
    assert [message.text for message in found.messages] == ["a", "p", "x", "c"]
    assert found.messages[2].error == "NewKind: "
    assert (found.model, found.root, found.next, found.last) == ("m", "/r", 11, 1)


def test_the_plan_of_a_compacted_conversation_and_its_end_by_a_rewind() -> None:
    recorder = Recorder("chat", Store())
    recorder.note(STARTED)
    for number in range(3):
        for event in events(f"{number}", [], "answer"):
            recorder.note(event)
    recorder.note(Compacted(100, 50, 2, 1, 0))
    found = now(recorder.session)
    plan = found.plan(messages := found.messages)
    assert (plan.of is messages[0], plan.shortened, plan.told, plan.forgotten) == (True, 2, 1, 0)
    recorder.note(Rewound(1, 2))
    recorder.close()
    found = now(recorder.session)
    assert found.plan(found.messages) == Plan()


def test_what_stands_before_the_conversation() -> None:
    recorder = Recorder("chat", Store())
    for event in (STARTED, Prompted("a"), Tailed("be brief\n\nnotes", "be brief"), Answered("b", "stop")):
        recorder.note(event)
    found = now(recorder.session)
    assert (found.tail, found.system) == ("be brief\n\nnotes", "be brief")
    for event in (Prompted("c"), Tailed("notes")):
        recorder.note(event)
    recorder.close()
    found = now(recorder.session)
    assert (found.tail, found.system) == ("notes", "")
    assert found.cut_off is not None and found.cut_off.prompt == "c"


async def test_the_next_prompt_begins_with_the_last_one(tmp_path: Path) -> None:
    (tmp_path / "AGENTS.md").write_text("Use tabs.")
    replies = [reply("print('x' * 5000)"), "<output/>", "Two.", reply("print(1 / 0)"), "Three."]
    async with talk(tmp_path, replies) as first:
        await first.say("/system Be brief.")
        for text in ("one\ud800", "two", "/compact", "three"):
            await first.say(text)
        session, last = first.chat.recorder.session, first.engines["fake"].prompts[-1]
        messages = first.chat.agent.messages
    async with talk(tmp_path, ["Four."]) as second:
        take_up(second.chat, session)
        assert second.chat.agent.messages == messages
        assert await second.say("four") == "Four.\n"
        (prompt,) = second.engines["fake"].prompts
    # As it was compacted, with AGENTS.md and /system before it.
    assert prompt.messages[1]["content"] == "<context>\nBe brief.\n\nUse tabs.\n</context>\n\none\ud800"
    assert "characters left out" in prompt.messages[3]["content"]
    assert prompt.tokens is not None and last.tokens is not None
    assert prompt.tokens[: len(last.tokens)] == last.tokens
    assert prompt.messages[len(last.messages)]["content"] == "Three."
