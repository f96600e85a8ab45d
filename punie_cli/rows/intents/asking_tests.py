"""Tests as developers ask for them in few words: all, a file, one by its name; whether they pass, and how many."""

import re

from punie_cli.agent.messages import OUTPUT_LINE, Message, answer, program
from punie_cli.rows.intents import Forms, Script, Unsuitable, Voice, count, intent, rarely
from punie_cli.rows.intents.asking import terse
from punie_cli.rows.intents.paths import refused, tested
from punie_cli.rows.intents.testing import told_results
from punie_cli.rows.project import Project

TESTS = Forms(
    "asked-test-file",
    """
    test {path}
    tests {path}
    tset {path}
    pytest {path}
    pytest (on|for|just|only) {path}
    {path} tests
    {path}: run it
    {path}, pytest says?
    {path} (through|with) pytest
    run {path}
    rerun {path}
    run tests {path}
    run tests in {path}
    (just|only) run {path}
    only the tests in {path}
    test run of {path}
    test results for {path}
    python -m pytest {path}
    execute {path} with pytest
    could you (quickly|) run {path}
    (mind|would you mind) running {path}
    before I push: run {path}
    I touched the code under {path}, run those tests
    rewrote a helper. see what {path} says
    need a run of {path}, don't change anything
    let me see what pytest prints for {path}
    """,
)
TESTS_ALL = Forms(
    "asked-tests",
    """
    tests
    tests?
    tests please
    test
    test it
    test (all|everything|the lot|again)
    pytest
    pytest (now|again)
    run tests
    run pytest
    run (all|every|the|my|our) tests
    rerun the tests
    run tets
    run the tsets
    all tests
    whole suite
    run the suite
    run the whole suite
    full test run
    test results?
    unit tests
    python -m pytest
    once through pytest
    give the tests a spin
    before I commit: run the tests
    I moved things around. run all tests, no fixes
    let me see a test run of the whole thing
    could you run all tests once
    just run the tests and show what comes out
    """,
)


def _told(output: Message) -> Message:
    """The answer to a run of everything."""
    if refused(output):
        return answer("Running the tests was refused, so I do not know whether they pass.")
    return answer(told_results(output, "the project"))


def where(project: Project, rng: Voice) -> tuple[str, str]:
    """A call of test and how a question names what it is about: a file, the folder, or nothing at all."""
    if not project.tests:
        raise Unsuitable
    path = rng.choice(["", "", "", "tests/", tested(project, rng), tested(project, rng)])
    return (f'test("{path}")' if path else "test()"), path


def within(path: str) -> str:
    """` in PATH`, or nothing for everything."""
    return f" in {path}" if path else ""


def _case(project: Project, rng: Voice) -> tuple[str, str]:
    """A test file and the name of a test in it; one that fails is likelier."""
    path = tested(project, rng)
    names = re.findall(r"^def (test_\w+)", project.files[path], re.MULTILINE)
    failing = [bug.test for bug in project.bugs if bug.test_file == path]
    return path, rng.choice(failing if failing and rng.random() < 0.5 else names)


@intent("asking", 3)
def asked_tests(project: Project, rng: Voice) -> Script:
    if not project.tests:
        rarely(rng)
    yield terse(rng, TESTS_ALL)
    result = yield program("print(test())")
    if "no test was run" in result.text:
        yield answer("No test was run: pytest found none in the project.")
    else:
        yield _told(result)


@intent("asking", 3)
def asked_test_file(project: Project, rng: Voice) -> Script:
    # "run tests" means everything: the folder has its slash here.
    path = "tests/" if project.tests and rng.random() < 0.2 else tested(project, rng)
    yield terse(rng, TESTS, path=path)
    result = yield program(f'print(test("{path}"))')
    yield answer(told_results(result, path))


@intent("asking", 2)
def asked_test_name(project: Project, rng: Voice) -> Script:
    """One test of a file; it is named with the file, in either order."""
    file, name = _case(project, rng)
    yield terse(
        rng,
        """
        {file}::{name}
        test {file}::{name}
        run {file}::{name}
        pytest {file}::{name}
        {name} in {file}
        {file} {name}
        {file}: {name} only
        test {name} in {file}
        run {name}, file {file}
        run {name} ({file}) once
        rerun {name} ({file})
        pytest {file} -k {name}
        only {name}, it is in {file}
        just {name} of {file}
        does {name} of {file} pass now
        from {file} run {name}, not the rest
        could you run one test, {name} in {file}
        I fixed {name} I think, try it: {file}
        one test only. {file}, {name}
        """,
        file=file,
        name=name,
    )
    result = yield program(f'print(test("{file}::{name}"))')
    yield _told_one(result, name)


