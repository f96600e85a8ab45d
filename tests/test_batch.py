"""Several prompts at once: the same replies as one by one, and nobody waits for another's end."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import mlx.core as mx
import pytest

from punie_cli.engine.base import Reply
from punie_cli.engine.batch import BatchEngine
from punie_cli.engine.decoder import Decoder
from punie_cli.models.load import load, load_tokenizer
from tests.replies import ask, run, words
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


async def test_six_prompts_at_once_are_answered_as_one_by_one(tiny, tokenizer, engine):
    prompts = [words(tokenizer, n) for n in LENGTHS]
    replies = await asyncio.gather(*(ask(engine, tokens, 30) for tokens in prompts))
    for tokens, expected, reply in zip(prompts, alone(tiny, prompts, 30), replies, strict=True):
        assert_same(tiny, tokens, expected, reply)
        assert reply.usage.prompt_tokens == len(tokens)
