"""`punie use`: the result of a phase is put in use if its gate holds and it is not worse than what is in use.

    outcome = await put_in_use(settings, "24")

Nothing changes before both are known. Evaluations are kept case by case, the copy that is put in use appears whole, and
the file that names it is written last.
"""

import shlex
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from punie_cli.agent.dialects import Name
from punie_cli.agent.open import Connect, choose, connect_mlx
from punie_cli.agent.prompt import PromptCore
from punie_cli.builtins.registry import Registry
from punie_cli.errors import BusyError, GateError, PunieError, UsageError
from punie_cli.evaluation import results, suites
from punie_cli.evaluation.evaluate import earlier, evaluate, limits_of
from punie_cli.evaluation.plan import Plan, choose_suites
from punie_cli.evaluation.results import EvalRun, Subject
from punie_cli.evaluation.subject import phase_of, subject_of, versions
from punie_cli.evaluation.suites import Suite
from punie_cli.models import history, store
from punie_cli.models.building import locked
from punie_cli.models.history import Entry, History
from punie_cli.paths import data_dir
from punie_cli.settings import Settings
from punie_cli.training import gate
from punie_cli.training.candidate import find, keep
from punie_cli.training.phase import Eval, load_phase
from punie_cli.training.summary import Summary

Note = Callable[[Any], None]


@dataclass(frozen=True)
class Outcome:
    """What `punie use` came to: `entry` is in use, or was rejected. `history` is what is kept afterwards."""

    name: str
    entry: Entry
    put: bool
    history: History

    def require(self) -> None:
        """Raise GateError with what was missed, if it was rejected."""
        if self.put:
            return
        used, label = self.history.now, self.entry.label
        what = f"{label} is not put in use, {used.label} stays"
        if used.same(self.entry):
            what = f"{label} is in use and stays, but would not be put in use"
        run = self.entry.judged.get("evaluation")
        look = f"punie eval show {run}, or " if run else ""
        raise GateError(f"{what}: {'; '.join(self.entry.missed)}", f"{look}punie use {self.name} --force")


async def put_in_use(
    settings: Settings,
    name: str,
    *,
    force: bool = False,
    also: Sequence[str] = (),
    note: Note = lambda event: None,
    connect: Connect = connect_mlx,
    batch: int = 1,
) -> Outcome:
    """Judge the result of a phase, an adapter or a model, and put it in use, or keep it as rejected.

    `also` are suites besides that of the phase on which it must not be worse than what is in use. `note` gets lines of
    text and the events of evaluations. Raises MissingError for what is not there, UsageError for what has no gate and
    no suite, BusyError while another process does the same.
    """
    with _alone():
        now = history.read().now
        candidate = find(name)
        subject = subject_of(candidate.under(settings))
        recipe = _recipe(subject.phase)
        own = suites.load(recipe.suite) if recipe and recipe.suite else None
        extra = [suite for suite in choose_suites(also) if suite != own] if also else []
        if own is None and not extra:
            of = "no phase" if subject.phase is None else f"phase {subject.phase}, which names no suite"
            hint = f"punie use {name} --suite phase23, or punie models use"
            raise UsageError(f"{subject.label} is of {of}: it has no gate", hint)
        trial, wanted = _Trial(note, connect, batch), candidate.under(settings)
        judged: dict[str, Any] = {}
        missed: tuple[str, ...] = ()
        if recipe and own:
            found = gate.judge(recipe, own.name, await trial.run(wanted, subject, own))
            judged, missed = found.as_record(), found.missed
        if not missed or force:
            compared = await trial.compare(wanted, subject, [own, *extra] if own else extra)
            judged["compared"] = [each.as_record() for each in compared]
            missed += tuple(line for each in compared for line in each.missed)
        entry = Entry(
            model=candidate.model,
            adapter=candidate.adapter,
            since=history.time_now(),
            how=shlex.join(["punie", "use", name, *(["--force"] if force else [])]),
            phase=subject.phase,
            weights=subject.weights,
            adapter_hash=subject.adapter_hash,
            judged=judged,
            missed=missed,
            forced=bool(missed and force),
        )
        if missed and not force:
            return Outcome(name, entry, False, history.reject(entry))
        kept = keep(candidate, subject)
        entry = entry.model_copy(update={"model": kept.model, "adapter": kept.adapter})
        return Outcome(name, entry, True, history.put(entry, expected=now))


def go_back(note: Note = lambda event: None) -> History:
    """Put in use what was before, without a gate; what is gone is passed over. MissingError where nothing is left."""
    made, gone = history.back(lambda entry: not store.missing(entry))
    for entry in gone:
        note(f"{entry.label} is passed over: {store.missing(entry)} is gone")
    return made


