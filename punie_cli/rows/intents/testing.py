"""Questions that pytest answers: whole results, counts, and fields of results. Tests ask first, and may be refused."""

from punie_cli.agent.messages import OUTPUT_LINE, Message, answer, program
from punie_cli.rows.intents import Forms, Script, Unsuitable, Voice, ask, count, intent, listed
from punie_cli.rows.intents.paths import refused, tested
from punie_cli.rows.project import Project

TEST = Forms(
    "test",
    """
    test {path}
    run the tests (in|of|from) {path}
    run {path} (with pytest|in pytest)
    (run|use|start) pytest (on|for) {path}
    run (the test file|) {path} and show me the result
    what does pytest say about {path}
    (show|give|tell) me the test results of {path}
    (can|could) you run the tests (in|of) {path}
    execute the tests of {path}
    what (comes out|is the result) when you (run|test) {path}
    try the tests in {path}
    pytest {path}
    """,
)


def told_results(output: Message, path: str) -> str:
    """The answer to a whole run."""
    if refused(output):
        return _no(path)
    first = output.text.partition("\n")[0]
    if "failed" not in first and "error" not in first:
        return f"All tests in {path} pass: {first}."
    return f"Not all tests in {path} pass:\n\n{OUTPUT_LINE}"


def _no(path: str) -> str:
    return f"Running the tests of {path} was refused, so I do not know whether they pass."


def _some(project: Project, rng: Voice) -> str:
    if not project.tests:
        raise Unsuitable
    return rng.choice(["tests", "tests/"]) if rng.random() < 0.25 else tested(project, rng)


@intent("test", 2.8)
def test_path(project: Project, rng: Voice) -> Script:
    path = _some(project, rng)
    yield ask(rng, TEST, path=path)
    result = yield program(f'print(test("{path}"))')
    yield answer(told_results(result, path))


@intent("test", 1.1)
def test_all(project: Project, rng: Voice) -> Script:
    if not project.tests:
        raise Unsuitable
    yield ask(
        rng,
        """
        run (the|all|all the|my) tests
        test (the project|everything|this project|the code)
        run pytest
        run the test suite
        (can|could) you run the tests
        (start|execute) all tests (of the project|)
        show me the test results
        """,
    )
    result = yield program("print(test())")
    if refused(result):
        yield answer(_no("the project"))
    else:
        yield answer(told_results(result, "the project"))


@intent("test", 2)
def tests_pass(project: Project, rng: Voice) -> Script:
    path = _some(project, rng)
    yield ask(
        rng,
        """
        do the tests (in|of) {path} pass
        does {path} pass
        are the tests in {path} (green|ok|fine)
        is {path} green
        did I break (the tests in|something in|) {path}
        does everything in {path} (pass|succeed)
        are there failing tests in {path}
        """,
        path=path,
    )
    result = yield program(f'result = test("{path}")\nprint(result.success, result.failed + result.errors)')
    if refused(result):
        yield answer(_no(path))
    elif result.text.startswith("True"):
        yield answer(f"Yes, all tests in {path} pass.")
    else:
        number = int(result.text.split()[1])
        yield answer(f"No, {count(number, 'test')} in {path} {'does' if number == 1 else 'do'} not pass.")


@intent("test", 2)
def failing_tests(project: Project, rng: Voice) -> Script:
    path = _some(project, rng)
    yield ask(
        rng,
        """
        which tests (in|of) {path} fail
        (list|name|show) the failing tests (in|of) {path}
        what tests are (red|broken|failing) in {path}
        names of the failed tests in {path}
        run {path} and (name|list) the tests that fail
        which test functions in {path} do not pass
        """,
        path=path,
    )
    result = yield program(f'result = test("{path}")\nfor failure in result.failures:\n    print(failure.test)')
    names = result.text.split()
    if refused(result):
        yield answer(_no(path))
    elif not names:
        yield answer(f"No test in {path} fails.")
    elif len(names) == 1:
        yield answer(f"One test in {path} fails: {names[0]}.")
    else:
        yield answer(f"{len(names)} tests in {path} fail: {listed(names)}.")


@intent("test", 1.8)
def count_tests(project: Project, rng: Voice) -> Script:
    path = _some(project, rng)
    kind, word = rng.choice([("passed", "pass"), ("passed", "pass"), ("failed", "fail")])
    yield ask(
        rng,
        """
        how many tests (in|of) {path} {word}
        (count|tell me the number of) the tests in {path} that {word}
        number of tests that {word} in {path}
        run {path}: how many {word}
        how many (of the|) tests {word} when you run {path}
        in {path}, how many tests {word}
        """,
        path=path,
        word=word,
    )
    result = yield program(f'result = test("{path}")\nprint(result.{kind})')
    if refused(result):
        yield answer(_no(path))
    else:
        number = int(result.text)
        yield answer(f"{count(number, 'test').capitalize()} in {path} {word}{'es' if word == 'pass' else 's'}."
                     if number == 1 else f"{count(number, 'test').capitalize()} in {path} {word}.")  # fmt: skip


