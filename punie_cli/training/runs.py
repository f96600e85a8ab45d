"""The runs on this machine: found by name, listed, read, followed, compared, cleared of what is not needed.

punie runs list · punie runs show 23-001 · punie runs compare 23-001 23-002
"""

import json
import math
import re
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_type_hints

from punie_cli.errors import MissingError
from punie_cli.training import reports
from punie_cli.training.folder import held, read_run, runs_dir
from punie_cli.training.process import read_json, trainer
from punie_cli.training.reports import Report

State = Literal["running", "finished", "stopped", "failed"]
_NAME = re.compile(r"(\d+)(-\d{3,})?")
# So many last steps say how fast a run is.
_RECENT = 20
_POLL_S = 0.2
_KINDS = {
    kind.__name__.lower(): kind
    for kind in (
        reports.Plan, reports.Preflight, reports.Step, reports.Validated, reports.Saved, reports.Warned,
        reports.Stopped, reports.Finished,
    )
}  # fmt: skip


@dataclass(frozen=True)
class Curves:
    """(step, value) of a run: training loss and validation loss (nats), learning rate, probe (0 to 1)."""

    train: tuple[tuple[int, float], ...] = ()
    valid: tuple[tuple[int, float], ...] = ()
    rate: tuple[tuple[int, float], ...] = ()
    probe: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True)
class Run:
    """A run as far as it has come. `config` is its run.json, `stages` what a pipeline made of it (pipeline.json).

    `loss` and `probe` are those of the best checkpoint, at `best_step`; `seconds` and `tokens` count steps alone;
    `began` is seconds since 1970; `reason` says why a failed run failed, `hint` what mends it.
    """

    name: str
    folder: Path
    state: State
    config: dict[str, Any]
    stages: dict[str, Any]
    curves: Curves
    step: int
    steps: int
    began: float
    size: int
    first_loss: float | None = None
    loss: float | None = None
    best_step: int | None = None
    probe: float | None = None
    train_loss: float | None = None
    tokens_per_s: float | None = None
    tokens: int = 0
    seconds: float = 0.0
    peak_gb: float = 0.0
    adapter: str | None = None
    reason: str | None = None
    hint: str | None = None


def list_runs() -> list[Run]:
    """All runs, the newest first."""
    found = [read(path) for path in runs_dir().glob("*-*") if (path / "run.json").is_file()]
    return sorted(found, key=lambda run: (-run.began, run.name))


def find(name: str) -> Path:
    """The folder of a run: `23-001`, or `23` for the last one of phase 23. Raises MissingError."""
    match = _NAME.fullmatch(name)
    if match and match[2]:
        folder = runs_dir() / name
        if (folder / "run.json").is_file():
            return folder
    elif match:
        of_phase = [path for path in runs_dir().glob(f"{match[1]}-*") if (path / "run.json").is_file()]
        if of_phase:
            return max(of_phase, key=lambda path: int(path.name.rpartition("-")[2]))
    raise MissingError(f"no run '{name}'", "punie runs list")


def read(folder: Path) -> Run:
    """A run from its files. Raises MissingError without a readable run.json."""
    config, done = read_run(folder), read_json(folder / "done.json")
    lines = list(records(folder))
    steps = [line for line in lines if line["type"] == "step"]
    validated = [line for line in lines if line["type"] == "validated"]
    best = next((line for line in reversed(validated) if line.get("best")), {})
    failure = read_json(folder / "failed.json")
    recent = steps[-_RECENT:]
    spent = sum(line["seconds"] for line in recent)
    return Run(
        name=folder.name,
        folder=folder,
        state=state_of(folder),
        config=config,
        stages=read_json(folder / "pipeline.json"),
        curves=Curves(
            train=_points(steps, "loss"),
            valid=_points(validated, "loss"),
            rate=_points(steps, "learning_rate"),
            probe=_points(validated, "score"),
        ),
        step=steps[-1]["step"] if steps else 0,
        steps=config.get("steps", 0),
        # Written once, at the start.
        began=(folder / "run.json").stat().st_mtime,
        size=_size(folder),
        first_loss=validated[0]["loss"] if validated else None,
        loss=best.get("loss"),
        best_step=best.get("step"),
        probe=best.get("score"),
        train_loss=steps[-1]["loss"] if steps else None,
        tokens_per_s=sum(line["tokens_per_s"] * line["seconds"] for line in recent) / spent if spent else None,
        tokens=round(sum(line["tokens_per_s"] * line["seconds"] for line in steps)),
        seconds=sum(line["seconds"] for line in steps),
        peak_gb=max((line["peak_gb"] for line in steps), default=0.0),
        adapter=done.get("adapter"),
        reason=failure.get("error"),
        hint=failure.get("hint"),
    )


def _points(lines: Sequence[dict[str, Any]], key: str) -> tuple[tuple[int, float], ...]:
    """What can be drawn: a step that was left out may have no finite loss."""
    found = ((line["step"], line.get(key)) for line in lines)
    return tuple((step, value) for step, value in found if value is not None and math.isfinite(value))


