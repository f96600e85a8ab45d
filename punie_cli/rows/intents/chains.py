"""One result leads to the next: find then check, test then open, a condition then a change, "it" of the turn before."""

import re

from punie_cli.agent.messages import OUTPUT_LINE, answer, program
from punie_cli.rows.intents import Script, Unsuitable, Voice, ask, count, intent, listed
from punie_cli.rows.intents.checks import findings
from punie_cli.rows.intents.lints import lint_findings
from punie_cli.rows.intents.paths import contents, folder, module, refused
from punie_cli.rows.project import Project


def _defined(project: Project, rng: Voice) -> tuple[str, str]:
    """A name that one file defines, and the text that marks the place."""
    if project.functions and rng.random() < 0.7:
        name = rng.choice(sorted(project.functions))
        return name, f"def {name}("
    name = rng.choice(sorted(e.name for e in project.entities.values()))
    return name, f"class {name}"


@intent("chain", 2.4, alone=True)
def chain_definition(project: Project, rng: Voice) -> Script:
    """Find the file that defines a name, then do one thing with it."""
    name, mark = _defined(project, rng)
    what, code = rng.choice(
        [
            ("typecheck", 'print(typecheck("{}"))'),
            ("lint", 'print(lint("{}"))'),
            ("count the type errors of", 'print(typecheck("{}").error_count)'),
            ("count the lint findings of", 'print(lint("{}").count)'),
            ("show me", 'print(read_file("{}"))'),
            ("count the lines of", 'print(len(read_file("{}").splitlines()))'),
        ]
    )
    yield ask(
        rng,
        """
        find {name} and {what} the file it is in
        where is {name} defined? {what} that file
        {what} whatever file defines {name}
        {what} the file with {name} in it
        locate {name}, then {what} its file
        {name}: find its file, {what} it
        I forgot which module has {name}; look it up and {what} that module
        grep for {name}, then {what} the file
        search for the definition of {name} and {what} the file where you find it
        {what} the module that {name} comes from
        I need you to {what} the file {name} lives in
        {name} is somewhere in this project. find it and {what} the file
        {what} the source file of {name}
        first find out where {name} is, then {what} that file
        no idea where {name} is, but {what} its file for me
        which file has {name}? (please|now|then) {what} it
        """,
        name=name,
        what=what,
    )
    result = yield program(f'print(run_command(["grep", "-rl", "{mark}", "."]))')
    paths = [line.removeprefix("./") for line in result.text.split()]
    if len(paths) != 1 or not paths[0].endswith(".py"):
        raise Unsuitable
    path = paths[0]
    result = yield program(code.format(path))
    if what == "typecheck":
        yield answer(f"{name} is in {path}. {findings(result, path)}")
    elif what == "lint":
        yield answer(f"{name} is in {path}. {lint_findings(result, path)}")
    elif what == "show me":
        yield answer(f"{name} is in {contents(path)}")
    else:
        things = {"type": "type error", "lint": "lint finding"}.get(what.split()[2], "line")
        yield answer(f"{name} is in {path}, which has {count(int(result.text), things)}.")


@intent("chain", 2, alone=True)
def chain_failing_module(project: Project, rng: Voice) -> Script:
    """The results name the test file, its imports name the module, and that is shown."""
    if not project.tests:
        raise Unsuitable
    yield ask(
        rng,
        """
        run the tests and open the module that the failing (one|test) tests
        run the tests, then show me the code that fails
        if a test fails, show me the module it tests
        which module does the failing test test? (show|print) it
        pytest, then (open|print) the file behind the failure
        do the tests pass? if not, let me see the code under test
        run all tests and print the source file that the red one is about
        find the failing test and read the module it covers
        show me the module whose test is red
        test everything; open the module with the failing test
        something fails in the tests, I want to see the code that is tested there
        run the test suite. for a failure, show the tested module (and not the test|)
        what code is behind the failing test? run pytest and show it
        test it all and bring up the module that breaks
        look for a failing test and display the module that it imports
        tests please, and the code of the module that doesn't pass
        """,
    )
    result = yield program("print(test())")
    if refused(result):
        yield answer("Running the tests was refused, so I do not know which one fails.")
        return
    lines = result.text.strip().splitlines()
    if "failed" not in lines[0] and "error" not in lines[0]:
        yield answer(f"All tests pass: {lines[0]}. There is no failing one.")
        return
    match = re.fullmatch(r"(tests/\w+\.py):\d+: (test_\w+): .*", lines[1])
    bugs = [bug for bug in project.bugs if match and bug.test == match[2]]
    if len(lines) != 2 or not match or not bugs:
        raise Unsuitable
    yield program(f'print(read_file("{match[1]}"))')
    yield program(f'print(read_file("{bugs[0].file}"))')
    yield answer(f"{match[2]} fails; it tests {contents(bugs[0].file)}")


