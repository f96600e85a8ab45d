"""Which tests fail and why, asked in few words."""

import re

from punie_cli.agent.messages import answer, program
from punie_cli.rows.intents import Script, Unsuitable, Voice, intent, listed
from punie_cli.rows.intents.asking import terse
from punie_cli.rows.intents.asking_tests import where, within
from punie_cli.rows.intents.paths import refused
from punie_cli.rows.project import Project


@intent("asking", 2)
def asked_failing(project: Project, rng: Voice) -> Script:
    """Names of what fails, with file and line."""
    call, path = where(project, rng)
    forms = """
        failing tests {path}
        failures {path}
        failures in {path}
        {path} failures
        {path}: failing tests
        {path}, what fails
        what fails in {path}
        who fails in {path}
        which ones fail in {path}
        red tests in {path}
        list failures of {path}
        pytest {path}, failures only
        run {path}, list only what fails
        file and line of each failure in {path}
        where exactly do tests in {path} fail
        names and lines of the failing tests in {path}
        something in {path} broke, which test is it
        """
    everything = """
        failing tests
        failing tests?
        failures?
        list failures
        list failing tests
        show failing tests
        what fails
        what is red
        which ones fail
        which tests are red
        red tests
        broken tests
        names of failing tests
        pytest, failures only
        where do tests fail
        file and line of each failure
        run the tests, list only what fails
        CI is red, which tests is it
        something broke. which tests, and on which lines
        could you list the failing tests with file and line
        """
    yield terse(rng, forms if path else everything, path=path)
    result = yield program(f"for failure in {call}.failures:\n    print(failure.file, failure.line, failure.test)")
    found = [line.split() for line in result.text.splitlines() if line.count(" ") == 2]
    if refused(result):
        yield answer(f"Running the tests{within(path)} was refused, so I do not know which fail.")
    elif not found:
        yield answer(f"No test{within(path)} fails.")
    elif len(found) == 1:
        yield answer(f"One test fails: {found[0][2]} ({found[0][0]}, line {found[0][1]}).")
    else:
        yield answer(f"{len(found)} tests fail: {listed([f'{test} ({file}, line {n})' for file, n, test in found])}.")


@intent("asking", 2)
def asked_why(project: Project, rng: Voice) -> Script:
    """What a failing test expected and what came."""
    if not project.bugs:
        raise Unsuitable
    bug = rng.choice(project.bugs)
    path = rng.choice([bug.test_file, f"{bug.test_file}::{bug.test}"])
    yield terse(
        rng,
        """
        why red: {path}
        why is {path} red
        why is {path} failing
        why does {path} break
        why {path} fails
        {path} fails, why?
        {path} red, why?
        {path}: why
        explain {path} failure
        reason {path} fails
        what breaks {path}
        what is {path} failing on
        how does {path} fail
        run {path}, why is it red
        what went wrong in {path}
        CI says {path} fails. what is it about
        don't fix it, just say why {path} fails
        {path} worked last week, what does it trip over now
        """,
        path=path,
    )
    result = yield program(f'print(test("{path}"))')
    if refused(result):
        yield answer(f"Running {path} was refused, so I do not know why it fails.")
        return
    said = re.search(r": (test_\w+): (?:AssertionError: )?assert (.+?) (?:==|is) (.+)$", result.text, re.MULTILINE)
    if said is None or not result.text.startswith("1 failed"):
        raise Unsuitable
    yield answer(f"{said[1]} fails: it expects {said[3].strip()}, but the code gives {said[2].strip()}.")
