"""The process that programs run in: a zygote that forks one locked worker for each turn.

    python -I -c "...; from punie_cli.sandbox.worker import main; main(FD)"

It never holds the model, has an empty environment, and gets one socket. The parent (host.py) does not trust a word of
it. To the zygote go lines of JSON: {"fork": limits, "builtins": specs} with the worker's socket, or {"reap": pid}.
A worker's frames are 4 bytes of length (big endian) and UTF-8 JSON: {"run": code}, {"ok": value} or {"error": …} to it,
{"out": text}, {"call": name, "args": …} or {"done": error or null} from it.
"""

import gc
import json
import os
import signal
import socket
import struct
from typing import Any

from punie_cli.sandbox import kernel
from punie_cli.sandbox.facades import Importer
from punie_cli.sandbox.guards import FILENAME, getattr_guard
from punie_cli.sandbox.harden import harden
from punie_cli.sandbox.policy import compile_program
from punie_cli.sandbox.records import decode, encode
from punie_cli.sandbox.scope import make_scope

FLUSH_CHARS = 4096
READ_AHEAD = 65536
MAX_FRAME = 8 * 1024 * 1024
MAX_ARGUMENT = 4 * 1024 * 1024
MAX_MESSAGE = 2000
# What a builtin may raise inside a program.
_KINDS = {
    kind.__name__: kind
    for kind in (
        FileNotFoundError, FileExistsError, IsADirectoryError, NotADirectoryError, PermissionError, TimeoutError,
        OSError, NameError, TypeError, ValueError, RuntimeError,
    )
}  # fmt: skip


