"""Mending what a test shows, callers of a renamed function, and first attempts that did not help.

An answer never says more than the last check did.
"""

import re

from punie_cli.agent.messages import Message, answer, program
from punie_cli.rows.intents import Script, Unsuitable, Voice, ask, intent
from punie_cli.rows.intents.mending import CLEAN, first_look, no_change, of_kind, told
from punie_cli.rows.intents.paths import refused
from punie_cli.rows.intents.replacing import bare, change
from punie_cli.rows.mishaps import Slip
from punie_cli.rows.project import Project

_REFUSED_TESTS = "Running the tests was refused, so I changed nothing."


def _passes(result: Message, slips: list[Slip], words: str) -> Message:
    if refused(result):
        return no_change(slips)
    if result.error or "failed" in result.text or "error" in result.text:
        raise Unsuitable
    return answer(f"{told(slips)} {words}")


@intent("mending", 2.6, alone=True)
def mending_bug(project: Project, rng: Voice) -> Script:
    """Test and module are named."""
    made = of_kind(project, "bug")
    (slip,) = made.slips
    test = slip.test_file
    yield ask(
        rng,
        """
        {test} is failing, the culprit is {path}
        {path} has a bug, see {test}. mend it
        debug {path} with {test}
        the code in {path} doesn't do what {test} says it should; correct the code
        {test} wants something else than {path} does, fix {path}
        my change to {path} made {test} red. repair
        get {test} passing again by mending {path}
        there's an error in the logic of {path}, {test} proves it. fix it
        look at what {test} expects and change {path} accordingly
        (pls|please) correct {path}, {test} doesn't pass
        somebody broke {path}: {test} fails now. put the code right, leave the test alone
        one wrong line in {path}, {test} catches it; find and correct it
        fix the wrong result in {path} and run {test}
        {test} red -> {path}
        CI: failure in {test}, code is {path}, do the fix
        could you find out why {test} fails and repair {path}
        the maths in {path} is off according to {test}, mend that
        {path} returns the wrong thing. {test} knows the right one, fix and rerun it
        """,
        path=slip.file,
        test=test,
    )
    result = yield program(f'print(test("{test}"))\nprint(read_file("{test}"))\nprint(read_file("{slip.file}"))')
    if refused(result):
        yield answer(_REFUSED_TESTS)
        return
    result = yield program(change(made.slips, f'test("{test}")'))
    yield _passes(result, made.slips, f"{test} passes now.")


@intent("mending", 2.8, alone=True)
def mending_failures(project: Project, rng: Voice) -> Script:
    """Nothing is named: the results name the tests, their imports the modules, of which one or two are mended."""
    made = of_kind(project, "bug", "two-bugs", "two-bugs")
    yield ask(
        rng,
        """
        tests are red, mend the code
        fix what makes the tests fail
        pytest is red - repair the code, not the tests
        get all tests green
        something's broken, the tests show it. fix it
        run the tests, find the (bug|bugs), correct the code
        make pytest pass again
        the test job fails in CI, please fix the code
        everything in tests/ has to pass; change the modules where needed
        failing tests! find out why and fix
        could you repair whatever the test run shows
        test suite broken since yesterday, mend it
        I need a green test run before I merge, fix the failures
        look into the test failures and correct the modules
        debug the failures of the test suite, then run it again
        see which tests fail and put the code behind them right
        (bugs|a bug) crept in, the tests know where. fix and rerun everything
        the code is wrong somewhere, tests/ says where; repair it
        """,
    )
    result = yield program(
        "result = test()\nprint(result)\nfor failure in result.failures:\n    print(read_file(failure.file))"
    )
    if refused(result):
        yield answer(_REFUSED_TESTS)
        return
    # Each test file is printed once for each failure in it; one is enough.
    if result.text.count("import ") > 6:
        raise Unsuitable
    named = [s for file in re.findall(r"^(tests/\w+\.py):\d+:", result.text, re.MULTILINE)
             for s in made.slips if s.test_file == file]  # fmt: skip
    slips = list(dict.fromkeys(named))
    if len(slips) != len(made.slips):
        raise Unsuitable
    yield program("\n".join(f'print(read_file("{slip.file}"))' for slip in slips))
    result = yield program(change(slips, "test()"))
    yield _passes(result, slips, "All tests pass now.")