def reject(summary: Summary, recipe: Eval | None) -> History:
    """Keep the result of a pipeline that is below its gate as rejected; what is in use stays."""
    stages = {line.stage: line for line in summary.stages}
    made = stages.get("quantize") or stages.get("fuse")
    run = results.load(summary.evaluation) if summary.evaluation else None
    found = gate.judge(recipe, run.suites[0], run) if run and recipe else None
    return history.reject(
        Entry(
            model=store.name_of(Path(made.output)) if made else summary.base,
            adapter="none" if made else Path(stages["train"].output).name,
            since=history.time_now(),
            how=f"punie train --phase {summary.phase} --through eval",
            phase=summary.phase,
            weights=run.subject.weights if run else None,
            adapter_hash=run.subject.adapter_hash if run else None,
            judged=found.as_record() if found else {},
            missed=found.missed if found else summary.missed,
        )
    )


@dataclass(frozen=True)
class _Trial:
    """Evaluations that a decision rests on: those that are in the store, else new ones."""

    note: Note
    connect: Connect
    batch: int
    done: dict[tuple[str, str | None, str], EvalRun] = field(default_factory=dict)

    async def run(self, settings: Settings, subject: Subject, suite: Suite) -> EvalRun:
        """The result of exactly these weights and this adapter on a suite as it is now."""
        key = (subject.weights, subject.adapter_hash, suite.hash)
        if key not in self.done:
            self.done[key] = await self._run(settings, subject, suite)
        return self.done[key]

    async def _run(self, settings: Settings, subject: Subject, suite: Suite) -> EvalRun:
        plan = Plan((suite,), batch=self.batch)
        found = _known(settings, plan, subject, suite)
        if found is None:
            return await evaluate(settings, plan, note=self.note, connect=self.connect)
        told = f"{sum(case.passed for case in gate.on_suite(found, suite.name).cases)} of {len(suite.case)} cases"
        self.note(f"{subject.label} on {suite.name}: {told}, by {found.id}")
        return found

    async def compare(self, settings: Settings, subject: Subject, suites: Sequence[Suite]) -> list[gate.Against]:
        """Against what is in use, on each suite; nothing where both are the same, or what is in use does not work."""
        used = store.in_use()
        others = settings.model_copy(update={"model": used.model, "adapter": used.adapter})
        if used.lost:
            self.note(used.lost)
        try:
            other = subject_of(others)
        except PunieError as error:
            self.note(f"not compared with what is in use, which cannot be: {error.message}")
            return []
        if (other.weights, other.adapter_hash) == (subject.weights, subject.adapter_hash):
            self.note(f"{subject.label} is what is in use: not compared")
            return []
        found = []
        for suite in suites:
            theirs = await self.run(others, other, suite)
            found.append(gate.against(suite.name, other.label, theirs, await self.run(settings, subject, suite)))
        return found


def _known(settings: Settings, plan: Plan, subject: Subject, suite: Suite) -> EvalRun | None:
    """The newest finished run that says what a new one would: it may be of more suites than this one."""
    if found := earlier(settings, plan, subject):
        return results.load(found.id)
    # A model that punie did not train is asked with this day's builtins.
    prompts = (
        {subject.prompt_hash} if subject.prompt_hash else {PromptCore.build(Registry(), d).hash for d in get_args(Name)}
    )
    for run in reversed(results.list_runs()):
        theirs = run.subject
        if (
            run.finished
            and not run.only
            and (run.samples, run.temperature) == (1, 0.0)
            and run.suite_hashes.get(suite.name) == suite.hash
            and (theirs.weights, theirs.adapter_hash) == (subject.weights, subject.adapter_hash)
            and theirs.prompt_hash in prompts
            and (run.limits, run.versions) == (limits_of(settings), versions())
        ):
            return results.load(run.id)
    return None


def _recipe(phase: int | None) -> Eval | None:
    """The [eval] section of a phase; None where there is none."""
    return None if phase is None else load_phase(phase).eval


@contextmanager
def _alone() -> Generator[None]:
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(data_dir() / "use", 0))
        except BusyError as error:
            raise BusyError("another `punie use` is at work", "try again when it has ended") from error
        yield


def now_in_use(kept: History) -> tuple[Entry, str]:
    """What commands use by now, and if that is not what was chosen: what is gone."""
    used, entry = store.in_use(), kept.now
    if used.lost:
        entry = history.DEFAULT
    if entry.phase is None:
        # Nobody judged it: what its own files say.
        with suppress(PunieError):
            choice = choose(Settings(model=entry.model, adapter=entry.adapter))
            adapter = entry.adapter or (choice.adapter.name if choice.adapter else None)
            entry = entry.model_copy(update={"phase": phase_of(choice), "adapter": adapter})
    return entry, used.lost


def changed(entry: Entry) -> str:
    """Says so, where the files of an entry are not those that were judged."""
    if not entry.weights:
        return ""
    try:
        subject = subject_of(Settings(model=entry.model, adapter=entry.adapter))
    except PunieError as error:
        return error.message
    same = (subject.weights, subject.adapter_hash) == entry.hashes
    return "" if same else "its files have changed since it was judged"
