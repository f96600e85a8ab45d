"""Projects that are thrown away: what is in one, and what changed in it."""

from collections.abc import Mapping
from pathlib import Path

from punie_cli.builtins.files import diff

# Left by tools that ran in a project: neither part of a fixture nor a change that a case could make.
CACHES = frozenset({"__pycache__", ".pytest_cache", ".ruff_cache", ".mypy_cache", ".hypothesis"})


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
