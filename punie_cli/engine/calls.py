"""Finds the paths that a program gives to builtins while it is written, character by character.

    calls = Calls(arguments, readers)
    for found in calls.read(piece): ...

Not a parser: inside of an f-string it sees nothing, and of code that is no Python it sees what it can. A copy is a
state to come back to.
"""

from collections.abc import Mapping
from typing import NamedTuple

from punie_cli.engine.names import Argument

_LONGEST = 200


class Found(NamedTuple):
    """A string that stands for a path. `end`: where its closing quote is, None while it is open."""

    argument: Argument
    text: str
    end: int | None
    seen: frozenset[str]
    """The plain strings of the program before it, but for paths that were to be there already."""
    opened: int
    """Where the bracket of its call, or of its list, is."""


class _Bracket(NamedTuple):
    """An open bracket, and where in it the text is. `call`: the name before it; `listed`: it is this argument."""

    opener: str = ""
    call: str = ""
    index: int = 0
    keyword: str = ""
    listed: Argument | None = None
    command: str = ""
    at: int = 0


class Calls:
    """`arguments` by builtin and by index or keyword; `at` is the offset of the next character."""

    def __init__(
        self, arguments: Mapping[tuple[str, int | str], Argument], readers: frozenset[str] = frozenset(), at: int = 0
    ) -> None:
        self.at = at
        self._arguments = arguments
        self._readers = readers
        self._seen: frozenset[str] = frozenset()
        self._open: tuple[_Bracket, ...] = ()
        self._inside = _Bracket()
        # Nothing of this argument is written yet; it is one name so far.
        self._fresh = self._lone = False
        self._word = self._before = self._mark = ""
        self._touching = False
        # The delimiter of an open string, or #. Its text, unless it is not plain; what it is a path of.
        self._quote = ""
        self._opened = self._quotes = 0
        self._escaped = False
        self._text: str | None = None
        self._argument: Argument | None = None
        # A string that was closed: what comes next says whether it was the whole argument.
        self._closed: tuple[Argument | None, str, int] | None = None
        self._empty = ""

    def copy(self) -> "Calls":
        """The same place, to go on from."""
        other = object.__new__(Calls)
        other.__dict__.update(self.__dict__)
        return other

    def let_go(self) -> None:
        """Say nothing more of the string that is open."""
        self._argument = self._text = None

    def read(self, text: str) -> list[Found]:
        """The paths that `text` closes or goes on with."""
        found: list[Found] = []
        for character in text:
            if self._quote:
                self._in_string(character)
            else:
                self._in_code(character, found)
            self.at += 1
        if self._quote and self._argument is not None and self._text is not None:
            found.append(Found(self._argument, self._text, None, self._seen, self._inside.at))
        return found

    def _in_string(self, character: str) -> None:
        quote = self._quote
        if quote == "#":
            if character == "\n":
                self._quote = ""
        elif self._escaped:
            self._escaped = False
            if self._text is not None:
                self._text += character
        elif character == "\\":
            self._escaped = True
            # No path has one: left out, it would be a way around.
            self._text = None if self._argument is None or self._text is None else self._text + character
        elif character == quote[0]:
            self._quotes += 1
            if self._quotes == len(quote):
                self._close()
        elif character == "\n" and len(quote) == 1:
            self._quote, self._text, self._argument = "", None, None
        else:
            self._quotes = 0
            if self._text is not None:
                self._text += character

    def _close(self) -> None:
        if len(self._quote) == 1 and self.at == self._opened + 1:
            self._empty = self._quote
        if self._text is not None:
            self._closed = (self._argument, self._text, self.at)
            if self._inside.listed is not None and self._inside.index == 0:
                self._inside = self._inside._replace(command=self._text)
        self._quote, self._text, self._argument = "", None, None

    def _in_code(self, character: str, found: list[Found]) -> None:
        empty, self._empty = self._empty, ""
        if empty and character == empty:
            self._quote, self._quotes, self._closed = empty * 3, 0, None
            return
        if character.isspace() or character == "\\":
            self._touching = False
            if character == "\n" and not self._open:
                self._word = self._mark = ""
            return
        if self._closed is not None:
            self._settle(character, found)
        if character.isalnum() or character == "_":
            self._in_word(character)
        elif character in "\"'":
            prefixed = self._touching
            self._quote, self._opened, self._quotes, self._escaped = character, self.at, 0, False
            self._text = None if prefixed else ""
            self._argument = self._here() if self._fresh and not prefixed else None
            if self._argument is not None and self._argument.kind == "command" and self._inside.opener != "[":
                self._argument = None
            self._after("")
        elif character == "#":
            self._quote = "#"
        elif character in "([{":
            self._enter(character)
        elif character in ")]}":
            self._inside, self._open = (self._open[-1], self._open[:-1]) if self._open else (_Bracket(), ())
            self._after(character)
        elif character == ",":
            self._inside = self._inside._replace(index=self._inside.index + 1, keyword="")
            self._after(character)
            self._fresh = True
        elif character == "=" and self._lone and self._inside.call:
            self._inside = self._inside._replace(keyword=self._word)
            self._after(character)
            self._fresh = True
        else:
            if character == "=" and self._inside.keyword and self._fresh:
                self._inside = self._inside._replace(keyword="")
            self._after(character)

    def _in_word(self, character: str) -> None:
        if self._touching:
            self._word += character
            return
        self._before, self._word, self._touching = self._word or self._mark, character, True
        self._lone, self._fresh = self._fresh, False

    def _after(self, character: str) -> None:
        self._mark, self._word, self._touching = character, "", False
        self._fresh = self._lone = False

    def _enter(self, character: str) -> None:
        called = character == "(" and self._touching and self._before not in (".", "def")
        listed = self._here() if character == "[" and self._fresh else None
        if listed is not None and listed.kind != "command":
            listed = None
        self._open += (self._inside,)
        self._inside = _Bracket(character, self._word if called else "", listed=listed, at=self.at)
        self._after(character)
        self._fresh = True

    def _settle(self, character: str, found: list[Found]) -> None:
        """A string that was closed, now that it is known what follows: the end of the argument, or more of it."""
        assert self._closed is not None
        argument, text, end = self._closed
        self._closed = None
        if argument is not None and character in ",)]":
            found.append(Found(argument, text, end, self._seen, self._inside.at))
        # A path that is read is known already, or was let go.
        if text and len(text) <= _LONGEST and (argument is None or argument.kind == "new"):
            self._seen |= {text}

    def _here(self) -> Argument | None:
        """The argument of which the text at this place is a path, or a list with paths."""
        inside = self._inside
        if inside.opener == "[":
            return inside.listed if inside.index and inside.command in self._readers else None
        return self._arguments.get((inside.call, inside.keyword or inside.index)) if inside.call else None
