"""The fields that were asked for, all of them and no others, of one finding or of each, in the form asked for."""

from punie_cli.agent.messages import OUTPUT_LINE, answer, program
from punie_cli.rows import names
from punie_cli.rows.intents import Script, Unsuitable, Voice, count, intent, listed, rarely
from punie_cli.rows.intents.paths import refused, tested
from punie_cli.rows.intents.wholes import RUFF, TY, Tool, about, called, has, inside, spoken
from punie_cli.rows.project import Project

# What people call a field, one and several.
_SAID = {
    "line": (("line", "line number", "row"), ("lines", "line numbers")),
    "column": (("column", "col", "column number"), ("columns", "column numbers")),
    "code": (("code", "rule", "error code", "rule name"), ("codes", "rules", "rule names")),
    "message": (("message", "text", "wording"), ("messages", "texts")),
    "file": (("file", "path", "file name"), ("files", "paths", "file names")),
    "severity": (("severity",), ("severities",)),
    "test": (("name", "test name", "name of the test"), ("names", "test names")),
}


def _words(rng: Voice, fields: tuple[str, ...], many: bool) -> str:
    said = [rng.choice(_SAID[field][many]) for field in fields]
    if len(said) == 2:
        return rng.choice([f"{said[0]} and {said[1]}", f"{said[0]} + {said[1]}", f"{said[0]} and also {said[1]}"])
    return rng.choice([listed(said), ", ".join(said)])


def _fields(rng: Voice, tool: Tool, path: str, whole: bool) -> tuple[str, ...]:
    """One to three fields; the file only where there may be several."""
    known = ["line", "line", "column", "column", "code", "message"] + (["file", "file"] if whole else [])
    known += ["severity"] if tool is TY and rng.random() < 0.3 else []
    wanted = rng.choice([1, 1, 2, 2, 2, 3])
    chosen: list[str] = []
    for field in rng.sample(known, len(known)):
        if field not in chosen and len(chosen) < wanted:
            chosen.append(field)
    return tuple(chosen)


_ONE = """
    {fields} of the {which} {thing}{at}
    the {which} {thing}{at}: {fields}
    {which} {thing}{at}, its {fields}
    {which} {thing}{at}, only {fields}
    what is the {fields} of the {which} {thing}{at}
    what {fields} does the {which} {thing}{at} have
    what does {name} give as {fields} for its {which} {thing}{at}
    give me the {fields} of the {which} {thing}{at}
    tell me {fields} of the {which} {thing}{at}
    show {fields} of the {which} {thing}{at}
    print the {fields} of the {which} {thing}{at}
    I need {fields} of the {which} {thing}{at}
    for the {which} {thing}{at} I want {fields}
    run {name}{at} and give me {fields} of the {which} thing it finds
    take the {which} {thing}{at} and tell me its {fields}
    only the {which} {thing}{at}, and of it {fields}
    looking for {fields} of the {which} {thing}{at}
    can you get me the {fields} of the {which} {thing}{at}
    not the whole list, just {fields} of the {which} {thing}{at}
    my editor wants {fields} of the {which} {thing}{at}
"""


@intent("whole", 4)
def whole_one(project: Project, rng: Voice) -> Script:
    """Fields of the first or the last finding."""
    tool = rng.choice([TY, RUFF])
    path = spoken(project, rng, tool, 0.35)
    fields = _fields(rng, tool, path, not path.endswith(".py"))
    which, index = rng.choice([("first", 0), ("first", 0), ("first", 0), ("last", -1)])
    yield about(rng, _ONE, path, fields=_words(rng, fields, False), which=which, thing=tool.thing, name=tool.name)
    shown = ", ".join(f"{tool.item}.{field}" for field in fields)
    result = yield program(
        f"result = {called(tool.call, path)}\nif result.{tool.items}:\n    {tool.item} = result.{tool.items}[{index}]\n"
        f'    print({shown})\nelse:\n    print("no {tool.thing}s")'
    )
    text = result.text.strip()
    if text == f"no {tool.thing}s":
        rarely(rng)
        yield answer(f"There are no {tool.thing}s{inside(path)}.")
    elif "message" in fields:
        yield answer(f"The {which} {tool.thing}{inside(path)}, {listed(list(fields))}:\n\n{OUTPUT_LINE}")
    else:
        told = [f"{field} {value}" for field, value in zip(fields, text.split(), strict=True)]
        yield answer(f"The {which} {tool.thing}{inside(path)}: {listed(told)}.")


