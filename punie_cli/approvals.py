"""What needs a person's yes, how the question is put, and who answers when nobody is there."""

import fnmatch
import posixpath
import shlex
import unicodedata
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal

# Never written, in any folder of the workspace: what git or punie would act on.
PROTECTED = frozenset({".git", ".gitmodules", ".punie"})
# File names that usually hold keys, passwords or tokens.
SECRET_NAMES = (
    ".env*", "*.pem", "*.key", "*.p12", "*.pfx", "id_rsa*", "id_dsa*", "id_ecdsa*", "id_ed25519*", ".netrc",
    ".npmrc", ".pypirc", ".git-credentials",
)  # fmt: skip


@dataclass(frozen=True)
class Question:
    """One thing that a program wants to do; `diff` and `summary` have control characters escaped.

    `rule` is the word that `--allow` takes: write, run, read (files that usually hold secrets), network (a command with
    network), or outside (a command where this machine cannot enclose one).
    """

    builtin: str
    args: dict[str, Any]
    summary: str
    diff: str | None = None
    rule: Literal["write", "run", "read", "network", "outside"] = "run"


@dataclass(frozen=True)
class Decision:
    """The answer to a question; `reason` is told to the model.

    `edited` is the text that the person wrote in place of the one to be written.
    """

    allowed: bool
    by: Literal["rule", "person", "no-terminal"]
    reason: str = ""
    edited: str | None = None


Approver = Callable[[Question], Awaitable[Decision]]


def no_terminal(allow: frozenset[str] = frozenset()) -> Approver:
    """An approver for when nobody can be asked: allows the rules in `allow`, refuses the rest."""

    async def decide(question: Question) -> Decision:
        if question.rule in allow:
            return Decision(True, "rule")
        reason = f"nobody at the terminal; run again with --allow {question.rule}"
        return Decision(False, "no-terminal", reason)

    return decide


def refusal(question: Question, decision: Decision) -> PermissionError:
    """What the program sees after a no."""
    if decision.by == "person":
        reason = f": {decision.reason}" if decision.reason else ""
        return PermissionError(f"refused by the user{reason}")
    subject = question.args.get("path") or question.args.get("command") or ""
    if question.rule in ("run", "outside") and "command" not in question.args:
        subject = f"{question.builtin} {subject}"
    words = subject if isinstance(subject, str) else shlex.join(subject)
    text = visible(words).replace("\n", " ")
    if len(text) > 80:
        text = f"{text[:80]}…"
    return PermissionError(f"refused: {question.rule} {text} ({decision.reason})")


def is_secret(path: str) -> bool:
    """True for names in SECRET_NAMES, in any letter case, and for `.git/config`: its URL may hold a token."""
    *folders, name = posixpath.normpath(path).casefold().split("/")
    if ".git" in folders and name == "config":
        return True
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in SECRET_NAMES)


def is_protected(path: str) -> bool:
    """True for paths that no program may write, also before they exist; letter case does not matter.

    Other file systems (FAT, NTFS, a share) take `.git.`, `.git ` and `git~1` for `.git`.
    """
    return any(part.rstrip(". ") in PROTECTED or part == "git~1" for part in path.casefold().split("/"))


def visible(text: str) -> str:
    """`text` with control and invisible characters written as escapes, so that a terminal hides nothing."""
    hidden = {"Cc", "Cf", "Cs", "Zl", "Zp"}
    return "".join(
        character
        if character in "\n\t" or unicodedata.category(character) not in hidden
        else character.encode("unicode_escape").decode("ascii")
        for character in text
    )
