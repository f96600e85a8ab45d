"""Another adapter on a model that is loaded: the same bits as a model loaded anew."""

import json
from pathlib import Path

import mlx.core as mx
import pytest
from mlx.utils import tree_flatten

from punie_cli.engine.mlx import MLXEngine
from punie_cli.errors import MissingError, PunieError
from tests.replies import ask, words
from tests.tiny import make_tiny_model
from tests.tiny_adapter import make_adapter, make_tiny_moe


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def adapters(tiny, tmp_path_factory) -> dict[str | None, Path | None]:
    folder = tmp_path_factory.mktemp("adapters")
    return {
        None: None,
        "one": make_adapter(folder / "one", tiny, seed=1),
        "other": make_adapter(folder / "other", tiny, seed=2, layers=2, keys=("self_attn.v_proj", "mlp.up_proj")),
        "dora": make_adapter(folder / "dora", tiny, seed=3, method="dora"),
        "full": _full(folder / "full", tiny),
    }


def _full(folder: Path, model: Path) -> Path:
    """Weights of the base, as full training leaves them."""
    folder.mkdir()
    arrays: dict[str, mx.array] = mx.load(str(model / "model.safetensors"))  # ty: ignore[invalid-assignment]
    name = "model.layers.1.mlp.up_proj.weight"
    mx.save_safetensors(str(folder / "adapters.safetensors"), {name: arrays[name].astype(mx.float32) * 1.5})
    config = {"fine_tune_type": "full", "num_layers": 1, "lora_parameters": {}}
    (folder / "adapter_config.json").write_text(json.dumps(config))
    return folder


def weights(engine: MLXEngine) -> dict[str, bytes]:
    """Each weight as it runs; to be asked while the engine does nothing."""
    assert engine._decoder is not None
    leaves = tree_flatten(engine._decoder.model.parameters())
    return {name: bytes(memoryview(mx.contiguous(array).view(mx.uint8))) for name, array in leaves}  # ty: ignore


_Fresh = tuple[dict[str, bytes], list[int], str]
_loaded: dict[tuple[Path, Path | None], _Fresh] = {}


async def fresh(model: Path, adapter: Path | None, tokens: list[int]) -> _Fresh:
    """Weights and reply of an engine that was loaded so, once for all tests."""
    if (model, adapter) not in _loaded:
        engine = MLXEngine(model, adapter, prefix_cache=False)
        reply = await ask(engine, tokens)
        _loaded[model, adapter] = weights(engine), reply.tokens, reply.text
        await engine.close()
    return _loaded[model, adapter]


@pytest.mark.parametrize("way", [(None, "one"), ("one", "other", None), ("one", "full", "dora", None)])
async def test_a_swap_has_the_bits_of_a_fresh_load(tiny, adapters, way):
    engine = MLXEngine(tiny, adapters[way[0]])
    await engine.open()
    tokens = words(engine.tokenizer, 40)
    await ask(engine, tokens)
    for name in way[1:]:
        await engine.swap(adapters[name])
        reply = await ask(engine, tokens)
        expected, produced, text = await fresh(tiny, adapters[name], tokens)
        assert (engine.adapter, reply.usage.cached_tokens, reply.tokens, reply.text) == (name, 0, produced, text)
        assert weights(engine) == expected
    await engine.close()


async def test_layers_that_are_not_merged(tiny, adapters, monkeypatch):
    monkeypatch.setattr("punie_cli.engine.decoder._on_cpu", lambda: False)
    _loaded.clear()
    await test_a_swap_has_the_bits_of_a_fresh_load(tiny, adapters, ("one", "dora", None))
    _loaded.clear()


async def test_a_quantized_base_and_experts(tmp_path):
    from mlx_lm.utils import load_model, quantize_model

    moe = make_tiny_moe(tmp_path / "moe")
    model, config = load_model(moe)
    model, config = quantize_model(model, config, 64, 4)
    leaves = dict(tree_flatten(model.parameters()))
    mx.save_safetensors(str(moe / "model.safetensors"), leaves, {"format": "mlx"})
    (moe / "config.json").write_text(json.dumps(config))
    keys = ("self_attn.q_proj", "mlp.switch_mlp.down_proj")
    adapters = {None: None, "experts": make_adapter(tmp_path / "experts", moe, keys=keys)}
    await test_a_swap_has_the_bits_of_a_fresh_load(moe, adapters, ("experts", None))


async def test_only_what_differs_is_read_again(tiny, adapters):
    engine = MLXEngine(tiny, adapters["one"])
    await engine.open()
    assert engine._decoder is not None
    before = dict(tree_flatten(engine._decoder.model.parameters()))
    await engine.swap(adapters["other"])
    after = dict(tree_flatten(engine._decoder.model.parameters()))
    layers = {
        "1.self_attn.q_proj",
        "1.mlp.down_proj",
        *(f"{n}.{k}" for n in "01" for k in ("self_attn.v_proj", "mlp.up_proj")),
    }
    assert {name for name in after if after[name] is not before[name]} == {
        f"model.layers.{layer}.weight" for layer in layers
    }
    await engine.close()


async def test_the_same_adapter_keeps_the_cache(tiny, adapters):
    engine = MLXEngine(tiny, adapters["one"])
    await engine.open()
    tokens = words(engine.tokenizer, 40)
    engine.use_core(tokens[:20])
    await ask(engine, tokens)
    await engine.swap(adapters["one"])
    assert (await ask(engine, tokens)).usage.cached_tokens == 39
    await engine.swap(None)
    assert (await ask(engine, tokens)).usage.cached_tokens == 0
    # The core of each is kept on disk.
    await engine.swap(adapters["one"])
    assert (await ask(engine, tokens)).usage.cached_tokens == 20
    await engine.close()


async def test_an_adapter_that_does_not_fit_changes_nothing(tiny, adapters, tmp_path):
    wide = make_tiny_model(tmp_path / "wide", hidden=128)
    engine = MLXEngine(tiny, adapters["one"])
    await engine.open()
    tokens = words(engine.tokenizer, 40)
    first = await ask(engine, tokens)
    with pytest.raises(MissingError, match="does not fit model tiny"):
        await engine.swap(make_adapter(tmp_path / "a", wide))
    with pytest.raises(MissingError, match="has no adapter_config"):
        await engine.swap(tmp_path / "none")
    again = await ask(engine, tokens)
    assert (engine.adapter, again.text, again.usage.cached_tokens) == ("one", first.text, 39)
    await engine.close()


async def test_a_base_that_has_changed_is_not_mixed_with_what_was_loaded(tiny, adapters, tmp_path):
    base = make_tiny_model(tmp_path / "base")
    engine = MLXEngine(base)
    await engine.open()
    make_tiny_model(base, seed=1)
    with pytest.raises(PunieError, match="have changed since it was loaded"):
        await engine.swap(adapters["one"])
    assert engine.adapter is None
    await engine.close()
