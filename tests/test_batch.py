"""Several prompts at once: the same replies as one by one, and nobody waits for another's end."""

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mlx_lm.models.cache import RotatingKVCache

from punie_cli import paths
from punie_cli.engine.base import Reply, Text
from punie_cli.engine.batch import BatchEngine
from punie_cli.engine.decoder import Decoder
from punie_cli.engine.together import Together
from punie_cli.engine.writing import Writing
from punie_cli.errors import MissingError, PunieError, UsageError
from punie_cli.models.load import load, load_tokenizer
from tests.replies import ask, make_adapter, prompt, run, words
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


def alone(path: Path, prompts: list[list[int]], max_tokens: int) -> list[Reply]:
    """What a decoder writes for each prompt, with nothing in its cache."""
    model, tokenizer, _ = load(path)
    decoder = Decoder(model, tokenizer, chunk=16, context=2048)
    replies = []
    for tokens in prompts:
        decoder.forget()
        replies.append(run(decoder, tokens, max_tokens))
    return replies


def assert_same(path: Path, prompt: list[int], one: Reply, other: Reply) -> None:
    """Equal tokens, or a near-tie where they part: the gap between the two best logits is below 1e-3."""
    if one.tokens == other.tokens:
        assert (one.text, one.finish) == (other.text, other.finish)
        return
    at = next(i for i, (a, b) in enumerate(zip(one.tokens, other.tokens, strict=False)) if a != b)
    model, _, _ = load(path)
    best = mx.sort(model(mx.array([prompt + one.tokens[:at]]))[0, -1])[-2:]
    assert float(best[1] - best[0]) < 1e-3


def decoder(path: Path, wrap: Any = lambda model: model, **options: Any) -> Decoder:
    model, tokenizer, _ = load(path)
    return Decoder(wrap(model), tokenizer, chunk=16, **options)


def write(together: Together, steps: int = 10_000) -> dict[int, Reply | Exception]:
    """Step until all has ended; how each reply ended, by its identity."""
    ended: dict[int, Reply | Exception] = {}
    while len(together) and steps:
        steps -= 1
        for writing, event in together.step():
            if not isinstance(event, Text):
                ended[id(writing)] = event
    return ended


def begin(together: Together, tokens: list[int], max_tokens: int = 12, **options: Any) -> Writing:
    return together.begin(tokens, max_tokens, lambda: False, **options)


def replies_of(together: Together, prompts: list[list[int]], max_tokens: int = 12, **options: Any) -> list[Reply]:
    writings = [begin(together, tokens, max_tokens, **options) for tokens in prompts]
    ended = write(together)
    found = [ended[id(writing)] for writing in writings]
    assert all(isinstance(reply, Reply) for reply in found), found
    return [reply for reply in found if isinstance(reply, Reply)]


# The same replies


async def test_six_prompts_at_once_are_answered_as_one_by_one(tiny, tokenizer, engine):
    prompts = [words(tokenizer, n) for n in LENGTHS]
    replies = await asyncio.gather(*(ask(engine, tokens, 30) for tokens in prompts))
    for tokens, expected, reply in zip(prompts, alone(tiny, prompts, 30), replies, strict=True):
        assert_same(tiny, tokens, expected, reply)
        assert reply.usage.prompt_tokens == len(tokens)
        assert reply.usage.completion_tokens == len(reply.tokens)
    assert replies[0].usage.first_token_s > 0 and replies[0].usage.tokens_per_s > 0 and replies[0].usage.peak_gb > 0


class Schedules:
    """Prompts whose replies are known, and a batch over the same weights."""

    def __init__(self, path: Path) -> None:
        model, tokenizer, _ = load(path)
        self.path = path
        text = words(tokenizer, 60)
        self.prompts = [text[:n] for n in (1, 2, 7, 30, 55)] + [text[5:40]]
        self.known = alone(path, self.prompts, 20)
        self.together = Together(Decoder(model, tokenizer, chunk=16, context=2048), 3)


