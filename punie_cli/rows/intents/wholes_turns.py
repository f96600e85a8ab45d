"""Talks about one finding, and about the tests: first a list or a place, then one of it, its line, its function."""

import re

from punie_cli.agent.messages import OUTPUT_LINE, answer, program
from punie_cli.rows.intents import Script, Unsuitable, Voice, count, intent, listed
from punie_cli.rows.intents.paths import module, refused, styled, tested
from punie_cli.rows.intents.wholes import RUFF, TY, about, called, follow, inside
from punie_cli.rows.intents.wholes_follow import LIST, place, told
from punie_cli.rows.project import Project

_ONLY = """
    only the {which} one
    just the {which} one
    the {which} one only
    the {which} please, not all
    {which} one only please
    only the {which}
    too many, just the {which} one
    show me the {which} one only
    I only want the {which} one
    that is a lot. the {which} one is enough
    give me just the {which}
    one is enough, the {which}
    can I have only the {which}
    again, with nothing but the {which} one
    and the {which} one alone
"""
_THAT_LINE = """
    show me that line
    print that line
    what is on that line
    what does that line say
    that line please
    let me see the line
    read that line to me
    and the code on that line
    what code is that
    which code stands there
    the source of that line
    quote the line
    can I see the line itself
    open it at that line
    give me the line of code
    line text?
"""
_FUNCTION = """
    in which function
    which function is that in
    which function is that
    what function is it in
    and in what function
    name of the function
    function?
    what is the function around it called
    whose body is that
    inside which function is it
    which def is that
    tell me the function
    the function please
    to which function does that line belong
    and the enclosing function
"""
_FIRST_OF = """
    where is the first {thing}{at}
    the first {thing}{at}, where
    first {thing}{at}?
    line of the first {thing}{at}
    on which line is the first {thing}{at}
    what line has the first {thing}{at}
    file and line of the first {thing}{at}
    find the first {thing}{at}
    where does {name} complain first{at}
    place of the first {thing}{at}
    show where the first {thing}{at} is
    where do {thing}s begin{at}
    the place of the first {thing}{at} please
    I go one by one: where is the first {thing}{at}
    what is the first place with a {thing}{at}
    run {name}{at}, where is the first thing it finds
"""


@intent("whole", 2.5, alone=True)
def whole_then_only(project: Project, rng: Voice) -> Script:
    """A list, then only the first of it or the last."""
    tool = rng.choice([TY, RUFF])
    path = "" if rng.random() < 0.6 else (module if tool is TY else styled)(project, rng)
    yield about(rng, LIST, path, thing=tool.thing, name=tool.name)
    result = yield program(f"print({called(tool.call, path)})")
    if result.text.count("\n") < 3:
        raise Unsuitable
    yield told(tool, result, path)
    which, index = rng.choice([("first", 0), ("first", 0), ("last", -1)])
    yield follow(rng, _ONLY, which=which)
    yield program(f"print({called(tool.call, path)}.{tool.items}[{index}])")
    yield answer(f"The {which} {tool.thing}{inside(path)}:\n\n{OUTPUT_LINE}")


@intent("whole", 4, alone=True)
def whole_then_line(project: Project, rng: Voice) -> Script:
    """A place, then the line that is there, or the function around it."""
    tool = rng.choice([TY, TY, RUFF])
    path = "" if rng.random() < 0.5 else (module if tool is TY else styled)(project, rng)
    yield about(rng, _FIRST_OF, path, thing=tool.thing, name=tool.name)
    result = yield program(
        f"result = {called(tool.call, path)}\nif result.{tool.items}:\n    {tool.item} = result.{tool.items}[0]\n"
        f'    print({tool.item}.file, {tool.item}.line)\nelse:\n    print("no {tool.thing}s")'
    )
    if result.text.startswith("no "):
        raise Unsuitable
    file, line = result.text.split()
    yield answer(f"The first {tool.thing} is in {file} on line {line}.")
    for then in rng.choice([["line"], ["function"], ["line", "function"]]):
        if then == "line":
            yield follow(rng, _THAT_LINE)
            yield program(f'print(read_file("{file}").splitlines()[{line} - 1])')
            yield answer(f"Line {line} of {file}:\n\n{OUTPUT_LINE}")
            continue
        yield follow(rng, _FUNCTION)
        result = yield program(
            f'lines = read_file("{file}").splitlines()[:{line}]\n'
            'heads = [line for line in lines if line.lstrip().startswith("def ")]\n'
            'print(heads[-1].strip() if heads else "no function")'
        )
        head = re.match(r"def (\w+)", result.text)
        # A line below the last function may be of no function: then there is nothing to be told.
        number, text = int(line), project.files[file].splitlines()
        if head and text[number - 1].startswith((" ", "def ")) and not text[number - 1].startswith("class"):
            yield answer(f"Line {line} of {file} is in {head[1]}.")
        elif not head:
            yield answer(f"Line {line} of {file} is in no function.")
        else:
            raise Unsuitable


