"""punie's engine against mlx_lm.stream_generate, in turn in one process: python benchmarks/engine.py [MODEL]

MODEL is a model directory, by default the embedded one. Both use the same BLAS and neither mx.compile on the CPU.
Printed are medians over the rounds and their ratio; above 1 means that punie is faster. "new process" is the first
token of a process that finds the core of its prompt in the prefix cache, without the time to load the model.
"""

import argparse
import asyncio
import statistics
import time
from collections import defaultdict
from pathlib import Path

from punie_cli import paths
from punie_cli.engine.base import Prompt, Reply
from punie_cli.engine.mlx import MLXEngine

_SYSTEM = "You are a coding agent in the user's project. Reply with one Python program or with the answer. " * 16
_QUESTION = "Write a Python function that counts the words of a text, with a docstring and an example."
_NEXT = "\n<|im_start|>user\nNow make it ignore case.<|im_end|>\n<|im_start|>assistant\n"
_DECODE = 64


async def reply(engine: MLXEngine, tokens: list[int], count: int) -> tuple[Reply, float]:
    """The reply and the seconds to its first token, as the asyncio side sees them."""
    started = time.perf_counter()
    first = 0.0
    last = None
    async for event in engine.generate(Prompt([], (), tokens), max_tokens=count):
        first = first or time.perf_counter() - started
        last = event
    assert isinstance(last, Reply)
    return last, first


def stock(model, tokenizer, tokens: list[int], count: int) -> tuple[list[int], float, float]:
    """Tokens, seconds to the first one, tokens per second after it."""
    from mlx_lm import stream_generate

    started = time.perf_counter()
    times, produced = [], []
    for part in stream_generate(model, tokenizer, tokens, max_tokens=count):
        times.append(time.perf_counter() - started)
        produced.append(part.token)
    return produced, times[0], (len(times) - 1) / max(times[-1] - times[0], 1e-9)


async def measure(path: Path, rounds: int) -> dict[str, tuple[list[float], list[float]]]:
    """For each row its figures: ours, theirs."""
    engine = MLXEngine(path)
    await engine.open()
    from punie_cli.models.load import load

    model, tokenizer, _ = load(path)
    system = {"role": "system", "content": _SYSTEM}
    core = tokenizer.apply_chat_template([system])
    user = {"role": "user", "content": _QUESTION}
    tokens = tokenizer.apply_chat_template([system, user], add_generation_prompt=True)
    assert tokens[: len(core)] == core
    rows: dict[str, tuple[list[float], list[float]]] = defaultdict(lambda: ([], []))

    def note(row: str, ours: float, theirs: float) -> None:
        rows[row][0].append(ours)
        rows[row][1].append(theirs)

    for number in range(rounds):
        # A first token of its own, so that nothing of the last round is in the cache.
        fresh = [100 + number, *tokens]
        first, first_s = await reply(engine, fresh, _DECODE)
        theirs, their_first_s, their_rate = stock(model, tokenizer, fresh, _DECODE)
        held = fresh + first.tokens + tokenizer.encode(_NEXT, add_special_tokens=False)
        _, their_second_s, _ = stock(model, tokenizer, held, 4)
        _, second_s = await reply(engine, held, 4)
        assert number or theirs[:8] == first.tokens[:8], "both must produce the same text"
        note(f"read {len(fresh)} tokens, tokens/s", len(fresh) / first_s, len(fresh) / their_first_s)
        note("decode, tokens/s", first.usage.tokens_per_s, their_rate)
        note("second turn, turns/s to the first token", 1 / second_s, 1 / their_second_s)
        note(
            "new process, 1/s to the first token",
            1 / await new_process(path, core, tokens),
            1 / their_first_s,
        )
    await engine.close()
    return rows


async def new_process(path: Path, core: list[int], tokens: list[int]) -> float:
    """Seconds to the first token of an engine that has just been opened; the first call fills the cache."""
    engine = MLXEngine(path)
    await engine.open()
    engine.use_core(core)
    _, seconds = await reply(engine, tokens, 1)
    await engine.close()
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="?", type=Path, default=paths.data_dir() / "models" / "smollm2-135m")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    rows = asyncio.run(measure(options.model, options.rounds))
    print(f"{'':42}{'punie':>9}{'mlx_lm':>9}{'ratio':>8}")
    for row, (ours, theirs) in rows.items():
        a, b = statistics.median(ours), statistics.median(theirs)
        print(f"{row:42}{a:9.1f}{b:9.1f}{a / b:8.2f}")


if __name__ == "__main__":
    main()
