"""The commonest questions again, as people put them who do not think of a tool: longer, in passing, with a reason."""

from punie_cli.agent.messages import OUTPUT_LINE, answer, program
from punie_cli.rows.intents import Script, Unsuitable, Voice, ask, count, intent, listed
from punie_cli.rows.intents.checks import findings
from punie_cli.rows.intents.lints import lint_findings
from punie_cli.rows.intents.paths import folder, module, refused, styled
from punie_cli.rows.intents.testing import told_results
from punie_cli.rows.project import Project


def _path(project: Project, rng: Voice) -> str:
    return folder(project, rng) if rng.random() < 0.35 else module(project, rng)


@intent("plain", 2.4)
def what_is_wrong(project: Project, rng: Voice) -> Script:
    path = _path(project, rng)
    yield ask(
        rng,
        """
        what has the type checker got against {path}
        have a look at {path} for me: what do its types get wrong
        my editor underlines things in {path}, what does ty say
        I changed {path}, tell me what the type checker thinks of it now
        before I commit {path}: what type errors does it have
        something about the types of {path} is off, what is it
        go over {path} and report all type errors
        please look through {path} with the type checker and tell me what is wrong
        types of {path}, what needs attention
        do the annotations of {path} hold, and if not, where
        what would CI say about the types in {path}
        """,
        path=path,
    )
    result = yield program(f'print(typecheck("{path}"))')
    yield answer(findings(result, path))


@intent("plain", 1.8)
def is_it_clean(project: Project, rng: Voice) -> Script:
    path = _path(project, rng)
    yield ask(
        rng,
        """
        I only want to know whether {path} has type errors, yes or no
        can I merge {path}, or does ty object
        is there anything in {path} that the type checker would reject
        tell me if {path} is fine for ty
        {path}: fine as far as types go
        are we clean in {path}, types I mean
        would the type check of {path} go through
        yes or no: does {path} pass ty
        """,
        path=path,
    )
    result = yield program(f'result = typecheck("{path}")\nprint(result.success, result.error_count)')
    success, number = result.text.split()
    if success == "True":
        yield answer(f"Yes, {path} has no type errors.")
    else:
        yield answer(f"No, {path} has {count(int(number), 'type error')}.")


@intent("plain", 1.4)
def total_errors(project: Project, rng: Voice) -> Script:
    yield ask(
        rng,
        """
        type errors (altogether|all in all), how many
        how many type errors does the whole project have
        what is our total of type errors
        count the type errors of the project
        in sum, how many errors does ty see here
        how many errors has a type check of everything
        the number of type errors, all files
        """,
    )
    result = yield program("print(typecheck().error_count)")
    yield answer(f"The project has {count(int(result.text), 'type error')}.")


@intent("plain", 1.6)
def rule_of_error(project: Project, rng: Voice) -> Script:
    path = module(project, rng)
    field, thing = rng.choice([("code", "rule"), ("code", "error code"), ("column", "column"), ("line", "line")])
    yield ask(
        rng,
        """
        at which {thing} is the first type error of {path}
        what is the {thing} of the first type error in {path}
        I need the {thing} of the error that ty finds in {path}
        the first error in {path}: which {thing} does ty give
        for the commit message: {thing} of the first type error in {path}
        {thing} of the first error of {path} please, nothing else
        """,
        path=path,
        thing=thing,
    )
    result = yield program(
        f'result = typecheck("{path}")\nif result.errors:\n    print(result.errors[0].{field})\n'
        'else:\n    print("no type errors")'
    )
    text = result.text.strip()
    if text == "no type errors":
        yield answer(f"There are no type errors in {path}.")
    else:
        yield answer(f"The {thing} of the first type error in {path} is {text}.")


