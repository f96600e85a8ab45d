"""Quantizing tiny random models: the bits of mlx_lm's own, mixed widths, sizes, refusals, what is carried over."""

import gc
import json
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from mlx.utils import tree_flatten
from mlx_lm.convert import mixed_quant_predicate_builder
from mlx_lm.utils import load_model, quantize_model

from punie_cli.agent.open import Choice, choose
from punie_cli.errors import UsageError
from punie_cli.models.files import check_complete, read_config, read_record, weight_hash
from punie_cli.models.load import load
from punie_cli.models.stream import Format, open_lazily
from punie_cli.settings import Settings
from punie_cli.training.fuse import fuse
from punie_cli.training.quantize import BITS, formats, quantize
from punie_cli.training.versions import versions
from tests.command_line import punie
from tests.test_fuse import logits, same_bits, stock_logits, tensors
from tests.tiny import make_tiny_model
from tests.tiny_adapter import in_store, make_adapter, make_tiny_moe


def stock(folder: Path, bits: int, group_size: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Tensors and quantization settings of mlx_lm's own quantizer."""
    model, config = load_model(folder)
    model, config = quantize_model(model, config, group_size, bits)
    leaves: Any = tree_flatten(model.parameters())
    return dict(leaves), config["quantization"]


@pytest.mark.parametrize(
    "bits, group_size, dtype", [*((bits, 64, "float16") for bits in BITS), (4, 32, "float32"), (8, 128, "float16")]
)
def test_the_bits_are_those_of_mlx_lm(bits: int, group_size: int, dtype: str, tmp_path: Path) -> None:
    base = make_tiny_model(tmp_path / "base", hidden=128, dtype=dtype)
    made = quantize(str(base), bits=bits, group_size=group_size, out=str(tmp_path / "made"))
    expected, settings = stock(base, bits, group_size)
    found = tensors(made.folder)
    assert sorted(found) == sorted(expected)
    assert [name for name in found if not same_bits(found[name], expected[name])] == []
    assert read_config(made.folder) == read_config(base) | {"quantization": settings, "quantization_config": settings}
    size = sum(array.nbytes for array in expected.values())
    assert (made.size, made.parameters) == (size, check_complete(base).parameters)
    assert made.bits == round(size * 8 / made.parameters, 3)
    assert (made.changed, made.layers) == (15, 15)


def test_stock_mlx_lm_and_punie_load_the_same_model(tmp_path: Path) -> None:
    base = make_tiny_model(tmp_path / "base", dtype="float32")
    folder = quantize(str(base), bits=5, group_size=32, mixed=True, out=str(tmp_path / "made")).folder
    np.testing.assert_allclose(stock_logits(folder), logits(folder), atol=1e-4)
    assert np.abs(logits(folder) - logits(base)).max() > 1e-3


def test_experts_and_their_router(tmp_path: Path) -> None:
    base = make_tiny_moe(tmp_path / "moe")
    folder = quantize(str(base), bits=4, out=str(tmp_path / "made")).folder
    expected, _ = stock(base, 4, 64)
    found = tensors(folder)
    assert [name for name in found if not same_bits(found[name], expected[name])] == []
    routers = {name: how for name, how in read_config(folder)["quantization"].items() if name.endswith("mlp.gate")}
    assert routers == {f"model.layers.{i}.mlp.gate": {"group_size": 64, "bits": 8, "mode": "affine"} for i in range(2)}
    np.testing.assert_allclose(stock_logits(folder), logits(folder), atol=1e-4)


def test_mixed_is_the_rule_of_mlx_lm(tmp_path: Path) -> None:
    base = make_tiny_model(tmp_path / "base", layers=16)
    model, _ = load_model(base)
    rule: Any = mixed_quant_predicate_builder("mixed_4_6", model)
    source = open_lazily(base)
    found = formats(source, 4, 64, mixed=True)
    expected = {path: Format(rule(path, None)["bits"], 64) for path in source.layers}
    # This model's embedding is its head, too.
    assert found == expected | {"model.embed_tokens": Format(6, 64)}
    assert sum(how.bits == 6 for how in found.values()) == 17


def test_the_head_of_its_own_is_sensitive(tmp_path: Path) -> None:
    found = formats(open_lazily(make_tiny_moe(tmp_path / "moe")), 5, 64, mixed=True)
    assert (found["lm_head"].bits, found["model.embed_tokens"].bits) == (8, 5)


def test_widths_that_the_group_does_not_divide(tmp_path: Path) -> None:
    base = make_tiny_model(tmp_path / "base", hidden=96)
    made = quantize(str(base), bits=4, out=str(tmp_path / "made"))
    # Only what the feed-forward layers widen to 192 is divisible by 64.
    assert made.changed == 2
    expected, _ = stock(base, 4, 64)
    found = tensors(made.folder)
    assert [name for name in found if not same_bits(found[name], expected[name])] == []


def test_memory_holds_about_a_shard(tmp_path: Path) -> None:
    base = make_tiny_model(tmp_path / "base", layers=12, hidden=128, dtype="float32")
    whole, shard = check_complete(base).size, 100_000
    gc.collect()
    mx.clear_cache()
    before = mx.get_active_memory()
    mx.reset_peak_memory()
    made = quantize(str(base), bits=8, out=str(tmp_path / "made"), shard_bytes=shard)
    # The embedding alone has 51,200 weights: as it was, in a part of float32, and packed.
    assert mx.get_peak_memory() - before < 3 * shard + 8 * 51_200 < whole / 4
    assert made.shards > 10
    load(made.folder)


def test_core_and_lineage_are_carried(punie_home: Path, tmp_path: Path) -> None:
    base = in_store(punie_home, make_tiny_model(tmp_path / "b"), "tiny")
    adapter = make_adapter(punie_home / "data" / "adapters" / "phase-23", base, name="tiny")
    choice = choose(Settings(model="tiny", adapter="phase-23"))
    plain = fuse(choice, mode="float16")
    made = quantize("tiny-phase-23-float16", bits=5)
    assert made.name == "tiny-phase-23-5bit"
    fused = read_record(plain.folder)
    assert read_record(made.folder) == {
        "source": "quantized",
        "origin": "tiny-phase-23-float16 at 5 bits",
        "licence": "",
        "made_by": "punie quantize --model tiny-phase-23-float16 --bits 5 --group-size 64 --out tiny-phase-23-5bit",
        "core": read_record(adapter)["core"],
        "prompt_hash": fused["prompt_hash"],
        "lineage": {
            "made": "quantize",
            "bits": 5,
            "group_size": 64,
            "mixed": False,
            "base": {"name": "tiny-phase-23-float16", "hash": weight_hash(plain.folder)},
            "of": fused["lineage"],
            "versions": versions(),
            "bits_per_weight": made.bits,
        },
    }
    assert choose(Settings(model=made.name)) == Choice(made.name, made.folder, None, choice.core)
    assert (made.folder / "tokenizer.json").read_bytes() == (base / "tokenizer.json").read_bytes()


@pytest.mark.parametrize(
    "args, message",
    [
        ({"bits": 7}, "weights cannot have 7 bits in groups of 64"),
        ({"bits": 4, "group_size": 16}, "weights cannot have 4 bits in groups of 16"),
        ({"bits": 8, "mixed": True}, "--mixed gives some layers more than 8 bits, which there are not"),
    ],
)
def test_what_there_is_not(args: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as refused:
        quantize("embedded", **args)
    assert refused.value.message == message


def test_the_command(punie_home: Path, tmp_path: Path) -> None:
    in_store(punie_home, make_tiny_model(tmp_path / "b"), "tiny")
    folder = punie_home / "data" / "models" / "tiny-4bit-mixed"
    args = ("quantize", "--model", "tiny", "--bits", "4", "--mixed", "--check-rows", "0")
    ran = punie(*args)
    assert ran.code == 0
    assert ran.stderr.splitlines()[-1] == ("tiny-4bit-mixed was not compared with what it was made of (--check-rows 0)")
    assert ran.stdout == (
        f"model    tiny-4bit-mixed\nfolder   {folder}\nsize     0.00 GB\nbits     5.26 a weight\n"
        "changed  15 of 15 layers\n"
    )
    shown = json.loads(punie(*args, "--force", "--json").stdout)
    assert (shown["bits"], shown["equivalence"]) == (5.256, None)
    again = punie("quantize", "--model", "tiny-4bit-mixed", "--bits", "8")
    assert (again.code, again.stdout) == (2, "")
    assert again.stderr == (
        "Error: model tiny-4bit-mixed is quantized already; packing it again would lose more than its bits say\n"
        "Try: punie fuse --mode float16, then punie quantize --model NAME-float16\n"
    )
