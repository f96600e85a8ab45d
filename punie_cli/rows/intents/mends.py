"""Check and read in one program, mend, verify: the first program says that something will be mended.

After `print(typecheck(path))` alone a model has to answer; after check and text together it has to mend. A model that
saw both behind the same first program went on to mend what it was only asked about.
"""

import re

from punie_cli.agent.messages import Message, answer, program
from punie_cli.rows.intents import Script, Unsuitable, Voice, ask, intent, listed
from punie_cli.rows.intents.paths import refused
from punie_cli.rows.intents.replacing import bare, change
from punie_cli.rows.modules import Fault
from punie_cli.rows.project import Project

# A file is read before it is mended: a long one would fill the context.
_LINES = 50


def _faults(project: Project, kind: list[Fault], rng: Voice, most: int) -> list[Fault]:
    """All faults of a file that has faults of this kind only, at most `most`."""
    every = [*project.faults, *project.style, *project.bugs]
    files = sorted({fault.file for fault in kind})
    rng.shuffle(files)
    for file in files:
        here = [fault for fault in every if fault.file == file]
        text = project.files[file]
        if (
            len(here) <= most
            and all(fault in kind for fault in here)
            and text.count("\n") < _LINES
            and all(text.count(bare(fault)[0]) == 1 and _known(fault, text) for fault in here)
        ):
            return sorted(here, key=lambda fault: text.index(fault.wrong))
    raise Unsuitable


def _known(fault: Fault, text: str) -> bool:
    """Whether the right text has no value that only its author knows: one that does not stand in the file."""
    return all(value.strip('"') in text for value in re.findall(r'"[^"]*"|\d+', bare(fault)[1]))


def _told(faults: list[Fault]) -> str:
    parts = []
    for fault in faults:
        wrong, right = (text.strip() for text in bare(fault))
        parts.append(f"it now has `{right}`" if right else f"`{wrong}` is gone")
    return f"Fixed {faults[0].file}: {listed(parts)}."


def _verified(result: Message, faults: list[Fault], clean: str, words: str) -> Message:
    if refused(result):
        return answer(f"The change to {faults[0].file} was refused, so nothing was mended.")
    if not result.text.startswith(clean):
        raise Unsuitable
    return answer(f"{_told(faults)} {words}")


@intent("fix", 3, alone=True)
def mend_types(project: Project, rng: Voice) -> Script:
    faults = _faults(project, project.faults, rng, 2)
    path = faults[0].file
    yield ask(
        rng,
        """
        (fix|repair|correct|mend) the type (error|errors|problem|mistake) (in|of) {path}
        (check|typecheck) {path} and (fix|repair) (the error|what you find|what ty finds|every error)
        check the types (in|of) {path}, repair what is wrong and check again
        make {path} (type check|pass ty|pass the type check|clean for ty)
        {path} has (a type error|type errors), (fix it|please fix it|can you fix it|mend that and check again)
        find and fix the type (error|errors|mistake) in {path}, then (verify|check it once more|make sure it is gone)
        ty complains about {path}, (mend it|please see to it|fix that)
        get the types of {path} right
        there is a type error in {path}. find it, fix it, check the file again
        {path} must pass the type checker, change what is needed
        please get rid of the type errors in {path}
        """,
        path=path,
    )
    result = yield program(f'print(typecheck("{path}"))\nprint(read_file("{path}"))')
    if not result.text.startswith(f"{len(faults)} error"):
        raise Unsuitable
    result = yield program(change(faults, f'typecheck("{path}")'))
    yield _verified(result, faults, "no type errors", "It has no type errors any more.")


@intent("fix", 1.6, alone=True)
def mend_types_below(project: Project, rng: Voice) -> Script:
    """Only the folder is named: the check says which file."""
    faults = _faults(project, project.faults, rng, 2)
    if project.faulty() != [faults[0].file]:
        raise Unsuitable
    path = project.package + rng.choice(["/", ""])
    yield ask(
        rng,
        """
        (fix|repair|correct) the type (error|errors) (in|below|under) {path}
        somewhere (in|below) {path} is a type error: fix it
        find out which module (of|in) {path} ty rejects, and repair it
        look for the type error in {path}, correct it and check that it is gone
        make {path} pass the type checker
        {path} does not type check, mend that
        ty is not happy with {path}. fix what it finds and check again
        """,
        path=path,
    )
    result = yield program(
        f'result = typecheck("{path}")\nprint(result)\nfor file in result.files:\n    print(read_file(file))'
    )
    if not result.text.startswith(f"{len(faults)} error"):
        raise Unsuitable
    result = yield program(change(faults, f'typecheck("{path}")'))
    yield _verified(result, faults, "no type errors", f"{path} has no type errors any more.")


