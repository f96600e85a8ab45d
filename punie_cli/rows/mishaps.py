"""Small modules of many kinds with something wrong in them, for those who learn to mend; see `data/rows/mishaps.toml`.

What is wrong is again a text with the right one, and often with a third: a mend that does not help.
"""

import re
import tomllib
from dataclasses import dataclass, field
from functools import cache
from random import Random
from string import Template
from typing import Any

from punie_cli.paths import shipped
from punie_cli.rows import names
from punie_cli.rows.modules import Bug
from punie_cli.rows.project import Project

_UNUSED = (
    "import os", "import sys", "import json", "import math", "import random", "import time", "import string",
    "import shutil", "import logging", "import itertools", "import textwrap", "import csv", "import os.path",
    "import datetime as dt", "import subprocess as sp", "from pathlib import Path", "from collections import Counter",
    "from collections import defaultdict, deque", "from datetime import date", "from functools import partial",
    "from dataclasses import field", "from typing import Any", "from decimal import Decimal", "from enum import Enum",
    "from collections.abc import Iterable", "from contextlib import suppress", "from uuid import uuid4",
)  # fmt: skip
_KINDS = {
    "type": 16, "type-pair": 9, "two-types": 8, "none": 10, "lint": 8, "lints": 17, "two-lints": 8, "bug": 14,
    "two-bugs": 7, "renamed": 9, "both": 7, "clean": 8,
}  # fmt: skip


# What the code of a piece gives where there is nothing.
_DEFAULTS = {"str": '""', "int": "0"}


# Right, wrong, mends that do not help, the kind of a DEFAULT.
_Swap = tuple[str, str, tuple[str, ...], str]


@dataclass(frozen=True)
class Slip(Bug):
    """A fault; `test_file` is empty for what a test does not find."""

    misses: tuple[str, ...] = ()
    """Mends that do not help, for the same place."""
    kind: str = ""
    """`str` or `int` where the right text has a DEFAULT that only the user knows."""


@dataclass
class Mishaps:
    """A small project with its slips, in the order of each file."""

    kind: str
    project: Project
    slips: list[Slip] = field(default_factory=list)
    renamed: tuple[str, str, str, str] = ("", "", "", "")
    """Old name, new name, the module that has the new one, the file that still uses the old one."""


@cache
def _pieces() -> list[dict[str, Any]]:
    with shipped("rows", "mishaps.toml").open("rb") as file:
        return tomllib.load(file)["piece"]


def mishaps(project: Project) -> Mishaps:
    """The same for a project's name and package each time it is asked for."""
    rng = Random(f"mishaps-{project.name}-{project.package}")
    while True:
        made = _made(Project(project.name, project.package, {}), rng)
        if made:
            return made


def _made(project: Project, rng: Random) -> Mishaps | None:
    kind = rng.choices(list(_KINDS), list(_KINDS.values()))[0]
    made = Mishaps(kind, project)
    project.files["pyproject.toml"] = (
        f'[project]\nname = "{project.name}"\nversion = "0.{rng.randint(1, 30)}.{rng.randint(0, 9)}"\n\n'
        '[tool.pytest.ini_options]\npythonpath = ["."]\n\n[tool.ruff.lint]\nextend-select = ["E7"]\n'
    )
    project.files["README.md"] = f"# {project.name}\n\n{names.phrase(rng).capitalize()}.\n"
    wanted = {
        "type": ["types"], "type-pair": ["types types"], "two-types": ["types", "types"], "none": ["none"],
        "lint": ["style"], "lints": ["style style" + " style" * rng.choice([0, 0, 1, 1, 2])],
        "two-lints": ["style", "style style"], "bug": ["bugs"], "two-bugs": ["bugs", "bugs"], "renamed": [""],
        "both": ["types style"], "clean": [],
    }[kind]  # fmt: skip
    tested = kind in ("bug", "two-bugs", "renamed") or rng.random() < 0.4
    for faults in [*wanted, *[""] * rng.randint(0, 1 if wanted else 2)]:
        path = f"{project.package}/{names.module(rng)}.py"
        if path in project.files or not _module(made, path, faults.split(), tested, rng):
            return None
    if kind == "renamed" and not _rename(made, rng):
        return None
    project.faults = [s for s in made.slips if s.test == "types"]
    project.style = [s for s in made.slips if s.test == "style"]
    project.bugs = [s for s in made.slips if s.test_file]
    return made


