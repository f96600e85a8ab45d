"""`punie eval`: suites are run case by case, several at once; what is done is kept, and gone on with.

    run = await evaluate(settings, Plan(choose_suites(["foundation"])), note=print)

The result of the same evaluation is the same run: it is resumed if it is unfinished, and shown if it has finished.
"""

import asyncio
import contextlib
import dataclasses
import hashlib
import json
import logging
import tempfile
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from punie_cli.agent.loop import Agent
from punie_cli.agent.open import Connect, connect_mlx, open_agent
from punie_cli.errors import BusyError, Exit, InterruptedByUser, PunieError
from punie_cli.evaluation import results
from punie_cli.evaluation.case import CaseOutcome, run_case
from punie_cli.evaluation.plan import Plan
from punie_cli.evaluation.results import CaseRun, EvalRun, Subject, Verdict
from punie_cli.evaluation.subject import prompt_of, subject_of, versions
from punie_cli.evaluation.suites import Case, Suite
from punie_cli.models.building import locked
from punie_cli.paths import data_dir
from punie_cli.settings import Settings
from punie_cli.workspace import Workspace

_log = logging.getLogger(__name__)

# To be raised with each change in how programs are written, run or scored: a result from before it is not shown again.
_WAY = 3
_BROKEN = 3
_DOCTOR = "punie doctor, then the same command again"
# To begin a run takes milliseconds; only a stopped process holds the lock for longer.
_BEGIN_S = 30.0


@dataclass(frozen=True)
class Begun:
    """A run begins, or goes on where `kept` of its `of` case runs are done.

    `seen` says of each sealed suite what answered it before, the oldest first.
    """

    run: str
    subject: Subject
    kept: int
    of: int
    seen: dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class Shown:
    """The same evaluation has finished before: this is its result, and nothing was run."""

    run: str
    finished: str


@dataclass(frozen=True)
class Ended:
    """One case ended, as the `done`th of `of`. `seconds_left` is an estimate from the cases of this process."""

    case: CaseRun
    done: int
    of: int
    seconds_left: float


Note = Callable[[Any], None]


async def evaluate(
    settings: Settings,
    plan: Plan,
    *,
    again: bool = False,
    note: Note = lambda event: None,
    connect: Connect = connect_mlx,
) -> EvalRun:
    """The result of a plan: shown if it is there, unless `again`; gone on with, or run.

    Raises MissingError for a model or an adapter that cannot be used.
    """
    subject = subject_of(settings)
    if found := earlier(settings, plan, subject, again=again):
        note(Shown(found.id, found.finished or ""))
        return results.load(found.id)
    with tempfile.TemporaryDirectory(prefix="punie-eval-") as empty:
        async with open_agent(settings, Workspace(Path(empty)), connect) as (agent, started):
            return await run_plan(agent, settings, plan, subject, started.prompt_hash, again=again, note=note)


def earlier(settings: Settings, plan: Plan, subject: Subject, *, again: bool = False) -> EvalRun | None:
    """The newest finished run of the same evaluation; None without one, or where it is wanted anew."""
    return None if again else next((run for run in results.find(_key(settings, plan, subject)) if run.finished), None)


async def run_plan(
    agent: Agent,
    settings: Settings,
    plan: Plan,
    subject: Subject,
    prompt_hash: str | None,
    *,
    again: bool = False,
    note: Note = lambda event: None,
) -> EvalRun:
    """Run a plan with an agent that is open, or what is missing of it; every case is kept as soon as it ends.

    `subject` is as `subject_of` gave it, `prompt_hash` that of the prompt core that the agent has.
    """

    def make_agent(workspace: Workspace) -> Agent:
        return dataclasses.replace(agent, workspace=workspace, messages=[])

    new = _new(settings, plan, subject.model_copy(update={"prompt_hash": prompt_hash}))
    with _claimed(_key(settings, plan, subject), new, again) as run:
        tries = plan.in_order(run.suites).tries
        kept = results.done(run.id)
        left = [(n, *each) for n, each in enumerate(tries) if n not in kept]
        note(Begun(run.id, subject, len(kept), len(tries), _seen(plan.suites, run.id)))
        start, done, waiting = time.monotonic(), len(kept), iter(left)
        broken: list[int] = []

        def spent() -> float:
            return run.seconds + time.monotonic() - start

        async def work() -> None:
            nonlocal done
            for n, suite, case, sample in waiting:
                tried = await _try(suite, case, sample, make_agent)
                # One may be an accident of its case; an engine that answers nothing is no score of 0.
                broken[:] = [*broken, n] if _broke(tried) else []
                if len(broken) >= _BROKEN:
                    results.drop(run.id, broken)
                    raise PunieError(
                        f"{len(broken)} cases in a row broke before the first reply: {tried.reason}", _DOCTOR
                    )
                results.add_case(run.id, n, tried, spent())
                done += 1
                pace = (time.monotonic() - start) / (done - len(kept))
                note(Ended(tried, done, len(tries), pace * (len(tries) - done)))

        workers = [asyncio.create_task(work()) for _ in range(max(1, min(plan.batch, len(left))))]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
        return results.close(run.id, finished=_now(), seconds=spent())


