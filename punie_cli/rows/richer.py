"""What makes a generated project more like a real one: a class with methods, longer texts, TOML, tables, scripts.

The kinds of faults here are others than those of `pieces`; each is again a wrong text with the one that mends it.
"""

from random import Random

from punie_cli.rows import names
from punie_cli.rows.modules import Fault
from punie_cli.rows.pieces import Entity
from punie_cli.rows.project import Project


def enrich(project: Project, rng: Random) -> None:
    """Add files to a project, in place."""
    path, e = rng.choice(sorted(project.entities.items()))
    _store(project, path, e, rng)
    _toml(project, rng)
    _table(project, rng)
    _texts(project, e, rng)
    if rng.random() < 0.7:
        _script(project, rng)


def _store(project: Project, home: str, e: Entity, rng: Random) -> None:
    stem = f"{e.one}_{rng.choice(['store', 'book', 'index', 'shelf', 'box', 'log', 'pool', 'desk'])}"
    path = f"{project.package}/{stem}.py"
    name = "".join(part.capitalize() for part in stem.split("_"))
    add, find, total = rng.choice(["add", "put", "keep"]), rng.choice(["get", "find", "by_key"]), f"{e.count}_total"
    text = f'''"""{rng.choice(["Keeps", "Holds", "Collects"])} {e.many.replace("_", " ")} by {e.text}."""

from collections.abc import Iterator
from {home.removesuffix(".py").replace("/", ".")} import {e.name}

{e.one.upper()}_LIMIT: int = {names.number(rng)}


class {name}:
    """{e.name} objects by their {e.text}."""

    def __init__(self, title: str = "{names.word(rng)}") -> None:
        self.title = title
        self._items: dict[str, {e.name}] = {{}}

    def {add}(self, {e.one}: {e.name}) -> None:
        """Put one in; one of the same {e.text} is replaced."""
        self._items[{e.one}.{e.text}] = {e.one}

    def {find}(self, key: str) -> {e.name} | None:
        """The one with this {e.text}, or None."""
        return self._items.get(key)

    def __iter__(self) -> Iterator[{e.name}]:
        return iter(self._items.values())

    @property
    def is_full(self) -> bool:
        """Whether the limit is reached."""
        return len(self._items) >= {e.one.upper()}_LIMIT

    def {total}(self) -> int:
        """Sum of {e.count} over all."""
        return sum({e.one}.{e.count} for {e.one} in self)

    async def describe(self) -> str:
        """One line about what is in here."""
        return f"{{self.title}}: {{len(self._items)}} {e.many.replace("_", " ")}"
'''
    swaps = [
        (f"def {find}(self, key: str) -> {e.name} | None:", f"def {find}(self, key: str) -> {e.name}:"),
        (f"def {total}(self) -> int:", f"def {total}(self) -> str:"),
        ("return self._items.get(key)", "return self._items.fetch(key)"),
        (f"return sum({e.one}.{e.count} for {e.one} in self)", f"return sum({e.one}.{e.count}s for {e.one} in self)"),
        (f"self._items[{e.one}.{e.text}] = {e.one}", f"self._items[{e.one}.{e.count}] = {e.one}"),
        (f"return len(self._items) >= {e.one.upper()}_LIMIT", f"return len(self._items) >= {e.one.upper()}_LIMITS"),
        ("return iter(self._items.values())", "return iter(self._items)"),
    ]
    for right, wrong in rng.sample(swaps, rng.choice([0, 0, 1, 1, 1, 2])):
        text = text.replace(right, wrong)
        project.faults.append(Fault(path, wrong, right))
    if rng.random() < 0.4:
        unused = f"import {rng.choice(['os', 'sys', 're', 'json', 'math', 'time'])}\n"
        text = text.replace("from collections.abc", unused + "from collections.abc", 1)
        project.style.append(Fault(path, unused, ""))
    project.files[path] = text


def _toml(project: Project, rng: Random) -> None:
    sections: dict[str, dict[str, object]] = {}
    lines = []
    for _ in range(rng.randint(2, 3)):
        section = names.word(rng)
        values: dict[str, object] = {}
        for _ in range(rng.randint(2, 3)):
            key = f"{rng.choice(['max', 'min', 'daily', 'first', 'last', 'base'])}_{names.word(rng)}"
            values[key] = rng.choice([names.number(rng), names.word(rng), rng.random() < 0.5])
        sections[section] = values
        lines += [f"[{section}]", *(f"{key} = {_literal(value)}" for key, value in values.items()), ""]
    project.toml_file = rng.choice(["settings.toml", "conf/defaults.toml", f"{names.word(rng)}.toml", "presets.toml"])
    project.toml = sections
    project.files[project.toml_file] = "\n".join(lines).rstrip("\n") + "\n"


def _literal(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int) else f'"{value}"'


def _table(project: Project, rng: Random) -> None:
    columns = [
        rng.choice(["name", "id", "place", "member"]),
        *rng.sample(["day", "points", "weight", "rounds", "fee"], 2),
    ]
    rows = []
    for _ in range(rng.randint(3, 7)):
        numbers = [str(rng.randint(1, 400)) for _ in columns[1:]]
        rows.append([names.word(rng), *numbers])
    project.table_file = f"{rng.choice(['data', 'results', 'lists', 'records'])}/{names.stem(rng)}.csv"
    project.table = [columns, *rows]
    project.files[project.table_file] = "".join(",".join(row) + "\n" for row in project.table)


def _texts(project: Project, e: Entity, rng: Random) -> None:
    word, other, third = (names.word(rng) for _ in range(3))
    run, rules = rng.choice(["Usage", "How to run it", "Start"]), rng.choice(["Notes", "Rules", "Contributing"])
    project.files["README.md"] += (
        f"\n## {run}\n\n    python -m {project.package.replace('/', '.')} --{word}\n\n"
        f"## {rules}\n\n- {names.phrase(rng)}\n"
        f"- every {e.one.replace('_', ' ')} needs a {e.text}\n- ask {other.capitalize()} about {third}\n"
    )
    version = [rng.randint(0, 3), rng.randint(1, 20), rng.randint(0, 9)]
    entries = []
    for _ in range(rng.randint(2, 3)):
        entries.append(f"## {'.'.join(map(str, version))}\n\n- {names.phrase(rng)}\n")
        version[1] -= 1
    project.files["CHANGELOG.md"] = "# Changes\n\n" + "\n".join(entries)


def _script(project: Project, rng: Random) -> None:
    path = f"{rng.choice(['tools', 'bin', 'scripts'])}/{names.verb(rng)}_{names.word(rng)}.py"
    a, b = rng.randint(3, 40), rng.randint(3, 40)
    word = names.word(rng)
    project.script, project.script_total = path, a * b
    project.files[path] = (
        f'"""Prints the {word} table."""\n\nimport sys\n\nfor step in range(1, {rng.randint(3, 5)}):\n'
        f'    print("{word}", step, step * {a})\nprint("total", {a} * {b})\n'
        f'print("{names.word(rng)} is old", file=sys.stderr)\n'
    )
