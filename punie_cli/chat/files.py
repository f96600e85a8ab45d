"""The files and folders of a project for `@`: listed in the background, what git ignores left out."""

import asyncio
import contextlib
import os
import re
import shutil
import stat
import subprocess
import threading
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from punie_cli.confine import SKIPPED_FOLDERS

MAX_ENTRIES = 20_000
# A list that is older is made anew while it is still used.
REFRESH_S = 5.0
_GIT_S = 20.0
_IGNORE_BYTES = 1_000_000
_MARKS = frozenset({"pyvenv.cfg", "CACHEDIR.TAG"})
# Nothing that a terminal shows as something else, nothing that cannot be quoted.
_UNFIT = re.compile('[\x00-\x1f\x7f-\x9f"\\\\\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]')
# The configuration of a project must not make git run or fetch anything.
_GIT_ENVIRONMENT = {
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_TERMINAL_PROMPT": "0",
}


class ProjectFiles:
    """What there is below `root`, as `src/` and `src/a.py`; at most `MAX_ENTRIES`.

    `entries` is what is known now, empty at first. A thread makes it: nothing here waits for a disk.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.entries: tuple[str, ...] = ()
        self._made: float | None = None
        self._thread: threading.Thread | None = None

    def refresh(self) -> None:
        """Begin to list, unless that goes on or was done a moment ago."""
        if self._thread is not None and self._thread.is_alive():
            return
        if self._made is not None and time.monotonic() - self._made < REFRESH_S:
            return
        self._thread = threading.Thread(target=self._list, name="files", daemon=True)
        self._thread.start()

    async def ready(self, wait_s: float = 2.0) -> tuple[str, ...]:
        """The entries; waits only for the first list, and not longer than `wait_s`."""
        self.refresh()
        if self._made is None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    while self._made is None:  # noqa: ASYNC110
                        await asyncio.sleep(0.01)
        return self.entries

    def _list(self) -> None:
        entries: tuple[str, ...] = ()
        with contextlib.suppress(OSError, ValueError):
            entries = list_project(self.root)
        # Nothing found may be a fault of the moment; an older list is better than none.
        self.entries = entries or self.entries
        self._made = time.monotonic()


def list_project(root: Path, limit: int = MAX_ENTRIES) -> tuple[str, ...]:
    """Files and the folders that they are in, the latter with `/` at the end; blocks while it looks."""
    files = _by_git(root, limit)
    # None also in a folder that the repository around it ignores.
    if not files:
        files = list(_walk(root, limit))
    fit = [file for file in files if _UNFIT.search(file) is None and not file.startswith("~")]
    folders: set[str] = set()
    for file in fit:
        folder = file.rpartition("/")[0]
        while folder and folder + "/" not in folders:
            folders.add(folder + "/")
            folder = folder.rpartition("/")[0]
    return tuple(sorted({*fit, *folders})[:limit])


def _by_git(root: Path, limit: int) -> list[str] | None:
    """What git tracks, and what it does not ignore; None where there is no git or no repository."""
    known = _git(root, limit, "--cached", "--others", "--exclude-standard")
    if known is None:
        return None
    gone = set(_git(root, limit, "--deleted") or ())
    return [file for file in known if file not in gone]


def _git(root: Path, limit: int, *options: str) -> list[str] | None:
    git = shutil.which("git")
    # A git from the project would be a program of the project.
    if git is None or Path(git).resolve().is_relative_to(root):
        return None
    process = subprocess.Popen(
        [git, "-c", "core.fsmonitor=false", "ls-files", "-z", *options],
        cwd=root,
        env={name: value for name, value in os.environ.items() if name not in ("GIT_DIR", "GIT_WORK_TREE")}
        | _GIT_ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    late = threading.Timer(_GIT_S, process.kill)
    late.daemon = True
    late.start()
    names: list[str] = []
    try:
        assert process.stdout is not None
        kept = b""
        while len(names) < limit and (data := os.read(process.stdout.fileno(), 65536)):
            *whole, kept = (kept + data).split(b"\0")
            names += [os.fsdecode(name) for name in whole]
        enough = len(names) >= limit
    finally:
        late.cancel()
        process.kill()
        process.communicate()
    return names[:limit] if enough or process.returncode == 0 else None


def _walk(root: Path, limit: int) -> Iterator[str]:
    """Files without git, the ones of a folder before those below it. Ignore files of the project count as for git."""
    open_folders: deque[tuple[str, tuple[_Ignored, ...]]] = deque([("", ())])
    left = limit
    while open_folders:
        folder, rules = open_folders.popleft()
        # Python switches threads late: a key that was pressed must not wait for a large project.
        time.sleep(0.0005)
        start = f"{folder}/" if folder else ""
        try:
            with os.scandir(root / folder) as scan:
                entries = sorted((entry.name, entry.is_dir(follow_symlinks=False)) for entry in scan)
        except OSError:
            continue
        names = {name for name, _ in entries}
        if folder and names & _MARKS:
            continue
        if ".gitignore" in names:
            rules = (_Ignored(root / folder / ".gitignore", start), *rules)
        for name, is_folder in entries:
            path = start + name
            if name in SKIPPED_FOLDERS or _ignored(path + "/" if is_folder else path, rules):
                continue
            if not left:
                return
            left -= 1
            if is_folder:
                open_folders.append((path, rules))
            else:
                yield path


class _Ignored:
    """The patterns of one .gitignore; `start` is its folder."""

    def __init__(self, file: Path, start: str) -> None:
        # Only needed without git, and slow to import.
        from pathspec import GitIgnoreSpec

        self._start = start
        lines: list[str] = []
        with contextlib.suppress(OSError):
            # Not a pipe, and no link to somewhere else.
            found = file.lstat()
            if stat.S_ISREG(found.st_mode) and found.st_size <= _IGNORE_BYTES:
                lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
        try:
            self._spec = GitIgnoreSpec.from_lines(lines)
        except ValueError:
            # git skips a line that it cannot read, and so do we.
            self._spec = GitIgnoreSpec.from_lines([line for line in lines if _is_pattern(line)])

    def check(self, path: str) -> bool | None:
        """Whether a path is ignored; None where no pattern says anything."""
        return self._spec.check_file(path.removeprefix(self._start)).include


def _is_pattern(line: str) -> bool:
    from pathspec import GitIgnoreSpec

    try:
        GitIgnoreSpec.from_lines([line])
    except ValueError:
        return False
    return True


def _ignored(path: str, rules: tuple[_Ignored, ...]) -> bool:
    # The nearest file decides; folders that are ignored are never entered.
    for rule in rules:
        said = rule.check(path)
        if said is not None:
            return said
    return False
