"""Changes to code that is there: a parameter, a docstring, a TODO, a name, a number that stands in two places.

The code is read first, then exactly what was asked for is replaced, and nothing else.
"""

import re

from punie_cli.agent.messages import OUTPUT_LINE, Message, answer, program
from punie_cli.rows import names
from punie_cli.rows.intents import Script, Unsuitable, Voice, ask, intent, listed, quoted
from punie_cli.rows.intents.paths import refused
from punie_cli.rows.intents.writes import told
from punie_cli.rows.project import Project
from punie_cli.rows.values import values_of

_FUNCTION = re.compile(r"^def (\w+)\(([^()\n]*)\) -> (\w+):\n    return (.+)\n", re.MULTILINE)


def _function(project: Project, rng: Voice) -> tuple[str, re.Match[str]]:
    """A function of one line in a module without type errors, and its path."""
    found = [
        (path, match)
        for path in project.modules
        if path not in project.faulty() and project.files[path].count("\n") < 60
        for match in _FUNCTION.finditer(project.files[path])
    ]
    if not found:
        raise Unsuitable
    path, match = rng.choice(found)
    head = match[0].splitlines()[0]
    if project.files[path].count(head) != 1 or project.files[path].count(f"return {match[4]}") != 1:
        raise Unsuitable
    return path, match


@intent("exact", 2, alone=True)
def exact_parameter(project: Project, rng: Voice) -> Script:
    path, match = _function(project, rng)
    name, parameters, kind, value = match[1], match[2], match[3], match[4]
    word = names.word(rng)
    if kind in ("int", "float") and re.fullmatch(r"[\w.]+(\(.*\)| \+ \w+)?", value):
        new, effect = rng.choice(
            [
                (f"{word}: int = {rng.choice([0, 0, 1, 5])}", f"{word} is added to what it returns"),
                (f"{word}: int = 0", f"the result goes up by {word}"),
            ]
        )
        returned = f"{value} + {word}"
    elif kind == "str" and not re.search(r" (if|or|and) ", value):
        before = rng.random() < 0.5
        new = f'{word}: str = "{rng.choice(["", "", "-", "> "])}"'
        effect = f"{word} goes in front of what it returns" if before else f"{word} goes behind what it returns"
        returned = f"{word} + {value}" if before else f"{value} + {word}"
    else:
        new = rng.choice([f"{word}: bool = False", f"{word}: int = {rng.randint(1, 90)}", f"{word}: str | None = None"])
        effect, returned = rng.choice(["it is not used yet", "do not use it yet", "leave the body alone"]), value
    if word in project.files[path] or not parameters or parameters.endswith(","):
        raise Unsuitable
    yield ask(
        rng,
        """
        give {name} in {path} a parameter {new}; {effect}. typecheck it
        add a parameter {new} to {name} in {path}, {effect}. then typecheck
        {path}: {name} gets {new} as last parameter, {effect}. check the types
        {name} in {path} needs one more parameter, {new}. {effect}. run ty
        (new|another|one more) parameter for {name}, {path}: {new}. {effect}. ty afterwards
        let {name} in {path} take {new} too; {effect}. type check the file
        in {path} add {new} to the parameters of {name}. {effect}. then ty
        {name}, {path}: add {new} at the end of the signature, {effect}, and typecheck
        extend the signature of {name} in {path} by {new}; {effect}. check with ty
        {name} should accept {new}. {effect}. it is in {path}, typecheck it then
        make {name} in {path} accept {new}: {effect}. the types must check
        I want to pass {new} to {name}, see {path}; {effect}. run the type checker
        callers of {name} in {path} want {new}. {effect}. add it, typecheck
        {path} / {name}: optional {new}, {effect}. verify the types
        put {new} behind the other parameters of {name} in {path}. {effect}. typecheck
        """,
        path=path,
        name=name,
        new=new if rng.random() < 0.5 else f"`{new}`",
        effect=effect,
    )
    result = yield program(f'print(read_file("{path}"))')
    head = f"def {name}({parameters}) -> {kind}:"
    if head not in result.text:
        raise Unsuitable
    lines = [f'text = read_file("{path}")']
    lines.append(f"text = text.replace({quoted(head)}, {quoted(f'def {name}({parameters}, {new}) -> {kind}:')})")
    if returned != value:
        lines.append(f"text = text.replace({quoted(f'return {value}')}, {quoted(f'return {returned}')})")
    lines += [f'write_file("{path}", text)', f'print(typecheck("{path}"))']
    result = yield program("\n".join(lines))
    if refused(result):
        yield answer(f"The change to {path} was refused, so {name} is as it was.")
    elif result.text.startswith("no type errors"):
        yield answer(f"{name} in {path} now takes {new}. The file has no type errors.")
    else:
        raise Unsuitable


