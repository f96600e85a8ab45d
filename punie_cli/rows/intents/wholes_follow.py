"""Talks of two or three turns about checks: another path, another tool, another field, a line, a function.

A turn that follows has its whole call written out: what a program of an earlier turn named is gone.
"""

from punie_cli.agent.messages import OUTPUT_LINE, Message, answer, program
from punie_cli.rows.intents import Script, Unsuitable, Voice, count, intent, listed
from punie_cli.rows.intents.paths import folder, module, refused, styled
from punie_cli.rows.intents.wholes import RUFF, TY, Tool, about, called, follow, has, inside, upper
from punie_cli.rows.project import Project

_OPEN = """
    how many {thing}s{at}
    {thing}s{at}?
    count the {thing}s{at}
    number of {thing}s{at}
    {name} count{at}
    how many does {name} find{at}
    how bad is it{at}, {thing}s counted
    what is the number of {thing}s{at}
    start with the {thing}s{at}, how many
    tell me how many {thing}s there are{at}
    how much does {name} complain{at}, as a number
    how many {thing}s have to go{at}
    first question: how many {thing}s{at}
    we go through this together. how many {thing}s{at}
    I will ask for several: {thing}s{at}, the number
    {thing}s{at}, number only
"""
_NEXT = """
    and {file}
    and {file}?
    and in {file}
    what about {file}
    how about {file}
    same for {file}
    the same for {file}
    now {file}
    then {file}
    {file}?
    {file} too
    also {file}
    ok, {file} then
    and for {file}, how many
    next one: {file}
    what is it for {file}
    do {file} as well
    fine. and {file}
    what does that look like in {file}
    once more, with {file}
    repeat that for {file}
"""


def _number(result: Message, path: str, tool: Tool) -> Message:
    return answer(f"{has(path)} {count(int(result.text), tool.thing)}.")


@intent("whole", 4, alone=True)
def whole_then_path(project: Project, rng: Voice) -> Script:
    """A number for one path, then the same for another, or for two."""
    tool = rng.choice([TY, RUFF])
    paths = [*project.modules, folder(project, rng)]
    if len(project.modules) < 2:
        raise Unsuitable
    chosen = rng.sample(paths, min(len(paths), rng.choice([2, 2, 3])))
    first = "" if rng.random() < 0.2 else chosen[0]
    yield about(rng, _OPEN, first, thing=tool.thing, name=tool.name)
    result = yield program(f"print({called(tool.call, first)}.{tool.total})")
    yield _number(result, first, tool)
    for path in chosen[1:]:
        yield follow(rng, _NEXT, file=path)
        result = yield program(f"print({called(tool.call, path)}.{tool.total})")
        yield _number(result, path, tool)


LIST = """
    {thing}s{at}
    which {thing}s{at}
    list the {thing}s{at}
    show the {thing}s{at}
    show me what {name} says{at}
    what does {name} report{at}
    what does {name} think{at}
    {name}{at}
    run {name}{at}
    check with {name}{at}
    let me see the {thing}s{at}
    print all {thing}s{at}
    I would like the {thing}s{at}
    start with a {name} run{at}
    what is there to do{at}, going by {name}
    I am cleaning up, {thing}s{at}
"""


def told(tool: Tool, result: Message, path: str) -> Message:
    """The answer to a whole check of one tool."""
    where = path or "the project"
    if result.text.startswith("no "):
        return answer(f"No {tool.thing}s in {where}.")
    return answer(f"{upper(tool.thing)}s in {where}:\n\n{OUTPUT_LINE}")


_TESTS = """
    and the tests
    and the tests?
    what about the tests
    how about the tests
    how do the tests look
    now the tests
    then the tests
    tests too
    and do the tests pass
    and pytest
    pytest as well
    ok, and the test suite
    also run the tests
    run the tests too
    and what do the tests say
"""
_OTHER = """
    and {word}
    and {word}?
    and {name}?
    what about {word}
    how about {name}
    same for {word}
    same with {name}
    the same with {name} please
    now {word}
    now with {name}
    then {name}
    {name} too
    {word} as well
    also {word}
    and what does {name} say
    ok, and {name}
    once more, with {name} this time
"""


