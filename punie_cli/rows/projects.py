"""Generated fixture projects: small, typed Python packages with realistic names, files and faults.

Each fault is a line that a checker rejects together with the line that mends it, so that fixes can be generated too.
What ty says about it is never assumed: rows record what ty said.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from punie_cli.rows import names

# Of the projects, so many have two files of one name.
TWIN_SHARE = 0.15


@dataclass(frozen=True)
class Fault:
    """One wrong line of a file, and the right one."""

    file: str
    wrong: str
    right: str


@dataclass
class Project:
    """Files by path, the faults in them, and what a question may ask about."""

    name: str
    package: str
    files: dict[str, str]
    faults: list[Fault] = field(default_factory=list)
    functions: dict[str, str] = field(default_factory=dict)
    """Function name → the file that defines it; only names that occur in one file."""
    config_file: str = "config.json"
    config: dict[str, object] = field(default_factory=dict)

    @property
    def modules(self) -> list[str]:
        """Paths of the package's modules, sorted."""
        return sorted(p for p in self.files if p.startswith(self.package + "/") and p.endswith(".py"))

    def faulty(self) -> list[str]:
        """Modules with a fault, sorted."""
        return sorted({f.file for f in self.faults})

    def write(self, root: Path) -> None:
        """Create the files below `root`, which must be empty."""
        for path, text in self.files.items():
            target = root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")


@dataclass(frozen=True)
class _Entity:
    name: str
    text: str
    count: str
    amount: str
    fields: list[names.Field]

    @property
    def one(self) -> str:
        return names.snake(self.name)

    @property
    def many(self) -> str:
        return names.plural(self.one)


@dataclass(frozen=True)
class _Piece:
    """A function: its name, its text, and optionally the fault that may be put in (right line, wrong line)."""

    name: str
    text: str
    swap: tuple[str, str] | None = None


def _total(e: _Entity, rng: Random) -> _Piece:
    name = f"total_{e.count}"
    head = f"def {name}({e.many}: list[{e.name}]) -> int:"
    body = f"    return sum({e.one}.{e.count} for {e.one} in {e.many})"
    return _Piece(name, f"{head}\n{body}\n", (head, head.replace("-> int", "-> " + rng.choice(["str", "bytes"]))))


def _find(e: _Entity, rng: Random) -> _Piece:
    name = f"find_{e.one}"
    head = f"def {name}({e.many}: list[{e.name}], {e.text}: str) -> {e.name} | None:"
    loop = f"    for {e.one} in {e.many}:\n        if {e.one}.{e.text} == {e.text}:\n            return {e.one}"
    body = f"{loop}\n    return None"
    return _Piece(name, f"{head}\n{body}\n", (head, head.replace(" | None", "")))


def _describe(e: _Entity, rng: Random) -> _Piece:
    name = f"describe_{e.one}"
    line = f'    return f"{{{e.one}.{e.text}}}: {{{e.one}.{e.count}}}"'
    wrong = f"    return {e.one}.{e.count}"
    return _Piece(name, f"def {name}({e.one}: {e.name}) -> str:\n{line}\n", (line, wrong))


def _sample(e: _Entity, rng: Random) -> _Piece:
    name = rng.choice(["sample", "example", "default"]) + f"_{e.one}"
    values = {f.name: _value(f, rng) for f in e.fields}
    right = f"    return {e.name}({', '.join(f'{k}={v}' for k, v in values.items())})"
    roll = rng.random()
    if roll < 0.5:
        bad = values | {e.count: f'"{values[e.count]}"'}
    elif roll < 0.75:
        bad = {k: v for k, v in values.items() if k != e.amount}
    else:
        bad = {(k + "s" if k == e.text else k): v for k, v in values.items()}
    wrong = f"    return {e.name}({', '.join(f'{k}={v}' for k, v in bad.items())})"
    return _Piece(name, f"def {name}() -> {e.name}:\n{right}\n", (right, wrong))


def _value(f: names.Field, rng: Random) -> str:
    if f.kind == "int":
        return str(rng.randint(1, 400))
    if f.kind == "float":
        return f"{rng.randint(1, 90)}.{rng.choice(['5', '25', '75', '2'])}"
    return json.dumps(names.word(rng))


