"""Scores of one turn, from its effects: what was called, what the files are afterwards, what the answer says.

Pure functions over the records of a turn (`punie_cli.agent.events.record`) and two snapshots of the files.
"""

import math
import posixpath
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from punie_cli.evaluation.suites import CallPattern, Expect

Record = dict[str, Any]

NUMBER_WORDS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
)  # fmt: skip
# A number after these is a place in a file, not a quantity.
_PLACE = re.compile(r":\d+(:\d+)?|\blines?\s+\d+((,|\s+and|\s+or|-)\s*\d+)*", re.IGNORECASE)


@dataclass(frozen=True)
class Part:
    """One part of a score; `reason` says what was missing, and is empty if nothing was."""

    ok: bool
    reason: str = ""


@dataclass(frozen=True)
class Score:
    """A case's score: each part on its own, and the whole."""

    calls: Part
    files: Part
    answer: Part

    @property
    def passed(self) -> bool:
        return self.calls.ok and self.files.ok and self.answer.ok

    @property
    def reason(self) -> str:
        """What was missing, in one line; empty for a case that passed."""
        parts = (self.calls, self.files, self.answer)
        return "; ".join(part.reason for part in parts if part.reason)


def score(expect: Expect, records: Sequence[Record], before: Mapping[str, str], after: Mapping[str, str]) -> Score:
    """Score a turn. `before` and `after` hold the text of every file by relative path."""
    return Score(score_calls(expect, records), score_files(expect, before, after), score_answer(expect, records))


def score_calls(expect: Expect, records: Iterable[Record]) -> Part:
    """Were the expected calls made, and did they work? Other calls do not matter, unless none is expected."""
    records = list(records)
    if expect.no_calls:
        used = [record for record in records if record["type"] in ("program", "call")]
        return Part(not used, "a program was run for a question that needs none" if used else "")
    worked = [record for record in records if record["type"] == "call" and record["ok"]]
    missing = [str(pattern) for pattern in expect.calls if not any(_fits(pattern, call) for call in worked)]
    if missing:
        return Part(False, f"no call {', '.join(missing)} worked")
    if expect.calls_any and not any(_fits(p, call) for p in expect.calls_any for call in worked):
        return Part(False, f"none of {', '.join(map(str, expect.calls_any))} worked")
    return Part(True)


def _fits(pattern: CallPattern, call: Record) -> bool:
    if call["builtin"] != pattern.builtin:
        return False
    args = call["args"]
    for key, value in pattern.args.items():
        # An argument that was left out may have had the expected value as its default.
        given = args.get(key, "." if key == "path" else None)
        if key == "path" and isinstance(given, str):
            given, value = posixpath.normpath(given), posixpath.normpath(value)
        if given != value:
            return False
    command = args.get("command", "")
    text = command if isinstance(command, str) else " ".join(map(str, command))
    return all(says(text, word) for word in pattern.words)


def score_files(expect: Expect, before: Mapping[str, str], after: Mapping[str, str]) -> Part:
    """Do the expected files have their content (a final line end aside), and are all others as before?"""
    for path, content in expect.files.items():
        if path not in after:
            return Part(False, f"{path} is missing")
        if _ended(after[path]) != _ended(content):
            return Part(False, f"{path} has other content")
    others = sorted((before.keys() | after.keys()) - expect.files.keys())
    changed = [path for path in others if before.get(path) != after.get(path)]
    return Part(not changed, f"changed: {', '.join(changed)}" if changed else "")


def _ended(text: str) -> str:
    return text.removesuffix("\n")


def score_answer(expect: Expect, records: Sequence[Record]) -> Part:
    """Is there an answer that was not cut short, and does it say what it must?"""
    answers = [record for record in records if record["type"] == "answer"]
    if not answers:
        errors = [record["message"] for record in records if record["type"] == "error"]
        return Part(False, f"no answer: {errors[-1]}" if errors else "no answer")
    text, finish = answers[-1]["text"], answers[-1]["finish"]
    if finish != "stop":
        return Part(False, f"the turn ended by {finish}")
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
    return Part(True)


def says(text: str, words: str) -> bool:
    """True if `words` stands in `text` in any letter case, not as a part of a longer word or number."""
    text, words = (value.replace("’", "'").casefold() for value in (text, words))
    pattern = r"\s+".join(re.escape(word) for word in words.split())
    return re.search(rf"(?<!\w)(?<!\d\.){pattern}(?!\w)(?!\.\d)", text) is not None


def states(text: str, number: int) -> bool:
    """True if `text` has `number` as a quantity, in digits or as a word; line numbers do not count."""
    text = _PLACE.sub(" ", text)
    if 0 <= number < len(NUMBER_WORDS) and says(text, NUMBER_WORDS[number]):
        return True
    return says(text, str(number))


def interval(passed: float, total: int) -> tuple[float, float]:
    """95 % interval (Wilson) of a share: 11 of 15 is 0.48 to 0.89. (0, 1) without cases."""
    if total == 0:
        return 0.0, 1.0
    z = 1.959964
    share = passed / total
    middle = (share + z * z / (2 * total)) / (1 + z * z / total)
    half = z / (1 + z * z / total) * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    return max(0.0, middle - half), min(1.0, middle + half)
