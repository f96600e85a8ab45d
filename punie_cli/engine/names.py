"""Which paths a program may name: those of the project, those of the conversation.

    known = Known(names)
    known.can_become(argument, "src/ap")      # while the string is open
    known.fits(argument, "src/app.py")        # when it is closed

Pure: `Names` is plain data that comes with a prompt.
"""

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Literal

_SEPARATORS = re.compile(r"""[\s"`()\[\]{}<>,;|=]+|(?<!\w)'|'(?!\w)""")
# Of a text that is filled in: "src/{}".format(name), "src/%s" % name.
_PATTERN = re.compile(r"[{%]")
_SUFFIX = re.compile(r"\w{0,8}")
# README, test_tally, python3: of other words, a small model makes names that nobody meant.
_LIKE_A_NAME = re.compile(r"[A-Z]{2}|[a-z][A-Z]|_|\d")

# Words that people use about any project: a path only where the project has it.
_TALK = frozenset({
    "all", "any", "anything", "code", "codebase", "column", "columns", "complete", "each", "entire", "error",
    "errors", "every", "everything", "file", "files", "finding", "findings", "folder", "folders", "function", "here",
    "it", "line", "lines", "name", "now", "path", "paths", "problem", "problems", "project", "python", "repo",
    "repository", "that", "them", "these", "thing", "things", "this", "total", "type", "whole",
})  # fmt: skip


@dataclass(frozen=True)
class Argument:
    """A parameter of a builtin that takes a path. `index` is its place among the positional ones.

    `test` may go on with `::name`; `new` need not exist; `command` is a list of words, of which those behind a
    command that reads are paths.
    """

    builtin: str
    parameter: str
    index: int
    kind: Literal["path", "test", "new", "command"] = "path"


@dataclass(frozen=True)
class Names:
    """What a program may name. Paths are relative to the project, with `/`; below `unlisted` anything may be."""

    files: frozenset[str] = frozenset()
    folders: frozenset[str] = frozenset()
    unlisted: frozenset[str] = frozenset()
    words: frozenset[str] = frozenset()
    """Whole words of the conversation."""
    arguments: tuple[Argument, ...] = ()
    readers: frozenset[str] = frozenset()
    """Commands whose words are options and paths."""


def words_of(texts: Iterable[str]) -> frozenset[str]:
    """The words of `texts` that may be meant as paths: without quotes, brackets and punctuation around them.

    `src/a.py:12:` is also `src/a.py`. A part of a path is no word.
    """
    found: set[str] = set()
    for text in texts:
        for word in _SEPARATORS.split(text):
            plain = word.rstrip(".:!?").removesuffix("'s")
            for form in (plain, word.partition(":")[0].rstrip("!?"), plain.rstrip("/"), plain.removeprefix("./")):
                found.add(form)
    found.discard("")
    return frozenset(found)


class Known:
    """Answers for one reply. `seen`, where it is given, are more names: strings that the program already has."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self.arguments = {(a.builtin, key): a for a in names.arguments for key in (a.index, a.parameter)}
        self._folders = names.folders | names.unlisted
        paths = names.files | names.folders
        places = Counter(path.rpartition("/")[2] for path in paths)
        # A bare name that is in one folder, and not at the top, is short for that path, which is to be written.
        self._heard = frozenset(
            word
            for word in names.words
            if word.rstrip("/") in paths or (places[word.rstrip("/")] != 1 and word.lower() not in _TALK)
        )
        self._words = sorted(self._heard)
        self._stems = sorted(word for word in self._heard if _LIKE_A_NAME.search(word))
        self._paths = sorted({*names.files, *(f"{folder}/" for folder in self._folders), *self._heard})
        self._last = sorted(places)

    def can_become(self, argument: Argument, text: str, seen: Collection[str] = ()) -> bool:
        """Whether more text can make it a path that fits."""
        if argument.kind == "new":
            return not text[:1].isspace()
        if not text or self._free(argument, text):
            return True
        path = _relative(text)
        if path in ("", ".") or _begins(self._paths, path) or _begins(self._words, text):
            return True
        if any(name.startswith(path) for name in seen):
            return True
        if self._names_test(argument, path) or self._has_stem(path, closed=False):
            return True
        # A slash too many: `src//`, or behind a word.
        return text.endswith("/") and self.fits(argument, text, seen)

    def fits(self, argument: Argument, text: str, seen: Collection[str] = ()) -> bool:
        """Whether it is a path as it is."""
        if argument.kind == "new":
            return text.strip() == text
        if self._free(argument, text):
            return True
        path = _relative(text)
        plain = path.rstrip("/")
        if not plain:
            return text in (".", "./")
        if plain == "." or plain in self._folders or path in self._names.files:
            return True
        if text in self._heard or plain in self._heard or plain in seen:
            return True
        if any(name.startswith(f"{plain}/") for name in seen):
            return True
        return self._names_test(argument, path) or self._has_stem(path, closed=True)

    def _free(self, argument: Argument, text: str) -> bool:
        """What is not judged here: the workspace or the command answers for it."""
        if text.startswith(("..", "~", "/")) or "/../" in text or _PATTERN.search(text):
            return True
        if argument.kind == "command" and (text[0:1] == "-" or text.removeprefix("+").isdigit() or text == "+"):
            return True
        path = _relative(text)
        return any(path[:at] in self._names.unlisted for at, c in enumerate(path) if c == "/")

    def _names_test(self, argument: Argument, path: str) -> bool:
        file, colon, rest = path.partition(":")
        if argument.kind != "test" or not colon or not f":{rest}".startswith("::"[: len(rest) + 1]):
            return False
        return file in self._names.files or file in self._heard

    def _has_stem(self, path: str, *, closed: bool) -> bool:
        """`README.md` where README is a word that looks like a name, unless the project has it in another folder."""
        folder, _, name = path.rpartition("/")
        if folder and folder not in self._folders:
            return False
        stem, dot, suffix = name.rpartition(".")
        if not dot:
            return not closed and _begins(self._stems, name)
        if not _holds(self._stems, stem) or not _SUFFIX.fullmatch(suffix):
            return False
        return bool(suffix) and not _holds(self._last, name) if closed else not _begins(self._last, name)


def _relative(text: str) -> str:
    while text.startswith("./"):
        text = text[2:]
    return text


def _begins(ordered: list[str], start: str) -> bool:
    """Whether one of them begins with `start`."""
    at = bisect_left(ordered, start)
    return at < len(ordered) and ordered[at].startswith(start)


def _holds(ordered: list[str], name: str) -> bool:
    at = bisect_left(ordered, name)
    return at < len(ordered) and ordered[at] == name
