"""Work on code and files: new functions that are checked, names that change everywhere, conditions, several checks."""

import re
import tomllib
from functools import cache
from typing import Any

from punie_cli.agent.messages import OUTPUT_LINE, answer, program
from punie_cli.paths import shipped
from punie_cli.rows import names
from punie_cli.rows.intents import Script, Unsuitable, Voice, ask, count, intent, listed, quoted
from punie_cli.rows.intents.paths import folder, module, refused
from punie_cli.rows.project import Project


@cache
def _functions() -> list[dict[str, Any]]:
    """Small functions, each with its head and body (`{a}`, `{b}`, `{n}`, `{m}` inside) and ways to say what it does."""
    with shipped("rows", "functions.toml").open("rb") as file:
        return tomllib.load(file)["function"]


def _function(rng: Voice) -> tuple[str, str, str, str]:
    """Name, signature, code and what it does."""
    chosen = rng.choice(_functions())
    a, b = names.word(rng), names.word(rng)
    slots = {"a": a, "b": b if b != a else f"{b}s", "n": rng.randint(2, 30), "m": rng.randint(31, 900)}
    name = f"{rng.choice([names.verb(rng), names.word(rng)])}_{names.word(rng)}"
    signature = name + chosen["head"].format(**slots)
    code = f"def {signature}:\n    {chosen['body'].format(**slots)}\n"
    return name, signature, code, rng.choice(chosen["does"]).format(**slots)


@intent("work", 3)
def new_function(project: Project, rng: Voice) -> Script:
    new = f"{project.package}/{names.module(rng)}.py"
    if new in project.files:
        raise Unsuitable
    name, signature, code, does = _function(rng)
    yield ask(
        rng,
        """
        (add|write|create) a module {path} with a function {text} that {does}, and (see that it passes the type checker|type check it)
        write {path} with {text}: it {does}. (check its types|type check it afterwards|then run ty on it)
        {path} should define {text}, which {does}; (typecheck it|check the types when it is there)
        I need a typed function {text} in {path}. it {does}. make sure ty accepts it
        make {path}: one function, {text}, that {does}. check it with ty
        new module {path} please, {text} {does}, and the type checker must be happy
        create {path} with {text} - it {does} - and typecheck the file
        """,  # noqa: E501  (one wording a line)
        path=new,
        text=signature,
        does=does,
    )
    result = yield program(f'write_file("{new}", {quoted(code)})\nprint(typecheck("{new}"))')
    if refused(result):
        yield answer(f"Writing {new} was refused, so nothing was made.")
    elif result.text.startswith("no type errors"):
        yield answer(f"Created {new} with {name}. It has no type errors.")
    else:
        raise Unsuitable


@intent("work", 1.6)
def plain_function(project: Project, rng: Voice) -> Script:
    """Without a check that nobody asked for."""
    new = f"{rng.choice([project.package, 'tools', 'lib'])}/{names.module(rng)}.py"
    if new in project.files:
        raise Unsuitable
    name, signature, code, does = _function(rng)
    yield ask(
        rng,
        """
        (write|make|create) a module {path} with a (typed|) function {text}. it {does}
        {path}: a function {text} that {does}
        put {text} into a new file {path}; it {does}
        (write|create) {path} holding {text}, which {does}
        I want {text} in {path}, it {does}
        add {path} with the function {text} that {does}
        """,
        path=new,
        text=signature,
        does=does,
    )
    result = yield program(f'print(write_file("{new}", {quoted(code)}))')
    if refused(result):
        yield answer(f"Writing {new} was refused, so nothing was made.")
    else:
        yield answer(f"Created {new} with {name}.")


@intent("work", 1.6, alone=True)
def add_function(project: Project, rng: Voice) -> Script:
    """A function more in a module that is there."""
    paths = [p for p in project.modules if project.files[p] and p not in project.faulty()]
    if not paths:
        raise Unsuitable
    path = rng.choice(paths)
    name, signature, code, does = _function(rng)
    if name in project.files[path]:
        raise Unsuitable
    yield ask(
        rng,
        """
        add a function {text} to {path} that {does}
        {path} needs one more function: {text}, it {does}
        extend {path} by {text}, which {does}, and check the types
        put {text} at the end of {path}; it {does}
        append a function {text} to {path}. it {does}. typecheck it then
        in {path}, define {text} as well: it {does}
        """,
        path=path,
        text=signature,
        does=does,
    )
    result = yield program(
        f'text = read_file("{path}")\nwrite_file("{path}", text.rstrip() + {quoted(chr(10) * 3 + code)})\n'
        f'print(typecheck("{path}"))'
    )
    if refused(result):
        yield answer(f"The change to {path} was refused, so nothing was added.")
    elif result.text.startswith("no type errors"):
        yield answer(f"Added {name} to {path}. It has no type errors.")
    else:
        raise Unsuitable