@intent("test", 2)
def first_failure(project: Project, rng: Voice) -> Script:
    path = _some(project, rng)
    yield ask(
        rng,
        """
        what is the first (failure|failing test|failed test) in {path}
        (show|tell|give) me the first (failure|failing test) of {path}
        where does the first test of {path} fail
        first failure (in|of) {path}
        run {path} and show (only|just) the first failure
        what is the message of the first failure in {path}
        """,
        path=path,
    )
    result = yield program(
        f'result = test("{path}")\n'
        "if result.failures:\n"
        "    first = result.failures[0]\n"
        '    print(f"{first.test}, line {first.line}: {first.message}")\n'
        "else:\n"
        '    print("no failures")'
    )
    if refused(result):
        yield answer(_no(path))
    elif result.text.startswith("no failures"):
        yield answer(f"No test in {path} fails.")
    else:
        yield answer(f"The first failure in {path} is {result.text.splitlines()[0]}")


@intent("test", 1.6)
def explain_failure(project: Project, rng: Voice) -> Script:
    """What was expected and what came, read from the assertion."""
    if not project.bugs:
        raise Unsuitable
    path = rng.choice(project.bugs).test_file
    yield ask(
        rng,
        """
        why does {path} fail
        why do the tests in {path} fail
        explain the (failure|failing test) in {path}
        what is wrong (with the tests|) in {path}
        {path} fails, (why|what is the reason|can you explain it)
        what did the failing test in {path} expect
        tell me the reason of the failure in {path}
        """,
        path=path,
    )
    result = yield program(f'print(test("{path}"))')
    if refused(result):
        yield answer(_no(path))
        return
    lines = result.text.splitlines()[1:]
    place, _, said = lines[0].replace(": AssertionError: assert ", ": assert ").partition(": assert ")
    left, by, right = said.partition(" == ") if " == " in said else said.partition(" is ")
    if len(lines) != 1 or not by:
        raise Unsuitable
    name = place.rpartition(": ")[2]
    yield answer(f"{name} fails: it expects {right.strip()}, but the code gives {left.strip()}.")


@intent("test", 1)
def test_one(project: Project, rng: Voice) -> Script:
    path = tested(project, rng)
    names = [line[4:].partition("(")[0] for line in project.files[path].splitlines() if line.startswith("def test")]
    failing = [bug.test for bug in project.bugs if bug.test_file == path]
    name = rng.choice(failing + names)
    yield ask(
        rng,
        """
        run (only|just|) {name} (in|from|of) {file}
        (run|execute) the test {name} of {file}
        does {name} in {file} pass
        test only {name} in {file}
        run pytest for {file}::{name}
        (try|start) the single test {name} in {file}
        """,
        file=path,
        name=name,
    )
    result = yield program(f'result = test("{path}::{name}")\nprint(result.success)')
    if refused(result):
        yield answer(f"Running {name} was refused, so I do not know whether it passes.")
    elif result.text.strip() == "True":
        yield answer(f"{name} passes.")
    else:
        yield answer(f"{name} fails.")


@intent("failure", 1.7, missing=("pytest",))
def test_tool_failed(project: Project, rng: Voice) -> Script:
    """The answer must say that pytest did not run."""
    path = _some(project, rng)
    yield ask(rng, TEST, path=path)
    result = yield program(f'print(test("{path}"))')
    reason = result.text.partition("tests did not run: ")[2].strip()
    if not reason:
        raise Unsuitable
    yield answer(f"The tests of {path} did not run: {reason}.")


@intent("failure", 1.1, refused=True)
def test_refused(project: Project, rng: Voice) -> Script:
    path = _some(project, rng)
    yield ask(rng, TEST, path=path)
    result = yield program(f'print(test("{path}"))')
    yield answer(told_results(result, path))


@intent("field", 1)
def passed_tests(project: Project, rng: Voice) -> Script:
    if not project.tests:
        raise Unsuitable
    path = rng.choice(["tests", *project.tests])
    field, thing = rng.choice([("passed", "pass"), ("failed", "fail"), ("passed", "succeed")])
    yield ask(
        rng,
        """
        how many tests (in|of) {path} {thing}
        count the tests in {path} that {thing}
        (run|start) {path} and tell me how many tests {thing}
        number of tests that {thing} in {path}
        of the tests in {path}, how many {thing}
        {path}: how many {thing}, just the number
        """,
        path=path,
        thing=thing,
    )
    result = yield program(f'result = test("{path}")\nprint(result.{field})')
    if refused(result):
        yield answer(f"Running the tests of {path} was refused, so I do not know.")
    else:
        number = int(result.text)
        one = {"pass": "passes", "fail": "fails", "succeed": "succeeds"}[thing]
        yield answer(f"{number or 'No'} test{'' if number == 1 else 's'} in {path} {one if number == 1 else thing}.")


@intent("field", 1)
def failure_message(project: Project, rng: Voice) -> Script:
    if not project.bugs:
        raise Unsuitable
    bug = rng.choice(project.bugs)
    yield ask(
        rng,
        """
        why does {test} (in {path} |)fail
        with which message does {test} of {path} fail
        run {path} and show (why|the reason why) {test} fails
        what is the error (message|) of {test} in {path}
        {test} in {path} is red, what does it say
        tell me what goes wrong in {test} ({path})
        """,
        path=bug.test_file,
        test=bug.test,
    )
    result = yield program(
        f'for failure in test("{bug.test_file}").failures:\n    print(failure.test, failure.line, failure.message)'
    )
    if refused(result):
        yield answer(f"Running {bug.test_file} was refused, so I do not know.")
    elif bug.test not in result.text:
        raise Unsuitable
    else:
        yield answer(f"{bug.test} fails:\n\n{OUTPUT_LINE}")
