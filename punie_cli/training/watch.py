"""A process beside each host's trainer that ends it when another host is dead or stuck. Imports no mlx.

An exchange between hosts waits in C, at the start with Python's lock held: no thread of the trainer could end it. So
`punie train --worker BACKEND` is this watch; it starts the trainer as its child and hears from it through a pipe what
it does. The watches have TCP connections of their own, all to the first host, and tell each other once a second.

A run ends when a watch is gone or silent, when a trainer has failed, when all trainers have waited in an exchange for
`STUCK_S`, and when one that should compute has neither said anything nor used the processor for `IDLE_S`.
"""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import psutil

from punie_cli.errors import Exit, PunieError, UsageError

# Environment of a watch: `IP,PORT,HOSTS,TOKEN`, the place where the first host's watch is met.
WATCH = "PUNIE_WATCH"
# Environment of a trainer: the numbers of two pipes, what it tells and what ends it.
MEMBER = "PUNIE_MEMBER"

JOIN_S = 60.0
SILENT_S = 20.0
STUCK_S = 30.0
IDLE_S = 45.0
_BEAT_S = 1.0
# What a trainer does while it waits for others.
WAITING = ("init", "sum")
# How long the others may take to end when this host has.
_END_S = 30.0
_RANKS = ("MLX_RANK", "OMPI_COMM_WORLD_RANK", "PMI_RANK")
# A number in the place of a rank: the launcher, which listens and may ask for a stop.
LAUNCHER = -1


@dataclass(frozen=True)
class Meeting:
    """Where the watches meet, how many there are, and what they show each other."""

    address: str
    port: int
    hosts: int
    token: str

    @classmethod
    def read(cls) -> "Meeting":
        """From the environment. Raises UsageError outside of a launch."""
        try:
            address, port, hosts, token = os.environ[WATCH].split(",")
            return cls(address, int(port), int(hosts), token)
        except (KeyError, ValueError):
            raise UsageError(
                f"--worker needs {WATCH}=IP,PORT,HOSTS,TOKEN", "punie train --phase 23 --hosts FILE"
            ) from None

    def __str__(self) -> str:
        return f"{self.address},{self.port},{self.hosts},{self.token}"


def rank() -> int:
    """This host's number, as MLX's launcher or MPI says it."""
    for name in _RANKS:
        if name in os.environ:
            return int(os.environ[name])
    raise UsageError("no MLX_RANK: this is not one of several hosts", "punie train --phase 23 --hosts FILE")


def supervise(arguments: Sequence[str]) -> int:
    """Run `punie ARGUMENTS` as this host's trainer until it ends, or another host fails. Returns its exit code.

    Raises PunieError that says which host was lost, and the last whole checkpoint.
    """
    watch = _Watch(Meeting.read(), rank())
    try:
        return asyncio.run(watch.run([sys.executable, "-m", "punie_cli", *arguments]))
    finally:
        # MLX's launcher ends the other hosts when one has ended: this one has, with a code of its own.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)


@dataclass
class State:
    """What one host was last heard to do; times by this machine's clock."""

    doing: str = "start"
    changes: int = 0
    heard: float = field(default_factory=time.monotonic)
    changed: float = field(default_factory=time.monotonic)

    def hear(self, doing: str, changes: int) -> None:
        self.heard = time.monotonic()
        if (doing, changes) != (self.doing, self.changes):
            self.doing, self.changes, self.changed = doing, changes, self.heard


def verdict(states: Mapping[int, State], own: int, now: float, *, used: float, hosts: int | None) -> str:
    """Why the run must end; empty while it may go on.

    `used`: when the trainer of host `own` last used the processor. `hosts`: how many there are, where all are in
    `states`.
    """
    for number, state in states.items():
        if now - state.heard > SILENT_S:
            return f"host {number} has been silent for {SILENT_S:.0f} s"
    waits = [now - state.changed for state in states.values() if state.doing in WAITING]
    if len(waits) == hosts and min(waits) > STUCK_S:
        return f"all hosts have waited for each other for {STUCK_S:.0f} s"
    if own in states and states[own].doing not in WAITING and now - max(used, states[own].changed) > IDLE_S:
        return f"the trainer of host {own} has done nothing for {IDLE_S:.0f} s"
    return ""


