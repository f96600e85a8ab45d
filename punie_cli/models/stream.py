"""A model read and written layer by layer: memory holds about one shard, whatever the size of the model.

    source = open_lazily(folder)
    rewrite(source, target, {"lm_head": Format(8, 64)}, config, record)

Weights that nothing names are written bit for bit as they were read.
"""

import shutil
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import psutil

from punie_cli.engine.blas import load_blas, require_backend
from punie_cli.errors import BusyError, PunieError, UsageError
from punie_cli.models.building import Progress, PullStep, building, locked, require_disk, write_json
from punie_cli.models.files import check_complete, read_config
from punie_cli.models.load import offline

SHARD_BYTES = 2_000_000_000
# So many weights of a layer are in float32 at a time; the head of a large model has ten times more.
PART_WEIGHTS = 1 << 25

Kind = Literal["linear", "embedding", "experts", "other"]
# What a tokenizer and a chat template are made of, and the licence. No weights, no code, no model card: it would
# tell of another model.
_COPIED = (".json", ".jinja", ".model", ".tiktoken", ".txt", ".jsonl")
_OWN = {"config.json", "punie.json", "model.safetensors.index.json", "hf_quant_config.json"}
_PACKED = ("weight", "scales", "biases", "global_scale")
_LEGAL = ("LICENSE", "LICENCE", "NOTICE", "COPYING")


@dataclass(frozen=True)
class Format:
    """How weights are packed: `bits` for each, one scale for each `group_size` of them."""

    bits: int
    group_size: int = 64
    mode: str = "affine"

    @property
    def config(self) -> dict[str, Any]:
        """As config.json has it."""
        return {"group_size": self.group_size, "bits": self.bits, "mode": self.mode}


@dataclass(frozen=True)
class Layer:
    """A module with weights; `shape` is that of the weights before they were packed, `dtype` that of its numbers."""

    path: str
    kind: Kind
    shape: tuple[int, ...]
    dtype: str
    format: Format | None
    wanted: Any
    """What the model's own rule says about quantizing this layer: a bool, or settings (routers take 8 bits)."""

    @property
    def parameters(self) -> int:
        total = 1
        for side in self.shape:
            total *= side
        return total


Change = Callable[[Layer, Any, slice], Any]


@dataclass
class Source:
    """A model whose tensors are read when they are needed. `tensors` empties while it is rewritten."""

    folder: Path
    config: dict[str, Any]
    tensors: dict[str, Any]
    layers: dict[str, Layer]
    depth: int


@dataclass(frozen=True)
class Written:
    """What was written: bytes of all arrays, parameters (before packing), weight files."""

    size: int
    parameters: int
    shards: int

    @property
    def bits(self) -> float:
        """Bits per weight, scales included."""
        return self.size * 8 / max(self.parameters, 1)


def open_lazily(folder: Path) -> Source:
    """Open a model directory without reading its weights. Raises as `models.load.load` does."""
    load_blas()
    require_backend()
    check_complete(folder)
    with offline():
        import mlx.core as mx
        from mlx.utils import tree_flatten, tree_map
        from mlx_lm.utils import load_model

        try:
            model, resolved = load_model(folder, lazy=True, trust_remote_code=False)
        except (ValueError, TypeError, KeyError) as error:
            raise UsageError(f"model {folder.name} cannot be loaded: {str(error).splitlines()[0]}") from error
    config = read_config(folder)
    # mlx_lm translates older forms of quantization when it loads.
    for key in ("quantization", "quantization_config"):
        if key in resolved:
            config[key] = resolved[key]
    rule = getattr(model, "quant_predicate", None)
    found = (_layer(path, module, rule) for path, module in model.named_modules())
    layers = {layer.path: layer for layer in found if layer is not None}
    flat: Any = tree_flatten(model.parameters())
    floats = Counter(_name(array.dtype) for _, array in flat if mx.issubdtype(array.dtype, mx.floating))
    for layer in layers.values():
        # Scales of the mx formats are bytes and say nothing of the type that the model computes in.
        if layer.dtype == "uint8":
            layers[layer.path] = replace(layer, dtype=floats.most_common(1)[0][0])
    depth = len(model.layers)
    # A module that still held its arrays would keep every one that was read.
    model.update(tree_map(lambda _: mx.array([]), model.parameters()))
    return Source(folder, config, dict(flat), layers, depth)


