"""Mending what ty and ruff report in small modules of all kinds, of a named file, a line, a function, or anywhere.

The shape is that of `mends`: check and text, the exact lines replaced, the check again.
"""

import re

from punie_cli.agent.messages import Message, answer, program
from punie_cli.rows import names
from punie_cli.rows.intents import Script, Unsuitable, Voice, ask, intent, listed
from punie_cli.rows.intents.paths import refused
from punie_cli.rows.intents.replacing import bare, change
from punie_cli.rows.mishaps import Mishaps, Slip, mishaps
from punie_cli.rows.project import Project

CLEAN = {"typecheck": "no type errors", "lint": "no lint findings"}


def of_kind(project: Project, *kinds: str) -> Mishaps:
    """The project's slips, if they are of one of these kinds."""
    made = mishaps(project)
    if made.kind not in kinds:
        raise Unsuitable
    return made


def told(slips: list[Slip]) -> str:
    """What changed, for the user to see."""

    def what(slip: Slip) -> str:
        wrong, right = (text.strip().splitlines() for text in bare(slip))
        new = [line.strip() for line in right if line not in wrong]
        if new:
            return f"it now has `{new[0]}`" + (f" and `{new[1]}`" if len(new) > 1 else "")
        gone = [line.strip() for line in wrong if line not in right or wrong.count(line) > right.count(line)]
        if gone:
            return f"{'the first ' if gone[0] in right else ''}`{gone[0]}` is gone"
        return f"`{right[0].strip()}` comes first"

    parts = []
    for file in dict.fromkeys(slip.file for slip in slips):
        changes = list(dict.fromkeys(what(slip) for slip in slips if slip.file == file))
        parts.append(f"Fixed {file}: {listed(changes)}.")
    return " ".join(parts)


def no_change(slips: list[Slip]) -> Message:
    """The answer to a write that was refused."""
    files = listed(list(dict.fromkeys(slip.file for slip in slips)))
    return answer(f"The change to {files} was refused, so nothing was mended.")


def first_look(tool: str, path: str) -> str:
    """Check and text of what is wrong in one program."""
    if path.endswith(".py"):
        return f'print({tool}("{path}"))\nprint(read_file("{path}"))'
    call = f'{tool}("{path}")' if path else f"{tool}()"
    return f"result = {call}\nprint(result)\nfor file in result.files:\n    print(read_file(file))"


def mended(path: str, tool: str, slips: list[Slip], line: int = 0) -> Script:
    """Look, mend, verify; an empty path is the whole project. A line that the user names must be the reported one."""
    result = yield program(first_look(tool, path))
    if result.error or result.text.startswith("no ") or (line and f":{line}:" not in result.text):
        raise Unsuitable
    result = yield program(change(slips, f'{tool}("{path}")' if path else f"{tool}()"))
    if refused(result):
        yield no_change(slips)
        return
    if not result.text.startswith(CLEAN[tool]):
        raise Unsuitable
    what = "It" if path.endswith(".py") else path or "The project"
    yield answer(f"{told(slips)} {what} has {CLEAN[tool]} any more.")


@intent("mending", 3.4, alone=True)
def mending_types(project: Project, rng: Voice) -> Script:
    made = of_kind(project, "type", "type-pair")
    path = made.slips[0].file
    yield ask(
        rng,
        """
        {path} won't typecheck, fix
        ty is unhappy with {path}; straighten it out
        typing in {path} is off - (correct|fix) it
        (mend|repair|patch) {path} until ty says ok
        my last commit upset ty in {path}, (undo the damage|put it right)
        {path} (shows|has) red squiggles from the type checker, deal with them
        type errors, {path}, fix pls
        the types job is red because of {path}. (sort it|fix it) and check once more
        can you work out what ty has against {path} and change the code
        there is something ty won't accept in {path}, correct that
        before the merge I need {path} accepted by ty, do what it takes
        (patch|correct) whatever is ill-typed in {path}
        {path}: ty error. please resolve
        a colleague left {path} with a type error, repair it and verify
        bring {path} back to zero type errors
        rework the bad line in {path} that ty points at
        ty check fails on {path}. I don't care why, just get it passing
        have a look at {path}, the checker (grumbles|moans) about a type; fix and rerun ty
        {path} fails ty since this morning, (heal|mend) it please
        eliminate the typing trouble in {path}
        something with types in {path}, fix it and confirm it's clean
        would you correct the type mistakes of {path}? run the check afterwards
        """,
        path=path,
    )
    yield from mended(path, "typecheck", made.slips)