class _Watch:
    def __init__(self, meeting: Meeting, number: int) -> None:
        self._meeting, self._rank = meeting, number
        self._states = {number: State()}
        self._links: dict[int, asyncio.StreamWriter] = {}
        self._ended: dict[int, int] = {}
        self._checkpoint = ""
        self._lost: asyncio.Future[str] | None = None
        self._all_here, self._all_ended = asyncio.Event(), asyncio.Event()
        self._child: Any = None
        self._cpu = (0.0, time.monotonic())
        self._tasks: list[asyncio.Task] = []

    async def run(self, command: Sequence[str]) -> int:
        loop = asyncio.get_running_loop()
        self._lost = loop.create_future()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._forward, number)
        server = await self._meet()
        try:
            await self._or_lost(self._all_here.wait(), JOIN_S, "did not come")
            return await self._train(command)
        finally:
            if self._child is not None and self._child.returncode is None:
                self._child.kill()
                await self._child.wait()
            for task in self._tasks:
                task.cancel()
            if server is not None:
                server.close()

    async def _meet(self) -> asyncio.Server | None:
        """The first host waits for the others, which come to it."""
        meeting = self._meeting
        if self._rank == 0:
            if meeting.hosts == 1:
                self._all_here.set()
            try:
                return await asyncio.start_server(self._came, meeting.address, meeting.port)
            except OSError as problem:
                raise PunieError(f"host 0 cannot listen at {meeting.address}:{meeting.port}: {problem}") from problem
        end = time.monotonic() + JOIN_S
        while True:
            try:
                reader, writer = await asyncio.open_connection(meeting.address, meeting.port)
                break
            except OSError as problem:
                if time.monotonic() > end:
                    raise PunieError(
                        f"host {self._rank} cannot reach host 0 at {meeting.address}:{meeting.port}: {problem}"
                    ) from problem
                await asyncio.sleep(0.5)
        self._links[0] = writer
        self._states[0] = State()
        _send(writer, {"token": meeting.token, "rank": self._rank})
        self._tasks.append(asyncio.create_task(self._listen(0, reader)))
        return None

    def _came(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._tasks.append(asyncio.create_task(self._welcome(reader, writer)))

    async def _welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = await _receive(reader)
        if first is None or first.get("token") != self._meeting.token or not isinstance(first.get("rank"), int):
            writer.close()
            return
        number = first["rank"]
        self._links[number] = writer
        if number != LAUNCHER:
            self._states[number] = State()
        if len(self._states) == self._meeting.hosts:
            self._all_here.set()
            for link in self._links.values():
                _send(link, {"here": True})
        await self._listen(number, reader)

    async def _listen(self, number: int, reader: asyncio.StreamReader) -> None:
        while (message := await _receive(reader)) is not None:
            if "here" in message:
                self._all_here.set()
            if "doing" in message and number in self._states:
                self._states[number].hear(message["doing"], message["changes"])
            if "checkpoint" in message:
                self._checkpoint = message["checkpoint"]
            if "stop" in message:
                self._forward(signal.SIGINT)
            if "end" in message:
                self._ended[number] = message["end"]
                self._note_end()
            if "lost" in message:
                self._lose(message["lost"])
        if number != LAUNCHER and number not in self._ended:
            self._lose(f"host {number} ended or cannot be reached")

    async def _train(self, command: Sequence[str]) -> int:
        told, tell = os.pipe()
        leash, hold = os.pipe()
        self._child = await asyncio.create_subprocess_exec(
            *command,
            pass_fds=(tell, leash),
            env=os.environ | {MEMBER: f"{tell},{leash}"},
            # Signals of the terminal reach this process, which hands them on once.
            start_new_session=True,
        )
        os.close(tell)
        os.close(leash)
        # `hold` stays open as long as this process lives: the trainer ends when it reads its end.
        self._tasks += [asyncio.create_task(self._hear(told)), asyncio.create_task(self._beat())]
        code = await self._or_lost(self._child.wait())
        os.close(hold)
        self._ended[self._rank] = code
        if code in (Exit.OK, Exit.INTERRUPTED):
            self._tell_all({"end": code})
            await self._others()
        else:
            self._tell_all({"lost": f"host {self._rank} failed with exit code {code}", "end": code})
        for link in self._links.values():
            with suppress(OSError):
                await link.drain()
        return code

    async def _others(self) -> None:
        """Wait until every other host has ended, so that none loses a link that it still needs."""
        self._note_end()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._all_ended.wait(), _END_S)

    def _note_end(self) -> None:
        if set(self._states) <= set(self._ended):
            self._all_ended.set()

    async def _hear(self, told: int) -> None:
        """What this host's trainer says."""
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(told, "rb")
        )
        own = self._states[self._rank]
        while (message := await _receive(reader)) is not None:
            if "doing" in message:
                own.hear(message["doing"], own.changes + 1)
            if "checkpoint" in message:
                self._checkpoint = message["checkpoint"]

    async def _beat(self) -> None:
        while True:
            own = self._states[self._rank]
            news: dict[str, Any] = {"doing": own.doing, "changes": own.changes}
            if self._rank == 0 and self._checkpoint:
                news["checkpoint"] = self._checkpoint
            self._tell_all(news)
            self._check()
            await asyncio.sleep(_BEAT_S)

    def _check(self) -> None:
        now = time.monotonic()
        own = self._states[self._rank]
        own.heard = now
        with suppress(psutil.Error):
            times = psutil.Process(self._child.pid).cpu_times()
            if times.user + times.system > self._cpu[0]:
                self._cpu = (times.user + times.system, now)
        running = {number: state for number, state in self._states.items() if number not in self._ended}
        # Only the first host hears from all.
        hosts = self._meeting.hosts if self._rank == 0 else None
        if reason := verdict(running, self._rank, now, used=self._cpu[1], hosts=hosts):
            self._lose(reason)

    async def _or_lost(self, waiting: Any, seconds: float | None = None, what: str = "") -> Any:
        assert self._lost is not None
        task = asyncio.ensure_future(waiting)
        done, _ = await asyncio.wait({task, self._lost}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if task in done:
            return task.result()
        task.cancel()
        if self._lost in done:
            reason = self._lost.result()
        else:
            missing = sorted(set(range(self._meeting.hosts)) - set(self._states))
            reason = f"host {', '.join(map(str, missing))} of {self._meeting.hosts} {what} within {seconds:.0f} s"
        self._tell_all({"lost": reason, "end": int(Exit.FAILED)})
        for link in self._links.values():
            with suppress(OSError, TimeoutError):
                await asyncio.wait_for(link.drain(), 1)
        kept = f"the last whole checkpoint is {self._checkpoint}" if self._checkpoint else "there is no checkpoint yet"
        raise PunieError(f"{reason}; {kept}", "start the hosts again with --resume")

    def _lose(self, reason: str) -> None:
        if self._lost is not None and not self._lost.done():
            self._lost.set_result(reason)

    def _forward(self, number: int) -> None:
        if self._child is None:
            self._lose(f"host {self._rank} was stopped before the start")
        elif self._child.returncode is None:
            self._child.send_signal(number)

    def _tell_all(self, message: dict[str, Any]) -> None:
        for link in self._links.values():
            _send(link, message)


def _send(writer: asyncio.StreamWriter, message: dict[str, Any]) -> None:
    with suppress(OSError, RuntimeError):
        writer.write((json.dumps(message) + "\n").encode())


async def _receive(reader: asyncio.StreamReader) -> dict[str, Any] | None:
    """The next message; None at the end or for what is none."""
    try:
        line = await reader.readline()
        message = json.loads(line) if line else None
    except (OSError, ValueError):
        return None
    return message if isinstance(message, dict) else None
