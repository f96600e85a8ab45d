"""An evaluation one case at a time against several at once: python benchmarks/eval_batch.py [--batch 8] [--rounds 2]

24 fixed cases (the 14 of foundation, the first 10 of phase23) run in turn, in one call, as `punie eval` runs them, with
results in a store of their own. Printed are the ratio of the times, cases whose effects differ, and every reply that
differs for the same prompt, with the gap of the two best logits at the first other token: below 0.01 it is a near-tie.
"""

import argparse
import asyncio
import dataclasses
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

from punie_cli.agent.open import Connected, choose, connect_mlx
from punie_cli.engine.base import Prompt, Reply, Text
from punie_cli.engine.blas import load_blas
from punie_cli.errors import PunieError
from punie_cli.evaluation.evaluate import Ended, evaluate
from punie_cli.evaluation.plan import Plan, choose_suites
from punie_cli.evaluation.results import CaseRun, EvalRun
from punie_cli.settings import Settings
from punie_cli.settings import load as load_settings

# Of foundation, which has 14, then of phase23.
_CASES = 24

Replies = dict[tuple[int, ...], list[int]]


class Listening:
    """An engine that keeps the reply to each prompt."""

    def __init__(self, engine: Any, replies: Replies) -> None:
        self._engine, self._replies = engine, replies

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    async def generate(self, prompt: Prompt, *, max_tokens: int = 512) -> AsyncGenerator[Text | Reply]:
        async for event in self._engine.generate(prompt, max_tokens=max_tokens):
            if isinstance(event, Reply):
                self._replies[tuple(prompt.tokens)] = event.tokens
            yield event


def connecting(batch: int, replies: Replies) -> Callable[[Settings], Awaitable[Connected]]:
    async def connect(settings: Settings) -> Connected:
        connected = await connect_mlx(settings, batch=batch)
        return dataclasses.replace(connected, engine=Listening(connected.engine, replies))

    return connect


def run(settings: Settings, plan: Plan, replies: Replies) -> tuple[EvalRun, float]:
    """The evaluation, and the processor seconds of this process; its own seconds begin when the model is loaded."""

    def show(event: Any) -> None:
        if isinstance(event, Ended):
            print("." if event.case.passed else "F", end="", flush=True)

    start = time.process_time()
    done = asyncio.run(evaluate(settings, plan, again=True, note=show, connect=connecting(plan.batch, replies)))
    cpu = time.process_time() - start
    at_once = f"{plan.batch} at once" if plan.batch > 1 else "one by one"
    print(f"  {at_once}: {done.seconds:.0f} s, {cpu:.0f} processor seconds, {done.passed} of {done.of}", flush=True)
    return done, cpu


def effects(case: CaseRun) -> tuple[Any, ...]:
    """What a case did: its calls, its files and whether its parts passed. Not its words."""
    calls = [(line["builtin"], line["args"], line["ok"]) for line in case.records if line["type"] == "call"]
    return calls, case.diff, case.calls.ok, case.files.ok, case.answer.ok


def gap(model: Any, tokens: list[int]) -> tuple[float, list[int]]:
    """The distance between the two best logits after these tokens, and which two they are."""
    import mlx.core as mx

    logits = model(mx.array(tokens)[None])[0, -1].astype(mx.float32)
    best: Any = mx.argsort(-logits)[:2].tolist()
    return (logits[best[0]] - logits[best[1]]).item(), best


def compare(settings: Settings, one: EvalRun, other: EvalRun, replies: tuple[Replies, Replies]) -> None:
    from punie_cli.engine.decoder import merge_lora
    from punie_cli.models.load import load

    pairs = list(zip(one.cases, other.cases, strict=True))
    changed = [f"{a.suite}/{a.case}" for a, b in pairs if effects(a) != effects(b)]
    print(f"\nsame effects in {len(pairs) - len(changed)} of {len(pairs)} cases")
    for name in changed:
        print(f"  other effects: {name}")
    shared = replies[0].keys() & replies[1].keys()
    differing = [prompt for prompt in shared if replies[0][prompt] != replies[1][prompt]]
    print(f"same tokens in {len(shared) - len(differing)} of {len(shared)} replies to the same prompt")
    if not differing:
        return
    choice = choose(settings)
    load_blas(settings.blas)
    model, tokenizer, _ = load(choice.model, choice.adapter)
    merge_lora(model)
    for prompt in differing:
        a, b = (found[prompt] for found in replies)
        at = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
        distance, best = gap(model, [*prompt, *a[:at]])
        words = [repr(tokenizer.decode([token])) for token in (*a[at : at + 1], *b[at : at + 1])]
        which = "the two best" if {*a[at : at + 1], *b[at : at + 1]} == set(best) else "not the two best"
        print(f"  token {at} of {len(a)}: {' or '.join(words)}, {which}; gap {distance:.4f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model")
    parser.add_argument("--adapter")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--every", type=int, default=1, help="only each Nth of the cases")
    options = parser.parse_args()
    suites = choose_suites(["foundation", "phase23"])
    cases = [(suite, case) for suite in suites for case in suite.case][: _CASES : options.every]
    suites = tuple(
        suite.model_copy(update={"case": chosen})
        for suite in suites
        if (chosen := tuple(case for of, case in cases if of is suite))
    )
    replies: tuple[Replies, Replies] = ({}, {})
    figures: list[list[tuple[EvalRun, float]]] = [[], []]
    try:
        settings = load_settings({"model": options.model, "adapter": options.adapter})
        choice = choose(settings)
        chosen = {"model": str(choice.model), "adapter": str(choice.adapter or "none")}
        settings = settings.model_copy(update=chosen)
        with tempfile.TemporaryDirectory(prefix="punie-bench-") as home:
            os.environ["PUNIE_HOME"] = home
            for _ in range(options.rounds):
                for side, batch in enumerate((1, options.batch)):
                    figures[side].append(run(settings, Plan(suites, batch=batch), replies[side]))
            compare(settings, figures[0][-1][0], figures[1][-1][0], replies)
    except PunieError as error:
        sys.exit(f"{error.message}\n{error.hint or ''}".rstrip())
    one, many = ([done.seconds for done, _ in side] for side in figures)
    one_cpu, many_cpu = ([cpu for _, cpu in side] for side in figures)
    clock, cpu = (statistics.median(a) / statistics.median(b) for a, b in ((one, many), (one_cpu, many_cpu)))
    print(
        f"one by one / {options.batch} at once: {clock:.2f} by the clock, {cpu:.2f} by processor time "
        f"(medians of {options.rounds})"
    )


if __name__ == "__main__":
    main()
