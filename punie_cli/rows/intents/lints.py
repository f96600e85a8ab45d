"""Questions that ruff answers: whole results, counts, and fields of results."""

from punie_cli.agent.messages import OUTPUT_LINE, Message, answer, program
from punie_cli.rows.intents import Forms, Script, Voice, ask, count, intent, listed, rarely
from punie_cli.rows.intents.paths import folder, shown, styled
from punie_cli.rows.project import Project

LINT = Forms(
    "lint",
    """
    lint {path}
    run the linter (on|over|for) {path}
    (run|use) ruff (on|over|for) {path}
    check {path} with ruff
    check the style of {path}
    what does ruff say about {path}
    (show|list|give me|print) (the|all|) (lint findings|lint problems|lint warnings|lint errors) (in|of|for) {path}
    are there (any|) lint (problems|findings|errors|warnings) in {path}
    what does the linter (find|report|complain about) in {path}
    (can|could) you lint {path}
    look for style (problems|issues) in {path}
    any lint (problems|findings|issues) in {path}
    which style problems does {path} have
    {path}: any lint findings
    """,
)
COUNT_LINT = Forms(
    "count-findings",
    """
    how many lint (findings|problems|errors|warnings) (are|are there) in {path}
    how many (findings|problems) does ruff (report|have|see) (in|for) {path}
    count the lint (findings|problems|errors) (in|of) {path}
    (give me|tell me|what is) the number of lint (findings|problems) (in|of|for) {path}
    lint (count|finding count) (of|for) {path}
    how many things does the linter find in {path}
    number of ruff findings in {path}
    """,
)


def lint_findings(output: Message, path: str) -> str:
    """The answer to a whole lint."""
    if output.text.startswith("no lint findings"):
        return f"No lint findings in {shown(path)}."
    return f"Lint findings in {shown(path)}:\n\n{OUTPUT_LINE}"


def counted_findings(path: str) -> str:
    """The program that counts."""
    return f'result = lint("{path}")\nprint(result.count)'


def told_findings(output: Message, path: str) -> str:
    """The answer to a count."""
    number = int(output.text)
    return f"There {'is' if number == 1 else 'are'} {count(number, 'lint finding')} in {path}."


def _some(project: Project, rng: Voice) -> str:
    return folder(project, rng) if rng.random() < 0.4 else styled(project, rng)


@intent("lint", 2.3)
def lint_path(project: Project, rng: Voice) -> Script:
    path = _some(project, rng)
    yield ask(rng, LINT, path=path)
    result = yield program(f'print(lint("{path}"))')
    yield answer(lint_findings(result, path))


@intent("lint", 0.8)
def lint_all(project: Project, rng: Voice) -> Script:
    yield ask(
        rng,
        """
        lint (the project|everything|this project|all files|the whole project|all the code)
        run ruff (on everything|on the project|over all files|here)
        run the linter
        (find|show|list) all lint (findings|problems) (of the project|we have|in this project)
        does this project have lint (findings|problems)
        check the style of (the whole project|everything|all the code)
        is there anything that ruff does not like here
        """,
    )
    result = yield program("print(lint())")
    yield answer(lint_findings(result, "."))


@intent("lint", 1.5)
def count_findings(project: Project, rng: Voice) -> Script:
    path = _some(project, rng)
    yield ask(rng, COUNT_LINT, path=path)
    result = yield program(counted_findings(path))
    yield answer(told_findings(result, path))


@intent("lint", 1.3)
def first_finding(project: Project, rng: Voice) -> Script:
    path = styled(project, rng)
    yield ask(
        rng,
        """
        what is the first lint (finding|problem|error) in {path}
        where is the first (lint|ruff) (finding|problem) (in|of) {path}
        (show|tell me|give me) the first thing that ruff (finds|reports) in {path}
        (which|what) line of {path} has the first lint (finding|problem)
        first lint finding of {path}
        lint {path} and show (only|just) the first finding
        """,
        path=path,
    )
    result = yield program(
        f'result = lint("{path}")\n'
        "if result.findings:\n"
        "    first = result.findings[0]\n"
        '    print(f"line {first.line}: {first.code} {first.message}")\n'
        "else:\n"
        '    print("no lint findings")'
    )
    if result.text.startswith("no lint"):
        yield answer(f"There are no lint findings in {path}.")
    else:
        line, _, message = result.text.splitlines()[0].partition(": ")
        yield answer(f"The first lint finding in {path} is on {line}: {message}")


