"""What a training leaves beside its metrics: who trains now, why it failed, the report, the log of a detached one.

`process.json` is there while a training goes on; one that a kill has left names a process that is gone. `failed.json`
says why the last training of a run failed.
"""

import logging
import os
from collections.abc import Generator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import psutil

from punie_cli.errors import InterruptedByUser, PunieError
from punie_cli.models.building import write_json
from punie_cli.training.plots import write_page
from punie_cli.training.process import LOG_VARIABLE
from punie_cli.training.runs import read

log = logging.getLogger(__name__)


@contextmanager
def watched(folder: Path) -> Generator[None]:
    """Around a training, while its folder is held: keep who trains, at its end the report, and why it failed.

    A run without `run.json` has not begun and leaves nothing. A training that was asked to stop did not fail.
    """
    process = folder / "process.json"
    (folder / "failed.json").unlink(missing_ok=True)
    write_json(process, {"pid": os.getpid(), "started": psutil.Process().create_time()})
    try:
        yield
    except Exception as problem:
        if (folder / "run.json").exists() and not isinstance(problem, InterruptedByUser):
            # On a full disk there is no room for this either.
            with suppress(OSError):
                write_json(folder / "failed.json", _failure(problem))
        raise
    finally:
        process.unlink(missing_ok=True)
        keep_report(folder)


def _failure(problem: Exception) -> dict[str, str | None]:
    known = isinstance(problem, PunieError)
    return {
        "error": problem.message if known else f"{type(problem).__name__}: {problem}",
        "hint": problem.hint if known else None,
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def keep_report(folder: Path) -> None:
    """Make `report.html` of a run; one that cannot be made must not fail a training that went well."""
    if (folder / "run.json").exists():
        try:
            write_page(read(folder), folder / "report.html")
        except Exception:
            log.exception("no report of %s", folder)


def begun(folder: Path) -> None:
    """A run has its `run.json`: the log of a detached training moves in, as `train.log`, `train-2.log` and so on."""
    said = Path(os.environ.pop(LOG_VARIABLE, ""))
    if not said.is_file():
        return
    number, target = 1, folder / "train.log"
    while target.exists():
        number += 1
        target = folder / f"train-{number}.log"
    # What has the file open goes on writing to it.
    said.rename(target)
