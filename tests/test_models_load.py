import json
import socket
from pathlib import Path
from typing import Any

import pytest
from tiny import make_tiny_model

from punie_cli.engine.blas import backend
from punie_cli.errors import MissingError, UsageError
from punie_cli.models.files import check_complete, read_header, weight_hash
from punie_cli.models.load import Precision, check_adapter, load, load_tokenizer, precision


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return make_tiny_model(tmp_path / "tiny")


@pytest.fixture
def quantized(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    from mlx_lm import convert

    convert(str(model), mlx_path=str(tmp_path / "q4"), quantize=True, q_bits=4, q_group_size=64)
    return tmp_path / "q4"


def dtypes(model: Any) -> set[str]:
    from mlx.utils import tree_flatten

    leaves: Any = tree_flatten(model.parameters())
    return {str(array.dtype) for _, array in leaves}


def message(call: Any, *args: Any) -> tuple[str, str | None]:
    with pytest.raises((MissingError, UsageError)) as caught:
        call(*args)
    return caught.value.message, caught.value.hint


cpu_only = pytest.mark.skipif(backend() != "cpu", reason="float32 is for the CPU backend")


@cpu_only
def test_weights_run_as_float32_on_the_cpu(model: Path) -> None:
    loaded, tokenizer, config = load(model)
    assert dtypes(loaded) == {"mlx.core.float32"}
    assert config["num_hidden_layers"] == 2
    assert tokenizer.eos_token_ids == {2}
    assert precision(config) == Precision("float32", False, "float16, run as float32")


@cpu_only
def test_quantized_weights_become_the_same_numbers_in_float32(quantized: Path) -> None:
    import mlx.core as mx

    loaded, _, config = load(quantized)
    assert dtypes(loaded) == {"mlx.core.float32"}
    assert precision(config) == Precision("float32", True, "4 bits, expanded to float32 on the CPU")
    raw: Any = mx.load(str(quantized / "model.safetensors"))
    name = "model.layers.0.mlp.up_proj"
    scales, biases = (raw[f"{name}.{part}"].astype(mx.float32) for part in ("scales", "biases"))
    expected = mx.dequantize(raw[f"{name}.weight"], scales, biases, group_size=64, bits=4)
    assert mx.array_equal(loaded.layers[0].mlp.up_proj.weight, expected).item()


def test_parameters_of_a_quantized_model_are_those_before(model: Path, quantized: Path) -> None:
    assert check_complete(quantized).parameters == check_complete(model).parameters == 99_648
    assert 15.9 < check_complete(model).bits < 16.5
    assert 4.5 < check_complete(quantized).bits < 5.5


def test_an_adapter_is_put_on_top(model: Path, tmp_path: Path) -> None:
    import mlx.core as mx

    adapter = make_adapter(tmp_path / "adapter", model)
    base, _, _ = load(model)
    adapted, _, _ = load(model, adapter)
    ids = mx.array([[5, 6, 7]])
    assert (mx.abs(base(ids) - adapted(ids)).max() > 1e-3).item()


def make_adapter(path: Path, model: Path) -> Path:
    import mlx.core as mx
    from mlx.utils import tree_flatten
    from mlx_lm.tuner.utils import linear_to_lora_layers

    settings = {"rank": 4, "scale": 10.0, "dropout": 0.0, "keys": ["self_attn.q_proj"]}
    base, _, _ = load(model)
    base.freeze()
    linear_to_lora_layers(base, 2, settings)
    path.mkdir()
    leaves: Any = tree_flatten(base.trainable_parameters())
    weights = {name: mx.ones_like(array) for name, array in leaves}
    mx.save_safetensors(str(path / "adapters.safetensors"), weights)
    config = {"fine_tune_type": "lora", "num_layers": 2, "lora_parameters": settings}
    (path / "adapter_config.json").write_text(json.dumps(config))
    return path


def test_an_adapter_of_another_model_is_refused(model: Path, tmp_path: Path) -> None:
    adapter = make_adapter(tmp_path / "adapter", make_tiny_model(tmp_path / "wide", hidden=128))
    text, hint = message(load, model, adapter)
    assert text == f"adapter {adapter} does not fit model tiny: Adapter at {adapter} contains incompatible tensors:"
    assert hint == "punie models list"


def test_half_an_adapter_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    assert message(check_adapter, tmp_path / "a")[0] == f"adapter {tmp_path / 'a'} has no adapter_config.json"
    (tmp_path / "a" / "adapter_config.json").write_text("{}")
    assert message(check_adapter, tmp_path / "a")[0] == f"adapter {tmp_path / 'a'} has no adapters.safetensors"


@pytest.mark.parametrize("lost", [1, 100_000, 201_300, 201_359])
def test_a_truncated_file_is_told_from_a_whole_one(model: Path, lost: int) -> None:
    path = model / "model.safetensors"
    whole = path.read_bytes()
    path.write_bytes(whole[:-lost])
    text, hint = message(check_complete, model)
    size = len(whole) - lost
    expected = {
        1: f"{path} is truncated: 0.20 of 0.20 MB",
        100_000: f"{path} is truncated: 0.10 of 0.20 MB",
        201_300: f"{path} is truncated in its header",
        201_359: f"{path} is not a safetensors file",
    }
    assert (text, size > 0, hint) == (expected[lost], True, "punie models list")


def test_the_hint_for_a_model_of_the_store_is_another_pull(punie_home: Path) -> None:
    model = make_tiny_model(punie_home / "data" / "models" / "tiny")
    (model / "model.safetensors").write_bytes(b"")
    assert message(check_complete, model) == (
        f"{model / 'model.safetensors'} is not a safetensors file",
        "punie models pull tiny --force",
    )


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("config.json", None, "{model}/config.json is missing"),
        ("config.json", "{", "{model}/config.json is not JSON: "),
        ("config.json", "[]", "{model}/config.json names no model_type"),
        (
            "config.json",
            '{"model_type": "llama", "model_file": "x.py"}',
            "{model} asks for code of its own (x.py)",
        ),
        ("tokenizer.json", None, "{model} has no tokenizer"),
        ("model.safetensors", None, "{model} has no model*.safetensors"),
        ("model.safetensors.index.json", "{", "{model}/model.safetensors.index.json is damaged"),
        (
            "model.safetensors.index.json",
            '{"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors", "c":"model.safetensors"}}',
            "{model}: 2 of 3 weight files are missing: model-1.safetensors, model-2.safetensors",
        ),
    ],
)
def test_an_incomplete_folder_is_named(model: Path, name: str, content: str | None, expected: str) -> None:
    if content is None:
        (model / name).unlink()
    else:
        (model / name).write_text(content)
    assert message(load, model)[0].startswith(expected.format(model=model))


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    assert message(load, tmp_path / "none")[0] == f"no model directory {tmp_path / 'none'}"