def _doc(rng: Voice) -> str:
    a, b, c = (names.word(rng) for _ in range(3))
    verb = names.verb(rng).capitalize()
    return rng.choice(
        [
            f"{verb} the {a} {b}.",
            f"Used by the {a} page, see {b}.",
            f"Returns what the {a} needs; never {b}.",
            f"{a.capitalize()} first, then {b}, then {c}.",
            f"Only for {a}: the {b} has its own.",
            f"Not {a}, but {b}: see issue {rng.randint(10, 999)}.",
            f"{verb}s {a} and {b}, without {c}.",
            f"The {a}'s {b}, as {c.capitalize()} wanted it.",
        ]
    )


@intent("exact", 1.6, alone=True)
def exact_docstring(project: Project, rng: Voice) -> Script:
    path, match = _function(project, rng)
    name, text = match[1], _doc(rng)
    head = match[0].splitlines()[0]
    yield ask(
        rng,
        """
        add the docstring "{text}" to {name} in {path}
        docstring for {name} in {path}: {text}
        {path}: {name} gets the docstring "{text}"
        {name} in {path} has no docstring. put in: {text}
        document {name} in {path} with "{text}"
        give {name} in {path} this docstring: {text}
        in {path} the function {name} should have the docstring "{text}"
        write "{text}" as docstring of {name}, {path}
        {name} needs documentation, file {path}. docstring: {text}
        (say|explain) in the docstring of {name} in {path}: {text}
        let the docstring of {name} in {path} be "{text}"
        the linter wants a docstring for {name} in {path}: {text}
        put a docstring under def {name} in {path}, exactly "{text}"
        as docstring for {name} in {path} take "{text}"
        below the def of {name} in {path} insert the docstring "{text}"
        """,
        path=path,
        name=name,
        text=text,
    )
    result = yield program(f'print(read_file("{path}"))')
    if head not in result.text:
        raise Unsuitable
    new = f'{head}\n    """{text}"""\n'
    result = yield program(
        f'text = read_file("{path}")\ntext = text.replace({quoted(head + chr(10))}, {quoted(new)})\n'
        f'print(write_file("{path}", text))'
    )
    yield answer(told(result, path, f"{name} in {path} has the docstring now."))


