"""Asking decoders and engines for whole replies, and prompts of a given length."""

import json
from pathlib import Path

import mlx.core as mx
from mlx.utils import tree_flatten
from mlx_lm.tuner.utils import linear_to_lora_layers

from punie_cli.engine.base import Engine, Prompt, Reply, Text
from punie_cli.engine.decoder import Decoder
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
