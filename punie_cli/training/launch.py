"""`punie train --hosts FILE`: starts a trainer on every host of an MLX host file, by MLX's own launcher.

    [{"ssh": "mac1", "ips": ["192.168.1.11"]}, {"ssh": "mac2", "ips": ["192.168.1.12"]}]

Every host has punie at the same path, the same rows and the same base model; `mlx.launch` reaches them by ssh.
"""

import contextlib
import json
import os
import secrets
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from punie_cli.errors import InterruptedByUser, MissingError, PunieError, UsageError
from punie_cli.training.watch import LAUNCHER, WATCH, Meeting

BACKENDS = ("ring", "mpi", "jaccl", "jaccl-ring", "nccl")
# The watches meet at this port of the first host; those of the ring come behind it, one for each address.
PORT = 32300
# Of a worker's environment what this process hands on, besides what the host file names.
_KEPT = ("PUNIE_HOME", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class Hosts:
    """An MLX host file: the backend that it names, if any; name and address of the first host."""

    count: int
    backend: str | None
    name: str
    first: str


def read_hosts(path: Path, backend: str | None = None) -> Hosts:
    """Read a host file. Raises UsageError for one that MLX's launcher could not use with this backend."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        hosts = content["hosts"] if isinstance(content, dict) else content
        names = [host["ssh"] for host in hosts]
        addresses = [host.get("ips", []) for host in hosts]
        chosen = backend or (content.get("backend") if isinstance(content, dict) else None)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as problem:
        raise UsageError(
            f"{path} is no MLX host file: {problem!r}",
            '[{"ssh": "mac1", "ips": ["192.168.1.11"]}, {"ssh": "mac2", "ips": ["192.168.1.12"]}]',
        ) from problem
    if len(names) < 2:
        raise UsageError(f"{path} names {len(names)} host; two are needed", "punie train without --hosts")
    if chosen is not None and chosen not in BACKENDS:
        raise UsageError(f"there is no backend {chosen!r}; there are: {', '.join(BACKENDS)}")
    without = [name for name, ips in zip(names, addresses, strict=True) if not ips]
    if (without and (chosen or "ring") == "ring") or not addresses[0]:
        raise UsageError(f"{path} gives no ips for {', '.join(without)}")
    return Hosts(len(names), chosen, names[0], addresses[0][0])


def launch(path: Path, backend: str | None, arguments: Sequence[str]) -> int:
    """Run `punie ARGUMENTS` on all hosts and wait; returns the exit code of the first one.

    The first Ctrl-C or SIGTERM lets all of them finish their step and save, the second ends the launcher. Raises
    MissingError without MLX's launcher, PunieError when the first host does not say how it ended.
    """
    hosts = read_hosts(path, backend)
    launcher = Path(sys.executable).with_name("mlx.launch")
    if not launcher.is_file():
        raise MissingError(f"MLX's launcher is not at {launcher}", "pip install --force-reinstall mlx")
    port = _port()
    meeting = Meeting(hosts.first, port, hosts.count, secrets.token_hex(16))
    chosen = hosts.backend or "ring"
    environment = {WATCH: str(meeting)} | {name: os.environ[name] for name in _KEPT if name in os.environ}
    command = [
        str(launcher), "--hostfile", str(path), "--backend", chosen,
        "--starting-port", str(port + 1),
        *(part for name, value in environment.items() for part in ("--env", f"{name}={value}")),
        "--", sys.executable, "-m", "punie_cli", *arguments, "--worker", chosen,
    ]  # fmt: skip
    # A session of its own: Ctrl-C must not reach the launcher, which would end the workers at once.
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    with process, _Line(meeting) as line, line.stopping(process):
        while process.poll() is None:
            line.listen(0.2)
        line.listen(0.2)
    if line.aborted:
        again = [word for word in arguments if word != "--resume"]
        words = ["punie", *again, "--hosts", str(path), "--backend", chosen, "--resume"]
        raise InterruptedByUser("interrupted; the hosts were ended", shlex.join(words))
    # mlx.launch itself exits with 0 when workers have failed.
    if line.code is None:
        raise PunieError(
            f"the first host did not say how it ended; mlx.launch ended with {process.returncode}",
            f"ssh {hosts.name} punie doctor",
        )
    return line.code


def _port() -> int:
    text = os.environ.get("PUNIE_PORT", str(PORT))
    if not text.isdecimal() or not 1024 <= int(text) < 65000:
        raise UsageError(f"PUNIE_PORT is {text!r}, not a number from 1024 to 64999")
    return int(text)


class _Line:
    """The launcher's connection to the first host's watch."""

    def __init__(self, meeting: Meeting) -> None:
        self._meeting = meeting
        self._socket: socket.socket | None = None
        self._rest = b""
        self.code: int | None = None
        self.aborted = False

    def __enter__(self) -> "_Line":
        return self

    def __exit__(self, *_: Any) -> None:
        if self._socket is not None:
            self._socket.close()

    def listen(self, seconds: float) -> None:
        """Take in what was said; connects first, if the watch is there already."""
        if self._socket is None and not self._connect():
            time.sleep(seconds)
            return
        assert self._socket is not None
        self._socket.settimeout(seconds)
        with contextlib.suppress(OSError):
            while data := self._socket.recv(65536):
                self._rest += data
                *lines, self._rest = self._rest.split(b"\n")
                for text in lines:
                    self.code = json.loads(text).get("end", self.code)
            # The other end is closed: nothing more will come.
            time.sleep(seconds)

    @contextlib.contextmanager
    def stopping(self, process: subprocess.Popen) -> Any:
        """Within: the first Ctrl-C or SIGTERM asks the hosts to stop, the second ends the launcher."""
        asked: list[int] = []

        def ask(number: int, frame: Any) -> None:
            asked.append(number)
            if len(asked) == 1 and self._socket is not None:
                self._socket.sendall(b'{"stop": true}\n')
            else:
                # The launcher with its workers here and its connections to those elsewhere.
                self.aborted = True
                os.killpg(process.pid, signal.SIGTERM)

        before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _connect(self) -> bool:
        try:
            self._socket = socket.create_connection((self._meeting.address, self._meeting.port), timeout=1)
            self._socket.sendall((json.dumps({"token": self._meeting.token, "rank": LAUNCHER}) + "\n").encode())
        except OSError:
            self._socket = None
        return self._socket is not None