@intent("lint", 1.2)
def lint_codes(project: Project, rng: Voice) -> Script:
    path = _some(project, rng)
    yield ask(
        rng,
        """
        which (ruff|lint) (rules|codes) does {path} break
        what (lint|ruff) codes (are|are there) in {path}
        (list|show|print) the (rule codes|lint codes|codes) of {path}
        codes of the lint findings in {path}
        which rules does ruff report (in|for) {path}
        what kinds of lint (findings|problems) does {path} have
        """,
        path=path,
    )
    result = yield program(
        f'result = lint("{path}")\n'
        "for code in sorted({finding.code for finding in result.findings}):\n    print(code)"
    )
    codes = result.text.split()
    yield answer(f"ruff reports {listed(codes)} in {path}." if codes else f"There are no lint findings in {path}.")


@intent("lint", 1.2)
def files_with_findings(project: Project, rng: Voice) -> Script:
    path = folder(project, rng)
    yield ask(
        rng,
        """
        (which|what) files (in|of|under) {path} have lint (findings|problems|errors)
        (list|show|name) the files (in|of) {path} (with|that have) lint (findings|problems)
        in which files of {path} does ruff find (something|problems)
        which modules (of|in) {path} are not lint clean
        what files under {path} need a lint fix
        where in {path} does the linter complain
        """,
        path=path,
    )
    result = yield program(f'result = lint("{path}")\nfor file in result.files:\n    print(file)')
    files = result.text.split()
    if not files:
        yield answer(f"No file in {path} has lint findings.")
    elif len(files) == 1:
        yield answer(f"Only {files[0]} has lint findings.")
    else:
        yield answer(f"{len(files)} files have lint findings: {listed(files)}.")


@intent("lint", 1.3)
def is_lint_clean(project: Project, rng: Voice) -> Script:
    path = _some(project, rng)
    yield ask(
        rng,
        """
        is {path} (lint clean|free of lint problems|clean for ruff)
        does {path} pass (the linter|ruff|linting)
        is ruff happy with {path}
        will ruff accept {path}
        does {path} have (any|) lint (findings|problems)
        is the style of {path} (ok|fine|clean)
        """,
        path=path,
    )
    result = yield program(f'result = lint("{path}")\nprint(result.success, result.count)')
    success, number = result.text.split()
    if success == "True":
        yield answer(f"Yes, {path} has no lint findings.")
    else:
        yield answer(f"No, {path} has {count(int(number), 'lint finding')}.")


@intent("lint", 1.1)
def lint_fixable(project: Project, rng: Voice) -> Script:
    path = _some(project, rng)
    yield ask(
        rng,
        """
        how many lint (findings|problems) in {path} (are fixable|can be fixed by ruff)
        (can|could) ruff fix the (findings|problems) in {path}
        how many of the findings in {path} have an automatic fix
        what can ruff fix by itself in {path}
        number of fixable lint findings in {path}
        are the lint problems of {path} fixable
        """,
        path=path,
    )
    result = yield program(f'result = lint("{path}")\nprint(result.fixable, result.count)')
    some, of = (int(number) for number in result.text.split())
    if not of:
        yield answer(f"There are no lint findings in {path}.")
    else:
        yield answer(f"ruff can fix {some or 'none'} of the {count(of, 'lint finding')} in {path}.")


@intent("lint", 1)
def finding_lines(project: Project, rng: Voice) -> Script:
    path = styled(project, rng)
    yield ask(
        rng,
        """
        (which|what) lines (of|in) {path} have lint (findings|problems)
        on which lines does ruff (complain|report something) in {path}
        line numbers of the lint findings in {path}
        (list|show) the lines of {path} with lint (findings|problems)
        where in {path} are the lint problems
        {path}: which lines does ruff report
        """,
        path=path,
    )
    result = yield program(f'result = lint("{path}")\nprint([finding.line for finding in result.findings])')
    lines = result.text.strip("[]\n ").split(", ")
    if lines == [""]:
        yield answer(f"There are no lint findings in {path}.")
    elif len(lines) == 1:
        yield answer(f"{path} has one lint finding, on line {lines[0]}.")
    else:
        yield answer(f"{path} has lint findings on lines {listed(lines)}.")


