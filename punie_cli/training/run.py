"""`punie train --phase N`: one execution of a phase, in a folder of its own below punie's data.

    runs/23-001/   run.json, metrics.jsonl, checkpoints/, adapter/

The finished adapter is copied to `adapters/phase-23`. A run that was stopped goes on with `--resume`.
"""

import json
import shutil
import signal
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from types import FrameType
from typing import Any

from filelock import FileLock, Timeout

from punie_cli import __version__
from punie_cli.agent.prompt import PromptCore, Renderer, dialect_for
from punie_cli.builtins.registry import Registry
from punie_cli.errors import BusyError, InterruptedByUser, MissingError, UsageError
from punie_cli.models import store
from punie_cli.models.building import building, write_json
from punie_cli.models.files import weight_hash
from punie_cli.models.load import load
from punie_cli.paths import data_dir
from punie_cli.rows.build import find_rows, read_split
from punie_cli.rows.row import data_hash
from punie_cli.training.batches import Stats, encode, steps_for
from punie_cli.training.phase import Phase, load_phase


@dataclass(frozen=True)
class Plan:
    """What a run will do, said before it starts. `context_tokens` is what the model will read, without padding."""

    phase: int
    run: Path
    model: str
    rows: Stats
    validation_rows: int
    steps: int
    context_tokens: int
    parameters: int
    resumed_at: int


@dataclass(frozen=True)
class Finished:
    """A finished run: the adapter of the best checkpoint."""

    adapter: Path
    step: int
    loss: float
    seconds: float


def train(
    *,
    phase: int,
    resume: bool = False,
    out: Path | None = None,
    model: str | None = None,
    report: Callable[[Any], None] = lambda event: None,
) -> Finished:
    """Train a phase's adapter. `report` gets the Plan, then loop.Step and loop.Validated as they happen.

    Raises BusyError while another training runs, InterruptedByUser after Ctrl-C or SIGTERM (a checkpoint is there),
    MissingError without rows or model, UsageError for a recipe or rows that cannot be used.
    """
    recipe = load_phase(phase)
    lock = FileLock(data_dir() / "train.lock")
    data_dir().mkdir(parents=True, exist_ok=True)
    try:
        with lock.acquire(timeout=0), _stop_signals() as stopping:
            return _train(recipe, resume, out, model or recipe.base, report, stopping.is_set)
    except Timeout:
        raise BusyError("another punie train is running", "try again when it has ended") from None


def _train(
    recipe: Phase, resume: bool, out: Path | None, name: str, report: Callable[[Any], None], stop: Callable[[], bool]
) -> Finished:
    base = store.find(name)
    rows_folder = find_rows(recipe)
    split = read_split(rows_folder)
    model, tokenizer, _ = load(base)
    core = PromptCore.build(Registry(recipe.builtins), dialect_for(tokenizer))
    renderer = Renderer(core, tokenizer)
    examples, stats = encode(split.train, renderer, recipe.train.max_tokens)
    validation, _ = encode(split.valid[: recipe.train.validation_rows], renderer, recipe.train.max_tokens)
    steps = steps_for(len(examples), recipe.train.batch, recipe.train.epochs)
    identity = {
        "phase": recipe.number,
        "recipe": recipe.model_dump(mode="json"),
        "recipe_hash": recipe.recipe_hash,
        "data_hash": data_hash(split.train),
        "prompt_hash": core.hash,
        "base": {"name": store.name_of(base), "hash": weight_hash(base)},
    }
    folder, last = _open_run(recipe.number, identity, resume)
    from punie_cli.training import checkpoint, loop

    parameters = loop.add_lora(model, recipe.lora)
    if last is None:
        write_json(folder / "run.json", identity | {"versions": versions(), "rows": str(rows_folder), "steps": steps})
    context = round(stats.tokens * recipe.train.epochs) + steps * stats.core
    done = int(last.name) if last else 0
    report(Plan(recipe.number, folder, name, stats, len(validation), steps, context, parameters, done))
    start = time.monotonic()
    with (folder / "metrics.jsonl").open("a", encoding="utf-8") as metrics:
        for event in loop.train(
            model, renderer.core_tokens, examples, validation, recipe, steps, folder / "checkpoints", last, stop
        ):
            metrics.write(json.dumps({"type": type(event).__name__.lower()} | asdict(event)) + "\n")
            metrics.flush()
            report(event)
            if isinstance(event, loop.Stopped):
                raise InterruptedByUser(
                    f"stopped after step {event.step} of {steps}; everything is kept in {folder}",
                    f"punie train --phase {recipe.number} --resume",
                )
    final = checkpoint.checkpoints(folder / "checkpoints")[-1]
    progress = json.loads((final / "progress.json").read_text(encoding="utf-8"))
    best = folder / "checkpoints" / f"{progress['best_step']:06d}"
    record = {
        "core": core.model_dump(mode="json"),
        **identity,
        "step": progress["best_step"],
        "steps": steps,
        "validation_loss": progress["best_loss"],
        "context_tokens": progress["tokens"],
        "train_seconds": round(progress["seconds"]),
        "rows": asdict(stats),
        "versions": versions(),
    }
    config = adapter_config(recipe, len(model.layers))
    made = write_adapter(folder / "adapter", best / "adapters.safetensors", config, record)
    target = out or data_dir() / "adapters" / f"phase-{recipe.number}"
    target.parent.mkdir(parents=True, exist_ok=True)
    with building(target) as part:
        shutil.copytree(made, part, dirs_exist_ok=True)
    write_json(folder / "done.json", {"adapter": str(target), "seconds": time.monotonic() - start})
    return Finished(target, progress["best_step"], progress["best_loss"], progress["seconds"])


