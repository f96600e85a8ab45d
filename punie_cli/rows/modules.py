"""Texts of generated modules and of their tests, with faults put in."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from punie_cli.rows import names
from punie_cli.rows.pieces import PIECES, Entity, Piece, Swap

_UNUSED = ("os", "sys", "json", "re", "math", "random", "time", "shutil", "string", "logging", "itertools", "textwrap")
_UNUSED_FROM = (
    "from pathlib import Path", "from collections import Counter", "from datetime import date",
    "from functools import partial", "from dataclasses import field", "from typing import Any",
)  # fmt: skip


@dataclass(frozen=True)
class Fault:
    """One wrong piece of a file's text, and the right one."""

    file: str
    wrong: str
    right: str


@dataclass(frozen=True)
class Bug(Fault):
    """A fault that makes a test fail."""

    test_file: str
    test: str


@dataclass(frozen=True)
class Plan:
    """How many faults of each kind a module gets, and whether it has tests and one of them fails."""

    types: int = 0
    style: int = 0
    tests: bool = False
    bug: bool = False


@dataclass(frozen=True)
class Module:
    """A module as it is written, and what is wrong with it. `functions` are in the order of the file."""

    path: str
    text: str
    types: tuple[Fault, ...]
    style: tuple[Fault, ...]
    bugs: tuple[Bug, ...]
    functions: tuple[str, ...]
    test_path: str
    test_text: str


def model_text(e: Entity, rng: Random) -> str:
    """A module with the dataclass."""
    doc = rng.choice([f"{e.name} and its fields.", f"The {e.one.replace('_', ' ')} model.", "Data classes."])
    head = f'"""{doc}"""\n\nfrom dataclasses import dataclass\n\n\n@dataclass\nclass {e.name}:\n'
    return head + "".join(f"    {f.name}: {f.kind}\n" for f in e.fields)


def make_module(path: str, e: Entity, home: str, rng: Random, plan: Plan, used: set[str]) -> Module:
    """A module of two to four functions on `e`, which lives in the module `home` (dotted)."""
    pieces = [make(e, rng) for make in rng.sample(PIECES, rng.randint(2, 4))]
    pieces = [p for p in pieces if p.name not in used]
    used.update(p.name for p in pieces if p.name)
    pieces.sort(key=lambda p: p.name != "")
    wrong: dict[int, Piece] = {}
    types = _put(pieces, wrong, [p.types for p in pieces], plan.types, rng)
    style = _put(pieces, wrong, [p.style for p in pieces], plan.style, rng)
    tested = [p for p in pieces if p.case] if plan.tests else []
    bugs = _put(pieces, wrong, [p.bug if p in tested else None for p in pieces], int(plan.bug), rng)
    bug_names = [p.name for i, p in enumerate(pieces) if i in wrong and p.bug in bugs]
    texts = [wrong.get(i, p).text for i, p in enumerate(pieces)]
    imported = f"from {home} import {e.name}"
    if plan.types > len(types) and rng.random() < 0.4:
        types.append((imported, f"from {home}s import {e.name}"))
        imported = types[-1][1]
    unneeded = ""
    # A name that is imported for nothing: the commonest finding of all.
    for _ in range(min(plan.style - len(style), 1)):
        unneeded = f"import {rng.choice(_UNUSED)}\n\n" if rng.random() < 0.65 else rng.choice(_UNUSED_FROM) + "\n\n"
        style.append(("", unneeded))
    if not any(e.name in text for text in texts):
        imported = ""
    doc = rng.choice([f"Work with {e.many.replace('_', ' ')}.", f"{e.name} functions.", "Helpers."])
    todo = f"# TODO: {names.phrase(rng)}\n" if rng.random() < 0.2 else ""
    gap = "" if not texts or not texts[0].startswith("def") else "\n"
    head = f'"""{doc}"""\n\n{unneeded}{imported}' + ("\n\n" if imported else "") + gap
    text = head.rstrip("\n") + "\n\n" + gap + todo + _joined(texts)
    test_path = f"tests/test_{path.rpartition('/')[2]}"
    dotted = path.removesuffix(".py").replace("/", ".")
    return Module(
        path,
        text,
        tuple(Fault(path, bad, good) for good, bad in types),
        tuple(Fault(path, bad, good) for good, bad in style),
        tuple(
            Bug(path, bad, good, test_path, f"test_{name}") for (good, bad), name in zip(bugs, bug_names, strict=True)
        ),
        tuple(p.name for p in pieces if p.name),
        test_path if tested else "",
        _test_text(tested, e, home, dotted) if tested else "",
    )


def _put(
    pieces: Sequence[Piece], wrong: dict[int, Piece], swaps: Sequence[Swap | None], number: int, rng: Random
) -> list[Swap]:
    """Put faults into so many pieces that have none yet; gives the swaps in the order of the pieces."""
    free = [i for i, swap in enumerate(swaps) if swap and i not in wrong]
    done = []
    for i in sorted(rng.sample(free, min(number, len(free)))):
        swap = swaps[i]
        assert swap is not None
        wrong[i] = Piece(pieces[i].name, pieces[i].text.replace(swap[0], swap[1]))
        done.append(swap)
    return done


def _joined(texts: Sequence[str]) -> str:
    constants = "".join(text for text in texts if not text.startswith("def"))
    functions = "\n\n".join(text for text in texts if text.startswith("def"))
    return constants + ("\n\n" if constants and functions else "") + functions


def _test_text(pieces: Sequence[Piece], e: Entity, home: str, dotted: str) -> str:
    imports = [f"from {dotted} import {', '.join(sorted(p.name for p in pieces))}"]
    if any(p.imports for p in pieces):
        imports.append(f"from {home} import {e.name}")
    cases = [f"def test_{p.name}() -> None:\n" + "".join(f"    {line}\n" for line in p.case) for p in pieces]
    return "\n".join(sorted(imports)) + "\n\n\n" + "\n\n".join(cases)
