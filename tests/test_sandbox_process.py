"""The processes behind the sandbox: limits, deaths, cancellation, and what a worker can see."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from punie_cli.sandbox.host import Limits, ProgramError, ProgramOutput, Sandbox, Turn, sandbox_layers
from punie_cli.sandbox.kernel import can_filter_calls
from tests.sandboxes import GONE, ROOT, SPECS, answer, gone, linux, make, result, worker


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    yield from make()


@pytest.fixture(scope="module")
def tight() -> Iterator[Sandbox]:
    yield from make(memory_mb=64, output_bytes=40, output_total=4096, calls=3)


@pytest.fixture(scope="module")
def second() -> Iterator[Sandbox]:
    """A sandbox whose programs have a second of CPU time."""
    yield from make(cpu_s=1)


@pytest.fixture
async def turn(sandbox: Sandbox) -> Any:
    async with await sandbox.turn() as one:
        yield one


@pytest.fixture
async def tight_turn(tight: Sandbox) -> Any:
    async with await tight.turn() as one:
        yield one


# Limits


@pytest.mark.parametrize(
    "program",
    [
        "while True: pass",
        "try:\n    while True: pass\nexcept BaseException:\n    print('caught')",
        "import re\nre.match(r'(a+)+$', 'a' * 40 + 'b')",
        "import math\nmath.factorial(10 ** 7)",
    ],
)
async def test_the_limit_on_cpu_ends_a_program_also_in_c(second: Sandbox, program: str) -> None:
    stopped = ProgramError("LimitError", "stopped after 1 s of CPU" + GONE)
    async with await second.turn() as turn:
        assert result(await turn.run(program, answer)) == ("", stopped, True)


async def test_cpu_is_counted_anew_for_each_program(second: Sandbox) -> None:
    spend = "import time\nstart = time.process_time()\nwhile time.process_time() < start + 0.6: pass\nprint('done')"
    async with await second.turn() as turn:
        for _ in range(3):
            assert result(await turn.run(spend, answer)) == ("done\n", None, False)


async def test_the_limit_on_wall_time_covers_sleep() -> None:
    async with Sandbox(SPECS, Limits(wall_s=0.5)) as box, await box.turn() as turn:
        output = await turn.run("import time\nprint('begin')\nwhile True: time.sleep(1)", answer)
        assert result(output)[1:] == (ProgramError("LimitError", "stopped after 0.5 s" + GONE), True)


async def test_wall_time_stands_still_during_a_call() -> None:
    async def slow(name: str, args: dict[str, Any]) -> dict[str, Any]:
        await asyncio.sleep(3)
        return {"ok": "late"}

    async with Sandbox(SPECS, Limits(wall_s=2)) as box, await box.turn() as turn:
        assert result(await turn.run("print(ask('x'))", slow)) == ("late\n", None, False)


@linux
@pytest.mark.parametrize(
    "program",
    [
        "x = bytearray(10 ** 9)",
        "x = list(range(10 ** 8))",
        "x = f'{1:{10 ** 9}}'",
        "x = []\nwhile True: x.append(bytes(1000))",
        "x = 'ab'\nwhile True: x += x",
    ],
)
async def test_a_large_allocation_raises_and_the_worker_lives_on(tight_turn: Turn, program: str) -> None:
    process = worker(tight_turn)
    output = await tight_turn.run(f"y = 1\n{program}", answer)
    assert output.error is not None
    assert (output.error.kind, output.error.message, output.killed) == ("MemoryError", "out of memory", False)
    assert result(await tight_turn.run("x = None\nprint(y)", answer)) == ("1\n", None, False)
    assert worker(tight_turn) == process


async def test_too_much_output_stops_a_program(tight_turn: Turn) -> None:
    output = await tight_turn.run("while True: print('0123456789' * 10)", answer)
    assert output.error == ProgramError("LimitError", "stopped after printing 4 KiB" + GONE)
    assert (output.truncated, output.killed) == (True, True)


@pytest.mark.parametrize(
    ("program", "text", "truncated"),
    [
        ("print('a' * 39)", "a" * 39 + "\n", False),
        ("print('a' * 100 + 'b' * 9)", "a" * 30 + "\n[... 70 characters left out ...]\n" + "b" * 9 + "\n", True),
        (
            "print('a' * 20)\nask('x')\nprint('b' * 20)",
            "a" * 20 + "\n" + "b" * 9 + "\n[... 2 characters left out ...]\n" + "b" * 9 + "\n",
            True,
        ),
    ],
)  # fmt: skip
async def test_head_and_tail_of_the_output_are_kept(tight_turn: Turn, program: str, text: str, truncated: bool) -> None:
    output = await tight_turn.run(program, answer)
    assert (output.text, output.truncated, output.error) == (text, truncated, None)


async def test_the_limit_on_calls_also_counts_refused_ones(tight_turn: Turn) -> None:
    async def refuse(name: str, args: dict[str, Any]) -> dict[str, Any]:
        return {"error": {"kind": "PermissionError", "message": "no"}}

    program = "for n in range(9):\n    try: ask('x')\n    except PermissionError: print(n)"
    stopped = ProgramError("LimitError", "stopped after 3 calls" + GONE)
    assert result(await tight_turn.run(program, refuse)) == ("0\n1\n2\n", stopped, True)


async def test_a_worker_survives_what_is_nested_deeply(turn: Turn) -> None:
    process = worker(turn)
    sources = [
        "(" * 5000 + ")" * 5000,
        "-" * 60_000 + "1",
        "a" + ".b" * 60_000,
        "[" * 150 + "]" * 150,
        "x" + "[0]" * 9000,
    ]
    for source in sources:
        assert (await turn.run(source, answer)).killed is False
    output = await turn.run("x = []\nfor _ in range(10 ** 5): x = [x]\nprint(repr(x))", answer)
    assert output.error is not None
    assert (output.error.kind, worker(turn)) == ("RecursionError", process)


# Names, deaths and replacements


async def test_names_survive_from_program_to_program(turn: Turn) -> None:
    await turn.run("x = 1\ndef f():\n    return x\nimport re", answer)
    await turn.run("x += 4\n1 / 0", answer)
    assert result(await turn.run("print(f(), re.escape('.'))", answer)) == ("5 \\.\n", None, False)


async def test_turns_do_not_share_names(sandbox: Sandbox) -> None:
    async with await sandbox.turn() as one, await sandbox.turn() as other:
        await one.run("x = 1", answer)
        output = await other.run("print(x)", answer)
        assert result(output) == ("", ProgramError("NameError", "name 'x' is not defined", 1), False)


async def test_turns_do_not_draw_the_same_random_numbers(sandbox: Sandbox) -> None:
    async with await sandbox.turn() as one, await sandbox.turn() as other:
        first, second = [
            (await t.run("import random\nprint(random.getrandbits(99))", answer)).text for t in (one, other)
        ]
    assert first != second


async def test_concurrent_turns_do_not_mix(sandbox: Sandbox) -> None:
    async def one(n: int) -> str:
        async with await sandbox.turn() as turn:
            output = await turn.run(f"for i in range(20): print({n}, ask(str(i)))", answer)
            return output.text

    texts = await asyncio.gather(*(one(n) for n in range(4)))
    assert texts == ["".join(f"{n} {i}\n" for i in range(20)) for n in range(4)]


async def test_a_killed_worker_is_replaced_and_its_names_are_gone(tight_turn: Turn) -> None:
    await tight_turn.run("x = 1", answer)
    assert (await tight_turn.run("while True: print(x)", answer)).killed is True
    output = await tight_turn.run("print('new')\nprint(x)", answer)
    assert result(output) == ("new\n", ProgramError("NameError", "name 'x' is not defined", 2), False)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGSEGV, signal.SIGKILL])
async def test_a_worker_that_dies_by_itself_is_replaced(turn: Turn, number: signal.Signals) -> None:
    async def kill(name: str, args: dict[str, Any]) -> dict[str, Any]:
        process = worker(turn)
        process.send_signal(number)
        await gone(process)
        return {"ok": None}

    died = ProgramError("LimitError", f"the sandbox process died ({number.name}){GONE}")
    assert result(await turn.run("print('before')\nask('x')", kill)) == ("before\n", died, True)
    assert result(await turn.run("print('after')", answer)) == ("after\n", None, False)


# What a worker can see and do


@linux
async def test_a_worker_sees_no_file_and_no_environment(turn: Turn) -> None:
    await turn.run("pass", answer)  # by then it is locked down
    process = worker(turn)
    links = [os.readlink(f"/proc/{process.pid}/fd/{fd}") for fd in os.listdir(f"/proc/{process.pid}/fd")]  # noqa: PTH115, PTH208
    assert sorted(link.partition(":")[0] for link in links) == ["/dev/null", "/dev/null", "/dev/null", "socket"]
    assert process.environ() == {}
    assert process.cwd() == "/"
    status = Path(f"/proc/{process.pid}/status").read_text()  # noqa: ASYNC240
    fields = dict(line.split(":\t", 1) for line in status.splitlines())
    assert fields["NoNewPrivs"] == "1"
    assert fields["Seccomp"] == ("2" if can_filter_calls() else "0")


@linux
@pytest.mark.skipif(not can_filter_calls(), reason="this kernel or processor has no filter of system calls")
def test_the_kernel_refuses_what_the_policy_might_miss(tmp_path: Path) -> None:
    """As if a program had got out of the language: plain Python in a locked process."""
    (tmp_path / "kept.txt").write_text("kept")
    script = f"""
        import json, os, resource, signal, socket, sys
        sys.path.insert(0, {str(ROOT)!r})
        from punie_cli.sandbox.kernel import lock_down
        ours, theirs = socket.socketpair()
        kept, parent = {str(tmp_path / "kept.txt")!r}, os.getppid()
        if os.fork() == 0:
            lock_down(theirs, {{"memory_mb": 64}})
            os.close(0)
            attempts = {{
                "read": lambda: os.open(kept, os.O_RDONLY),
                "write": lambda: os.open(kept, os.O_WRONLY),
                "remove": lambda: os.unlink(kept),
                "rename": lambda: os.rename(kept, kept + "2"),
                "chmod": lambda: os.chmod(kept, 0),
                "mkdir": lambda: os.mkdir(kept + "3"),
                "stat": lambda: os.stat(kept),
                "list": lambda: os.listdir("/"),
                "socket": lambda: socket.socket(),
                "kill": lambda: os.kill(parent, signal.SIGTERM),
                "fork": lambda: os.fork(),
                "exec": lambda: os.execv("/bin/true", ["true"]),
                "limits": lambda: resource.prlimit(parent, resource.RLIMIT_CPU, (1, 1)),
                "grow": lambda: bytearray(512 * 2**20),
            }}
            found = {{}}
            for name, attempt in attempts.items():
                try:
                    found[name] = repr(attempt())
                except BaseException as problem:
                    found[name] = type(problem).__name__
            theirs.sendall(json.dumps(found).encode())
            os._exit(0)
        theirs.close()
        print(ours.recv(65536).decode())
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert found.pop("grow") == "MemoryError"
    assert set(found.values()) == {"PermissionError"}, found
    assert [p.name for p in tmp_path.iterdir() if p.is_file()] == ["kept.txt"]


