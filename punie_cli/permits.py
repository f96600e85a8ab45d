"""Rules that a person stored with "always", and all else that needs no question: the mode, --allow, this session.

A rule is about one project and is kept in punie's own data, never in the project. It allows to write one file or what
lies below a folder (`src/**`), to run commands that begin with certain words, or to run the tests. No rule covers
files that git or punie would act on, files that usually hold secrets, commands with shell syntax, or a place outside
the project.
"""

import hashlib
import json
import os
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from punie_cli import confine, paths, private, readonly
from punie_cli.approvals import Approver, Decision, Question, is_protected, is_secret, no_terminal
from punie_cli.errors import UsageError
from punie_cli.settings import Mode

Kind = Literal["write", "run", "test"]

# With nothing but options behind them these are any program at all, or what a repository's configuration names.
_ANYTHING = frozenset({
    "ash", "awk", "bash", "bun", "bunx", "csh", "dash", "deno", "fish", "gawk", "git", "hatch", "ksh", "lua", "node",
    "npm", "npx", "pdm", "perl", "php", "pip", "pipx", "pixi", "pnpm", "poetry", "powershell", "pwsh", "py", "pypy",
    "python", "ruby", "rye", "sh", "tclsh", "uv", "uvx", "yarn", "zsh",
})  # fmt: skip
# What these run stands anywhere among their words.
_WRAPPERS = frozenset({
    "busybox", "chroot", "command", "docker", "doas", "env", "eval", "exec", "find", "kubectl", "nice", "nohup",
    "parallel", "podman", "punie", "setsid", "ssh", "stdbuf", "su", "sudo", "time", "timeout", "watch", "xargs",
})  # fmt: skip
# `uv run` and `python -m` say nothing yet about what is run.
_GOES_ON = frozenset({"run", "exec", "x", "-m"})
_URL = re.compile(r"(?!file:)[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_MARKS = re.compile(r"[=@:,]")
_VERSION = re.compile(r"[\d.]+(\.exe)?$|\.exe$")


@dataclass(frozen=True)
class Permit:
    """One rule. `match` is a pattern for `write`, the first words of a command for `run`, nothing for `test`."""

    kind: Kind
    match: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.kind == "test":
            return "run the tests"
        return f"{self.kind} {shlex.join(self.match) if self.kind == 'run' else self.match[0]}"

    def covers(self, question: Question, root: Path) -> bool:
        """Whether it allows what is asked; `root` is the real path of the project."""
        if self.kind != _kind(question):
            return False
        if self.kind == "write":
            path = free_path(question, root)
            return path is not None and _lies_in(self.match[0], path)
        if self.kind == "run":
            words = _words(question)
            if words is None or tuple(words[: len(self.match)]) != self.match:
                return False
            return not _touches_secrets(words) and not any(_leads_out(word, root) for word in words[len(self.match) :])
        return True


class Permits:
    """The stored rules of one project, in their order. Two processes may use them at once."""

    def __init__(self, root: Path) -> None:
        self.root = Path(os.path.realpath(root))
        digest = hashlib.sha256(os.fsencode(self.root)).hexdigest()[:16]
        name = re.sub(r"[^\w.-]", "_", self.root.name)[:40] or "root"
        self.file = paths.data_dir() / "permits" / f"{name}-{digest}.json"

    def all(self) -> list[Permit]:
        """The rules as they stand in the file now. UsageError for a file that says something else."""
        return self._of(private.read_json(self.file))

    def add(self, permit: Permit) -> None:
        """Store a rule, once."""

        def change(content: dict[str, Any]) -> dict[str, Any]:
            return self._content(list(dict.fromkeys([*self._of(content), permit])))

        private.update_json(self.file, change)

    def remove(self, permit: Permit) -> bool:
        """Take a rule away; False if it was not there."""
        found = False

        def change(content: dict[str, Any]) -> dict[str, Any]:
            nonlocal found
            before = self._of(content)
            found = permit in before
            return self._content([each for each in before if each != permit])

        private.update_json(self.file, change)
        return found

    def _content(self, permits: list[Permit]) -> dict[str, Any]:
        # `root` is for people who look into the file.
        return {"root": str(self.root), "rules": [[permit.kind, *permit.match] for permit in permits]}

    def _of(self, content: dict[str, Any]) -> list[Permit]:
        try:
            return [_checked(Permit(kind, tuple(match))) for kind, *match in content.get("rules", [])]
        except (UsageError, TypeError, ValueError) as error:
            raise UsageError(f"{self.file} has a rule that cannot be used: {error}", f"edit {self.file}") from error


class Standing:
    """What is decided before anyone is asked. `mode` may be changed at any time; without a root nothing is stored."""

    def __init__(
        self,
        root: Path | None = None,
        mode: Mode = "ask",
        allow: frozenset[str] = frozenset(),
        warn: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.permits = None if root is None else Permits(root)
        self.root = Path(os.path.realpath(root or Path.cwd()))
        self.mode: Mode = mode
        self._allow = allow
        self._warn = warn
        self._session: list[Permit] = []
        self._exact: set[str] = set()
        self._warned = False

    def decide(self, question: Question) -> Decision | None:
        """The decision, or None where a person is to be asked."""
        if self.mode == "read-only" and question.rule != "read":
            return Decision(False, "rule", "the mode is read-only: nothing is written, and only reading commands run")
        if question.rule in self._allow or _exactly(question) in self._exact:
            return Decision(True, "rule")
        if self.mode == "edits" and question.rule == "write" and free_path(question, self.root) is not None:
            return Decision(True, "rule")
        if any(permit.covers(question, self.root) for permit in (*self._session, *self._stored())):
            return Decision(True, "rule")
        return None

    def for_session(self, question: Question) -> str:
        """What a yes for this session would allow, in words that follow `yes to`."""
        permit = self._session_permit(question)
        if permit is None:
            return "exactly this"
        return "every write, except to files that usually hold secrets" if permit.match == ("**",) else f"'{permit}'"

    def allow_session(self, question: Question) -> None:
        """Allow what `for_session` says, until this process ends or goes on with another session."""
        permit = self._session_permit(question)
        if permit is None:
            self._exact.add(_exactly(question))
        else:
            self._session.append(permit)

    def forget_session(self) -> None:
        """Ask again about what was allowed for the session: another one begins."""
        self._session.clear()
        self._exact.clear()

    def _session_permit(self, question: Question) -> Permit | None:
        permit = proposal(question, self.root)
        return Permit("write", ("**",)) if permit is not None and permit.kind == "write" else permit

    def _stored(self) -> list[Permit]:
        try:
            return self.permits.all() if self.permits is not None else []
        except UsageError as error:
            if not self._warned:
                self._warned = True
                self._warn(error.message)
            return []


def unattended(standing: Standing) -> Approver:
    """An approver for when nobody can be asked: what stands is allowed, all else is refused."""
    refuse = no_terminal()

    async def decide(question: Question) -> Decision:
        return standing.decide(question) or await refuse(question)

    return decide


def proposal(question: Question, root: Path) -> Permit | None:
    """The rule that "always" stores for a question; None where no rule can cover it."""
    kind = _kind(question)
    permit = None
    if kind == "test":
        permit = Permit("test")
    elif kind == "write":
        path = free_path(question, root)
        permit = None if path is None else Permit("write", (path,))
    elif kind == "run":
        words = _words(question)
        permit = None if words is None else Permit("run", _first_words(words))
    try:
        return permit if permit is not None and _checked(permit).covers(question, root) else None
    except UsageError:
        return None


def typed(text: str, question: Question, root: Path) -> Permit:
    """A rule that a person wrote in place of the proposed one. UsageError unless it can be kept and covers this."""
    kind, text = _kind(question), text.strip()
    words: list[str] | None = []
    if kind == "write":
        # Not split: `*` is shell syntax, and a name may have a blank.
        words = [text.removeprefix("write ").strip().removeprefix("./")]
    elif kind == "run":
        try:
            words = readonly.split(text.removeprefix("run "))
        except ValueError:
            words = None
    if kind is None or words is None or not text:
        raise UsageError(f"'{text}' is no rule")
    permit = _checked(Permit(kind, tuple(words)))
    if not permit.covers(question, root):
        raise UsageError(f"the rule '{permit}' would not allow this")
    return permit


def free_path(question: Question, root: Path) -> str | None:
    """Where a write goes, relative to the root; None for a place that no rule may cover."""
    path = question.args.get("path")
    if question.rule != "write" or not isinstance(path, str):
        return None
    try:
        relative = confine.resolve(root, path)
    except (OSError, ValueError, TypeError):
        return None
    # As written, too: the last part may be a link.
    if any(is_secret(each) or is_protected(each) or "**" in each for each in (relative, path)):
        return None
    return relative


def _kind(question: Question) -> Kind | None:
    if question.rule == "write":
        return "write"
    if question.rule == "run" and "command" in question.args:
        return "run"
    return "test" if question.rule == "run" and question.builtin == "test" else None


def _words(question: Question) -> list[str] | None:
    """The words of a command that needs no shell."""
    command = question.args["command"]
    try:
        words = readonly.split(command) if isinstance(command, str) else list(command)
    except ValueError:
        return None
    return words if words and all(word.isprintable() for word in words) else None


def _first_words(words: list[str]) -> tuple[str, ...]:
    """`git status` of `git status -s`: up to the first option; all words where that would be too wide."""
    count = 1 if len(words) == 1 else 2
    while count < len(words) and words[count - 1] in _GOES_ON:
        count += 1
    first = words[:count]
    options = [word for word in first[1:] if word.startswith("-") and word not in _GOES_ON]
    return tuple(words if options or _too_wide(tuple(first)) else first)


def _too_wide(words: tuple[str, ...]) -> bool:
    """Whether a command that begins so may be any program."""
    name = _VERSION.sub("", words[0].rsplit("/", 1)[-1].casefold())
    options_only = all(word.startswith("-") or word in _GOES_ON for word in words[1:])
    return name in _WRAPPERS or "punie_cli" in words or (name in _ANYTHING and options_only)


def _checked(permit: Permit) -> Permit:
    """The rule itself; UsageError for one that must not be kept."""
    if permit.kind not in ("write", "run", "test") or not all(isinstance(word, str) for word in permit.match):
        raise UsageError(f"'{permit.kind}' is no kind of rule; there are: write, run, test")
    if permit.kind == "test":
        if permit.match:
            raise UsageError("a rule for tests has no words")
    elif permit.kind == "run":
        if not permit.match or not permit.match[0] or not all(word.isprintable() for word in permit.match):
            raise UsageError("a rule for commands needs the first words of one")
        if _too_wide(permit.match):
            raise UsageError(f"'{shlex.join(permit.match)}' would allow any program; give more words")
    else:
        _check_pattern(permit)
    return permit


def _check_pattern(permit: Permit) -> None:
    pattern = permit.match[0] if len(permit.match) == 1 else ""
    if pattern == "**":
        return
    folder = pattern.removesuffix("/**")
    bad = not folder or folder.startswith(("/", "~")) or "\\" in folder or not folder.isprintable()
    if bad or any(part in ("", ".", "..") or "**" in part for part in folder.split("/")):
        raise UsageError(f"'{pattern}' is no path of a rule; give a file such as a/b.py, or a folder such as src/**")
    if is_protected(folder) or is_secret(folder):
        raise UsageError(f"no rule covers '{pattern}'")


def _lies_in(pattern: str, relative: str) -> bool:
    if pattern == "**":
        return True
    return relative.startswith(pattern[:-2]) if pattern.endswith("/**") else relative == pattern


def _touches_secrets(words: list[str]) -> bool:
    return any(is_secret(piece) or is_protected(piece) for word in words for piece in _pieces(word))


def _leads_out(word: str, root: Path) -> bool:
    """Whether a word may name a place outside the project."""
    return any(piece.startswith("~") or ".." in piece.split("/") or not _inside(piece, root) for piece in _pieces(word))


def _pieces(word: str) -> list[str]:
    """What may be a path in a word: `--file=a`, `-fa`, `@a` and `host:a` have one behind their marks."""
    if _URL.match(word):
        return [word]
    starts = (word, word[2:]) if word.startswith("-") else (word,)
    return [piece for start in starts for piece in (start, *_MARKS.split(start)) if piece]


def _inside(path: str, root: Path) -> bool:
    try:
        confine.resolve(root, path)
    except PermissionError:
        return False
    except (OSError, ValueError):
        # No path that a program could name, such as a pattern with a backslash.
        return "/" not in path
    return True


def _exactly(question: Question) -> str:
    return json.dumps([question.builtin, question.args], sort_keys=True, default=str)
