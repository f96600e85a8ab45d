"""Many programs, in a row and at once: honest ones, ones that fail, ones that kill their worker; what is left then."""

import asyncio
import gc
from dataclasses import dataclass

import psutil

from punie_cli.sandbox.host import Limits, Sandbox
from tests.sandboxes import SPECS, answer

LIMITS = Limits(cpu_s=0.2, wall_s=60, memory_mb=64, output_bytes=1024, output_total=8192, calls=5)
PER_TURN = 25
# Program, its output or None where it does not matter, and whether the worker is killed.
PROGRAMS: list[tuple[str, str | None, bool]] = [
    ("print(sum(range(100)))", "4950\n", False),
    ("import json\nprint(json.dumps({'a': [1, 2]}))", '{"a": [1, 2]}\n', False),
    ("print(ask('x'))", "x\n", False),
    ("class A:\n    def f(self): return [self] * 1000\nx = A().f()\nprint(len(x))", "1000\n", False),
    ("1 / 0", "", False),
    ("import subprocess", "", False),
    ("x = bytearray(10 ** 9)", "", False),
    ("def f(): return f()\nf()", "", False),
    ("for n in range(9): ask(str(n))", None, True),
    ("while True: print('0123456789')", None, True),
]
SLOW = ("while True: pass", None, True)
SLOW_EVERY = 40


@dataclass(frozen=True)
class Held:
    """What this process holds: children with theirs, and descriptors."""

    processes: frozenset[int]
    descriptors: int


def held() -> Held:
    """As it is now."""
    gc.collect()
    process = psutil.Process()
    return Held(frozenset(child.pid for child in process.children(recursive=True)), process.num_fds())


async def run_all(sandbox: Sandbox, numbers: range) -> list[str]:
    """Run the programs with these numbers; what was wrong, in words."""
    wrong = []
    for start in range(0, len(numbers), PER_TURN):
        async with await sandbox.turn() as turn:
            for number in numbers[start : start + PER_TURN]:
                program = SLOW if number % SLOW_EVERY == SLOW_EVERY - 1 else PROGRAMS[number % len(PROGRAMS)]
                code, text, killed = program
                output = await turn.run(code, answer)
                if output.killed != killed or (text is not None and output.text != text):
                    wrong.append(f"program {number}: {output}")
    return wrong


async def stress(programs: int, turns: int) -> tuple[list[str], list[str]]:
    """What went wrong, and what was left: the programs in a row, then the same ones in turns at once."""
    before = held()
    async with Sandbox(SPECS, LIMITS) as sandbox:
        wrong = await run_all(sandbox, range(programs))
        between = held()
        found = await asyncio.gather(*(run_all(sandbox, range(n, programs, turns)) for n in range(turns)))
        after = held()
    left = _left(before, held(), 0)
    # Open: the zygote, its two ends and its file of errors.
    left += _left(before, between, 1) + _left(between, after, 0)
    return wrong + [text for texts in found for text in texts], left


def _left(before: Held, after: Held, zygotes: int) -> list[str]:
    left = []
    if len(after.processes - before.processes) > zygotes:
        left.append(f"processes {sorted(after.processes - before.processes)}")
    if after.descriptors > before.descriptors + 3 * zygotes:
        left.append(f"{after.descriptors - before.descriptors} descriptors")
    return left
