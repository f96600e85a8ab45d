"""Looks at a program while a model writes it: can the text so far still become Python, and its paths real ones?

    check = LineCheck(("<code>", "</code>"))
    match check.add(token, piece):              # once for each token, with the text that it completes
        case str(text): ...                     # what may be shown now
        case Dead(drop, banned): ...            # take the last `drop` tokens back; the next one is none of `banned`
    match check.end(token, piece): ...          # the end token, the same
    check.rest()                                # what is held back, where a reply is cut

Pure: it knows no model and no cache, so one decoder and a batch of them use it alike. After Dead it has taken the
tokens back itself, and goes on with what is written in their place. Lines are judged at their end, paths (names.py)
after each token. Only syntax and paths are dead: what the sandbox refuses comes back as a program's output, from which
the model may learn.
"""

import ast
import codeop
from bisect import bisect_right
from dataclasses import dataclass

from punie_cli.engine.calls import Calls, Found
from punie_cli.engine.names import Known, Names
from punie_cli.quiet import quiet

# An error at the end of the text is "incomplete input" under this flag of CPython; its stubs leave it out.
_INCOMPLETE: int = vars(codeop)["PyCF_ALLOW_INCOMPLETE_INPUT"]
# Of one line, and of one reply.
TRIES = 3
REPLY_TRIES = 6
# The same for paths: other tokens at one place, and in one reply.
PATH_TRIES = 8
REPLY_PATH_TRIES = 24
# Each line parses the whole program: a very long one is let go.
_MAX_CHARS = 50_000

# What compile says of code that its parser takes, and that no later line mends. Others can be mended (a nonlocal
# whose variable comes below), or are no fault in the sandbox, which drops annotations.
_OUTSIDE = ("'return' outside", "'yield' outside", "'yield from' outside", "'break' outside", "'continue' not properly")

# Said at the end of a text that may go on; Python 3.12 has a word of its own for an f-string in triple quotes.
_OPEN = ("incomplete input", "unterminated triple-quoted")


@dataclass(frozen=True)
class Dead:
    """No further text can make this a program. `drop`: how many of the last tokens to take back, this one included.

    `banned` are the tokens that led astray from where the text then ends.
    """

    drop: int
    banned: frozenset[int]