@intent("mending", 2, alone=True)
def mending_renamed(project: Project, rng: Voice) -> Script:
    """The user renamed a function; the test still has the old name."""
    made = of_kind(project, "renamed")
    old, new, path, test = made.renamed
    yield ask(
        rng,
        """
        I renamed {old} to {new} in {path}, {test} still uses the old name. fix it
        {old} is called {new} now, update {test}
        {test} breaks because {old} became {new}, mend the test
        after the rename {old} -> {new} {test} can't import, fix that
        {path} has {new} instead of {old}; {test} must follow
        adapt {test} to the new name {new} (it was {old})
        we changed {old} into {new}. make {test} use it and run it
        {test}: old name {old}, should be {new}
        the function {old} of {path} is {new} since today, repair {test}
        {test} fails with an import error, {old} has been renamed to {new}
        please replace the old {old} by {new} in {test} and run that test
        get {test} green: {old} does not exist any more, it's {new}
        rename fallout: {test} wants {old}, {path} offers {new}. fix the test
        bring {test} up to date with the rename of {old} to {new}
        forgot the test when I renamed {old}; it is {new} now, correct {test}
        """.replace("(it was {old})", "instead of {old}"),
        old=old,
        new=new,
        path=path,
        test=test,
    )
    result = yield program(f'print(test("{test}"))\nprint(read_file("{test}"))')
    if refused(result):
        yield answer(_REFUSED_TESTS)
        return
    result = yield program(
        f'text = read_file("{test}")\ntext = text.replace("{old}", "{new}")\nwrite_file("{test}", text)\n'
        f'print(test("{test}"))'
    )
    if refused(result):
        yield answer(f"The change to {test} was refused, so it still uses {old}.")
        return
    if result.error or "failed" in result.text or "error" in result.text:
        raise Unsuitable
    yield answer(f"Fixed {test}: it now uses {new} instead of {old}. {test} passes now.")


@intent("mending", 1.6, alone=True)
def mending_lint_and_test(project: Project, rng: Voice) -> Script:
    """Everything is linted, and the tests say that nothing broke."""
    made = of_kind(project, "lint", "lints", "two-lints")
    if not made.project.tests:
        raise Unsuitable
    yield ask(
        rng,
        """
        make everything ruff clean and run the tests afterwards
        fix all lint, then test
        clean up the ruff findings everywhere, and make sure the tests still pass
        ruff clean please, without breaking a test
        repair the lint findings of the project and run pytest after that
        lint -> fix -> test, whole project
        get rid of ruff's findings, verify with the tests too
        correct what ruff finds, and prove with the tests that nothing broke
        the repo must pass ruff and the tests, mend the lint
        sort the lint out everywhere, finish with a test run
        resolve all ruff findings and check that the tests are green
        before the release: no lint, tests passing. fix what ruff reports
        tidy the code for ruff; run all tests when you're done
        I want zero findings and a passing test suite, change the code
        could you mend the lint in the project and then test everything
        """,
    )
    yield program(first_look("lint", ""))
    result = yield program(change(made.slips, "lint()", "test()"))
    if refused(result):
        if result.text.startswith(CLEAN["lint"]):
            yield answer(f"{told(made.slips)} The project has no lint findings any more; the test run was refused.")
        else:
            yield no_change(made.slips)
        return
    if not result.text.startswith(CLEAN["lint"]) or "failed" in result.text or "error" in result.text:
        raise Unsuitable
    yield answer(f"{told(made.slips)} The project has no lint findings any more, and all tests pass.")


_AGAIN = """
    {path} still fails {word}, get it right
    fix {path} for {word} and don't stop before it passes
    {word} rejects {path}. mend it, and be sure that it really is mended
    repair {path} until {word} is satisfied; check each time
    {path}: {word} is red. fix, verify, fix again if you have to
    I tried to fix {path} without luck, {word} keeps failing. your turn
    tricky one: {word} fails for {path}, correct it
    (correct|mend) {path}, and only tell me it's done when {word} agrees
    {word} on {path} has to pass, keep at it
    somehow {path} never gets past {word}, sort it out please
    make sure {word} accepts {path}, change the code as needed
    {path} doesn't pass {word}; find the mistake and make it pass
    see that {path} becomes clean for {word}, verify it
    please don't guess: fix {path} and let {word} confirm it
    can you test your change? {path} has to get through {word}
    """


@intent("mending", 1.1, alone=True)
def mending_missed(project: Project, rng: Voice) -> Script:
    """The first mend does not help: the message is read again, and the second does."""
    made = of_kind(project, "type", "none", "bug")
    (slip,) = made.slips
    if not slip.misses or slip.kind:
        raise Unsuitable
    path, miss, check = slip.file, slip.misses[0].strip(), f'typecheck("{slip.file}")'
    if slip.test_file:
        check = f'test("{slip.test_file}")'
    yield ask(rng, _AGAIN, path=path, word=slip.test_file or "ty")
    result = yield program(f'print({check})\nprint(read_file("{path}"))')
    if refused(result):
        yield answer(_REFUSED_TESTS)
        return
    if result.text.startswith("no ") or made.project.files[path].count(miss):
        raise Unsuitable
    wrong, right = bare(slip)
    result = yield program(change([Slip(path, wrong, miss, "", "")], check))
    if refused(result):
        yield no_change(made.slips)
        return
    if result.text.startswith(CLEAN["typecheck"]) or (slip.test_file and "failed" not in result.text):
        raise Unsuitable
    result = yield program(change([Slip(path, miss, right, "", "")], check))
    end = f"{slip.test_file} passes now." if slip.test_file else "It has no type errors any more."
    if not slip.test_file and not result.text.startswith(CLEAN["typecheck"]):
        raise Unsuitable
    if slip.test_file and ("failed" in result.text or "error" in result.text):
        raise Unsuitable
    yield answer(f"My first change did not help; the second did. {told([Slip(path, miss, right, '', '')])} {end}")