@intent("exact", 1.4, alone=True)
def exact_todo(project: Project, rng: Voice) -> Script:
    """The line is looked up first; in one file of four or so there is none."""
    with_one = [path for path in project.modules if project.files[path].count("TODO") == 1]
    if with_one and rng.random() < 0.85:
        path = rng.choice(with_one)
    elif rng.random() < 0.1:
        path = rng.choice(project.modules)
    else:
        raise Unsuitable
    yield ask(
        rng,
        """
        remove the TODO (in|from) {path}
        {path}: the TODO (can go|is done)
        the TODO in {path} is (done|obsolete|settled), (remove|delete|drop) it
        drop the todo comment from {path}
        (delete|cut|strike) the TODO line of {path}
        no more TODO in {path}
        I did what the TODO in {path} says, take it out
        there's a TODO left in {path}, get rid of it
        {path} still has a TODO, remove the line
        (clean up|tidy) {path}: the TODO comment goes, nothing else
        take the TODO out of {path}
        {path} without its TODO, please
        kill the TODO in {path}
        we don't need the todo in {path} any more
        that TODO in {path} was finished long ago, away with it
        the comment with TODO in {path} should disappear
        find the TODO in {path} and remove it
        """,
        path=path,
    )
    result = yield program(
        f'for line in read_file("{path}").splitlines():\n    if "TODO" in line:\n        print(line)'
    )
    lines = result.text.splitlines()
    if not lines:
        yield answer(f"There is no TODO in {path}, so I changed nothing.")
        return
    if len(lines) > 1 or not lines[0].startswith("# TODO"):
        raise Unsuitable
    result = yield program(
        f'text = read_file("{path}").replace({quoted(lines[0] + chr(10))}, "")\nprint(write_file("{path}", text))'
    )
    yield answer(told(result, path, f"Removed the line `{lines[0]}` from {path}."))


def _tests(result: Message) -> str:
    """The counts, with all of the output where a test fails."""
    first = result.text.strip().splitlines()[0]
    return f"Tests: {first}." if re.fullmatch(r"\d+ passed", first) else f"The tests say:\n\n{OUTPUT_LINE}"


@intent("exact", 1.8, alone=True)
def exact_rename(project: Project, rng: Voice) -> Script:
    """Search, replace in each file that was found, then the check that was asked for."""
    if not project.functions:
        raise Unsuitable
    old = rng.choice(sorted(project.functions))
    new = rng.choice(
        [f"{names.verb(rng)}_{names.word(rng)}", f"{names.word(rng)}_{names.word(rng)}", f"{old}_{names.word(rng)}"]
    )
    check, then = rng.choice(
        [
            ("test()", ". run the tests (then|afterwards|when done)"),
            ("test()", " and run the tests"),
            ("test()", "; the tests must still pass"),
            ("typecheck()", ". typecheck (then|afterwards)"),
            ("typecheck()", " and run ty over the project"),
            ("typecheck()", "; the type check must stay clean"),
        ]
    )
    if (check == "test()" and not project.tests) or any(new in t for t in project.files.values()):
        raise Unsuitable
    forms = """
        rename the function {old} to {new} (in every file|everywhere|project-wide|with all its uses)THEN
        {old} -> {new}, everywhere it is usedTHEN
        {old} is a bad name, {new} is better. change it wherever it standsTHEN
        from now on {old} is called {new}, in (all files|the tests too)THEN
        call {old} {new} instead, (in all files|across the repo)THEN
        refactor: {old} becomes {new}, definition and callersTHEN
        I want {old} renamed to {new}, tests includedTHEN
        the function {old} gets the name {new}, update every callTHEN
        change every {old} into {new}THEN
        no more {old}: it is {new} now, everywhereTHEN
        replace the name {old} by {new} across all filesTHEN
        {new} instead of {old}, in the code and the testsTHEN
        let's name it {new} rather than {old}, the whole projectTHEN
        rename {old} into {new} throughoutTHEN
        """
    yield ask(rng, forms.replace("THEN", then), old=old, new=new)
    result = yield program(f'print(run_command(["grep", "-rlw", "{old}", "."]))')
    paths = sorted(line.removeprefix("./") for line in result.text.split())
    if result.error or not paths or not all(path.endswith((".py", ".md", ".txt")) for path in paths):
        raise Unsuitable
    joined = ", ".join(f'"{path}"' for path in paths)
    result = yield program(
        f'for path in [{joined}]:\n    write_file(path, read_file(path).replace("{old}", "{new}"))\nprint({check})'
    )
    if refused(result):
        yield answer("The changes were refused, so nothing was renamed.")
    elif check == "test()":
        yield answer(f"Renamed {old} to {new} in {listed(paths)}. {_tests(result)}")
    else:
        yield answer(f"Renamed {old} to {new} in {listed(paths)}. {_TYPES}")


