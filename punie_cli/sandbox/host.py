"""The parent's side of the sandbox: starts the zygote, runs programs in its workers, answers their calls, kills them.

A worker is not trusted: every frame is checked, its output is counted here, and anything odd ends it.
"""

import asyncio
import json
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import psutil

from punie_cli.errors import PunieError
from punie_cli.sandbox.kernel import can_filter_calls

CallReply = dict[str, Any]
Caller = Callable[[str, dict[str, Any]], Awaitable[CallReply]]

MAX_FRAME = 8 * 1024 * 1024
READ_AHEAD = 65536
_START_S = 60.0
_GONE = "; the names that programs of this turn defined are gone"
_BOOT = "import sys; sys.path.insert(0, {root!r}); from punie_cli.sandbox.worker import main; main({fd})"


@dataclass(frozen=True)
class Limits:
    """What one program may use. Wall time stands still while a call is answered; CPU time starts anew each time."""

    cpu_s: float = 5.0
    wall_s: float = 30.0
    memory_mb: int = 512
    output_bytes: int = 65536
    """Kept of the output: three quarters of it from the head, the rest from the tail."""
    output_total: int = 1024 * 1024
    """A program that prints more is stopped."""
    calls: int = 200


@dataclass(frozen=True)
class ProgramError:
    """How a program failed. `kind` is an exception's class name, SyntaxError, PolicyError or LimitError."""

    kind: str
    message: str
    line: int | None = None


@dataclass(frozen=True)
class ProgramOutput:
    """What a program printed and how it ended. `killed`: its worker is gone, and all names with it."""

    text: str
    error: ProgramError | None
    truncated: bool
    seconds: float
    killed: bool


class _Stop(Exception):
    """Ends a program from outside; the text is the reason."""


class _Kept:
    """Output as it comes in: the head, the tail, and how much there was."""

    def __init__(self, limit: int) -> None:
        self._head_limit, self._tail_limit = limit * 3 // 4, limit // 4
        self._head, self._tail, self.total = "", "", 0

    def add(self, text: str) -> None:
        self.total += len(text)
        room = self._head_limit - len(self._head)
        self._head += text[: max(room, 0)]
        self._tail = (self._tail + text[max(room, 0) :])[-self._tail_limit :]

    @property
    def truncated(self) -> bool:
        return self.total > len(self._head) + len(self._tail)

    def text(self) -> str:
        left_out = self.total - len(self._head) - len(self._tail)
        gap = f"\n[... {left_out} characters left out ...]\n" if left_out else ""
        return self._head + gap + self._tail


def _well_formed(value: Any) -> Any:
    """Half a surrogate pair, which a program can make, becomes `?`: no file, terminal or database takes it."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [_well_formed(item) for item in value]
    if isinstance(value, dict):
        return {_well_formed(key): _well_formed(item) for key, item in value.items()}
    return value


class _Zygote:
    """The process that forks workers. Its methods block for milliseconds; any thread may call them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._stderr: IO[bytes] | None = None

    def fork(self, request: dict[str, Any]) -> tuple[int, socket.socket]:
        """A new worker: its process id and our end of its socket."""
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                pid = self._ask(request, theirs)["pid"]
            except (OSError, EOFError):
                # It died; one fresh start, and then it is an error.
                self.close()
                try:
                    pid = self._ask(request, theirs)["pid"]
                except (OSError, EOFError):
                    ours.close()
                    raise PunieError(f"the sandbox cannot start: {self._last_words()}", "punie doctor") from None
        ours.setblocking(False)
        return pid, ours

    def reap(self, pid: int) -> int | None:
        """End a worker; its exit code, minus a signal, or None if the zygote itself is gone."""
        try:
            return self._ask({"reap": pid})["status"]
        except (OSError, EOFError):
            return None

    def close(self) -> None:
        """End the zygote, which ends its workers."""
        with self._lock:
            if self._control is not None:
                self._control.close()
            if self._process is not None:
                try:
                    self._process.wait(5)
                except subprocess.TimeoutExpired:
                    self._process.kill()
                    self._process.wait()
            if self._stderr is not None:
                self._stderr.close()
            self._process = self._control = self._stderr = None

    def _ask(self, request: dict[str, Any], passed: socket.socket | None = None) -> dict[str, Any]:
        with self._lock:
            if self._control is None:
                if passed is None:
                    raise EOFError
                self._start()
            assert self._control is not None
            data = json.dumps(request).encode() + b"\n"
            socket.send_fds(self._control, [data], [passed.fileno()] if passed else [])
            return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._control is not None
        line = b""
        while not line.endswith(b"\n"):
            part = self._control.recv(4096)
            if not part:
                raise EOFError
            line += part
        return json.loads(line)

    def _start(self) -> None:
        self._control, theirs = socket.socketpair()
        self._control.settimeout(_START_S)
        root = str(Path(__file__).resolve().parents[2])
        boot = _BOOT.format(root=root, fd=theirs.fileno())
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115  (lives as long as the process)
        with theirs:
            # A session of its own: Ctrl-C in the terminal is the parent's to handle.
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-X", "utf8", "-c", boot],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._stderr,
                env={},
                cwd="/",
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        self._answer()

    def _last_words(self) -> str:
        if self._stderr is None:
            return "it ended at once"
        self._stderr.seek(0)
        lines = self._stderr.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it ended at once"