@intent("mending", 2.2, alone=True)
def mending_types_anywhere(project: Project, rng: Voice) -> Script:
    """No path is given: the check of everything says which files."""
    made = of_kind(project, "type", "type-pair", "two-types", "two-types")
    yield ask(
        rng,
        """
        get ty happy everywhere
        ty is red, fix it
        fix all type errors (in the project|in this repo|everywhere)
        make the whole project type check
        typecheck everything and (repair|fix) what's wrong
        no type errors anywhere please, change the code
        the type job in CI fails. (fix it|mend the code)
        ty finds something in this repo, I don't know where. correct it
        run ty over all of it and (mend|fix) each error
        clean up types, whole codebase
        before I push: ty must be green, fix what isn't
        I want ty to pass for the project, edit whatever needs editing
        some module has broken types - find it, fix it, check everything again
        types are broken (somewhere|in some file), repair them
        sort out every typing problem we have
        (go through|look at) the ty errors and fix them all
        could you make ty stop complaining, in all files
        zero ty errors, that is the goal. go
        type check the repo; where it fails, fix the code
        we can't release with type errors: get rid of them all
        """,
    )
    yield from mended("", "typecheck", made.slips)


@intent("mending", 1.6, alone=True)
def mending_line(project: Project, rng: Voice) -> Script:
    """The user says which line a tool reports."""
    made = of_kind(project, "type", "lint")
    (slip,) = made.slips
    tool, word = ("typecheck", "ty") if made.kind == "type" else ("lint", "ruff")
    line = made.project.files[slip.file].partition(slip.wrong)[0].count("\n") + 1
    yield ask(
        rng,
        """
        {word} complains about line {line} of {path}, fix it
        {path}:{line} {word} error, fix
        line {line} in {path} is what {word} doesn't like; repair it
        {path}, line {line}: {word} reports something. mend that
        fix {path}:{line} for {word}
        {word} points at {path}:{line}, (correct|mend) the code
        there's a {word} finding near line {line} of {path}, sort it out
        my editor marks line {line} in {path} ({word}), please fix
        can you fix what {word} shows at {path}:{line}
        CI log says {path}:{line}, from {word}. correct it and check again
        (look at|check) {path} around line {line}, {word} fails there; repair
        {word} stops at line {line} in {path}, put it right
        (resolve|clear) the {word} message for {path} line {line}
        correct line {line} of {path} so {word} is (quiet|fine)
        {word} -> {path}:{line}. deal with it
        got a {word} hit on {path}:{line}, get rid of it
        """.replace("({word})", "from {word}"),
        path=slip.file,
        word=word,
        line=line,
    )
    yield from mended(slip.file, tool, made.slips, line)


@intent("mending", 1.6, alone=True)
def mending_place(project: Project, rng: Voice) -> Script:
    """The user quotes the line, or names the function that it is in."""
    made = of_kind(project, "type", "lint")
    (slip,) = made.slips
    tool, word = ("typecheck", "ty") if made.kind == "type" else ("lint", "ruff")
    before = made.project.files[slip.file].partition(slip.wrong)[0]
    functions = re.findall(r"^ *(?:async )?def (\w+)", before, re.MULTILINE)
    place = f"`{slip.wrong.strip().splitlines()[-1].strip()}`"
    if (
        functions
        and not slip.wrong.strip().startswith(("def ", "async def ", "from ", "import "))
        and rng.random() < 0.5
    ):
        place = functions[-1]
    yield ask(
        rng,
        """
        {word} doesn't accept {place} in {path}, fix it
        {place} ({path}) fails {word}
        what is wrong with {place} in {path}? {word} rejects it, please mend it
        in {path} {place} is the problem for {word}, repair it
        fix {place} in {path}, {word} is red there
        {path}: {word} stumbles over {place}. correct that
        {word} objects to {place}, file {path}. (mend|fix|correct) it and check again
        the trouble for {word} is {place} in {path}; put it right
        correct {place} of {path} so {word} passes
        I wrote {place} in {path} and now {word} fails, fix my mistake
        look at {place} in {path}: {word} has something against it. repair and rerun
        get {place} in {path} through {word}
        {word} trips at {place}, see {path}, (sort|straighten) it out
        could you repair {place} in {path} for {word}
        {place} in {path} needs a fix, says {word}
        """.replace("({path})", "from {path}"),
        path=slip.file,
        place=place,
        word=word,
    )
    yield from mended(slip.file, tool, made.slips)


@intent("mending", 2.4, alone=True)
def mending_default(project: Project, rng: Voice) -> Script:
    """What may be None: the user says what is given back then."""
    made = of_kind(project, "none")
    (slip,) = made.slips
    value = f'"{names.word(rng)}"' if slip.kind == "str" else str(rng.choice([0, 1, -1, rng.randint(2, 99)]))
    right = Slip(slip.file, slip.wrong.strip("\n"), slip.right.replace("DEFAULT", value), "", "types")
    yield ask(
        rng,
        """
        ty says something may be None in {path}: return {value} then
        {path} forgets the None case, it should give {value} there. fix it
        fix the missing None check in {path}, return {value} when there's nothing
        add a None check to {path}, {value} is the answer in that case
        {path}: possible None, default to {value}
        where {path} gets None it must return {value}; fix the type error that way
        handle None in {path} with an early return of {value}
        the type error in {path} is an unchecked None. give back {value} for it
        {path} breaks on None, make it return {value} instead and check the types
        if nothing is found {path} should return {value}, ty complains that it isn't handled
        could you guard against None in {path}? {value} is what I want back then
        repair the Optional bug in {path}: {value} if it is None
        early return {value} for None in {path} please, then run ty
        ty: None not handled in {path}. treat it as {value}
        put the missing guard into {path}; nothing found means {value}
        make {path} safe for None (return {value} in that case)
        I forgot to check for None in {path}. {value} would be the right result there
        """.replace("(return {value} in that case)", "by returning {value} in that case"),
        path=slip.file,
        value=value,
    )
    yield from mended(slip.file, "typecheck", [right])


