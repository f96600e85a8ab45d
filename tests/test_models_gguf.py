import json
import struct
from pathlib import Path

import numpy as np
import pytest
from gguf_writer import f16, f32, interleaved_rows, tiny_gguf, write_gguf
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file
from tiny import CHATML, make_tiny_model, tiny_weights

from punie_cli.errors import MissingError, UsageError
from punie_cli.models.convert import convert, half_split
from punie_cli.models.gguf import GgufFile
from punie_cli.models.load import load

SIMPLE = {
    "a.text": "Zwölf",
    "a.flag": True,
    "a.number": 7,
    "a.part": 0.5,
    "a.list": ["x", "", "ü"],
    "a.nested": [1, 2],
}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model in mlx_lm's layout."""
    return make_tiny_model(tmp_path_factory.mktemp("source") / "tiny", dtype="float32")


@pytest.fixture(scope="module")
def gguf(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same model as a GGUF file. Its weights are rounded to float16 first, so that nothing is lost."""
    path = tmp_path_factory.mktemp("gguf") / "tiny.gguf"
    config = json.loads((source / "config.json").read_text())
    tokenizer = json.loads((source / "tokenizer.json").read_text())
    tiny_gguf(path, config, half(config), tokenizer, CHATML)
    return path


def half(config: dict) -> dict[str, np.ndarray]:
    return {name: array.astype(np.float16) for name, array in tiny_weights(config).items()}


def test_metadata_and_tensors_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.gguf"
    matrix = np.arange(6, dtype=np.float32).reshape(2, 3)
    write_gguf(path, SIMPLE, {"m": f32(matrix), "v": f16(np.array([0.5, -2.0], np.float32))})
    file = GgufFile(path)
    assert file.metadata == SIMPLE
    assert file.names == ("m", "v")
    assert file.array("m").tolist() == [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]
    assert file.array("v").tolist() == [0.5, -2.0]
    assert [file.kind(name) for name in file.names] == ["F32", "F16"]


def block(kind: str, scale: float, low: float, values: list[int]) -> tuple[bytes, list[float]]:
    """One block as the format defines it, value by value, and what it means."""
    if kind == "Q8_0":
        return struct.pack("<e32b", scale, *values), [scale * value for value in values]
    packed = bytes(values[i] | values[i + 16] << 4 for i in range(16))
    if kind == "Q4_0":
        return struct.pack("<e", scale) + packed, [scale * (value - 8) for value in values]
    return struct.pack("<ee", scale, low) + packed, [scale * value + low for value in values]


@pytest.mark.parametrize("kind", ["Q4_0", "Q4_1", "Q8_0"])
def test_quantized_blocks_have_the_values_of_the_format(kind: str, tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    raw, expected = b"", []
    for _ in range(6):
        scale, low = (float(np.float16(value)) for value in random.normal(size=2))
        bounds = (-128, 128) if kind == "Q8_0" else (0, 16)
        more, values = block(kind, scale, low, random.integers(*bounds, 32).tolist())
        raw += more
        expected += values
    write_gguf(tmp_path / "q.gguf", {"a": 1}, {"w": (kind, np.empty((3, 64)), raw)})
    found = GgufFile(tmp_path / "q.gguf").array("w")
    assert found.shape == (3, 64)
    assert found.tolist() == np.array(expected, np.float32).reshape(3, 64).tolist()


def test_float16_keeps_a_quantized_value_within_a_small_part_of_its_step() -> None:
    # What convert.py relies on when it stores float16: values reach 8 steps from zero, rounded by 2**-11.
    random = np.random.default_rng(5)
    steps = random.uniform(1e-3, 1e-1, 1000).astype(np.float16).astype(np.float32)
    exact = steps[:, None] * np.arange(16, dtype=np.float32) - (8 * steps)[:, None]
    error = np.abs(exact.astype(np.float16).astype(np.float32) - exact) / steps[:, None]
    assert error.max() <= 8 / 2048


def test_import_gives_the_known_weights_back(source: Path, gguf: Path, tmp_path: Path) -> None:
    convert(gguf, tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    known = json.loads((source / "config.json").read_text())
    assert config == {**known, "torch_dtype": "float16"}
    weights = load_file(tmp_path / "model.safetensors")
    expected = half(known)
    assert sorted(weights) == sorted(expected)
    assert {array.dtype for array in weights.values()} == {np.dtype(np.float16)}
    assert [name for name in expected if not np.array_equal(weights[name], expected[name])] == []


def test_imported_model_computes_as_its_source(source: Path, gguf: Path, tmp_path: Path) -> None:
    import mlx.core as mx

    convert(gguf, tmp_path)
    imported, tokenizer, _ = load(tmp_path)
    original, reference, _ = load(source)
    ids = reference.encode("def total(prices): return 12")
    assert tokenizer.encode("def total(prices): return 12") == ids
    # The source holds float32 values, the import the same ones rounded to float16.
    difference = mx.abs(imported(mx.array([ids])) - original(mx.array([ids]))).max()
    assert (difference < 0.05).item()
    assert tokenizer.chat_template == CHATML
    assert tokenizer.eos_token_ids == {tokenizer.convert_tokens_to_ids("<|im_end|>")}


def test_wrong_row_order_would_be_seen(source: Path) -> None:
    config = json.loads((source / "config.json").read_text())
    query = tiny_weights(config)["model.layers.0.self_attn.q_proj.weight"]
    moved = query[interleaved_rows(query.shape[0], config["head_dim"])]
    assert not np.array_equal(moved, query)
    assert np.array_equal(half_split(moved, config["num_attention_heads"]), query)


@given(heads=st.integers(1, 9), pairs=st.integers(1, 32), columns=st.integers(1, 5))
def test_half_split_undoes_the_order_of_gguf(heads: int, pairs: int, columns: int) -> None:
    rows = 2 * heads * pairs
    known = np.arange(rows * columns).reshape(rows, columns)
    assert np.array_equal(half_split(known[interleaved_rows(rows, 2 * pairs)], heads), known)


@settings(deadline=None, max_examples=40)
@given(part=st.floats(0, 0.999))
def test_a_file_cut_anywhere_is_damaged_and_nothing_else(
    part: float, gguf: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    whole = gguf.read_bytes()
    folder = tmp_path_factory.mktemp("cut")
    (folder / "cut.gguf").write_bytes(whole[: int(len(whole) * part)])
    with pytest.raises(MissingError):
        convert(folder / "cut.gguf", folder)


@settings(deadline=None, max_examples=100)
@given(raw=st.binary(max_size=200))
def test_any_bytes_give_an_error_of_ours(raw: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("any") / "any.gguf"
    path.write_bytes(b"GGUF" + struct.pack("<I", 3) + raw)
    try:
        GgufFile(path)
    except (MissingError, UsageError):
        return


def test_what_is_not_covered_is_named(gguf: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=r"none\.gguf cannot be read"):
        GgufFile(tmp_path / "none.gguf")
    other = tmp_path / "other.gguf"
    write_gguf(other, {"general.architecture": "bert"}, {})
    with pytest.raises(UsageError) as caught:
        convert(other, tmp_path)
    assert caught.value.message == f"{other} has architecture bert; can import: llama"
    strange = tmp_path / "strange.gguf"
    whole = bytearray(gguf.read_bytes())
    position = whole.index(b"output_norm.weight") + len("output_norm.weight") + 4 + 8
    whole[position : position + 4] = struct.pack("<I", 14)
    strange.write_bytes(whole)
    with pytest.raises(UsageError) as caught:
        convert(strange, tmp_path)
    known = "F32, F16, Q4_0, Q4_1, Q8_0, BF16"
    assert caught.value.message == f"tensor output_norm.weight has GGUF type 14; can read: {known}"