_FAILING = """
    do the tests pass{at}
    run the tests{at}
    are the tests green{at}
    tests{at}?
    how are the tests{at}
    pytest{at}
    how many tests fail{at}
    number of failing tests{at}
    count the failing tests{at}
    any failures{at}, how many
    how many red tests{at}
    test run{at}: how many fail
    what is the number of failures{at}
    tell me how many tests fail{at}
    is anything red{at}, and how much
"""
_FAILING_NEXT = {
    "test": """
        which ones
        which tests
        which
        names please
        what are they called
        and their names
        name them
        which test is it
        by name please
        who fails
        what tests are that
        list them
        the names too
        tell me which
        say which
    """,
    "line": """
        on which lines
        which line
        where exactly
        file and line please
        where
        and where are they
        at what place
        places please
        in which file and line
        which file, which line
        where do I have to look
        give me file:line
        and the lines
        the exact place
        show where
    """,
    "message": """
        why
        and why
        with what message
        what do they say
        messages?
        the reason please
        what is the error
        what went wrong
        and the messages
        show the messages
        what is expected there
        what did pytest say about them
        how do they fail
        read me the messages
        tell me the reason
    """,
}


_SHOWN = {
    "test": "failure.test",
    "line": "failure.file, failure.line",
    "message": "failure.test, failure.message",
}


@intent("whole", 4, alone=True)
def whole_then_failing(project: Project, rng: Voice) -> Script:
    """How many tests fail, then which, where and why."""
    if not project.tests:
        raise Unsuitable
    path = "" if rng.random() < 0.75 else tested(project, rng)
    yield about(rng, _FAILING, path)
    call = called("test", path)
    result = yield program(f"result = {call}\nprint(result.passed, result.failed)")
    if refused(result):
        yield answer(f"Running the tests{inside(path)} was refused, so I do not know whether they pass.")
        return
    if result.error:
        raise Unsuitable
    passed, failed = (int(part) for part in result.text.split())
    yield answer(f"{passed} passed, {failed} failed{inside(path)}.")
    if not failed:
        raise Unsuitable
    for then in rng.sample(["test", "line", "message"], rng.choice([1, 1, 2])):
        yield follow(rng, _FAILING_NEXT[then])
        shown = {"test": "failure.test", "line": "failure.file, failure.line"}.get(
            then, "failure.test, failure.message"
        )
        result = yield program(f"for failure in {call}.failures:\n    print({shown})")
        lines = result.text.splitlines()
        if then == "message" or len(lines) > 4:
            yield answer(f"{count(failed, 'test')} {'fails' if failed == 1 else 'fail'}:\n\n{OUTPUT_LINE}")
        else:
            yield answer(f"{'Failing' if then == 'test' else 'Failures'}: {listed([place(x) for x in lines if x])}.")


_RUN = """
    run {file}
    test {file}
    run the tests in {file}
    does {file} pass
    is {file} green
    pytest {file}
    start with {file}, does it pass
    {file}, do its tests pass
    {file}: tests?
    tests of {file}
    try the tests in {file}
    how are the tests in {file}
    let {file} run
    give {file} a run
    check that {file} passes
"""
_RUN_NEXT = """
    and {file}
    what about {file}
    how about {file}
    now {file}
    then {file}
    {file} too
    also {file}
    same for {file}
    ok, {file} then
    and does {file} pass
    next: {file}
    do {file} as well
    fine. and {file}
    and how is {file}
    the same with {file}
"""


@intent("whole", 2.5, alone=True)
def whole_then_tests(project: Project, rng: Voice) -> Script:
    """A test file, then another one, or all."""
    if len(project.tests) < 2:
        raise Unsuitable
    for number, path in enumerate(rng.sample(project.tests, 2)):
        yield about(rng, _RUN, share=0.2, file=path) if number == 0 else follow(rng, _RUN_NEXT, file=path)
        result = yield program(f'print(test("{path}"))')
        if refused(result):
            yield answer(f"Running {path} was refused, so I do not know whether it passes.")
            return
        first = result.text.partition("\n")[0]
        if "failed" in first or "error" in first:
            yield answer(f"Not all of {path} passes:\n\n{OUTPUT_LINE}")
        else:
            yield answer(f"{path} passes: {first}.")