@pytest.fixture(scope="module")
def schedules(tiny) -> Schedules:
    return Schedules(tiny)


_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("begin"), st.integers(0, 5), st.integers(0, 20)),
        st.tuples(st.just("step"), st.integers(1, 8), st.just(0)),
        st.tuples(st.just("end"), st.integers(0, 9), st.just(0)),
    ),
    max_size=12,
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=_STEPS)
def test_replies_do_not_depend_on_what_is_written_beside_them(schedules, steps):
    together = schedules.together
    writings: list[tuple[Writing, int]] = []
    texts: dict[int, str] = {}
    ended: dict[int, Reply] = {}

    def note(events) -> None:
        for writing, event in events:
            assert id(writing) not in ended
            if isinstance(event, Text):
                texts[id(writing)] = texts.get(id(writing), "") + event.text
            else:
                ended[id(writing)] = event

    for kind, first, second in steps:
        if kind == "begin":
            writings.append((begin(together, schedules.prompts[first], second), first))
        elif kind == "step":
            for _ in range(first):
                note(together.step())
        elif writings and id(writing := writings[first % len(writings)][0]) not in ended:
            note(together.end(writing))
            assert ended[id(writing)].finish == "cancelled"
    while len(together):
        note(together.step())
    for writing, number in writings:
        reply, known = ended[id(writing)], schedules.known[number]
        assert texts.get(id(writing), "") == reply.text
        assert len(reply.tokens) <= writing.limit
        assert reply.finish == "cancelled" or len(reply.tokens) == min(writing.limit, len(known.tokens))
        cut = Reply(reply.text, known.tokens[: len(reply.tokens)], reply.finish)
        assert_same(schedules.path, schedules.prompts[number], cut, reply)


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


def test_caches_that_cannot_be_cut_are_laid_side_by_side_too(tiny, tokenizer):
    def sliding(model):
        model.make_cache = lambda: [RotatingKVCache(max_size=24) for _ in model.layers]
        return model

    lone, together = decoder(tiny, sliding), Together(decoder(tiny, sliding), 3)
    prompts = [words(tokenizer, n) for n in (5, 40, 26)]
    expected = []
    for tokens in prompts:
        lone.forget()
        expected.append(run(lone, tokens, 20).tokens)
    found = replies_of(together, prompts, 20)
    assert [reply.tokens for reply in found] == expected
    # The whole of it is still of use.
    (more,) = replies_of(together, [[*prompts[1], *found[1].tokens, 7]])
    assert more.usage.cached_tokens == 60


def test_a_cache_of_another_kind_is_refused(tiny):
    def odd(model):
        model.make_cache = lambda: [object() for _ in model.layers]
        return model

    with pytest.raises(UsageError) as error:
        Together(decoder(tiny, odd), 2)
    assert error.value.message == "the KV caches of this model cannot be laid side by side"


# What is read once


def test_the_next_step_of_a_conversation_reads_only_what_is_new(tiny, tokenizer):
    together = Together(decoder(tiny, context=2048), 3)
    prompts = [words(tokenizer, n) for n in (40, 20, 33)]
    first = replies_of(together, prompts)
    held = [tokens + reply.tokens for tokens, reply in zip(prompts, first, strict=True)]
    second = replies_of(together, [[*tokens, 5, 6] for tokens in held])
    assert [reply.usage.cached_tokens for reply in second] == [len(tokens) for tokens in held]
    for tokens, expected, reply in zip(held, alone(tiny, [[*t, 5, 6] for t in held], 12), second, strict=True):
        assert_same(tiny, [*tokens, 5, 6], expected, reply)


def test_a_cancelled_reply_and_a_prompt_read_in_part_are_of_use_later(tiny, tokenizer):
    together = Together(decoder(tiny), 3)
    tokens = words(tokenizer, 40)
    half = begin(together, tokens)
    together.step()
    together.end(half)
    whole = begin(together, tokens, 500)
    assert whole.cached == 16
    for _ in range(8):
        together.step()
    ((_, reply),) = [event for event in together.end(whole) if isinstance(event[1], Reply)]
    assert isinstance(reply, Reply) and reply.finish == "cancelled" and reply.tokens
    (more,) = replies_of(together, [[*tokens, *reply.tokens, 7]])
    assert more.usage.cached_tokens == 40 + len(reply.tokens)


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


