"""`punie fuse`: an adapter goes into the weights of its base, and what comes out is a model of its own.

    punie fuse --phase 23
    punie fuse --phase 23 --mode float16

Fusing into 4-bit weights and packing them into 4 bits again loses most of what an adapter has learned: its update is
smaller than the step of the grid. So layers that the adapter touches get 8 bits, and all others stay bit for bit.
"""

import json
import shlex
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from punie_cli.agent.open import Choice, adapter_folder, choose
from punie_cli.engine.blas import load_blas
from punie_cli.errors import MissingError, UsageError
from punie_cli.models import store
from punie_cli.models.building import Progress
from punie_cli.models.files import read_record, weight_hash
from punie_cli.models.load import check_adapter
from punie_cli.models.stream import SHARD_BYTES, Change, Format, Layer, Source, Written, grouped, open_lazily, rewrite
from punie_cli.settings import Settings
from punie_cli.training.fingerprints import adapter_hash
from punie_cli.training.versions import versions

Mode = Literal["touched", "float16", "base"]
MODES: tuple[Mode, ...] = get_args(Mode)

TOUCHED = Format(8, 64)


@dataclass(frozen=True)
class Made:
    """A model that was fused or quantized. `size` in bytes of all arrays; `changed` layers of `layers` are new."""

    name: str
    folder: Path
    size: int
    parameters: int
    bits: float
    shards: int
    changed: int
    layers: int
    seconds: float


@dataclass(frozen=True)
class Adapter:
    """An adapter's weights by the path of the layer that they belong to."""

    folder: Path
    method: str
    scale: float
    weights: dict[str, dict[str, Any]]
    record: dict[str, Any]


def find(settings: Settings, phase: int | None = None) -> Choice:
    """What to fuse: the adapter of a phase or of the settings, on the settings' model or the base that it names.

    Without any of them it is the model in use with its adapter. MissingError where one is absent or does not fit.
    """
    if phase is not None:
        if settings.adapter is not None:
            raise UsageError(f"--phase {phase} and an adapter are both named", f"punie fuse --phase {phase}")
        settings = settings.model_copy(update={"adapter": f"phase-{phase}"})
    if settings.adapter not in (None, "none") and settings.model is None:
        folder = adapter_folder(settings.adapter, store.in_use().model)
        settings = settings.model_copy(update={"model": _base_of(folder)})
    choice = choose(settings)
    if choice.adapter is None:
        raise UsageError(f"model {choice.name} has no adapter to fuse", "punie fuse --adapter NAME")
    return choice


