"""`punie train --phase N --through fuse|quantize|eval`: rows, training, and what follows, unattended.

Each stage records the hashes of what it was made from (`training/stages.py`); the same command again does only what
has changed or is not done yet. What is made: `adapters/phase-23`, models `phase-23-fused` and `phase-23-5bit` of the
store, and the results in the run's folder.
"""

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from punie_cli.agent.open import Connect, connect_mlx
from punie_cli.engine.blas import load_blas
from punie_cli.errors import GateError, InterruptedByUser, UsageError
from punie_cli.models import store
from punie_cli.settings import Settings
from punie_cli.training.one_base import Pipeline, present
from punie_cli.training.putting import reject
from punie_cli.training.recipe import resolve
from punie_cli.training.stages import StageName, up_to
from punie_cli.training.summary import Comparison, Summary

Report = Callable[[Any], None]


def run_pipeline(
    *,
    phase: int,
    through: StageName,
    model: str | None = None,
    sets: Sequence[str] = (),
    force: bool = False,
    settings: Settings | None = None,
    report: Report = lambda event: None,
    connect: Connect = connect_mlx,
) -> Summary | Comparison:
    """Do the stages of a phase up to `through`; `report` gets what happens, the Summary or Comparison last.

    A phase with `bases` has a pipeline for each of them, unless `model` names one. `settings` limit steps and tokens
    of the evaluation. Nothing is put in use; what is below the gate is kept as rejected. Raises GateError, after all
    results are kept, for a share or a group below the gate (of several bases: of all); BusyError while another process
    works on the same pipeline; otherwise what the stages raise.
    """
    settings = settings or Settings()
    # Before anything imports mlx, and a tokenizer does.
    load_blas(settings.blas)
    recipe = resolve(phase, sets, model).phase
    up_to(through, present(recipe))
    bases = recipe.bases if model is None and recipe.bases else None
    for base in bases or ():
        store.find(base)
    if bases and len({Path(base).name for base in bases}) < len(bases):
        raise UsageError(f"two bases of phase {phase} have the same name", f"punie phases show {phase}")
    summaries, recipes = [], []
    for base in bases or (model,):
        chosen = resolve(phase, sets, base).phase
        name = f"{phase}-{Path(base).name}" if bases and base else str(phase)
        pipeline = Pipeline(chosen, name, through, base, sets, force, settings, report, connect)
        try:
            summaries.append(pipeline.run())
            recipes.append(chosen.eval)
        except InterruptedByUser as stop:
            raise InterruptedByUser(stop.message, _again(phase, through, model, sets)) from stop
        except KeyboardInterrupt as stop:
            message = f"stopped in the stage {pipeline.stage}; what was done before is kept"
            raise InterruptedByUser(message, _again(phase, through, model, sets)) from stop
    done = Comparison(phase, tuple(summaries)) if bases else summaries[0]
    report(done)
    judged = [summary for summary in summaries if summary.passed is not None]
    for summary, asked in zip(summaries, recipes, strict=True):
        if summary.passed is False:
            reject(summary, asked)
    if judged and not any(summary.passed for summary in judged):
        best = max(judged, key=lambda summary: summary.share or 0.0)
        found = f"{best.share:.0%} of {best.n}, {best.gate:.0%} are asked for"
        raise GateError(
            f"phase {phase} is below its gate: {'; '.join([found, *best.short])}",
            f"punie phases show {phase}",
        )
    return done


def _again(phase: int, through: StageName, model: str | None, sets: Sequence[str]) -> str:
    options = [f"--set {shlex.quote(each)}" for each in sets]
    if model is not None:
        options.insert(0, f"--model {shlex.quote(model)}")
    return " ".join([f"punie train --phase {phase} --through {through}", *options])