# Errors


async def test_a_prompt_that_does_not_fit_is_refused_alone(engine):
    good = [words(engine.tokenizer, n) for n in (20, 30)]
    bad = [[], [5] * 2048, [2**70]]
    results = await asyncio.gather(*(ask(engine, tokens) for tokens in [*good, *bad]), return_exceptions=True)
    assert [type(result) for result in results] == [Reply, Reply, UsageError, UsageError, PunieError]
    assert str(results[3]) == "the conversation has 2048 tokens; this model holds 2048"


class Fails(nn.Module):
    """A model that fails at some inputs."""

    def __init__(self, model: Any, fails: Any) -> None:
        super().__init__()
        self.model, self.layers, self._fails = model, model.layers, fails

    def __call__(self, tokens: mx.array, cache: Any = None) -> mx.array:
        if self._fails(tokens):
            raise RuntimeError("unable to allocate")
        return self.model(tokens, cache=cache)


def test_a_prompt_that_cannot_be_read_fails_alone(tiny, tokenizer):
    together = Together(decoder(tiny, lambda model: Fails(model, lambda tokens: 399 in tokens.tolist()[0])), 3)
    good, bad = words(tokenizer, 30), [5] * 20 + [399] + [5] * 20
    writings = [begin(together, tokens) for tokens in (good, bad, good[:20])]
    ended = write(together)
    assert [type(ended[id(writing)]) for writing in writings] == [Reply, RuntimeError, Reply]


@pytest.mark.parametrize("most", [2, 1])
def test_after_a_step_that_failed_fewer_are_written_at_once(tiny, tokenizer, most):
    together = Together(decoder(tiny, lambda model: Fails(model, lambda tokens: tokens.shape[0] > most)), 5)
    prompts = [words(tokenizer, n) for n in (20, 33, 4, 18, 9)]
    replies = replies_of(together, prompts, 8)
    assert [reply.tokens for reply in replies] == [reply.tokens for reply in alone(tiny, prompts, 8)]
    assert together.size == most


def test_a_reply_that_fails_alone_ends_and_the_next_goes_on(tiny, tokenizer):
    failures = iter([True])

    def fails(tokens: mx.array) -> bool:
        return tokens.shape[1] == 1 and next(failures, False)

    together = Together(decoder(tiny, lambda model: Fails(model, fails)), 1)
    first, second = (begin(together, words(tokenizer, 20)) for _ in range(2))
    ended = write(together)
    assert isinstance(ended[id(first)], RuntimeError)
    assert isinstance(ended[id(second)], Reply)


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


async def test_a_reader_that_stops_holds_nobody_up_and_loses_nothing(tiny, engine):
    tokens = words(engine.tokenizer, 20)
    slow = engine.generate(prompt(tokens), max_tokens=400)
    first = await anext(slow)
    while len(engine._waiting):
        await ask(engine, [5, 6, 7], 20)
    rest = [event async for event in slow]
    reply = rest.pop()
    assert isinstance(reply, Reply) and reply.usage.completion_tokens == 400
    assert "".join(event.text for event in [first, *rest] if isinstance(event, Text)) == reply.text


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


# Temperature


def drawn(path: Path, prompts: list[list[int]], engine_seed: int | None, **options: Any) -> list[list[int]]:
    together = Together(decoder(path), 4, temperature=1.0, seed=engine_seed)
    return [reply.tokens for reply in replies_of(together, prompts, 20, **options)]


