"""One model with its KV cache: only what is new is read, and nothing else changes."""

import json
from pathlib import Path

import mlx.core as mx
import pytest
from mlx_lm.generate import generate_step

from punie_cli.engine.decoder import Decoder, end_tokens, merge_lora
from punie_cli.errors import UsageError
from punie_cli.models.load import load, load_tokenizer
from tests.replies import make_adapter, run, words
from tests.tiny import make_tiny_model


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def tokenizer(tiny):
    return load_tokenizer(tiny)


def new_decoder(path: Path, *, chunk: int = 16, context: int | None = None) -> Decoder:
    model, tokenizer, _ = load(path)
    return Decoder(model, tokenizer, chunk=chunk, context=context)


def logits(decoder: Decoder) -> mx.array:
    """Of the token after a probe, with what the cache holds; the cache is as before afterwards."""
    out = decoder.model(mx.array([[7]]), cache=decoder._cache)
    mx.eval(out)
    for layer in decoder._cache:
        layer.trim(1)
    return out


def after(times: int):
    """A `stopped` that becomes true at the given question."""
    asked = 0

    def stopped() -> bool:
        nonlocal asked
        asked += 1
        return asked >= times

    return stopped


def test_the_reply_is_the_greedy_one_of_mlx_lm(tiny, tokenizer):
    decoder = new_decoder(tiny)
    tokens = words(tokenizer, 50)
    expected = [int(t) for t, _ in generate_step(mx.array(tokens), decoder.model, max_tokens=20)]
    reply = run(decoder, tokens, 20)
    assert reply.tokens == expected
    assert reply.text == tokenizer.decode(expected).rstrip("\ufffd")
    assert reply.finish == "length"
    assert (reply.usage.prompt_tokens, reply.usage.cached_tokens, reply.usage.completion_tokens) == (
        50,
        0,
        20,
    )


@pytest.mark.parametrize("limit", [0, 1, 2])
def test_small_limits(tiny, tokenizer, limit):
    decoder = new_decoder(tiny)
    reply = run(decoder, words(tokenizer, 20), limit)
    assert (len(reply.tokens), reply.finish) == (limit, "length")
    assert decoder._cache[0].offset == len(decoder._held) == 20 + limit


def test_a_reply_ends_at_the_end_token_and_keeps_it(tiny, tokenizer):
    decoder = new_decoder(tiny)
    tokens = words(tokenizer, 30)
    free = run(decoder, tokens).tokens
    end = next(token for token in free if token != free[0])
    decoder.ends = frozenset([end])
    reply = run(decoder, tokens)
    assert reply.finish == "stop"
    assert reply.tokens == free[: free.index(end) + 1]
    assert reply.text == tokenizer.decode(reply.tokens[:-1]).rstrip("\ufffd")
    # The end token is in the cache, so that the next turn goes on behind it.
    assert decoder._held == tokens + reply.tokens
    assert run(decoder, tokens + reply.tokens + [5]).usage.cached_tokens == len(tokens + reply.tokens)


def test_the_turn_end_of_the_template_ends_a_reply(tokenizer):
    assert end_tokens(tokenizer) == {tokenizer.convert_tokens_to_ids("<|im_end|>")}
    assert tokenizer.eos_token_ids == {tokenizer.convert_tokens_to_ids("<|im_end|>")}


@pytest.mark.parametrize(
    ("change", "cached"),
    [
        pytest.param(lambda old: [*old, 5, 6, 7], lambda old: len(old), id="goes on"),
        pytest.param(lambda old: old, lambda old: len(old) - 1, id="the same"),
        pytest.param(lambda old: old[:20], lambda old: 19, id="shorter"),
        pytest.param(lambda old: [*old[:25], 9, 9, 9], lambda old: 25, id="differs inside"),
        pytest.param(lambda old: [9, *old], lambda old: 0, id="differs at once"),
    ],
)
def test_only_new_tokens_are_read_and_nothing_else_changes(tiny, tokenizer, change, cached):
    used, fresh = new_decoder(tiny), new_decoder(tiny)
    first = words(tokenizer, 40)
    held = first + run(used, first).tokens
    # No prompt of this test may by chance share a token with the reply where it should differ.
    tokens = change(held)
    assert held[25] != 9 and held[0] != 9
    a, b = run(used, tokens), run(fresh, tokens)
    assert (a.usage.cached_tokens, b.usage.cached_tokens) == (cached(held), 0)
    assert (a.text, a.tokens) == (b.text, b.tokens)
    assert used._held == fresh._held == tokens + a.tokens
    assert {layer.offset for layer in used._cache} == {len(used._held)}
    assert mx.allclose(logits(used), logits(fresh), atol=1e-4).item()