def _slots(rng: Random) -> dict[str, str]:
    entity = names.entity(rng)
    one = names.snake(entity)
    while True:
        t, n, f = (part.name for part in names.fields(rng)[:3])
        if not (n + f + t).endswith("s") and n[-1] != "s":
            break
    w, x = names.word(rng), names.word(rng)
    return {
        "E": entity, "e": one, "es": names.plural(one), "t": t, "n": n, "f": f, "w": w, "x": x, "v": names.verb(rng),
        "k": str(rng.randint(2, 9)), "m": str(rng.randint(12, 90)),
    }  # fmt: skip


def _module(made: Mishaps, path: str, wanted: list[str], tested: bool, rng: Random) -> bool:
    """Add a module with the faults that are wanted, and its test; False if they cannot be placed."""
    pool = rng.sample(_pieces(), len(_pieces()))
    number = rng.randint(2, 4)
    chosen: list[dict[str, Any]] = []
    for kind in [k for k in dict.fromkeys(wanted) if k != "style"]:
        chosen += [p for p in pool if p.get(kind) and p not in chosen][:1]
    chosen += [p for p in pool if p not in chosen][: number - len(chosen)]
    rng.shuffle(chosen)
    filled = [_filled(piece, _slots(rng)) for piece in chosen]
    imports = sorted({line for p in filled for line in p.get("imports", [])}, key=lambda s: (s.startswith("from"), s))
    doc = rng.choice(
        [f"{names.phrase(rng).capitalize()}.", f"Small things for {names.word(rng)}.", f"Work on {names.word(rng)}."]
    )
    if rng.random() < 0.15:
        doc = ""
    codes = [piece["code"].strip("\n") for piece in filled]
    if "none" in wanted:
        # The user says what a missing one gives, and the text must not say otherwise.
        codes = [re.sub(r'\n    """.*?"""', "", c) if p.get("none") else c for p, c in zip(filled, codes, strict=True)]
    constant = f"{names.word(rng).upper()}_LIMIT = {names.number(rng)}"
    slips: list[Slip] = []
    text = _joined(doc, imports, constant if len(imports) == 1 else "", codes)
    defined = re.findall(r"^(?:async )?(?:def|class) (\w+)", text, re.MULTILINE)
    if len(set(defined)) != len(defined) or text.count("\n") > 48:
        return False
    good = text
    for kind in wanted:
        options = _options(kind, filled, text, imports, constant, rng)
        for right, wrong, misses, sort in options:
            changed = _swapped(text, right.replace("DEFAULT", _DEFAULTS.get(sort, "")), wrong, slips)
            if changed is None:
                continue
            calls = [c for p in filled for c in p.get("calls", [])]
            if kind == "bugs" and not _differs(good, changed, calls):
                continue
            text = changed
            slips.append(Slip(path, wrong, right, "", kind, misses, sort))
            break
        else:
            return False
    places = [text.find(_bare(s)[0]) for s in slips]
    if any(place < 0 or text.count(_bare(s)[0]) != 1 for s, place in zip(slips, places, strict=True)):
        return False
    slips = [slip for _, slip in sorted(zip(places, slips, strict=True), key=lambda pair: pair[0])]
    made.project.files[path] = text
    for name in re.findall(r"^(?:async )?def (\w+)", text, re.MULTILINE):
        made.project.functions[name] = path
    test_file = ""
    if tested and "types" not in wanted and "none" not in wanted:
        test_file = f"tests/test_{path.rpartition('/')[2]}"
        test = _test(path, good, [c for p in filled for c in p.get("calls", [])], "bugs" in wanted, rng)
        if test_file in made.project.files or not test:
            return False
        made.project.files[test_file] = test
    for slip in slips:
        tests = test_file if slip.test == "bugs" else ""
        made.slips.append(Slip(path, slip.wrong, slip.right, tests, slip.test, slip.misses, slip.kind))
    return True