_EACH = """
    {fields} of all {thing}s{at}
    {fields} of each {thing}{at}
    {fields} of every {thing}{at}
    all {thing}s{at}: {fields}
    {thing}s{at}, {fields} only
    {thing}s{at}: just the {fields}
    {thing}s{at} with {fields}
    list the {thing}s{at} with {fields}
    list {fields} of the {thing}s{at}
    give me {fields} of each {thing}{at}
    for each {thing}{at}: {fields}
    for every {thing}{at} print {fields}
    what are the {fields} of the {thing}s{at}
    what {fields} do the {thing}s{at} have
    show nothing but the {fields} of the {thing}s{at}
    run {name}{at} and show {fields} of what it finds
    run {name}{at}, I only need {fields}
    one line for each {thing}{at}, with {fields}
    print {fields} for all {thing}s{at}
    {name}{at}, but only {fields}
    no counts, I want the {fields} of the {thing}s{at}
"""


@intent("whole", 4)
def whole_each(project: Project, rng: Voice) -> Script:
    """Fields of every finding, one a line."""
    tool = rng.choice([TY, RUFF])
    path = spoken(project, rng, tool, 0.5)
    fields = _fields(rng, tool, path, not path.endswith(".py"))
    yield about(rng, _EACH, path, fields=_words(rng, fields, True), thing=tool.thing, name=tool.name)
    shown = ", ".join(f"{tool.item}.{field}" for field in fields)
    code = f"for {tool.item} in {called(tool.call, path)}.{tool.items}:\n    print({shown})"
    if fields == ("file",):
        code = f"for file in {called(tool.call, path)}.files:\n    print(file)"
    result = yield program(code)
    lines = result.text.splitlines()
    if not lines:
        rarely(rng)
        yield answer(f"There are no {tool.thing}s{inside(path)}.")
    elif fields == ("file",) and len(lines) > 4:
        yield answer(f"{len(lines)} files have {tool.thing}s{inside(path)}:\n\n{OUTPUT_LINE}")
    elif "message" in fields or len(lines) > 4:
        yield answer(f"{has(path)} {count(len(lines), tool.thing)}; {listed(list(fields))}:\n\n{OUTPUT_LINE}")
    elif fields == ("file",):
        yield answer(f"The {tool.thing}s{inside(path)} are in {listed(lines)}.")
    else:
        told = [" ".join(f"{f} {v}" for f, v in zip(fields, line.split(), strict=True)) for line in lines]
        yield answer(f"{has(path)} {count(len(lines), tool.thing)}: {listed(told)}.")