def _layer(path: str, module: Any, rule: Any) -> Layer | None:
    import mlx.nn as nn
    from mlx_lm.models.switch_layers import QuantizedSwitchLinear, SwitchLinear

    kinds: dict[Kind, tuple[type, type]] = {
        "linear": (nn.Linear, nn.QuantizedLinear),
        "embedding": (nn.Embedding, nn.QuantizedEmbedding),
        "experts": (SwitchLinear, QuantizedSwitchLinear),
    }
    packed = "scales" in module and hasattr(module, "bits")
    if not packed and not hasattr(module, "to_quantized"):
        return None
    kind = next((kind for kind, classes in kinds.items() if isinstance(module, classes)), "other")
    if packed:
        layout = Format(module.bits, module.group_size, module.mode)
        shape = (*module.scales.shape[:-1], module.scales.shape[-1] * module.group_size)
        return Layer(path, kind, shape, _name(module.scales.dtype), layout, True)
    wanted = rule(path, module) if rule is not None else True
    return Layer(path, kind, tuple(module.weight.shape), _name(module.weight.dtype), None, wanted)


def rewrite(
    source: Source,
    target: Path,
    becomes: Mapping[str, Format | str],
    config: dict[str, Any],
    record: Callable[[Written], dict[str, Any]],
    *,
    change: Change = lambda layer, weight, rows: weight,
    force: bool = False,
    shard_bytes: int = SHARD_BYTES,
    progress: Progress = lambda step: None,
) -> Written:
    """Write the model anew into `target`, whole or not at all; `source` cannot be used afterwards.

    `becomes` says by module path how weights are kept: packed, or as a dtype by name; others stay as they are.
    `change` gets some rows (of experts: some experts) of each layer named there in float32. Raises UsageError where
    `target` exists (unless `force`), PunieError without enough disk and BusyError without enough memory, before it
    writes.
    """
    if target.resolve() == source.folder.resolve():
        raise UsageError(f"{target} is the model that is read", "--out ANOTHER_NAME")
    with locked(target, seconds=1.0):
        if target.exists() and not force:
            raise UsageError(f"{target} is there already", "--force replaces it, --out takes another name")
        if target.exists() and not (target / "config.json").is_file() and any(target.iterdir()):
            raise UsageError(f"{target} holds no model, so it is not replaced", "--out ANOTHER_NAME")
        total = _require_room(source, target, becomes, shard_bytes)
        with building(target) as part:
            copy_files(source.folder, part)
            writer = ShardWriter(part, shard_bytes)
            parameters = 0
            for path, names in grouped(source.tensors).items():
                leaves = {name.rpartition(".")[2]: source.tensors.pop(name) for name in names}
                layer = source.layers.get(path)
                parameters += _count(layer, leaves)
                if path in becomes:
                    leaves = _rewritten(path, layer, leaves, becomes[path], change)
                writer.add({f"{path}.{leaf}" if path else leaf: array for leaf, array in leaves.items()})
                progress(PullStep(f"writing {target.name}", writer.size, total))
            size, shards = writer.close()
            written = Written(size, parameters, shards)
            write_json(part / "config.json", config)
            write_json(part / "punie.json", record(written))
            check_complete(part)
    return written


