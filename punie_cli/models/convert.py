"""Turns a GGUF file of the llama architecture into a model directory that mlx_lm loads."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from punie_cli.errors import MissingError, UsageError
from punie_cli.models.gguf import GgufFile

_TOP = {"token_embd.weight": "model.embed_tokens.weight", "output_norm.weight": "model.norm.weight"}
_TOP["output.weight"] = "lm_head.weight"
_LAYER = {
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
# GGUF token types.
_CONTROL, _USER_DEFINED = 3, 4


def convert(gguf: Path, target: Path) -> None:
    """Write config.json, model.safetensors (float16) and the tokenizer files into the folder `target`."""
    from safetensors.numpy import save_file

    source = GgufFile(gguf)
    config = model_config(source)
    # float16, 269 MB for 135 M parameters, and not float32 (538 MB): rounding moves a value of
    # the embedded model by 0.6 % of its 4-bit step at most, where quantization had moved it by up to 50 %.
    weights = {name: array.astype(np.float16) for name, array in llama_weights(source).items()}
    save_file(weights, target / "model.safetensors", metadata={"format": "mlx"})
    # The library writes a private file; other users of a shared store may read models.
    (target / "model.safetensors").chmod(0o644)
    _write_json(target / "config.json", config)
    tokens = source.metadata
    _write_json(
        target / "generation_config.json",
        {key: config[key] for key in ("bos_token_id", "eos_token_id", "pad_token_id") if key in config},
    )
    build_tokenizer(tokens).save(str(target / "tokenizer.json"))
    _write_json(target / "tokenizer_config.json", tokenizer_config(tokens))


def model_config(source: GgufFile) -> dict[str, Any]:
    """The config.json of a llama model; raises UsageError for any other architecture."""
    meta = source.metadata
    architecture = meta.get("general.architecture")
    if architecture != "llama":
        raise UsageError(f"{source.path} has architecture {architecture}; can import: llama")
    try:
        heads = meta["llama.attention.head_count"]
        hidden = meta["llama.embedding_length"]
        config = {
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            "hidden_size": hidden,
            "intermediate_size": meta["llama.feed_forward_length"],
            "num_hidden_layers": meta["llama.block_count"],
            "num_attention_heads": heads,
            "num_key_value_heads": meta.get("llama.attention.head_count_kv", heads),
            "head_dim": meta.get("llama.rope.dimension_count", hidden // heads),
            "rms_norm_eps": _shortest(meta["llama.attention.layer_norm_rms_epsilon"]),
            "rope_theta": _shortest(meta.get("llama.rope.freq_base", 10000.0)),
            "max_position_embeddings": meta["llama.context_length"],
            "vocab_size": len(meta["tokenizer.ggml.tokens"]),
            "tie_word_embeddings": "output.weight" not in source.names,
            "hidden_act": "silu",
            "attention_bias": False,
            "mlp_bias": False,
            "torch_dtype": "float16",
        }
    except KeyError as error:
        raise MissingError(f"{source.path} has no metadata {error}") from error
    for name, key in (("bos", "bos"), ("eos", "eos"), ("pad", "padding")):
        if f"tokenizer.ggml.{key}_token_id" in meta:
            config[f"{name}_token_id"] = meta[f"tokenizer.ggml.{key}_token_id"]
    return config


def llama_weights(source: GgufFile) -> dict[str, np.ndarray]:
    """All weights as float32 under the names that mlx_lm's llama uses."""
    meta = source.metadata
    heads = meta["llama.attention.head_count"]
    rows = {"attn_q": heads, "attn_k": meta.get("llama.attention.head_count_kv", heads)}
    weights = {}
    for name in source.names:
        array = source.array(name)
        if name in _TOP:
            weights[_TOP[name]] = array
            continue
        parts = name.split(".")
        if len(parts) != 4 or parts[0] != "blk" or parts[3] != "weight" or parts[2] not in _LAYER:
            raise UsageError(f"{source.path} has a tensor that a llama model has not: {name}")
        if parts[2] in rows:
            array = half_split(array, rows[parts[2]])
        weights[f"model.layers.{parts[1]}.{_LAYER[parts[2]]}.weight"] = array
    return weights


def half_split(array: np.ndarray, heads: int) -> np.ndarray:
    """Rows of a q or k projection from GGUF's order (rotary pairs adjacent) to mlx_lm's (half by half)."""
    return array.reshape(heads, -1, 2, *array.shape[1:]).swapaxes(1, 2).reshape(array.shape)


def build_tokenizer(meta: dict[str, Any]) -> Any:
    """A `tokenizers.Tokenizer` (byte-level BPE) from GGUF metadata."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    kind, split = meta.get("tokenizer.ggml.model"), meta.get("tokenizer.ggml.pre", "default")
    if kind != "gpt2" or split not in ("smollm", "gpt-2", "default"):
        raise UsageError(f"GGUF tokenizer {kind}/{split} cannot be imported; can: gpt2 with smollm or gpt-2")
    tokens = meta["tokenizer.ggml.tokens"]
    merges = [tuple(pair.split(" ", 1)) for pair in meta["tokenizer.ggml.merges"]]
    model = models.BPE(vocab={token: i for i, token in enumerate(tokens)}, merges=merges)
    tokenizer = Tokenizer(model)
    by_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    if split == "smollm":
        digits = pre_tokenizers.Digits(individual_digits=True)
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([digits, by_bytes])
    else:
        tokenizer.pre_tokenizer = by_bytes
    tokenizer.decoder = decoders.ByteLevel()
    types = meta.get("tokenizer.ggml.token_type", [1] * len(tokens))
    for special, wanted in ((True, _CONTROL), (False, _USER_DEFINED)):
        added = [token for token, type_ in zip(tokens, types, strict=True) if type_ == wanted]
        marks = [AddedToken(token, special=special, normalized=False) for token in added]
        (tokenizer.add_special_tokens if special else tokenizer.add_tokens)(marks)
    return tokenizer


def tokenizer_config(meta: dict[str, Any]) -> dict[str, Any]:
    """The tokenizer_config.json that belongs to `build_tokenizer`."""
    tokens = meta["tokenizer.ggml.tokens"]
    config: dict[str, Any] = {
        # The generic class: the GPT-2 class would replace the splitting of tokenizer.json by its own.
        "tokenizer_class": "PreTrainedTokenizerFast",
        "clean_up_tokenization_spaces": False,
        "add_prefix_space": False,
        "model_max_length": meta.get("llama.context_length", 2048),
    }
    for name, key in (("bos", "bos"), ("eos", "eos"), ("pad", "padding"), ("unk", "unknown")):
        if f"tokenizer.ggml.{key}_token_id" in meta:
            config[f"{name}_token"] = tokens[meta[f"tokenizer.ggml.{key}_token_id"]]
    if "tokenizer.chat_template" in meta:
        config["chat_template"] = meta["tokenizer.chat_template"]
    return config


def _shortest(value: float) -> float:
    # The file holds a float32: 1e-05 comes back as 9.999999747378752e-06 when it is widened.
    return float(str(np.float32(value)))


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