@intent("chain", 2)
def chain_version(project: Project, rng: Voice) -> Script:
    """The version goes up only if a check passes; else the answer says what is wrong."""
    path = rng.choice([folder(project, rng), module(project, rng)])
    if project.tests and rng.random() < 0.45:
        good, call, bad = "the tests pass", "test()", "Not all tests pass"
    elif rng.random() < 0.5:
        good, call, bad = f"{path} type checks", f'typecheck("{path}")', f"{path} does not type check"
    else:
        good, call, bad = f"{path} is lint clean", f'lint("{path}")', f"{path} is not lint clean"
    version = f"{rng.randint(0, 6)}.{rng.randint(0, 30)}.{rng.randint(0, 9)}"
    yield ask(
        rng,
        """
        if {good}, set the version in pyproject.toml to {version}, else tell me what is wrong
        bump the version to {version} in pyproject.toml if {good}
        set version {version} in pyproject.toml, but only if {good}
        only if {good}: version {version} in pyproject.toml. otherwise show me the problems
        provided that {good}, change the version in pyproject.toml to {version}
        release {version}: when {good}, put that version into pyproject.toml, if not say why
        make sure {good}, then bump pyproject.toml to {version}
        see whether {good}; if so the version in pyproject.toml becomes {version}
        pyproject.toml gets version {version} as soon as {good}, otherwise report what you found
        we go to {version} if {good}. edit pyproject.toml then, or list the problems
        check that {good} and only then write version {version} to pyproject.toml
        I want version {version} in pyproject.toml, unless it is not true that {good}
        version -> {version} in pyproject.toml if {good}, else leave it
        (assuming|given) {good}, raise the version in pyproject.toml to {version}; else tell me what's broken
        can you bump pyproject.toml to {version} if {good}
        does it hold that {good}? then set {version} as the version in pyproject.toml
        """,
        good=good,
        version=version,
    )
    result = yield program(
        f'import re\nresult = {call}\nif result.success:\n    text = read_file("pyproject.toml")\n'
        f'    write_file("pyproject.toml", re.sub(r\'version = ".*"\', \'version = "{version}"\', text))\n'
        '    print("written")\nelse:\n    print(result)'
    )
    if refused(result) and call == "test()":
        yield answer("That was refused, so the version is as it was.")
    elif refused(result):
        yield answer(f"{good[0].upper() + good[1:] if good.startswith('the') else good}, but the change was refused.")
    elif result.text.startswith("written"):
        yield answer(f"The version in pyproject.toml is {version} now.")
    else:
        yield answer(f"{bad}, so the version is as it was:\n\n{OUTPUT_LINE}")


@intent("chain", 1.6)
def chain_compare(project: Project, rng: Voice) -> Script:
    """One figure of two paths each, in one program."""
    if len(project.modules) < 2:
        raise Unsuitable
    one, other = rng.sample(project.modules, 2)
    tool, field, thing = rng.choice([("typecheck", "error_count", "type error"), ("lint", "count", "lint finding")])
    yield ask(
        rng,
        """
        which has more {thing}s, {one} or {other}
        {thing}s: {one} vs {other}
        compare the {thing}s of {one} and {other}
        {one} or {other}, which is worse by {thing}s
        count {thing}s in {one} and in {other}
        how many {thing}s in {one}, and how many in {other}
        number of {thing}s for both {one} and {other}
        give me the {thing} count of {one} and that of {other}
        I have to choose where to start: {thing}s in {one}, {thing}s in {other}
        are there more {thing}s in {one} than in {other}
        does {one} have fewer {thing}s than {other}
        {one} and {other}: how many {thing}s each
        set {one} against {other}, by {thing}s
        for my report: {thing}s of {one} and {thing}s of {other}, just numbers
        is {one} cleaner than {other}? count the {thing}s
        tell me the {thing}s of these two, as numbers: {one} {other}
        """,
        one=one,
        other=other,
        thing=thing,
    )
    result = yield program(f'print({tool}("{one}").{field}, {tool}("{other}").{field})')
    first, second = (int(number) for number in result.text.split())
    yield answer(f"{one} has {count(first, thing)}, {other} has {count(second, thing)}.")


