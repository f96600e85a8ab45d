"""The folder that a session works in: its files, its commands, and who is asked before either changes."""

import copy
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from punie_cli import confine, listing, paths, processes
from punie_cli.approvals import (
    Approver,
    Decision,
    Question,
    is_protected,
    is_secret,
    no_terminal,
    refusal,
    visible,
)
from punie_cli.enclosure.enclosure import Enclosure, Terms
from punie_cli.journal import Journal
from punie_cli.processes import Completed

__all__ = [
    "Approver",
    "Completed",
    "Decision",
    "Question",
    "Workspace",
    "is_secret",
    "no_terminal",
    "refusal",
    "visible",
]

READ_LIMIT = 1024 * 1024
WRITE_LIMIT = 2 * 1024 * 1024


class Workspace:
    """One root. Nothing in it is trusted: paths are confined, no tool is taken from it.

    `ty`, `ruff` and `python` are the user's settings: the tools to run and the environment that imports are
    resolved and tests run in. `missing` names tools (ty, ruff, pytest) that count as not installed: rows are made
    and played under it. `journal` keeps what a file was before it is written, for `/undo`; projects that are thrown
    away have none. `enclosure` is what commands and tests run in; without one they run as punie does.
    """

    def __init__(
        self,
        root: Path,
        approver: Approver | None = None,
        *,
        ty: Path | None = None,
        ruff: Path | None = None,
        python: Path | None = None,
        missing: Iterable[str] = (),
        journal: Journal | None = None,
        enclosure: Enclosure | None = None,
    ) -> None:
        self.root = Path(os.path.realpath(root))
        if not self.root.is_dir():
            raise NotADirectoryError(f"'{root}' is not a folder")
        self.approver = approver or no_terminal()
        self.tools = {"ty": ty, "ruff": ruff}
        self.python = python
        self.missing = frozenset(missing)
        self.journal = journal
        self.enclosure = enclosure

    def with_approver(self, approver: Approver) -> "Workspace":
        """The same workspace with someone else to ask."""
        other = copy.copy(self)
        other.approver = approver
        return other

    def resolve(self, path: str, *, exists: bool = True) -> str:
        """The real place of `path`, relative to the root with `/`; "." for the root itself.

        Raises PermissionError outside the root, FileNotFoundError with the nearest existing paths, ValueError
        for control characters, backslashes and a leading `~`.
        """
        relative = confine.resolve(self.root, path)
        if exists and not os.path.lexists(self.root / relative):
            raise confine.missing(self.root, path)
        return relative

    def resolve_python(self, path: str, suffixes: tuple[str, ...] = (".py", ".pyi")) -> str:
        """`resolve` for a folder or a Python file. Raises ValueError for any other file."""
        relative = self.resolve(path)
        if not (self.root / relative).is_dir() and not relative.endswith(suffixes):
            raise ValueError(f"{relative} is not a Python file")
        return relative

    def resolve_new(self, path: str) -> str:
        """`resolve` for a path that will be written: it may be missing, but never part of .git or .punie."""
        relative = self.resolve(path, exists=False)
        place = self.root / relative
        # Also as written, because .git may be a link; punie's own folders, because the root may be a home.
        as_written = os.path.relpath(os.path.normpath(self.root / path), self.root)
        own = [folder for folder in _own_folders() if folder.is_relative_to(self.root)]
        protected = is_protected(relative) or is_protected(as_written) or any(place.is_relative_to(o) for o in own)
        if protected or any(_is_repository(folder) for folder in place.parents if self.root in folder.parents):
            raise PermissionError(f"'{path}' is protected; programs cannot write it")
        for parent in place.parents:
            if parent.is_dir():
                break
            if os.path.lexists(parent):
                raise NotADirectoryError(f"'{parent.relative_to(self.root)}' is not a folder")
        return relative

    def read_text(self, path: str) -> str:
        """Text of a UTF-8 file up to 1 MiB, line ends and a byte order mark as they are."""
        relative = self.resolve(path)
        data = confine.read_bytes(self.root, relative, READ_LIMIT)
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError:
            text = "\0"
        if "\0" in text:
            raise ValueError(f"'{relative}' is not a text file (UTF-8)")
        return text

    def exists(self, path: str) -> bool:
        """True if something is at `path`; the errors of `resolve` for a path outside."""
        return os.path.lexists(self.root / self.resolve(path, exists=False))

    def listing(self) -> listing.Listing | None:
        """What is in it, without what tools keep for themselves; None for more than 20,000 entries."""
        return listing.listing(self.root)

    async def write_text(self, path: str, text: str) -> None:
        """Replace a file as a whole, at most 2 MiB; makes missing folders. Asks nobody: the builtin does."""
        try:
            data = text.encode("utf-8")
        except UnicodeEncodeError:
            raise ValueError("the text has half of a surrogate pair and cannot be written as UTF-8") from None
        if len(data) > WRITE_LIMIT:
            raise ValueError(f"the text is larger than {WRITE_LIMIT // 1024} KiB, the most that can be written")
        relative = self.resolve_new(path)
        if self.journal is not None:
            self.journal.replace(relative, data)
        else:
            confine.replace_bytes(self.root, relative, data)

    async def ask(self, question: Question) -> Decision:
        """The approver's decision."""
        return await self.approver(question)

    async def require(self, question: Question) -> Decision:
        """Ask, and raise PermissionError with the reason after a no."""
        decision = await self.ask(question)
        if not decision.allowed:
            raise refusal(question, decision)
        return decision

    async def run(
        self,
        argv: list[str],
        *,
        timeout_s: float = 60,
        output_bytes: int = 65536,
        variables: Mapping[str, str] | None = None,
        terms: Terms | None = None,
        tmp: Path | None = None,
    ) -> Completed:
        """Run `argv` in the root with a short clean environment and `variables`, without input; see `processes.run`.

        With `terms` it is enclosed, if this workspace encloses, and `tmp` is its temporary folder.
        """
        env = processes.child_environment(self.root) | dict(variables or {})
        how = {"cwd": self.root, "timeout_s": timeout_s, "output_bytes": output_bytes}
        if terms is None or self.enclosure is None or not self.enclosure.works:
            return await processes.run(argv, env=env, **how)
        with self.enclosure.wrap(argv, self.root, env, terms, tmp) as wrapped:
            return wrapped.finish(await processes.run(wrapped.argv, env=env | wrapped.variables, **how))

    def terms(self, command: str | list[str] = "") -> Terms:
        """What a command, or without one the tests, may do, and by which rule it is allowed."""
        return Terms() if self.enclosure is None else self.enclosure.terms(command)

    def which(self, name: str) -> str | None:
        """Full path of a command on the user's PATH, never one inside the workspace."""
        return processes.which(name, self.root)


def _is_repository(folder: Path) -> bool:
    """Whether git takes it for a repository, whatever its name is: a worktree's, a submodule's, a bare one."""
    return (folder / "HEAD").exists() and (folder / "objects").is_dir() and (folder / "refs").is_dir()


def _own_folders() -> list[Path]:
    folders = (paths.config_dir(), paths.data_dir(), paths.cache_dir(), paths.state_dir())
    return [Path(os.path.realpath(folder)) for folder in folders]