@pytest.mark.parametrize("header", [b"[]", b"{", b'{"a": {}}', b'{"a": {"data_offsets": [0]}}'])
def test_a_damaged_header_is_said(tmp_path: Path, header: bytes) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    assert message(read_header, path)[0] == f"{path} has a damaged header"


def test_an_unknown_architecture_is_said(model: Path) -> None:
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps({**config, "model_type": "perceptron"}))
    assert message(load, model)[0] == "model tiny cannot be loaded: Model type perceptron not supported."


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("tokenizer.json", "{"),
        ("tokenizer.json", '{"a": 1}'),
        ("tokenizer_config.json", "["),
        ("tokenizer_config.json", '{"tokenizer_class": "T", "auto_map": {"AutoTokenizer": ["x.T", null]}}'),
    ],
)
def test_a_tokenizer_that_does_not_load_is_said(model: Path, name: str, content: str) -> None:
    (model / name).write_text(content)
    text, hint = message(load_tokenizer, model)
    assert text.startswith(f"the tokenizer of {model} cannot be loaded: ")
    assert hint == "punie models list"


@pytest.mark.parametrize(("ends", "shown"), [(99_999, "[99999]"), (None, "[]"), ([450, 451], "[450, 451]")])
def test_an_end_token_that_cannot_come_is_refused(model: Path, ends: Any, shown: str) -> None:
    for name, change in (
        ("config.json", {"eos_token_id": ends}),
        ("tokenizer_config.json", {"eos_token": None}),
    ):
        settings = json.loads((model / name).read_text())
        (model / name).write_text(json.dumps({**settings, **change}))
    expected = f"model {model} names no end token that its tokenizer knows ({shown})"
    assert message(load_tokenizer, model)[0] == expected


def test_loading_opens_no_connection(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    def refuse(*args: Any, **options: Any) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    load(model)
    assert constants.HF_HUB_OFFLINE is False


def test_the_weight_hash_follows_the_weights(model: Path, tmp_path: Path, punie_home: Path) -> None:
    from safetensors.numpy import load_file, save_file

    path = model / "model.safetensors"
    first = weight_hash(model)
    assert len(list((punie_home / "cache" / "weights").iterdir())) == 1
    assert weight_hash(model) == first
    # The same tensors in two files, with other metadata, are the same weights.
    tensors = load_file(path)
    names = sorted(tensors, reverse=True)
    other = make_tiny_model(tmp_path / "other")
    save_file({n: tensors[n] for n in names[:5]}, other / "model-00001.safetensors", {"format": "pt"})
    save_file({n: tensors[n] for n in names[5:]}, other / "model-00002.safetensors")
    (other / "model.safetensors").unlink()
    assert weight_hash(other) == first
    changed = bytearray(path.read_bytes())
    changed[-1] ^= 1
    path.write_bytes(changed)
    assert weight_hash(model) != first
