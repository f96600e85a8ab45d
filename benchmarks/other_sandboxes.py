"""One side of sandbox_corpus.py and sandbox_cost.py: other sandboxes, in an environment of their own.

Run by these scripts with another Python; imports nothing of punie. A line of JSON in is a program, a line out how it
ended: {"text", "error", "how": returned | runs on | died | hung, "mb"}. Each program gets a forked process; what needs
more than 5 s, leaves a thread computing, or ends the process was not contained.
"""

import contextlib
import importlib
import json
import os
import resource
import select
import signal
import sys
import tempfile
import threading
import time
from importlib.metadata import version
from typing import Any

HUNG_S = 5
ADDRESS_SPACE = 8 * 2**30
MODULES = [
    "abc",
    "ast",
    "base64",
    "bisect",
    "collections",
    "collections.abc",
    "contextlib",
    "copy",
    "csv",
    "dataclasses",
    "datetime",
    "decimal",
    "difflib",
    "enum",
    "fnmatch",
    "fractions",
    "functools",
    "hashlib",
    "heapq",
    "html",
    "io",
    "itertools",
    "json",
    "math",
    "operator",
    "os.path",
    "pathlib",
    "pprint",
    "random",
    "re",
    "shlex",
    "statistics",
    "string",
    "sys",
    "textwrap",
    "time",
    "tomllib",
    "typing",
]


def executors() -> Any:
    """smolagents' module; by name, as it is not there where punie is checked."""
    return importlib.import_module("smolagents.local_python_executor")


def monty_library() -> Any:
    """pydantic-monty."""
    return importlib.import_module("pydantic_monty")


class Record:
    """A result of a builtin: its fields as attributes."""

    def __init__(self, fields: dict[str, Any], text: str) -> None:
        self.__dict__.update(fields)
        self._text = text

    def __getitem__(self, name: str) -> Any:
        return getattr(self, name)

    def __str__(self) -> str:
        return self._text

    __repr__ = __str__


def decode(value: Any, wrap: Any) -> Any:
    """A value as the builtins of punie answer it."""
    if isinstance(value, list):
        return [decode(item, wrap) for item in value]
    if isinstance(value, dict) and "$record" in value:
        return wrap(Record({k: decode(v, wrap) for k, v in value["fields"].items()}, value["text"]))
    return value


def functions(replies: list[Any], wrap: Any) -> dict[str, Any]:
    """The builtins of punie, which answer what they answered punie."""
    waiting = iter(replies)

    def call(*args: Any, **kwargs: Any) -> Any:
        reply = next(waiting)
        if "error" in reply:
            raise {"FileNotFoundError": FileNotFoundError}.get(reply["error"]["kind"], RuntimeError)(
                reply["error"]["message"]
            )
        return decode(reply["ok"], wrap)

    return dict.fromkeys(("typecheck", "lint", "test", "read_file", "write_file", "run_command"), call)


def smolagents(code: str, replies: list[Any], imports: list[str]) -> tuple[str, str | None]:
    """LocalPythonExecutor with 1 s of time; a thread that it leaves behind is the process's end here."""
    executor = executors().LocalPythonExecutor(imports, timeout_seconds=1)
    executor.send_tools(functions(replies, lambda record: record))
    error = None
    try:
        executor(code)
    except Exception as problem:
        error = f"{type(problem).__name__}: {problem}"
    return str(executor.state.get("_print_outputs", "")), error


def monty(code: str, replies: list[Any]) -> tuple[str, str | None]:
    """A pool of one worker, 1 s of time and 64 MiB."""
    library = monty_library()

    def wrap(record: Record) -> Any:
        return library.ClassInstance(record, eager_attrs="all")

    printed, error = library.CollectString(), None
    with library.Monty() as pool:
        limits: Any = {"max_memory": 64 * 2**20, "max_feed_duration_secs": 1.0, "max_total_sleep_secs": 1.0}
        try:
            with pool.checkout(limits=limits) as session:
                session.feed_run(code, external_lookup=functions(replies, wrap), print_callback=printed)
        except Exception as problem:
            error = f"{type(problem).__name__}: {problem}"
    return printed.output, error


ENGINES: dict[str, Any] = {
    "smolagents": lambda code, replies: smolagents(code, replies, ["json"]),
    "smolagents+": lambda code, replies: smolagents(code, replies, MODULES),
    "monty": monty,
}


def apart(engine: str, code: str, replies: list[Any]) -> dict[str, Any]:
    """Run one program in a forked process."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        os.setsid()
        # Who gets hold of the real print writes here, not into our answers.
        got_out = tempfile.TemporaryFile()  # noqa: SIM115  (ends with the process)
        os.dup2(got_out.fileno(), 1)
        resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
        try:
            text, error = ENGINES[engine](code, replies)
            message: dict[str, Any] = {
                "text": text[:5000] + _read(got_out),
                "error": error and error[:500],
                "how": _after(),
            }
        except BaseException as problem:
            message = {
                "how": "returned",
                "text": "",
                "error": f"out of the sandbox: {type(problem).__name__}: {problem}"[:500],
            }
        message["mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        os.write(writer, json.dumps(message).encode() + b"\n")
        os._exit(0)
    os.close(writer)
    data, until, ended = b"", time.monotonic() + HUNG_S, False
    while (
        not data.endswith(b"\n") and not ended and select.select([reader], [], [], max(until - time.monotonic(), 0))[0]
    ):
        part = os.read(reader, 65536)
        data, ended = data + part, not part
    os.close(reader)
    for end in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError):
            end(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    if not data.endswith(b"\n"):
        return {"text": "", "error": None, "mb": 0, "how": "died" if ended else "hung"}
    return json.loads(data)


def _read(file: Any) -> str:
    sys.stdout.flush()
    file.seek(0)
    return file.read(5000).decode(errors="replace")


def _after() -> str:
    """Whether something still computes in a thread that was given up."""
    if threading.active_count() == 1:
        return "returned"
    before = time.process_time()
    time.sleep(0.5)
    return "runs on" if time.process_time() > before + 0.05 else "returned"


class Costs:
    """Runs one program where the executor, the pool and a session are there already; seconds by name."""

    def __init__(self) -> None:
        self._library = monty_library()
        self._executor = executors().LocalPythonExecutor([])
        self._executor.send_tools({})
        self._pool = self._library.Monty().__enter__()
        self._session = self._pool.checkout().__enter__()

    def measure(self, code: str, in_a_row: int) -> dict[str, list[float]]:
        """Some runs of each."""
        steps = {"smolagents": self._smolagents, "monty": self._in_session, "monty, new session": self._new_session}
        found: dict[str, list[float]] = {name: [] for name in steps}
        for name, step in steps.items():
            for _ in range(in_a_row):
                start = time.perf_counter()
                step(code)
                found[name].append(time.perf_counter() - start)
        return found

    def _smolagents(self, code: str) -> None:
        self._executor(code)

    def _in_session(self, code: str) -> None:
        self._session.feed_run(code, print_callback=self._library.CollectString())

    def _new_session(self, code: str) -> None:
        with self._pool.checkout() as session:
            session.feed_run(code, print_callback=self._library.CollectString())


def main() -> None:
    # Imported once, before the forks.
    executors()
    monty_library()
    print(json.dumps({"smolagents": version("smolagents"), "monty": version("pydantic-monty")}), flush=True)
    costs: Costs | None = None
    for line in sys.stdin:
        request = json.loads(line)
        if "cost" in request:
            costs = costs or Costs()
            answer: Any = costs.measure(request["cost"], request["in_a_row"])
        else:
            answer = apart(request["engine"], request["code"], request["replies"])
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
