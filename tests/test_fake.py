"""The engine that other tests talk to."""

import pytest

from punie_cli.engine.base import Reply, Text, Usage
from tests.fake import QueueEngine
from tests.replies import prompt


async def test_the_queue_engine_streams_its_replies():
    engine = QueueEngine(["print(1)", ("too lo", "length")], name="f", adapter="a")
    one = [event async for event in engine.generate(prompt([1]))]
    two = [event async for event in engine.generate(prompt([2]))]
    assert one == [
        *map(Text, ["pr", "in", "t(", "1)"]),
        Reply("print(1)", list(b"print(1)"), "stop", Usage()),
    ]
    assert two[-1] == Reply("too lo", list(b"too lo"), "length", Usage())
    assert ([p.tokens for p in engine.prompts], engine.left) == ([[1], [2]], 0)
    with pytest.raises(AssertionError):
        await anext(engine.generate(prompt([3])))


async def test_the_queue_engine_can_be_cancelled():
    engine = QueueEngine(["abcdef"])
    events = []
    async for event in engine.generate(prompt([1])):
        events.append(event)
        engine.cancel()
    assert events == [Text("ab"), Reply("ab", list(b"ab"), "cancelled", Usage())]
    await engine.close()
    assert engine.closed
