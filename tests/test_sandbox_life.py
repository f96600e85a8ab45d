"""How sandboxes begin, end and survive: zygotes that die, cancelled programs, event loops, a parent that is killed."""

import asyncio
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from typing import Any

import psutil
import pytest

from punie_cli.sandbox.host import Sandbox, Turn
from tests.sandboxes import ROOT, SPECS, answer, gone, make, result, worker


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    yield from make()


@pytest.fixture
async def turn(sandbox: Sandbox) -> Any:
    async with await sandbox.turn() as one:
        yield one


async def test_a_zygote_that_dies_is_replaced() -> None:
    async with Sandbox(SPECS) as box:
        first = await box.turn()
        assert box._zygote._process is not None
        zygote = psutil.Process(box._zygote._process.pid)
        zygote.kill()
        await gone(zygote)
        async with await box.turn() as second:
            assert result(await second.run("print(1)", answer)) == ("1\n", None, False)
            # The turn that lost its worker goes on, and does no harm to the other.
            await first.run("print(2)", answer)
            assert result(await first.run("print(3)", answer)) == ("3\n", None, False)
            assert result(await second.run("print(4)", answer)) == ("4\n", None, False)
        await first.close()


@pytest.mark.parametrize("program", ["while True: pass", "import time\nwhile True: time.sleep(1)", "ask('wait')"])
async def test_cancelling_leaves_no_worker(sandbox: Sandbox, program: str) -> None:
    started = asyncio.Event()

    async def call(name: str, args: dict[str, Any]) -> dict[str, Any]:
        started.set()
        if args["text"] == "wait":
            await asyncio.Event().wait()
        return {"ok": None}

    async with await sandbox.turn() as turn:
        process = worker(turn)
        running = asyncio.create_task(turn.run(f"ask('go')\n{program}", call))
        await started.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert not process.is_running()
        assert result(await turn.run("print('again')", answer)) == ("again\n", None, False)


async def test_cancelling_the_start_of_a_turn_leaves_no_worker(sandbox: Sandbox) -> None:
    async with await sandbox.turn():
        pass
    assert sandbox._zygote._process is not None
    zygote = psutil.Process(sandbox._zygote._process.pid)
    starting = asyncio.create_task(sandbox.turn())
    await asyncio.sleep(0)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    for child in zygote.children():
        await gone(child)


async def test_an_error_of_the_caller_ends_the_worker_and_goes_on(turn: Turn) -> None:
    async def broken(name: str, args: dict[str, Any]) -> dict[str, Any]:
        raise RuntimeError("a fault of ours")

    process = worker(turn)
    with pytest.raises(RuntimeError, match="a fault of ours"):
        await turn.run("ask('x')", broken)
    assert not process.is_running()


def test_a_sandbox_outlives_an_event_loop() -> None:
    box = Sandbox(SPECS)

    async def use(turn: Turn | None) -> tuple[Turn, str]:
        turn = turn or await box.turn()
        return turn, (await turn.run("n = globals_n = 1\nprint(n)", answer)).text

    turn, first = asyncio.run(use(None))
    _, second = asyncio.run(use(turn))
    asyncio.run(turn.close())
    asyncio.run(box.close())
    assert (first, second) == ("1\n", "1\n")


async def test_closing_twice_and_starting_again() -> None:
    box = Sandbox(SPECS)
    turn = await box.turn()
    process = worker(turn)
    await box.close()
    await box.close()
    await turn.close()
    await turn.close()
    await gone(process)
    async with await box.turn() as again:
        assert result(await again.run("print('up')", answer)) == ("up\n", None, False)
    await box.close()


def test_nothing_is_left_when_the_parent_is_killed() -> None:
    script = f"""
        import asyncio, sys
        sys.path.insert(0, {str(ROOT)!r})
        from punie_cli.sandbox.host import Sandbox
        async def main():
            box = Sandbox([{{"name": "ask", "parameters": []}}])
            turn = await box.turn()
            async def call(name, args):
                print(box._zygote._process.pid, turn._pid, flush=True)
                return {{"ok": None}}
            await turn.run("ask()\\nwhile True: pass", call)
        asyncio.run(main())
    """
    with subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        processes = [psutil.Process(int(pid)) for pid in parent.stdout.readline().split()]
        parent.kill()
    assert len(processes) == 2
    # Process 1 may take its time to collect what it inherits.
    for process in processes:
        asyncio.run(gone(process))