def _limit(e: _Entity, rng: Random) -> _Piece:
    name = f"MAX_{e.many.upper()}"
    right = f"{name}: int = {names.number(rng)}"
    wrong = f'{name}: int = "{right.rsplit(" ", 1)[1]}"'
    return _Piece("", right + "\n", (right, wrong))


def _parse(e: _Entity, rng: Random) -> _Piece:
    name = f"parse_{e.count}"
    right, wrong = "    return int(text.strip())", "    return text.strip()"
    return _Piece(name, f"def {name}(text: str) -> int:\n{right}\n", (right, wrong))


def _names_of(e: _Entity, rng: Random) -> _Piece:
    name = f"{e.one}_{names.plural(e.text)}"
    right = f"    return [{e.one}.{e.text} for {e.one} in {e.many}]"
    wrong = right.replace(f"{e.one}.{e.text} ", f"{e.one}.{e.text[:-1]} ")
    return _Piece(name, f"def {name}({e.many}: list[{e.name}]) -> list[str]:\n{right}\n", (right, wrong))


def _average(e: _Entity, rng: Random) -> _Piece:
    name = f"average_{e.amount}"
    right = f"    return sum({e.one}.{e.amount} for {e.one} in {e.many}) / len({e.many})"
    wrong = f"    return sum({e.one}.{e.amount} for {e.one} in {e.many}) / len({e.one}_list)"
    guard = f"    if not {e.many}:\n        return 0.0"
    return _Piece(name, f"def {name}({e.many}: list[{e.name}]) -> float:\n{guard}\n{right}\n", (right, wrong))


def _group(e: _Entity, rng: Random) -> _Piece:
    name = f"group_by_{e.text}"
    right = f"    groups: dict[str, list[{e.name}]] = {{}}"
    wrong = f"    groups: dict[int, list[{e.name}]] = {{}}"
    loop = f"    for {e.one} in {e.many}:\n        groups.setdefault({e.one}.{e.text}, []).append({e.one})"
    rest = f"{loop}\n    return groups"
    return _Piece(
        name,
        f"def {name}({e.many}: list[{e.name}]) -> dict[str, list[{e.name}]]:\n{right}\n{rest}\n",
        (right, wrong),
    )


def _raise_by(e: _Entity, rng: Random) -> _Piece:
    name = f"{names.verb(rng)}_{e.amount}"
    head = f"def {name}({e.one}: {e.name}, step: float = 1.0) -> float:"
    right = f"    return {e.one}.{e.amount} + step"
    wrong = f'    return {e.one}.{e.amount} + "{rng.randint(1, 9)}"'
    return _Piece(name, f"{head}\n{right}\n", (right, wrong))


def _is_large(e: _Entity, rng: Random) -> _Piece:
    name = f"is_{rng.choice(['large', 'full', 'heavy', 'ready', 'cheap'])}_{e.one}"
    head = f"def {name}({e.one}: {e.name}, limit: int = {rng.randint(5, 90)}) -> bool:"
    right = f"    return {e.one}.{e.count} > limit"
    return _Piece(name, f"{head}\n{right}\n", (right, f'    return {e.one}.{e.count} > "limit"'))


def _top(e: _Entity, rng: Random) -> _Piece:
    name = f"top_{e.many}"
    right = f"    return sorted({e.many}, key=lambda {e.one}: {e.one}.{e.amount}, reverse=True)[:size]"
    wrong = right.replace("[:size]", "[0]")
    head = f"def {name}({e.many}: list[{e.name}], size: int = {rng.randint(2, 10)}) -> list[{e.name}]:"
    return _Piece(name, f"{head}\n{right}\n", (right, wrong))


def _upper(e: _Entity, rng: Random) -> _Piece:
    name = f"{e.one}_{e.text}_key"
    right = f"    return {e.one}.{e.text}.lower()"
    wrong = f"    return {e.one}.{e.text}.lowercase()"
    return _Piece(name, f"def {name}({e.one}: {e.name}) -> str:\n{right}\n", (right, wrong))