def _joined(doc: str, imports: list[str], constant: str, codes: list[str]) -> str:
    head = [f'"""{doc}"""'] if doc else []
    head += ["\n".join(imports)] if imports else []
    head += [constant] if constant else []
    return (
        "\n\n".join(head)
        + ("\n\n\n" if len(head) > bool(doc) else "\n\n" if head else "")
        + "\n\n\n".join(codes)
        + "\n"
    )


def _filled(value: Any, slots: dict[str, str]) -> Any:
    if isinstance(value, str):
        for key in "tn":
            value = value.replace(f"${{{key}}}s", names.plural(slots[key]))
        return Template(value).safe_substitute(slots)
    if isinstance(value, list):
        return [_filled(part, slots) for part in value]
    if isinstance(value, dict):
        return {key: _filled(part, slots) for key, part in value.items()}
    return value


def _bare(slip: Slip) -> tuple[str, str]:
    """Wrong and right as a program replaces them: without the indent; what goes, goes with its line end."""
    return (slip.wrong.strip(), slip.right.strip()) if slip.right else (slip.wrong, "")


def _options(
    kind: str, filled: list[dict[str, Any]], text: str, imports: list[str], constant: str, rng: Random
) -> list[_Swap]:
    """Swaps of one kind in a random order."""
    found: list[_Swap] = []
    for piece in filled:
        if kind == "none" and piece.get("none"):
            sort, wrong, right, miss = piece["none"]
            found.append((right.strip("\n"), wrong.strip("\n"), (miss,), sort))
            continue
        swaps = [swap for swap in piece.get(kind, []) if isinstance(swap, list)]
        for right, wrong, *miss in swaps:
            # What else is wrong in that place helps no more than the first.
            other = [text for s in swaps if s[0] == right for text in s[1:] if text not in (wrong, *miss)]
            found.append((right, wrong, (*miss, *rng.sample(other, len(other))), ""))
    if kind == "style":
        found += _general(text, imports, constant, rng)
    rng.shuffle(found)
    return found


def _general(text: str, imports: list[str], constant: str, rng: Random) -> list[_Swap]:
    """Findings that any module may have: imports, a constant above an import, a name that is defined twice."""
    found = []
    block = "\n".join(imports)
    for line in rng.sample(_UNUSED, 2):
        base = line.split()[1]
        if line in imports or base in [i.split()[1] for i in imports] or "import dt" in text:
            continue
        found.append(("", f"{line}\n", (), ""))
    if len(imports) == 1 and f"{block}\n\n{constant}" in text and rng.random() < 0.6:
        found += [(f"{block}\n\n{constant}", f"{constant}\n\n{block}", (), "")]
    heads = re.findall(r"^def \w+\(\w+: [^\n]+:$", text, re.MULTILINE)
    if heads and rng.random() < 0.3:
        head = rng.choice(heads)
        found.append((head, f"{head}\n    raise NotImplementedError\n\n\n{head}", (), ""))
    return found


def _swapped(text: str, right: str, wrong: str, slips: list[Slip]) -> str | None:
    """The text with the fault, or None where it cannot stand or nobody could tell it from another."""
    if not right:
        return _imported(text, wrong)
    if text.count(right) != 1 or any(s.right.strip() in right or right in s.right for s in slips if s.right):
        return None
    changed = text.replace(right, wrong)
    bare = wrong.strip()
    if changed.count(bare) != 1 or not all(changed.count(_bare(s)[0]) == 1 for s in slips):
        return None
    return changed