@intent("whole", 4)
def whole_failing_fields(project: Project, rng: Voice) -> Script:
    """Names, places and messages of the tests that fail."""
    fields = rng.choice(
        [("test",)] * 3
        + [("line",), ("file",), ("message",), ("test", "line"), ("test", "message"), ("test", "file")]
        + [
            ("file", "line"),
            ("file", "line"),
            ("test", "file", "line"),
            ("line", "message"),
            ("test", "line", "message"),
        ]
    )
    path = "" if rng.random() < 0.7 or not project.tests else rng.choice(["tests", "tests/", tested(project, rng)])
    forms = """
        {fields} of the failing tests{at}
        {fields} of all failing tests{at}
        {fields} of each failure{at}
        {fields} of every test that fails{at}
        failing tests{at}: {fields}
        failing tests{at}, {fields} only
        failures{at} with {fields}
        red tests{at}, with {fields}
        run the tests{at} and give me {fields} of what fails
        run the tests{at}, then list {fields} of the failures
        pytest{at}; of the failures I need {fields}
        for each failing test{at} print {fields}
        for every failure{at}: {fields}
        tell me {fields} of the tests that do not pass{at}
        what are the {fields} of the failing tests{at}
        list {fields} of the red tests{at}
        not how many: the {fields} of the failing tests{at}
        I want {fields} for every test that breaks{at}
        which tests fail{at}? {fields} please
        test{at}, and for what fails {fields}
    """
    yield about(rng, forms, path, fields=_words(rng, fields, True))
    shown = ", ".join(f"failure.{field}" for field in fields)
    failures = f"{called('test', path)}.failures"
    code = f"for failure in {failures}:\n    print({shown})"
    if fields == ("file",):
        code = f"for file in sorted({{failure.file for failure in {failures}}}):\n    print(file)"
    result = yield program(code)
    lines = [line for line in result.text.splitlines() if line.strip()]
    if refused(result):
        yield answer(f"Running the tests{inside(path)} was refused, so I do not know which fail.")
    elif not lines:
        rarely(rng)
        yield answer(f"No test{inside(path)} fails.")
    elif "message" in fields:
        said = listed([_SAID[field][0][0] for field in fields])
        yield answer(f"What fails{inside(path)}, by {said}:\n\n{OUTPUT_LINE}")
    elif len(fields) == 1:
        if len(lines) > 6 or any(not line.strip() for line in result.text.splitlines()):
            raise Unsuitable
        if fields == ("test",):
            yield answer(f"{count(len(lines), 'test')} {'fails' if len(lines) == 1 else 'fail'}: {listed(lines)}.")
        else:
            word = fields[0] + ("s" if len(lines) > 1 else "")
            yield answer(f"Failing tests{inside(path)}, {word}: {listed(lines)}.")
    else:
        pairs = [line.split() for line in lines]
        if len(lines) > 5 or any(len(pair) != len(fields) for pair in pairs):
            raise Unsuitable
        yield answer(
            f"{count(len(lines), 'test')} {'fails' if len(lines) == 1 else 'fail'}: "
            f"{listed([_placed(dict(zip(fields, pair, strict=True))) for pair in pairs])}."
        )


def _placed(said: dict[str, str]) -> str:
    place = ":".join(said[key] for key in ("file", "line") if key in said)
    if "file" not in said:
        place = f"line {place}"
    return f"{said['test']} ({place})" if "test" in said else place


@intent("whole", 2.5)
def whole_number(project: Project, rng: Voice) -> Script:
    """One number of one result: no other one will do."""
    which = rng.choice(_NUMBERS)
    call, field, forms, said = which
    path = "" if call == "test" or rng.random() < 0.55 else spoken(project, rng, TY if call == "typecheck" else RUFF, 0)
    thing = rng.choice(forms.split("|"))
    yield about(
        rng,
        """
        how many {thing}{at}
        how many {thing} are there{at}
        how many {thing} do we have{at}
        how many {thing} would you count{at}
        number of {thing}{at}
        the number of {thing}{at}
        just the number of {thing}{at}
        count of {thing}{at}
        count the {thing}{at}
        {thing}{at}: how many
        {thing}{at}, as a number
        {thing} count{at}
        what is the number of {thing}{at}
        what number of {thing} is there{at}
        tell me how many {thing} there are{at}
        I want the number of {thing}{at}, nothing else
        give me a count of {thing}{at}
        any idea how many {thing} we have{at}
        is the number of {thing} large{at}? give it to me
        one number: {thing}{at}
        """,
        path,
        thing=thing,
    )
    code = f"len({called(call, path)}.{field})" if field == "files" else f"{called(call, path)}.{field}"
    result = yield program(f"print({code})")
    if refused(result):
        yield answer("Running the tests was refused, so I do not know the number.")
        return
    number = int(result.text)
    if call == "test":
        yield answer(f"{number} {said if number != 1 else said.replace('tests', 'test').replace('errors', 'error')}.")
    else:
        yield answer(f"{has(path)} {count(number, said)}.")


_NUMBERS = (
    (
        "lint",
        "fixable",
        "fixable lint findings|findings that ruff can fix|lint findings with a safe fix|auto-fixable "
        "findings|problems ruff fixes by itself",
        "fixable lint finding",
    ),
    ("lint", "fixable", "lint findings that can be fixed automatically|fixable findings", "fixable lint finding"),
    ("lint", "files", "files with lint findings|files that ruff flags", "file with lint findings"),
    ("typecheck", "files", "files with type errors|files that fail ty|modules ty rejects", "file with type errors"),
    ("typecheck", "warning_count", "type warnings|ty warnings|warnings of the type checker", "type warning"),
    ("test", "passed", "passing tests|tests that pass|green tests|passed tests", "tests passed"),
    ("test", "failed", "failing tests|tests that fail|red tests|broken tests|failed tests", "tests failed"),
    ("test", "skipped", "skipped tests|tests that are skipped|tests pytest leaves out", "tests skipped"),
    (
        "test",
        "errors",
        "errors in the test run|tests with errors rather than failures|collection errors",
        "errors in the test run",
    ),
)


