"""Fusing on tiny random models: exact weights, untouched bits, formats, memory, refusals, what is carried over."""

import gc
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import mlx.core as mx
import mlx_lm
import numpy as np
import pytest
from filelock import FileLock

from punie_cli.agent.open import Choice, choose
from punie_cli.errors import BusyError, MissingError, PunieError, UsageError
from punie_cli.models.files import check_complete, read_config, read_record, weight_hash
from punie_cli.models.load import load
from punie_cli.settings import Settings
from punie_cli.training.fingerprints import adapter_hash
from punie_cli.training.fuse import Mode, find, fuse
from punie_cli.training.quantize import quantize
from punie_cli.training.versions import versions
from tests.command_line import punie
from tests.tiny import make_tiny_model
from tests.tiny_adapter import in_store, make_adapter, make_tiny_moe, write_adapter

TOKENS = mx.array([[5, 9, 11, 30, 31, 32, 80]])


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return make_tiny_model(tmp_path / "base", dtype="float32")


@pytest.fixture
def packed(base: Path, tmp_path: Path) -> Path:
    return quantize(str(base), bits=4, out=str(tmp_path / "packed")).folder


def chosen(model: Path, adapter: Path) -> Choice:
    return Choice(str(model), model, adapter, None)


def tensors(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for path in sorted(folder.glob("model*.safetensors")):
        arrays: Any = mx.load(str(path))
        found.update(arrays)
    return found


def logits(folder: Path, adapter: Path | None = None) -> np.ndarray:
    model, _, _ = load(folder, adapter)
    return np.array(model(TOKENS))


def stock_logits(folder: Path) -> np.ndarray:
    model, *_ = mlx_lm.load(str(folder))
    return np.array(model(TOKENS).astype(mx.float32))


def same_bits(one: Any, other: Any) -> bool:
    return one.dtype == other.dtype and one.shape == other.shape and bool(mx.array_equal(one, other))


@pytest.mark.parametrize("mode", ["touched", "base"])
@pytest.mark.parametrize("method", ["lora", "dora"])
def test_a_fused_model_computes_what_base_and_adapter_compute(
    method: str, mode: Mode, base: Path, tmp_path: Path
) -> None:
    adapter = make_adapter(tmp_path / "adapter", base, method=method, layers=2)
    made = fuse(chosen(base, adapter), mode=mode, out=str(tmp_path / "fused"))
    with_adapter = logits(base, adapter)
    assert np.abs(with_adapter - logits(base)).max() > 0.1
    np.testing.assert_allclose(logits(made.folder), with_adapter, atol=2e-5)
    np.testing.assert_allclose(stock_logits(made.folder), with_adapter, atol=2e-5)
    assert (made.changed, made.layers, made.bits, made.shards) == (4, 15, 32.0, 1)


def test_the_update_is_added_in_float32(tmp_path: Path) -> None:
    base = make_tiny_model(tmp_path / "base", dtype="float16")
    adapter = make_adapter(tmp_path / "adapter", base, keys=("self_attn.q_proj",))
    made = fuse(chosen(base, adapter), out=str(tmp_path / "fused"))
    before, after = tensors(base), tensors(made.folder)
    added: Any = mx.load(str(adapter / "adapters.safetensors"))
    path = "model.layers.1.self_attn.q_proj"
    a, b = (np.array(added[f"{path}.lora_{side}"]) for side in "ab")
    expected = np.array(before[f"{path}.weight"]).astype(np.float32) + 2.0 * (a @ b).T
    np.testing.assert_array_equal(np.array(after[f"{path}.weight"]), expected.astype(np.float16))


@pytest.mark.parametrize("mode", ["touched", "base"])
def test_what_the_adapter_does_not_touch_stays_bit_for_bit(mode: Mode, packed: Path, tmp_path: Path) -> None:
    adapter = make_adapter(tmp_path / "adapter", packed)
    made = fuse(chosen(packed, adapter), mode=mode, out=str(tmp_path / "fused"))
    before, after = tensors(packed), tensors(made.folder)
    assert sorted(before) == sorted(after)
    changed = sorted({name.rpartition(".")[0] for name in before if not same_bits(before[name], after[name])})
    assert changed == ["model.layers.1.mlp.down_proj", "model.layers.1.self_attn.q_proj"]


def test_touched_layers_have_8_bits(packed: Path, tmp_path: Path) -> None:
    adapter = make_adapter(tmp_path / "adapter", packed)
    folder = fuse(chosen(packed, adapter), out=str(tmp_path / "fused")).folder
    own = {"group_size": 64, "bits": 8, "mode": "affine"}
    quantization = {
        "group_size": 64, "bits": 4, "mode": "affine",
        "model.layers.1.mlp.down_proj": own, "model.layers.1.self_attn.q_proj": own,
    }  # fmt: skip
    expected = read_config(packed) | {"quantization": quantization, "quantization_config": quantization}
    assert read_config(folder) == expected
    assert check_complete(folder).parameters == check_complete(packed).parameters
    np.testing.assert_allclose(stock_logits(folder), logits(folder), atol=1e-3)


def test_8_bits_keep_an_adapter_that_4_bits_lose(packed: Path, tmp_path: Path) -> None:
    # An update of a twentieth of the grid's step, as training makes them.
    adapter = make_adapter(tmp_path / "adapter", packed, size=0.005, layers=2)
    wanted, plain = logits(packed, adapter), logits(packed)
    off = {}
    for mode in ("touched", "base", "float16"):
        made = fuse(chosen(packed, adapter), mode=mode, out=str(tmp_path / f"fused-{mode}"))
        off[mode] = np.abs(logits(made.folder) - wanted).mean() / np.abs(plain - wanted).mean()
    assert off["base"] > 0.3
    assert off["touched"] < off["base"] / 3
    assert off["float16"] < off["touched"]


def test_float16_is_float16_throughout(packed: Path, tmp_path: Path) -> None:
    adapter = make_adapter(tmp_path / "adapter", packed)
    made = fuse(chosen(packed, adapter), mode="float16", out=str(tmp_path / "fused"))
    assert {str(array.dtype) for array in tensors(made.folder).values()} == {"mlx.core.float16"}
    config = read_config(packed)
    del config["quantization"], config["quantization_config"]
    assert read_config(made.folder) == config | {"torch_dtype": "float16"}
    assert (made.bits, made.parameters) == (16.0, check_complete(packed).parameters)
    np.testing.assert_allclose(logits(made.folder), logits(packed, adapter), atol=5e-3)


@pytest.mark.parametrize("bits", [None, 4])
def test_tied_embeddings(bits: int | None, base: Path, packed: Path, tmp_path: Path) -> None:
    model = packed if bits else base
    adapter = make_adapter(tmp_path / "adapter", model, keys=("model.embed_tokens",))
    made = fuse(chosen(model, adapter), out=str(tmp_path / "fused"))
    assert made.changed == 1
    np.testing.assert_allclose(logits(made.folder), logits(model, adapter), atol=0.05 if bits else 2e-5)


@pytest.mark.parametrize("bits", [None, 4])
@pytest.mark.parametrize("keys", [("self_attn.v_proj",), ("mlp.switch_mlp.up_proj", "mlp.switch_mlp.down_proj")])
def test_a_router_is_not_touched(keys: tuple[str, ...], bits: int | None, tmp_path: Path) -> None:
    model = make_tiny_moe(tmp_path / "moe")
    if bits:
        model = quantize(str(model), bits=bits, out=str(tmp_path / "packed")).folder
    adapter = make_adapter(tmp_path / "adapter", model, keys=keys)
    made = fuse(chosen(model, adapter), out=str(tmp_path / "fused"))
    before, after = tensors(model), tensors(made.folder)
    changed = {name.rpartition(".")[0] for name in before if not same_bits(before[name], after[name])}
    assert changed == {f"model.layers.1.{key}" for key in keys}
    np.testing.assert_allclose(logits(made.folder), logits(model, adapter), atol=0.05 if bits else 2e-5)


@pytest.mark.parametrize(
    "hidden, group_size, format_",
    [(96, 32, {"group_size": 32, "bits": 8, "mode": "affine"}), (64, 128, None)],
)
def test_widths_that_64_does_not_divide(
    hidden: int, group_size: int, format_: dict[str, Any] | None, tmp_path: Path
) -> None:
    base = make_tiny_model(tmp_path / "base", hidden=hidden, dtype="float32")
    packed = quantize(str(base), bits=4, group_size=group_size, out=str(tmp_path / "packed")).folder
    adapter = make_adapter(tmp_path / "adapter", packed, keys=("self_attn.q_proj",))
    folder = fuse(chosen(packed, adapter), out=str(tmp_path / "fused")).folder
    path = "model.layers.1.self_attn.q_proj"
    assert read_config(folder)["quantization"][path] == (format_ or False)
    assert (f"{path}.scales" in tensors(folder)) == (format_ is not None)
    np.testing.assert_allclose(stock_logits(folder), logits(packed, adapter), atol=0.05)


@pytest.mark.parametrize("mode", ["touched", "base", "float16"])
def test_a_base_in_another_format(mode: Mode, base: Path, tmp_path: Path) -> None:
    mlx_lm.convert(str(base), str(tmp_path / "packed"), quantize=True, q_mode="mxfp4", q_group_size=32, q_bits=4)
    packed = tmp_path / "packed"
    adapter = make_adapter(tmp_path / "adapter", packed)
    made = fuse(chosen(packed, adapter), mode=mode, out=str(tmp_path / "fused"))
    path = "model.layers.1.self_attn.q_proj"
    mxfp4 = {"group_size": 32, "bits": 4, "mode": "mxfp4"}
    expected = {"touched": {"group_size": 64, "bits": 8, "mode": "affine"}, "base": None, "float16": None}[mode]
    quantization = read_config(made.folder).get("quantization", {})
    assert (quantization.get(path), quantization.get("mode")) == (expected, None if mode == "float16" else "mxfp4")
    assert mode == "float16" or mxfp4.items() <= quantization.items()
    assert str(tensors(made.folder)["model.norm.weight"].dtype) == f"mlx.core.float{16 if mode == 'float16' else 32}"
    np.testing.assert_allclose(stock_logits(made.folder), logits(packed, adapter), atol=0.5 if mode == "base" else 0.05)


def test_whole_layers(base: Path, packed: Path, tmp_path: Path) -> None:
    names = ("model.layers.1.self_attn.q_proj.weight", "model.norm.weight")
    weights = {name: tensors(base)[name] * 1.5 for name in names}
    adapter = write_adapter(tmp_path / "adapter", base, weights, "full", 1, {})
    made = fuse(chosen(base, adapter), out=str(tmp_path / "fused"))
    np.testing.assert_allclose(logits(made.folder), logits(base, adapter), atol=1e-5)
    with pytest.raises(MissingError, match=r"packed: model.layers.1.self_attn.q_proj.* is packed|or has another shape"):
        fuse(chosen(packed, adapter), out=str(tmp_path / "other"))


@pytest.mark.parametrize("mode", ["touched", "float16"])
def test_memory_holds_about_a_shard(mode: Mode, tmp_path: Path) -> None:
    base = make_tiny_model(tmp_path / "base", layers=12, hidden=128, dtype="float16")
    adapter = make_adapter(tmp_path / "adapter", base, layers=12)
    whole, shard = check_complete(base).size, 200_000
    gc.collect()
    mx.clear_cache()
    before = mx.get_active_memory()
    mx.reset_peak_memory()
    made = fuse(chosen(base, adapter), mode=mode, out=str(tmp_path / "fused"), shard_bytes=shard)
    peak = mx.get_peak_memory() - before
    # A part of a layer in float32 comes on top: 32,768 numbers, three times.
    assert peak < 3 * shard + 12 * 32_768 < whole / 2
    assert made.shards == len(list(made.folder.glob("model-*-of-*.safetensors"))) > 10
    assert all(path.stat().st_size < shard + 10_000 for path in made.folder.glob("model-*.safetensors"))
    np.testing.assert_allclose(logits(made.folder), logits(base, adapter), atol=5e-3)
    np.testing.assert_allclose(stock_logits(made.folder), logits(base, adapter), atol=0.05)


def test_large_layers_go_in_parts(packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for method, model in (("dora", packed), ("lora", make_tiny_moe(tmp_path / "moe"))):
        keys = ("self_attn.q_proj",) if method == "dora" else ("mlp.switch_mlp.up_proj", "self_attn.q_proj")
        adapter = make_adapter(tmp_path / method, model, method=method, keys=keys)
        whole = fuse(chosen(model, adapter), out=str(tmp_path / f"{method}-whole")).folder
        with monkeypatch.context() as patch:
            patch.setattr("punie_cli.models.stream.PART_WEIGHTS", 1000)
            parts = fuse(chosen(model, adapter), out=str(tmp_path / f"{method}-parts")).folder
        np.testing.assert_allclose(logits(parts), logits(whole), atol=1e-5)


def test_files_are_copied_and_the_core_is_carried(punie_home: Path, tmp_path: Path) -> None:
    base = in_store(punie_home, make_tiny_model(tmp_path / "b"), "tiny")
    (base / "chat_template.jinja").write_text("{# of its own #}")
    (base / "LICENSE").write_text("a licence")
    (base / "README.md").write_text("about another model")
    adapter = make_adapter(punie_home / "data" / "adapters" / "phase-23", base, name="tiny")
    choice = find(Settings(), phase=23)
    assert (choice.name, choice.adapter) == ("tiny", adapter)
    made = fuse(choice)
    assert made.folder == punie_home / "data" / "models" / "tiny-phase-23"
    assert sorted(path.name for path in made.folder.iterdir()) == [
        "LICENSE", "chat_template.jinja", "config.json", "model.safetensors", "punie.json", "tokenizer.json",
        "tokenizer_config.json",
    ]  # fmt: skip
    for name in ("LICENSE", "chat_template.jinja", "tokenizer.json", "tokenizer_config.json"):
        assert (made.folder / name).read_bytes() == (base / name).read_bytes()
    core = read_record(adapter)["core"]
    assert choice.core is not None
    assert read_record(made.folder) == {
        "source": "fused",
        "origin": "tiny + phase-23",
        "licence": "",
        "made_by": f"punie fuse --adapter {adapter} --model tiny --mode touched --out tiny-phase-23",
        "core": core,
        "prompt_hash": choice.core.hash,
        "lineage": {
            "made": "fuse",
            "mode": "touched",
            "bits": 8,
            "touched": 2,
            "base": {"name": "tiny", "hash": weight_hash(base)},
            "adapter": {"name": "phase-23", "folder": str(adapter), "hash": adapter_hash(str(adapter)), "phase": 23},
            "versions": versions(),
            "bits_per_weight": 16.0,
        },
    }
    assert choose(Settings(model="tiny-phase-23")) == Choice("tiny-phase-23", made.folder, None, choice.core)
    (made.folder / "model.safetensors").unlink()
    with pytest.raises(MissingError) as damaged:
        check_complete(made.folder)
    assert damaged.value.hint == f"{read_record(made.folder)['made_by']} --force"


def test_an_adapter_that_does_not_fit(base: Path, tmp_path: Path) -> None:
    wide = make_tiny_model(tmp_path / "wide", hidden=128)
    adapter = make_adapter(tmp_path / "adapter", wide)
    with pytest.raises(MissingError, match=r"does not fit model base: model.layers.1.\S+ has another shape"):
        fuse(chosen(base, adapter), out=str(tmp_path / "fused"))
    (adapter / "adapter_config.json").write_text('{"fine_tune_type": "lora"}')
    with pytest.raises(MissingError, match=r"adapter_config.json cannot be read: KeyError\('lora_parameters'\)"):
        fuse(chosen(wide, adapter), out=str(tmp_path / "fused"))
    assert not (tmp_path / "fused").exists()


def test_a_model_appears_whole_or_not_at_all(base: Path, tmp_path: Path) -> None:
    adapter = make_adapter(tmp_path / "adapter", base, size=1e6)
    with pytest.raises(PunieError, match=r"q_proj.weight has numbers that are not finite, or too large for float16"):
        fuse(chosen(base, adapter), mode="float16", out=str(tmp_path / "new" / "fused"))
    assert [path.name for path in (tmp_path / "new").iterdir()] == [".fused.lock"]


def test_a_disk_that_fills_leaves_nothing(base: Path, tmp_path: Path) -> None:
    code = f"""
import resource
from punie_cli.errors import PunieError
from punie_cli.training.quantize import quantize
resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))
try:
    quantize({str(base)!r}, bits=8, out={str(tmp_path / "new" / "made")!r})
except PunieError as error:
    print(error.message, error.hint)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert re.fullmatch(
        rf"{tmp_path}/new cannot be written: \[write\] Unable to write \d+ bytes to file\.; \S+ GB are free "
        r"punie models list\n",
        done.stdout,
    )
    assert [path.name for path in (tmp_path / "new").iterdir()] == [".made.lock"]


def test_targets_that_are_refused(base: Path, tmp_path: Path) -> None:
    adapter = make_adapter(tmp_path / "adapter", base)
    with pytest.raises(UsageError, match="is the model that is read"):
        fuse(chosen(base, adapter), out=str(base), force=True)
    with pytest.raises(UsageError, match="'a/b' is no name for a model"):
        fuse(chosen(base, adapter), out="a/b")
    with pytest.raises(UsageError, match="holds no model, so it is not replaced"):
        fuse(chosen(base, adapter), out=str(tmp_path), force=True)
    target = tmp_path / "fused"
    first = fuse(chosen(base, adapter), out=str(target))
    with pytest.raises(UsageError, match=f"{target} is there already") as there:
        fuse(chosen(base, adapter), out=str(target))
    assert there.value.hint == "--force replaces it, --out takes another name"
    with FileLock(tmp_path / ".fused.lock"), pytest.raises(BusyError):
        fuse(chosen(base, adapter), out=str(target), force=True)
    second = fuse(chosen(base, adapter), out=str(target), force=True)
    assert weight_hash(first.folder) == weight_hash(second.folder)


def test_too_little_disk_or_memory(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    adapter = make_adapter(tmp_path / "adapter", base)
    usage = shutil.disk_usage(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr("shutil.disk_usage", lambda place: usage._replace(free=1000))
        with pytest.raises(PunieError, match=r"0.0 GB of disk are needed in .*fused, 0.0 GB are free"):
            fuse(chosen(base, adapter), out=str(tmp_path / "fused"))
    with monkeypatch.context() as patch:
        patch.setattr("psutil.virtual_memory", lambda: type("Memory", (), {"available": 1000})())
        with pytest.raises(BusyError, match=r"writing fused needs 0.4 GB of memory, 0.0 GB are free"):
            fuse(chosen(base, adapter), out=str(tmp_path / "fused"))
    assert not (tmp_path / "fused").exists()


def test_the_command(punie_home: Path, tmp_path: Path) -> None:
    base = in_store(punie_home, make_tiny_model(tmp_path / "b"), "tiny")
    make_adapter(punie_home / "data" / "adapters" / "phase-23", base, name="tiny")
    folder = punie_home / "data" / "models" / "tiny-phase-23-float16"
    args = ("fuse", "--phase", "23", "--mode", "float16", "--check-rows", "0")
    ran = punie(*args)
    assert ran.stderr.splitlines()[1:] == [
        "tiny-phase-23-float16 was not compared with what it was made of (--check-rows 0)"
    ]
    assert (ran.code, ran.stdout) == (
        0,
        f"model    tiny-phase-23-float16\nfolder   {folder}\nsize     0.00 GB\nbits     16.00 a weight\n"
        "changed  2 of 15 layers\n",
    )
    again = punie(*args)
    assert (again.code, again.stdout) == (2, "")
    assert again.stderr == (f"Error: {folder} is there already\nTry: --force replaces it, --out takes another name\n")
    forced = punie(*args, "--force", "--json")
    shown = json.loads(forced.stdout)
    assert shown.pop("seconds") >= 0
    assert shown == {
        "name": "tiny-phase-23-float16", "folder": str(folder), "size": 199_296, "parameters": 99_648, "bits": 16.0,
        "shards": 1, "changed": 2, "layers": 15, "equivalence": None,
    }  # fmt: skip
    assert punie("models", "list", "-q").stdout == "tiny\ntiny-phase-23-float16\n"


@pytest.mark.parametrize(
    "args, code, stderr",
    [
        (("--phase", "22"), 3, "Error: no adapter 'phase-22' for model smollm2-135m\n"
         "Try: punie models use smollm2-135m --adapter none\n"),
        (("--phase", "23", "--adapter", "x"), 2, "Error: --phase 23 and an adapter are both named\n"
         "Try: punie fuse --phase 23\n"),
        (("--model", "tiny"), 2, "Error: model tiny has no adapter to fuse\nTry: punie fuse --adapter NAME\n"),
    ],
)  # fmt: skip
def test_nothing_to_fuse(args: tuple[str, ...], code: int, stderr: str, punie_home: Path, tmp_path: Path) -> None:
    in_store(punie_home, make_tiny_model(tmp_path / "b"), "tiny")
    ran = punie("fuse", *args)
    assert (ran.code, ran.stdout, ran.stderr) == (code, "", stderr)