def _places(project: Project, rng: Voice) -> tuple[tuple[str, str, str], tuple[str, str, str]]:
    """Path, line and key of a number in the code and of one in a file of settings; the same key where there is one."""
    numbers = [value for value in values_of(project) if value.kind == "number"]
    code = [value for value in numbers if value.path.endswith(".py")]
    other = [value for value in numbers if not value.path.endswith(".py")]
    pairs = [(a, b) for a in code for b in other if a.key.lower() == b.key.lower()]
    if not pairs and code and other:
        pairs = [(rng.choice(code), rng.choice(other))]
    if not pairs:
        raise Unsuitable
    a, b = rng.choice(pairs)
    return (a.path, a.line, a.key), (b.path, b.line, b.key)


_THEN_TESTS = ("then run the tests", "run the tests after that", "tests then", "then pytest", "run all tests when done")
_THEN_TYPES = (
    "then typecheck",
    "run ty after that",
    "type check everything then",
    "then ty",
    "check the types when done",
)
_TYPES = f"The type check says:\n\n{OUTPUT_LINE}"


@intent("exact", 2, alone=True)
def exact_two_places(project: Project, rng: Voice) -> Script:
    (path, line, key), (path2, line2, key2) = _places(project, rng)
    check, then = ("test()", rng.choice(_THEN_TESTS)) if project.tests else ("typecheck()", rng.choice(_THEN_TYPES))
    new = str(names.number(rng))
    right, right2 = (re.sub(r"\d+$", new, text) for text in (line, line2))
    if right in project.files[path] or right2 in project.files[path2]:
        raise Unsuitable
    yield ask(
        rng,
        """
        set {key} in {path} and {key2} in {path2} to {new}, {then}
        {key} in {path} and {key2} in {path2} should both be {new}; {then}
        {new} for {key} in {path} and for {key2} in {path2}; {then}
        change {key2} in {path2} to {new}, and {key} in {path} as well. {then}
        the number stands in two places: {key} in {path}, {key2} in {path2}. make both {new}, {then}
        (raise or lower|bring|put) {key} in {path} and {key2} in {path2} to {new}, {then}
        {path}: {key} {new}. {path2}: {key2} {new}. {then}
        it is {new} from now on, in {path} for {key} and in {path2} for {key2}. {then}
        update {key} in {path} to {new}, keep {path2} in step with {key2} {new}, {then}
        both {key} in {path} and {key2} in {path2} are out of date: {new}. {then}
        {new} is the new number in {path} for {key} and in {path2} for {key2}. {then}
        code and settings must agree on {new}: {key} in {path}, {key2} in {path2}. {then}
        put {new} at both places, {key} in {path} and {key2} in {path2}; {then}
        {key}, {path}, and {key2}, {path2}: {new}. {then}
        I need {new} as {key} in {path} and as {key2} in {path2}. {then}
        """,
        path=path,
        key=key,
        path2=path2,
        key2=key2,
        new=new,
        then=then,
    )
    result = yield program(f'print(read_file("{path}"))\nprint(read_file("{path2}"))')
    if line not in result.text or line2 not in result.text:
        raise Unsuitable
    changes = "".join(
        f'text = read_file("{file}").replace({quoted(old)}, {quoted(now)})\nwrite_file("{file}", text)\n'
        for file, old, now in ((path, line, right), (path2, line2, right2))
    )
    result = yield program(f"{changes}print({check})")
    if refused(result):
        yield answer("That was refused, so nothing was changed.")
    elif result.error:
        raise Unsuitable
    else:
        done = f"{key} in {path} and {key2} in {path2} are {new} now."
        yield answer(f"{done} {_tests(result) if check == 'test()' else _TYPES}")