async def _try(suite: Suite, case: Case, sample: int, make_agent: Callable[[Workspace], Agent]) -> CaseRun:
    """One sample of a case; what punie itself did wrong in it is a failed case, too."""
    start = time.monotonic()
    try:
        result = await run_case(case, make_agent)
    except InterruptedByUser:
        raise
    except Exception as error:
        _log.exception("case %s of suite %s", case.name, suite.name)
        return _crashed(suite, case, sample, f"crashed: {type(error).__name__}: {error}", time.monotonic() - start)
    failed = next((line for line in result.records if line["type"] == "error" and line.get("exit") == Exit.BUSY), None)
    if failed:
        # Too little memory says nothing about the model.
        raise BusyError(failed["message"], failed.get("hint"))
    return _kept(suite, case, sample, result)


def _kept(suite: Suite, case: Case, sample: int, result: CaseOutcome) -> CaseRun:
    score = result.score
    usage = [line for line in result.records if line["type"] == "usage"]
    return CaseRun(
        **_named(suite, case, sample),
        passed=score.passed,
        calls=Verdict(ok=score.calls.ok, reason=score.calls.reason),
        files=Verdict(ok=score.files.ok, reason=score.files.reason),
        answer=Verdict(ok=score.answer.ok, reason=score.answer.reason),
        fields=score.fields,
        reason=" ".join(score.reason.split()),
        steps=len(usage),
        prompt_tokens=sum(line["prompt_tokens"] for line in usage),
        completion_tokens=sum(line["completion_tokens"] for line in usage),
        seconds=round(result.seconds, 3),
        diff=result.diff,
        records=result.records,
    )


def _crashed(suite: Suite, case: Case, sample: int, reason: str, seconds: float) -> CaseRun:
    missed = Verdict(ok=False, reason=reason)
    return CaseRun(
        **_named(suite, case, sample),
        passed=False,
        calls=missed,
        files=missed,
        answer=missed,
        fields=False if case.expect.fields else None,
        reason=" ".join(reason.split()),
        steps=0,
        prompt_tokens=0,
        completion_tokens=0,
        seconds=round(seconds, 3),
        records=(),
    )


def _broke(tried: CaseRun) -> bool:
    failed = any(line["type"] == "error" and line.get("exit") == Exit.FAILED for line in tried.records)
    return tried.steps == 0 and (failed or not tried.records)


def _named(suite: Suite, case: Case, sample: int) -> dict[str, Any]:
    asked = bool(case.expect.fields)
    names = {"suite": suite.name, "case": case.name, "group": case.group, "sample": sample}
    return names | {"fields_asked": asked, "prompts": case.prompts}


@contextlib.contextmanager
def _claimed(key: str, new: EvalRun, again: bool) -> Generator[EvalRun]:
    """The unfinished run of this evaluation that no other process is at, or `new`, under its id.

    With `again` only the newest is gone on with: it is what an earlier `again` began.
    """
    folder = data_dir() / "evals"
    with contextlib.ExitStack() as stack:
        with locked(folder / "begin", _BEGIN_S):
            run = None
            found = results.find(key)
            for each in found[:1] if again else found:
                with contextlib.suppress(BusyError):
                    if each.finished is None:
                        stack.enter_context(locked(folder / each.id, 0))
                        run = each
                        break
            if run is None:
                run = results.save(new, key)
                stack.enter_context(locked(folder / run.id, 0))
        yield run
        (folder / f".{run.id}.lock").unlink(missing_ok=True)


def _new(settings: Settings, plan: Plan, subject: Subject) -> EvalRun:
    return EvalRun(
        id="",
        started=_now(),
        finished=None,
        subject=subject,
        suites=tuple(suite.name for suite in plan.suites),
        suite_hashes={suite.name: suite.hash for suite in plan.suites},
        samples=plan.samples,
        temperature=plan.temperature,
        batch=plan.batch,
        seconds=0.0,
        versions=versions(),
        limits=limits_of(settings),
        cases=(),
        only=plan.only,
        of=len(plan.tries),
        sealed=tuple(suite.name for suite in plan.suites if suite.sealed),
    )


def _key(settings: Settings, plan: Plan, subject: Subject) -> str:
    """Names an evaluation by all that decides its result. Where things lie, and how many at once, does not."""
    parts = {
        "weights": subject.weights,
        "adapter": subject.adapter_hash,
        "prompt": prompt_of(subject),
        "suites": {suite.name: suite.hash for suite in plan.suites},
        "only": sorted(set(plan.only)),
        "samples": plan.samples,
        "temperature": plan.temperature,
        "limits": limits_of(settings),
        "versions": versions(),
        "way": _WAY,
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def limits_of(settings: Settings) -> dict[str, int]:
    """The settings that decide a result, as a run keeps them."""
    limits = {"max_steps": settings.max_steps, "max_tokens": settings.max_tokens}
    return limits | {"check_programs": int(settings.check_programs)}


def _seen(chosen: Sequence[Suite], run: str) -> dict[str, tuple[str, ...]]:
    sealed = [suite.name for suite in chosen if suite.sealed]
    if not sealed:
        return {}
    others = [other for other in results.list_runs() if other.id != run]
    return {name: tuple(other.subject.label for other in others if name in other.suites) for name in sealed}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