@intent("work", 2, alone=True)
def rename_everywhere(project: Project, rng: Voice) -> Script:
    """Search, replace in each file that was found, search again."""
    if not project.functions:
        raise Unsuitable
    old = rng.choice(sorted(project.functions))
    new = f"{names.verb(rng)}_{names.word(rng)}"
    check, ask_check = rng.choice(
        [("", ""), ("typecheck()", ", then check the types"), ("test()", ", then run the tests")]
    )
    if check == "test()" and (not project.tests or project.bugs):
        raise Unsuitable
    yield ask(
        rng,
        """
        rename {old} to {new} (everywhere|wherever it occurs|in all files|in the whole project){then}
        the function {old} should be called {new}, change it everywhere{then}
        change the name {old} to {new} in every file{then}
        {old} is now {new}: rename it in all places{then}
        replace {old} by {new} in the whole project{then}
        call {old} {new} from now on, in all files{then}
        """,
        old=old,
        new=new,
        then=ask_check,
    )
    result = yield program(f'print(run_command(["grep", "-rlw", "{old}", "."]))')
    paths = sorted(line.removeprefix("./") for line in result.text.split())
    if result.error or not paths or not all(p.endswith((".py", ".md", ".txt")) for p in paths):
        raise Unsuitable
    last = f"print({check})" if check else 'print("renamed")'
    joined = ", ".join(f'"{path}"' for path in paths)
    result = yield program(
        f'for path in [{joined}]:\n    write_file(path, read_file(path).replace("{old}", "{new}"))\n{last}'
    )
    if refused(result):
        yield answer("The changes were refused, so nothing was renamed.")
    elif check == "test()":
        yield answer(f"Renamed {old} to {new} in {listed(paths)}. Tests: {result.text.strip().splitlines()[0]}.")
    elif check:
        yield answer(f"Renamed {old} to {new} in {listed(paths)}. The type check says:\n\n{OUTPUT_LINE}")
    else:
        yield answer(f"Renamed {old} to {new} in {listed(paths)}.")


@intent("work", 1.4, alone=True)
def set_constant(project: Project, rng: Voice) -> Script:
    found = [
        (path, name, value)
        for path, text in sorted(project.files.items())
        for name, value in re.findall(r"^([A-Z_]+): int = (\d+)$", text, re.MULTILINE)
    ]
    if not found:
        raise Unsuitable
    path, name, value = rng.choice(found)
    new = names.number(rng)
    yield ask(
        rng,
        """
        set {name} to {new} in {path}
        {name} in {path} should be {new}
        change {name} (from {value} |)to {new} in {path}
        make {name} {new} ({path})
        the limit {name} must be {new}, it is in {path}
        in {path}, {name} is {new} from now on
        """,
        path=path,
        name=name,
        new=new,
        value=value,
    )
    result = yield program(f'print(run_command(["grep", "-n", "^{name}", "{path}"]))')
    if f"{name}: int = {value}" not in result.text:
        raise Unsuitable
    result = yield program(
        f'text = read_file("{path}")\n'
        f'print(write_file("{path}", text.replace("{name}: int = {value}", "{name}: int = {new}")))'
    )
    if refused(result):
        yield answer(f"The change to {path} was refused, so {name} is still {value}.")
    else:
        yield answer(f"{name} in {path} is {new} now; it was {value}.")


@intent("work", 1.4)
def only_if_clean(project: Project, rng: Voice) -> Script:
    """A condition: written only if a check passes."""
    path = module(project, rng)
    new, text = f"{names.stem(rng)}.txt", names.phrase(rng)
    tool, words = rng.choice([("typecheck", "type errors"), ("lint", "lint findings")])
    yield ask(
        rng,
        """
        if {path} has no {words}, write "{text}" to {new}, otherwise do nothing
        write "{text}" to {new}, but only if {path} has no {words}
        only when {path} has no {words}: put "{text}" into {new}
        {new} with "{text}" please, provided that {path} has no {words}
        check {path}; without {words}, save "{text}" as {new}
        are there {words} in {path}? if not, write "{text}" to {new}
        """,
        path=path,
        words=words,
        text=text,
        new=new,
    )
    result = yield program(
        f'result = {tool}("{path}")\nif result.success:\n    write_file("{new}", {quoted(text + chr(10))})\n'
        f'    print("written")\nelse:\n    print(result)'
    )
    if refused(result):
        yield answer(f"{path} has no {words}, but writing {new} was refused.")
    elif result.text.startswith("written"):
        yield answer(f"{path} has no {words}, so {new} was written.")
    else:
        yield answer(f"{path} has {words}, so {new} was not written:\n\n{OUTPUT_LINE}")


