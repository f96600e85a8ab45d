"""The adapter that a run leaves: mlx_lm's two files, and punie.json with the prompt core that it was trained under."""

import shutil
from pathlib import Path
from typing import Any

from punie_cli.errors import PunieError
from punie_cli.models.building import building, write_json
from punie_cli.training.phase import Phase


def adapter_config(phase: Phase, layers: int) -> dict[str, Any]:
    """`adapter_config.json` as mlx_lm's loader wants it; `layers` is the number of the model's layers."""
    lora = phase.lora
    return {
        "fine_tune_type": phase.train.method,
        "num_layers": layers if lora.layers == "all" else lora.layers,
        "lora_parameters": lora.parameters,
    }


def write_adapter(folder: Path, weights: Path, config: dict[str, Any], record: dict[str, Any]) -> Path:
    """Write an adapter folder from a checkpoint's weights; LoRA factors as float16, all else as it is."""
    import mlx.core as mx

    folder.parent.mkdir(parents=True, exist_ok=True)
    with building(folder) as part:
        arrays: Any = mx.load(str(weights))
        # DoRA's magnitudes scale whole layers: half precision there would be felt.
        kept = {
            name: value.astype(mx.float16) if name.endswith(("lora_a", "lora_b")) else value
            for name, value in arrays.items()
        }
        try:
            mx.save_safetensors(str(part / "adapters.safetensors"), kept, {"format": "mlx"})
        except RuntimeError as problem:
            raise PunieError(
                f"the adapter could not be written: {problem}", "make room on the disk, then train with --resume"
            ) from problem
        write_json(part / "adapter_config.json", config)
        write_json(part / "punie.json", record)
    return folder


def publish(made: Path, target: Path) -> None:
    """Copy a finished adapter to where it is used from."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with building(target) as part:
        shutil.copytree(made, part, dirs_exist_ok=True)