_PIECES: list[Callable[[_Entity, Random], _Piece]] = [
    _total, _find, _describe, _sample, _limit, _parse, _names_of, _average, _group, _raise_by, _is_large, _top, _upper,
]  # fmt: skip


def _model_file(e: _Entity, rng: Random) -> str:
    doc = rng.choice([f"{e.name} and its fields.", f"The {e.one.replace('_', ' ')} model.", "Data classes."])
    lines = [
        f'"""{doc}"""',
        "",
        "from dataclasses import dataclass",
        "",
        "",
        "@dataclass",
        f"class {e.name}:",
    ]
    lines += [f"    {f.name}: {f.kind}" for f in e.fields]
    return "\n".join(lines) + "\n"


def _module_file(
    path: str, e: _Entity, models: str, rng: Random, faults: int, used: set[str]
) -> tuple[str, list[Fault], list[str]]:
    pieces = [make(e, rng) for make in rng.sample(_PIECES, rng.randint(2, 4))]
    pieces = [p for p in pieces if p.name not in used]
    used.update(p.name for p in pieces if p.name)
    with_swap = [p for p in pieces if p.swap]
    broken = rng.sample(with_swap, min(faults, len(with_swap)))
    found: list[Fault] = []
    imported = f"from {models} import {e.name}"
    texts = [p.text for p in sorted(pieces, key=lambda p: p.name != "")]
    for piece in broken:
        assert piece.swap is not None
        right, wrong = piece.swap
        texts[texts.index(piece.text)] = piece.text.replace(right, wrong)
        found.append(Fault(path, wrong, right))
    if faults and rng.random() < 0.1:
        wrong = f"from {models}s import {e.name}"
        found.append(Fault(path, wrong, imported))
        imported = wrong
    doc = rng.choice([f"Work with {e.many.replace('_', ' ')}.", f"{e.name} functions.", "Helpers."])
    text = f'"""{doc}"""\n\n{imported}\n\n\n' + "\n\n".join(texts)
    return text, found, [p.name for p in pieces if p.name]


def _config(rng: Random) -> dict[str, object]:
    keys = rng.sample(
        [
            "port",
            "host",
            "debug",
            "currency",
            "retries",
            "timeout",
            "language",
            "theme",
            "region",
            "page_size",
            "version",
            "owner",
            "log_level",
            "cache_size",
            "title",
            "workers",
            "interval",
            "unit",
            "max_items",
            "color",
            "mode",
        ],
        rng.randint(3, 5),
    )
    known: dict[str, object] = {
        "host": f"{names.word(rng)}.local", "debug": rng.random() < 0.5,
        "region": f"{rng.choice(['eu', 'us', 'ap'])}-{rng.randint(1, 4)}",
        "currency": rng.choice(["USD", "CHF", "GBP", "JPY", "SEK", "NOK", "CAD", "PLN", "INR", "DKK"]),
        "language": rng.choice(["en", "de", "fr", "it", "es", "nl", "pt"]), "theme": names.word(rng),
        "version": f"{rng.randint(0, 9)}.{rng.randint(0, 20)}.{rng.randint(0, 9)}", "owner": names.word(rng),
        "log_level": rng.choice(["info", "debug", "warning", "error"]), "title": names.phrase(rng),
        "unit": rng.choice(["km", "kg", "liter", "hour", "meter"]), "color": names.word(rng),
        "mode": rng.choice(["fast", "safe", "strict", "lazy"]),
    }  # fmt: skip
    return {key: known.get(key, names.number(rng)) for key in keys}


def _readme(name: str, e: _Entity, package: str, rng: Random) -> str:
    what = rng.choice(
        [
            f"Keeps track of {e.many.replace('_', ' ')}.",
            f"A small tool for {e.many.replace('_', ' ')} and their {names.plural(e.text)}.",
            f"Reads {e.many.replace('_', ' ')} from {names.word(rng)}.csv and prints a report.",
            f"{names.phrase(rng).capitalize()}: {e.one.replace('_', ' ')} data for everyone.",
        ]
    )
    more = rng.choice(
        [
            f"Run it with `python -m {package.replace('/', '.')}`.",
            f"The code is in `{package}/`.",
            f"Ask {names.word(rng).capitalize()} before you change the {e.text} format.",
            f"Needs Python 3.{rng.randint(10, 14)}.",
            "",
        ]
    )
    return f"# {name}\n\n{what}\n" + (f"{more}\n" if more else "")