def test_what_is_drawn_depends_on_the_seed_and_not_on_what_is_beside_it(tiny, tokenizer):
    a, b = words(tokenizer, 20), words(tokenizer, 31)
    lone = drawn(tiny, [a], 1)
    assert drawn(tiny, [b, a], 1)[1:] == lone != drawn(tiny, [a], 2)
    # The same prompt again is answered anew, and not from the start of the same numbers.
    twice = drawn(tiny, [a, a], 1)
    assert twice[0] == lone[0] != twice[1]
    # A seed of its own is for one reply.
    assert drawn(tiny, [a, b, a], 1, seed=7)[::2] == drawn(tiny, [a], 3, seed=7) * 2
    assert drawn(tiny, [a, b], 1, temperature=0.0) == [reply.tokens for reply in alone(tiny, [a, b], 20)]


async def test_a_seed_of_the_engine_or_of_a_prompt(tiny, tokenizer):
    engine = BatchEngine(tiny, temperature=1.0, seed=1)

    async def tokens_of(**options: Any) -> list[int]:
        *_, reply = [event async for event in engine.generate(prompt(words(tokenizer, 20)), max_tokens=20, **options)]
        assert isinstance(reply, Reply)
        return reply.tokens

    assert await tokens_of() == drawn(tiny, [words(tokenizer, 20)], 1)[0]
    assert await tokens_of(seed=7) == drawn(tiny, [words(tokenizer, 20)], None, seed=7)[0]
    await engine.close()


# Lines of a program


class Scripted(nn.Module):
    """A real model whose reply to any prompt of a length is a script: what it would like best at each place of it."""

    def __init__(self, model: Any, prompt: int, script: list[list[int]]) -> None:
        super().__init__()
        self.model, self.layers, self._prompt, self._script = model, model.layers, prompt, script

    def __call__(self, tokens: mx.array, cache: Any = None) -> mx.array:
        offsets = cache[0].offset
        offsets = offsets.tolist() if isinstance(offsets, mx.array) else [offsets]
        logits = self.model(tokens, cache=cache)
        for row, offset in enumerate(offsets):
            place = offset + tokens.shape[1] - self._prompt
            for rank, token in enumerate(self._script[place] if 0 <= place < len(self._script) else []):
                logits[row, -1, token] = 1000.0 - rank
        return logits


def test_lines_are_taken_back_in_one_reply_while_others_go_on(tiny, tokenizer):
    script = "<code>\nprint(1))\n</code>"
    one = {c: tokenizer.encode(c, add_special_tokens=False)[0] for c in script}
    wishes = [[one[c]] for c in script] + [[tokenizer.eos_token_id]]
    wishes[script.index("))") + 1].append(one["\n"])
    together = Together(decoder(tiny, lambda model: Scripted(model, 20, wishes)), 3)
    text = words(tokenizer, 40)
    tags = ("<code>", "</code>")
    writings = [begin(together, text[n : n + 20], 60, tags=tags if n else None) for n in range(3)]
    shown: dict[int, str] = {id(writing): "" for writing in writings}
    ended: dict[int, Reply] = {}
    while len(together):
        for writing, event in together.step():
            if isinstance(event, Text):
                shown[id(writing)] += event.text
            else:
                assert isinstance(event, Reply)
                ended[id(writing)] = event
    replies = [ended[id(writing)] for writing in writings]
    mended = "<code>\nprint(1)\n\n</code>"
    assert [reply.text for reply in replies] == [script, mended, mended] == [shown[id(w)] for w in writings]
    assert [reply.finish for reply in replies] == ["stop"] * 3
    assert [reply.usage.dropped_tokens for reply in replies] == [0, 2, 2]
    assert replies[1].tokens == [*(one[c] for c in mended), tokenizer.eos_token_id]
    # The cache that is left is that of what stays.
    held = writings[1].whole
    cache, length = together._nearest([*held, 7])
    lone = decoder(tiny)
    run(lone, held, 0)
    assert length == len(held)
    for kept, read in zip(cache, lone._cache, strict=True):
        assert mx.allclose(kept.keys[..., : length - 1, :], read.keys[..., : length - 1, :], atol=1e-4)
