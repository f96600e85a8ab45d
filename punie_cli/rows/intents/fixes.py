"""Check, read, fix, verify: the flow that is worth most."""

from collections.abc import Generator

from punie_cli.agent.messages import Message, answer, program
from punie_cli.rows.intents import Script, Unsuitable, Voice, ask, intent, quoted
from punie_cli.rows.intents.paths import refused
from punie_cli.rows.modules import Fault
from punie_cli.rows.projects import Project

# A file is read before it is mended: a long one would fill the context.
_LINES = 23


def _single(project: Project, faults: list[Fault], rng: Voice) -> Fault:
    """A fault that is the only one of its file and whose text stands there once."""
    every = [*project.faults, *project.style, *project.bugs]
    fitting = [
        f
        for f in faults
        if sum(other.file == f.file for other in every) == 1
        and project.files[f.file].count("\n") < _LINES
        and project.files[f.file].count(_short(f)[0]) == 1
    ]
    if not fitting:
        raise Unsuitable
    return rng.choice(fitting)


def _short(fault: Fault) -> tuple[str, str]:
    """Wrong and right text as a program replaces them: without the indent, with the line end of a line that goes."""
    if not fault.right:
        return fault.wrong, ""
    return fault.wrong.strip(), fault.right.strip()


def _mend(fault: Fault, check: str) -> Generator[Message, Message, Message]:
    """Read the file, replace the wrong text, check again."""
    wrong, right = _short(fault)
    yield program(f'print(read_file("{fault.file}"))')
    result = yield program(
        f'text = read_file("{fault.file}").replace({quoted(wrong)}, {quoted(right)})\n'
        f'write_file("{fault.file}", text)\n'
        f"print({check})"
    )
    return result


def _done(fault: Fault, clean: str) -> str:
    wrong, right = (text.strip() for text in _short(fault))
    what = f"it now has `{right}`" if right else f"`{wrong}` is gone"
    return f"Fixed {fault.file}: {what}. {clean}"


@intent("fix typecheck-fix", 2.4, alone=True)
def fix_types(project: Project, rng: Voice) -> Script:
    fault = _single(project, project.faults, rng)
    path = fault.file
    yield ask(
        rng,
        """
        (fix|repair|correct|solve) the type (error|problem) in {path}
        (check|typecheck) {path} and fix (the error|what you find|the type error)
        make {path} (type check|pass ty|pass the type check)
        {path} has a type error, (fix it|please fix it|can you fix it)
        find and fix the type error in {path}
        ty complains about {path}, mend it
        get the types of {path} right
        """,
        path=path,
    )
    result = yield program(f'print(typecheck("{path}"))')
    if not result.text.startswith("1 error"):
        raise Unsuitable
    result = yield from _mend(fault, f'typecheck("{path}")')
    if refused(result):
        yield answer(f"The change to {path} was refused, so the type error is still there.")
    elif result.text.startswith("no type errors"):
        yield answer(_done(fault, "It has no type errors any more."))
    else:
        raise Unsuitable


@intent("fix", 2.4, alone=True)
def fix_style(project: Project, rng: Voice) -> Script:
    fault = _single(project, project.style, rng)
    path = fault.file
    yield ask(
        rng,
        """
        (fix|repair|correct|solve) the lint (finding|problem|error|warning) in {path}
        lint {path} and fix (what you find|the finding|the problem)
        make {path} (lint clean|pass ruff|pass the linter)
        {path} has a lint problem, (fix it|please fix it|can you fix it)
        find and fix the lint problem in {path}
        ruff complains about {path}, mend it
        clean up {path} so that ruff is happy
        """,
        path=path,
    )
    result = yield program(f'print(lint("{path}"))')
    if not result.text.startswith("1 finding"):
        raise Unsuitable
    result = yield from _mend(fault, f'lint("{path}")')
    if refused(result):
        yield answer(f"The change to {path} was refused, so the lint finding is still there.")
    elif result.text.startswith("no lint findings"):
        yield answer(_done(fault, "It has no lint findings any more."))
    else:
        raise Unsuitable


@intent("fix", 2.2, alone=True)
def fix_bug(project: Project, rng: Voice) -> Script:
    fault = _single(project, list(project.bugs), rng)
    bug = next(b for b in project.bugs if b == fault)
    yield ask(
        rng,
        """
        {test} fails, fix {path}
        the tests in {test} fail: (find and fix|fix|repair) the bug in {path}
        run {test} and fix {path} (until it passes|)
        make {test} pass by fixing {path}
        (repair|correct) {path} so that {test} passes
        there is a bug in {path} that {test} shows, fix it
        get {test} green, the mistake is in {path}
        """,
        test=bug.test_file,
        path=bug.file,
    )
    result = yield program(f'print(test("{bug.test_file}"))')
    if refused(result):
        yield answer(f"Running {bug.test_file} was refused, so I changed nothing.")
        return
    if not result.text.startswith("1 failed"):
        raise Unsuitable
    result = yield from _mend(bug, f'test("{bug.test_file}")')
    if refused(result):
        yield answer(f"The change to {bug.file} was refused, so the test still fails.")
    elif "failed" in result.text or "error" in result.text:
        raise Unsuitable
    else:
        yield answer(_done(bug, f"{bug.test_file} passes now."))


@intent("fix", 0.8, alone=True)
def fix_bug_of_test(project: Project, rng: Voice) -> Script:
    """Only the test is named: what it imports says where the bug is."""
    fault = _single(project, list(project.bugs), rng)
    bug = next(b for b in project.bugs if b == fault)
    yield ask(
        rng,
        """
        {path} fails, fix the code
        make {path} pass
        fix the bug that {path} shows
        the tests in {path} are red, repair what they test
        find out why {path} fails and fix it
        run {path} and mend what is broken
        """,
        path=bug.test_file,
    )
    result = yield program(f'print(test("{bug.test_file}"))')
    if refused(result):
        yield answer(f"Running {bug.test_file} was refused, so I changed nothing.")
        return
    if not result.text.startswith("1 failed"):
        raise Unsuitable
    yield program(f'print(read_file("{bug.test_file}"))')
    result = yield from _mend(bug, f'test("{bug.test_file}")')
    if refused(result):
        yield answer(f"The change to {bug.file} was refused, so the test still fails.")
    elif "failed" in result.text or "error" in result.text:
        raise Unsuitable
    else:
        yield answer(_done(bug, f"{bug.test_file} passes now."))


@intent("fix", 0.5, alone=True)
def fix_nothing(project: Project, rng: Voice) -> Script:
    """What is clean is left alone."""
    bad = {f.file for f in [*project.faults, *project.style, *project.bugs]}
    clean = [p for p in project.modules if p not in bad and project.files[p]]
    if not clean:
        raise Unsuitable
    path = rng.choice(clean)
    tool, word, none = rng.choice(
        [("typecheck", "type errors", "no type errors"), ("lint", "lint problems", "no lint findings")]
    )
    yield ask(
        rng,
        """
        fix all {word} in {path}
        (check|look at) {path} and fix the {word}
        repair the {word} of {path}
        {path} must not have {word}, fix them
        get rid of the {word} in {path}
        are there {word} in {path}? then fix them
        """,
        path=path,
        word=word,
    )
    result = yield program(f'print({tool}("{path}"))')
    if not result.text.startswith(none):
        raise Unsuitable
    yield answer(f"{path} has {none}, so there is nothing to fix.")
