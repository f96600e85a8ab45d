"""What a run keeps: adapter, optimizer state, position. Written whole or not at all; resuming from it is exact."""

import json
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import mlx.core as mx
from mlx.utils import tree_flatten, tree_unflatten

from punie_cli.errors import MissingError
from punie_cli.models.building import building

KEPT = 2


@dataclass
class Progress:
    """Where a run stands after `step` optimizer steps."""

    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    best_loss: float | None = None
    best_step: int | None = None
    losses: list[tuple[int, float]] = field(default_factory=list)
    """(step, validation loss)."""


def save(folder: Path, model: Any, optimizer: Any, progress: Progress) -> Path:
    """Write `folder/STEP`, then drop all but the newest two and the best. Returns the checkpoint's folder."""
    target = folder / f"{progress.step:06d}"
    folder.mkdir(parents=True, exist_ok=True)
    with building(target) as part:
        mx.save_safetensors(str(part / "adapters.safetensors"), dict(tree_flatten(model.trainable_parameters())))
        mx.save_safetensors(str(part / "optimizer.safetensors"), dict(tree_flatten(optimizer.state)))
        (part / "progress.json").write_text(json.dumps(asdict(progress)), encoding="utf-8")
    for old in checkpoints(folder)[:-KEPT]:
        if int(old.name) != progress.best_step:
            shutil.rmtree(old)
    return target


def checkpoints(folder: Path) -> list[Path]:
    """Whole checkpoints below a folder, oldest first."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.name.isdigit())


def restore(checkpoint: Path, model: Any, optimizer: Any) -> Progress:
    """Put a checkpoint's weights and optimizer state back. Raises MissingError if a file of it is damaged."""
    try:
        model.load_weights(str(checkpoint / "adapters.safetensors"), strict=False)
        state: Any = mx.load(str(checkpoint / "optimizer.safetensors"))
        optimizer.state = tree_unflatten(list(state.items()))
        fields = json.loads((checkpoint / "progress.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RuntimeError) as problem:
        raise MissingError(
            f"checkpoint {checkpoint} is damaged: {problem}", f"delete {checkpoint} and train with --resume again"
        ) from problem
    mx.eval(model.parameters(), optimizer.state)
    fields["losses"] = [tuple(pair) for pair in fields["losses"]]
    return Progress(**fields)