def test_the_layers_are_named() -> None:
    layers = sandbox_layers()
    assert layers["RestrictedPython policy"] is layers["separate process, no environment"] is True
    assert layers["limit on memory by the kernel"] is not layers["limit on memory by watching"]


# A worker that cannot be trusted


@pytest.mark.parametrize(
    "frame",
    [
        b"\x00\x00\x00\x02{}",
        b"\x00\x00\x00\x04null",
        b"\x00\x00\x00\x01{",
        b"\xff\xff\xff\xff",
        b"\x00\x00\x00\x09" + b"[" * 9,
        b"\x00\x00\x00\x0b" + b'{"out": 12}',
        b"\x00\x01\x00\x00" + b"[" * 32768 + b"]" * 32768,
    ],
)
async def test_odd_frames_end_the_worker(sandbox: Sandbox, frame: bytes) -> None:
    import socket as sockets

    async with await sandbox.turn() as turn:
        assert turn._socket is not None
        real, (ours, theirs) = turn._socket, sockets.socketpair()
        ours.setblocking(False)
        turn._socket = ours
        theirs.sendall(frame)
        output = await turn.run("print(1)", answer)
        real.close()
        theirs.close()
    assert output.error == ProgramError("LimitError", "the sandbox process sent what it never should" + GONE)


def _programs() -> st.SearchStrategy[str]:
    words = st.sampled_from([
        "x", "print", "(", ")", "[", "]", ".", "=", "class A:", "\n", "    ", "lambda", "'a'", "1", "*", "import re",
        ":", "match x:", "case", "def f(", "yield", "{", "}", "f'{", "'", "del", "try:", "except", "\\",
        "#", "_x_", "__x",
        "@", "x()", "in", "for", "with", "global", "nonlocal",
    ])  # fmt: skip
    return st.one_of(st.text(max_size=200), st.lists(words, max_size=20).map(" ".join))


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(_programs())
def test_any_text_gives_an_output_and_the_sandbox_stays_usable(sandbox: Sandbox, program: str) -> None:
    async def both() -> tuple[ProgramOutput, ProgramOutput]:
        async with await sandbox.turn() as turn:
            return await turn.run(program, answer), await turn.run("print('usable')", answer)

    output, after = asyncio.run(both())
    assert isinstance(output, ProgramOutput)
    # A program may take the name print.
    assert after.killed is False
    if "print" not in program:
        assert (after.text, after.error) == ("usable\n", None)
