"""What a bug report tells of the machine, the terminal and what punie keeps. Holds no values that may be secret."""

import contextlib
import locale
import os
import platform
import shutil
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil

from punie_cli import paths
from punie_cli.journal import journal_file
from punie_cli.settings import Settings, resolve
from punie_cli.store import session_file

_CGROUP = "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"
_SHOWN = ("TERM", "COLORTERM", "TERM_PROGRAM", "NO_COLOR", "FORCE_COLOR", "LANG", "LC_ALL", "TMUX", "SSH_TTY")


def chip() -> str:
    """The processor, its kind, and how many cores there are and may be used."""
    cores = psutil.cpu_count(logical=False) or psutil.cpu_count() or 0
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else psutil.cpu_count() or 0
    return f"{_chip_name() or 'not known'}, {platform.machine()}, {cores} cores, {usable} threads for punie"


def memory() -> str:
    """Memory and swap, and limits that are lower."""
    found, swap = psutil.virtual_memory(), psutil.swap_memory()
    parts = [f"{found.available / 1e9:.1f} GB of {found.total / 1e9:.1f} GB available"]
    if swap.total:
        parts.append(f"swap {swap.used / 1e9:.1f} GB of {swap.total / 1e9:.1f} GB used")
    for place in _CGROUP:
        with contextlib.suppress(OSError, ValueError):
            limit = int(Path(place).read_text(encoding="ascii"))
            if limit < found.total:
                parts.append(f"limit of the container {limit / 1e9:.1f} GB")
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        if limit != resource.RLIM_INFINITY:
            parts.append(f"limit of the process {limit / 1e9:.1f} GB")
    return ", ".join(parts)


def origins(flags: dict[str, Any], root: Path) -> str:
    """The settings that are no defaults, each with its place; values are not told, as a command may hold a key."""
    resolved = resolve(flags, root)
    by_place: dict[str, list[str]] = {}
    for name in Settings.model_fields:
        if layer := resolved.origins.get(name):
            by_place.setdefault(layer.origin, []).append(name)
    parts = [f"{', '.join(names)} from {place}" for place, names in by_place.items()]
    if resolved.left_out:
        names = dict.fromkeys(f"{each.name} of {each.layer.origin}" for each in resolved.left_out)
        parts.append(f"not applied: {', '.join(names)}")
    return "; ".join(parts) or "all defaults"


def sessions() -> str:
    """Size of the store and of the undo journal, and how many sessions are kept. Raises sqlite3.Error."""
    file = session_file()
    if not file.exists():
        return f"none yet ({file})"
    with contextlib.closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True, timeout=5)) as store:
        (count,) = store.execute("SELECT count(*) FROM sessions").fetchone()
        (version,) = store.execute("PRAGMA user_version").fetchone()
    text = f"{count} in {file}, {_size(file)}, version {version}"
    return f"{text}; undo journal {_size(journal_file())}" if journal_file().exists() else text


def log() -> str:
    """Where tracebacks are, and when the last thing was written there."""
    file = paths.log_file()
    try:
        written = time.strftime("%Y-%m-%d %H:%M", time.localtime(file.stat().st_mtime))
    except OSError:
        return f"{file} (none)"
    return f"{file}, {_size(file)}, last written {written}"


def terminal() -> str:
    """What stdin and stdout are, size, encoding, and the variables that decide about colours and keys."""
    ends = [name for name, stream in (("stdin", sys.stdin), ("stdout", sys.stdout)) if stream and stream.isatty()]
    size = shutil.get_terminal_size()
    parts = [
        f"{' and '.join(ends)} on a terminal" if ends else "no terminal",
        f"{size.columns}x{size.lines}",
        f"encoding {getattr(sys.stdout, 'encoding', None) or 'not known'}, locale {locale.getpreferredencoding(False)}",
    ]
    # Of TMUX and SSH_TTY only that they are there: they name sockets and devices.
    parts += [
        name if name in ("TMUX", "SSH_TTY") else f"{name}={os.environ[name]}" for name in _SHOWN if os.environ.get(name)
    ]
    return ", ".join(parts)


def _chip_name() -> str:
    if sys.platform == "darwin":
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            command = ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"]
            return subprocess.run(command, capture_output=True, text=True, timeout=10).stdout.strip()
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() in ("model name", "Model", "Hardware"):
                return value.strip()
    return platform.processor()


def _size(file: Path) -> str:
    size = file.stat().st_size
    return f"{size / 1e6:.1f} MB" if size >= 100_000 else f"{size / 1e3:.1f} kB"
