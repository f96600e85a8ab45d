"""Adapters with random weights in mlx_lm's format, and a tiny mixture of experts."""

import json
import shutil
from pathlib import Path
from typing import Any

import mlx.core as mx
from mlx.utils import tree_flatten
from mlx_lm.models import qwen3_moe
from mlx_lm.tuner.utils import linear_to_lora_layers
from mlx_lm.utils import load_model

from punie_cli.agent.prompt import PromptCore
from punie_cli.builtins.registry import Registry
from punie_cli.models.files import weight_hash
from tests.tiny import make_tiny_model

KEYS = ("self_attn.q_proj", "mlp.down_proj")


def make_adapter(
    path: Path,
    model: Path,
    *,
    name: str = "",
    method: str = "lora",
    keys: tuple[str, ...] = KEYS,
    layers: int = 1,
    size: float = 0.1,
    seed: int = 3,
) -> Path:
    """An adapter on the last `layers` layers; `size` is the spread of B. `name` is the model's name in its record."""
    mx.random.seed(seed)
    settings = {"rank": 4, "scale": 2.0, "dropout": 0.0, "keys": list(keys)}
    base, _ = load_model(model)
    base.freeze()
    linear_to_lora_layers(base, layers, settings, use_dora=method == "dora")
    leaves: Any = tree_flatten(base.trainable_parameters())
    weights: dict[str, Any] = dict(leaves)
    for leaf, array in weights.items():
        if leaf.endswith("lora_b"):
            weights[leaf] = mx.random.normal(array.shape) * size
        elif leaf.endswith(".m"):
            weights[leaf] = array * mx.random.uniform(0.9, 1.1, array.shape)
    return write_adapter(path, model, weights, method, layers, settings, name)


def write_adapter(
    path: Path, model: Path, weights: dict[str, Any], method: str, layers: int, settings: dict[str, Any], name: str = ""
) -> Path:
    path.mkdir(parents=True)
    mx.save_safetensors(str(path / "adapters.safetensors"), weights)
    config = {"fine_tune_type": method, "num_layers": layers, "lora_parameters": settings}
    (path / "adapter_config.json").write_text(json.dumps(config))
    core = PromptCore.build(Registry(), "tags")
    record = {
        "core": core.model_dump(mode="json"),
        "phase": 23,
        "base": {"name": name or str(model), "hash": weight_hash(model)},
    }
    (path / "punie.json").write_text(json.dumps(record))
    return path


def make_tiny_moe(path: Path, seed: int = 0) -> Path:
    """A qwen3_moe with four experts in two layers, float32, with the tokenizer of the tiny llama."""
    make_tiny_model(path)
    config = json.loads((path / "config.json").read_text()) | {
        "model_type": "qwen3_moe",
        "architectures": ["Qwen3MoeForCausalLM"],
        "num_experts": 4,
        "num_experts_per_tok": 2,
        "decoder_sparse_step": 1,
        "mlp_only_layers": [],
        "moe_intermediate_size": 64,
        "norm_topk_prob": True,
        "tie_word_embeddings": False,
        "torch_dtype": "float32",
    }
    (path / "config.json").write_text(json.dumps(config))
    mx.random.seed(seed)
    model = qwen3_moe.Model(qwen3_moe.ModelArgs.from_dict(config))
    leaves: Any = tree_flatten(model.parameters())
    mx.save_safetensors(str(path / "model.safetensors"), dict(leaves), {"format": "mlx"})
    return path


def in_store(home: Path, folder: Path, name: str) -> Path:
    """Move a model into the store of a test's home."""
    target = home / "data" / "models" / name
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(folder, target)
    return target