@intent("fix", 2.4, alone=True)
def mend_style(project: Project, rng: Voice) -> Script:
    faults = _faults(project, project.style, rng, 2)
    path = faults[0].file
    yield ask(
        rng,
        """
        (fix|repair|correct|mend) the lint (finding|findings|problem|error|warning) in {path}
        lint {path} and (fix|repair) (what you find|the finding|everything)
        make {path} (lint clean|pass ruff|pass the linter|ruff clean)
        {path} has (a lint problem|lint findings), (fix it|please fix it|can you fix it)
        get rid of (what|everything that) ruff (says|has to say) about {path}, then lint again
        ruff complains about {path}, (mend it|see to it)
        clean up {path} so that ruff is happy
        {path} should have no lint findings, change what is needed
        """,
        path=path,
    )
    result = yield program(f'print(lint("{path}"))\nprint(read_file("{path}"))')
    if not result.text.startswith(f"{len(faults)} finding"):
        raise Unsuitable
    result = yield program(change(faults, f'lint("{path}")'))
    yield _verified(result, faults, "no lint findings", "It has no lint findings any more.")


@intent("fix", 2.4, alone=True)
def mend_bug(project: Project, rng: Voice) -> Script:
    (bug,) = _faults(project, list(project.bugs), rng, 1)
    test = next(b.test_file for b in project.bugs if b == bug)
    yield ask(
        rng,
        """
        {test} fails, fix {path}
        the tests in {test} fail: (find and fix|fix|repair) the bug in {path}
        run {test} and fix {path} (until it passes|so that it passes|)
        make {test} pass by (fixing|changing) {path}
        {test} is red. repair {path}, not the test, and run it again
        (repair|correct) {path} so that {test} passes
        there is a bug in {path} that {test} shows, fix it
        get {test} green, the mistake is in {path}
        """,
        test=test,
        path=bug.file,
    )
    result = yield program(f'print(test("{test}"))\nprint(read_file("{bug.file}"))')
    if refused(result):
        yield answer(f"Running {test} was refused, so I changed nothing.")
        return
    if not result.text.startswith("1 failed"):
        raise Unsuitable
    result = yield program(change([bug], f'test("{test}")'))
    if refused(result):
        yield answer(f"The change to {bug.file} was refused, so the test still fails.")
    elif "failed" in result.text or "error" in result.text:
        raise Unsuitable
    else:
        yield answer(f"{_told([bug])} {test} passes now.")


@intent("fix", 1.4, alone=True)
def mend_bug_of_test(project: Project, rng: Voice) -> Script:
    """Only the test is named: what it imports says where the bug is."""
    (bug,) = _faults(project, list(project.bugs), rng, 1)
    test = next(b.test_file for b in project.bugs if b == bug)
    yield ask(
        rng,
        """
        {path} fails, fix the code
        make {path} pass
        fix the bug that {path} shows
        the tests in {path} are red, repair what they test
        find out why {path} fails and fix it
        run {path} and mend what is broken
        {path} has a failing test: the code is wrong, not the test. repair it
        """,
        path=test,
    )
    result = yield program(f'print(test("{test}"))\nprint(read_file("{test}"))')
    if refused(result):
        yield answer(f"Running {test} was refused, so I changed nothing.")
        return
    if not result.text.startswith("1 failed"):
        raise Unsuitable
    yield program(f'print(read_file("{bug.file}"))')
    result = yield program(change([bug], f'test("{test}")'))
    if refused(result):
        yield answer(f"The change to {bug.file} was refused, so the test still fails.")
    elif "failed" in result.text or "error" in result.text:
        raise Unsuitable
    else:
        yield answer(f"{_told([bug])} {test} passes now.")


@intent("fix", 0.6, alone=True)
def mend_nothing(project: Project, rng: Voice) -> Script:
    """What is clean is left alone."""
    bad = {f.file for f in [*project.faults, *project.style, *project.bugs]}
    clean = [p for p in project.modules if p not in bad and project.files[p] and project.files[p].count("\n") < _LINES]
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
    result = yield program(f'print({tool}("{path}"))\nprint(read_file("{path}"))')
    if not result.text.startswith(none):
        raise Unsuitable
    yield answer(f"{path} has {none}, so there is nothing to fix.")