def expand(layer: Layer, leaves: Mapping[str, Any]) -> Any:
    """The weights of a layer in float32: scale * code + bias, computed in float32."""
    import mlx.core as mx

    if layer.format is None:
        return leaves["weight"].astype(mx.float32)
    if leaves.get("global_scale") is not None:
        raise UsageError(f"{layer.path} is packed with a global scale, which punie cannot expand")
    affine = layer.format.mode == "affine"
    scales = leaves["scales"].astype(mx.float32) if affine else leaves["scales"]
    biases = leaves["biases"].astype(mx.float32) if affine else None
    how = layer.format
    return mx.dequantize(
        leaves["weight"], scales, biases, group_size=how.group_size, bits=how.bits, mode=how.mode, dtype=mx.float32
    )


def copy_files(source: Path, target: Path) -> None:
    """Copy tokenizer files, chat templates and the licence byte for byte."""
    for path in sorted(source.iterdir()):
        if path.is_dir() and path.name == "additional_chat_templates":
            shutil.copytree(path, target / path.name)
        elif path.is_file() and _is_copied(path.name):
            # Files of a hub cache are links.
            shutil.copyfile(path, target / path.name)


def _is_copied(name: str) -> bool:
    if name in _OWN or name.startswith("."):
        return False
    return name.endswith(_COPIED) or name.upper().startswith(_LEGAL)


class ShardWriter:
    """Weight files of at most `shard_bytes` (one tensor alone may be larger), and their index where there are more."""

    def __init__(self, folder: Path, shard_bytes: int = SHARD_BYTES) -> None:
        self._folder, self._limit = folder, shard_bytes
        self._held: dict[str, Any] = {}
        self._held_bytes = 0
        self._files: list[list[str]] = []
        self.size = 0

    def add(self, tensors: Mapping[str, Any]) -> None:
        """Compute the tensors, and write the shard before them when they no longer fit in."""
        import mlx.core as mx

        for name, array in tensors.items():
            if self._held and self._held_bytes + array.nbytes > self._limit:
                self._flush()
            mx.eval(array)
            self._held[name] = array
            self._held_bytes += array.nbytes
            self.size += array.nbytes

    def close(self) -> tuple[int, int]:
        """Write what is held; the bytes of all arrays, and the number of files."""
        if self._held:
            self._flush()
        count = len(self._files)
        if count == 1:
            self._part(0).rename(self._folder / "model.safetensors")
            return self.size, 1
        names = [f"model-{number:05d}-of-{count:05d}.safetensors" for number in range(1, count + 1)]
        for number, name in enumerate(names):
            self._part(number).rename(self._folder / name)
        places = {tensor: name for name, held in zip(names, self._files, strict=True) for tensor in held}
        index = {"metadata": {"total_size": self.size}, "weight_map": dict(sorted(places.items()))}
        write_json(self._folder / "model.safetensors.index.json", index)
        return self.size, count

    def _flush(self) -> None:
        import mlx.core as mx

        path = self._part(len(self._files))
        try:
            mx.save_safetensors(str(path), self._held, metadata={"format": "mlx"})
        except RuntimeError as error:
            free = shutil.disk_usage(self._folder).free
            message = f"{self._folder.parent} cannot be written: {error}; {free / 1e9:.2f} GB are free"
            raise PunieError(message, "punie models list") from error
        path.chmod(0o644)
        self._files.append(list(self._held))
        self._held, self._held_bytes = {}, 0
        # MLX keeps freed buffers for later; the next shard would come on top.
        mx.clear_cache()

    def _part(self, number: int) -> Path:
        return self._folder / f"part-{number}.safetensors"


