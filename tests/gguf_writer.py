"""Writes small GGUF files for the tests of the import; shares no code with the reader."""

import struct
from pathlib import Path
from typing import Any

import numpy as np

TYPES = {"F32": 0, "F16": 1, "Q4_0": 2, "Q4_1": 3, "Q8_0": 8}


def write_gguf(path: Path, metadata: dict[str, Any], tensors: dict[str, tuple[str, np.ndarray, bytes]]) -> None:
    """`tensors`: name -> (type, an array of the tensor's shape, its bytes)."""
    head = [b"GGUF", struct.pack("<IQQ", 3, len(tensors), len(metadata))]
    for key, value in metadata.items():
        head += [_string(key), _value(value)]
    data = b""
    for name, (kind, array, raw) in tensors.items():
        data += bytes(-len(data) % 32)
        shape = array.shape[::-1]
        head += [_string(name), struct.pack("<I", len(shape)), struct.pack(f"<{len(shape)}Q", *shape)]
        head.append(struct.pack("<IQ", TYPES[kind], len(data)))
        data += raw
    header = b"".join(head)
    path.write_bytes(header + bytes(-len(header) % 32) + data)


def f32(array: np.ndarray) -> tuple[str, np.ndarray, bytes]:
    return "F32", array, array.astype("<f4").tobytes()


def f16(array: np.ndarray) -> tuple[str, np.ndarray, bytes]:
    return "F16", array, array.astype("<f2").tobytes()


def _string(text: str) -> bytes:
    raw = text.encode()
    return struct.pack("<Q", len(raw)) + raw


def _value(value: Any) -> bytes:
    match value:
        case bool():
            return struct.pack("<I?", 7, value)
        case int():
            return struct.pack("<II", 4, value)
        case float():
            return struct.pack("<If", 6, value)
        case str():
            return struct.pack("<I", 8) + _string(value)
        case list():
            items = [_value(item) for item in value]
            return struct.pack("<I", 9) + items[0][:4] + struct.pack("<Q", len(items)) + b"".join(i[4:] for i in items)
    raise TypeError(type(value))


def tiny_gguf(path: Path, config: dict, weights: dict[str, np.ndarray], tokenizer: dict, template: str) -> None:
    """A llama model in the layout of GGUF, from one in the layout of mlx_lm and its tokenizer.json."""
    vocabulary = sorted(tokenizer["model"]["vocab"], key=tokenizer["model"]["vocab"].__getitem__)
    special = {token["content"] for token in tokenizer["added_tokens"]}
    metadata = {
        "general.architecture": "llama",
        "llama.block_count": config["num_hidden_layers"],
        "llama.context_length": config["max_position_embeddings"],
        "llama.embedding_length": config["hidden_size"],
        "llama.feed_forward_length": config["intermediate_size"],
        "llama.attention.head_count": config["num_attention_heads"],
        "llama.attention.head_count_kv": config["num_key_value_heads"],
        "llama.attention.layer_norm_rms_epsilon": config["rms_norm_eps"],
        "llama.rope.freq_base": config["rope_theta"],
        "llama.rope.dimension_count": config["head_dim"],
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "smollm",
        "tokenizer.ggml.tokens": vocabulary,
        "tokenizer.ggml.token_type": [3 if token in special else 1 for token in vocabulary],
        "tokenizer.ggml.merges": [" ".join(pair) for pair in tokenizer["model"]["merges"]],
        "tokenizer.ggml.bos_token_id": config["bos_token_id"],
        "tokenizer.ggml.eos_token_id": config["eos_token_id"],
        "tokenizer.ggml.padding_token_id": config["pad_token_id"],
        "tokenizer.ggml.unknown_token_id": 0,
        "tokenizer.ggml.add_bos_token": False,
        "tokenizer.chat_template": template,
    }
    write_gguf(path, metadata, {name: f32(array) for name, array in llama_names(config, weights).items()})


def llama_names(config: dict, weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Names and the row order of GGUF: rows i and i + half of a head stand side by side in q and k."""
    parts = {
        "self_attn.q_proj": "attn_q",
        "self_attn.k_proj": "attn_k",
        "self_attn.v_proj": "attn_v",
        "self_attn.o_proj": "attn_output",
        "mlp.gate_proj": "ffn_gate",
        "mlp.up_proj": "ffn_up",
        "mlp.down_proj": "ffn_down",
        "input_layernorm": "attn_norm",
        "post_attention_layernorm": "ffn_norm",
    }
    named = {
        "token_embd.weight": weights["model.embed_tokens.weight"],
        "output_norm.weight": weights["model.norm.weight"],
    }
    for layer in range(config["num_hidden_layers"]):
        for ours, theirs in parts.items():
            array = weights[f"model.layers.{layer}.{ours}.weight"]
            if theirs in ("attn_q", "attn_k"):
                array = array[interleaved_rows(array.shape[0], config["head_dim"])]
            named[f"blk.{layer}.{theirs}.weight"] = array
    return named


def interleaved_rows(rows: int, head: int) -> list[int]:
    """For each row of GGUF's order, its row in mlx_lm's."""
    order = []
    for start in range(0, rows, head):
        for pair in range(head // 2):
            order += [start + pair, start + pair + head // 2]
    return order