class LineCheck:
    """One reply. `tags` open and close a program, each alone on its line; None for no check. `names`: for its paths.

    Inside a program text comes out in whole lines, and never a line that is taken back later. A line is tried
    anew at most 3 times: twice from the token that spoilt it, then from its beginning; earlier from there where
    the token is the line end, or the whole line is wrong in its place (`return` outside of a function).

    After a token from which no known path can come only that one is tried anew, with at most 8 others. If none of
    them will do either, the call is tried anew without a path where that means the whole project; else the first
    one stands.
    """

    def __init__(self, tags: tuple[str, str] | None, names: Names | None = None) -> None:
        self._tags = tags
        self._names = names
        self._known: Known | None = None
        # Where the program stands after each token; None where it does not stand in a program.
        self._calls: list[Calls | None] = []
        self._path_banned: dict[int, set[int]] = {}
        self._path_tries = 0
        self._let_go: set[int] = set()
        # Brackets of calls that are to be written without a path.
        self._bare: set[int] = set()
        self._text = ""
        self._tokens: list[int] = []
        # Characters of the text up to and with each token.
        self._ends: list[int] = []
        self._out = 0
        self._line = 0
        self._program: int | None = None
        self._watching = tags is not None
        self._banned: dict[int, set[int]] = {}
        self._tries: dict[int, int] = {}
        self.dropped = 0
        """Tokens that were taken back so far."""

    def add(self, token: int, piece: str) -> str | Dead:
        """The next token; `piece` is empty where it completes no character."""
        if not self._watching:
            return piece
        self._take(token, piece)
        if (verdict := self._look()) is not None:
            return verdict
        while (newline := self._text.find("\n", self._line)) >= 0:
            if self._program is not None:
                verdict = self._judge(self._text[self._line : newline])
                if verdict is not None:
                    return verdict
                if not self._watching:
                    break
            elif self._text[self._line : newline].strip() == self._tags_of(0):
                self._program = newline + 1
            self._line = newline + 1
        return self._look() or self._emit()

    def end(self, token: int, piece: str) -> str | Dead:
        """The token that ends the reply, with the last text: a program that ends here must be whole."""
        if not self._watching:
            return piece
        self._take(token, piece)
        if self._program is not None:
            verdict = self._judge(self._text[self._line :], last=True)
            if verdict is not None:
                return verdict
        return self.rest()

    def rest(self, piece: str = "") -> str:
        """What is held back, with `piece` behind it."""
        text, self._out = self._text[self._out :] + piece, len(self._text)
        self._watching = False
        return text

    def _take(self, token: int, piece: str) -> None:
        self._text += piece
        self._tokens.append(token)
        self._ends.append(len(self._text))
        self._calls.append(self._calls[-1] if self._calls else None)

    def _look(self) -> Dead | None:
        """Judge the paths that the last token goes on with or closes."""
        if self._names is None or self._program is None or not self._watching:
            return None
        before = self._calls[-1]
        if before is not None and before.at == len(self._text):
            return None
        if self._known is None:
            self._known = Known(self._names)
        calls = Calls(self._known.arguments, self._names.readers, self._program) if before is None else before.copy()
        self._calls[-1] = calls
        for found in calls.read(self._text[calls.at :]):
            if self._is_known(found):
                continue
            if (dead := self._drop_path(found)) is not None:
                return dead
            if found.end is None:
                calls.let_go()
        return None

    def _is_known(self, found: Found) -> bool:
        assert self._known is not None
        if found.opened in self._bare and found.text not in ("", "."):
            return False
        judge = self._known.can_become if found.end is None else self._known.fits
        return judge(found.argument, found.text, found.seen)

    def _drop_path(self, found: Found) -> Dead | None:
        """Take the token back that led astray; None where enough others were tried, or it was shown."""
        end = len(self._text) - 1 if found.end is None else found.end
        bare = found.opened in self._bare
        cut = self._token_at(found.opened + 1 if bare else end)
        banned = self._path_banned.setdefault(cut, set())
        if cut in self._let_go or self._start(cut) < self._out:
            return None
        if len(banned) < PATH_TRIES and self._path_tries < REPLY_PATH_TRIES:
            banned.add(self._tokens[cut])
            self._path_tries += 1
        elif found.argument.optional and not bare:
            self._bare.add(found.opened)
            return self._drop_path(found)
        elif banned:
            # None was better: the first choice comes again, and stays.
            banned.clear()
            self._let_go.add(cut)
        else:
            return None
        return self._take_back(cut)

    def _tags_of(self, side: int) -> str:
        return self._tags[side] if self._tags else ""

    def _emit(self) -> str:
        """What can be shown: outside a program all, inside it the finished lines less the last line end.

        The line end may share its token with the next line's indentation, and is taken back with it.
        """
        if not self._watching:
            return self.rest()
        safe = len(self._text) if self._program is None else self._line - 1
        text, self._out = self._text[self._out : safe], max(self._out, safe)
        return text

    def _judge(self, line: str, *, last: bool = False) -> Dead | None:
        """None for a line that may stay."""
        assert self._program is not None
        closing = line.strip() == self._tags_of(1)
        if closing or last:
            source = self._text[self._program : self._line] + ("" if closing else line)
            alive, whole = is_whole(source), True
            self._watching = not alive
        else:
            source = self._text[self._program : self._line] + line + "\n"
            alive = not line.strip() or can_go_on(source)
            whole = not alive and not _by_parser(source, _INCOMPLETE)
            self._watching = len(source) <= _MAX_CHARS
        return None if alive else self._drop(whole)

    def _drop(self, whole_line: bool) -> Dead | None:
        """Take tokens of the last line back; None where it was tried often enough: then it stays as it is."""
        number = self._text.count("\n", 0, self._line)
        tries = self._tries[number] = self._tries.get(number, 0) + 1
        first = self._first_token()
        cut = first
        if not whole_line and tries < TRIES and first is not None:
            cut = self._astray(first)
            # Only the line's end is wrong, as in a string that was not closed: what was put in its place was no better.
            if tries > 1 and cut == len(self._tokens) - 1:
                cut = first
        if cut is None or tries > TRIES or sum(self._tries.values()) > REPLY_TRIES:
            self._watching = False
            return None
        self._banned.setdefault(cut, set()).add(self._tokens[cut])
        return self._take_back(cut)

    def _take_back(self, cut: int) -> Dead:
        """Take the tokens from `cut` on back."""
        for banned in (self._banned, self._path_banned):
            for place in [place for place in banned if place > cut]:
                del banned[place]
        self._let_go = {place for place in self._let_go if place <= cut}
        self._bare = {place for place in self._bare if place <= self._ends[cut]}
        drop = len(self._tokens) - cut
        del self._tokens[cut:], self._ends[cut:], self._calls[cut:]
        self._text = self._text[: self._ends[-1] if self._ends else 0]
        self._line = self._text.rfind("\n") + 1
        if self._program is not None and len(self._text) < self._program:
            # The line end of the opening tag went with the indentation.
            self._program = None
        self.dropped += drop
        self._watching = True
        return Dead(drop, frozenset(self._banned.get(cut, set()) | self._path_banned.get(cut, set())))

    def _first_token(self) -> int | None:
        """The first token of the last line, with those that hold a part of its first character.

        A token that holds the line end before it belongs to the line, too, unless a part of it was shown.
        """
        first = self._token_at(self._line)
        if self._start(first) < self._out:
            first += 1
        return first if first < len(self._tokens) else None

    def _token_at(self, offset: int) -> int:
        """The token with the character at `offset`, or the first of those that share it; the last one behind all."""
        token = bisect_right(self._ends, offset, hi=len(self._ends) - 1)
        while token and self._start(token) == self._start(token - 1):
            token -= 1
        return token

    def _start(self, token: int) -> int:
        return self._ends[token - 1] if token else 0

    def _astray(self, first: int) -> int:
        """The token of the last line from which on nothing helps; `first` where that is the line's first word."""
        assert self._program is not None
        token = len(self._tokens)
        while (token := token - 1) > first:
            before = self._text[self._program : self._start(token)]
            if can_go_on(before, within=True):
                if not self._text[self._line : self._start(token)].strip():
                    return first
                while self._start(token) == self._start(token - 1):
                    token -= 1
                return token
        return first


