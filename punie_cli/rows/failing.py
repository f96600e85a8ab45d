"""More that fails in a generated project: tests that end with one of several exceptions, are left out, or cannot start.

The tests stand alone: no module of the package has to be mended for them, and no checker says anything about them.
"""

import json
from random import Random

from punie_cli.rows import names
from punie_cli.rows.project import Project


def add_failing(project: Project, rng: Random) -> None:
    """Add one or two test files, in place; one in four projects stays as it is."""
    if rng.random() < 0.25:
        return
    for _ in range(rng.choice([1, 1, 2])):
        stem = f"{names.word(rng)}_{rng.choice(['input', 'limits', 'lookup', 'numbers', 'texts', 'order', 'smoke'])}"
        path = f"tests/test_{stem}.py"
        if path not in project.files:
            project.files[path] = _tests(rng)
    if rng.random() < 0.12:
        word = names.word(rng)
        project.files[f"tests/test_{word}_start.py"] = (
            f"import importlib\n\n{word} = importlib.import_module({json.dumps(word + '_missing')})\n\n\n"
            f"def test_{word}() -> None:\n    assert {word}\n"
        )


def _tests(rng: Random) -> str:
    kinds = rng.sample(_KINDS, 2)
    bodies = [_body(rng.choice(kinds) if rng.random() < 0.6 else "pass", rng) for _ in range(rng.randint(2, 4))]
    if rng.random() < 0.3:
        bodies.append(f'    raise SkipTest("needs {names.word(rng)}")\n')
    used: list[str] = []
    while len(used) < len(bodies):
        name = f"test_{names.verb(rng)}_{names.word(rng)}"
        if name not in used:
            used.append(name)
    cases = [f"def {name}() -> None:\n{body}" for name, body in zip(used, bodies, strict=True)]
    head = "from unittest import SkipTest\n\n\n" if "SkipTest" in bodies[-1] else ""
    return head + "\n\n".join(cases)


_KINDS = ("ValueError", "ValueError", "KeyError", "IndexError", "ZeroDivisionError", "RuntimeError")


def _body(kind: str, rng: Random) -> str:
    word, other, n = names.word(rng), names.word(rng), rng.randint(2, 60)
    if kind == "ValueError":
        wrong = rng.choice([f"{n} {word}", word, f"{n},{rng.randint(1, 9)}", ""])
        return f"    text = {json.dumps(wrong)}\n    assert int(text) == {n}\n"
    if kind == "KeyError":
        return f'    known = {{"{word}": {n}}}\n    assert known["{other}s"] == {n}\n'
    if kind == "IndexError":
        return f'    rows = ["{word}", "{other}"]\n    assert rows[{rng.randint(2, 5)}] == "{other}"\n'
    if kind == "ZeroDivisionError":
        return f"    parts = [part for part in [{n}] if part > {n + 1}]\n    assert {n} / len(parts) == 1\n"
    if kind == "RuntimeError":
        return f'    if len("{word}") < {len(word) + n}:\n        raise RuntimeError("{word} is not ready")\n'
    return f'    assert "{word}".upper().lower() == "{word}"\n'
