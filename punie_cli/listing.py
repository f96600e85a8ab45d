"""What is in a project: the names of its files and folders, without what tools keep there for themselves."""

import os
from dataclasses import dataclass
from pathlib import Path

from punie_cli.confine import SKIPPED_FOLDERS

MAX_ENTRIES = 20_000
# A virtual environment, whatever its name; the caches of pytest, ruff, mypy, tox, cargo.
_MARKS = frozenset({"pyvenv.cfg", "CACHEDIR.TAG"})


@dataclass(frozen=True)
class Listing:
    """Paths relative to the root, with `/`. What lies below `unlisted` is not known."""

    files: frozenset[str]
    folders: frozenset[str]
    unlisted: frozenset[str]


def listing(root: Path, limit: int = MAX_ENTRIES) -> Listing | None:
    """Everything below `root`; None for more than `limit` entries.

    Not listed: .git, .venv, node_modules, __pycache__, virtual environments and caches of any other name, links to
    folders, folders that cannot be read.
    """
    files: list[str] = []
    folders: list[str] = []
    unlisted: list[str] = []
    left = limit
    open_folders = [""]
    while open_folders:
        folder = open_folders.pop()
        start = f"{folder}/" if folder else ""
        inner: list[str] = []
        found: list[str] = []
        kept: list[str] = []
        marked = False
        try:
            with os.scandir(root / folder) as scan:
                for entry in scan:
                    left -= 1
                    if left < 0:
                        return None
                    marked = marked or entry.name in _MARKS
                    path = start + entry.name
                    if entry.is_dir(follow_symlinks=False):
                        (kept if entry.name in SKIPPED_FOLDERS else inner).append(path)
                    elif entry.is_symlink() and entry.is_dir():
                        kept.append(path)
                    else:
                        found.append(path)
        except OSError:
            marked = True
        if folder and marked:
            unlisted.append(folder)
            continue
        if folder:
            folders.append(folder)
        files += found
        unlisted += kept
        open_folders += inner
    return Listing(frozenset(files), frozenset(folders), frozenset(unlisted))
