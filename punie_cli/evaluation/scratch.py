"""Projects that are thrown away: what is in one, and what changed in it."""

import os
import shutil
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from punie_cli.builtins.files import diff
from punie_cli.errors import UsageError

# Left by tools that ran in a project: neither part of a fixture nor a change that a case could make.
CACHES = frozenset({"__pycache__", ".pytest_cache", ".ruff_cache", ".mypy_cache", ".hypothesis"})
# Of a project that is copied.
FILE_BYTES = 5_000_000
PROJECT_BYTES = 100_000_000
PROJECT_FILES = 20_000


def snapshot(root: Path) -> dict[str, str]:
    """The text of every file below `root` by relative path, caches left out; a link is shown as where it points."""
    found = {}
    for path in sorted(root.rglob("*")):
        relative = path.relative_to(root)
        if CACHES.intersection(relative.parts):
            continue
        if path.is_symlink():
            found[relative.as_posix()] = f"-> {path.readlink()}"
        elif path.is_file():
            found[relative.as_posix()] = path.read_bytes().decode("utf-8", errors="surrogateescape")
    return found


def difference(before: Mapping[str, str], after: Mapping[str, str]) -> str:
    """What changed between two snapshots, as a unified diff with control characters escaped."""
    paths = sorted(before.keys() | after.keys())
    pairs = [(path, before.get(path), after.get(path)) for path in paths]
    return "".join(diff(*pair) for pair in pairs if pair[1] != pair[2])


@dataclass(frozen=True)
class Copied:
    """What a copy has, and the files that were left out because they are large or are no files of the project."""

    files: int
    left_out: tuple[str, ...]


def copy_project(root: Path, target: Path, files: Iterable[str]) -> Copied:
    """Copy `files` of a project, given by relative path, into a new folder.

    Files above 5 MB, and links that lead anywhere but into the project, are left out. Raises UsageError above 100 MB
    or 20,000 files.
    """
    target.mkdir(parents=True)
    size, count, left_out = 0, 0, []
    for path in files:
        source, place = root / path, target / path
        try:
            status = source.lstat()
            if stat.S_ISDIR(status.st_mode):
                continue
            inside = not source.is_symlink() or _leads_inside(root, source)
            if not inside or status.st_size > FILE_BYTES or not (source.is_symlink() or source.is_file()):
                left_out.append(path)
                continue
            size, count = size + status.st_size, count + 1
            if size > PROJECT_BYTES or count > PROJECT_FILES:
                raise UsageError(
                    f"{root} has more than {PROJECT_BYTES // 1_000_000} MB or {PROJECT_FILES} files that git does not "
                    "ignore: too much to copy",
                    "put what is large into .gitignore",
                )
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, place, follow_symlinks=False)
        except FileNotFoundError:
            # Gone since it was listed.
            continue
        except OSError:
            left_out.append(path)
    return Copied(count, tuple(left_out))


def _leads_inside(root: Path, link: Path) -> bool:
    target = link.readlink()
    return not target.is_absolute() and Path(os.path.realpath(link)).is_relative_to(os.path.realpath(root))
