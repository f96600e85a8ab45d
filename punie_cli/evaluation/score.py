"""Scores of one case, from its effects: what was called, what the files are afterwards, what the answer says.

Pure functions over the records of the turns (`punie_cli.agent.events.record`) and two snapshots of the files.
"""

import fnmatch
import math
import posixpath
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from punie_cli.evaluation.fields import fields_read
from punie_cli.evaluation.scratch import CACHES
from punie_cli.evaluation.suites import CallPattern, Expect
from punie_cli.evaluation.words import not_done, says, states

Record = dict[str, Any]

# What makes ty or ruff say nothing: comments, a decorator under any name, code that ty takes for unreachable.
_SILENCE = re.compile(
    r"#\s*(?:type:\s*ignore|ty:\s*ignore|(?:(?:ruff|flake8):\s*)?noqa|ruff:\s*(?:file-)?(?:ignore|disable))"
    r"|\bno_type_check\b|\bnot\s+(?:\w+\.)?TYPE_CHECKING\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Part:
    """One part of a score; `reason` says what was missing, and is empty if nothing was."""

    ok: bool
    reason: str = ""


@dataclass(frozen=True)
class Score:
    """A case's score: each part on its own, and the whole.

    `fields` says whether the result fields that were asked for were read, which is a part of `calls` as well; None
    where none were.
    """

    calls: Part
    files: Part
    answer: Part
    fields: bool | None = None

    @property
    def passed(self) -> bool:
        return self.calls.ok and self.files.ok and self.answer.ok

    @property
    def reason(self) -> str:
        """What was missing, in one line; empty for a case that passed."""
        parts = (self.calls, self.files, self.answer)
        return "; ".join(part.reason for part in parts if part.reason)


def score(
    expect: Expect,
    records: Sequence[Record],
    before: Mapping[str, str],
    after: Mapping[str, str],
    checked: Sequence[str] = (),
) -> Score:
    """Score a case. `before` and `after` hold the text of every file by relative path.

    `checked` is what the tools had against the files afterwards (`punie_cli.evaluation.checked`).
    """
    files = score_files(expect, before, after)
    if files.ok and checked:
        files = Part(False, "; ".join(checked))
    return Score(
        score_calls(expect, records),
        files,
        score_answer(expect, records),
        not _unread(expect, records) if expect.fields else None,
    )


def score_calls(expect: Expect, records: Iterable[Record]) -> Part:
    """Were the expected calls made, and did they work? Other calls do not matter, unless the case says so."""
    records = list(records)
    calls = [record for record in records if record["type"] == "call"]
    if expect.no_calls:
        used = calls or any(record["type"] == "program" for record in records)
        return Part(not used, "a program was run for a question that needs none" if used else "")
    for pattern in expect.calls_none:
        if any(_fits(pattern, call) for call in calls):
            return Part(False, f"called {pattern}, which it must not")
    for worked, how in ((True, "worked"), (False, "was tried and failed")):
        wanted = [pattern for pattern in expect.calls if pattern.worked is worked]
        missing = [str(pattern) for pattern in wanted if not any(_fits(pattern, c, worked) for c in calls)]
        if missing:
            return Part(False, f"no call {', '.join(missing)} {how}")
    if expect.ordered and not _in_order(expect.calls, calls):
        return Part(False, f"not in this order: {', '.join(map(str, expect.calls))}")
    if expect.calls_any and not any(_fits(p, call, p.worked) for p in expect.calls_any for call in calls):
        failed = any(not pattern.worked for pattern in expect.calls_any)
        any_of = ", ".join(f"{pattern}{'' if pattern.worked else ' that fails'}" for pattern in expect.calls_any)
        return Part(False, f"none of {any_of} {'was seen' if failed else 'worked'}")
    unread = _unread(expect, records)
    return Part(not unread, f"no program read {', '.join(unread)} of a result" if unread else "")


def _in_order(patterns: Iterable[CallPattern], calls: Iterable[Record]) -> bool:
    rest = iter(calls)
    return all(any(_fits(pattern, call, pattern.worked) for call in rest) for pattern in patterns)


def _fits(pattern: CallPattern, call: Record, worked: bool | None = None) -> bool:
    """Whether a call is of the pattern and, where that matters, worked or failed as `worked` says."""
    if call["builtin"] != pattern.builtin or worked not in (None, call["ok"]):
        return False
    args = call["args"]
    if any(
        _plain(key, args.get(key, pattern.default(key))) != _plain(key, value) for key, value in pattern.args.items()
    ):
        return False
    command = args.get("command", "")
    text = command if isinstance(command, str) else " ".join(map(str, command))
    return all(says(text, word) for word in pattern.words)


def _plain(key: str, value: Any) -> Any:
    """An argument without what makes no difference."""
    if not isinstance(value, str):
        return value
    match key:
        case "path":
            return posixpath.normpath(value)
        case "command":
            try:
                return shlex.split(value)
            except ValueError:
                return value
        case "text":
            return _ended(value)
    return value


def _unread(expect: Expect, records: Sequence[Record]) -> list[str]:
    """Fields that should have been read and were not."""
    read = fields_read(records) if expect.fields else frozenset()
    return [f".{name}" for name in expect.fields if name not in read]


def score_files(expect: Expect, before: Mapping[str, str], after: Mapping[str, str]) -> Part:
    """Are the expected files as they should be, and all others as before? Caches of tools do not count.

    What silences a check is no way to make a file clean.
    """
    before, after = _without_caches(before), _without_caches(after)
    for path in [*expect.files, *expect.files_say]:
        if path not in after:
            return Part(False, f"{path} is missing")
    for path, content in expect.files.items():
        if _ended(after[path]) != _ended(content):
            return Part(False, f"{path} has other content")
    for path, texts in expect.files_say.items():
        lacking = [text for text in texts if not _stands(text, after[path])]
        if lacking:
            return Part(False, f"{path} lacks {lacking[0]!r}")
    for path in expect.files_gone:
        if path in after:
            return Part(False, f"{path} is still there")
    for path in sorted(after):
        if _below(path, (*expect.typechecks, *expect.lints)) and _silenced(after, path) > _silenced(before, path):
            return Part(False, f"{path} silences the check")
    named = {*expect.files, *expect.files_say, *expect.files_gone}
    changed = [
        path
        for path in sorted((before.keys() | after.keys()) - named)
        if before.get(path) != after.get(path)
        and not (path in after and any(fnmatch.fnmatchcase(path, pattern) for pattern in expect.changes))
    ]
    return Part(not changed, f"changed: {', '.join(changed)}" if changed else "")


def _stands(text: str, content: str) -> bool:
    """Whether a text stands in a file, white space of any length being the same; `= 3` does not stand in `= 30`."""
    words = " ".join(text.split())
    start = r"(?<!\d)(?<!\d\.)" if words[0].isdigit() else ""
    end = r"(?!\.?\d)" if words[-1].isdigit() else ""
    return re.search(start + re.escape(words) + end, " ".join(content.split())) is not None


def _without_caches(files: Mapping[str, str]) -> dict[str, str]:
    return {path: text for path, text in files.items() if not CACHES.intersection(path.split("/"))}


def _below(path: str, places: Iterable[str]) -> bool:
    return any(place == "." or path == place or path.startswith(f"{place}/") for place in places)


def _silenced(files: Mapping[str, str], path: str) -> int:
    return len(_SILENCE.findall(files.get(path, "")))


def _ended(text: str) -> str:
    return text.removesuffix("\n")


def score_answer(expect: Expect, records: Sequence[Record]) -> Part:
    """Is there an answer to the last prompt that was not cut short, and does it say what it must?"""
    last = max((i for i, record in enumerate(records) if record["type"] == "prompt"), default=0)
    answers = [record for record in records[last:] if record["type"] == "answer"]
    errors = [record["message"] for record in records[last:] if record["type"] == "error"]
    if not answers or errors:
        return Part(False, f"no answer: {errors[-1]}" if errors else "no answer")
    text, finish = answers[-1]["text"], answers[-1]["finish"]
    if finish != "stop":
        return Part(False, f"the turn ended by {finish}")
    if not text.strip():
        return Part(False, "the answer is empty")
    missing = [word for word in expect.answer_all if not says(text, word)]
    if missing:
        return Part(False, f"the answer lacks {', '.join(missing)}")
    if expect.answer_any and not any(says(text, word) for word in expect.answer_any):
        return Part(False, f"the answer has none of: {', '.join(expect.answer_any)}")
    wrong = [word for word in expect.answer_none if says(text, word)]
    if wrong:
        return Part(False, f"the answer says '{wrong[0]}'")
    if expect.number is not None and not states(text, expect.number):
        return Part(False, f"the answer does not state {expect.number}")
    unnamed = [line for line in expect.lines if not says(text, str(line))]
    if unnamed:
        return Part(False, f"the answer does not name line {', '.join(map(str, unnamed))}")
    if expect.refuses and not not_done(text):
        return Part(False, "the answer does not say that it was not done")
    return Part(True)


def interval(passed: float, total: int) -> tuple[float, float]:
    """95 % interval (Wilson) of a share: 11 of 15 is 0.48 to 0.89. (0, 1) without cases."""
    if total == 0:
        return 0.0, 1.0
    z = 1.959964
    share = passed / total
    middle = (share + z * z / (2 * total)) / (1 + z * z / total)
    half = z / (1 + z * z / total) * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    return max(0.0, middle - half), min(1.0, middle + half)
