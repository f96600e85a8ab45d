"""Lints as developers ask for them in few words. Who asks for a lint gets a lint: nothing is read or mended."""

from punie_cli.agent.messages import OUTPUT_LINE, answer, program
from punie_cli.rows.intents import Forms, Script, Unsuitable, Voice, count, intent, listed, rarely
from punie_cli.rows.intents.asking import place, terse
from punie_cli.rows.intents.lints import lint_findings
from punie_cli.rows.intents.paths import folder, styled
from punie_cli.rows.project import Project

LINTS = Forms(
    "asked-lint",
    """
    lint {path}
    lint (dir|folder|just|only) {path}
    linting {path}
    {path} lint
    {path}: lint
    {path}, ruff says?
    ruff {path}
    ruff (on|over) {path}
    ruff check {path}
    run ruff check (on|in) {path}
    lnit {path}
    litn {path}
    lint check {path}
    lint report for {path}
    (any|some) (ruff|lint|linter) (complaints|warnings|noise) in {path}
    style check {path}
    ruff findings {path}
    (quick|fresh|new) lint of {path}
    just lint {path}, leave the code alone
    only ruff on {path}, no fixes
    before I push: lint {path}
    could you (quickly|) lint {path}
    (mind|would you mind) linting {path}
    I cleaned up {path} a bit. what is left for ruff
    pasted some code into {path}, does the linter mind
    point ruff at {path} and show what it reports
    need a lint run on {path}, nothing else
    (list|show) {path} lint findings
    full linter output for {path}
    """,
)
LINT_ALL = Forms(
    "asked-lint-everywhere",
    """
    lint
    lint (it|again|all|all of it|the lot|the repo)
    lint?
    ruff
    ruff check
    ruff check .
    ruff says?
    ruff (again|now)
    run ruff
    run lint
    linter please
    lint errors?
    lint findings?
    any lint errors
    any lint (findings|errors) (left|anywhere)
    anything from ruff
    full lint run
    check style
    style check, whole repo
    show lint findings
    whole project through ruff
    what does ruff say
    before I commit: lint the whole thing
    I moved things around. lint all of it, no fixes
    what would ruff print for this repo
    could you run ruff once over everything
    """,
)
LINT_OK = Forms(
    "asked-lint-ok",
    """
    {path} lint clean
    {path} ok for ruff
    {path} style ok
    {path} ruff clean
    lint clean: {path}
    is {path} ruff clean
    is {path} lint-free
    is {path} clean, lint-wise
    ruff happy with {path}
    ruff ok with {path}
    does {path} lint
    does {path} lint cleanly
    does ruff accept {path}
    does ruff pass on {path}
    (yes or no|yes/no): {path} lint clean
    will the linter let {path} pass
    about to merge {path}: is it clean for the linter
    pushing {path} in a minute, is ruff fine with it
    I need a yes or no, is {path} clean for ruff
    """,
)
LINT_COUNT = Forms(
    "asked-lint-count",
    """
    lint count {path}
    {path} lint count
    {path} finding count
    {path}: how many lint findings
    {path} ruff findings, how many
    count lint findings {path}
    count ruff findings in {path}
    how many lint errors in {path}
    how many lint findings {path}
    how many ruff findings in {path}
    how many findings has {path}
    ruff count {path}
    # lint findings {path}
    num lint errors in {path}
    number only: lint findings in {path}
    total of lint findings in {path}
    how many complaints from ruff in {path}
    for the ticket: the number of lint findings in {path}
    I cleaned up {path}. how many lint findings are left
    """,
)


@intent("asking", 4)
def asked_lint(project: Project, rng: Voice) -> Script:
    path = place(project, rng, styled(project, rng))
    yield terse(rng, LINTS, path=path)
    result = yield program(f'print(lint("{path}"))')
    yield answer(lint_findings(result, path))


@intent("asking", 1.5)
def asked_lint_everywhere(project: Project, rng: Voice) -> Script:
    yield terse(
        rng,
        LINT_ALL,
    )
    result = yield program("print(lint())")
    yield answer(lint_findings(result, "."))


