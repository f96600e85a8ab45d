"""`punie quantize`: a model with fewer bits for each weight.

punie quantize --model smollm2-135m-phase-23-float16 --bits 5
punie quantize --bits 4 --group-size 32 --mixed
"""

import re
import shlex
import time
from pathlib import Path
from typing import Any

from punie_cli.errors import UsageError
from punie_cli.models import store
from punie_cli.models.building import Progress
from punie_cli.models.files import read_record, weight_hash
from punie_cli.models.stream import SHARD_BYTES, Format, Layer, Source, Written, open_lazily, rewrite
from punie_cli.training.fuse import Made
from punie_cli.training.versions import versions

BITS = (2, 3, 4, 5, 6, 8)
GROUP_SIZES = (32, 64, 128)
# More bits for sensitive layers, as in mlx_lm's recipes mixed_2_6, mixed_3_6 and mixed_4_6.
HIGH_BITS = {2: 6, 3: 6, 4: 6, 5: 8, 6: 8}
_INDEX = re.compile(r"\.(\d+)\.")


def quantize(
    model: str | None = None,
    *,
    bits: int,
    group_size: int = 64,
    mixed: bool = False,
    out: str | None = None,
    force: bool = False,
    shard_bytes: int = SHARD_BYTES,
    progress: Progress = lambda step: None,
) -> Made:
    """Write a quantized copy of a model (None: the one in use) into the store, or into the folder `out`.

    Streams, so memory holds about one shard. Layers whose width `group_size` does not divide stay as they are; a
    router keeps the 8 bits that mlx_lm gives it. Raises UsageError for a model that is quantized already and where
    the target exists; see `models.stream.rewrite` for disk and memory.
    """
    start = time.monotonic()
    if bits not in BITS or group_size not in GROUP_SIZES:
        raise UsageError(
            f"weights cannot have {bits} bits in groups of {group_size}",
            f"--bits {'|'.join(map(str, BITS))} --group-size {'|'.join(map(str, GROUP_SIZES))}",
        )
    if mixed and bits not in HIGH_BITS:
        raise UsageError(f"--mixed gives some layers more than {bits} bits, which there are not", "leave --mixed out")
    folder = store.find(model)
    name = store.name_of(folder)
    target = store.new_folder(out or _default_name(folder, bits, mixed))
    source = open_lazily(folder)
    if any(layer.format is not None for layer in source.layers.values()):
        raise UsageError(
            f"model {name} is quantized already; packing it again would lose more than its bits say",
            "punie fuse --mode float16, then punie quantize --model NAME-float16",
        )
    becomes = formats(source, bits, group_size, mixed=mixed)
    base = read_record(folder)
    lineage = {
        "made": "quantize",
        "bits": bits,
        "group_size": group_size,
        "mixed": mixed,
        "base": {"name": name, "hash": weight_hash(folder)},
        "of": base.get("lineage"),
        "versions": versions(),
    }
    command = ["--model", name, "--bits", str(bits), "--group-size", str(group_size)]
    command += ["--out", store.name_of(target), *(["--mixed"] if mixed else [])]

    def record(written: Written) -> dict[str, Any]:
        carried = {key: base[key] for key in ("core", "prompt_hash") if key in base}
        return {
            "source": "quantized",
            "origin": f"{name} at {bits} bits{', mixed' if mixed else ''}",
            "licence": base.get("licence", ""),
            "made_by": shlex.join(["punie", "quantize", *command]),
            **carried,
            "lineage": lineage | {"bits_per_weight": round(written.bits, 3)},
        }

    layers = len(source.layers)
    config = _config(source.config, becomes, Format(bits, group_size))
    written = rewrite(source, target, becomes, config, record, force=force, shard_bytes=shard_bytes, progress=progress)
    return Made(
        store.name_of(target),
        target,
        written.size,
        written.parameters,
        round(written.bits, 3),
        written.shards,
        len(becomes),
        layers,
        round(time.monotonic() - start, 2),
    )


def formats(source: Source, bits: int, group_size: int, *, mixed: bool) -> dict[str, Format]:
    """How each layer is packed, by path; layers that stay as they are have no entry."""
    found = {}
    tied = "lm_head" not in source.layers
    for path, layer in source.layers.items():
        if not layer.wanted or layer.shape[-1] % group_size:
            continue
        if isinstance(layer.wanted, dict):
            own = Format(layer.wanted.get("bits", bits), layer.wanted.get("group_size", group_size))
            if layer.shape[-1] % own.group_size == 0:
                found[path] = own
            continue
        high = mixed and sensitive(layer, source.depth, tied=tied)
        found[path] = Format(HIGH_BITS[bits] if high else bits, group_size)
    return found


def sensitive(layer: Layer, depth: int, *, tied: bool) -> bool:
    """Whether `--mixed` gives a layer more bits: llama.cpp's Q4_K_M rule, as in mlx_lm's mixed recipes.

    The head (the embedding where both are one), and v_proj and down_proj in the first and last eighth of the layers
    and in every third between.
    """
    if layer.path.endswith("lm_head") or (tied and layer.path.endswith("embed_tokens")):
        return True
    if not any(name in layer.path for name in ("v_proj", "v_a_proj", "v_b_proj", "down_proj")):
        return False
    found = _INDEX.search(layer.path)
    index = int(found[1]) if found else 0
    return index < depth // 8 or index >= 7 * depth // 8 or (index - depth // 8) % 3 == 2


def _config(config: dict[str, Any], becomes: dict[str, Format], usual: Format) -> dict[str, Any]:
    own = {path: how.config for path, how in becomes.items() if how != usual}
    quantization = {**usual.config, **own}
    return config | {"quantization": quantization, "quantization_config": quantization}


def _default_name(folder: Path, bits: int, mixed: bool) -> str:
    return f"{folder.name.removesuffix('-float16')}-{bits}bit{'-mixed' if mixed else ''}"