class Sandbox:
    """Workers for programs that may call the builtins of `specs`. Starts with the first turn; closing twice is fine."""

    def __init__(self, specs: list[dict[str, Any]], limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self._specs = specs
        self._zygote = _Zygote()

    def offer(self, specs: list[dict[str, Any]]) -> None:
        """From the next turn on programs may call these builtins."""
        self._specs = specs

    async def turn(self) -> "Turn":
        """A fresh locked worker."""
        turn = Turn(self._zygote, self._specs, self.limits)
        await turn.start()
        return turn

    async def close(self) -> None:
        """End the zygote and all workers."""
        await asyncio.to_thread(self._zygote.close)

    async def __aenter__(self) -> "Sandbox":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


class Turn:
    """One worker: names survive from program to program, until it is killed at a limit."""

    def __init__(self, zygote: _Zygote, specs: list[dict[str, Any]], limits: Limits) -> None:
        self._zygote, self._specs, self._limits = zygote, specs, limits
        self._pid: int | None = None
        self._socket: socket.socket | None = None
        self._over_memory = False
        self._received = bytearray()

    async def start(self) -> None:
        """Get a worker if there is none. Raises PunieError if the sandbox cannot start."""
        if self._socket is None:
            request = {"fork": asdict(self._limits), "builtins": self._specs}
            forking = asyncio.ensure_future(asyncio.to_thread(self._zygote.fork, request))
            try:
                self._pid, self._socket = await asyncio.shield(forking)
            except asyncio.CancelledError:
                # The thread cannot be stopped; what it brings is given back.
                forking.add_done_callback(self._discard)
                raise

    def _discard(self, forking: "asyncio.Future[tuple[int, socket.socket]]") -> None:
        if not forking.cancelled() and forking.exception() is None:
            pid, sock = forking.result()
            sock.close()
            self._zygote.reap(pid)

    async def run(self, code: str, call: Caller) -> ProgramOutput:
        """Run a program; `call` answers its builtins. Never raises for what the program does.

        Cancelling kills the worker before the cancellation goes on.
        """
        await self.start()
        self._over_memory = False
        kept, begin = _Kept(self._limits.output_bytes), time.monotonic()
        watch = None if sys.platform == "linux" else asyncio.create_task(self._watch_memory())
        killed = False
        try:
            error = await self._serve(code, call, kept)
        except _Stop as stop:
            self._kill()
            error, killed = ProgramError("LimitError", str(stop) + _GONE), True
        except (EOFError, OSError):
            error, killed = ProgramError("LimitError", self._why_dead() + _GONE), True
        except BaseException:
            self._kill()
            raise
        finally:
            if watch is not None:
                watch.cancel()
        return ProgramOutput(kept.text(), error, kept.truncated, time.monotonic() - begin, killed)

    async def close(self) -> None:
        """End the worker."""
        self._kill()

    async def __aenter__(self) -> "Turn":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _serve(self, code: str, call: Caller, kept: _Kept) -> ProgramError | None:
        limits, left, calls = self._limits, self._limits.wall_s, 0
        await self._send({"run": code})
        while True:
            begin = time.monotonic()
            try:
                # Not wait_for: until Python 3.12 it can lose a cancellation.
                async with asyncio.timeout(max(left, 0.001)):
                    frame = await self._receive()
            except TimeoutError:
                raise _Stop(f"stopped after {limits.wall_s:g} s") from None
            left -= time.monotonic() - begin
            match frame:
                case {"out": str(text)} if len(frame) == 1:
                    kept.add(text)
                    if kept.total > limits.output_total:
                        raise _Stop(f"stopped after printing {limits.output_total // 1024} KiB")
                case {"call": str(name), "args": dict(args)} if len(frame) == 2:
                    calls += 1
                    if calls > limits.calls:
                        raise _Stop(f"stopped after {limits.calls} calls")
                    await self._send(await call(name, args))
                case {"done": None} if len(frame) == 1:
                    return None
                case {"done": {"kind": str(kind), "message": str(message), "line": int() | None as line}}:
                    return ProgramError(kind[:200], message[:2000], line)
                case _:
                    raise _Stop("the sandbox process sent what it never should")

    async def _send(self, message: Any) -> None:
        assert self._socket is not None
        data = json.dumps(message).encode("utf-8", "surrogatepass")
        await asyncio.get_running_loop().sock_sendall(self._socket, struct.pack(">I", len(data)) + data)

    async def _receive(self) -> Any:
        (size,) = struct.unpack(">I", await self._exactly(4))
        if size > MAX_FRAME:
            raise _Stop("the sandbox process sent what it never should")
        data = await self._exactly(size)
        try:
            return _well_formed(json.loads(data.decode("utf-8", "surrogatepass")))
        except (ValueError, RecursionError):
            raise _Stop("the sandbox process sent what it never should") from None

    async def _exactly(self, size: int) -> bytes:
        assert self._socket is not None
        loop = asyncio.get_running_loop()
        while len(self._received) < size:
            part = await loop.sock_recv(self._socket, max(size - len(self._received), READ_AHEAD))
            if not part:
                raise EOFError
            self._received += part
        data = bytes(self._received[:size])
        del self._received[:size]
        return data

    def _kill(self) -> int | None:
        """End the worker; its exit code as `_Zygote.reap` tells it."""
        pid, sock = self._pid, self._socket
        self._pid = self._socket = None
        self._received.clear()
        if sock is not None:
            sock.close()
        return self._zygote.reap(pid) if pid is not None else None

    def _why_dead(self) -> str:
        status = self._kill()
        if status in (-signal.SIGPROF, -signal.SIGXCPU):
            return f"stopped after {self._limits.cpu_s:g} s of CPU"
        if self._over_memory:
            return f"stopped at {self._limits.memory_mb} MiB of memory"
        if status is None:
            return "the sandbox process died"
        how = signal.Signals(-status).name if status < 0 else f"exit code {status}"
        return f"the sandbox process died ({how})"

    async def _watch_memory(self) -> None:
        """Where the kernel does not limit the address space (macOS), look every 25 ms and kill."""
        if self._pid is None:
            return
        with suppress(psutil.Error):
            process = psutil.Process(self._pid)
            while process.memory_info().rss < self._limits.memory_mb * 2**20:  # noqa: ASYNC110  (nothing tells us)
                await asyncio.sleep(0.025)
            self._over_memory = True
            process.kill()


def sandbox_layers() -> dict[str, bool]:
    """The layers of defence and whether this platform has them, for `punie doctor`."""
    linux = sys.platform == "linux"
    return {
        "RestrictedPython policy": True,
        "separate process, no environment": True,
        "limits on CPU, files and output": True,
        "no new privileges": linux,
        "filter of system calls (seccomp)": can_filter_calls(),
        "limit on memory by the kernel": linux,
        "limit on memory by watching": not linux,
    }