@pytest.mark.parametrize("question", [1, 2, 4])
def test_a_reply_can_be_cancelled_while_the_prompt_is_read(tiny, tokenizer, question):
    decoder, fresh = new_decoder(tiny), new_decoder(tiny)
    tokens = words(tokenizer, 100)
    reply = run(decoder, tokens, stopped=after(question))
    assert (reply.text, reply.tokens, reply.finish) == ("", [], "cancelled")
    # What was read before is not read again.
    read = 16 * (question - 1)
    assert {layer.offset for layer in decoder._cache} == {read}
    again, expected = run(decoder, tokens), run(fresh, tokens)
    assert again.usage.cached_tokens == read
    assert again.tokens == expected.tokens
    assert mx.allclose(logits(decoder), logits(fresh), atol=1e-4).item()


def test_a_reply_can_be_cancelled_while_it_is_written(tiny, tokenizer):
    decoder, fresh = new_decoder(tiny), new_decoder(tiny)
    tokens = words(tokenizer, 10)
    whole = run(fresh, tokens, 30)
    # Two questions while the prompt is read, one after each token.
    reply = run(decoder, tokens, 30, stopped=after(7))
    assert (reply.finish, reply.tokens) == ("cancelled", whole.tokens[:5])
    assert decoder._cache[0].offset == len(decoder._held) == 15
    rest = run(decoder, tokens + reply.tokens, 25)
    assert reply.tokens + rest.tokens == whole.tokens


def test_a_reader_that_leaves_early_leaves_a_usable_decoder(tiny, tokenizer):
    decoder = new_decoder(tiny)
    tokens = words(tokenizer, 30)
    whole = run(new_decoder(tiny), tokens)
    events = decoder.generate(tokens, 12, lambda: False)
    next(events)
    events.close()
    assert decoder._cache[0].offset == len(decoder._held)
    assert run(decoder, tokens).tokens == whole.tokens


def test_a_prompt_that_does_not_fit_is_refused(tiny, tokenizer):
    decoder = new_decoder(tiny, context=32)
    with pytest.raises(UsageError) as error:
        run(decoder, words(tokenizer, 32))
    assert error.value.message == "the conversation has 32 tokens; this model holds 32"
    with pytest.raises(UsageError):
        run(decoder, [])
    # The reply ends where the context does.
    assert len(run(decoder, words(tokenizer, 28), 100).tokens) == 4


def test_a_failed_step_drops_the_cache(tiny, tokenizer):
    decoder = new_decoder(tiny)
    tokens = words(tokenizer, 30)
    whole = run(decoder, tokens)
    good, decoder.model.model.norm.weight = decoder.model.model.norm.weight, mx.zeros((3,))
    with pytest.raises(ValueError):
        run(decoder, [*tokens, 5])
    assert decoder._held == []
    decoder.model.model.norm.weight = good
    assert run(decoder, tokens).tokens == whole.tokens


def test_a_cache_that_cannot_be_trimmed_is_read_again(tiny, tokenizer, tmp_path):
    path = make_tiny_model(tmp_path / "sliding")
    config = json.loads((path / "config.json").read_text())
    config |= {"layer_types": ["sliding_attention", "full_attention"], "sliding_window": 16}
    (path / "config.json").write_text(json.dumps(config))
    used, fresh = new_decoder(path), new_decoder(path)
    tokens = words(tokenizer, 60)
    used.keep_prefixes(tmp_path / "prefix", path, None)
    used.use_core(tokens[:30])
    held = tokens + run(used, tokens).tokens
    used.store_core()
    assert not (tmp_path / "prefix").exists()
    assert run(used, [*held, 5]).usage.cached_tokens == len(held)
    other = [*tokens[:40], 9, 9]
    a, b = run(used, other), run(fresh, other)
    assert a.usage.cached_tokens == 0
    assert a.tokens == b.tokens


def test_merged_lora_weights_give_the_same_logits(tiny, tokenizer, tmp_path):
    model, _, _ = load(tiny, make_adapter(tiny, tmp_path / "ours"))
    tokens = mx.array([words(tokenizer, 30)])
    apart = model(tokens)
    mx.eval(apart)
    merge_lora(model)
    assert not any(hasattr(module, "fuse") for module in model.modules())
    assert mx.allclose(apart, model(tokens), atol=1e-4).item()
