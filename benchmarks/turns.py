"""From Enter to the first token, turn by turn, in conversations of equal turns: python benchmarks/turns.py [MODEL]

MODEL is a name of the store, by default the model in use. Everything is real: sandbox, rendering, engine, prefix cache.
Each turn asks the same of another number. Printed are medians over the rounds: seconds to the first token, the part of
them that the engine took, tokens that were read and that were in the cache, and the ratio of the last turn to turn 2.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections import defaultdict
from pathlib import Path

from punie_cli.agent.events import Delta, Used
from punie_cli.agent.loop import Agent
from punie_cli.agent.open import open_agent
from punie_cli.settings import Settings
from punie_cli.workspace import Workspace


async def first_token(agent: Agent, text: str) -> tuple[float, float, int, int]:
    """Seconds to the first piece of text, those of the engine, tokens read and tokens cached of the first reply."""
    started, seconds, used = time.perf_counter(), 0.0, None
    async for event in agent.turn(text):
        if isinstance(event, Delta):
            seconds = seconds or time.perf_counter() - started
        elif isinstance(event, Used):
            used = used or event.usage
    assert used is not None
    return seconds, used.first_token_s, used.prompt_tokens - used.cached_tokens, used.cached_tokens


async def measure(model: str | None, turns: int, rounds: int) -> dict[int, list[tuple[float, float, int, int]]]:
    """For each turn its figures of all rounds."""
    found: dict[int, list[tuple[float, float, int, int]]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(model=model, max_tokens=48, max_steps=1)
        async with open_agent(settings, Workspace(Path(folder))) as (agent, started):
            print(f"{started.model}, adapter {started.adapter or 'none'}")
            for number in range(rounds + 1):
                agent.messages = []
                for turn in range(1, turns + 1):
                    text = f"What is {10 * turn + number} in words? Answer at once, in one short sentence."
                    figures = await first_token(agent, text)
                    # The first round is to warm up.
                    if number:
                        found[turn].append(figures)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="?")
    parser.add_argument("--turns", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    found = asyncio.run(measure(options.model, options.turns, options.rounds))
    medians = {turn: [statistics.median(column) for column in zip(*rows, strict=True)] for turn, rows in found.items()}
    print(f"{'turn':>4}{'first token s':>15}{'engine s':>10}{'read':>7}{'cached':>8}")
    for turn, (seconds, engine, read, cached) in medians.items():
        print(f"{turn:4}{seconds:15.3f}{engine:10.3f}{read:7.0f}{cached:8.0f}")
    last = max(medians)
    print(f"turn {last} / turn 2: {medians[last][0] / medians[2][0]:.2f}")


if __name__ == "__main__":
    main()