def fuse(
    choice: Choice,
    *,
    mode: Mode = "touched",
    out: str | None = None,
    force: bool = False,
    shard_bytes: int = SHARD_BYTES,
    progress: Progress = lambda step: None,
) -> Made:
    """Write the fused model into the store, or into the folder `out`; streams, so memory holds about one shard.

    `touched`: adapted layers at 8 bits where the base is packed, in the base's own type where it is not. `float16`:
    every layer. `base`: adapted layers packed as the base has them. Raises MissingError for an adapter that does not
    fit, UsageError where the target exists; see `models.stream.rewrite` for disk and memory.
    """
    start = time.monotonic()
    if choice.adapter is None:
        raise UsageError(f"model {choice.name} has no adapter to fuse", "punie fuse --adapter NAME")
    adapter = read_adapter(choice.adapter)
    target = store.new_folder(out or _default_name(choice, mode))
    source = open_lazily(choice.model)
    check_fits(adapter, source)
    touched = sorted(adapter.weights)
    if adapter.method == "full":
        _replace(adapter, source)
    becomes: dict[str, Format | str]
    if mode == "float16":
        becomes = dict.fromkeys(_to_float16(source, adapter), "float16")
    else:
        becomes = {path: _kept_as(source.layers[path], mode) for path in touched if path in source.layers}
    config = _config(source, becomes, mode)
    lineage = {
        "made": "fuse",
        "mode": mode,
        "bits": TOUCHED.bits if mode == "touched" else None,
        "touched": len(touched),
        "base": {"name": choice.name, "hash": weight_hash(choice.model)},
        "adapter": {
            "name": choice.adapter.name,
            "folder": str(choice.adapter),
            "hash": adapter_hash(str(choice.adapter)),
            "phase": adapter.record.get("phase"),
        },
        "versions": versions(),
    }
    base = read_record(choice.model)
    command = ["--adapter", str(choice.adapter), "--model", choice.name, "--mode", mode, "--out", store.name_of(target)]

    def record(written: Written) -> dict[str, Any]:
        return {
            "source": "fused",
            "origin": f"{choice.name} + {choice.adapter.name if choice.adapter else ''}",
            "licence": base.get("licence", ""),
            "made_by": shlex.join(["punie", "fuse", *command]),
            **({"core": choice.core.model_dump(mode="json")} if choice.core else {}),
            **({"prompt_hash": choice.core.hash} if choice.core else {}),
            "lineage": lineage | {"bits_per_weight": round(written.bits, 3)},
        }

    layers = len(source.layers)
    written = rewrite(
        source,
        target,
        becomes,
        config,
        record,
        change=_change(adapter),
        force=force,
        shard_bytes=shard_bytes,
        progress=progress,
    )
    changed = sum(path in becomes for path in source.layers)
    return Made(
        store.name_of(target),
        target,
        written.size,
        written.parameters,
        round(written.bits, 3),
        written.shards,
        changed,
        layers,
        round(time.monotonic() - start, 2),
    )


