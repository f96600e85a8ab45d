"""Mending again, in many more wordings, of one file or a folder, of all that a check finds; see `mends` for the shape.

A mended line is told in the answer, for the user to see what changed.
"""

import re

from punie_cli.agent.messages import Message, answer, program
from punie_cli.rows.intents import Script, Unsuitable, Voice, ask, intent, listed
from punie_cli.rows.intents.paths import refused
from punie_cli.rows.intents.replacing import bare, change
from punie_cli.rows.modules import Bug, Fault
from punie_cli.rows.project import Project

# A file is read before it is mended: a long one would fill the context.
_LINES = 50


def _mendable(project: Project, fault: Fault) -> bool:
    """Whether the wrong text stands once, and the right one has no value that only its author knows."""
    wrong, right = bare(fault)
    text = project.files[fault.file]
    known = all(value.strip('"') in text for value in re.findall(r'"[^"]*"|\d+', right))
    return known and text.count(wrong) == 1 and text.count("\n") < _LINES


def _of_file(project: Project, file: str, kind: list[Fault]) -> list[Fault]:
    """The one or two faults of a file, in its order; it has no others."""
    here = [f for f in [*project.faults, *project.style, *project.bugs] if f.file == file]
    if not 0 < len(here) <= 2 or not all(f in kind and _mendable(project, f) for f in here):
        raise Unsuitable
    return sorted(here, key=lambda f: project.files[file].index(f.wrong))


def _one_file(project: Project, kind: list[Fault], rng: Voice) -> list[Fault]:
    """The faults of one file; one of the last module is likelier, as it has kinds of its own."""
    if not kind:
        raise Unsuitable
    return _of_file(project, kind[-1].file if rng.random() < 0.6 else rng.choice(kind).file, kind)


def _below(project: Project, kind: list[Fault]) -> list[Fault]:
    """All faults of the package, of one file or two."""
    files = sorted({f.file for f in kind})
    if not 0 < len(files) <= 2 or not all(file.startswith(f"{project.package}/") for file in files):
        raise Unsuitable
    return [fault for file in files for fault in _of_file(project, file, kind)]


def _told(faults: list[Fault]) -> str:
    def what(fault: Fault) -> str:
        return f"it now has `{fault.right.strip()}`" if fault.right else f"`{fault.wrong.strip()}` is gone"

    files = dict.fromkeys(f.file for f in faults)
    return " ".join(f"Fixed {file}: {listed([what(f) for f in faults if f.file == file])}." for file in files)


def _end(result: Message, faults: list[Fault], clean: str, words: str) -> Message:
    if refused(result):
        files = listed(list(dict.fromkeys(f.file for f in faults)))
        return answer(f"The change to {files} was refused, so nothing was mended.")
    if not result.text.startswith(clean):
        raise Unsuitable
    return answer(f"{_told(faults)} {words}")


def _mended(path: str, tool: str, clean: str, faults: list[Fault]) -> Script:
    """Check of a file or folder with the texts that are wrong, the change, the check again."""
    if path.endswith(".py"):
        result = yield program(f'print({tool}("{path}"))\nprint(read_file("{path}"))')
    else:
        result = yield program(
            f'result = {tool}("{path}")\nprint(result)\nfor file in result.files:\n    print(read_file(file))'
        )
    # A model mends nothing that the check does not report.
    reported = re.match(r"(\d+) ", result.text)
    if result.error or not reported or int(reported[1]) < len(faults):
        raise Unsuitable
    result = yield program(change(faults, f'{tool}("{path}")'))
    yield _end(result, faults, clean, f"{'It' if path.endswith('.py') else path} has {clean} any more.")


@intent("repair", 3, alone=True)
def repair_types(project: Project, rng: Voice) -> Script:
    faults = _one_file(project, project.faults, rng)
    path = faults[0].file
    yield ask(
        rng,
        """
        fix types in {path}
        {path}: fix the (type errors|typing)
        fix {path} so ty (passes|is quiet|shuts up)
        ty fails on {path}, (pls fix|can you sort it out|fix it for me)
        there's a typing (bug|mistake) in {path}, could you correct it
        {path} doesn't (typecheck|type check) anymore, repair it
        sort out the type (errors|problems) in {path} (for me|please|)
        CI says {path} has type errors. fix them and show me what you changed
        can you (fix|resolve|get rid of) whatever the type checker dislikes in {path}
        I broke the types in {path} (yesterday|just now|while refactoring), put them right
        solve the type (issue|issues) in {path} and run ty again
        before I push: {path} must type check, so fix what is wrong there
        {path} is red in my editor, something with types. correct it
        could you make the type checker happy with {path}
        the annotations in {path} and the code don't agree, fix that
        look at the type errors of {path} and fix them
        (typecheck|check) {path}, change the code until it is clean
        correct the typing in {path}, then check it (again|once more)
        we get a type error from {path}; repair it and tell me which line you changed
        resolve type erros in {path}
        ty check {path} -> fix
        mypy and ty both reject {path}, would you mend it
        edit {path} so that there are no type errors left
        don't just report the type errors of {path}, fix them
        """,
        path=path,
    )
    yield from _mended(path, "typecheck", "no type errors", faults)


