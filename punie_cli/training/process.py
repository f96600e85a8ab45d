"""The process that trains a run: found by `process.json` in its folder, started apart from the terminal, stopped."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from punie_cli.errors import MissingError
from punie_cli.training.folder import runs_dir

# Where a detached training writes what it says, until it has a run.
LOG_VARIABLE = "PUNIE_TRAIN_LOG"
_POLL_S = 0.1
# psutil counts a start from the time of boot, which is adjusted now and then.
_SAME_START_S = 2.0


def read_json(path: Path) -> dict[str, Any]:
    """A record of a run; empty where there is none that can be read."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def trainer(folder: Path) -> psutil.Process | None:
    """The process that trains in a folder now; None where there is none."""
    record = read_json(folder / "process.json")
    try:
        process = psutil.Process(int(record["pid"]))
        same = abs(process.create_time() - record["started"]) < _SAME_START_S
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except (KeyError, TypeError, ValueError, psutil.Error):
        return None


def stop(folder: Path) -> None:
    """Ask the trainer of a run to save and to stop, and wait until it has: one step, a checkpoint.

    Raises MissingError where nobody trains.
    """
    process = trainer(folder)
    if process is None:
        raise MissingError(f"{folder.name} is not running", "punie runs list")
    process.send_signal(signal.SIGTERM)
    while trainer(folder) is not None:
        time.sleep(_POLL_S)


@dataclass(frozen=True)
class Detached:
    """A training of its own. `code` is its exit code where it has ended at once, with what it `said`."""

    pid: int
    log: Path
    run: Path | None
    code: int | None = None
    said: str = ""


def detach(
    words: Sequence[str], *, seconds: float | None = None, note: Callable[[str], None] = lambda text: None
) -> Detached:
    """Start `punie WORDS` in a session of its own, without a terminal; its output goes to a log.

    Returns when it trains a run (preflight and all that may be refused is behind it), when it has ended, or after
    `seconds`. An interrupt while it waits leaves it going.
    """
    runs_dir().mkdir(parents=True, exist_ok=True)
    said = runs_dir() / f"detached-{datetime.now(UTC):%Y%m%d-%H%M%S}-{os.getpid()}.log"
    with said.open("wb") as output:
        # It keeps its number when it is moved.
        node = os.fstat(output.fileno()).st_ino
        child = subprocess.Popen(
            [sys.executable, "-m", "punie_cli", *words],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=os.environ | {LOG_VARIABLE: str(said), "PYTHONUNBUFFERED": "1"},
        )
    note("starting")
    until = None if seconds is None else time.monotonic() + seconds
    while until is None or time.monotonic() < until:
        code, moved = child.poll(), _moved(node)
        place = moved or said
        started = Detached(child.pid, place, moved.parent if moved else None, code)
        if code is not None:
            text = "" if code == 0 else place.read_text(encoding="utf-8", errors="replace")
            said.unlink(missing_ok=True)
            return replace(started, said=text)
        if moved:
            return started
        time.sleep(_POLL_S)
    return Detached(child.pid, said, None)


def _moved(node: int) -> Path | None:
    """Where the log of a training is, once that has a run."""
    for path in runs_dir().glob("*/train*.log"):
        with suppress(FileNotFoundError):
            if path.stat().st_ino == node:
                return path
    return None
