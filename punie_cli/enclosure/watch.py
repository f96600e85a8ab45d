"""Tells what a command changed that git or punie act on: the only protection where .git cannot be read-only."""

import os
from pathlib import Path

from punie_cli.enclosure.places import GIT_ACTS_ON

_ACTED_ON = (".gitmodules", ".punie", ".punie/config.toml", *(f".git/{name}" for name in GIT_ACTS_ON))

State = dict[str, tuple[int, ...]]


def state(root: Path) -> State:
    """Numbers that change with each of these files; a file that is not there has none."""
    found: State = {}
    for name in (".git", *_ACTED_ON):
        place = f"{root}/{name}"
        try:
            status = os.lstat(place)
        except OSError:
            continue
        if name == ".git":
            found[name] = (status.st_mode, status.st_ino)  # what is in there may change
            continue
        found[name] = _numbers(status)
        if name in (".git/hooks", ".git/info"):
            try:
                entries = list(os.scandir(place))
            except OSError:
                continue
            for entry in entries:
                found[f"{name}/{entry.name}"] = _numbers(entry.stat(follow_symlinks=False))
    return found


def changes(before: State, after: State) -> list[str]:
    """What is new, gone or different; files rather than the folders they are in."""
    names = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    return [name for name in names if not any(other.startswith(f"{name}/") for other in names)]


def _numbers(status: os.stat_result) -> tuple[int, ...]:
    # The time of the last change of the file's record cannot be set by its owner.
    return status.st_mode, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
