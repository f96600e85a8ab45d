"""What a turn did, and whether another one did the same: calls, files and answer, each on its own. Pure functions."""

import json
import posixpath
import re
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from punie_cli.evaluation.score import Part, Record
from punie_cli.evaluation.scratch import CACHES
from punie_cli.evaluation.words import NUMBER_WORDS, none_found, not_done
from punie_cli.rows.row import normalise

_PATH = re.compile(r"(?<![\w/.])(?:\.{0,2}/)?[\w@-]+(?:[./][\w@-]+)+/?|(?<![\w/.])[\w@-]+/(?!\w)")
_QUOTED = re.compile(r"`([^`\n]+)`|\"([^\"\n]+)\"|(?<!\w)'([^'\n]+)'(?!\w)")
_IDENTIFIER = re.compile(r"\b(?:[A-Za-z]+_\w+|[A-Z][a-z0-9]+(?:[A-Z][a-z0-9]+)+)\b")
_NUMBER = re.compile(r"(?<![\w.])-?\d+(?![\w.]*\w)")


@dataclass(frozen=True)
class Effects:
    """What happened: calls as (builtin, arguments), whether any of them worked, the files, one answer a question."""

    calls: tuple[tuple[str, str], ...]
    worked: bool
    files: Mapping[str, str]
    answers: tuple[str, ...]


def effects(
    records: Sequence[Record], files: Mapping[str, str], signatures: Mapping[str, Mapping[str, Any]]
) -> Effects:
    """The effects in the records of a conversation; `signatures` has the default of each builtin's parameters.

    Calls are those that worked; if none did, those that were tried.
    """
    called = [record for record in records if record["type"] == "call"]
    worked = [record for record in called if record["ok"]]
    calls = tuple(_call(record, signatures.get(record["builtin"], {})) for record in worked or called)
    answers = tuple(r["text"] for r in records if r["type"] == "answer" and r["finish"] == "stop")
    kept = {path: text for path, text in files.items() if not CACHES.intersection(path.split("/"))}
    return Effects(calls, bool(worked), kept, answers)


def _call(record: Record, defaults: Mapping[str, Any]) -> tuple[str, str]:
    args = dict(defaults) | record["args"]
    if isinstance(args.get("path"), str):
        args["path"] = posixpath.normpath(args["path"])
    if isinstance(args.get("command"), str):
        try:
            args["command"] = shlex.split(args["command"])
        except ValueError:
            args["command"] = args["command"].split()
    # How long a command may take, and a text that the files show anyway, are no part of what was asked.
    args = {key: value for key, value in args.items() if key not in ("timeout_s", "text")}
    return record["builtin"], json.dumps(args, sort_keys=True, ensure_ascii=False)


def same_calls(done: Effects, own: Effects) -> Part:
    """Was everything called that should be, as often at least, and nothing else?"""
    if not own.calls:
        return Part(not done.calls, f"called {_text(done.calls[0])}; none is needed" if done.calls else "")
    missing = Counter(own.calls) - Counter(done.calls)
    if missing:
        return Part(False, f"no call {_text(next(iter(missing)))}{' worked' if own.worked else ''}")
    if own.worked != done.worked:
        return Part(False, f"{_text(done.calls[0])} worked")
    other = [call for call in done.calls if call not in own.calls]
    return Part(not other, f"also called {_text(other[0])}" if other else "")


def _text(call: tuple[str, str]) -> str:
    values = json.loads(call[1]).values()
    shown = [shlex.join(map(str, value)) if isinstance(value, list) else str(value) for value in values]
    return f"{call[0]}({', '.join(shown)})"


def same_files(done: Effects, own: Effects) -> Part:
    """Are all files alike, a final line end aside?"""
    for path in sorted(done.files.keys() | own.files.keys()):
        ours, theirs = done.files.get(path), own.files.get(path)
        if ours is None or theirs is None:
            return Part(False, f"{path} is {'missing' if ours is None else 'new'}")
        if ours.removesuffix("\n") != theirs.removesuffix("\n"):
            return Part(False, f"{path} has other content")
    return Part(True)


def same_answers(done: Effects, own: Effects) -> Part:
    """Does each question have an answer that says the same?"""
    if len(done.answers) < len(own.answers):
        return Part(False, "no answer")
    for ours, theirs in zip(done.answers, own.answers, strict=False):
        if not same_answer(ours, theirs):
            return Part(False, f"answered {ours[:80]!r}, not {theirs[:80]!r}")
    return Part(True)


def same_answer(one: str, other: str) -> bool:
    """The same words, or the same numbers, paths and names, and both or neither say that something was not done.

    Two answers that name nothing are the same only word by word; a yes is never a no.
    """
    if normalise(one) == normalise(other):
        return True
    facts = named(one)
    if not facts or facts != named(other) or {_leaning(one), _leaning(other)} == {"yes", "no"}:
        return False
    return not_done(one) == not_done(other)


def named(text: str) -> frozenset[str]:
    """Numbers (also in words; `no errors` is 0), paths, quoted texts and identifiers of an answer."""
    text = text.replace("’", "'")
    found = {next(filter(None, groups)) for groups in _QUOTED.findall(text)}
    rest = _QUOTED.sub(" ", text)
    found |= set(_PATH.findall(rest))
    rest = _PATH.sub(" ", rest)
    found |= set(_IDENTIFIER.findall(rest)) | set(_NUMBER.findall(rest))
    lower = rest.casefold()
    if none_found(lower):
        found.add("0")
    found |= {str(NUMBER_WORDS.index(word)) for word in re.findall(r"[a-z]+", lower) if word in NUMBER_WORDS}
    return frozenset(_plain(name) for name in found)


def _leaning(text: str) -> str:
    word = re.match(r"\W*(\w+)", text)
    return word[1].casefold() if word and word[1].casefold() in ("yes", "no") else ""


def _plain(name: str) -> str:
    return posixpath.normpath(name) if "/" in name and " " not in name else name
