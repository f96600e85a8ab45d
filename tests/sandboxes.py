"""What the tests of sandbox processes share."""

import asyncio
import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from punie_cli.sandbox.host import Limits, ProgramError, ProgramOutput, Sandbox, Turn

GONE = "; the names that programs of this turn defined are gone"
SPECS = [{"name": "ask", "parameters": [{"name": "text"}]}]
ROOT = Path(__file__).parents[1]
linux = pytest.mark.skipif(sys.platform != "linux", reason="macOS has no /proc and no limit on the address space")


async def answer(name: str, args: dict[str, Any]) -> dict[str, Any]:
    return {"ok": args["text"]}


def make(**limits: Any) -> Iterator[Sandbox]:
    box = Sandbox(SPECS, Limits(**{"cpu_s": 20, "wall_s": 120, **limits}))
    yield box
    asyncio.run(box.close())


def worker(turn: Turn) -> psutil.Process:
    assert turn._pid is not None
    return psutil.Process(turn._pid)


def result(output: ProgramOutput) -> tuple[str, ProgramError | None, bool]:
    return output.text, output.error, output.killed


async def gone(process: psutil.Process) -> None:
    """Wait until the process has ended; a minute is far more than it can take."""
    with contextlib.suppress(psutil.NoSuchProcess):
        async with asyncio.timeout(60):
            while process.status() != psutil.STATUS_ZOMBIE:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