@intent("chain", 2)
def chain_figures(project: Project, rng: Voice) -> Script:
    """Two figures of one path, and of a folder the passing tests as well where they are wanted."""
    path = rng.choice([folder(project, rng), module(project, rng)])
    tests = bool(project.tests) and rng.random() < 0.4
    yield ask(
        rng,
        """
        numbers for {path}: type errors, lint findings{more}
        type errors and lint findings of {path}{more}, only the numbers
        {path} in figures: types, lint{more}
        how does {path} stand? type errors, lint findings{more}, as numbers
        count what ty and ruff find in {path}{more}
        how many from ty, how many from ruff for {path}{more}
        ty count, ruff count for {path}{more}
        I need the figures for {path}: type errors and lint findings{more}
        status of {path} please: number of type errors, of lint findings{more}
        for the stand-up: type error count and lint count of {path}{more}
        quick stats of {path}, type errors plus lint findings{more}
        sum up {path} in numbers: type errors, findings of ruff{more}
        check {path} with both tools and give me just the counts{more}
        what are the counts for {path}, types and style{more}
        stats {path}: errors of ty, findings of ruff{more}
        could you count the type errors and the ruff findings in {path}{more}
        """,
        path=path,
        more=rng.choice([", failing tests", " and failed tests", ", plus the tests that fail"]) if tests else "",
    )
    failed = ", test().failed" if tests else ""
    result = yield program(f'print(typecheck("{path}").error_count, lint("{path}").count{failed})')
    if refused(result):
        yield answer("Running the tests was refused, so there are no figures.")
        return
    numbers = [int(number) for number in result.text.split()]
    words = [count(n, thing) for n, thing in zip(numbers, ["type error", "lint finding"], strict=False)]
    end = f" {count(numbers[2], 'test').capitalize()} {'fails' if numbers[2] == 1 else 'fail'}." if tests else ""
    yield answer(f"{path} has {listed(words)}.{end}")


_THEN = """
    (and |)lint it (too|as well)
    now lint it
    ok, and what does ruff say about (it|that file)
    same file: lint findings
    does it have lint findings (too|as well)
    and ruff
    lint that file too
    any lint in it
    run the linter on it as well
    what about lint there
    now ruff for the same file
    can you also lint that one
    good. lint it please
    and style problems in that file
    then check it with ruff
    """
_TYPES = """
    (and |)typecheck it (too|as well)
    now typecheck it
    ok, and what does ty say about (it|that file)
    same file: type errors
    does it have type errors (too|as well)
    and ty
    check its types too
    any type errors in it
    run the type checker on it as well
    what about its types
    now ty for the same file
    can you also typecheck that one
    good. check the types of that file please
    and typing problems in it
    then check it with ty
    """
_SHOW = """
    show it to me
    (and |)show me that file
    open it
    print it
    let me see the file
    now read it
    what is in it
    what does that file look like
    ok, give me its text
    cat it
    can you print that file
    its code please
    I want to read that file
    show the whole file
    and the source
    """


@intent("chain", 2.6, alone=True)
def chain_same_file(project: Project, rng: Voice) -> Script:
    """A file, then something else about it."""
    path = module(project, rng)
    first, then = rng.choice([("typecheck", "lint"), ("lint", "typecheck"), ("typecheck", "read"), ("lint", "read")])
    yield ask(
        rng,
        """
        {verb} {path}
        {verb} the file {path}
        can you {verb} {path}
        I changed {path}, {verb} it
        start with {path}: {verb} it
        would you {verb} {path} for me
        {path} - {verb}
        {verb} {path}, I will ask more afterwards
        first {verb} {path}
        let's look at {path}. {verb} it
        {path} is the one I work on, {verb} it
        we begin with a {verb} of {path}
        do a {verb} of {path}
        a {verb} for {path}
        before anything else, {verb} {path}
        """,
        verb=first,
        path=path,
    )
    result = yield program(f'print({first}("{path}"))')
    yield answer(findings(result, path) if first == "typecheck" else lint_findings(result, path))
    yield ask(rng, {"lint": _THEN, "typecheck": _TYPES, "read": _SHOW}[then])
    if then == "read":
        yield program(f'print(read_file("{path}"))')
        yield answer(contents(path))
        return
    result = yield program(f'print({then}("{path}"))')
    yield answer(findings(result, path) if then == "typecheck" else lint_findings(result, path))


@intent("chain", 2, alone=True)
def chain_found_file(project: Project, rng: Voice) -> Script:
    """Where a name is; then something about that file."""
    name, mark = _defined(project, rng)
    yield ask(
        rng,
        """
        where is {name}
        where do we define {name}
        which file is {name} in
        which module has {name}
        find {name}
        in which file do I find {name}
        locate {name} for me
        look for {name}, which file defines it
        file of {name}
        {name}, where
        where does {name} come from
        I'm looking for {name}, where is it
        what is the file that defines {name}
        name the file with {name}
        tell me where {name} is defined
        """,
        name=name,
    )
    result = yield program(f'print(run_command(["grep", "-rn", "{mark}", "."]))')
    match = re.match(r"\./([^:]+\.py):(\d+):", result.text)
    if not match or result.text.count("\n") > 1:
        raise Unsuitable
    path = match[1]
    yield answer(f"{name} is defined in {path} on line {match[2]}.")
    then = rng.choice(["lint", "typecheck", "read"])
    yield ask(rng, {"lint": _THEN, "typecheck": _TYPES, "read": _SHOW}[then])
    if then == "read":
        yield program(f'print(read_file("{path}"))')
        yield answer(contents(path))
        return
    result = yield program(f'print({then}("{path}"))')
    yield answer(findings(result, path) if then == "typecheck" else lint_findings(result, path))