@intent("lint", 1.3)
def lint_one_code(project: Project, rng: Voice) -> Script:
    path = _some(project, rng)
    code, words = rng.choice(
        [
            ("F401", "unused imports"),
            ("F401", "imports that are not used"),
            ("F541", "f-strings without placeholders"),
            ("E722", "bare excepts"),
            ("F841", "unused variables"),
            ("SIM118", "needless calls of keys()"),
        ]
    )
    yield ask(
        rng,
        """
        are there (any|) {words} in {path}
        does {path} have {words}
        (find|list|show) (all|the|) {words} in {path}
        (any|) {code} (findings|problems) in {path}
        how many {code} findings are in {path}
        look for {words} in {path}
        does ruff report {code} for {path}
        """,
        path=path,
        words=words,
        code=code,
    )
    result = yield program(
        f'result = lint("{path}")\nfound = [finding for finding in result.findings if finding.code == "{code}"]\n'
        "for finding in found:\n    print(finding)"
    )
    number = len(result.text.splitlines())
    if number:
        yield answer(f"Yes, {count(number, f'{code} finding')} in {path}:\n\n{OUTPUT_LINE}")
    else:
        yield answer(f"No, there are no {code} findings in {path}.")


@intent("failure", 1.7, missing=("ruff",))
def lint_tool_failed(project: Project, rng: Voice) -> Script:
    """The answer must say that ruff did not run."""
    path = _some(project, rng)
    forms, code = rng.choice([(LINT, f'print(lint("{path}"))'), (COUNT_LINT, counted_findings(path))])
    yield ask(rng, forms, path=path)
    result = yield program(code)
    reason = (result.error or result.text).partition("lint failed: ")[2].partition(" (line")[0].strip()
    yield answer(f"The lint of {path} did not run: {reason}.")


@intent("field", 1.2)
def lint_codes_counted(project: Project, rng: Voice) -> Script:
    path = folder(project, rng) if rng.random() < 0.5 else styled(project, rng)
    code = rng.choice(["F401", "F541", "E722", "F841", "SIM118", "C408", "C414"])
    yield ask(
        rng,
        """
        how many {code} does ruff (find|report) in {path}
        count the {code} findings (in|of) {path}
        how often is {code} (broken|violated) in {path}
        of the lint findings in {path}, how many are {code}
        lint {path} and tell me the number of {code}
        {path}: number of {code} findings
        """,
        path=path,
        code=code,
    )
    result = yield program(
        f'result = lint("{path}")\nfound = [finding for finding in result.findings if finding.code == "{code}"]\n'
        "print(len(found))"
    )
    if result.text.strip() == "0":
        rarely(rng)
    yield answer(f"ruff reports {count(int(result.text), f'{code} finding')} in {path}.")


@intent("field", 1)
def lint_lines_and_codes(project: Project, rng: Voice) -> Script:
    path = styled(project, rng)
    yield ask(
        rng,
        """
        line and (code|rule) of each lint finding in {path}
        (list|show) the lint findings of {path} as line and code
        which rules does {path} break, and on which lines
        lint {path}: only line numbers and codes
        for every lint finding in {path} the line and the rule
        where does {path} break which rule of ruff
        """,
        path=path,
    )
    result = yield program(
        f'result = lint("{path}")\nfor finding in result.findings:\n    print(finding.line, finding.code)'
    )
    found = [line.split() for line in result.text.splitlines() if " " in line]
    if not found:
        yield answer(f"There are no lint findings in {path}.")
    elif len(found) == 1:
        yield answer(f"{path} has one lint finding: {found[0][1]} on line {found[0][0]}.")
    else:
        yield answer(f"Lint findings of {path}, line and code:\n\n{OUTPUT_LINE}")
