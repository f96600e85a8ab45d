"""Folders that appear whole or not at all: built beside their place under a lock, synced, then renamed."""

import contextlib
import errno
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock

from punie_cli import paths
from punie_cli.errors import BusyError, PunieError

# Longer than a slow download of a small model; a second pull of the same name waits for the first.
LOCK_SECONDS = 900.0


@dataclass(frozen=True)
class PullStep:
    """Progress of a pull: what is done now, and bytes where they are known (0 of 0 otherwise)."""

    text: str
    done: int = 0
    total: int = 0


Progress = Callable[[PullStep], None]


def store_folder() -> Path:
    """Folder of the store: one folder per model."""
    return paths.data_dir() / "models"


@contextlib.contextmanager
def locked(target: Path, seconds: float = LOCK_SECONDS) -> Generator[None]:
    """Hold the lock of one folder name; raises BusyError when another process keeps it for `seconds`."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with filelock.FileLock(target.parent / f".{target.name}.lock", timeout=seconds):
            yield
    except filelock.Timeout as error:
        raise BusyError(f"another punie process is working on {target}", "try again when it has ended") from error


@contextlib.contextmanager
def building(target: Path) -> Generator[Path]:
    """A temporary folder beside `target` that takes its place when the block ends well; use under `locked`.

    Leftovers of an interrupted build go first. A full disk raises PunieError; `target` stays as it was.
    """
    sweep(target)
    part = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent))
    try:
        yield part
        # mkdtemp makes a private folder; a model folder has the usual mode.
        part.chmod(0o755)
        sync(part)
        old = part.with_suffix(".old")
        if target.exists():
            target.rename(old)
        part.rename(target)
        sync_folder(target.parent)
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise PunieError(f"the disk is full: {target.parent}", "punie models list") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def sweep(target: Path) -> None:
    """Remove what interrupted builds of `target` left; put back what was moved away between two renames."""
    for old in target.parent.glob(f".{target.name}.*.old"):
        if target.exists():
            shutil.rmtree(old, ignore_errors=True)
        else:
            old.rename(target)
    for part in target.parent.glob(f".{target.name}.*.part"):
        shutil.rmtree(part, ignore_errors=True)


def write_json(path: Path, value: Any) -> None:
    """Write a small JSON file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(value, file, indent=2, ensure_ascii=False)
            file.write("\n")
            file.flush()
            # mkstemp makes a private file; what is written here is no secret, and may be shared or packaged.
            os.fchmod(file.fileno(), 0o644)
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def sync(folder: Path) -> None:
    """fsync each file below `folder`, and the folders."""
    for path in folder.rglob("*"):
        if path.is_symlink():
            continue
        if path.is_dir():
            sync_folder(path)
        else:
            with path.open("rb") as file:
                os.fsync(file.fileno())
    sync_folder(folder)


def sync_folder(folder: Path) -> None:
    """fsync a folder, so that a rename in it lasts."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def require_disk(folder: Path, need: int) -> None:
    """Raise PunieError unless `need` bytes are free where `folder` is or will be."""
    place = folder
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    if free < need:
        message = f"{need / 1e9:.1f} GB of disk are needed in {folder}, {free / 1e9:.1f} GB are free"
        raise PunieError(message, "punie models list")