def adapter_config(recipe: Phase, layers: int) -> dict[str, Any]:
    """`adapter_config.json` as mlx_lm's loader wants it."""
    lora = recipe.lora
    return {
        "fine_tune_type": "lora",
        "num_layers": layers if lora.layers == "all" else lora.layers,
        "lora_parameters": lora.parameters,
    }


def write_adapter(folder: Path, weights: Path, config: dict[str, Any], record: dict[str, Any]) -> Path:
    """An adapter folder in mlx_lm's format: float16 weights, its config, and punie.json with the prompt core."""
    import mlx.core as mx

    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    arrays: Any = mx.load(str(weights))
    halves = {name: value.astype(mx.float16) for name, value in arrays.items()}
    mx.save_safetensors(str(folder / "adapters.safetensors"), halves, {"format": "mlx"})
    write_json(folder / "adapter_config.json", config)
    write_json(folder / "punie.json", record)
    return folder


def versions() -> dict[str, str]:
    """Versions that a result depends on."""
    return {"punie": __version__} | {name: version(name) for name in ("mlx", "mlx-lm", "transformers", "ty")}


def _open_run(phase: int, identity: dict[str, Any], resume: bool) -> tuple[Path, Path | None]:
    """The folder of a new run, or the last one with the checkpoint to go on from."""
    from punie_cli.training.checkpoint import checkpoints

    root = data_dir() / "runs"
    runs = sorted(root.glob(f"{phase}-[0-9][0-9][0-9]"))
    if not resume:
        number = int(runs[-1].name.rpartition("-")[2]) + 1 if runs else 1
        folder = root / f"{phase}-{number:03d}"
        folder.mkdir(parents=True)
        return folder, None
    if not runs or (runs[-1] / "done.json").exists():
        raise MissingError(f"phase {phase} has no unfinished run", f"punie train --phase {phase}")
    folder = runs[-1]
    then = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    for key in ("recipe_hash", "data_hash", "prompt_hash", "base"):
        if then[key] != identity[key]:
            raise UsageError(
                f"{folder.name} cannot go on: its {key} was {then[key]}, now it is {identity[key]}",
                f"punie train --phase {phase}",
            )
    saved = checkpoints(folder / "checkpoints")
    return folder, saved[-1] if saved else None


@contextmanager
def _stop_signals() -> Generator[threading.Event]:
    """The first Ctrl-C or SIGTERM asks the loop to stop after its step; a second one ends at once."""
    stopping = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stopping
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def ask(number: int, frame: FrameType | None) -> None:
        stopping.set()
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)

    for number in before:
        signal.signal(number, ask)
    try:
        yield stopping
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
