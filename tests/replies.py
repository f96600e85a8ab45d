"""Asking decoders, batches and engines for whole replies, and prompts of a given length."""

import json
from pathlib import Path
from typing import Any

import mlx.core as mx
from mlx.utils import tree_flatten
from mlx_lm.tuner.utils import linear_to_lora_layers

from punie_cli.engine.base import Engine, Prompt, Reply, Text
from punie_cli.engine.decoder import Decoder
from punie_cli.engine.together import Together
from punie_cli.engine.writing import Place
from punie_cli.models.load import load

WORDS = "def total(prices): return sum(prices) for path in paths: print(path) "


def prompt(tokens: list[int]) -> Prompt:
    return Prompt([{"role": "user", "content": "?"}], (), tokens)


def words(tokenizer, count: int, text: str = WORDS) -> list[int]:
    tokens = tokenizer.encode(text * (count // 10 + 1), add_special_tokens=False)[:count]
    assert len(tokens) == count
    return tokens


async def ask(engine: Engine, tokens: list[int], max_tokens: int = 12) -> Reply:
    *pieces, reply = [event async for event in engine.generate(prompt(tokens), max_tokens=max_tokens)]
    assert isinstance(reply, Reply)
    assert "".join(piece.text for piece in pieces if isinstance(piece, Text)) == reply.text
    return reply


def run(decoder: Decoder, tokens: list[int], max_tokens: int = 12, stopped=lambda: False, tags=None) -> Reply:
    *pieces, reply = decoder.generate(tokens, max_tokens, stopped, tags)
    assert isinstance(reply, Reply)
    assert "".join(piece.text for piece in pieces if isinstance(piece, Text)) == reply.text
    return reply


def make_adapter(model_path: Path, folder: Path) -> Path:
    """Random LoRA weights on the last layer."""
    folder.mkdir()
    model, _, _ = load(model_path)
    options = {"rank": 4, "scale": 2.0, "dropout": 0.0, "keys": ["self_attn.q_proj", "mlp.down_proj"]}
    model.freeze()
    linear_to_lora_layers(model, 1, options)
    mx.random.seed(3)
    trained = dict(tree_flatten(model.trainable_parameters()))
    weights = {name: mx.random.normal(array.shape) for name, array in trained.items()}
    assert len(weights) == 4
    mx.save_safetensors(str(folder / "adapters.safetensors"), weights)
    config = {"fine_tune_type": "lora", "num_layers": 1, "lora_parameters": options}
    (folder / "adapter_config.json").write_text(json.dumps(config))
    return folder


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


def begin(together: Together, tokens: list[int], max_tokens: int = 12, **options: Any) -> Place:
    return together.begin(tokens, max_tokens, lambda: False, **options)


def replies_of(together: Together, prompts: list[list[int]], max_tokens: int = 12, **options: Any) -> list[Reply]:
    writings = [begin(together, tokens, max_tokens, **options) for tokens in prompts]
    ended = write(together)
    found = [ended[id(writing)] for writing in writings]
    assert all(isinstance(reply, Reply) for reply in found), found
    return [reply for reply in found if isinstance(reply, Reply)]


def drawn(path: Path, prompts: list[list[int]], engine_seed: int | None, **options: Any) -> list[list[int]]:
    together = Together(decoder(path), 4, temperature=1.0, seed=engine_seed)
    return [reply.tokens for reply in replies_of(together, prompts, 20, **options)]