@intent("mending", 0.3, alone=True)
def mending_not_mended(project: Project, rng: Voice) -> Script:
    """Two mends did not help: the answer says what is still wrong."""
    made = of_kind(project, "type")
    (slip,) = made.slips
    path, text = slip.file, made.project.files[slip.file]
    misses = [miss.strip() for miss in slip.misses]
    if len(misses) < 2 or any(miss in text for miss in misses[:2]):
        raise Unsuitable
    yield ask(rng, _AGAIN, path=path, word="ty")
    check = f'typecheck("{path}")'
    yield program(first_look("typecheck", path))
    wrong = bare(slip)[0]
    for miss in misses[:2]:
        result = yield program(change([Slip(path, wrong, miss, "", "")], check))
        if refused(result):
            yield no_change(made.slips)
            return
        if not re.match(r"\d+ error", result.text):
            raise Unsuitable
        wrong = miss
    lines = [line for line in result.text.splitlines()[1:] if line.startswith(path)]
    errors = result.text.splitlines()[0].rstrip(":")
    yield answer(f"{path} is not mended: two changes did not help. ty still reports {errors}:\n\n" + "\n".join(lines))


def _inexact(text: str) -> str:
    """A text that is nearly what the file has: other quotes, or spaces that are not there."""
    for old, new in [('"', "'"), (" = ", "="), (" == ", "=="), (", ", ","), (" + ", "+"), (" / ", "/"), (" - ", "-")]:
        if old in text:
            return text.replace(old, new)
    raise Unsuitable


@intent("mending", 1.2, alone=True)
def mending_unchanged(project: Project, rng: Voice) -> Script:
    """The text was not in the file as it was written: the file is read again, and its own text is used."""
    made = of_kind(project, "type", "lint")
    (slip,) = made.slips
    tool, word = ("typecheck", "ty") if made.kind == "type" else ("lint", "ruff")
    wrong, right = bare(slip)
    if not right or "\n" in wrong + right:
        raise Unsuitable
    path, inexact = slip.file, _inexact(wrong)
    yield ask(rng, _AGAIN, path=path, word=word)
    result = yield program(first_look(tool, path))
    if result.text.startswith("no ") or inexact in made.project.files[path]:
        raise Unsuitable
    result = yield program(change([Slip(path, inexact, right, "", "")], f'{tool}("{path}")'))
    if "unchanged" not in result.text:
        raise Unsuitable
    yield program(f'print(read_file("{path}"))')
    result = yield program(change(made.slips, f'{tool}("{path}")'))
    if refused(result):
        yield no_change(made.slips)
        return
    if not result.text.startswith(CLEAN[tool]):
        raise Unsuitable
    yield answer(f"{told(made.slips)} It has {CLEAN[tool]} any more.")


@intent("mending", 1.6, alone=True)
def mending_own_edit(project: Project, rng: Voice) -> Script:
    """An edit that the user asked for does not help; the next turn mends it."""
    made = of_kind(project, "type")
    (slip,) = made.slips
    wrong, right = bare(slip)
    if not slip.misses or "\n" in wrong + slip.misses[0].strip():
        raise Unsuitable
    path, miss = slip.file, slip.misses[0].strip()
    if miss in made.project.files[path]:
        raise Unsuitable
    yield ask(
        rng,
        """
        in {path} replace `{old}` with `{new}` and typecheck it
        {path}: change `{old}` to `{new}`, then ty
        replace `{old}` by `{new}` in {path} and run ty
        put `{new}` where {path} has `{old}`, then typecheck it
        I'd write `{new}` instead of `{old}` in {path}, do that and check
        swap `{old}` for `{new}` in {path}, does ty accept it
        `{old}` in {path} should be `{new}`, edit it and run ty
        try `{new}` instead of `{old}` in {path}, ty after that
        """,
        path=path,
        old=wrong,
        new=miss,
    )
    check = f'typecheck("{path}")'
    result = yield program(change([Slip(path, wrong, miss, "", "")], check))
    if refused(result):
        yield answer(f"The change to {path} was refused, so it is as it was.")
        return
    if not re.match(r"\d+ error", result.text):
        raise Unsuitable
    lines = [line for line in result.text.splitlines()[1:] if line.startswith(path)]
    errors = result.text.splitlines()[0].rstrip(":")
    yield answer(f"{path} has `{miss}` now. ty reports {errors}:\n\n" + "\n".join(lines))
    yield ask(
        rng,
        """
        then fix it
        ok, that was wrong. mend it yourself
        so what would be right? change it and check
        hm, not good. correct it so that ty passes
        find the right fix then
        my idea didn't work, please repair it properly
        fix that
        do it right then
        get rid of (that error|those errors)
        now make it pass
        right, undo my mistake and mend it
        fix it so the check is clean
        """,
    )
    result = yield program(first_look("typecheck", path))
    result = yield program(change([Slip(path, miss, right, "", "")], check))
    if not result.text.startswith(CLEAN["typecheck"]):
        raise Unsuitable
    yield answer(f"{told([Slip(path, miss, right, '', '')])} It has no type errors any more.")