def state_of(folder: Path) -> State:
    """A run that was killed counts as stopped: `--resume` goes on from its last checkpoint."""
    if (folder / "done.json").is_file():
        return "finished"
    if trainer(folder) is not None:
        return "running"
    return "failed" if (folder / "failed.json").is_file() else "stopped"


def records(folder: Path) -> Iterator[dict[str, Any]]:
    """The lines of `metrics.jsonl`, without one that a kill has torn."""
    try:
        with (folder / "metrics.jsonl").open(encoding="utf-8") as file:
            for line in file:
                if (record := _record(line)) is not None:
                    yield record
    except FileNotFoundError:
        return


def _record(line: str) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) and found.get("type") in _KINDS else None


def as_report(record: dict[str, Any]) -> Report:
    """The report that a line of `metrics.jsonl` was; fields that this punie does not know are left out."""
    kind: Any = _KINDS[record["type"]]
    hints = get_type_hints(kind)
    known = {field.name: record[field.name] for field in fields(kind) if field.name in record}
    for name, value in known.items():
        if hints[name] is Path:
            known[name] = Path(value)
        elif hints[name] is reports.Stats:
            known[name] = reports.Stats(**value)
    return kind(**known)


def follow(folder: Path, ended: Callable[[], bool] = lambda: False) -> Iterator[dict[str, Any]]:
    """The records of a run from its beginning, then each as it is written, until nobody trains or `ended()`.

    A run that goes on from a checkpoint writes its steps behind it again; each step is told once.
    """
    path, told, at, node = folder / "metrics.jsonl", set(), 0, -1
    while True:
        # Asked before the last look, so that nothing written in between is lost.
        over = state_of(folder) != "running" or ended()
        try:
            with path.open("rb") as file:
                status = path.stat()
                if status.st_ino != node or status.st_size < at:
                    at, node = 0, status.st_ino
                file.seek(at)
                for line in file:
                    if not line.endswith(b"\n"):
                        break
                    at += len(line)
                    record = _record(line.decode("utf-8", "replace"))
                    if record is None:
                        continue
                    repeats = record["type"] in ("step", "validated", "saved")
                    key = (record["type"], record["step"]) if repeats else line
                    if key not in told:
                        told.add(key)
                        yield record
        except FileNotFoundError:
            pass
        if over:
            return
        time.sleep(_POLL_S)


@dataclass(frozen=True)
class Compared:
    """Runs side by side. `keys`: what differs in their recipes, rows or base, one value a run; None: not there."""

    runs: tuple[Run, ...]
    keys: dict[str, tuple[Any, ...]]


def compare(names: Sequence[str]) -> Compared:
    """Compare runs by name."""
    runs = tuple(read(find(name)) for name in names)
    columns = [_compared(run.config) for run in runs]
    rows = {key: tuple(column.get(key) for column in columns) for column in columns for key in column}
    return Compared(runs, {key: row for key, row in rows.items() if any(value != row[0] for value in row)})


def _compared(config: dict[str, Any]) -> dict[str, Any]:
    hashes = {key: str(config.get(key))[:12] for key in ("data_hash", "validation_hash", "prompt_hash")}
    numbers = {f"numbers.{key}": value for key, value in config.get("numbers", {}).items()}
    return flat(config.get("recipe", {})) | {"base": config.get("base", {}).get("name")} | hashes | numbers


def flat(recipe: dict[str, Any], above: str = "") -> dict[str, Any]:
    """The values of a recipe under dotted keys."""
    found: dict[str, Any] = {}
    for key, value in recipe.items():
        found |= flat(value, f"{above}{key}.") if isinstance(value, dict) else {f"{above}{key}": value}
    return found


@dataclass(frozen=True)
class Waste:
    """What a run does not need any more: checkpoints below `folders`, in bytes; `why` in a few words."""

    run: Path
    folders: tuple[Path, ...]
    size: int
    why: str


def waste() -> list[Waste]:
    """Of finished runs all checkpoints but the best, of failed ones all, by run. Stopped runs keep theirs."""
    found = []
    for run in sorted(list_runs(), key=lambda run: run.name):
        place = run.folder / "checkpoints"
        folders = sorted(path for path in place.iterdir() if path.is_dir()) if place.is_dir() else []
        if run.state == "finished":
            folders = [path for path in folders if path.name != f"{run.best_step or 0:06d}"]
            why = "finished: all but the best"
        elif run.state == "failed":
            why = "failed: it cannot go on afterwards"
        else:
            continue
        if folders:
            found.append(Waste(run.folder, tuple(folders), sum(map(_size, folders)), why))
    return found


def _size(folder: Path) -> int:
    """Bytes below a folder in which checkpoints come and go."""
    total = 0
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):
            total += path.stat().st_size if path.is_file() else 0
    return total


def prune(found: Sequence[Waste]) -> int:
    """Delete it, run by run; returns the bytes that are free again.

    Raises BusyError for a run that is trained again by now, and leaves that one alone.
    """
    freed = 0
    for each in found:
        with held(each.run):
            for folder in each.folders:
                shutil.rmtree(folder)
        freed += each.size
    return freed