def make_project(seed: int) -> Project:
    """The project of a seed: always the same files. About one in four has no fault."""
    rng = Random(f"project-{seed}")
    name, package = names.project(rng), names.package(rng)
    project = Project(name, package, {})
    entities = []
    for _ in range(rng.randint(1, 2)):
        chosen = names.fields(rng)
        e = _Entity(names.entity(rng), chosen[0].name, chosen[1].name, chosen[2].name, chosen)
        if e.name not in [other.name for other in entities]:
            entities.append(e)
    models = "models" if len(entities) == 1 and rng.random() < 0.5 else None
    used: set[str] = set()
    wanted = rng.choice([0, 1, 1, 2, 2, 3, 4])
    stems: set[str] = {"models", "__init__"}
    for e in entities:
        stem = models or e.one
        stems.add(stem)
        project.files[f"{package}/{stem}.py"] = _model_file(e, rng)
        for _ in range(rng.randint(1, 2)):
            module = names.module(rng)
            if module in stems:
                continue
            stems.add(module)
            sub = f"{package}/{names.word(rng)}" if rng.random() < 0.15 else package
            path = f"{sub}/{module}.py"
            here = min(wanted, rng.randint(0, 2) if len(project.files) < 3 else wanted)
            dotted = f"{package.replace('/', '.')}.{stem}"
            text, faults, functions = _module_file(path, e, dotted, rng, here, used)
            wanted -= len(faults)
            wanted = max(wanted, 0)
            project.files[path] = text
            project.faults += faults
            project.functions |= dict.fromkeys(functions, path)
    if rng.random() < 0.5:
        project.files[f"{package}/__init__.py"] = ""
    if rng.random() < TWIN_SHARE:
        base = rng.choice(project.modules).rpartition("/")[2]
        twin = f"{names.package(rng)}/{base}"
        if base != "__init__.py" and twin not in project.files:
            project.files[twin] = (
                f"def {names.verb(rng)}_{names.word(rng)}() -> int:\n    return {rng.randint(1, 99)}\n"
            )
    first = entities[0]
    project.files["README.md"] = _readme(name, first, package, rng)
    project.files["pyproject.toml"] = (
        f'[project]\nname = "{name.replace("_", "-")}"\n'
        f'version = "{rng.randint(0, 4)}.{rng.randint(0, 30)}.{rng.randint(0, 9)}"\n'
        f'requires-python = ">=3.{rng.randint(10, 13)}"\n'
    )
    project.config = _config(rng)
    project.config_file = rng.choice(
        [
            "config.json",
            "settings.json",
            f"{names.word(rng)}.json",
            f"data/{names.word(rng)}.json",
            "app.json",
        ]
    )
    project.files[project.config_file] = json.dumps(project.config, indent=2) + "\n"
    if rng.random() < 0.7:
        lines = [names.phrase(rng) for _ in range(rng.randint(2, 5))]
        where = rng.choice(
            ["notes.txt", "TODO.md", f"docs/{names.word(rng)}.md", f"{names.word(rng)}.txt", "CHANGES.txt"]
        )
        project.files[where] = "\n".join(lines) + "\n"
    if rng.random() < 0.5:
        rows = [f"{names.word(rng)},{rng.randint(1, 500)}" for _ in range(rng.randint(2, 5))]
        project.files[f"data/{first.many}.csv"] = f"{first.text},{first.count}\n" + "\n".join(rows) + "\n"
    if rng.random() < 0.5:
        line = f"print({json.dumps(names.phrase(rng))})"
        project.files[rng.choice(["main.py", "run.py", f"scripts/{names.verb(rng)}.py", "hello.py"])] = line + "\n"
    return project
