"""An engine that answers several prompts at once: the replies of MLXEngine, and nobody waits for another's end."""

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from punie_cli import paths
from punie_cli.engine.base import Reply, Text
from punie_cli.engine.batch import BatchEngine
from punie_cli.engine.decoder import Decoder
from punie_cli.engine.mlx import MLXEngine
from punie_cli.errors import MissingError, PunieError, UsageError
from punie_cli.models.load import load, load_tokenizer
from tests.replies import alone, ask, assert_same, drawn, make_adapter, prompt, run, words
from tests.tiny import make_tiny_model

LENGTHS = (3, 41, 20, 1, 90, 17)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def tokenizer(tiny):
    return load_tokenizer(tiny)


@pytest.fixture
async def engine(tiny) -> AsyncIterator[BatchEngine]:
    engine = BatchEngine(tiny, chunk=16, size=4)
    await engine.open()
    yield engine
    await engine.close()


async def test_six_prompts_at_once_are_answered_as_one_by_one(tiny, tokenizer, engine):
    prompts = [words(tokenizer, n) for n in LENGTHS]
    replies = await asyncio.gather(*(ask(engine, tokens, 30) for tokens in prompts))
    for tokens, expected, reply in zip(prompts, alone(tiny, prompts, 30), replies, strict=True):
        assert_same(tiny, tokens, expected, reply)
        assert reply.usage.prompt_tokens == len(tokens)
        assert reply.usage.completion_tokens == len(reply.tokens)
    assert replies[0].usage.first_token_s > 0 and replies[0].usage.tokens_per_s > 0 and replies[0].usage.peak_gb > 0


async def test_an_adapter_is_used_and_its_layers_are_merged(tiny, tokenizer, tmp_path):
    adapter = make_adapter(tiny, tmp_path / "ours")
    prompts = [words(tokenizer, n) for n in (20, 33)]
    model, _, _ = load(tiny, adapter)
    engine = BatchEngine(tiny, adapter, size=2)
    await engine.open()
    replies = await asyncio.gather(*(ask(engine, tokens, 20) for tokens in prompts))
    await engine.close()
    lone = Decoder(model, tokenizer)
    expected = [run(lone, tokens, 20) for tokens in prompts]
    assert [reply.tokens for reply in replies] == [reply.tokens for reply in expected]
    assert engine.adapter == "ours"


async def test_the_core_is_read_once_and_kept_on_disk(tiny, tokenizer):
    tokens = words(tokenizer, 60)
    prompts = [tokens[:50], [*tokens[:40], 7, 8], [*tokens[:45], 9]]
    for stored in (0, 1):
        engine = BatchEngine(tiny, size=3)
        engine.use_core(tokens[:40])
        assert len(list((paths.cache_dir() / "prefix").glob("*"))) == stored
        replies = await asyncio.gather(*(ask(engine, each) for each in prompts))
        assert [reply.usage.cached_tokens for reply in replies] == [40, 40, 40]
        await engine.close()
        assert [reply.tokens for reply in replies] == [reply.tokens for reply in alone(tiny, prompts, 12)]


async def test_a_prompt_that_does_not_fit_is_refused_alone(engine):
    good = [words(engine.tokenizer, n) for n in (20, 30)]
    bad = [[], [5] * 2048, [2**70]]
    results = await asyncio.gather(*(ask(engine, tokens) for tokens in [*good, *bad]), return_exceptions=True)
    assert [type(result) for result in results] == [Reply, Reply, UsageError, UsageError, PunieError]
    assert str(results[3]) == "the conversation has 2048 tokens; this model holds 2048"


async def test_a_model_that_is_missing(tmp_path):
    engine = BatchEngine(tmp_path / "absent")
    for _ in range(2):
        with pytest.raises(MissingError):
            await engine.open()
    await engine.close()


# Entering and leaving


async def test_a_prompt_enters_and_leaves_while_another_is_answered(engine):
    long = engine.generate(prompt(words(engine.tokenizer, 20)), max_tokens=1500)
    first = await anext(long)
    others = [await ask(engine, words(engine.tokenizer, n), 5) for n in (30, 10)]
    assert [reply.usage.completion_tokens for reply in others] == [5, 5]
    engine.cancel()
    *_, reply = [first, *[event async for event in long]]
    assert isinstance(reply, Reply)
    # Read no further meanwhile, it could not have come to its end.
    assert (reply.finish, reply.usage.completion_tokens < 1500) == ("cancelled", True)


async def test_more_prompts_than_places_wait_for_one(engine):
    tokens = words(engine.tokenizer, 40)
    replies = await asyncio.gather(*(ask(engine, tokens[: 10 + n], 4) for n in range(12)))
    assert [reply.usage.prompt_tokens for reply in replies] == list(range(10, 22))


async def test_all_places_may_be_asked_for_before_the_model_is_there(tiny):
    engine = BatchEngine(tiny, size=80)
    replies = await asyncio.gather(*(ask(engine, [5, 6, 7], 1) for _ in range(80)))
    assert {reply.usage.completion_tokens for reply in replies} == {1}
    await engine.close()