@intent("plain", 1.2)
def last_line_with_error(project: Project, rng: Voice) -> Script:
    path = module(project, rng)
    yield ask(
        rng,
        """
        on which line of {path} is the last type error
        the line of the last type error in {path}, please
        {path} is full of type errors; where is the last one
        how far down in {path} do the type errors go
        last line of {path} that ty complains about
        give me the line number of the final type error in {path}
        """,
        path=path,
    )
    result = yield program(
        f'result = typecheck("{path}")\nif result.errors:\n    print(result.errors[-1].line)\n'
        'else:\n    print("no type errors")'
    )
    text = result.text.strip()
    if text == "no type errors":
        yield answer(f"There are no type errors in {path}.")
    else:
        yield answer(f"The last type error in {path} is on line {text}.")


@intent("plain", 1.4)
def kinds_of_errors(project: Project, rng: Voice) -> Script:
    path = rng.choice(["", folder(project, rng), folder(project, rng)])
    place = f" in {path}" if path else ""
    yield ask(
        rng,
        """
        what kinds of type errors do we have{place}
        the distinct codes of the type errors{place}, nothing else
        which of ty's rules are broken{place}
        codes only: type errors{place}
        what sorts of type errors are there{place}, by code
        name each code that ty reports{place}, once
        """,
        place=place,
    )
    call = f'typecheck("{path}")' if path else "typecheck()"
    result = yield program(f"for code in sorted({{error.code for error in {call}.errors}}):\n    print(code)")
    codes = result.text.split()
    yield answer(f"ty reports {listed(codes)}." if codes else "There are no type errors.")


@intent("plain", 2)
def what_ruff_says(project: Project, rng: Voice) -> Script:
    path = folder(project, rng) if rng.random() < 0.35 else styled(project, rng)
    yield ask(
        rng,
        """
        what does ruff moan about in {path}
        is there something in {path} that the linter would not let through
        I want {path} to be tidy: what does the linter say
        let the linter loose on {path}
        have ruff look at {path} and tell me what it finds
        what would the linter want changed in {path}
        {path} before review: lint it and report
        which complaints does ruff have about {path}
        """,
        path=path,
    )
    result = yield program(f'print(lint("{path}"))')
    yield answer(lint_findings(result, path))


@intent("plain", 1.2)
def fine_for_ruff(project: Project, rng: Voice) -> Script:
    path = folder(project, rng) if rng.random() < 0.35 else styled(project, rng)
    yield ask(
        rng,
        """
        as far as ruff goes, is {path} fine
        does ruff have anything against {path}, yes or no
        tell me whether {path} is clean for the linter
        {path}: ok for ruff
        could I push {path} without the linter complaining
        would ruff let {path} through
        """,
        path=path,
    )
    result = yield program(f'result = lint("{path}")\nprint(result.success, result.count)')
    success, number = result.text.split()
    if success == "True":
        yield answer(f"Yes, {path} has no lint findings.")
    else:
        yield answer(f"No, {path} has {count(int(number), 'lint finding')}.")


@intent("plain", 1.2)
def fixable_everywhere(project: Project, rng: Voice) -> Script:
    yield ask(
        rng,
        """
        how many lint findings (of the project|altogether) could ruff fix by itself
        which part of our lint findings has a safe fix, in numbers
        of all that ruff finds here, how much is fixable
        lint findings with an automatic fix in this project, how many
        could ruff mend its findings in this project alone
        number of findings that ruff can fix here, and of all
        """,
    )
    result = yield program("result = lint()\nprint(result.fixable, result.count)")
    some, of = (int(number) for number in result.text.split())
    yield answer(f"ruff can fix {some} of the {count(of, 'lint finding')}." if of else "There are no lint findings.")


@intent("plain", 1.6)
def run_all_tests(project: Project, rng: Voice) -> Script:
    if not project.tests:
        raise Unsuitable
    yield ask(
        rng,
        """
        do the tests still work
        I changed something, see whether the tests are fine
        let the whole suite run and report
        how do the tests look
        tests please, all of them
        is the test suite in order
        check that nothing is broken, by the tests
        """,
    )
    result = yield program("print(test())")
    if refused(result):
        yield answer("Running the tests was refused, so I do not know whether they pass.")
    else:
        yield answer(told_results(result, "the project"))