@intent("repair", 2.4, alone=True)
def repair_types_below(project: Project, rng: Voice) -> Script:
    faults = _below(project, project.faults)
    path = project.package + rng.choice(["/", ""])
    yield ask(
        rng,
        """
        fix types in {path}
        fix all the type errors (under|below|inside) {path}
        {path}: get it type clean
        ty reports something in {path}, (fix it|please fix that|mend it)
        clear the type errors in the folder {path}
        go through {path}, fix whatever ty (finds|rejects|complains about)
        I want zero type errors in {path}, change what you have to
        the folder {path} has type errors (somewhere|in one of its files), repair them
        can you repair the types of {path} and check the folder again
        make the whole of {path} type check
        CI is red because of the types in {path}: fix it
        before the release all of {path} has to pass ty, see to it
        don't know which file of {path} it is, but ty fails. fix it
        typecheck everything in {path} and fix the (errors|mistakes)
        run ty over {path}, then correct each error
        resolve the typing (problems|issues) of {path}
        which files in {path} have type errors? fix them (please|right away|)
        please mend every type error in {path} and tell me what you changed
        a module in {path} fails the type check; find it and correct it
        get {path} past the type checker
        """,
        path=path,
    )
    yield from _mended(path, "typecheck", "no type errors", faults)


@intent("repair", 2.6, alone=True)
def repair_lint(project: Project, rng: Voice) -> Script:
    faults = _one_file(project, project.style, rng)
    path = faults[0].file
    yield ask(
        rng,
        """
        fix lint in {path}
        {path}: fix lint
        lint and fix {path}
        fix what ruff (flags|reports|finds) in {path}
        ruff fails on {path}, (pls fix|sort it out|can you fix that)
        make ruff shut up about {path}
        {path} doesn't pass the linter, correct it
        the linter (nags|moans|complains) about {path}, please change the code
        could you clean {path} up, ruff finds something there
        resolve the ruff (warnings|findings|issues) of {path}
        {path} has style problems; repair them and lint again
        before I commit: {path} must be ruff clean, fix what is not
        I want no findings in {path}, edit it accordingly
        get {path} through ruff
        tidy {path}: whatever the linter says, fix it
        pre-commit stops at {path} because of ruff, fix it please
        run ruff on {path} and repair what it (finds|shows)
        take care of the lint (warnings|errors) in {path} and tell me what you did
        don't only list the lint findings of {path}, remove them
        there is lint in {path}. clean it and check again
        """,
        path=path,
    )
    yield from _mended(path, "lint", "no lint findings", faults)


@intent("repair", 2.2, alone=True)
def repair_imports(project: Project, rng: Voice) -> Script:
    """The file has nothing but unused imports."""
    faults = _one_file(project, [f for f in project.style if not f.right and "import" in f.wrong], rng)
    path = faults[0].file
    yield ask(
        rng,
        """
        remove (unused imports|the unused import) from {path}
        {path} has an unused import, (remove|drop|delete) it
        drop imports that {path} does not (need|use)
        unused imports in {path}: out with them
        clean up the imports of {path}
        (delete|take out) every import that is not used in {path}
        ruff says F401 for {path}, fix it
        F401 in {path}, please mend
        which import of {path} is unused? remove it
        can you strip the unused imports from {path} and lint it again
        I think {path} imports something it never uses, take it out
        get rid of the import that nobody uses in {path}
        {path} imports too much, remove what is superfluous
        tidy the import lines in {path}, ruff complains about one
        there's a leftover import in {path} from my refactoring, delete it please
        find the needless import in {path} and throw it away
        """,
        path=path,
    )
    yield from _mended(path, "lint", "no lint findings", faults)


@intent("repair", 1.8, alone=True)
def repair_lint_below(project: Project, rng: Voice) -> Script:
    faults = _below(project, project.style)
    path = project.package + rng.choice(["/", ""])
    yield ask(
        rng,
        """
        fix lint in {path}
        lint {path} and fix (everything|all of it|what comes up)
        fix all ruff findings (in|under|below) {path}
        {path} should be lint clean, (fix|repair) what is not
        get rid of all lint findings in the folder {path}
        ruff check {path} -> fix
        make {path} pass ruff
        go through {path} and repair whatever the linter finds
        somewhere in {path} ruff is unhappy, find the file and mend it
        clean {path} of lint and check the folder again
        no lint (warnings|findings) in {path} please, change the code
        the lint job fails for {path}: correct the files
        could you resolve the linter's complaints about {path}
        I don't want to see any ruff warning for {path} any more
        before the review {path} has to be clean for ruff, do that
        which files of {path} does ruff flag? correct them
        sweep {path}: unused imports and whatever else ruff has
        """,
        path=path,
    )
    yield from _mended(path, "lint", "no lint findings", faults)


