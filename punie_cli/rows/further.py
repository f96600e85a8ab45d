"""One module more of a generated project, with the kinds of faults that `pieces` and `richer` do not have.

A missing None check, a missing await, wrong arguments of a call, an int for a float, misspelt names; a variable that
nobody uses, `!= None`, a bare except, an f-string without a placeholder.
"""

import json
from random import Random

from punie_cli.rows import names
from punie_cli.rows.modules import Bug, Fault
from punie_cli.rows.pieces import Entity, Swap
from punie_cli.rows.project import Project


def add_module(project: Project, rng: Random) -> None:
    """Add the module, and often its test, in place; nothing is added where its names are taken."""
    home, e = rng.choice(sorted(project.entities.items()))
    stem = f"{e.one}_{rng.choice(['office', 'planner', 'round', 'panel', 'queue', 'offers', 'checks', 'steps'])}"
    path, test_path = f"{project.package}/{stem}.py", f"tests/test_{stem}.py"
    word, message = names.word(rng), names.phrase(rng)
    up = f"{rng.choice(['raise', 'add_to', 'move', 'extend'])}_{e.count}"
    following = f"{rng.choice(['next', 'later', 'coming'])}_{e.count}"
    label = f"{e.text}_of_{e.one}"
    fetch, twice = f"fetch_{e.count}", f"{rng.choice(['double', 'twice'])}_{e.count}"
    mean, known, to_number = f"mean_{e.count}", f"knows_{e.one}", f"{e.count}_from_text"
    functions = [up, following, label, fetch, twice, mean, known, to_number, f"{word}_message"]
    if path in project.files or any(f"def {n}(" in text for n in functions for text in project.files.values()):
        return
    call, total = f"    return {up}({e.one}, step=step)", f"    total = sum({e.one}.{e.count} for {e.one} in {e.many})"
    mean_head, add = f"def {mean}({e.many}: list[{e.name}]) -> float:", f"    return {e.one}.{e.count} + step"
    found, awaited = f'    return found.{e.text}.strip() if found else ""', f"    return await {fetch}({e.one}) * 2"
    is_known, read = f"    return {e.many}.get(key) is not None", "    return int(text.strip())"
    says, caught = f"    return {json.dumps(message)}", "    except ValueError:"
    parts = [
        f"def {up}({e.one}: {e.name}, step: int) -> int:\n{add}\n\n\n"
        f"def {following}({e.one}: {e.name}, step: int = {rng.randint(2, 40)}) -> int:\n{call}\n",
        f"def {label}({e.many}: dict[str, {e.name}], key: str) -> str:\n    found = {e.many}.get(key)\n{found}\n",
        f"async def {fetch}({e.one}: {e.name}) -> int:\n    return {e.one}.{e.count}\n\n\n"
        f"async def {twice}({e.one}: {e.name}) -> int:\n{awaited}\n",
        f"{mean_head}\n{total}\n    return total / max(len({e.many}), 1)\n",
        f"def {known}({e.many}: dict[str, {e.name}], key: str) -> bool:\n{is_known}\n",
        f"def {to_number}(text: str) -> int:\n    try:\n    {read}\n{caught}\n        return 0\n",
        f"def {word}_message() -> str:\n{says}\n",
    ]
    first, *others = parts
    chosen = [first, *rng.sample(others, rng.randint(2, 3))]
    code = "\n\n".join(chosen)
    home_name = home.removesuffix(".py").replace("/", ".")
    doc = rng.choice(
        [f"Steps of {e.many.replace('_', ' ')}.", f"More about {e.many.replace('_', ' ')}.", "Small work."]
    )
    text = f'"""{doc}"""\n\nfrom {home_name} import {e.name}\n\n\n{code}'
    types: list[Swap] = [
        (call, f"    return {up}({e.one})"),
        (call, f"    return {up}({e.one}, stp=step)"),
        (call, f"    return {up}({e.one}, step=str(step))"),
        (call, f"    return {up}(step=step)"),
        (add, f"    return {e.one}.{e.count[:-1]} + step"),
        (found, f"    return found.{e.text}.strip()"),
        (found, f'    return found.{e.text}.stripped() if found else ""'),
        (awaited, f"    return {fetch}({e.one}) * 2"),
        (mean_head, mean_head.replace("-> float", "-> int")),
        (read, "    return text.strip()"),
        (is_known, f"    return {e.many}.fetch(key) is not None"),
        (total, total.replace(f" in {e.many}", f" in {e.many[:-1]}s_list")),
    ]
    style: list[Swap] = [
        (is_known, is_known.replace("is not None", "!= None")),
        (caught, "    except:"),
        (says, says.replace('return "', 'return f"')),
        ("", f"    size = len({e.many})\n"),
        ("", f"import {rng.choice(['os', 'sys', 're', 'json', 'math', 'time', 'random', 'string'])}\n\n"),
    ]
    roll = rng.random()
    if roll < 0.42:
        text = _swapped(project.faults, path, text, [s for s in types if s[0] in text], rng)
    elif roll < 0.68:
        text = _swapped(project.style, path, text, style, rng)
        if "!= None" in text:
            # Not one of ruff's own rules any more: a project has to ask for it.
            project.files["pyproject.toml"] += '\n[tool.ruff.lint]\nextend-select = ["E711"]\n'
    elif roll < 0.86:
        wrong = add.replace("+", "-")
        text = text.replace(add, wrong)
        project.bugs.append(Bug(path, wrong, add, test_path, f"test_{up}"))
    if roll >= 0.6:
        project.files[test_path] = _test(path, up, home_name, e, rng)
    project.files[path] = text
    _sorted_imports(project)
    project.functions |= {name: path for name in functions if f"def {name}(" in text}


def _swapped(faults: list[Fault], path: str, text: str, swaps: list[Swap], rng: Random) -> str:
    """The text with one fault or two; they are noted in `faults`."""
    wanted = rng.choice([1, 1, 2])
    done: set[str] = set()
    for right, wrong in rng.sample(swaps, len(swaps)):
        if len(done) == wanted:
            break
        if not right:
            new = _put_in(text, wrong)
        else:
            # A second fault on the same line would be one that nobody can mend by the first.
            new = text.replace(right, wrong) if right not in done and text.count(right) == 1 else text
        if new != text and new.count(wrong.strip()) == 1:
            text = new
            done.add(right or wrong)
            faults.append(Fault(path, wrong, right))
    return text


def _put_in(text: str, line: str) -> str:
    """The text with a line more: an import below the docstring, a variable before a total."""
    if line.startswith("import"):
        return text.replace("\n\nfrom ", f"\n\n{line}from ", 1)
    return text.replace("    total = ", f"{line}    total = ", 1)


def _sorted_imports(project: Project) -> None:
    """The class of `richer` has its imports in one block, a finding that no one put in: no folder would be clean."""
    for path, text in project.files.items():
        project.files[path] = text.replace("abc import Iterator\nfrom ", "abc import Iterator\n\nfrom ")


def _test(path: str, name: str, home: str, e: Entity, rng: Random) -> str:
    base, step = rng.randint(20, 90), rng.randint(2, 15)
    dotted = path.removesuffix(".py").replace("/", ".")
    imports = sorted([f"from {dotted} import {name}", f"from {home} import {e.name}"])
    made = e.make(rng, count=base)
    return (
        "\n".join(imports) + f"\n\n\ndef test_{name}() -> None:\n    assert {name}({made}, {step}) == {base + step}\n"
    )