class Channel:
    """Frames over a stream socket."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._received = bytearray()

    def send(self, *messages: Any) -> None:
        """All at once: each write wakes the parent. Raises ValueError for a frame over 8 MiB."""
        frames = []
        for message in messages:
            data = json.dumps(message, ensure_ascii=False).encode("utf-8", "surrogatepass")
            if len(data) > MAX_FRAME:
                raise ValueError(f"more than {MAX_FRAME // 2**20} MiB in one call")
            frames += [struct.pack(">I", len(data)), data]
        self.sock.sendall(b"".join(frames))

    def receive(self) -> Any:
        """Raises EOFError when the other side is gone."""
        (size,) = struct.unpack(">I", self._exactly(4))
        return json.loads(self._exactly(size).decode("utf-8", "surrogatepass"))

    def _exactly(self, size: int) -> bytes:
        while len(self._received) < size:
            part = self.sock.recv(max(size - len(self._received), READ_AHEAD))
            if not part:
                raise EOFError
            self._received += part
        data = bytes(self._received[:size])
        del self._received[:size]
        return data


class Printer:
    """Where print() goes: batches of about 4 KiB, flushed before each call and at the end."""

    def __init__(self) -> None:
        self._channel: Channel | None = None
        self._parts: list[str] = []
        self._size = 0

    def connect(self, channel: Channel) -> None:
        """Send to this channel from now on."""
        self._channel = channel

    def write(self, text: str) -> int:
        """The `sys.stdout.write` of programs."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        text = str.__str__(text)  # of a subclass, its real characters
        for start in range(0, len(text), MAX_FRAME // 8):
            part = text[start : start + MAX_FRAME // 8]
            self._parts.append(part)
            self._size += len(part)
            if self._size >= FLUSH_CHARS:
                self.flush()
        return len(text)

    def flush(self, *messages: Any) -> None:
        """Send what was collected, and these messages after it."""
        assert self._channel is not None
        if self._parts:
            messages = ({"out": "".join(self._parts)}, *messages)
        if messages:
            self._channel.send(*messages)
        # Not before: a call that is too large is not sent, and the text waits for the next.
        self._parts, self._size = [], 0


def _print_to(printer: Printer) -> Any:
    """The `print` of programs; `file` may be any of their objects with a `write`, and `flush` changes nothing."""

    def print_text(
        *values: Any, sep: str | None = " ", end: str | None = "\n", file: Any = None, flush: Any = False
    ) -> None:
        write = printer.write if file is None else getattr_guard(file, "write")
        write(_plain(sep, " ", "sep").join(str(value) for value in values) + _plain(end, "\n", "end"))

    print_text.__name__ = print_text.__qualname__ = "print"
    return print_text


def _plain(text: Any, default: str, name: str) -> str:
    if text is None:
        return default
    if not isinstance(text, str):
        raise TypeError(f"{name} must be None or a string, not {type(text).__name__}")
    return str.__str__(text)


class Prepared:
    """What every worker starts from, made once: a fork copies it, and nothing of a program comes back."""

    def __init__(self) -> None:
        self.printer = Printer()
        self.importer = Importer(self.printer.write)
        json_names = {"json": self.importer.modules["json"]}
        self.names = make_scope(_print_to(self.printer), self.importer, json_names)


def main(control: int) -> None:
    """Serve as the zygote on file descriptor `control` until the parent is gone."""
    kernel.no_new_privileges()
    harden()
    prepared = Prepared()
    gc.collect()
    gc.freeze()
    sock = socket.socket(fileno=control)
    sock.sendall(b'{"ready": true}\n')
    children: set[int] = set()
    try:
        while request := _request(sock):
            message, descriptors = request
            if "fork" in message:
                pid = os.fork()
                if pid == 0:
                    worker = socket.socket(fileno=descriptors[0])
                    os._exit(_worker(worker, message["fork"], message["builtins"], prepared))
                children.add(pid)
                answer: dict[str, Any] = {"pid": pid}
            else:
                pid = message["reap"]
                # A worker of an earlier zygote is not ours to wait for.
                answer = {"status": _reap(pid) if pid in children else None}
                children.discard(pid)
            for descriptor in descriptors:
                os.close(descriptor)
            sock.sendall(json.dumps(answer).encode() + b"\n")
    finally:
        for pid in children:
            _reap(pid)


def _request(sock: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """One line of JSON, with a descriptor or none; None when the parent is gone."""
    line, descriptors = b"", []
    while not line.endswith(b"\n"):
        data, received, _, _ = socket.recv_fds(sock, 65536, 1)
        if not data:
            return None
        line += data
        descriptors += received
    return json.loads(line), descriptors


def _reap(pid: int) -> int:
    """End a child; its exit code, or minus the signal that ended it before we did."""
    done, status = os.waitpid(pid, os.WNOHANG)
    if not done:
        os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)


def _worker(sock: socket.socket, limits: dict[str, Any], specs: list[dict[str, Any]], prepared: Prepared) -> int:
    """Serve programs of one turn. Returns the exit code of the process."""
    kernel.die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to act on
    kernel.lock_down(sock, limits)
    channel, printer, names = Channel(sock), prepared.printer, prepared.names
    printer.connect(channel)
    prepared.importer.modules["random"].seed()  # else all workers would draw the same numbers
    names.update({spec["name"]: _proxy(spec, channel, printer) for spec in specs})
    namespace: dict[str, Any] = {"__builtins__": names, "__name__": "__sandbox__"}
    try:
        while True:
            code = channel.receive()["run"]
            error = _run(code, namespace, limits)
            printer.flush({"done": error})
    except (EOFError, OSError):
        return 0


def _run(code: str, namespace: dict[str, Any], limits: dict[str, Any]) -> dict[str, Any] | None:
    """Compile and run a program; how it failed, or None."""
    problem: BaseException | None = None
    try:
        compiled = compile_program(code)
        kernel.arm(limits)
        exec(compiled, namespace)
    except BaseException as raised:
        problem = raised
    finally:
        kernel.disarm()
    return None if problem is None else _describe(problem)


def _describe(problem: BaseException) -> dict[str, Any] | None:
    """Plain text and numbers: a program may put anything into an exception, and define what str() of it does."""
    if type(problem) is SystemExit:
        if problem.code is None or (isinstance(problem.code, int) and int.__index__(problem.code) == 0):
            return None
        return {"kind": "SystemExit", "message": _text(problem.code), "line": None}
    if type(problem) is SyntaxError and problem.filename == FILENAME and type(problem.lineno) is int:
        return {"kind": "SyntaxError", "message": _text(problem.msg), "line": problem.lineno}
    message = _text(problem)
    if not message and isinstance(problem, MemoryError):
        message = "out of memory"
    return {"kind": type(problem).__name__, "message": message, "line": _line(problem)}


def _text(value: Any) -> str:
    try:
        return str.__str__(str(value))[:MAX_MESSAGE]
    except BaseException:
        return "(an error whose text cannot be shown)"


def _line(problem: BaseException) -> int | None:
    """The line of the program that failed, innermost."""
    line, trace = None, problem.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == FILENAME:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def _proxy(spec: dict[str, Any], channel: Channel, printer: Printer) -> Any:
    """The function that a program calls for a builtin of the parent."""
    parameters: list[dict[str, Any]] = spec["parameters"]
    known = [p["name"] for p in parameters]
    shown = ", ".join(f"{p['name']}={p['default']!r}" if "default" in p else p["name"] for p in parameters)

    def proxy(*args: Any, **kwargs: Any) -> Any:
        if len(args) > len(known):
            most = f"{len(known)} argument{'s' * (len(known) != 1)}"
            raise TypeError(f"{spec['name']}({shown}) takes at most {most}, not {len(args)}")
        given = dict(zip(known, args, strict=False))
        for name, value in kwargs.items():
            if name not in known or name in given:
                wrong = " twice" if name in given else ", which it does not take"
                raise TypeError(f"{spec['name']}({shown}) got '{name}'{wrong}")
            given[name] = value
        for parameter in parameters:
            if "default" not in parameter and parameter["name"] not in given:
                raise TypeError(f"{spec['name']}({shown}) needs '{parameter['name']}'")
        sent = {name: encode(value) for name, value in given.items()}
        for name, value in sent.items():
            if len(json.dumps(value, ensure_ascii=False)) > MAX_ARGUMENT:
                raise ValueError(f"{spec['name']}(): '{name}' is larger than {MAX_ARGUMENT // 2**20} MiB")
        printer.flush({"call": spec["name"], "args": sent})
        reply = channel.receive()
        if "error" in reply:
            error = reply["error"]
            raise _KINDS.get(error["kind"], RuntimeError)(error["message"])
        return decode(reply["ok"])

    proxy.__name__ = proxy.__qualname__ = spec["name"]
    return proxy
