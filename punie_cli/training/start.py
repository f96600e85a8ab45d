"""The adapter that a training begins with, in the place of LoRA factors drawn at random: `train.start` of a phase."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from punie_cli.errors import MissingError, UsageError
from punie_cli.models import store
from punie_cli.models.load import check_adapter
from punie_cli.training.fingerprints import adapter_hash
from punie_cli.training.phase import Phase


@dataclass(frozen=True)
class Start:
    """An adapter that is there; `hash` is over its weights, settings and record."""

    name: str
    folder: Path
    hash: str

    @property
    def record(self) -> dict[str, str]:
        """What the run and its adapter keep of it."""
        return {"name": self.name, "hash": self.hash}


def find_start(phase: Phase, base_hash: str) -> Start | None:
    """The adapter that the phase begins with, by name or folder; None for a phase that begins with none.

    Raises MissingError where it is not there or damaged; UsageError for one of another base, or where method or
    scale differ from those of the recipe: the same numbers would be another update.
    """
    name = phase.train.start
    if name is None:
        return None
    folder = store.adapter_folder(name)
    if folder is None:
        number = name.removeprefix("phase-")
        hint = f"punie train --phase {number}" if number.isdecimal() else "--set train.start=NAME with another adapter"
        raise MissingError(f"train.start: there is no adapter {name!r}", hint)
    check_adapter(folder)
    try:
        config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
        method = config.get("fine_tune_type", "lora")
        scale = None if method == "full" else float(config["lora_parameters"]["scale"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as problem:
        raise MissingError(f"{folder / 'adapter_config.json'} cannot be read: {problem!r}", "punie train") from problem
    if method != phase.train.method:
        raise UsageError(
            f"train.start: adapter {name} was trained by {method}, train.method is {phase.train.method}",
            f"--set train.method={method}",
        )
    if scale is not None and scale != phase.lora.scale:
        raise UsageError(
            f"train.start: adapter {name} has scale {scale:g}, lora.scale is {phase.lora.scale:g}",
            f"--set lora.scale={scale:g}",
        )
    if (its_base := _base_hash(folder)) not in (None, base_hash):
        raise UsageError(
            f"train.start: adapter {name} was trained on another base ({its_base}) than {phase.base} ({base_hash})",
            "--model with its base, or another train.start",
        )
    digest = adapter_hash(str(folder))
    if digest is None:
        raise MissingError(f"train.start: adapter {name} has no punie.json", "use one that punie train made")
    return Start(name, folder, digest[:16])


def begin_with(start: Start, model: Any) -> None:
    """Put the adapter's weights into a model that `adapt` has prepared.

    Raises UsageError unless it has exactly the parameters that are trained, in the same shapes.
    """
    import mlx.core as mx
    from mlx.utils import tree_flatten

    arrays: Any = mx.load(str(start.folder / "adapters.safetensors"))
    trained: Any = dict(tree_flatten(model.trainable_parameters()))
    for path in sorted(trained.keys() | arrays.keys()):
        there, wanted = arrays.get(path), trained.get(path)
        if there is None or wanted is None or there.shape != wanted.shape:
            shapes = [tuple(array.shape) if array is not None else "nothing" for array in (there, wanted)]
            raise UsageError(
                f"train.start: adapter {start.name} has {shapes[0]} at {path}, the recipe {shapes[1]}",
                "give lora.rank, lora.layers and lora.keys as the adapter has them",
            )
    model.load_weights([(path, array.astype(trained[path].dtype)) for path, array in arrays.items()], strict=False)
    mx.eval(model.parameters())


def _base_hash(folder: Path) -> str | None:
    try:
        return json.loads((folder / "punie.json").read_text(encoding="utf-8"))["base"]["hash"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
