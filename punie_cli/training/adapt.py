"""What of a model is trained: LoRA or DoRA layers in its last layers, or these layers themselves."""

from dataclasses import dataclass
from typing import Any

from mlx.utils import tree_flatten

from punie_cli.errors import UsageError
from punie_cli.training.phase import Lora

# Weight, gradient and Adam's two moments, four bytes each.
FULL_BYTES = 16


@dataclass(frozen=True)
class Adapted:
    """Trained parameters, the number of adapted layers, and the first layer that any of them is in (from 0)."""

    parameters: int
    layers: int
    first: int


def adapt(model: Any, lora: Lora, method: str = "lora", *, bits: int | None = None) -> Adapted:
    """Freeze the model, then make the last `lora.layers` layers trainable by `method`: lora, dora or full.

    `bits`: how the base is quantized in its files. Raises UsageError for a number of layers that the model does not
    have (mlx_lm reads 0 as all of them), for keys that name nothing, for DoRA on experts, and for full training of
    quantized weights.
    """
    total = len(model.layers)
    layers = total if lora.layers == "all" else lora.layers
    if not 1 <= layers <= total:
        raise UsageError(f"lora.layers is {layers}; this model has {total}", "set it to a number from 1, or to 'all'")
    _require_attention(model)
    model.freeze()
    if method == "full":
        _unfreeze(model, layers, bits)
    else:
        _add(model, lora, layers, dora=method == "dora")
    parameters: Any = tree_flatten(model.trainable_parameters())
    size = sum(value.size for _, value in parameters)
    if not size:
        raise UsageError(f"no layer of this model is named by lora.keys: {', '.join(lora.keys)}")
    return Adapted(size, layers, first_trained(model))


def first_trained(model: Any) -> int:
    """The first layer with a trained parameter: what enters it is a constant of each row. 0 for embeddings."""
    names: Any = tree_flatten(model.trainable_parameters())
    places = []
    for name, _ in names:
        parts = name.split(".")
        if "layers" in parts:
            places.append(int(parts[parts.index("layers") + 1]))
        elif "embed_tokens" in parts:
            places.append(0)
        else:
            places.append(len(model.layers))
    return min(places, default=len(model.layers))


def _add(model: Any, lora: Lora, layers: int, *, dora: bool) -> None:
    from mlx_lm.tuner.utils import linear_to_lora_layers

    try:
        linear_to_lora_layers(model, layers, lora.parameters, use_dora=dora)
    except ValueError as problem:
        raise UsageError(
            f"train.method is {'dora' if dora else 'lora'}: {problem}", "--set train.method=lora, or other lora.keys"
        ) from problem


def _unfreeze(model: Any, layers: int, bits: int | None) -> None:
    chosen = model.layers[-layers:]
    arrays: Any = [pair for layer in chosen for pair in tree_flatten(layer.parameters())]
    size = sum(value.size for _, value in arrays)
    need = f"{layers} layers have {size / 1e6:.1f} million parameters: about {size * FULL_BYTES / 1e9:.2f} GB"
    if bits:
        raise UsageError(
            f"train.method is full, and this model's weights are quantized to {bits} bits, which have no gradient; "
            f"its {need} with gradients and Adam's state on top of an unquantized model",
            "--set train.method=lora, or --model with an unquantized model",
        )
    for layer in chosen:
        layer.unfreeze()


def _require_attention(model: Any) -> None:
    """Refuse models whose layers keep a state that is no list of keys and values."""
    from mlx_lm.models.cache import KVCache, RotatingKVCache, make_prompt_cache

    others = {type(c).__name__ for c in make_prompt_cache(model) if not isinstance(c, KVCache | RotatingKVCache)}
    if others:
        raise UsageError(
            f"this model has layers without full attention ({', '.join(sorted(others))}); punie does not train them",
            "punie models list --catalogue",
        )
