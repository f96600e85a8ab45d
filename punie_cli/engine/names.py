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
from functools import cached_property
from typing import Literal

_SEPARATORS = re.compile(r"""([\s"`()\[\]{}<>,;|=]+|(?<!\w)'|'(?!\w))""")
_MARKS = ".:!?"
_PART = re.compile(r"[^\W\d_]{2,}")
# Of a text that is filled in: "src/{}".format(name), "src/%s" % name.
_PATTERN = re.compile(r"[{%]")
_ENDING = re.compile(r"(?<=[^/])\.\w+$")
_SUFFIX = re.compile(r"\w{0,8}")
# README, test_tally, python3: of other words, a small model makes names that nobody meant.
_LIKE_A_NAME = re.compile(r"[A-Z]{2}|[a-z][A-Z]|_|\d")

# Words that people use about any project: a path only where the project has it.
_TALK = frozenset({
    "a", "all", "an", "and", "any", "anything", "are", "can", "code", "codebase", "column", "columns", "complete",
    "could", "do", "does", "each", "entire", "error", "errors", "every", "everything", "file", "files", "finding",
    "findings", "folder", "folders", "function", "here", "how", "i", "is", "it", "line", "lines", "me", "name",
    "now", "path", "paths", "problem", "problems", "project", "python", "repo", "repository", "that", "them",
    "these", "thing", "things", "this", "total", "type", "what", "which", "who", "whole", "you",
})  # fmt: skip

# A plain word is meant as a path where one is asked for; elsewhere it is a word ("test robin", but "my robin").
_BEFORE = frozenset({
    "at", "below", "beneath", "cat", "check", "directory", "file", "folder", "for", "from", "in", "inside", "into",
    "lint", "ls", "module", "of", "on", "open", "over", "package", "pytest", "read", "ruff", "run", "show", "test",
    "tests", "through", "to", "ty", "typecheck", "under", "within",
})  # fmt: skip
_AFTER = frozenset({"directory", "file", "folder", "module", "package", "script"})
_ARTICLES = frozenset({"my", "our", "the", "your"})


@dataclass(frozen=True)
class Argument:
    """A parameter of a builtin that takes a path. `index` is its place among the positional ones.

    `test` may go on with `::name`; `new` need not exist; `command` is a list of words, of which those behind a
    command that reads are paths. `optional`: left out, it means the whole project.
    """

    builtin: str
    parameter: str
    index: int
    kind: Literal["path", "test", "new", "command"] = "path"
    optional: bool = False


@dataclass(frozen=True)
class Names:
    """What a program may name. Paths are relative to the project, with `/`; below `unlisted` anything may be."""

    files: frozenset[str] = frozenset()
    folders: frozenset[str] = frozenset()
    unlisted: frozenset[str] = frozenset()
    words: frozenset[str] = frozenset()
    """Whole words of the conversation that may be paths."""
    arguments: tuple[Argument, ...] = ()
    readers: frozenset[str] = frozenset()
    """Commands whose words are options and paths."""
    parts: frozenset[str] | None = None
    """The words of the conversation in parts, as `parts_of` gives them. A path of the project that shares none of
    them was not asked about: where it can be left out it is not to be given. None for no such rule."""


def words_of(texts: Iterable[str]) -> frozenset[str]:
    """The words of `texts` that may be meant as paths: without quotes, brackets and punctuation around them.

    `src/a.py:12:` is also `src/a.py`. A part of a path is no word. One of letters alone counts at the beginning, in
    quotes, and where its neighbours say that it is a place.
    """
    found: set[str] = set()
    for text in texts:
        pieces = _SEPARATORS.split(text)
        words = [(word, mark[-1:]) for mark, word in zip(["", *pieces[1::2]], pieces[::2], strict=True) if word]
        bare = [word.lower() for word, _ in words]
        for number, (word, mark) in enumerate(words):
            plain = word.rstrip(_MARKS).removesuffix("'s")
            if mark not in ('"', "`", "'") and plain.isalpha() and not _LIKE_A_NAME.search(plain):
                before = [other for other in bare[max(number - 2, 0) : number] if other not in _ARTICLES][-1:]
                after = [other.rstrip(_MARKS) for other in bare[number + 1 : number + 2]]
                if number and not _BEFORE.intersection(before) and not _AFTER.intersection(after):
                    continue
            for form in (plain, word.partition(":")[0].rstrip("!?"), plain.rstrip("/"), plain.removeprefix("./")):
                found.add(form)
    found.discard("")
    return frozenset(found)


def parts_of(texts: Iterable[str]) -> frozenset[str]:
    """The words of `texts` and the parts of their names, in small letters and without a plural s."""
    return frozenset(part.rstrip("s") for text in texts for part in _PART.findall(text.lower()))


class _Paths:
    """Paths of the project with the words that may be paths; `ordered` are all of them, folders with a slash."""

    def __init__(self, files: frozenset[str], folders: frozenset[str], heard: frozenset[str]) -> None:
        self.files, self.folders = files, folders
        self.ordered = sorted({*files, *(f"{folder}/" for folder in folders), *heard})


class Known:
    """Answers for one reply. `seen`, where it is given, are more names: strings that the program already has."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self.arguments = {(a.builtin, key): a for a in names.arguments for key in (a.index, a.parameter)}
        paths = names.files | names.folders
        places = Counter(path.rpartition("/")[2] for path in paths)
        # A bare name that is in one folder, and not at the top, is short for that path, which is to be written.
        self._heard = frozenset(
            word
            for word in names.words
            if word.rstrip("/") in paths or (places[word.rstrip("/")] != 1 and word.lower() not in _TALK | _ARTICLES)
        )
        self._words = sorted(self._heard)
        self._stems = sorted(word for word in self._heard if _LIKE_A_NAME.search(word))
        self._last = sorted(places)
        self._all = _Paths(names.files, names.folders | names.unlisted, self._heard)

    @cached_property
    def _asked(self) -> "_Paths":
        """Without the paths that share no word with the conversation."""
        names, parts = self._names, self._names.parts
        if parts is None:
            return self._all
        asked = {path for path in names.files | names.folders if parts & parts_of([_ENDING.sub("", path)])}
        return _Paths(names.files & asked, names.folders & asked | names.unlisted, self._heard)

    def can_become(self, argument: Argument, text: str, seen: Collection[str] = ()) -> bool:
        """Whether more text can make it a path that fits."""
        if argument.kind == "new":
            return not text[:1].isspace()
        if not text or self._free(argument, text):
            return True
        path = _relative(text)
        if path in ("", ".") or _begins(self._of(argument).ordered, path) or _begins(self._words, text):
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
        real = self._of(argument)
        if plain == "." or plain in real.folders or path in real.files:
            return True
        if text in self._heard or plain in self._heard or plain in seen:
            return True
        if any(name.startswith(f"{plain}/") for name in seen):
            return True
        return self._names_test(argument, path) or self._has_stem(path, closed=True)

    def _of(self, argument: Argument) -> "_Paths":
        return self._asked if argument.optional else self._all

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
        if folder and folder not in self._all.folders:
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