def _rewritten(
    path: str, layer: Layer | None, leaves: dict[str, Any], becomes: Format | str, change: Change
) -> dict[str, Any]:
    import mlx.core as mx

    if layer is None:
        # Norms and the like: only ever cast.
        assert isinstance(becomes, str)
        return {leaf: _cast(f"{path}.{leaf}", array, becomes) for leaf, array in leaves.items()}
    parts: dict[str, list[Any]] = {}
    step = max(1, PART_WEIGHTS * layer.shape[0] // layer.parameters)
    for start in range(0, layer.shape[0], step):
        rows = slice(start, start + step)
        taken = {leaf: array[rows] for leaf, array in leaves.items() if leaf in _PACKED}
        weight = change(layer, expand(layer, taken), rows)
        if isinstance(becomes, str):
            made = {"weight": _cast(f"{path}.weight", weight, becomes)}
        else:
            made = _pack(weight, becomes, layer.dtype)
        mx.eval(made)
        for leaf, array in made.items():
            parts.setdefault(leaf, []).append(array)
    others = {leaf: array for leaf, array in leaves.items() if leaf not in _PACKED}
    if isinstance(becomes, str):
        others = {leaf: _cast(f"{path}.{leaf}", array, becomes) for leaf, array in others.items()}
    return {leaf: pieces[0] if len(pieces) == 1 else mx.concatenate(pieces) for leaf, pieces in parts.items()} | others


def _pack(weight: Any, into: Format, dtype: str) -> dict[str, Any]:
    import mlx.core as mx

    packed, scales, *biases = mx.quantize(weight, group_size=into.group_size, bits=into.bits, mode=into.mode)
    if into.mode == "affine":
        # In float32 they would make every product behind this layer float32.
        scales, biases = scales.astype(getattr(mx, dtype)), [b.astype(getattr(mx, dtype)) for b in biases]
    return {"weight": packed, "scales": scales, **({"biases": biases[0]} if biases else {})}


def _cast(name: str, array: Any, dtype: str) -> Any:
    import mlx.core as mx

    if not mx.issubdtype(array.dtype, mx.floating):
        return array
    cast = array.astype(getattr(mx, dtype))
    if not mx.isfinite(cast).all().item():
        raise PunieError(f"{name} has numbers that are not finite, or too large for {dtype}", "--mode touched")
    return cast


def _require_room(source: Source, target: Path, becomes: Mapping[str, Format | str], shard_bytes: int) -> int:
    """Check disk and memory; the estimated bytes of the result."""
    sizes = {path: _size(source, path, names, becomes) for path, names in grouped(source.tensors).items()}
    total = sum(sizes.values())
    require_disk(target, total + total // 50 + 20_000_000)
    # Beside the shard: a layer as it was and as it will be, and a part of it in float32, three times while it changes.
    need = min(total, shard_bytes) + 2 * max(sizes.values()) + 12 * PART_WEIGHTS
    free = psutil.virtual_memory().available
    if need > free:
        message = f"writing {target.name} needs {need / 1e9:.1f} GB of memory, {free / 1e9:.1f} GB are free"
        raise BusyError(message, "close other programs and try again")
    return total


def _size(source: Source, path: str, names: list[str], becomes: Mapping[str, Format | str]) -> int:
    import mlx.core as mx

    layer, into = source.layers.get(path), becomes.get(path)
    stored = sum(source.tensors[name].nbytes for name in names)
    if into is None or layer is None:
        return stored
    if isinstance(into, str):
        return layer.parameters * getattr(mx, into).size
    # Scale and bias of an affine group are two numbers of the layer's type; other modes have one byte.
    side = 2 * getattr(mx, layer.dtype).size if into.mode == "affine" else 1
    return layer.parameters * into.bits // 8 + layer.parameters // into.group_size * side


def grouped(tensors: Mapping[str, Any]) -> dict[str, list[str]]:
    """Names of tensors by the path of their module, in order."""
    groups: dict[str, list[str]] = {}
    for name in tensors:
        groups.setdefault(name.rpartition(".")[0], []).append(name)
    return groups


def _count(layer: Layer | None, leaves: Mapping[str, Any]) -> int:
    if layer is None or layer.format is None:
        return sum(array.size for array in leaves.values())
    return layer.parameters + (leaves["bias"].size if "bias" in leaves else 0)


def _name(dtype: Any) -> str:
    return str(dtype).rpartition(".")[2]
