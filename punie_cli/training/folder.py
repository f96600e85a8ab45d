"""The folder of a run below punie's data: made, held by one trainer, found again, cut back to its last checkpoint.

runs/23-001/   run.json, metrics.jsonl, checkpoints/, adapter/, done.json
"""

import json
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from punie_cli.errors import BusyError, MissingError, PunieError, UsageError
from punie_cli.paths import data_dir
from punie_cli.training.reports import Report, as_record

# What a run must have in common with what it goes on from, and how to say it.
SAME = ("training_hash", "data_hash", "validation_hash", "prompt_hash", "base_hash")


def runs_dir() -> Path:
    """Folder of all runs."""
    return data_dir() / "runs"


def new_run(phase: int) -> Path:
    """Make the folder of a new run of a phase, with the next free number."""
    root = runs_dir()
    root.mkdir(parents=True, exist_ok=True)
    numbers = [int(path.name.rpartition("-")[2]) for path in _runs(phase)]
    number = max(numbers, default=0) + 1
    while True:
        folder = root / f"{phase}-{number:03d}"
        try:
            folder.mkdir()
            return folder
        except FileExistsError:
            number += 1


def unfinished(phase: int) -> Path:
    """The last run of a phase if it has not ended. Raises MissingError otherwise."""
    runs = [path for path in _runs(phase) if (path / "run.json").is_file()]
    if not runs or (runs[-1] / "done.json").exists():
        raise MissingError(f"phase {phase} has no unfinished run", f"punie train --phase {phase}")
    return runs[-1]


def read_run(folder: Path) -> dict[str, Any]:
    """`run.json`. Raises MissingError for a run without it."""
    try:
        return json.loads((folder / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise MissingError(f"{folder / 'run.json'} cannot be read: {problem}", "punie train --phase 23") from problem


@contextmanager
def held(folder: Path) -> Generator[None]:
    """Hold a run's folder. Raises BusyError while another process trains in it."""
    try:
        with FileLock(folder / ".lock", timeout=0):
            yield
    except Timeout:
        raise BusyError(f"{folder.name} is being trained by another process", "try again when it has ended") from None


@contextmanager
def machine() -> Generator[bool]:
    """True where no other training runs on this machine; a run of its own may go on beside it."""
    data_dir().mkdir(parents=True, exist_ok=True)
    lock = FileLock(data_dir() / "train.lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


def require_same(folder: Path, then: dict[str, Any], now: dict[str, Any], *, force: bool) -> list[str]:
    """What would keep the run from going on bit for bit; with `force` as warnings.

    Raises UsageError for other rows, another prompt or base in any case, for other numbers (BLAS, threads, MLX)
    without `force`.
    """
    phase = now["phase"]
    for key in SAME:
        if then.get(key) != now[key]:
            raise UsageError(
                f"{folder.name} cannot go on: its {key} was {then.get(key)}, now it is {now[key]}",
                f"punie train --phase {phase}",
            )
    other = {key: (was, now["numbers"].get(key)) for key, was in then.get("numbers", {}).items()}
    found = [f"{key} was {was}, now it is {is_}" for key, (was, is_) in other.items() if was != is_]
    if found and not force:
        same = f"punie train --phase {phase} --resume"
        if "threads" in other and other["threads"][0] != other["threads"][1]:
            same = f"OMP_NUM_THREADS={other['threads'][0]} {same}"
        hint = f"{same}, or --force to go on with other last digits"
        raise UsageError(f"{folder.name} would not go on bit for bit: {'; '.join(found)}", hint)
    return found


class Metrics:
    """`metrics.jsonl`: one report a line, on the disk before the next step begins."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "metrics.jsonl"

    def cut(self, step: int) -> None:
        """Drop what lies behind a checkpoint: these steps come again. A line that a kill has torn goes, too."""
        try:
            lines = self._path.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return
        part = self._path.with_name(f".{self._path.name}.part")
        part.write_text("".join(f"{line}\n" for line in lines if _before(line, step)), encoding="utf-8")
        part.replace(self._path)

    def write(self, report: Report) -> None:
        """Append a report. Raises PunieError when it cannot be written, as on a full disk."""
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(as_record(report)) + "\n")
        except OSError as problem:
            saved = sorted(p for p in self._path.with_name("checkpoints").glob("[0-9]*"))
            kept = f"the last whole checkpoint is {saved[-1]}" if saved else "there is no checkpoint yet"
            raise PunieError(
                f"{self._path} could not be written: {problem.strerror}; {kept}",
                "make room on the disk, then train with --resume",
            ) from problem


def _before(line: str, step: int) -> bool:
    try:
        record = json.loads(line)
    except ValueError:
        return False
    return record.get("type") not in ("step", "validated", "saved") or record["step"] <= step != 0


def _runs(phase: int) -> list[Path]:
    return sorted(runs_dir().glob(f"{phase}-[0-9][0-9][0-9]"))