@intent("asking", 1.8)
def asked_lint_ok(project: Project, rng: Voice) -> Script:
    path = place(project, rng, styled(project, rng))
    yield terse(
        rng,
        LINT_OK,
        path=path,
    )
    result = yield program(f'result = lint("{path}")\nprint(result.success, result.count)')
    success, number = result.text.split()
    if success == "True":
        yield answer(f"Yes, {path} has no lint findings.")
    else:
        yield answer(f"No, {path} has {count(int(number), 'lint finding')}.")


@intent("asking", 1.8)
def asked_lint_count(project: Project, rng: Voice) -> Script:
    path = place(project, rng, styled(project, rng))
    yield terse(
        rng,
        LINT_COUNT,
        path=path,
    )
    result = yield program(f'print(lint("{path}").count)')
    yield answer(f"{path} has {count(int(result.text), 'lint finding')}.")


@intent("asking", 1.5)
def asked_rules(project: Project, rng: Voice) -> Script:
    path = place(project, rng, styled(project, rng))
    yield terse(
        rng,
        """
        ruff codes {path}
        ruff rules broken in {path}
        {path} lint codes
        {path} lint rules broken
        {path}: ruff codes
        {path}, rules only, from ruff
        codes only: ruff {path}
        codes only: lint {path}
        just the rules, ruff on {path}
        lint rules {path}
        lint codes for {path}
        which ruff rules fail in {path}
        which rules does {path} violate
        what codes does ruff give for {path}
        lint {path}, codes only
        distinct ruff codes for {path}
        run ruff on {path} and print nothing but the codes
        I want to look the rules up: which ones does ruff report for {path}
        """,
        path=path,
    )
    result = yield program(
        f'for code in sorted({{finding.code for finding in lint("{path}").findings}}):\n    print(code)'
    )
    codes = result.text.split()
    yield answer(f"ruff reports {listed(codes)} in {path}." if codes else f"There are no lint findings in {path}.")


@intent("asking", 1.8)
def asked_rule(project: Project, rng: Voice) -> Script:
    """Findings of one rule, listed."""
    path = place(project, rng, styled(project, rng))
    code = rng.choice(["F401", "F401", "F401", "I001", "I001", "F541", "F821", "C408", "SIM118", "E722", "F841"])
    yield terse(
        rng,
        """
        {code} {path}
        {code} in {path}
        {path} {code}
        {path}: {code} only
        any {code} in {path}
        all {code} in {path}
        ruff {path}, {code} only
        ruff check --select {code} {path}
        {code} findings, {path}
        just {code}: {path}
        show {code} of {path}
        filter {path} lint findings by {code}
        lint {path}, only {code}
        lint {path} for {code}
        does ruff find {code} in {path}
        is there {code} in {path}
        got {code} in CI. where is it in {path}
        from the lint findings of {path} print those with code {code}
        """,
        path=path,
        code=code,
    )
    result = yield program(
        f'for finding in lint("{path}").findings:\n    if finding.code == "{code}":\n        print(finding)'
    )
    number = len(result.text.splitlines())
    if number:
        yield answer(f"{path} has {count(number, f'{code} finding')}:\n\n{OUTPUT_LINE}")
    else:
        rarely(rng)
        yield answer(f"{path} has no {code} findings.")


@intent("asking", 1.5)
def asked_fixable(project: Project, rng: Voice) -> Script:
    path = place(project, rng, styled(project, rng))
    yield terse(
        rng,
        """
        fixable in {path}
        fixable lint {path}
        {path} fixable
        {path}: how many fixable
        {path} lint, fixable?
        ruff {path}, how many fixable
        lint {path}, fixable count
        how many fixable in {path}
        how many fixable findings {path}
        how much can ruff autofix in {path}
        number of autofixable findings in {path}
        count what ruff can fix in {path}
        would ruff --fix help in {path}
        what part of the lint in {path} is fixable
        don't fix anything yet: how many findings in {path} are fixable
        is it worth running ruff --fix on {path}, how many would it take
        """,
        path=path,
    )
    result = yield program(f'result = lint("{path}")\nprint(result.fixable, result.count)')
    some, of = (int(number) for number in result.text.split())
    if not of:
        yield answer(f"There are no lint findings in {path}.")
    else:
        yield answer(f"ruff can fix {some or 'none'} of the {count(of, 'lint finding')} in {path}.")