async def test_a_reader_that_stops_holds_nobody_up_and_loses_nothing(tiny):
    engine = BatchEngine(tiny, size=1)
    await engine.open()
    slow = engine.generate(prompt(words(engine.tokenizer, 20)), max_tokens=400)
    first = await anext(slow)
    # In the one place that there is.
    await ask(engine, [5, 6, 7], 20)
    *rest, reply = [event async for event in slow]
    assert isinstance(reply, Reply) and reply.usage.completion_tokens == 400
    assert "".join(event.text for event in [first, *rest] if isinstance(event, Text)) == reply.text
    await engine.close()


async def test_cancel_from_another_thread_ends_all(engine):
    readers = [engine.generate(prompt(words(engine.tokenizer, n)), max_tokens=2000) for n in (20, 30, 8)]
    for reader in readers:
        await anext(reader)
    thread = threading.Thread(target=engine.cancel)
    thread.start()
    thread.join()
    ends = [[event async for event in reader][-1] for reader in readers]
    assert [end.finish for end in ends if isinstance(end, Reply)] == ["cancelled"] * 3
    assert (await ask(engine, words(engine.tokenizer, 20), 3)).finish == "length"


async def test_an_iterator_that_is_closed_ends_its_work_alone(engine):
    tokens = words(engine.tokenizer, 20)
    left, stays = (engine.generate(prompt(tokens[:n]), max_tokens=300) for n in (20, 15))
    await anext(left)
    await anext(stays)
    await left.aclose()
    *_, reply = [event async for event in stays]
    assert isinstance(reply, Reply) and reply.usage.completion_tokens == 300
    assert len(engine._waiting) == 0


async def test_a_cancelled_task_ends_the_work(engine):
    begun = asyncio.Event()

    async def read():
        async for _ in engine.generate(prompt(words(engine.tokenizer, 20)), max_tokens=2000):
            begun.set()

    task = asyncio.create_task(read())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    while len(engine._waiting):
        await ask(engine, [5], 1)


async def test_close_ends_what_is_under_way_and_refuses_what_waits(tiny):
    engine = BatchEngine(tiny, size=2)
    await engine.open()
    readers = [engine.generate(prompt(words(engine.tokenizer, n)), max_tokens=2000) for n in (20, 30)]
    for reader in readers:
        await anext(reader)
    waiting = asyncio.create_task(ask(engine, [5, 6], 1))
    await asyncio.sleep(0)
    closing = asyncio.create_task(engine.close())
    ends = [[event async for event in reader][-1] for reader in readers]
    assert [end.finish for end in ends if isinstance(end, Reply)] == ["cancelled"] * 2
    with pytest.raises(PunieError) as error:
        await waiting
    assert error.value.message == "the engine of tiny is closed"
    await closing
    await engine.close()
    assert engine._thread is not None and not engine._thread.is_alive()


@pytest.mark.parametrize("kind", [MLXEngine, BatchEngine])
async def test_close_does_not_wait_for_a_reader_that_stands_still(tiny, kind):
    engine = kind(tiny)
    await engine.open()
    events = engine.generate(prompt(words(engine.tokenizer, 20)), max_tokens=2000)
    first = await anext(events)
    (request,) = engine._waiting
    while len(request.mailbox._events) < 256:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    await engine.close()
    *rest, reply = [event async for event in events]
    assert isinstance(reply, Reply) and reply.finish == "cancelled"
    assert "".join(event.text for event in [first, *rest] if isinstance(event, Text)) == reply.text


def test_one_engine_serves_one_event_loop_after_another(tiny):
    engine = BatchEngine(tiny, size=2)
    asyncio.run(engine.open())
    tokens = words(engine.tokenizer, 30)
    replies = [asyncio.run(ask(engine, tokens)) for _ in range(3)]
    assert [reply.usage.cached_tokens for reply in replies] == [0, 29, 29]
    assert len({reply.text for reply in replies}) == 1
    asyncio.run(engine.close())


async def test_warm_reads_the_core_before_the_first_prompt(engine):
    tokens = words(engine.tokenizer, 60)
    engine.use_core(tokens[:40])
    await engine.warm()
    assert (await ask(engine, tokens)).usage.cached_tokens == 40


async def test_a_seed_of_the_engine_or_of_a_prompt(tiny, tokenizer):
    engine = BatchEngine(tiny, temperature=1.0, seed=1)

    async def tokens_of(**options: Any) -> list[int]:
        *_, reply = [event async for event in engine.generate(prompt(words(tokenizer, 20)), max_tokens=20, **options)]
        assert isinstance(reply, Reply)
        return reply.tokens

    assert await tokens_of() == drawn(tiny, [words(tokenizer, 20)], 1)[0]
    assert await tokens_of(seed=7) == drawn(tiny, [words(tokenizer, 20)], None, seed=7)[0]
    await engine.close()
