"""The pipeline of one phase on one base: what each stage reads, does and leaves."""

import asyncio
import gc
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from punie_cli.agent.open import Connect, choose
from punie_cli.errors import PunieError, UsageError
from punie_cli.evaluation import suites
from punie_cli.evaluation.measure import Tried, measure
from punie_cli.evaluation.results import EvalRun
from punie_cli.models import store
from punie_cli.models.building import PullStep, building, locked, require_disk, store_folder, write_json
from punie_cli.models.files import check_complete, weight_hash
from punie_cli.paths import data_dir
from punie_cli.rows.build import build, built_folder, find_rows, read_split
from punie_cli.rows.row import data_hash
from punie_cli.settings import Settings
from punie_cli.training import fuse as fusing
from punie_cli.training.adapter import publish
from punie_cli.training.equivalence import check
from punie_cli.training.fingerprints import (
    adapter_hash,
    files_hash,
    model_hash,
    rows_hash,
    suite_hash,
    versions,
)
from punie_cli.training.folder import runs_dir, unfinished
from punie_cli.training.inputs import fits, rows_inputs, run_inputs, training_inputs
from punie_cli.training.phase import Phase
from punie_cli.training.quantize import quantize
from punie_cli.training.results import append, result_of
from punie_cli.training.run import train
from punie_cli.training.stages import (
    Ledger,
    Output,
    StageName,
    StagePlan,
    StageProgress,
    StageRecord,
    StageSkipped,
    plain,
    run_stage,
    up_to,
)
from punie_cli.training.summary import Summary, run_figures, summarize
from punie_cli.training.watched import keep_report

Report = Callable[[Any], None]


def present(phase: Phase) -> list[StageName]:
    """The stages of a phase, in order: what follows the training only where the recipe names it."""
    after: dict[StageName, Any] = {"fuse": phase.fuse, "quantize": phase.quantize, "eval": phase.eval}
    return ["rows", "train", *(name for name, section in after.items() if section)]


