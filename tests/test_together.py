"""Replies that are written at the same time, step by step: the same as one by one, whatever fails or leaves."""

from pathlib import Path
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mlx_lm.models.cache import RotatingKVCache

from punie_cli.engine.base import Reply, Text
from punie_cli.engine.decoder import Decoder
from punie_cli.engine.together import Together
from punie_cli.engine.writing import Place
from punie_cli.errors import UsageError
from punie_cli.models.load import load, load_tokenizer
from tests.replies import alone, assert_same, begin, decoder, drawn, replies_of, run, words, write
from tests.tiny import make_tiny_model


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def tokenizer(tiny):
    return load_tokenizer(tiny)


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
    writings: list[tuple[Place, int]] = []
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


def test_a_reply_that_is_cancelled_before_its_first_token_leaves_a_cache_that_fits(tiny, tokenizer):
    together = Together(decoder(tiny), 2)
    tokens = words(tokenizer, 12)
    writing = begin(together, tokens)
    together.step()
    together.end(writing)
    longer = [*tokens, 7, 9]
    (reply,) = replies_of(together, [longer], 20)
    assert reply.usage.cached_tokens == 11
    assert_same(tiny, longer, alone(tiny, [longer], 20)[0], reply)


# Errors


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


# Temperature


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
