"""Generated fixture projects: small, typed Python packages with realistic names, files, tests and faults.

Each fault is a text that a checker or a test rejects together with the text that mends it, so that fixes can be
generated too. What a tool says about it is never assumed: rows record what it said.
"""

import json
from random import Random

from punie_cli.rows import names
from punie_cli.rows.failing import add_failing
from punie_cli.rows.further import add_module
from punie_cli.rows.looks import add_looks
from punie_cli.rows.mishaps import mishaps
from punie_cli.rows.modules import Plan, make_module, model_text
from punie_cli.rows.pieces import Entity, entity
from punie_cli.rows.project import Project
from punie_cli.rows.richer import enrich
from punie_cli.rows.values import add_values

# Of the projects, so many have two files of one name.
TWIN_SHARE = 0.15
TESTS_SHARE = 0.55
BUG_SHARE = 0.6
# Seeds from here on give a project that `richer` adds to; rows of phases 22 and 23 have lower ones.
RICHER = 10**9
# From here on there is one module more: projects of rows that are kept must stay as they were.
FURTHER = 2 * RICHER
# From here on most projects have more tests that fail.
FAILING = 3 * RICHER
# From here on there are files of which nobody can guess the words.
LOOKING = 6 * RICHER
# From here on there are more files with values in them, and no more tests than before.
VALUES = 7 * RICHER
# From here on a project is small modules with something to mend, and nothing else.
MENDING = 8 * RICHER


_KEYS = (
    "port", "host", "debug", "currency", "retries", "timeout", "language", "theme", "region", "page_size", "version",
    "owner", "log_level", "cache_size", "title", "workers", "interval", "unit", "max_items", "color", "mode",
)  # fmt: skip


def config_keys() -> tuple[str, ...]:
    """All keys that configuration files may have."""
    return _KEYS


def _config(rng: Random) -> dict[str, object]:
    keys = rng.sample(_KEYS, rng.randint(3, 5))
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


def _readme(name: str, e: Entity, package: str, rng: Random) -> str:
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
    """The project of a seed: always the same files. About one in six has no fault at all."""
    rng = Random(f"project-{seed}")
    name, package = names.project(rng), names.package(rng)
    project = Project(name, package, {})
    if seed >= MENDING:
        return mishaps(project).project
    entities: list[Entity] = []
    for _ in range(rng.randint(1, 2)):
        e = entity(rng)
        if e.name not in [other.name for other in entities]:
            entities.append(e)
    _code(project, entities, rng)
    if rng.random() < 0.5:
        project.files[f"{package}/__init__.py"] = ""
    if rng.random() < TWIN_SHARE:
        base = rng.choice(project.modules).rpartition("/")[2]
        twin = f"{names.package(rng)}/{base}"
        if base != "__init__.py" and twin not in project.files:
            verb = f"{names.verb(rng)}_{names.word(rng)}"
            project.files[twin] = f"def {verb}() -> int:\n    return {rng.randint(1, 99)}\n"
    _others(project, entities[0], rng)
    if seed >= RICHER:
        enrich(project, Random(f"richer-{seed}"))
    if seed >= FURTHER:
        add_module(project, Random(f"more-{seed}"))
    if FAILING <= seed < VALUES:
        add_failing(project, Random(f"failing-{seed}"))
    if LOOKING <= seed < VALUES:
        add_looks(project)
    if seed >= VALUES:
        add_values(project, Random(f"values-{seed}"))
    return project


def _code(project: Project, entities: list[Entity], rng: Random) -> None:
    """The modules of the package, and tests of one or more of them."""
    package = project.package
    models = "models" if len(entities) == 1 and rng.random() < 0.5 else None
    types, style = rng.choice([0, 0, 1, 1, 2, 2, 3]), rng.choice([0, 0, 1, 1, 2, 3])
    tested = rng.random() < TESTS_SHARE
    bug = tested and rng.random() < BUG_SHARE
    used: set[str] = set()
    stems = {"models", "__init__"}
    for e in entities:
        stem = models or e.one
        stems.add(stem)
        project.files[f"{package}/{stem}.py"] = model_text(e, rng)
        project.entities[f"{package}/{stem}.py"] = e
        home = f"{package.replace('/', '.')}.{stem}"
        for _ in range(rng.randint(1, 2)):
            module = names.module(rng)
            if module in stems:
                continue
            stems.add(module)
            sub = f"{package}/{names.word(rng)}" if rng.random() < 0.15 else package
            # Type errors in a module with a failing test would be two things to mend at once.
            here = 0 if bug else min(types, rng.choice([0, 1, 1, 2]))
            plan = Plan(here, min(style, rng.choice([0, 1, 1, 2])), tested, bug)
            made = make_module(f"{sub}/{module}.py", e, home, rng, plan, used)
            types, style = types - len(made.types), max(style - len(made.style), 0)
            tested, bug = tested and rng.random() < 0.5, bug and not made.bugs
            project.files[made.path] = made.text
            project.faults += made.types
            project.style += made.style
            project.bugs += made.bugs
            project.functions |= dict.fromkeys(made.functions, made.path)
            if made.test_path:
                project.files[made.test_path] = made.test_text


def _others(project: Project, e: Entity, rng: Random) -> None:
    """Everything that is not code of the package."""
    files = project.files
    files["README.md"] = _readme(project.name, e, project.package, rng)
    files["pyproject.toml"] = (
        f'[project]\nname = "{project.name.replace("_", "-")}"\n'
        f'version = "{rng.randint(0, 4)}.{rng.randint(0, 30)}.{rng.randint(0, 9)}"\n'
        f'requires-python = ">=3.{rng.randint(10, 13)}"\n'
    )
    project.config = _config(rng)
    own = [f"{names.word(rng)}.json", f"data/{names.stem(rng)}.json", f"{names.stem(rng)}.json"]
    project.config_file = rng.choice(["config.json", "settings.json", "app.json", *own])
    files[project.config_file] = json.dumps(project.config, indent=2) + "\n"
    if rng.random() < 0.7:
        lines = [names.phrase(rng) for _ in range(rng.randint(2, 5))]
        own = [f"docs/{names.stem(rng)}.md", f"{names.stem(rng)}.txt", f"{names.word(rng)}.txt"]
        files[rng.choice(["notes.txt", "TODO.md", "CHANGES.txt", *own])] = "\n".join(lines) + "\n"
    if rng.random() < 0.5:
        rows = [f"{names.word(rng)},{rng.randint(1, 500)}" for _ in range(rng.randint(2, 5))]
        files[f"data/{e.many}.csv"] = f"{e.text},{e.count}\n" + "\n".join(rows) + "\n"
    if rng.random() < 0.5:
        path = rng.choice(["main.py", "run.py", "hello.py", f"scripts/{names.verb(rng)}.py", f"{names.word(rng)}.py"])
        words = json.dumps(names.phrase(rng))
        files[path] = f"raise SystemExit({words})\n" if rng.random() < 0.25 else f"print({words})\n"