def _imported(text: str, line: str) -> str | None:
    """The text with an import more, where a sorter of imports would put it."""
    lines = text.split("\n")
    at = [n for n, one in enumerate(lines) if re.match(r"(import|from) \w", one)]
    if line.strip() in lines:
        return None
    if not at:
        first = 2 if lines[0].startswith('"""') else 0
        return "\n".join([*lines[:first], line.strip(), "", "", *lines[first:]])
    block = sorted([*[lines[n] for n in at], line.strip()], key=lambda s: (s.startswith("from"), s.lower()))
    if at != list(range(at[0], at[0] + len(at))):
        return None
    return "\n".join([*lines[: at[0]], *block, *lines[at[-1] + 1 :]])


def _values(text: str, calls: list[str]) -> list[object]:
    space: dict[str, Any] = {"__name__": "mishap"}
    found: list[object] = []
    try:
        # Our own text of `mishaps.toml`, nothing that a user or a model wrote.
        exec(compile(text, "mishap", "exec", dont_inherit=True), space)
    except Exception:
        return ["broken"]
    for call in calls:
        try:
            found.append(eval(call, space))
        except Exception as error:
            found.append(type(error))
    return found


def _differs(good: str, wrong: str, calls: list[str]) -> bool:
    return _values(good, calls) != _values(wrong, calls)


def _test(path: str, good: str, calls: list[str], every: bool, rng: Random) -> str:
    """Tests of all calls whose values can be written down; an empty text if there are none."""
    tests: dict[str, list[str]] = {}
    for call, value in zip(calls, _values(good, calls), strict=False):
        if isinstance(value, type) or not isinstance(value, str | int | float | list | tuple | dict):
            continue
        name = re.sub(r"^(list|str)\(", "", call).partition("(")[0]
        shown = repr(value) if "'" not in repr(value) else repr(value).replace("'", '"')
        line = f"    assert {call} == {shown}"
        if isinstance(value, bool):
            line = f"    assert {'' if value else 'not '}{call}"
        tests.setdefault(name, []).append(line)
    if not tests:
        return ""
    text = "".join(f"\n\ndef test_{n.lower()}() -> None:\n" + "\n".join(lines) + "\n" for n, lines in tests.items())
    own = re.findall(r"^(?:async )?(?:def|class) (\w+)", good, re.MULTILINE)
    used = sorted(
        (n for n in set(own) if re.search(rf"\b{n}\(", text.replace("def ", "#"))), key=lambda n: (n.islower(), n)
    )
    head = [line for word, line in [("date", "from datetime import date"), ("Path", "from pathlib import Path")]
            if re.search(rf"\b{word}\(", text)]  # fmt: skip
    dotted = path.removesuffix(".py").replace("/", ".")
    return "\n".join([*head, *([""] if head else []), f"from {dotted} import {', '.join(used)}"]) + "\n" + text


def _calls(text: str, name: str) -> bool:
    return re.search(rf"(?<!def )\b{name}\(", text) is not None


def _rename(made: Mishaps, rng: Random) -> bool:
    """A function of the tested module gets another name there, and nowhere else."""
    path = next(f for f in made.project.files if f.startswith(made.project.package + "/"))
    test = f"tests/test_{path.rpartition('/')[2]}"
    text, uses = made.project.files[path], made.project.files.get(test, "")
    found = [
        n for n in re.findall(r"^def (\w+)", text, re.MULTILINE) if re.search(rf"\b{n}\(", uses.replace("def ", "#"))
    ]
    if not found:
        return False
    old = rng.choice(found)
    new = rng.choice([f"{names.verb(rng)}_{names.word(rng)}", f"{old}_{names.word(rng)}", f"{names.verb(rng)}_{old}"])
    others = set(re.findall(rf"\w*{old}\w*", uses + text)) - {old, f"test_{old}"}
    if new in text or others:
        return False
    made.project.files[path] = re.sub(rf"\b{old}\b", new, text)
    made.renamed = (old, new, path, test)
    return True