def can_go_on(source: str, *, within: bool = False) -> bool:
    """Whether lines after `source` can make it Python. `within`: it stops inside a line, which may go on, too.

    True where it is not known. Relies on this: if Python's parser fails before it has reached the end of the
    text, then what follows plays no part.
    """
    if within:
        # The backslash lets the line go on for the tokenizer, too, inside a string as well.
        source += "\n" if _ends_in_backslash(source) else "\\\n"
    problem = _problem(source, _INCOMPLETE)
    return problem is None or problem.startswith(_OPEN)


def is_whole(source: str) -> bool:
    """Whether `source` is Python as it is."""
    return _problem(source, 0) is None


def _ends_in_backslash(source: str) -> bool:
    return (len(source) - len(source.rstrip("\\"))) % 2 == 1


def _problem(source: str, flags: int) -> str | None:
    """What is wrong with the syntax; None for nothing, or where Python cannot tell."""
    try:
        with quiet():
            compile(source, "<lines>", "exec", flags, dont_inherit=True)
    except SyntaxError as problem:
        message = problem.msg or ""
        # Of the compiler's complaints only some count.
        return message if _by_parser(source, flags) or message.startswith(_OUTSIDE) else None
    except (ValueError, OverflowError, MemoryError, RecursionError):
        pass
    return None


def _by_parser(source: str, flags: int) -> bool:
    try:
        with quiet():
            compile(source, "<lines>", "exec", flags | ast.PyCF_ONLY_AST, dont_inherit=True)
    except SyntaxError:
        return True
    return False