def read_adapter(folder: Path) -> Adapter:
    """Read an adapter in mlx_lm's format: LoRA, DoRA, or whole layers. MissingError where it is damaged."""
    check_adapter(folder)
    # Before mlx, or comparing the models would be 40 times slower on a CPU.
    load_blas()
    import mlx.core as mx

    try:
        config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
        method = config.get("fine_tune_type", "lora")
        scale = 1.0 if method == "full" else float(config["lora_parameters"]["scale"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise MissingError(f"{folder / 'adapter_config.json'} cannot be read: {error!r}", "punie train") from error
    weights: dict[str, dict[str, Any]] = {}
    arrays: Any = mx.load(str(folder / "adapters.safetensors"))
    for name, array in arrays.items():
        path, _, leaf = name.rpartition(".")
        weights.setdefault(path, {})[leaf] = array
    return Adapter(folder, method, scale, weights, read_record(folder))


def check_fits(adapter: Adapter, source: Source) -> None:
    """Raise MissingError unless every weight of the adapter has its place in the model."""

    def misfit(path: str, why: str) -> MissingError:
        return MissingError(
            f"adapter {adapter.folder} does not fit model {source.folder.name}: {path} {why}", "punie models list"
        )

    for path, leaves in adapter.weights.items():
        if adapter.method == "full":
            for leaf, array in leaves.items():
                there = source.tensors.get(f"{path}.{leaf}")
                if there is None or there.shape != array.shape:
                    raise misfit(f"{path}.{leaf}", "is no weight of it, or has another shape")
                if path in source.layers and source.layers[path].format is not None:
                    raise misfit(path, "is packed")
            continue
        layer = source.layers.get(path)
        if layer is None or layer.kind == "other":
            raise misfit(path, "is no layer that can be fused")
        expected = {"lora_a", "lora_b"} | ({"m"} if adapter.method == "dora" else set())
        if set(leaves) != expected:
            raise misfit(path, f"has {', '.join(sorted(leaves))}, not {', '.join(sorted(expected))}")
        if not _fits(layer, *_factors(layer, leaves["lora_a"], leaves["lora_b"])):
            raise misfit(path, f"has another shape than {layer.shape}")


def _change(adapter: Adapter) -> Change:
    import mlx.core as mx

    def change(layer: Layer, weight: Any, rows: slice) -> Any:
        leaves = adapter.weights.get(layer.path)
        if leaves is None or adapter.method == "full":
            return weight
        left, right = (side.astype(mx.float32) for side in _factors(layer, leaves["lora_a"], leaves["lora_b"]))
        fused = weight + adapter.scale * (left[rows] @ (right[rows] if layer.kind == "experts" else right))
        if adapter.method == "dora":
            # The adapter holds the length of each row; LoRA gives its direction.
            fused = (leaves["m"][rows].astype(mx.float32) / mx.linalg.norm(fused, axis=1))[:, None] * fused
        return fused

    return change


def _factors(layer: Layer, a: Any, b: Any) -> tuple[Any, Any]:
    """The two matrices whose product has the layout of the layer's weights.

    mlx_lm keeps of a linear layer A (in, r), B (r, out); of an embedding A (tokens, r), B (r, width); of experts
    A (experts, r, in), B (experts, out, r).
    """
    if layer.kind == "experts":
        return b, a
    return (a, b) if layer.kind == "embedding" else (b.T, a.T)


def _fits(layer: Layer, left: Any, right: Any) -> bool:
    if left.ndim != right.ndim or left.ndim != len(layer.shape) or left.shape[:-2] != right.shape[:-2]:
        return False
    return left.shape[-1] == right.shape[-2] and (*left.shape[:-1], right.shape[-1]) == layer.shape


def _to_float16(source: Source, adapter: Adapter) -> list[str]:
    """Modules that are touched, packed, or in another type."""
    import mlx.core as mx

    def differs(path: str, names: list[str]) -> bool:
        layer = source.layers.get(path)
        packed = layer is not None and layer.format is not None
        return packed or any(source.tensors[name].dtype != mx.float16 for name in names)

    return [path for path, names in grouped(source.tensors).items() if path in adapter.weights or differs(path, names)]


def _replace(adapter: Adapter, source: Source) -> None:
    for path, leaves in adapter.weights.items():
        for leaf, array in leaves.items():
            name = f"{path}.{leaf}"
            source.tensors[name] = array.astype(source.tensors[name].dtype)


def _kept_as(layer: Layer, mode: Mode) -> Format | str:
    if layer.format is None:
        return layer.dtype
    if mode == "base":
        return layer.format
    # A width that 64 does not divide, 32 may.
    for size in (TOUCHED.group_size, layer.format.group_size):
        if layer.shape[-1] % size == 0 and size in (32, 64, 128):
            return Format(TOUCHED.bits, size)
    return layer.dtype


def _config(source: Source, becomes: dict[str, Format | str], mode: Mode) -> dict[str, Any]:
    config = dict(source.config)
    quantization = config.get("quantization")
    if mode == "float16":
        return plain(config, "float16")
    if quantization and mode == "touched":
        own = {path: how.config if isinstance(how, Format) else False for path, how in becomes.items()}
        config["quantization"] = config["quantization_config"] = {**quantization, **own}
    return config


def plain(config: dict[str, Any], dtype: str) -> dict[str, Any]:
    """A config without quantization, for weights of one type."""
    config = {key: value for key, value in config.items() if key not in ("quantization", "quantization_config")}
    text = config.get("text_config")
    if isinstance(text, dict):
        config["text_config"] = {key: value for key, value in text.items() if key != "quantization_config"}
    names = [key for key in ("torch_dtype", "dtype") if key in config] or ["torch_dtype"]
    return config | dict.fromkeys(names, dtype)


def _base_of(adapter: Path) -> str | None:
    base = read_record(adapter).get("base")
    return base.get("name") if isinstance(base, dict) else None


def _default_name(choice: Choice, mode: Mode) -> str:
    base, adapter = Path(choice.name).name, choice.adapter.name if choice.adapter else ""
    # The adapter that ships for a model has the model's name.
    name = f"{base}-fused" if adapter == base else f"{base}-{adapter}"
    return name if mode == "touched" else f"{name}-{mode}"
