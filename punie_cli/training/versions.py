"""What a result depends on besides the recipe and the rows."""

import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

from punie_cli import __version__


def versions() -> dict[str, str]:
    """Versions of punie and of the packages that compute, render and check."""
    return {"punie": __version__} | {name: version(name) for name in ("mlx", "mlx-lm", "transformers", "ty")}


def git_state() -> dict[str, Any] | None:
    """Commit of the checkout that punie runs from, and whether files differ from it; None for an installed punie."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return None
    commit = _git(root, "rev-parse", "HEAD")
    return {"commit": commit, "dirty": bool(_git(root, "status", "--porcelain"))} if commit else None


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", root, *arguments], capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
