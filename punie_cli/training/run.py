"""`punie train --phase N`: one execution of a phase, in a folder of its own below punie's data.

    runs/23-001/   run.json, metrics.jsonl, checkpoints/, adapter/, done.json

The finished adapter is copied to `adapters/phase-23`. A run that was stopped goes on with `--resume`.
"""

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from punie_cli.engine.blas import backend, load_blas
from punie_cli.errors import BusyError, InterruptedByUser, MissingError, UsageError
from punie_cli.models import store
from punie_cli.models.building import locked, require_disk, write_json
from punie_cli.models.files import weight_hash
from punie_cli.paths import data_dir
from punie_cli.rows.row import data_hash
from punie_cli.training.adapter import adapter_config, publish, write_adapter
from punie_cli.training.folder import SAME, Metrics, held, machine, new_run, read_run, require_same, unfinished
from punie_cli.training.phase import Phase, make_phase
from punie_cli.training.plan import Data, context_tokens, read_data, steps_of
from punie_cli.training.recipe import changed, resolve
from punie_cli.training.reports import Finished, Plan, Preflight, Report, Saved, Stopped, Warned
from punie_cli.training.signals import stop_signals
from punie_cli.training.start import begin_with, find_start
from punie_cli.training.versions import git_state, versions
from punie_cli.training.watched import begun, watched

Tell = Callable[[Report], None]


@dataclass(frozen=True)
class _Run:
    """A run that is about to begin or to go on: `then` is its run.json, None for a new one."""

    phase: Phase
    folder: Path
    then: dict[str, Any] | None
    out: Path
    force: bool
    group: Any

    @property
    def writes(self) -> bool:
        return self.group is None or self.group.rank == 0

    @property
    def hint(self) -> str:
        return f"punie train --phase {self.phase.number} --resume"


def train(
    *,
    phase: int,
    resume: bool = False,
    out: Path | None = None,
    model: str | None = None,
    sets: Sequence[str] = (),
    force: bool = False,
    report: Tell = lambda event: None,
    group: Any = None,
) -> Finished:
    """Train a phase's adapter; `report` gets what happens (`training.reports`).

    `sets` are `KEY=VALUE` on top of the phase. `force` trains in spite of too little memory, and resumes in spite of
    other BLAS settings. `group` (`distributed.Group`): this process is one of several hosts.

    Raises BusyError while another process trains in the run's folder or when memory is too short, InterruptedByUser
    after Ctrl-C or SIGTERM (a checkpoint is there), MissingError without rows or model, UsageError for a recipe or rows
    that cannot be used, PunieError for a checkpoint that cannot be written.
    """
    with ExitStack() as stack:
        stopping = stack.enter_context(stop_signals())
        run = _open(phase, resume, out, model, sets, force, group)
        if run.writes:
            stack.enter_context(held(run.folder))
            # process.json while it goes on, report.html at the end, failed.json: what `punie runs` reads.
            stack.enter_context(watched(run.folder))
            if not stack.enter_context(machine()):
                report(Warned("another punie train is running on this machine: both will be slower"))
        try:
            return _train(run, report, stopping.is_set)
        except BaseException:
            if run.writes and not (run.folder / "run.json").exists():
                shutil.rmtree(run.folder, ignore_errors=True)
            raise


def _open(
    number: int, resume: bool, out: Path | None, model: str | None, sets: Sequence[str], force: bool, group: Any
) -> _Run:
    """The recipe and the folder of a run; hosts behind the first take its recipe, and have no folder."""
    out_by_default = data_dir() / "adapters" / f"phase-{number}"
    if group is not None and group.rank > 0:
        return _Run(_first_recipe(group), Path(), None, out or out_by_default, force, group)
    if not resume:
        phase = resolve(number, sets, model).phase
        _first_recipe(group, phase)
        return _Run(phase, new_run(number), None, out or out_by_default, force, group)
    folder = unfinished(number)
    then = read_run(folder)
    phase = make_phase(then["recipe"], str(folder / "run.json"))
    if changed(phase, sets, model).training_hash != phase.training_hash:
        raise UsageError(
            f"{folder.name} goes on by the recipe that it began with; --set and --model would change it",
            f"punie train --phase {number} --resume",
        )
    _first_recipe(group, phase)
    return _Run(phase, folder, then, out or Path(then.get("out") or out_by_default), force, group)


def _first_recipe(group: Any, phase: Phase | None = None) -> Any:
    """The recipe of the first host."""
    if group is None:
        return phase
    text = group.first_text(phase.model_dump_json() if phase else "")
    return make_phase(json.loads(text), "the recipe of host 0")


