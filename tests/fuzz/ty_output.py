"""What ty prints: any text is a list of findings or None, never an exception; the same for ruff."""

import copy
import json
from typing import Any

from punie_cli.builtins import lint
from punie_cli.builtins.typecheck import Finding, parse_concise, parse_gitlab, result
from tests.fuzz.drawing import Draw

_ENTRY = {
    "check_name": "invalid-assignment",
    "description": "invalid-assignment: wrong",
    "severity": "major",
    "fingerprint": "c0ffee",
    "location": {
        "path": "/srv/a.py",
        "positions": {"begin": {"line": 1, "column": 2}, "end": {"line": 1, "column": 3}},
    },
}
_ODD = (
    None, True, 0, -1, 10**20, 1.5, float("inf"), float("nan"), "", "major", "x", "\ud800", [], [1], {}, {"line": 1},
    "7", [[]],
)  # fmt: skip
_NUMBERS = ("1", "0", "-1", "٣", "²", "9" * 5000, "", "1_0", " 1")
_TEXTS = (
    "a.py",
    "a b:1.py",
    "/srv/",
    "x-y",
    "wrong",
    "",
    "\0",
    "\ud800",
    "\u2028",
    "\r",
    "[",
    "]: ",
    "Found 1 diagnostic",
)
_LEVELS = ("error", "warning", "info", "fatal", "note")


def seeds() -> list[bytes]:
    """Reports as ty prints them, as text, then changed ones."""
    concise = "a.py:1:2: error[x-y] wrong\nFound 1 diagnostic\n"
    texts = [json.dumps([_ENTRY]), "[]", concise, "All checks passed!\n"]
    return [b"\0" + text.encode() for text in texts] + [bytes([kind, n, n, 2, 7]) for kind in (1, 2) for n in range(9)]


def check(data: bytes) -> None:
    """The property."""
    draw = Draw(data)
    text = (_any, _report, _lines)[draw.below(3)](draw)
    for parse in (parse_gitlab, parse_concise):
        found = parse(text, "/srv/")
        assert found is None or (type(found) is list and all(type(one) is Finding for one in found))
        if found is not None:
            whole = result(found)
            assert whole.success is (whole.error_count == 0)
            assert whole.error_count + whole.warning_count == len(found)
            assert isinstance(str(whole), str)
    of_ruff = lint.parse(text.replace("check_name", "code").replace('"path"', '"filename"'), "/srv/")
    assert of_ruff is None or str(lint.result(*of_ruff))


def _any(draw: Draw) -> str:
    return draw.rest().decode("utf-8", "surrogateescape")


def _lines(draw: Draw) -> str:
    """The concise format, with odd numbers and texts in it."""
    lines = []
    for _ in range(draw.below(4)):
        where = f"{draw.pick(_TEXTS)}:{draw.pick(_NUMBERS)}:{draw.pick(_NUMBERS)}: " if draw.below(4) else ""
        lines.append(f"{where}{draw.pick(_LEVELS)}[{draw.pick(('x-y', *_TEXTS))}] {draw.pick(_TEXTS)}")
    count = draw.pick((str(len(lines)), *_NUMBERS))
    return "\n".join([*lines, draw.pick((f"Found {count} diagnostics", "All checks passed!", ""))])


def _report(draw: Draw) -> str:
    """A report in which some values are something else."""
    entries = [copy.deepcopy(_ENTRY) for _ in range(1 + draw.below(3))]
    for _ in range(draw.below(4)):
        place: Any = entries
        while True:
            key = draw.pick(list(place) if isinstance(place, dict) else range(len(place)))
            inner = place[key]
            if not isinstance(inner, (dict, list)) or not inner or draw.below(3) == 0:
                break
            place = inner
        if draw.below(4):
            place[key] = copy.deepcopy(draw.pick(_ODD))
        else:
            del place[key]
        if not entries:
            break
    return json.dumps(entries)
