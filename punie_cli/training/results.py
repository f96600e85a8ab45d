"""What trainings came to: `data/phases/results.toml` ships, `phases/results.toml` below punie's data is the user's own.

One `[[result]]` for each adapter or model that was made and tried; docs/phases.md shows the shipped ones.
"""

import datetime
import tomllib
from pathlib import Path

import tomlkit
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from punie_cli.errors import UsageError
from punie_cli.paths import data_dir, shipped
from punie_cli.training.summary import Summary


class Result(BaseModel):
    """One result. Losses in nats, `size_mb` and `bits` of the model's weights; `passed` of `cases` of a suite."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    phase: int
    date: datetime.date
    base: str
    made: str
    """What it is about: `adapter`, `float16`, `5 bits` …"""
    rows: int = Field(ge=1)
    """Rows that were trained on."""
    steps: int | None = None
    loss: float | None = None
    minutes: float | None = None
    """Of training."""
    size_mb: float | None = None
    bits: float | None = None
    suite: str | None = None
    passed: int | None = None
    cases: int | None = None
    note: str = ""


def shipped_results() -> list[Result]:
    """The results that ship with punie."""
    return read_results(shipped("phases", "results.toml"))


def own_results_file() -> Path:
    """Where pipelines keep the user's results."""
    return data_dir() / "phases" / "results.toml"


def read_results(path: Path) -> list[Result]:
    """The results of a file, none without one. Raises UsageError that names the first bad key."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        return [Result.model_validate(each) for each in table.get("result", [])]
    except FileNotFoundError:
        return []
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise UsageError(f"{path}: {problem}", f"edit {path}") from None
    except ValidationError as problem:
        first = problem.errors()[0]
        raise UsageError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}", f"edit {path}") from None


def append(result: Result) -> None:
    """Add a result to the user's file; what is in it stays as it is."""
    path = own_results_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    table = tomlkit.table()
    for key, value in result.model_dump(exclude_defaults=True).items():
        table.add(key, value)
    document = tomlkit.document()
    document.add("result", tomlkit.aot())
    document["result"].append(table)
    before = path.read_text(encoding="utf-8") + "\n" if path.is_file() else ""
    part = path.with_name(f".{path.name}.part")
    part.write_text(before + tomlkit.dumps(document), encoding="utf-8")
    part.replace(path)


def result_of(done: Summary, today: datetime.date) -> Result:
    """The result of a pipeline."""
    stages = {line.stage: line.figures for line in done.stages}
    rows, train, made, tried = (stages.get(name, {}) for name in ("rows", "train", "fuse", "eval"))
    made = stages.get("quantize") or made
    seconds = next((line.seconds for line in done.stages if line.stage == "train"), None)
    return Result(
        phase=done.phase,
        date=today,
        base=done.base,
        made=f"{done.bits:.2f} bits" if done.bits else "adapter",
        rows=rows["train"],
        steps=train.get("steps"),
        loss=round(done.loss, 4) if done.loss is not None else None,
        minutes=round(seconds / 60, 1) if seconds else None,
        size_mb=round(done.size / 1e6, 1) if done.size else None,
        bits=done.bits,
        suite=tried.get("suite"),
        passed=tried.get("passed"),
        cases=tried.get("n"),
    )