def _train(run: _Run, report: Tell, stop: Callable[[], bool]) -> Finished:
    phase, group = run.phase, run.group
    blas = load_blas()
    base = store.find(phase.base)
    from punie_cli.models.load import load

    model, tokenizer, config = load(base)
    data = read_data(phase, tokenizer)
    steps = steps_of(phase, data.stats.rows)
    base_hash = weight_hash(base)
    numbers = {"backend": backend(), "mlx": versions()["mlx"], "hosts": group.size if group else 1}
    identity = {
        "phase": phase.number,
        "recipe": phase.model_dump(mode="json"),
        "recipe_hash": phase.recipe_hash,
        "training_hash": phase.training_hash,
        "data_hash": data_hash(data.train_rows),
        "validation_hash": data_hash(data.valid_rows[: phase.train.validation_rows]),
        "prompt_hash": data.core.hash,
        "base": {"name": store.name_of(base), "hash": base_hash},
        "base_hash": base_hash,
        "numbers": numbers | blas.settings,
    }
    # A run that goes on has its beginning behind it: the adapter need not be there any more.
    start = None if run.then else find_start(phase, base_hash)
    identity["start"] = run.then.get("start") if run.then else start and start.record
    if group:
        group.require_same({key: identity[key] for key in SAME})

    import mlx.core as mx

    from punie_cli.training import checkpoint
    from punie_cli.training.adapt import adapt
    from punie_cli.training.prefix import Core

    # The first LoRA factors are drawn here: a run that starts anew starts alike.
    mx.random.seed(phase.train.seed)
    bits = (config.get("quantization") or config.get("quantization_config") or {}).get("bits")
    train = phase.train
    adapted = adapt(model, phase.lora, train.method, bits=bits)
    if start:
        begin_with(start, model)
    last = None
    metrics = Metrics(run.folder) if run.writes else None

    def tell(event: Report) -> None:
        if metrics:
            metrics.write(event)
        if group and isinstance(event, Saved):
            group.tell(checkpoint=str(event.path))
        report(event)

    if run.then is not None:
        for text in require_same(run.folder, run.then, identity, force=run.force):
            tell(Warned(f"not bit for bit: {text}"))
        saved = checkpoint.checkpoints(run.folder / "checkpoints")
        last = saved[-1] if saved else None
    done = int(last.name) if last else 0
    if metrics:
        metrics.cut(done)
    tell(
        Plan(
            phase.number,
            run.folder,
            store.name_of(base),
            train.method,
            adapted.layers,
            data.stats,
            data.valid_stats.rows,
            steps,
            train.batch * train.accumulate,
            context_tokens(phase, data.stats, steps),
            adapted.parameters,
            done,
            group.size if group else 1,
        )
    )
    core = Core(model, data.renderer.core_tokens, recompute=train.grad_checkpoint)
    if done < steps:
        _preflight(run, model, core, data, steps, adapted.layers, done, tell)
    if run.writes and run.then is None:
        record = identity | {
            "versions": versions(), "git": git_state(), "rows": str(data.folder), "steps": steps, "out": str(run.out),
        }  # fmt: skip
        write_json(run.folder / "run.json", record)
    if run.writes:
        begun(run.folder)
    if stop():
        raise InterruptedByUser("stopped before the first step", run.hint if run.writes else None)
    for event in _steps(run, model, tokenizer, core, data, steps, last, stop):
        tell(event)
        if isinstance(event, Stopped) and event.reason == "asked":
            kept = f"everything is kept in {run.folder}" if run.writes else "host 0 keeps everything"
            raise InterruptedByUser(f"stopped after step {event.step} of {steps}; {kept}", run.hint)
    if not run.writes:
        return Finished(run.out, steps, 0.0, 0.0, run.folder)
    finished = _finish(run, data, identity, steps, adapter_config(phase, len(model.layers)))
    tell(finished)
    return finished


def _preflight(
    run: _Run, model: Any, core: Any, data: Data, steps: int, layers: int, done: int, tell: Tell
) -> Preflight:
    from punie_cli.training.preflight import preflight

    found = preflight(model, core, data.examples, data.validation, run.phase, steps, layers=layers, left=steps - done)
    tell(found)
    if run.writes:
        require_disk(run.folder, int(found.disk_gb * 1e9))
    if found.tier == "OOM" and not run.force:
        raise BusyError(
            f"a step would take {found.peak_gb:.2f} GB, {found.limit_gb:.2f} GB are there; {found.advice}",
            f"punie train --phase {run.phase.number} --force trains in spite of it",
        )
    return found


def _steps(
    run: _Run,
    model: Any,
    tokenizer: Any,
    core: Any,
    data: Data,
    steps: int,
    last: Path | None,
    stop: Callable[[], bool],
) -> Iterator[Any]:
    from punie_cli.training import loop

    return loop.train(
        model,
        core,
        data.examples,
        data.validation,
        run.phase,
        steps,
        run.folder / "checkpoints",
        last,
        stop,
        _probe(run.phase, tokenizer, data, stop),
        run.group,
    )


def _probe(phase: Phase, tokenizer: Any, data: Data, stop: Callable[[], bool]) -> Callable[[Any], float] | None:
    if not phase.train.probe_rows:
        return None
    from punie_cli.evaluation.probe import Known, probe_score

    rows = data.valid_rows[: phase.train.probe_rows]
    known: Known = {}
    return lambda model: probe_score(model, tokenizer, data.core, rows, known=known, stopped=stop).share


def _finish(run: _Run, data: Data, identity: dict[str, Any], steps: int, config: dict[str, Any]) -> Finished:
    """Make the adapter of the best checkpoint, and mark the run as done."""
    from punie_cli.training import checkpoint

    saved = checkpoint.checkpoints(run.folder / "checkpoints")
    progress = checkpoint.read_progress(saved[-1])
    if progress.best_step is None or progress.best_loss is None:
        raise MissingError(f"{run.folder.name} has no checkpoint with a validation", run.hint)
    best = run.folder / "checkpoints" / f"{progress.best_step:06d}"
    record = {
        "core": data.core.model_dump(mode="json"),
        **{key: value for key, value in identity.items() if key != "base_hash"},
        "step": progress.best_step,
        "steps": steps,
        "validation_loss": progress.best_loss,
        "probe_score": progress.best_score,
        "context_tokens": progress.tokens,
        "train_seconds": round(progress.seconds),
        "rows": asdict(data.stats),
        "versions": versions(),
    }
    made = write_adapter(run.folder / "adapter", best / "adapters.safetensors", config, record)
    with locked(run.out):
        publish(made, run.out)
    write_json(run.folder / "done.json", {"adapter": str(run.out), "seconds": progress.seconds})
    return Finished(run.out, progress.best_step, progress.best_loss, progress.seconds, run.folder, progress.best_score)
