"""Files of rows: those of a phase, which side of a split one is, output that is written whole or not at all."""

import contextlib
import errno
import os
import sys
import tempfile
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import TextIO

from punie_cli.errors import PunieError, UsageError
from punie_cli.rows.build import SIDES, find_rows
from punie_cli.training.phase import Phase

# What others call our sides.
_OTHER_NAMES = {"val": "valid", "validation": "valid", "dev": "valid"}


def phase_files(phase: Phase) -> list[Path]:
    """The three files of a phase: train, valid, test."""
    return [find_rows(phase) / f"{side}.jsonl" for side in SIDES]


def side_of(path: Path | str) -> str:
    """`train`, `valid` or `test` by the file's name; empty for any other name."""
    stem = Path(path).stem
    side = _OTHER_NAMES.get(stem, stem)
    return side if side in SIDES else ""


@contextlib.contextmanager
def writing(path: Path | None) -> Generator[TextIO]:
    """A text file that takes its place when the block ends well; None is stdout. A full disk raises PunieError."""
    if path is None:
        yield sys.stdout
        sys.stdout.flush()
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    except OSError as problem:
        raise UsageError(f"{path} cannot be written: {problem.strerror}") from None
    part = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            yield file
            file.flush()
            # mkstemp makes a private file.
            os.fchmod(file.fileno(), 0o644)
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as problem:
        if problem.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        raise PunieError(f"the disk is full: {path.parent}", f"df -h {path.parent}") from problem
    finally:
        part.unlink(missing_ok=True)


def keep_apart(inputs: Sequence[Path], outputs: Sequence[Path | None]) -> None:
    """Raise UsageError where an output would replace an input, by whatever name, or is a folder."""
    for out in outputs:
        if out is None:
            continue
        if out.is_dir():
            raise UsageError(f"{out} is a folder", "-o FILE")
        for path in inputs:
            if out.exists() and path.exists() and out.samefile(path):
                raise UsageError(f"{out} is read: it cannot be written as well", "-o another file")