@intent("plain", 1.6)
def how_many_pass(project: Project, rng: Voice) -> Script:
    if not project.tests:
        raise Unsuitable
    yield ask(
        rng,
        """
        run all tests and tell me how many pass
        how many of our tests pass (right now|today|at the moment)
        count the passing and the failing tests
        how many tests are green and how many are red
        figures of the test run, please: passed and failed
        the tests: how many passed, how many failed
        """,
    )
    result = yield program("result = test()\nprint(result.passed, result.failed)")
    if refused(result):
        yield answer("Running the tests was refused, so I do not know how many pass.")
    else:
        passed, failed = (int(number) for number in result.text.split())
        yield answer(f"{passed} passed, {failed or 'none'} failed.")


@intent("plain", 1.6)
def which_fail(project: Project, rng: Voice) -> Script:
    if not project.tests:
        raise Unsuitable
    yield ask(
        rng,
        """
        something went red, which tests are failing
        which tests fail in this project
        name the failing tests of the project
        what is broken according to the tests
        tell me the tests that do not pass, with their lines
        run everything and list the failures
        """,
    )
    result = yield program("for failure in test().failures:\n    print(failure.file, failure.line, failure.test)")
    found = [line.split() for line in result.text.splitlines() if line.count(" ") == 2]
    if refused(result):
        yield answer("Running the tests was refused, so I do not know which fail.")
    elif not found:
        yield answer("No test fails.")
    elif len(found) == 1:
        yield answer(f"One test fails: {found[0][2]}, in {found[0][0]} on line {found[0][1]}.")
    else:
        yield answer(f"{len(found)} tests fail:\n\n{OUTPUT_LINE}")


@intent("plain", 1.6)
def who_mentions(project: Project, rng: Voice) -> Script:
    """A search by command, told as a list of files."""
    words = sorted(
        {word for text in project.files.values() for word in text.split() if word.isalpha() and len(word) > 5}
    )
    if not words:
        raise Unsuitable
    word = rng.choice(words)
    yield ask(
        rng,
        """
        which files (mention|contain|use|have) {word}
        search for {word}: in which files is it
        where in the project does {word} occur, files only
        (grep for|look for) {word} and name the files
        list every file with {word} in it
        who uses {word} here, which files
        """,
        word=word,
    )
    result = yield program(f'print(run_command(["grep", "-rl", "{word}", "."]))')
    files = sorted(line.removeprefix("./") for line in result.text.split())
    if result.error or not files or len(files) > 6:
        raise Unsuitable
    yield answer(f"{word} is in {listed(files)}.")


@intent("plain", 0.3, alone=True)
def thanks(project: Project, rng: Voice) -> Script:
    yield ask(
        rng,
        """
        thanks(| a lot|, that helped|, punie| for the help)
        thank you(| very much|, that was it| for looking)
        great, that is what I needed( to know|)
        perfect(|, thanks|, exactly that)
        ok, that is all (for now|then|I wanted)
        that will do for (today|now|the moment)
        """,
    )
    yield answer(rng.choice(["You are welcome.", "You are welcome. Ask again when there is more to do."]))


@intent("plain", 0.3, alone=True)
def greeting(project: Project, rng: Voice) -> Script:
    yield ask(
        rng,
        """
        hello(|, punie| there|, are you awake)
        hi(|, punie| there|, it is me again)
        good (morning|evening|day|afternoon)(|, punie)
        hey( there| punie|, anybody in)
        are you (there|ready|awake|listening)
        let us begin(| then|, shall we)
        """,
    )
    yield answer("Hello. What shall I look at?")


@intent("plain", 0.5, alone=True)
def abilities(project: Project, rng: Voice) -> Script:
    yield ask(
        rng,
        """
        what can you do(| for me| here)
        (who|what) are you(|, and what do you do)
        how can you help me(| with this project|with my code)
        what (are you able to|can I have you) do
        which tools do you have
        tell me what you are good for
        what are your (abilities|functions|tools)
        """,
    )
    yield answer(
        "I am punie, a coding agent: I read and write files, run commands, check types, lint and test, "
        "and answer questions about Python."
    )