@intent("work", 1.4)
def health(project: Project, rng: Voice) -> Script:
    if not project.tests:
        raise Unsuitable
    yield ask(
        rng,
        """
        health check: type errors, lint findings, passing tests
        three numbers please: type errors, ruff findings, tests that pass
        how many type errors, lint findings and passing tests do we have
        the state of the project in numbers: types, lint, tests
        count type errors, lint findings and tests that pass
        give me the figures of all three checks
        """,
    )
    result = yield program("print(typecheck().error_count, lint().count, test().passed)")
    if refused(result):
        yield answer("Running the tests was refused, so there are no figures.")
        return
    errors, found, passed = (int(number) for number in result.text.split())
    yield answer(f"Type errors: {errors}. Lint findings: {found}. Passing tests: {passed}.")


@intent("work", 1.2, alone=True)
def move_module(project: Project, rng: Voice) -> Script:
    """A file gets another name: written anew, the old one moved away by a command."""
    paths = [p for p in project.files if p.endswith((".txt", ".md", ".csv")) and "/" in p]
    if not paths:
        raise Unsuitable
    path = rng.choice(sorted(paths))
    new = f"{path.rpartition('/')[0]}/{names.stem(rng)}.{path.rpartition('.')[2]}"
    yield ask(
        rng,
        """
        rename {path} to {new}
        {path} should be called {new}
        move {path} to {new}
        the file {path} gets the name {new}
        give {path} the new name {new}
        mv {path} {new}
        """,
        path=path,
        new=new,
    )
    result = yield program(f'print(run_command(["mv", "{path}", "{new}"]).exit_code)')
    if refused(result):
        yield answer(f"The command was refused, so {path} has still its name.")
    elif result.text.strip() == "0":
        yield answer(f"Renamed {path} to {new}.")
    else:
        raise Unsuitable


@intent("work", 1.4, alone=True)
def count_where_defined(project: Project, rng: Voice) -> Script:
    """Find the file first, then count in it."""
    if not project.functions:
        raise Unsuitable
    name = rng.choice(sorted(project.functions))
    tool, field, thing = rng.choice([("typecheck", "error_count", "type error"), ("lint", "count", "lint finding")])
    yield ask(
        rng,
        """
        how many {thing}s has the file that defines {name}
        find the file with {name} and count its {thing}s
        the module where {name} is defined: how many {thing}s
        count the {thing}s of the module that {name} is in
        look up where {name} is and tell me how many {thing}s that file has
        number of {thing}s in the file of {name}
        """,
        name=name,
        thing=thing,
    )
    result = yield program(f'print(run_command(["grep", "-rl", "def {name}(", "."]))')
    paths = [line.removeprefix("./") for line in result.text.split()]
    if len(paths) != 1:
        raise Unsuitable
    result = yield program(f'print({tool}("{paths[0]}").{field})')
    yield answer(f"{name} is in {paths[0]}, which has {count(int(result.text), thing)}.")


@intent("work", 1.2, alone=True)
def compare_folder_counts(project: Project, rng: Voice) -> Script:
    path = folder(project, rng)
    yield ask(
        rng,
        """
        does {path} have type errors? if so, in which file is the first one
        which file of {path} has the first type error
        typecheck {path}: name the file of the first error
        the first type error of {path}, in which file is it
        in {path}, where does ty stumble first
        file of the first type error below {path}
        """,
        path=path,
    )
    result = yield program(
        f'result = typecheck("{path}")\nif result.errors:\n    print(result.errors[0].file, result.errors[0].line)\n'
        'else:\n    print("no type errors")'
    )
    if result.text.startswith("no type"):
        yield answer(f"There are no type errors in {path}.")
    else:
        file, line = result.text.split()
        yield answer(f"The first type error is in {file}, on line {line}.")
