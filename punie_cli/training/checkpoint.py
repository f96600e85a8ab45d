"""What a run keeps: adapter, optimizer state, position. Written whole or not at all; resuming from it is exact."""

import json
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import mlx.core as mx
from mlx.utils import tree_flatten, tree_unflatten

from punie_cli.errors import MissingError, PunieError
from punie_cli.models.building import building
from punie_cli.models.files import read_header

KEPT = 2


@dataclass
class Progress:
    """Where a run stands after `step` optimizer steps."""

    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    best_loss: float | None = None
    best_score: float | None = None
    best_step: int | None = None
    since_best: int = 0
    """Validations since the best one."""
    losses: list[tuple[int, float]] = field(default_factory=list)
    """(step, validation loss)."""

    @property
    def validated(self) -> int:
        """The step of the last validation, 0 before the first."""
        return self.losses[-1][0] if self.losses else 0

    def judge(self, loss: float, score: float | None) -> bool:
        """Take in a validation of this step; True if it is the best so far: by score, then by loss."""
        self.losses.append((self.step, loss))
        best = self.best_step is None or self.best_loss is None or _better(score, loss, self.best_score, self.best_loss)
        if best:
            self.best_loss, self.best_score, self.best_step, self.since_best = loss, score, self.step, 0
        else:
            self.since_best += 1
        return best


def _better(score: float | None, loss: float, best_score: float | None, best_loss: float) -> bool:
    if score is None or best_score is None or score == best_score:
        return loss < best_loss
    return score > best_score


def save(folder: Path, model: Any, optimizer: Any, progress: Progress) -> Path:
    """Write `folder/STEP`, then drop all but the newest two and the best. Returns the checkpoint's folder.

    Raises PunieError when it cannot be written, as on a full disk: the last whole one stays.
    """
    target = folder / f"{progress.step:06d}"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with building(target) as part:
            _write(part / "adapters.safetensors", model.trainable_parameters())
            _write(part / "optimizer.safetensors", optimizer.state)
            (part / "progress.json").write_text(json.dumps(asdict(progress)), encoding="utf-8")
    except (OSError, PunieError, RuntimeError) as problem:
        last = checkpoints(folder)
        kept = f"the last whole one is {last[-1]}" if last else "there is no earlier one"
        raise PunieError(
            f"the checkpoint of step {progress.step} could not be written: {problem}; {kept}",
            "make room on the disk, then train with --resume",
        ) from problem
    for old in checkpoints(folder)[:-KEPT]:
        if int(old.name) != progress.best_step:
            shutil.rmtree(old)
    return target


def size(model: Any) -> int:
    """Bytes of one checkpoint: the trained parameters, and Adam's two moments of each."""
    arrays: Any = tree_flatten(model.trainable_parameters())
    return 3 * sum(value.nbytes for _, value in arrays)


def checkpoints(folder: Path) -> list[Path]:
    """Whole checkpoints below a folder, oldest first."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.name.isdigit())


def read_progress(checkpoint: Path) -> Progress:
    """Where the run stood at a checkpoint. Raises MissingError for a damaged file."""
    try:
        fields = json.loads((checkpoint / "progress.json").read_text(encoding="utf-8"))
        fields["losses"] = [tuple(pair) for pair in fields["losses"]]
        return Progress(**fields)
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise _damaged(checkpoint, problem) from problem


def restore(checkpoint: Path, model: Any, optimizer: Any) -> Progress:
    """Put a checkpoint's weights and optimizer state back. Raises MissingError if a file of it is damaged."""
    progress = read_progress(checkpoint)
    try:
        model.load_weights(str(checkpoint / "adapters.safetensors"), strict=False)
        state: Any = mx.load(str(checkpoint / "optimizer.safetensors"))
        optimizer.state = tree_unflatten(list(state.items()))
    except (OSError, ValueError, RuntimeError) as problem:
        raise _damaged(checkpoint, problem) from problem
    mx.eval(model.parameters(), optimizer.state)
    return progress


def _write(path: Path, tree: Any) -> None:
    mx.save_safetensors(str(path), dict(tree_flatten(tree)))
    # A short write need not be an error of the writer.
    read_header(path)


def _damaged(checkpoint: Path, problem: Exception) -> MissingError:
    return MissingError(
        f"checkpoint {checkpoint} is damaged: {problem}", f"delete {checkpoint} and train with --resume again"
    )
