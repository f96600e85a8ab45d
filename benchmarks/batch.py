"""Many prompts at once against one by one, in turn in one process: python benchmarks/batch.py [--sizes 4,8,16]

The prompts are the first of each case of the suites, with the prompt core of the adapter in use. Each round answers all
of them with MLXEngine, with BatchEngine and with mlx_lm's BatchGenerator (which gets the core's KV cache, too, and ends
replies in the same way). Printed are medians over the rounds. On a busy machine only CPU seconds tell something, and
only with MKL_NUM_THREADS=1: threads that wait for each other count as busy.
"""

import argparse
import asyncio
import statistics
import time
from collections import defaultdict

from punie_cli.agent.messages import user
from punie_cli.agent.open import Choice, choose
from punie_cli.agent.prompt import PromptCore, Renderer, dialect_for
from punie_cli.builtins.registry import Registry
from punie_cli.engine.base import Prompt, Reply
from punie_cli.engine.batch import BatchEngine
from punie_cli.engine.blas import load_blas
from punie_cli.engine.mlx import MLXEngine
from punie_cli.evaluation import suites
from punie_cli.settings import Settings

Figures = tuple[int, float, float]


async def ask(engine: MLXEngine, tokens: list[int], limit: int) -> Reply:
    """The whole reply."""
    *_, reply = [event async for event in engine.generate(Prompt([], (), tokens), max_tokens=limit)]
    assert isinstance(reply, Reply)
    return reply


async def ours(engine: MLXEngine, prompts: list[list[int]], limit: int) -> tuple[list[list[int]], Figures]:
    """The tokens of each reply; how many, in how many seconds, of the clock and of the processors."""
    start, cpu = time.perf_counter(), time.process_time()
    replies = await asyncio.gather(*(ask(engine, tokens, limit) for tokens in prompts))
    seconds = time.perf_counter() - start, time.process_time() - cpu
    return [reply.tokens for reply in replies], (sum(len(reply.tokens) for reply in replies), *seconds)


class Theirs:
    """mlx_lm's BatchGenerator over a model of its own."""

    def __init__(self, choice: Choice, core: list[int]) -> None:
        import mlx.core as mx
        from mlx_lm.generate import generate_step
        from mlx_lm.models.cache import make_prompt_cache

        from punie_cli.engine.decoder import end_tokens, merge_lora
        from punie_cli.models.load import load

        self.model, tokenizer, _ = load(choice.model, choice.adapter)
        merge_lora(self.model)
        self.ends = end_tokens(tokenizer)
        self.core = core
        self.cache = make_prompt_cache(self.model)
        for _ in generate_step(mx.array(core), self.model, max_tokens=0, prompt_cache=self.cache):
            pass

    def run(self, prompts: list[list[int]], limit: int, size: int) -> tuple[list[list[int]], Figures]:
        """As `ours`."""
        import copy

        from mlx_lm.generate import BatchGenerator

        start, cpu = time.perf_counter(), time.process_time()
        generator = BatchGenerator(
            self.model, stop_tokens=[[end] for end in self.ends], completion_batch_size=size, prefill_batch_size=size
        )
        held = self.cache[0].offset
        caches = [copy.deepcopy(self.cache) for _ in prompts]
        ids = generator.insert([tokens[held:] for tokens in prompts], [limit] * len(prompts), caches)
        found: dict[int, list[int]] = {number: [] for number in ids}
        left = len(ids)
        while left:
            for part in generator.next_generated():
                found[part.uid].append(part.token)
                left -= part.finish_reason is not None
        generator.close()
        seconds = time.perf_counter() - start, time.process_time() - cpu
        return list(found.values()), (sum(map(len, found.values())), *seconds)


async def measure(sizes: list[int], rounds: int, limit: int, names: list[str], count: int) -> dict[str, list[Figures]]:
    """The figures of each round."""
    choice = choose(Settings())
    load_blas()
    one = MLXEngine(choice.model, choice.adapter)
    await one.open()
    core = choice.core or PromptCore.build(Registry(), dialect_for(one.tokenizer))
    renderer = Renderer(core, one.tokenizer)
    texts = [case.prompts[0] for name in names for case in suites.load(name).case]
    prompts = [renderer.tokens([user(text)]) for text in texts[:count]]
    engines = {"one by one": one}
    for size in sizes:
        engines[f"{size} at once"] = BatchEngine(choice.model, choice.adapter, size=size)
    for engine in engines.values():
        engine.use_core(renderer.core_tokens)
        await engine.warm()
    theirs = Theirs(choice, renderer.core_tokens)
    rows: dict[str, list[Figures]] = defaultdict(list)
    for _ in range(rounds):
        expected: list[list[int]] | None = None
        for name, engine in engines.items():
            tokens, figures = await ours(engine, prompts, limit)
            expected = expected or tokens
            rows[name].append(figures)
            show(name, figures, expected, tokens)
        for size in sizes:
            tokens, figures = theirs.run(prompts, limit, size)
            rows[f"BatchGenerator, {size}"].append(figures)
            show(f"BatchGenerator, {size}", figures, expected or [], tokens)
    for engine in engines.values():
        await engine.close()
    return rows


def show(name: str, figures: Figures, expected: list[list[int]], found: list[list[int]]) -> None:
    """A line as the round goes on."""
    same = sum(a == b for a, b in zip(expected, found, strict=True))
    tokens, seconds, cpu = figures
    print(f"  {name:22}{tokens:6} tokens {seconds:7.1f} s {cpu:7.1f} s CPU, {same} replies equal", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", default="4,8,16")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--limit", type=int, default=128)
    parser.add_argument("--suites", default="foundation,phase23")
    parser.add_argument("--prompts", type=int, default=24)
    options = parser.parse_args()
    sizes = [int(size) for size in options.sizes.split(",")]
    rows = asyncio.run(measure(sizes, options.rounds, options.limit, options.suites.split(","), options.prompts))
    print(f"{'':24}{'tokens/s':>10}{'seconds':>10}{'ratio':>8}{'CPU':>10}{'ratio':>8}")
    base: tuple[float, float] | None = None
    for name, figures in rows.items():
        seconds, cpu = (statistics.median(each[i] for each in figures) for i in (1, 2))
        base = base or (seconds, cpu)
        line = f"{figures[0][0] / seconds:10.1f}{seconds:10.1f}{base[0] / seconds:8.2f}{cpu:10.1f}{base[1] / cpu:8.2f}"
        print(f"{name:24}{line}")


if __name__ == "__main__":
    main()