def _told_one(output: Message, name: str) -> Message:
    if refused(output):
        return answer(f"Running {name} was refused, so I do not know whether it passes.")
    if output.text.startswith("1 passed"):
        return answer(f"{name} passes.")
    if "failed" not in output.text:
        raise Unsuitable
    return answer(f"{name} fails:\n\n{OUTPUT_LINE}")


@intent("asking", 1.2, alone=True)
def asked_test_anywhere(project: Project, rng: Voice) -> Script:
    """Only the name of the test is given: a search says which file has it."""
    _, name = _case(project, rng)
    yield terse(
        rng,
        """
        {name}
        test {name}
        run {name}
        rerun {name}
        pytest -k {name}
        only {name}
        just run {name}
        run only {name}
        {name} please
        {name}, pass?
        {name}: does it pass
        does {name} pass
        does {name} pass now
        is {name} green
        try {name} again
        run the test {name}
        I want to see {name} run, just that one
        could you run {name} alone
        """,
        name=name,
    )
    result = yield program(f'print(run_command(["grep", "-rl", "def {name}(", "tests"]))')
    files = result.text.split()
    if len(files) != 1:
        raise Unsuitable
    result = yield program(f'print(test("{files[0]}::{name}"))')
    yield _told_one(result, name)


@intent("asking", 2)
def asked_green(project: Project, rng: Voice) -> Script:
    call, path = where(project, rng)
    forms = """
        {path} green?
        {path} passing?
        {path}: pass or fail
        is {path} passing
        is {path} all green
        all green in {path}
        does {path} still pass
        do {path} tests pass
        tests ok in {path}
        tests in {path} ok?
        (yes or no|yes/no): {path} green
        pushing in a minute, does {path} pass
        """
    everything = """
        green?
        all green?
        tests green?
        tests ok?
        tests pass?
        tests passing?
        suite green?
        is the suite green
        is everything green
        are all tests passing
        are we green
        do all tests pass
        do tests pass
        does the suite pass
        (yes or no|yes/no): tests green
        pushing in a minute, are the tests green
        about to merge: is the whole suite passing
        """
    yield terse(rng, forms if path else everything, path=path)
    result = yield program(f"result = {call}\nprint(result.success, result.failed + result.errors)")
    if refused(result):
        yield answer(f"Running the tests{within(path)} was refused, so I do not know whether they pass.")
    elif result.text.startswith("True"):
        yield answer(f"Yes, all tests{within(path)} pass.")
    else:
        number = int(result.text.split()[1])
        yield answer(f"No, {count(number, 'test')}{within(path)} {'does' if number == 1 else 'do'} not pass.")


@intent("asking", 2)
def asked_test_counts(project: Project, rng: Voice) -> Script:
    call, path = where(project, rng)
    forms = """
        {path} pass/fail
        {path}: passed and failed
        {path} numbers: passed, failed
        pass/fail counts {path}
        pass and fail count of {path}
        test counts {path}
        how many pass and fail in {path}
        how many passed and failed, {path}
        how many green, how many red in {path}
        count passes and failures in {path}
        run {path}, numbers only
        pytest {path}, just the counts
        tally of {path}, passed against failed
        for the report: passed and failed tests of {path}
        run {path} and give me the two numbers, passed and failed
        """
    everything = """
        pass/fail?
        pass/fail counts
        test counts
        test numbers
        tests, numbers only
        passed and failed counts
        pytest, just the counts
        how many pass, how many fail
        how many tests passed and failed
        how many green, how many red
        count passes and failures
        tally of the tests
        run tests, numbers only
        suite numbers: passed, failed
        for the report: passed and failed tests of the suite
        run all tests and give me the two numbers, passed and failed
        """
    yield terse(rng, forms if path else everything, path=path)
    result = yield program(f"result = {call}\nprint(result.passed, result.failed)")
    if refused(result):
        yield answer(f"Running the tests{within(path)} was refused, so I do not know the counts.")
    else:
        passed, failed = result.text.split()
        yield answer(f"{passed} passed, {failed} failed{within(path)}.")