def _one_bug(project: Project, rng: Voice) -> Bug:
    """A bug that is the only one of its test file, in a module with no other fault."""
    bugs = [bug for bug in project.bugs if sum(b.test_file == bug.test_file for b in project.bugs) == 1]
    if not bugs:
        raise Unsuitable
    bug = rng.choice(bugs)
    if len(_of_file(project, bug.file, list(project.bugs))) > 1:
        raise Unsuitable
    return bug


def _passes(result: Message, bug: Bug, what: str) -> Message:
    if refused(result):
        return answer(f"The change to {bug.file} was refused, so the test still fails.")
    if result.error or "failed" in result.text or "error" in result.text:
        raise Unsuitable
    return answer(f"{_told([bug])} {what} now.")


@intent("repair", 2.6, alone=True)
def repair_tested(project: Project, rng: Voice) -> Script:
    """Test and module are named: results, test and module are printed together."""
    bug = _one_bug(project, rng)
    test = bug.test_file
    yield ask(
        rng,
        """
        {test} fails because of {path}, fix it
        fix {path}, {test} is (red|failing)
        {path} breaks {test}. repair it
        make {test} green again, the bug is in {path}
        {test} doesn't pass since I touched {path}, (please fix|put it right)
        compare {test} with {path}, fix the code and run the tests again
        the expectation in {test} is right, {path} is wrong: correct it
        read {test} and {path}, then fix {path} so the test passes
        can you debug {path}? {test} has a failing test
        something in {path} is wrong, {test} shows it. fix and rerun
        get {test} to pass, change only {path}
        (pytest|CI) fails in {test}; the code under test is {path}, mend it
        find the mistake in {path} that {test} catches and correct it
        I broke {path}, see {test}. fix please
        {path} vs {test}: the code is wrong, repair it
        change {path} until {test} is green
        """,
        path=bug.file,
        test=test,
    )
    result = yield program(f'print(test("{test}"))\nprint(read_file("{test}"))\nprint(read_file("{bug.file}"))')
    if refused(result):
        yield answer(f"Running {test} was refused, so I changed nothing.")
        return
    if not result.text.startswith("1 failed"):
        raise Unsuitable
    result = yield program(change([bug], f'test("{test}")'))
    yield _passes(result, bug, f"{test} passes")


@intent("repair", 2, alone=True)
def repair_all_tests(project: Project, rng: Voice) -> Script:
    """Nothing is named: the results say which test, and the test says which module."""
    if len(project.bugs) != 1:
        raise Unsuitable
    bug = _one_bug(project, rng)
    yield ask(
        rng,
        """
        fix the failing test
        the tests are red, fix the code
        run the tests and fix what (fails|is broken)
        make the tests pass
        (a test fails|one test is red), repair the code behind it
        pytest fails, (pls fix|mend it|can you fix that)
        get the test suite green again
        CI is red: a test fails. find the bug and fix it
        something broke a test, find out what and repair it
        tests fail on main, please correct the code and run them again
        I must have broken something, the tests say so. fix it
        find the bug that makes the tests fail and correct it
        before the release all tests have to pass: fix the code
        could you see why the tests fail and mend the code
        debug the failing test, the code is wrong and not the test
        run pytest, fix the bug, run it again
        whatever it is that fails in the tests, fix it
        """,
    )
    result = yield program(
        "result = test()\nprint(result)\nfor failure in result.failures:\n    print(read_file(failure.file))"
    )
    if refused(result):
        yield answer("Running the tests was refused, so I changed nothing.")
        return
    if not result.text.startswith("1 failed"):
        raise Unsuitable
    yield program(f'print(read_file("{bug.file}"))')
    result = yield program(change([bug], "test()"))
    yield _passes(result, bug, "All tests pass")


@intent("repair", 1, alone=True)
def repair_not_needed(project: Project, rng: Voice) -> Script:
    """A folder without findings is left alone; the first program is that of a repair."""
    path = project.package + rng.choice(["/", ""])
    tool, word, clean, kind = rng.choice(
        [("typecheck", "type", "no type errors", project.faults), ("lint", "lint", "no lint findings", project.style)]
    )
    if kind:
        raise Unsuitable
    yield ask(
        rng,
        """
        fix the {word} errors in {path}
        fix all {word} problems (below|under) {path}
        {path}: fix {word} errors (if there are any|)
        repair every {word} error of {path}
        find {word} errors in {path} and mend them
        go over {path} and correct the {word} errors
        get rid of {word} errors in {path}, if any
        could you fix what is wrong with {path}, {word} errors I mean
        I suspect {word} errors in {path}, repair them
        someone said {path} has {word} errors. fix them
        clear up the {word} (issues|mistakes) in {path}
        before I merge, mend the {word} errors of {path}
        resolve {word} issues in {path}
        no {word} errors in {path} please, change the code where needed
        if there is a {word} error in {path}, fix it
        """,
        path=path,
        word=word,
    )
    result = yield program(
        f'result = {tool}("{path}")\nprint(result)\nfor file in result.files:\n    print(read_file(file))'
    )
    if not result.text.startswith(clean):
        raise Unsuitable
    yield answer(f"{path} has {clean}, so there is nothing to fix.")
