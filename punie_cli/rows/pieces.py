"""Functions that generated modules are made of, each with what may be wrong with it and a test that it passes.

types   a line that a type checker rejects
style   a line that a linter reports
bug     a line that makes the test fail; types and style are as before
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from punie_cli.rows import names

Swap = tuple[str, str]
"""The right text and the wrong one."""


@dataclass(frozen=True)
class Entity:
    """A dataclass that the functions of a project work on: a text field, an int, a float, and perhaps one more text."""

    name: str
    text: str
    count: str
    amount: str
    fields: tuple[names.Field, ...]

    @property
    def one(self) -> str:
        return names.snake(self.name)

    @property
    def many(self) -> str:
        return names.plural(self.one)

    def make(self, rng: Random, **fixed: object) -> str:
        """An expression that makes one, with these values of `text`, `count` and `amount`."""
        chosen = {getattr(self, name): json.dumps(value) for name, value in fixed.items()}
        return f"{self.name}({', '.join(chosen.get(f.name) or value(f, rng) for f in self.fields)})"


@dataclass(frozen=True)
class Piece:
    """A function (or a constant, which has no name), its faults, and the body of its test."""

    name: str
    text: str
    types: Swap | None = None
    style: Swap | None = None
    bug: Swap | None = None
    case: tuple[str, ...] = ()
    imports: str = ""
    """What its test must import besides it."""


def entity(rng: Random) -> Entity:
    """A new class with its fields."""
    chosen = tuple(names.fields(rng))
    return Entity(names.entity(rng), chosen[0].name, chosen[1].name, chosen[2].name, chosen)


def value(f: names.Field, rng: Random) -> str:
    """A literal for a field."""
    if f.kind == "int":
        return str(rng.randint(1, 400))
    if f.kind == "float":
        return f"{rng.randint(1, 90)}.{rng.choice(['5', '25', '75', '2'])}"
    return json.dumps(names.word(rng))


def _two(e: Entity, rng: Random, **fixed: tuple[object, object]) -> str:
    """`boats = [Boat(…), Boat(…)]`."""
    made = [e.make(rng, **{name: both[i] for name, both in fixed.items()}) for i in (0, 1)]
    return f"{e.many} = [{', '.join(made)}]"


def _words(rng: Random) -> tuple[str, str]:
    one, other = sorted({names.word(rng) for _ in range(12)})[:2]
    return one, other


def _total(e: Entity, rng: Random) -> Piece:
    name = f"total_{e.count}"
    head = f"def {name}({e.many}: list[{e.name}]) -> int:"
    body = f"    return sum({e.one}.{e.count} for {e.one} in {e.many})"
    a, b = rng.randint(2, 40), rng.randint(2, 40)
    return Piece(
        name,
        f"{head}\n{body}\n",
        types=(head, head.replace("-> int", "-> " + rng.choice(["str", "bytes"]))),
        bug=(body, body.replace("sum(", "max(")),
        case=(_two(e, rng, count=(a, b)), f"assert {name}({e.many}) == {a + b}"),
        imports=e.name,
    )


def _find(e: Entity, rng: Random) -> Piece:
    name = f"find_{e.one}"
    head = f"def {name}({e.many}: list[{e.name}], {e.text}: str) -> {e.name} | None:"
    loop = f"    for {e.one} in {e.many}:\n        if {e.one}.{e.text} == {e.text}:\n            return {e.one}"
    return Piece(
        name,
        f"{head}\n{loop}\n    return None\n",
        types=(head, head.replace(" | None", "")),
        case=(f'assert {name}([], "{names.word(rng)}") is None',),
    )


def _describe(e: Entity, rng: Random) -> Piece:
    name = f"describe_{e.one}"
    line = f'    return f"{{{e.one}.{e.text}}}: {{{e.one}.{e.count}}}"'
    word, number = names.word(rng), rng.randint(2, 90)
    made = e.make(rng, text=word, count=number)
    return Piece(
        name,
        f"def {name}({e.one}: {e.name}) -> str:\n{line}\n",
        types=(line, f"    return {e.one}.{e.count}"),
        bug=(line, line.replace("}: {", "} - {")),
        case=(f'assert {name}({made}) == "{word}: {number}"',),
        imports=e.name,
    )


def _sample(e: Entity, rng: Random) -> Piece:
    name = rng.choice(["sample", "example", "default"]) + f"_{e.one}"
    values = {f.name: value(f, rng) for f in e.fields}
    right = f"    return {e.name}({', '.join(f'{k}={v}' for k, v in values.items())})"
    roll = rng.random()
    if roll < 0.5:
        bad = values | {e.count: f'"{values[e.count]}"'}
    elif roll < 0.75:
        bad = {k: v for k, v in values.items() if k != e.amount}
    else:
        bad = {(k + "s" if k == e.text else k): v for k, v in values.items()}
    wrong = f"    return {e.name}({', '.join(f'{k}={v}' for k, v in bad.items())})"
    return Piece(
        name,
        f"def {name}() -> {e.name}:\n{right}\n",
        types=(right, wrong),
        case=(f"assert {name}().{e.count} == {values[e.count]}",),
    )


def _limit(e: Entity, rng: Random) -> Piece:
    name = f"MAX_{e.many.upper()}"
    right = f"{name}: int = {names.number(rng)}"
    wrong = f'{name}: int = "{right.rsplit(" ", 1)[1]}"'
    return Piece("", right + "\n", types=(right, wrong))


def _parse(e: Entity, rng: Random) -> Piece:
    name = f"parse_{e.count}"
    right, number = "    return int(text.strip())", rng.randint(100, 999)
    return Piece(
        name,
        f"def {name}(text: str) -> int:\n{right}\n",
        types=(right, "    return text.strip()"),
        bug=(right, "    return len(text.strip())"),
        case=(f'assert {name}(" {number} ") == {number}',),
    )


def _names_of(e: Entity, rng: Random) -> Piece:
    name = f"{e.one}_{names.plural(e.text)}"
    right = f"    return [{e.one}.{e.text} for {e.one} in {e.many}]"
    one, other = _words(rng)
    return Piece(
        name,
        f"def {name}({e.many}: list[{e.name}]) -> list[str]:\n{right}\n",
        types=(right, right.replace(f"{e.one}.{e.text} ", f"{e.one}.{e.text[:-1]} ")),
        case=(_two(e, rng, text=(one, other)), f'assert {name}({e.many}) == ["{one}", "{other}"]'),
        imports=e.name,
    )


def _average(e: Entity, rng: Random) -> Piece:
    name = f"average_{e.amount}"
    right = f"    return sum({e.one}.{e.amount} for {e.one} in {e.many}) / len({e.many})"
    guard = f"    if not {e.many}:\n        return 0.0"
    return Piece(
        name,
        f"def {name}({e.many}: list[{e.name}]) -> float:\n{guard}\n{right}\n",
        types=(right, right.replace(f"len({e.many})", f"len({e.one}_list)")),
        bug=("        return 0.0", "        return 1.0"),
        case=(f"assert {name}([]) == 0.0",),
    )


def _group(e: Entity, rng: Random) -> Piece:
    name = f"group_by_{e.text}"
    right = f"    groups: dict[str, list[{e.name}]] = {{}}"
    loop = f"    for {e.one} in {e.many}:\n        groups.setdefault({e.one}.{e.text}, []).append({e.one})"
    return Piece(
        name,
        f"def {name}({e.many}: list[{e.name}]) -> dict[str, list[{e.name}]]:\n{right}\n{loop}\n    return groups\n",
        types=(right, right.replace("dict[str", "dict[int")),
        style=(right, right.replace("{}", "dict()")),
        case=(f"assert {name}([]) == {{}}",),
    )


def _raise_by(e: Entity, rng: Random) -> Piece:
    name = f"{names.verb(rng)}_{e.amount}"
    head = f"def {name}({e.one}: {e.name}, step: float = 1.0) -> float:"
    right, base = f"    return {e.one}.{e.amount} + step", rng.randint(2, 90)
    return Piece(
        name,
        f"{head}\n{right}\n",
        types=(right, f'    return {e.one}.{e.amount} + "{rng.randint(1, 9)}"'),
        bug=(right, right.replace("+", "-")),
        case=(f"assert {name}({e.make(rng, amount=base + 0.5)}, 1.0) == {base + 1.5}",),
        imports=e.name,
    )


def _is_large(e: Entity, rng: Random) -> Piece:
    name = f"is_{rng.choice(['large', 'full', 'heavy', 'ready', 'cheap'])}_{e.one}"
    head = f"def {name}({e.one}: {e.name}, limit: int = {rng.randint(5, 90)}) -> bool:"
    right, number = f"    return {e.one}.{e.count} > limit", rng.randint(3, 90)
    return Piece(
        name,
        f"{head}\n{right}\n",
        types=(right, f'    return {e.one}.{e.count} > "limit"'),
        bug=(right, right.replace(">", ">=")),
        case=(f"assert {name}({e.make(rng, count=number)}, {number}) is False",),
        imports=e.name,
    )


def _top(e: Entity, rng: Random) -> Piece:
    name = f"top_{e.many}"
    right = f"    return sorted({e.many}, key=lambda {e.one}: {e.one}.{e.amount}, reverse=True)[:size]"
    head = f"def {name}({e.many}: list[{e.name}], size: int = {rng.randint(2, 10)}) -> list[{e.name}]:"
    one, other = _words(rng)
    made = _two(e, rng, text=(one, other), amount=(1.5, 7.25))
    return Piece(
        name,
        f"{head}\n{right}\n",
        types=(right, right.replace("[:size]", "[0]")),
        bug=(right, right.replace("reverse=True", "reverse=False")),
        case=(made, f'assert {name}({e.many}, 1)[0].{e.text} == "{other}"'),
        imports=e.name,
    )


def _key(e: Entity, rng: Random) -> Piece:
    name = f"{e.one}_{e.text}_key"
    right, word = f"    return {e.one}.{e.text}.lower()", names.word(rng)
    return Piece(
        name,
        f"def {name}({e.one}: {e.name}) -> str:\n{right}\n",
        types=(right, f"    return {e.one}.{e.text}.lowercase()"),
        bug=(right, f"    return {e.one}.{e.text}.upper()"),
        case=(f'assert {name}({e.make(rng, text=word.capitalize())}) == "{word}"',),
        imports=e.name,
    )


def _has(e: Entity, rng: Random) -> Piece:
    name = f"has_{e.one}"
    right = f"    return {e.text} in {e.many}"
    return Piece(
        name,
        f"def {name}({e.many}: dict[str, {e.name}], {e.text}: str) -> bool:\n{right}\n",
        style=(right, f"{right}.keys()"),
        bug=(right, f"    return {e.text} not in {e.many}"),
        case=(f'assert {name}({{}}, "{names.word(rng)}") is False',),
    )


def _banner(e: Entity, rng: Random) -> Piece:
    name = f"{e.one}_{rng.choice(['banner', 'heading', 'title', 'caption'])}"
    words = names.phrase(rng)
    right = f'    return "{words}"'
    return Piece(
        name,
        f"def {name}() -> str:\n{right}\n",
        types=(right, f"    return {len(words)}"),
        style=(right, f'    return f"{words}"'),
        case=(f'assert {name}() == "{words}"',),
    )


def _read(e: Entity, rng: Random) -> Piece:
    name = f"read_{e.count}"
    right = "    except ValueError:"
    return Piece(
        name,
        f"def {name}(text: str) -> int:\n    try:\n        return int(text)\n{right}\n        return 0\n",
        style=(right, "    except:"),
        bug=("        return 0\n", "        return 1\n"),
        case=(f'assert {name}("{names.word(rng)}") == 0',),
    )


def _unique(e: Entity, rng: Random) -> Piece:
    name = f"unique_{names.plural(e.text)}"
    right = f"    return sorted({{{e.one}.{e.text} for {e.one} in {e.many}}})"
    return Piece(
        name,
        f"def {name}({e.many}: list[{e.name}]) -> list[str]:\n{right}\n",
        types=(right, right.replace("sorted(", "len(")),
        style=(right, f"    return sorted(list({{{e.one}.{e.text} for {e.one} in {e.many}}}))"),
        case=(f"assert {name}([]) == []",),
    )


PIECES: tuple[Callable[[Entity, Random], Piece], ...] = (
    _total, _find, _describe, _sample, _limit, _parse, _names_of, _average, _group, _raise_by, _is_large, _top, _key,
    _has, _banner, _read, _unique,
)  # fmt: skip