@intent("asking", 1.3)
def asked_lint_lines(project: Project, rng: Voice) -> Script:
    path = styled(project, rng)
    yield terse(
        rng,
        """
        lint lines {path}
        {path} lint lines
        {path}: lines with lint findings
        ruff lines {path}
        lines with lint findings: {path}
        lines ruff rejects in {path}
        which lines in {path} fail ruff
        what lines of {path} does ruff flag
        where does {path} fail ruff
        where does ruff complain in {path}
        line numbers of {path} lint findings
        just the line numbers, lint of {path}
        only lines: lint findings of {path}
        I have {path} open, which lines does ruff not like
        so I can jump there: line numbers of the lint findings in {path}
        """,
        path=path,
    )
    result = yield program(f'for finding in lint("{path}").findings:\n    print(finding.line)')
    lines = list(dict.fromkeys(result.text.split()))
    if not lines:
        yield answer(f"There are no lint findings in {path}.")
    elif len(lines) == 1:
        yield answer(f"{path} has lint findings on line {lines[0]}.")
    else:
        yield answer(f"{path} has lint findings on lines {listed(lines)}.")


@intent("asking", 1.3)
def asked_lint_files(project: Project, rng: Voice) -> Script:
    path = folder(project, rng)
    if len(project.modules) < 2:
        raise Unsuitable
    yield terse(
        rng,
        """
        bad files in {path}, per ruff
        files ruff rejects in {path}
        files with lint findings: {path}
        lint files {path}, names only
        {path}: files with lint findings
        {path} files that fail ruff
        which {path} files fail ruff
        which files in {path} fail lint
        what files does ruff flag in {path}
        where in {path} does ruff fail, files only
        only file names: lint findings in {path}
        modules of {path} with lint findings
        ruff {path}, files only
        name the files under {path} that are not lint clean
        split the work: which files of {path} still have lint findings
        """,
        path=path,
    )
    result = yield program(f'for file in lint("{path}").files:\n    print(file)')
    files = result.text.split()
    if not files:
        yield answer(f"No file in {path} has lint findings.")
    elif len(files) == 1:
        yield answer(f"One file in {path} has lint findings: {files[0]}.")
    else:
        yield answer(f"{len(files)} files in {path} have lint findings: {listed(files)}.")


@intent("asking", 1)
def asked_lint_end(project: Project, rng: Voice) -> Script:
    """The first or the last finding."""
    path = place(project, rng, styled(project, rng))
    which, index = rng.choice([("first", 0), ("first", 0), ("last", -1)])
    yield terse(
        rng,
        """
        {which} lint finding {path}
        {which} lint error {path}
        {which} ruff finding in {path}
        {path} {which} lint finding
        {path}: {which} finding of ruff
        lint {path}, {which} finding only
        ruff {path}, {which} one only
        just the {which} lint finding, {path}
        show {which} lint error of {path}
        at what place does ruff report {which} in {path}
        what is ruff's {which} complaint about {path}
        what does ruff report {which} in {path}
        lint {path} but print only the {which} finding
        run ruff on {path}, I want the {which} finding and no more
        too many findings at once: give me the {which} from the lint of {path}
        """,
        path=path,
        which=which,
    )
    result = yield program(
        f'result = lint("{path}")\nif result.findings:\n    print(result.findings[{index}])\n'
        'else:\n    print("no lint findings")'
    )
    if result.text.startswith("no lint findings"):
        yield answer(f"There are no lint findings in {path}.")
    else:
        yield answer(f"The {which} lint finding in {path}:\n\n{OUTPUT_LINE}")