@intent("whole", 2)
def whole_code(project: Project, rng: Voice) -> Script:
    """Findings of one code, or that mention a name, counted or by their lines."""
    tool = rng.choice([TY, RUFF])
    by_code = rng.random() < 0.6
    if by_code:
        value = rng.choice(_TY_CODES if tool is TY else _RUFF_CODES)
        test, said = f'{tool.item}.code == "{value}"', f"{value} {tool.thing}"
        what = rng.choice(
            [f"{value} {tool.thing}s", f"{tool.thing}s with code {value}", f"{tool.thing}s of rule {value}"]
        )
    else:
        value = _mentioned(project, rng, tool)
        test, said = f'"{value}" in {tool.item}.message', f"{tool.thing} that mentions {value}"
        what = rng.choice(
            [
                f"{tool.thing}s about {value}",
                f"{tool.thing}s that mention {value}",
                f"{tool.thing}s with {value} in the text",
            ]
        )
    path = spoken(project, rng, tool, 0.6)
    places = rng.random() < 0.5
    forms = """
        how many {what}{at}
        how many {what} are there{at}
        how many {what} does {name} find{at}
        count {what}{at}
        count the {what}{at}
        number of {what}{at}
        {what}{at}: how many
        {what}{at}, the count
        tell me the number of {what}{at}
        what is the count of {what}{at}
        run {name}{at} and count {what}
        I only care about {what}{at}, how many are there
        of all that {name} finds{at}, how many are {what}
        do not list them: how many {what}{at}
        leave the others out, how many {what}{at}
    """
    if places:
        forms = """
            where are {what}{at}
            where do I find {what}{at}
            which places have {what}{at}
            places of {what}{at}
            file and line of {what}{at}
            file and line for all {what}{at}
            {what}{at}: file and line
            {what}{at}, with file and line
            {what}{at}, where
            list {what}{at} by file and line
            on which lines are {what}{at}
            give me the places of {what}{at}
            locate {what}{at}
            run {name}{at} and show where {what} are
            at what file and line are {what}{at}
        """
    yield about(rng, forms, path, what=what, name=tool.name)
    call = f"{called(tool.call, path)}.{tool.items}"
    if places:
        result = yield program(
            f"for {tool.item} in {call}:\n    if {test}:\n        print({tool.item}.file, {tool.item}.line)"
        )
        lines = [line.replace(" ", ":") for line in result.text.splitlines()]
        number = len(lines)
    else:
        result = yield program(f"print(len([{tool.item} for {tool.item} in {call} if {test}]))")
        number, lines = int(result.text), []
    plural = said if number == 1 else said.replace(tool.thing, f"{tool.thing}s").replace("mentions", "mention")
    if not number:
        rarely(rng)
        yield answer(f"{has(path)} no {plural}.")
    elif len(lines) > 4:
        yield answer(f"{has(path)} {number} {plural}:\n\n{OUTPUT_LINE}")
    else:
        yield answer(f"{has(path)} {number} {plural}" + (f": {listed(lines)}." if places else "."))


_TY_CODES = (
    "invalid-explicit-return", "invalid-explicit-return", "missing-attribute", "missing-attribute",
    "invalid-assignment", "unsupported-operator", "unresolved-reference", "missing-argument", "unknown-argument",
    "invalid-argument-type",
)  # fmt: skip
_RUFF_CODES = ("F401", "F401", "F401", "F541", "E722", "E711", "SIM118", "C408", "FURB192", "F841", "F821", "I001")


def _mentioned(project: Project, rng: Voice, tool: Tool) -> str:
    """A name that a message may have: of a class, of a builtin type, of an import."""
    if tool is RUFF:
        return rng.choice(["os", "json", "math", "import", "except", "dict", "size", "time", "f-string"])
    found = [entity.name for entity in project.entities.values()]
    return rng.choice([*found, *found, "str", "int", "float", "None", names.word(rng)])