@dataclass
class Pipeline:
    """One phase on one base. `name` is what its outputs are called by: `23`, or `25-BASE` among several."""

    phase: Phase
    name: str
    through: StageName
    base: str | None
    sets: Sequence[str]
    force: bool
    settings: Settings
    report: Report
    connect: Connect
    stage: StageName = "rows"

    def run(self) -> Summary:
        folder = data_dir() / "stages" / self.name
        self.ledger = Ledger(folder)
        self.base_folder = store.find(self.phase.base)
        work = {
            "rows": self._rows, "train": self._train, "fuse": self._fuse, "quantize": self._quantize,
            "eval": self._eval,
        }  # fmt: skip
        self.done: dict[StageName, StageRecord] = {}
        stages = up_to(self.through, present(self.phase))
        with locked(folder, seconds=0):
            self._require_room(stages)
            if "eval" in stages:
                self._require_groups()
            for self.stage in stages:
                self.done[self.stage] = work[self.stage]()
                _free()
        summary = summarize(self.phase.number, store.name_of(self.base_folder), self.done.values(), self.phase.eval)
        if summary.run and Path(summary.run).is_dir():
            write_json(Path(summary.run) / "pipeline.json", asdict(summary))
            keep_report(Path(summary.run))
        if not all(record.skipped for record in self.done.values()):
            append(result_of(summary, datetime.now(UTC).date()))
        return summary

    def _require_room(self, stages: tuple[StageName, ...]) -> None:
        """Hours of training before a full disk would be lost time."""
        weights, need = check_complete(self.base_folder), 0.0
        if "fuse" in stages and self.phase.fuse and not (store_folder() / self._fused_name).is_dir():
            need += 2.0 * weights.parameters if self.phase.fuse.mode == "float16" else 1.5 * weights.size
        if "quantize" in stages and self.phase.quantize and not (store_folder() / self._quantized_name).is_dir():
            # A scale and a bias of 16 bits for each group.
            need += weights.parameters * (self.phase.quantize.bits + 32 / self.phase.quantize.group_size) / 8
        self.report(StagePlan(self.phase.number, self._base_name, stages, round(need / 1e9, 3)))
        require_disk(store_folder(), int(need))

    def _require_groups(self) -> None:
        """A gate that nothing can pass is better known before the training."""
        recipe = self.phase.eval
        if recipe is None or recipe.suite is None:
            return
        cases = suites.load(recipe.suite).case
        for group, least in recipe.groups.items():
            if (there := sum(case.group == group for case in cases)) < least:
                raise UsageError(
                    f"phase {self.phase.number} asks for {least} cases of the group {group!r}; "
                    f"the suite {recipe.suite} has {there}",
                    f"punie phases show {self.phase.number}",
                )

    # rows

    def _rows(self) -> StageRecord:
        """Rows that are there are used; they are built where there are none, or the recipe of punie's own changed."""
        own, inputs = built_folder(self.phase), rows_inputs(self.phase)
        kept = self.ledger.record("rows")
        if not (own / "manifest.json").is_file():
            ready = find_rows(self.phase)
            if (ready / "manifest.json").is_file() and fits(self.phase, ready):
                return self._found("they are there", inputs, ready)
        elif kept is None or rows_hash(str(own)) != kept.output.hash:
            if kept is not None and kept.output.path == str(own) and kept.inputs != plain(inputs):
                raise UsageError(
                    f"the recipe of the rows changed, and so did the rows in {own}: they are not built over",
                    f"punie data build --phase {self.phase.number}",
                )
            return self._found("built by hand", inputs, own)
        return run_stage(self.ledger, "rows", inputs, self._build, rows_hash, self.report)

    def _found(self, reason: str, inputs: dict[str, Any], folder: Path) -> StageRecord:
        self.report(StageSkipped("rows", reason, str(folder)))
        output = Output(str(folder), rows_hash(str(folder)) or "", _row_counts(folder))
        record = StageRecord("rows", inputs, output, 0.0, "", skipped=True)
        if folder == built_folder(self.phase):
            self.ledger.write("rows", asdict(record))
        return record

    def _build(self) -> Output:
        target = built_folder(self.phase)
        with locked(target), building(target) as part:
            asyncio.run(build(self.phase, part, self._tick("rows", "building rows")))
        return Output(str(target), rows_hash(str(target)) or "", _row_counts(target))

    # train

    def _train(self) -> StageRecord:
        inputs = training_inputs(self.phase, Path(self.done["rows"].output.path), self.base_folder)
        return run_stage(self.ledger, "train", inputs, lambda: self._trained(plain(inputs)), adapter_hash, self.report)

    def _trained(self, inputs: dict[str, Any]) -> Output:
        """Train, go on with the run that a stop or a kill has left, or take the adapter of one that has ended."""
        runs = [run for run in sorted(runs_dir().glob(f"{self.phase.number}-*")) if run_inputs(run) == inputs]
        ended = [run for run in runs if (run / "done.json").is_file() and (run / "adapter").is_dir()]
        if ended:
            run = ended[-1]
            with locked(self._adapter):
                publish(run / "adapter", self._adapter)
        else:
            finished = train(
                phase=self.phase.number,
                resume=bool(runs) and _last_unfinished(self.phase.number) == runs[-1],
                out=self._adapter,
                model=self.base,
                sets=self.sets,
                force=self.force,
                report=self.report,
            )
            run = finished.run
        record = json.loads((self._adapter / "punie.json").read_text(encoding="utf-8"))
        facts = {
            "run": str(run),
            "step": record["step"],
            "loss": record["validation_loss"],
            "probe_score": record.get("probe_score"),
            "context_tokens": record["context_tokens"],
            **run_figures(run),
        }
        return Output(str(self._adapter), adapter_hash(str(self._adapter)) or "", facts)

    @property
    def _adapter(self) -> Path:
        return data_dir() / "adapters" / f"phase-{self.name}"

    # fuse and quantize

    def _fuse(self) -> StageRecord:
        assert self.phase.fuse is not None
        mode, adapter = self.phase.fuse.mode, self.done["train"].output
        inputs = {
            "base": weight_hash(self.base_folder), "adapter": adapter.hash, "mode": mode, "versions": versions(),
        }  # fmt: skip

        def work() -> Output:
            choice = choose(Settings(model=self._base_name, adapter=adapter.path))
            tick = self._model_tick("fuse")
            made = fusing.fuse(choice, mode=mode, out=self._fused_name, force=True, progress=tick)
            return self._checked("fuse", made)

        return run_stage(self.ledger, "fuse", inputs, work, model_hash, self.report)

    def _quantize(self) -> StageRecord:
        recipe, fused = self.phase.quantize, self.done["fuse"].output
        assert recipe is not None
        inputs = {"model": fused.hash, **recipe.model_dump(), "versions": versions()}

        def work() -> Output:
            tick = self._model_tick("quantize")
            made = quantize(fused.path, **recipe.model_dump(), out=self._quantized_name, force=True, progress=tick)
            return self._checked("quantize", made)

        return run_stage(self.ledger, "quantize", inputs, work, model_hash, self.report)

    def _checked(self, stage: StageName, made: fusing.Made) -> Output:
        """The model with its equivalence report against base and adapter."""
        found = check(
            made.folder,
            phase=self.phase.number,
            note=lambda text, done, of: self.report(StageProgress(stage, text, done, of, "rows")),
        )
        facts = {
            "model": made.name,
            "size": made.size,
            "bits": made.bits,
            "parameters": made.parameters,
            "kl": found.kl_mean,
            "agreement": found.agreement,
            "same_programs": [found.programs.same, found.programs.asked] if found.programs else None,
        }
        return Output(str(made.folder), weight_hash(made.folder), facts)

    @property
    def _fused_name(self) -> str:
        return f"phase-{self.name}-fused"

    @property
    def _quantized_name(self) -> str:
        recipe = self.phase.quantize
        assert recipe is not None
        return f"phase-{self.name}-{recipe.bits}bit{'-mixed' if recipe.mixed else ''}"

    @property
    def _base_name(self) -> str:
        return store.name_of(self.base_folder)

    # eval

    def _eval(self) -> StageRecord:
        recipe = self.phase.eval
        assert recipe is not None
        last = (self.done.get("quantize") or self.done.get("fuse") or self.done["train"]).output
        suite = suites.load(recipe.suite) if recipe.suite else None
        rows = read_split(Path(self.done["rows"].output.path)).test[: recipe.rows]
        inputs = {
            "model": last.hash,
            "suite": suite_hash(suite) if suite else None,
            "rows": data_hash(rows),
            "limits": [self.settings.max_steps, self.settings.max_tokens, *_unchecked(self.settings)],
            "versions": versions() | {"ty": version("ty")},
        }

        def work() -> Output:
            chosen = {"model": last.path, "adapter": "none"}
            if "fuse" not in self.done:
                chosen = {"model": self._base_name, "adapter": last.path}
            settings = self.settings.model_copy(update=chosen)
            found = asyncio.run(measure(settings, suite, rows, self._tried, self.connect))
            run = Path(self.done["train"].output.facts.get("run", ""))
            folder = run if run.is_absolute() and run.is_dir() else self.ledger.folder
            (folder / "turns.jsonl").write_text(found.records(), encoding="utf-8")
            write_json(folder / "eval.json", {"phase": self.phase.number} | found.as_record())
            groups = _groups(found.suite) if found.suite else {}
            probed = {"rows_passed": found.probe.passed, "rows": found.probe.n} if found.probe else {}
            facts = {
                "suite": recipe.suite,
                "passed": found.passed,
                "n": found.n,
                "share": found.share,
                "model": found.model,
                **({"evaluation": found.suite.id} if found.suite else {}),
                **({"groups": groups} if groups else {}),
                **probed,
            }
            return Output(str(folder / "eval.json"), files_hash([folder / "eval.json"]) or "", facts)

        return run_stage(self.ledger, "eval", inputs, work, lambda path: files_hash([Path(path)]), self.report)

    def _tick(self, stage: StageName, text: str) -> Callable[[int, int], None]:
        return lambda done, total: self.report(StageProgress(stage, text, done, total, "rows"))

    def _tried(self, tried: Tried) -> None:
        self.report(StageProgress("eval", "evaluating", tried.done, tried.of, "cases"))
        self.report(tried)

    def _model_tick(self, stage: StageName) -> Callable[[PullStep], None]:
        def tell(step: PullStep) -> None:
            self.report(StageProgress(stage, step.text, step.done // 1_000_000, step.total // 1_000_000, "MB"))

        return tell


def _groups(run: EvalRun) -> dict[str, list[int]]:
    """How many cases of each group passed, and how many there are."""
    found: dict[str, list[int]] = {}
    for case in run.cases:
        if case.group:
            counts = found.setdefault(case.group, [0, 0])
            counts[0] += case.passed
            counts[1] += 1
    return found


def _unchecked(settings: Settings) -> list[str]:
    return [] if settings.check_programs else ["check_programs is off"]


def _free() -> None:
    """Give back the weights of a stage: those of the next one need the room."""
    gc.collect()
    if "mlx.core" in sys.modules:
        import mlx.core as mx

        mx.clear_cache()


def _last_unfinished(phase: int) -> Path | None:
    try:
        return unfinished(phase)
    except PunieError:
        return None


def _row_counts(folder: Path) -> dict[str, Any]:
    split = read_split(folder)
    return {side: len(rows) for side, rows in split.sides().items()}