@intent("whole", 4, alone=True)
def whole_then_tool(project: Project, rng: Voice) -> Script:
    """One tool, then the other one or the tests, on the same path; the tests are all of them."""
    first, second = rng.sample([TY, RUFF], 2)
    path = "" if rng.random() < 0.5 else (module if first is TY else styled)(project, rng)
    yield about(rng, LIST, path, thing=first.thing, name=first.name)
    result = yield program(f"print({called(first.call, path)})")
    yield told(first, result, path)
    order = rng.choice([["other"], ["tests"], ["other", "tests"], ["tests", "other"]])
    for then in order:
        if then == "other":
            word = rng.choice(["lint", "linting", "style"] if second is RUFF else ["types", "typing", "the types"])
            yield follow(rng, _OTHER, word=word, name=second.name)
            result = yield program(f"print({called(second.call, path)})")
            yield told(second, result, path)
            continue
        yield follow(rng, _TESTS)
        result = yield program("print(test())")
        if refused(result):
            yield answer("Running the tests was refused.")
        else:
            yield answer(f"The tests ran:\n\n{OUTPUT_LINE}")


_WHICH = {
    "line": """
        which line
        which lines
        on which line
        on which lines
        what lines
        line numbers
        lines please
        where exactly
        and the lines
        at what line
        and on what lines are they
        give me the lines
        the line numbers too
        which lines are that
        ok, where? the lines
    """,
    "column": """
        which column
        which columns
        and the column
        columns please
        columns?
        line and column please
        at which column
        what are the columns
        in what column
        give me line and column
        and the exact place, with column
        I need the columns as well
        which line and which column
        line:column for each
        where in the line
    """,
    "code": """
        which code
        which codes
        which rule
        which rules
        codes please
        and the codes
        what rule is it
        what are the codes
        by which rules
        rule names?
        give me the codes
        the codes too
        what codes do they have
        name the rules
        and under what code
    """,
    "message": """
        what does it say
        what do they say
        the messages please
        messages?
        and the message
        what is the message
        what are they
        what are they about
        what is wrong exactly
        what is it
        read me the messages
        show the texts
        with messages please
        what is the complaint
        in which words
    """,
    "file": """
        which file
        which files
        in which file
        in which files
        files please
        what files are that
        and in what files
        where, by file
        file names?
        name the files
        and the files
        give me the files
        tell me the files
        who are the culprits, by file
        list the files
    """,
}


@intent("whole", 4, alone=True)
def whole_then_field(project: Project, rng: Voice) -> Script:
    """A number, then a field of what was counted: the same call, another field."""
    tool = rng.choice([TY, RUFF])
    path = "" if rng.random() < 0.4 else (module if tool is TY else styled)(project, rng)
    yield about(rng, _OPEN, path, thing=tool.thing, name=tool.name)
    result = yield program(f"print({called(tool.call, path)}.{tool.total})")
    number = int(result.text)
    if not number:
        raise Unsuitable
    yield _number(result, path, tool)
    known = ["line", "line", "column", "code", "message"] + ([] if path else ["file", "file"])
    for field in rng.sample(known, rng.choice([1, 1, 2])):
        yield follow(rng, _WHICH[field])
        shown = f"{tool.item}.{field}"
        if field == "column":
            shown = f"{tool.item}.line, {tool.item}.column"
        if not path and field in ("line", "column"):
            shown = f"{tool.item}.file, " + shown
        code = f"for {tool.item} in {called(tool.call, path)}.{tool.items}:\n    print({shown})"
        if field == "file":
            code = f"for file in {called(tool.call, path)}.files:\n    print(file)"
        result = yield program(code)
        lines = result.text.splitlines()
        if field == "message":
            yield answer(f"{tool.name} says{inside(path)}:\n\n{OUTPUT_LINE}")
        elif len(lines) > 4:
            yield answer(f"{upper(tool.thing)}s{inside(path)}, {field}s:\n\n{OUTPUT_LINE}")
        elif field in ("file", "code"):
            yield answer(
                f"The {tool.thing}s are {'of' if field == 'code' else 'in'} {listed(list(dict.fromkeys(lines)))}."
            )
        else:
            yield answer(f"The {tool.thing}s{inside(path)}: {listed([place(line) for line in lines])}.")


def place(line: str) -> str:
    """`FILE:LINE`, `FILE:LINE:COLUMN`, `line LINE, column COLUMN`."""
    parts = line.split()
    if parts[0].isdigit():
        return f"line {parts[0]}" + (f", column {parts[1]}" if len(parts) > 1 else "")
    return ":".join(parts)