@intent("mending", 3, alone=True)
def mending_lint(project: Project, rng: Voice) -> Script:
    """One file with one to four findings, all mended in one program."""
    made = of_kind(project, "lint", "lints", "lints")
    path = made.slips[0].file
    yield ask(
        rng,
        """
        ruff has several things on {path}, fix them all
        {path} fails ruff, fix every finding
        (scrub|tidy|clean) {path} until ruff is silent
        all the ruff stuff in {path}: correct it
        {path} needs a lint cleanup
        take {path} and fix each lint finding by hand
        lint errors in {path}, (sort them out|get them fixed)
        ruff hates {path}; change the code so it doesn't
        bring {path} down to zero findings
        work through ruff's list for {path} and mend every entry
        {path} is a mess according to ruff. put it in order, then lint it again
        there are findings in {path}, none should be left
        pre-commit rejects {path} (lint), correct the file
        the lint step chokes on {path}, make it pass
        for the review: {path} without a single ruff finding please
        can you see to the linter messages for {path}? fix, don't just list
        sort {path} out for ruff
        rid {path} of lint
        polish {path}: whatever ruff objects to has to go
        would you repair the style errors of {path} and run ruff again
        """.replace("(lint)", "because of lint"),
        path=path,
    )
    yield from mended(path, "lint", made.slips)


@intent("mending", 2.2, alone=True)
def mending_lint_anywhere(project: Project, rng: Voice) -> Script:
    made = of_kind(project, "lint", "lints", "two-lints", "two-lints")
    yield ask(
        rng,
        """
        make everything ruff clean
        lint everything, fix everything
        ruff check is red, fix it
        fix (all|the) lint findings (in the project|everywhere|in this repo)
        get the repo through ruff
        clean all files of lint
        run ruff on the project and (mend|repair|fix) what it reports
        the lint job fails in CI. correct the code
        ruff complains somewhere, find out where and fix it
        no ruff findings anywhere please, edit what you must
        whole codebase: lint clean, make it so
        I want ruff to pass before I push, (fix|mend) the files
        sweep the project for lint and repair it
        resolve everything ruff reports here
        remove all lint from the code
        could you take care of ruff's findings, all of them
        do a lint pass over the project and correct the findings
        we have ruff errors on main, get rid of them
        let ruff look at all of it; whatever it finds, you fix
        ruff should have nothing left to say about this project
        """,
    )
    yield from mended("", "lint", made.slips)


@intent("mending", 1.4, alone=True)
def mending_both(project: Project, rng: Voice) -> Script:
    """Both tools have something about one file."""
    made = of_kind(project, "both")
    path = made.slips[0].file
    yield ask(
        rng,
        """
        {path}: fix for ty and ruff
        fix type errors and lint in {path}
        both ty and ruff fail on {path}, mend it
        get {path} past ruff and ty
        {path} must be clean for both checkers, correct it
        types and style of {path} are broken, repair both
        clean up {path}: types as well as lint
        ruff + ty on {path}, fix what they find
        make {path} pass the two checks (types, lint)
        I need {path} free of type errors and ruff findings, change it
        please sort out {path}, ty and ruff both have something
        CI runs ty and ruff and {path} fails both. fix it
        neither ty nor ruff likes {path}; put it right
        check {path} with ty and with ruff and correct everything
        repair whatever ty or ruff say about {path}
        """.replace("(types, lint)", "for types and lint"),
        path=path,
    )
    result = yield program(f'print(typecheck("{path}"))\nprint(lint("{path}"))\nprint(read_file("{path}"))')
    result = yield program(change(made.slips, f'typecheck("{path}")', f'lint("{path}")'))
    if refused(result):
        yield no_change(made.slips)
        return
    if result.text.split("\n")[:2] != ["no type errors", "no lint findings"]:
        raise Unsuitable
    yield answer(f"{told(made.slips)} It has no type errors and no lint findings any more.")


@intent("mending", 0.5, alone=True)
def mending_nothing(project: Project, rng: Voice) -> Script:
    """What is clean already is left alone."""
    of_kind(project, "clean")
    tool, word = rng.choice([("typecheck", "ty"), ("lint", "ruff")])
    yield ask(
        rng,
        """
        get {word} green
        fix whatever {word} finds
        make the project pass {word}
        {word} everywhere: repair what it reports
        run {word} on all files and mend the code
        clear all {word} errors
        any {word} trouble? then fix it
        the repo has to pass {word}, change what is needed
        I think {word} is red, fix that
        correct every {word} complaint in the project
        """,
        word=word,
    )
    result = yield program(first_look(tool, ""))
    if not result.text.startswith(CLEAN[tool]):
        raise Unsuitable
    yield answer(f"The project has {CLEAN[tool]}, so there is nothing to fix.")
